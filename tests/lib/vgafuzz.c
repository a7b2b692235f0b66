/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgafuzz.c - fuzz a screen.  See vgafuzz.h. */
#include "tests/lib/vgafuzz.h"

#include "tests/check.h"
#include "vmm/chip/vga.h"
#include "vmm/screen/screen.h"

#define RAM (2u << 20)

struct vm *vgafuzz_new(void)
{
	struct vm *vm = fuzzvm_new_screen(RAM);
	struct err e = { "" };

	CHECK_OK(pci_bus_new(vm, &vm->pci, &e));
	CHECK_OK(vga_new(vm, &vm->vga, &e));
	return vm;
}

static void check_utf8(const char *text, unsigned rows)
{
	for (; *text; text++) {
		rows -= *text == '\n';
		CHECK((uint8_t)*text >= ' ' || *text == '\n');
	}
	CHECK_EQ(rows, 0);
}

void vgafuzz_look(struct vm *vm)
{
	struct screen_image image;
	struct screen_text text;
	struct err e = { "" };

	CHECK_OK(vm_screen_text(vm, &text, &e));
	check_utf8(text.text, text.rows);
	if (text.cursor)
		CHECK(text.cursor_row < text.rows &&
		      text.cursor_column < text.columns);
	CHECK_OK(vm_screen_image(vm, &image, &e));
	CHECK(image.width && image.width <= SCREEN_MAX_WIDTH);
	CHECK(image.height && image.height <= SCREEN_MAX_HEIGHT);
	if (text.mode != SCREEN_OFF)
		CHECK(image.width == text.width && image.height == text.height);
	screen_text_free(&text);
	free(image.rgb);
}

void vgafuzz_touch(struct vm *vm, enum bus_space space, uint64_t at,
		   struct fuzz_in *in)
{
	unsigned how = (unsigned)fuzz_take(in, 1);
	unsigned size = 1u << (how & (space == BUS_PIO ? 1 : 3));

	if (how & 0x80)
		bus_read(vm, space, at, size);
	else
		bus_write(vm, space, at, size, fuzz_take(in, size));
}
