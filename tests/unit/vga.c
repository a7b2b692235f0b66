/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga.c - the VGA: registers, planes, and the frame buffer as memory.  What QEMU's
 * does at random accesses is compared in diff/vga_qtest.c.
 */
#include "tests/check.h"
#include "tests/lib/vgavm.h"
#include "vmm/pc.h"

static void test_registers(struct vm *vm)
{
	/* Bits that there are not. */
	vga_outb(vm, 0x3c2, 0xff);
	CHECK_EQ(vga_inb(vm, 0x3cc), 0xef);
	vga_set(vm, 0x3c4, 0, 0xff);
	CHECK_EQ(vga_get(vm, 0x3c4, 0), 0x03);
	vga_set(vm, 0x3ce, 5, 0xff);
	CHECK_EQ(vga_get(vm, 0x3ce, 5), 0x7b);
	CHECK_EQ(vga_get(vm, 0x3ce, 15), 0);
	CHECK_EQ(vga_get(vm, 0x3d4, 0x99), 0);

	/* Mono and color have ports of their own. */
	vga_set(vm, 0x3d4, 0x0f, 0x12);
	CHECK_EQ(vga_inb(vm, 0x3b5), 0xff);
	vga_outb(vm, 0x3c2, 0);
	CHECK_EQ(vga_inb(vm, 0x3d5), 0xff);
	CHECK_EQ(vga_get(vm, 0x3b4, 0x0f), 0x12);
	vga_outb(vm, 0x3c2, 1);

	/* The first eight of the CRTC can be protected, but for one bit. */
	vga_set(vm, 0x3d4, 0x11, 0);
	vga_set(vm, 0x3d4, 0, 0x55);
	vga_set(vm, 0x3d4, 7, 0);
	vga_set(vm, 0x3d4, 0x11, 0x80);
	vga_set(vm, 0x3d4, 0, 0xaa);
	vga_set(vm, 0x3d4, 7, 0xff);
	CHECK_EQ(vga_get(vm, 0x3d4, 0), 0x55);
	CHECK_EQ(vga_get(vm, 0x3d4, 7), 0x10);

	/* Index and data in turn; reading the status begins with an index. */
	vga_set_attr(vm, 3, 0x2a);
	vga_inb(vm, 0x3da);
	vga_outb(vm, 0x3c0, 3);
	CHECK_EQ(vga_inb(vm, 0x3c1), 0x2a);
	CHECK_EQ(vga_inb(vm, 0x3c0), 0);
	CHECK(vga_inb(vm, 0x3da) != vga_inb(vm, 0x3da));
	CHECK_EQ(vga_inb(vm, 0x3c0), 3);

	/* Colors, three parts each, with the next one following. */
	vga_outb(vm, 0x3c8, 254);
	for (unsigned i = 0; i < 9; i++)
		vga_outb(vm, 0x3c9, i + 0xc0);
	CHECK_EQ(vga_inb(vm, 0x3c8), 1);
	vga_outb(vm, 0x3c7, 255);
	CHECK_EQ(vga_inb(vm, 0x3c7), 3);
	for (unsigned i = 3; i < 9; i++)
		CHECK_EQ(vga_inb(vm, 0x3c9), i);
}

/* What IBM's manual says of each write mode, by hand. */
static void test_planes(struct vm *vm)
{
	vga_set(vm, 0x3c4, 2, 0x0f);
	vga_set(vm, 0x3c4, 4, 0x06);
	vga_set(vm, 0x3ce, 6, 0x05);
	vga_set(vm, 0x3ce, 5, 0);
	vga_set(vm, 0x3ce, 8, 0xff);
	for (unsigned i = 0; i < 4; i++)
		vga_set(vm, 0x3ce, i, 0);
	/* A byte of its own for each plane. */
	for (unsigned plane = 0; plane < 4; plane++) {
		vga_set(vm, 0x3c4, 2, 1u << plane);
		vga_poke(vm, 0xa0123, 0x11u << plane);
	}
	for (unsigned plane = 0; plane < 4; plane++) {
		vga_set(vm, 0x3ce, 4, plane);
		CHECK_EQ(vga_peek(vm, 0xa0123), 0x11 << plane);
	}
	CHECK_EQ(vm->vga->mem[0x123 * 4 + 2], 0x44);
	CHECK_EQ(vga_peek(vm, 0xb0000), 0xff);

	/* Mode 1 copies the latches. */
	vga_set(vm, 0x3c4, 2, 0x0f);
	vga_peek(vm, 0xa0123);
	vga_set(vm, 0x3ce, 5, 1);
	vga_poke(vm, 0xa0456, 0);
	CHECK(!memcmp(vm->vga->mem + 0x456 * 4, "\x11\x22\x44\x88", 4));

	/* Mode 2: a color under a mask. */
	vga_set(vm, 0x3ce, 5, 2);
	vga_set(vm, 0x3ce, 8, 0xf0);
	vga_poke(vm, 0xa0456, 0x5);
	CHECK(!memcmp(vm->vga->mem + 0x456 * 4, "\xf1\x02\xf4\x08", 4));

	/* Mode 3: the color of set/reset where rotated bits are. */
	vga_peek(vm, 0xa0456);
	vga_set(vm, 0x3ce, 5, 3);
	vga_set(vm, 0x3ce, 8, 0xff);
	vga_set(vm, 0x3ce, 0, 0xa);
	vga_set(vm, 0x3ce, 3, 4);
	vga_poke(vm, 0xa0456, 0xf3);
	CHECK(!memcmp(vm->vga->mem + 0x456 * 4, "\xc0\x3f\xc0\x3f", 4));

	/* Mode 0: exclusive or with the latches, one plane by set/reset. */
	vga_peek(vm, 0xa0456);
	vga_set(vm, 0x3ce, 5, 0);
	vga_set(vm, 0x3ce, 0, 0x2);
	vga_set(vm, 0x3ce, 1, 0x2);
	vga_set(vm, 0x3ce, 3, 0x18);
	vga_poke(vm, 0xa0456, 0x0f);
	CHECK(!memcmp(vm->vga->mem + 0x456 * 4, "\xcf\xc0\xcf\x30", 4));

	/* Read mode 1 looks for a color; planes that do not count. */
	vga_set(vm, 0x3ce, 5, 8);
	vga_set(vm, 0x3ce, 2, 0x5);
	vga_set(vm, 0x3ce, 7, 0xf);
	CHECK_EQ(vga_peek(vm, 0xa0456), 0x0f);
	vga_set(vm, 0x3ce, 7, 0x2);
	CHECK_EQ(vga_peek(vm, 0xa0456), 0x3f);

	/* Chain 4 is the bytes one after the other. */
	vga_set(vm, 0x3c4, 4, 0x0e);
	vga_set(vm, 0x3ce, 5, 0);
	vga_set(vm, 0x3ce, 3, 0);
	vga_set(vm, 0x3ce, 1, 0);
	for (unsigned i = 0; i < 8; i++)
		vga_poke(vm, 0xa0f00 + i, i);
	CHECK(!memcmp(vm->vga->mem + 0xf00, "\0\1\2\3\4\5\6\7", 8));
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xa0f01, 4), 0x04030201);
}

/* The registers in the function's memory. */
static void test_mmio(struct vm *vm)
{
	uint32_t base = vgavm_map(vm) + MEM_VIDEO;

	CHECK_EQ(vm->vga->fn.bars[2].region.base, base);
	bus_write(vm, BUS_MMIO, base + 0x500 + 2 * 1, 2, 640);
	CHECK_EQ(vbe_get(vm, 1), 640);
	CHECK_EQ(bus_read(vm, BUS_MMIO, base + 0x502, 2), 640);
	bus_write(vm, BUS_MMIO, base + 0x414, 2, 0x5a0f);
	CHECK_EQ(vga_get(vm, 0x3d4, 0x0f), 0x5a);
	CHECK_EQ(bus_read(vm, BUS_MMIO, base + 0x600, 4), 8);
	CHECK_EQ(bus_read(vm, BUS_MMIO, base + 0x604, 4), 0x1e1e1e1e);
	CHECK_EQ(bus_read(vm, BUS_MMIO, base, 4), 0xffffffff);
}

/* The frame buffer is memory, for devices too, where nothing else is. */
static void test_frame_buffer(struct vm *vm)
{
	uint32_t base = vgavm_map(vm);
	struct fakevm *f = fakevm_of(vm);
	unsigned n = f->n_mem_changed;
	uint64_t len = 100;

	CHECK(mem_ptr(vm, base, MEM_VIDEO, MEM_READ | MEM_WRITE) ==
	      vm->vga->mem);
	CHECK(mem_ptr_some(vm, base + MEM_VIDEO - 10, &len, MEM_WRITE));
	CHECK_EQ(len, 10);
	CHECK(!mem_ptr(vm, base + MEM_VIDEO, 1, MEM_READ));
	CHECK(!mem_ptr(vm, base - 1, 1, MEM_READ));
	vm->vga->mem[5] = 0x42;
	CHECK_EQ(vga_peek(vm, base + 5), 0x42);

	/* Over RAM it is below that, and answers where RAM ends. */
	vm_lock(vm);
	pci_config_write(&vm->vga->fn, 0x10, 4, 0xff000000);
	CHECK(!mem_ptr(vm, base, 1, MEM_READ));
	CHECK_EQ(f->n_mem_changed, n + 1);
	CHECK_EQ(vm->vga->fn.bars[0].region.on, 0);
	pci_config_write(&vm->vga->fn, 0x10, 4, 0xfe000000);
	vm_unlock(vm);
	CHECK(!mem_ptr(vm, 0xfe000000, 1, MEM_READ));
	CHECK_EQ(vga_peek(vm, 0xfe000005), 0x42);
	vga_poke(vm, 0xfe000005, 0x43);
	CHECK_EQ(vm->vga->mem[5], 0x43);
	vm_lock(vm);
	pci_config_write(&vm->vga->fn, 0x04, 2, 0);
	vm_unlock(vm);
	CHECK_EQ(vga_peek(vm, 0xfe000005), 0xff);
	vgavm_map(vm);
	CHECK_EQ(vga_peek(vm, base + 5), 0x43);
	vm->vga->dev.ops->reset(&vm->vga->dev);
	CHECK(!mem_ptr(vm, base, 1, MEM_READ));
}

/* A font by its blocks, wherever it is. */
static bool finds_font(struct vm *vm, const uint8_t *bios, size_t len)
{
	static const uint8_t none[VGA_FONT_LEN];

	memset(vm->vga->font, 0, VGA_FONT_LEN);
	vga_keep_font(vm->vga, bios, len);
	return memcmp(vm->vga->font, none, VGA_FONT_LEN);
}

static void test_find_font(struct vm *vm)
{
	static uint8_t bios[40000];
	unsigned at = 12345;

	memset(bios, 0x5a, sizeof(bios));
	CHECK(!finds_font(vm, bios, sizeof(bios)));
	CHECK(!finds_font(vm, bios, 10));
	memset(bios + at, 0, 16);
	memset(bios + at + 32 * 16, 0, 16);
	memset(bios + at + 0xdb * 16, 0xff, 16);
	memset(bios + at + 0xdd * 16, 0xf0, 16);
	memset(bios + at + 0xde * 16, 0x0f, 16);
	CHECK(!finds_font(vm, bios, sizeof(bios)));
	memset(bios + at + 0xff * 16, 0, 16);
	CHECK(finds_font(vm, bios, sizeof(bios)));
	CHECK(!memcmp(vm->vga->font, bios + at, VGA_FONT_LEN));
	CHECK(finds_font(vm, bios, at + 4096));
	CHECK(!finds_font(vm, bios, at + 4095));
}

int main(void)
{
	struct vm *vm = vgavm_new();

	test_find_font(vm);
	test_registers(vm);
	test_planes(vm);
	test_mmio(vm);
	test_frame_buffer(vm);
	vm_free(vm);
	return 0;
}
