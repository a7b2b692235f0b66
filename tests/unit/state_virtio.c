/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state_virtio.c - virtio devices with work under way, and what else reaches the
 * host, saved and loaded into another machine: their drivers notice nothing.
 */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/statevm.h"
#include "tests/lib/vring.h"
#include "vmm/chardev.h"
#include "vmm/chip/acpi.h"
#include "vmm/state.h"
#include "vmm/virtio/blk.h"

#define BAR	0xe0000000u	/* where nothing is */
#define TABLE	(BAR + 0x100000u)	/* MSI-X, as vring.c places it */
#define MASKED	1u
#define EVENT_IDX VIRTIO_F_RING_EVENT_IDX
#define MANY	100000u

/* On virtio-mmio, as statevm.c adds them; and on PCI. */
enum { RNG, CONSOLE, BALLOON, DISK, NET };
enum { PCI_RNG };

static struct vdev drv;

static void note(struct statevm_trace *t, uint64_t value, const char *what)
{
	snprintf(t->what[t->n], sizeof(t->what[0]), "%s", what);
	t->values[t->n++] = value;
}

static void note_messages(struct vm *vm, struct statevm_trace *t)
{
	struct fakevm *f = fakevm_of(vm);

	note(t, f->n_msi, "messages");
	for (unsigned i = 0; i < f->n_msi; i++)
		note(t, f->msi[i].data, "message");
}

static void request(unsigned queue, uint32_t len, bool in)
{
	struct vbuf buf = { VRING_DATA, len, in };

	vring_add(&drv, queue, &buf, 1);
	vring_kick(&drv, queue);
}

static void open_rng(struct vm *vm, uint64_t features)
{
	vdev_open(&drv, vm, VM_BUS_MMIO, RNG, 0);
	vdev_start(&drv, features, 1, 8);
}

static void open_msix(struct vm *vm)
{
	vdev_open(&drv, vm, VM_BUS_PCI, PCI_RNG, BAR);
	vdev_msix(&drv, 1);
	vdev_start(&drv, 0, 1, 8);
}

static void pending_before(struct vm *vm)
{
	open_msix(vm);
	bus_write(vm, BUS_MMIO, TABLE + 16 + 12, 4, MASKED);
	request(0, 8, true);
	CHECK_EQ(fakevm_of(vm)->n_msi, 0);
}

static void pending_after(struct vm *vm, struct statevm_trace *t)
{
	bus_write(vm, BUS_MMIO, TABLE + 16 + 12, 4, 0);
	note_messages(vm, t);
	CHECK_EQ(fakevm_of(vm)->n_msi, 1);
}

static void vector_after(struct vm *vm, struct statevm_trace *t)
{
	request(0, 8, true);
	note_messages(vm, t);
	CHECK_EQ(fakevm_of(vm)->n_msi, 1);
}

static void signalled_before(struct vm *vm)
{
	open_rng(vm, EVENT_IDX);
	for (unsigned i = 0; i < 3; i++)
		request(0, 8, true);
	vdev_isr(&drv);
}

/* The index that the driver waits for has long been passed. */
static void signalled_after(struct vm *vm, struct statevm_trace *t)
{
	(void)vm;
	put_le16(drv.rings[0].avail + 4 + 2 * 8, 1);
	request(0, 8, true);
	note(t, vdev_isr(&drv), "ISR");
	CHECK_EQ(t->values[t->n - 1], 0);
	put_le16(drv.rings[0].avail + 4 + 2 * 8, 4);
	request(0, 8, true);
	note(t, vdev_isr(&drv), "ISR");
	CHECK_EQ(t->values[t->n - 1], 1);
}

static void broken_before(struct vm *vm)
{
	open_rng(vm, 0);
	vring_put_avail(&drv.rings[0], 100);
	vring_kick(&drv, 0);
	CHECK(vdev_status(&drv) & VIRTIO_STATUS_NEEDS_RESET);
}

static void broken_after(struct vm *vm, struct statevm_trace *t)
{
	(void)vm;
	request(0, 8, true);
	note(t, vdev_status(&drv), "status");
	note(t, vring_used_idx(&drv.rings[0]), "used");
	vdev_start(&drv, 0, 1, 8);
	request(0, 8, true);
	note(t, vring_used_idx(&drv.rings[0]), "used");
	CHECK_EQ(t->values[t->n - 1], 1);
}

static void later_before(struct vm *vm)
{
	vdev_open(&drv, vm, VM_BUS_MMIO, CONSOLE, 0);
	vdev_start(&drv, 0, 2, 8);
	request(1, MANY, false);
	CHECK_EQ(vring_used_idx(&drv.rings[1]), 0);
}

static void later_after(struct vm *vm, struct statevm_trace *t)
{
	fakevm_pass(vm, 1000000);
	note(t, vring_used_idx(&drv.rings[1]), "used");
	note(t, vdev_isr(&drv), "ISR");
	CHECK_EQ(t->values[0], 1);
}

static void balloon_before(struct vm *vm)
{
	uint8_t *p;

	vdev_open(&drv, vm, VM_BUS_MMIO, BALLOON, 0);
	vdev_start(&drv, ~0ull & 0xff, 4, 8);
	CHECK_EQ(vm_set_balloon(vm, 8u << 20), 0);
	p = mem_ptr(vm, VRING_DATA, 4096, MEM_WRITE);
	put_le32(p, 0x700);
	request(0, 4, false);
	put_le16(p, 3);
	put_le64(p + 2, 12345);
	request(2, 10, false);
	vdev_config_write(&drv, 4, 4, 1);
}

static void balloon_after(struct vm *vm, struct statevm_trace *t)
{
	struct vm_balloon_info info;

	CHECK_EQ(vm_balloon_info(vm, &info), 0);
	note(t, info.wanted, "wanted");
	note(t, info.actual, "actual");
	note(t, info.released, "released");
	note(t, info.have_stats, "have_stats");
	for (unsigned i = 0; i < VM_BALLOON_N_STATS; i++)
		note(t, info.stats[i], "stats");
	note(t, vring_used_idx(&drv.rings[2]), "used");
	CHECK(info.released && info.have_stats == 8 && info.stats[3] == 12345);
}

/* The driver has chosen write-through: what is written is flushed. */
static void cache_before(struct vm *vm)
{
	vdev_open(&drv, vm, VM_BUS_MMIO, DISK, 0);
	vdev_start(&drv, BLK_F_FLUSH | BLK_F_CONFIG_WCE, 2, 8);
	vdev_config_write(&drv, 32, 1, 0);
}

static void cache_after(struct vm *vm, struct statevm_trace *t)
{
	struct device *dev = vm->devices;

	while (strcmp(dev->ops->name, "virtio-blk"))
		dev = dev->next;
	note(t, atomic_load(&((struct blk *)dev)->writethrough), "through");
	note(t, vdev_config(&drv, 32, 1), "config");
	CHECK_EQ(t->values[0], 1);
}

/* The peer has asked, and has not heard anything yet. */
static void net_before(struct vm *vm)
{
	vdev_open(&drv, vm, VM_BUS_MMIO, NET, 0);
	vdev_start(&drv, 1u << 5, 2, 8);
	fakevm_pass(vm, 500000000);
}

static void net_after(struct vm *vm, struct statevm_trace *t)
{
	struct vm_net_host hosts[VM_NET_HOSTS];
	static const uint8_t reply[42] = {
		0x52, 0x54, 0, 0x76, 0x6d, 0x81, 2, 0, 0, 0, 0, 1, 8, 6,
		0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 192, 0, 2, 10,
		0x52, 0x54, 0, 0x76, 0x6d, 0x81, 0, 0, 0, 0,
	};
	uint8_t *p = mem_ptr(vm, VRING_DATA, 4096, MEM_WRITE);

	memset(p, 0, 4096);
	request(0, 2048, true);
	fakevm_pass(vm, 700000000);
	note(t, vring_used_idx(&drv.rings[0]), "received");
	CHECK_EQ(t->values[0], 1);
	memset(p, 0, 4096);
	memcpy(p + 12, reply, sizeof(reply));
	request(1, 12 + sizeof(reply), false);
	CHECK_EQ(vm_net_hosts(vm, 0, hosts), 1);
	note(t, hosts[0].at_ns, "at");
	note(t, hosts[0].by[5], "by");
	CHECK(hosts[0].answered);
}

static void made_before(struct vm *vm)
{
	memset((void *)(uintptr_t)acpi_generation(vm), 0x5a,
	       ACPI_GENERATION_LEN);
	vm->clock.epoch = 86400ull * 365 * 40 + 33;
}

/* The clock's date is what a reset of the RTC begins with. */
static void made_after(struct vm *vm, struct statevm_trace *t)
{
	note(t, get_le64(acpi_generation(vm)), "generation");
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->reset)
			dev->ops->reset(dev);
	for (unsigned reg = 0; reg < 10; reg++) {
		bus_write(vm, BUS_PIO, 0x70, 1, reg);
		note(t, bus_read(vm, BUS_PIO, 0x71, 1), "RTC");
	}
	note(t, vm_epoch(vm), "epoch");
}

/* fw_cfg's DMA (select and write) into the file "a", whose key is 0x20. */
static void file_before(struct vm *vm)
{
	uint8_t d[16];

	put_be32(d, 0x20u << 16 | 0x18);
	put_be32(d + 4, 6);
	put_be64(d + 8, VRING_DATA);
	CHECK(!mem_write(vm, VRING_DATA, "writes", 6));
	CHECK(!mem_write(vm, VRING_DATA + 64, d, sizeof(d)));
	bus_write(vm, BUS_PIO, 0x514, 4, 0);
	bus_write(vm, BUS_PIO, 0x518, 4, __builtin_bswap32(VRING_DATA + 64));
}

static void file_after(struct vm *vm, struct statevm_trace *t)
{
	bus_write(vm, BUS_PIO, 0x510, 2, 0x20);
	for (unsigned i = 0; i < 8; i++)
		note(t, bus_read(vm, BUS_PIO, 0x511, 1), "file");
	CHECK_EQ(t->values[0], 'w');
}

static const struct {
	const char *name;
	void (*before)(struct vm *vm);
	void (*after)(struct vm *vm, struct statevm_trace *t);
} cases[] = {
	{ "MSI-X: pending", pending_before, pending_after },
	{ "MSI-X: a queue's vector", open_msix, vector_after },
	{ "event index", signalled_before, signalled_after },
	{ "a broken queue", broken_before, broken_after },
	{ "console: more to send", later_before, later_after },
	{ "balloon", balloon_before, balloon_after },
	{ "disk: write-through", cache_before, cache_after },
	{ "net: the peer asks", net_before, net_after },
	{ "what the machine was made with", made_before, made_after },
	{ "a file of fw_cfg", file_before, file_after },
};

/* The driver's rings, in this machine's memory. */
static void move_to(struct vm *vm)
{
	drv.vm = vm;
	for (unsigned i = 0; i < drv.n_rings; i++) {
		struct vring *r = &drv.rings[i];

		r->desc = mem_ptr(vm, r->gpa, VRING_RING_LEN,
				  MEM_READ | MEM_WRITE);
		r->avail = r->desc + 0x1000;
		r->used = r->desc + 0x2000;
	}
}

static void with_drivers(void)
{
	struct statevm_trace *x = calloc(1, sizeof(*x));
	struct statevm_trace *y = calloc(1, sizeof(*y));

	CHECK(x && y);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vm *a = statevm_new(), *b;
		struct vdev saved;

		printf("%s\n", cases[i].name);
		fflush(stdout);
		cases[i].before(a);
		b = statevm_twin(a);
		statevm_forget(a);
		statevm_forget(b);
		saved = drv;
		x->n = y->n = 0;
		cases[i].after(a, x);
		drv = saved;
		move_to(b);
		cases[i].after(b, y);
		statevm_same(a, b, x, y, cases[i].name);
		vm_free(a);
		vm_free(b);
	}
	free(x);
	free(y);
}

/* Bytes that the guest has sent, and that the host has not taken yet, come out of
 * the other machine: after what the first machine has passed on itself.
 */
struct host {
	struct vm *vm;
	int fds[2];
};

static void host_open(struct host *h, bool serial)
{
	struct vm_chardev ends;
	struct err e = { "" };

	CHECK(!pipe2(h->fds, O_NONBLOCK));
	CHECK_EQ(fcntl(h->fds[1], F_SETPIPE_SZ, 4096), 4096);
	ends = (struct vm_chardev){ -1, h->fds[1] };
	h->vm = fakevm_pc(20u << 20, 1);
	if (serial)
		CHECK_OK(vm_add_serial(h->vm, &ends, &e));
	else
		CHECK_OK(vm_add_console(h->vm, VM_BUS_MMIO, &ends, &e));
	for (struct device *dev = h->vm->devices; dev; dev = dev->next)
		if (dev->ops->reset)
			dev->ops->reset(dev);
	statevm_resume(h->vm);
}

static void host_close(struct host *h)
{
	close(h->fds[0]);
	vm_free(h->vm);
	close(h->fds[1]);
}

static void host_load(struct host *to, struct host *from)
{
	struct err e = { "" };
	void *state;
	size_t len;

	statevm_pause(from->vm);
	statevm_pause(to->vm);
	CHECK_OK(state_save(from->vm, &state, &len, &e));
	memcpy(to->vm->mem.base, from->vm->mem.base, from->vm->mem.size);
	CHECK_OK(state_load(to->vm, state, len, &e));
	free(state);
	statevm_resume(to->vm);
}

static void serial_output(void)
{
	struct host a, b;
	char bytes[64];

	host_open(&a, true);
	host_open(&b, true);
	bus_write(a.vm, BUS_PIO, 0x3fa, 1, 1);
	/* The pipe, the buffer in front of it, and then the UART's FIFO. */
	while (bus_read(a.vm, BUS_PIO, 0x3fd, 1) & 0x20)
		bus_write(a.vm, BUS_PIO, 0x3f8, 1, '.');
	for (unsigned i = 0; i < 5; i++)
		bus_write(a.vm, BUS_PIO, 0x3f8, 1, (uint8_t)"rest!"[i]);
	host_load(&b, &a);
	CHECK_EQ(read(b.fds[0], bytes, sizeof(bytes)), 6);
	CHECK(!memcmp(bytes, ".rest!", 6));
	CHECK_EQ(bus_read(b.vm, BUS_PIO, 0x3fd, 1) & 0x20, 0x20);
	host_close(&a);
	host_close(&b);
}

static void console_output(void)
{
	struct host a, b;
	uint8_t bytes[8192], *p;
	ssize_t n;

	host_open(&a, false);
	host_open(&b, false);
	vdev_open(&drv, a.vm, VM_BUS_MMIO, 0, 0);
	vdev_start(&drv, 0, 2, 8);
	p = mem_ptr(a.vm, VRING_DATA, 10000, MEM_WRITE);
	for (unsigned i = 0; i < 10000; i++)
		p[i] = (uint8_t)(i / 100);
	request(1, 10000, false);
	host_load(&b, &a);
	/* Pipe and buffer of the first machine have the rest. */
	n = read(b.fds[0], bytes, sizeof(bytes));
	CHECK(n > 0 && !memcmp(bytes, p + 10000 - n, (size_t)n));
	n += read(a.fds[0], bytes, sizeof(bytes));
	CHECK_EQ(n, 10000 - CHARDEV_BUFFER);
	move_to(b.vm);
	CHECK_EQ(vring_used_idx(&drv.rings[1]), 1);
	host_close(&a);
	host_close(&b);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	with_drivers();
	serial_output();
	console_output();
	return 0;
}
