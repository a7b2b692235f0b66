/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vbe.c - any access to the VBE extension by its ports and by the PCI function's
 * memory, to the bank and to the frame buffer, wherever that is.
 *
 * Input: operations of a byte: 0 to 5 a register of the extension (by the upper
 * half) and its value (2 bytes), 6 its ports, 7 and 8 BAR 2, 9 BAR 0, 10 the
 * window, 11 a look, 12 where the BARs are, 13 an indexed register of the VGA.
 */
#include "tests/check.h"
#include "tests/lib/vgafuzz.h"
#include "vmm/chip/vga.h"

#define MAX_OPS 500u
#define MAX_LOOKS 3u
#define N_BASES 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Apart, over each other, over RAM and its end, at the ends of the space. */
static const uint32_t bases[N_BASES] = {
	0xe0000000, 0xfd000000, 0xfe000000, 0x01000000, 0x00000000,
	0xff000000, 0xe0000000, 0xfdfff000,
};

static void place(struct vm *vm, unsigned bar, unsigned where)
{
	vm_lock(vm);
	pci_config_write(&vm->vga->fn, 0x10 + 4 * bar, 4,
			 bases[where % N_BASES]);
	pci_config_write(&vm->vga->fn, 0x04, 2, where & 8 ? 0 : 2);
	vm_unlock(vm);
}

static uint64_t in_bar(struct vm *vm, unsigned bar, uint64_t offset)
{
	const struct region *r = &vm->vga->fn.bars[bar].region;

	return r->base + offset % (r->len + 8);
}

static void operate(struct vm *vm, struct fuzz_in *in, unsigned *looks)
{
	unsigned op = (unsigned)fuzz_take(in, 1), high = op >> 4;
	uint64_t at;

	switch (op & 0x0f) {
	case 6:
		vgafuzz_touch(vm, BUS_PIO, 0x1cd + high % 5, in);
		break;
	case 7:
	case 8:
		at = (high & 7) << 8 | fuzz_take(in, 1);
		vgafuzz_touch(vm, BUS_MMIO, in_bar(vm, 2, at), in);
		break;
	case 9:
		at = in_bar(vm, 0, fuzz_take(in, 4));
		vgafuzz_touch(vm, BUS_MMIO, at, in);
		break;
	case 10:
		at = fuzz_take(in, 2);
		vgafuzz_touch(vm, BUS_MMIO, 0xa0000 + at, in);
		break;
	case 11:
		if ((*looks)++ < MAX_LOOKS)
			vgafuzz_look(vm);
		break;
	case 12:
		place(vm, high & 1 ? 2 : 0, (unsigned)fuzz_take(in, 1));
		break;
	case 13:
		bus_write(vm, BUS_PIO, high & 1 ? 0x3c4 : 0x3ce, 2,
			  fuzz_take(in, 2));
		break;
	default:
		bus_write(vm, BUS_PIO, 0x1ce, 2, high);
		bus_write(vm, BUS_PIO, 0x1cf, 2, fuzz_take(in, 2));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct vm *vm = vgafuzz_new();
	unsigned looks = 0;

	place(vm, 0, 0);
	place(vm, 2, 1);
	bus_write(vm, BUS_PIO, 0x3c0, 1, 0x20);
	for (unsigned i = 0; i < MAX_OPS && in.left; i++)
		operate(vm, &in, &looks);
	vgafuzz_look(vm);
	fuzzvm_free(vm);
	return 0;
}
