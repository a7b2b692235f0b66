/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chips.c - any access of any width to the chips of a PC, in any order, with
 * time passing: nothing crashes, and no timer fires so often that time stands
 * still.
 *
 * Input: operations of 4 bytes: what, which register, value (2).
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"

#define MAX_OPS 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Where the chips are; two of three accesses go there. */
static const uint16_t ports[] = {
	0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61,
	0x70, 0x71, 0x60, 0x64, 0x80, 0x92, 0x402, 0xf4, 0xe0, 0xe8, 0x2000,
	0x2010, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0x2f8,
	0x3e8, 0x2e8,
};
static const uint32_t memory[] = {
	0xfec00000, 0xfec00010, 0xfec00040, 0xff000000, 0xff00fffc,
};

/* Let time pass; however the timers are programmed, a step of ours is at most
 * 10 ms, in which each of the handful of timers may fire at most every 50 us.
 */
static void pass(struct vm *vm, uint64_t ns)
{
	uint64_t end = vm_now(vm) + ns;
	unsigned fired = 0;

	while (clock_next(vm) <= end) {
		clock_advance(vm, clock_next(vm));
		vm_lock(vm);
		clock_run(vm);
		vm_unlock(vm);
		CHECK(++fired < 2000);
	}
	clock_advance(vm, end);
}

static void operate(struct vm *vm, const uint8_t *op)
{
	unsigned size = 1u << (op[0] >> 3 & 3), value = op[2] | (unsigned)op[3] << 8;
	unsigned port = ports[op[1] % (sizeof(ports) / sizeof(ports[0]))];
	uint32_t addr = memory[op[1] % (sizeof(memory) / sizeof(memory[0]))];

	if (op[0] & 0x40)
		port += op[0] & 7;
	switch (op[0] & 7) {
	case 0:
	case 1:
	case 2:
		bus_write(vm, BUS_PIO, port, size > 4 ? 4 : size, value);
		break;
	case 3:
		bus_read(vm, BUS_PIO, port, size > 4 ? 4 : size);
		break;
	case 4:
		bus_write(vm, BUS_MMIO, addr + (op[0] >> 5), size,
			  value * 0x10001ull << (op[0] >> 5));
		bus_read(vm, BUS_MMIO, addr, size);
		break;
	case 5:
		irq_ack_pic(vm);
		irq_eoi(vm, op[1]);
		break;
	case 6:
		pass(vm, value * 100ull);
		break;
	case 7:
		pass(vm, value * 150000ull % 10000000);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vm_config config;
	struct vm_chardev host = { -1, -1 };
	struct vm *vm = NULL;
	struct err e = { "" };
	struct device *dev;

	fakevm_config(&config, 2 << 20, 1);
	config.test_devices = true;
	CHECK_OK(vm_new(&config, &vm, &e));
	host.in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	CHECK(host.in >= 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK_OK(vm_add_serial(vm, &host, &e));
	for (size_t i = 0; i + 4 <= len && i / 4 < MAX_OPS; i += 4)
		operate(vm, data + i);
	vm_lock(vm);
	for (dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->reset)
			dev->ops->reset(dev);
	vm_unlock(vm);
	pass(vm, 10000000);
	vm_free(vm);
	close(host.in);
	return 0;
}
