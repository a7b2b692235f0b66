/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgavm.h - a machine with a screen, and short names for its accesses. */
#ifndef TESTS_VGAVM_H
#define TESTS_VGAVM_H

#include "tests/lib/fakevm.h"
#include "vmm/chip/vga.h"

/* A PC of 4 MiB with a screen; vm_free() it. */
struct vm *vgavm_new(void);

/* Ports. */
void vga_outb(struct vm *vm, unsigned port, unsigned value);
unsigned vga_inb(struct vm *vm, unsigned port);

/* Indexed registers, whose index is at `port`; and those of the attribute
 * controller, with the screen on.
 */
void vga_set(struct vm *vm, unsigned port, unsigned index, unsigned value);
unsigned vga_get(struct vm *vm, unsigned port, unsigned index);
void vga_set_attr(struct vm *vm, unsigned index, unsigned value);
void vbe_set(struct vm *vm, unsigned index, unsigned value);
unsigned vbe_get(struct vm *vm, unsigned index);

/* Bytes of memory. */
void vga_poke(struct vm *vm, uint32_t at, unsigned value);
unsigned vga_peek(struct vm *vm, uint32_t at);

/* Mode 3 as firmware leaves it, with a font in which no two characters are the
 * same, and all dots are used; text in it.
 */
uint8_t vgavm_glyph(unsigned c, unsigned line);
void vgavm_text_mode(struct vm *vm);
void vgavm_write(struct vm *vm, unsigned row, unsigned column,
		 const char *text, unsigned attribute);

/* Map the frame buffer as firmware does; its address. */
uint32_t vgavm_map(struct vm *vm);

#endif
