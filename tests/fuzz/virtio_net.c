/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_net.c - the network card, led by the fuzzer (fuzzdriver.c), with its peer
 * behind it; and frames that have right checksums.
 */
#include "tests/check.h"
#include "tests/lib/fuzzdriver.h"
#include "vmm/net/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct fuzzdriver drv;

static void take(struct fuzz_in *in, void *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)to)[i] = (uint8_t)fuzz_take(in, 1);
}

/* An address that the peer asks for, has, or does not know. */
static void take_addr(struct fuzz_in *in, unsigned how, uint8_t *addr)
{
	addr_set_v4(addr, 0xc0000208 + (uint32_t)(how & 7));
	if (how & 0x10)
		CHECK(addr_parse("2001:db8::10", addr));
	if (how & 0x20)
		take(in, addr + 12, 4);
	if (how & 0x80)
		take(in, addr, NET_ADDR);
}

static void special(struct fuzzdriver *d, struct fuzz_in *in)
{
	static const uint8_t data[1500] = "ping";
	static uint8_t frame[NET_FRAME_MAX];
	unsigned how = (unsigned)fuzz_take(in, 1);
	struct device *dev = d->dev.vm->devices;
	struct packet p = { .kind = (enum packet_kind)(how % 6) };
	uint8_t *at;
	size_t len;

	if (how % 8 > 5) {
		dev->ops->pause(dev);
		dev->ops->resume(dev);
		return;
	}
	memcpy(p.to, "\x52\x54\0\x76\x6d\x81", NET_MAC);
	memcpy(p.from, "\x52\x54\0\x76\x6d\x01", NET_MAC);
	take_addr(in, (unsigned)fuzz_take(in, 1), p.source);
	take_addr(in, (unsigned)fuzz_take(in, 1), p.dest);
	take_addr(in, (unsigned)fuzz_take(in, 1), p.target);
	p.id = 0x7665;
	p.seq = (uint16_t)fuzz_take(in, 1);
	p.data = data;
	p.len = how & 0x40 ? fuzz_take(in, 2) % 1500 : 0;
	len = packet_build(&p, frame);
	/* Where requests have their data, behind a header. */
	at = mem_ptr(d->dev.vm, 0x180000, 2048, MEM_READ | MEM_WRITE);
	memcpy(at + 12, frame, len);
	vring_put_desc(&d->dev.rings[1], 0, 0x180000, (uint32_t)len + 12, 0, 0);
	vring_put_avail(&d->dev.rings[1], 0);
	vring_set_avail_idx(&d->dev.rings[1], d->dev.rings[1].avail_idx);
	vdev_notify(&d->dev, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vm_net_host hosts[VM_NET_HOSTS];
	struct fuzz_in in = { data, len };
	struct err e;

	if (!drv.dev.vm) {
		struct vm *vm = fuzzdriver_vm();
		struct vm_net net = { .bus = VM_BUS_MMIO, .n_asks = 2 };

		CHECK(addr_parse("192.0.2.10", net.asks[0]));
		CHECK(addr_parse("2001:db8::10", net.asks[1]));
		CHECK_OK(vm_add_net(vm, &net, &e));
		fuzzdriver_open(&drv, vm, 2, special);
	}
	fuzzdriver_run(&drv, &in);
	fakevm_pass(drv.dev.vm, 3000000000u);
	CHECK(vm_net_hosts(drv.dev.vm, 0, hosts) >= 2);
	return 0;
}
