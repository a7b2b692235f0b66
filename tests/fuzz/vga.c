/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga.c - any access to the VGA's registers and planes, in any order, and the
 * screen as it is then.
 *
 * Input: operations of a byte: 0 to 5 an indexed register and its value (2 bytes),
 * 6 and 7 any port, 8 to 11 the window, 12 a look, 13 a reset, 14 and 15 the BARs.
 */
#include "tests/check.h"
#include "tests/lib/vgafuzz.h"
#include "vmm/chip/vga.h"

#define MAX_OPS 2000u
#define MAX_LOOKS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void set_attribute(struct vm *vm, struct fuzz_in *in)
{
	bus_read(vm, BUS_PIO, 0x3da, 1);
	bus_write(vm, BUS_PIO, 0x3c0, 1, fuzz_take(in, 1));
	bus_write(vm, BUS_PIO, 0x3c0, 1, fuzz_take(in, 1));
	bus_write(vm, BUS_PIO, 0x3c0, 1, 0x20);
}

static void operate(struct vm *vm, struct fuzz_in *in, unsigned *looks)
{
	static const uint16_t indexed[] = { 0x3c4, 0x3ce, 0x3d4, 0x3d4 };
	unsigned op = (unsigned)fuzz_take(in, 1);
	uint32_t at;

	switch (op & 0x0f) {
	case 0:
	case 1:
	case 2:
	case 3:
		bus_write(vm, BUS_PIO, indexed[op & 3], 2, fuzz_take(in, 2));
		break;
	case 4:
		set_attribute(vm, in);
		break;
	case 5:
		bus_write(vm, BUS_PIO, 0x1ce, 2, op >> 4);
		bus_write(vm, BUS_PIO, 0x1cf, 2, fuzz_take(in, 2));
		break;
	case 6:
	case 7:
		at = 0x3b0 + (uint32_t)fuzz_take(in, 1) % 0x30;
		vgafuzz_touch(vm, BUS_PIO, at, in);
		break;
	case 12:
		if ((*looks)++ < MAX_LOOKS)
			vgafuzz_look(vm);
		break;
	case 13:
		vm->vga->dev.ops->reset(&vm->vga->dev);
		break;
	case 14:
	case 15:
		vm_lock(vm);
		pci_config_write(&vm->vga->fn, op >> 4 & 4, 4,
				 (uint32_t)fuzz_take(in, 4));
		pci_config_write(&vm->vga->fn, op >> 2 & 0x1c, 4,
				 (uint32_t)fuzz_take(in, 4));
		vm_unlock(vm);
		break;
	default:
		at = (uint32_t)fuzz_take(in, 3) % 0x20010;
		vgafuzz_touch(vm, BUS_MMIO, 0xa0000 + at, in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct vm *vm = vgafuzz_new();
	unsigned looks = 0;

	for (unsigned i = 0; i < MAX_OPS && in.left; i++)
		operate(vm, &in, &looks);
	vgafuzz_look(vm);
	fuzzvm_free(vm);
	return 0;
}
