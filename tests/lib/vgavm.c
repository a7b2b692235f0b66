/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgavm.c - a machine with a screen, and short names for its accesses. */
#include "tests/lib/vgavm.h"

#include "tests/check.h"
#include "vmm/pc.h"

#define RAM (4u << 20)

struct vm *vgavm_new(void)
{
	struct vm_config config;
	struct vm *vm = NULL;
	struct err e = { "" };

	fakevm_config(&config, RAM, 1);
	config.screen = VM_SCREEN_VGA;
	CHECK_OK(vm_new(&config, &vm, &e));
	return vm;
}

void vga_outb(struct vm *vm, unsigned port, unsigned value)
{
	bus_write(vm, BUS_PIO, port, 1, value);
}

unsigned vga_inb(struct vm *vm, unsigned port)
{
	return (unsigned)bus_read(vm, BUS_PIO, port, 1);
}

void vga_set(struct vm *vm, unsigned port, unsigned index, unsigned value)
{
	bus_write(vm, BUS_PIO, port, 2, index | value << 8);
}

unsigned vga_get(struct vm *vm, unsigned port, unsigned index)
{
	vga_outb(vm, port, index);
	return vga_inb(vm, port + 1);
}

void vga_set_attr(struct vm *vm, unsigned index, unsigned value)
{
	vga_inb(vm, 0x3da);
	vga_outb(vm, 0x3c0, index);
	vga_outb(vm, 0x3c0, value);
	vga_outb(vm, 0x3c0, 0x20);
}

void vbe_set(struct vm *vm, unsigned index, unsigned value)
{
	bus_write(vm, BUS_PIO, 0x1ce, 2, index);
	bus_write(vm, BUS_PIO, 0x1cf, 2, value);
}

unsigned vbe_get(struct vm *vm, unsigned index)
{
	bus_write(vm, BUS_PIO, 0x1ce, 2, index);
	return (unsigned)bus_read(vm, BUS_PIO, 0x1cf, 2);
}

void vga_poke(struct vm *vm, uint32_t at, unsigned value)
{
	bus_write(vm, BUS_MMIO, at, 1, value);
}

unsigned vga_peek(struct vm *vm, uint32_t at)
{
	return (unsigned)bus_read(vm, BUS_MMIO, at, 1);
}

/* A font in which no two characters are the same, and all dots are used. */
uint8_t vgavm_glyph(unsigned c, unsigned line)
{
	return (uint8_t)(c + line * 37);
}

void vgavm_text_mode(struct vm *vm)
{
	for (unsigned i = 0; i < VGA_FONT_LEN; i++)
		vm->vga->font[i] = vgavm_glyph(i / 16, i % 16);
	vm_lock(vm);
	vga_set_text_mode(vm->vga);
	vm_unlock(vm);
}

void vgavm_write(struct vm *vm, unsigned row, unsigned column,
		       const char *text, unsigned attribute)
{
	uint32_t at = 0xb8000 + (row * 80 + column) * 2;

	for (; *text; text++, at += 2)
		bus_write(vm, BUS_MMIO, at, 2,
			  (uint8_t)*text | attribute << 8);
}

/* The frame buffer as firmware maps it. */
uint32_t vgavm_map(struct vm *vm)
{
	vm_lock(vm);
	pci_assign_resources(vm);
	vm_unlock(vm);
	CHECK_EQ(vm->vga->fn.bars[0].region.base, PC_PCI_MEM);
	return PC_PCI_MEM;
}
