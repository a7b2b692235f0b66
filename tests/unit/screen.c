/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.c - what the screen shows of what a guest has set and drawn: text, and
 * pictures, dot by dot.
 */
#include <errno.h>
#include <png.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/vgavm.h"
#include "vmm/screen/screen.h"

static void test_none(void)
{
	struct vm *vm = fakevm_pc(4 << 20, 1);
	struct screen_text text;
	struct screen_image image;
	struct err e = { "" };

	CHECK_EQ(vm_screen_text(vm, &text, &e), -ENODEV);
	CHECK_STR(e.text, "the machine has no screen");
	CHECK_EQ(vm_screen_image(vm, &image, &e), -ENODEV);
	CHECK_EQ(vga_inb(vm, 0x3cc), 0xff);
	CHECK_EQ(vga_peek(vm, 0xb8000), 0xff);
	vm_free(vm);
}

static void check_start(const struct screen_text *text, const char *start)
{
	if (strncmp(text->text, start, strlen(start))) {
		fprintf(stderr, "the screen has '%s', wanted '%s'\n",
			text->text, start);
		exit(1);
	}
}

static void test_text(struct vm *vm)
{
	struct screen_text text;
	struct err e = { "" };

	vgavm_text_mode(vm);
	vgavm_write(vm, 0, 0, "Hello, screen", 7);
	vgavm_write(vm, 24, 77, "end", 7);
	vgavm_write(vm, 2, 1, "\x01\xb3\xdb\xe9\xff", 7);
	vga_set(vm, 0x3d4, 0x0e, 0);
	vga_set(vm, 0x3d4, 0x0f, 13);
	CHECK_OK(vm_screen_text(vm, &text, &e));
	CHECK_EQ(text.mode, SCREEN_TEXT);
	CHECK(!text.blank && text.cursor);
	CHECK_EQ(text.width, 720);
	CHECK_EQ(text.height, 400);
	CHECK_EQ(text.columns, 80);
	CHECK_EQ(text.rows, 25);
	CHECK_EQ(text.cursor_row, 0);
	CHECK_EQ(text.cursor_column, 13);
	check_start(&text, "Hello, screen\n\n \u263a\u2502\u2588\u0398\n\n");
	CHECK(!strcmp(strrchr(text.text, 0) - 4, "end\n"));
	screen_text_free(&text);

	/* Scrolled by a line, as vgacon does; the cursor is off. */
	vga_set(vm, 0x3d4, 0x0d, 80);
	vga_set(vm, 0x3d4, 0x0a, 0x20);
	CHECK_OK(vm_screen_text(vm, &text, &e));
	CHECK(!text.cursor);
	check_start(&text, "\n \u263a");
	screen_text_free(&text);
	vga_set(vm, 0x3d4, 0x0d, 0);
	vga_set(vm, 0x3d4, 0x0a, 0x0d);

	/* A split: what follows scan line 159 is memory from its start. */
	vga_set(vm, 0x3d4, 0x0d, 80);
	vga_set(vm, 0x3d4, 0x18, 159);
	vga_set(vm, 0x3d4, 0x09, 0x0f);
	vga_set(vm, 0x3d4, 0x07, 0x0f);
	CHECK_OK(vm_screen_text(vm, &text, &e));
	CHECK(strstr(text.text, "\n\n\n\n\n\n\n\n\nHello, screen\n\n"));
	screen_text_free(&text);
	vgavm_text_mode(vm);
	vga_set(vm, 0x3d4, 0x0d, 0);

	/* Two fonts: what is bright is of the second one. */
	vgavm_write(vm, 0, 0, "ab", 0x07);
	vgavm_write(vm, 0, 2, "cd", 0x0f);
	vga_set(vm, 0x3c4, 3, 0x04);
	CHECK_OK(vm_screen_text(vm, &text, &e));
	check_start(&text, "ab\ufffd\ufffd\n");
	screen_text_free(&text);
	vga_set(vm, 0x3c4, 3, 0);

	/* Switched off, the text is still there. */
	vga_set(vm, 0x3c4, 1, 0x20);
	CHECK_OK(vm_screen_text(vm, &text, &e));
	CHECK(text.blank && text.mode == SCREEN_TEXT);
	screen_text_free(&text);
	vga_set(vm, 0x3c4, 1, 0);
}

static const uint8_t *pixel(const struct screen_image *i, unsigned x,
			    unsigned y)
{
	return i->rgb + 3 * (y * i->width + x);
}

static void check_pixel(const struct screen_image *i, unsigned x, unsigned y,
			uint32_t rgb)
{
	const uint8_t *p = pixel(i, x, y);

	CHECK_EQ(p[0] << 16 | p[1] << 8 | p[2], rgb);
}

/* One character cell, dot by dot. */
static void check_cell(const struct screen_image *i, unsigned row,
		       unsigned column, unsigned c, uint32_t front,
		       uint32_t back)
{
	for (unsigned y = 0; y < 16; y++)
		for (unsigned x = 0; x < 9; x++) {
			unsigned bits = vgavm_glyph(c, y) * 2u;

			if (c >= 0xc0 && c <= 0xdf)
				bits |= bits >> 1 & 1;
			check_pixel(i, column * 9 + x, row * 16 + y,
				    bits >> (8 - x) & 1 ? front : back);
		}
}

static void check_png(const struct screen_image *image)
{
	png_image p = { .version = PNG_IMAGE_VERSION };
	struct err e = { "" };
	uint8_t *rgb;
	void *png;
	size_t len;

	CHECK_OK(screen_png(image, &png, &len, &e));
	CHECK(png_image_begin_read_from_memory(&p, png, len));
	p.format = PNG_FORMAT_RGB;
	CHECK_EQ(p.width, image->width);
	CHECK_EQ(p.height, image->height);
	rgb = malloc(PNG_IMAGE_SIZE(p));
	CHECK(rgb && png_image_finish_read(&p, NULL, rgb, 0, NULL));
	CHECK(!memcmp(rgb, image->rgb, PNG_IMAGE_SIZE(p)));
	free(rgb);
	free(png);
}

static void take(struct vm *vm, struct screen_image *image, unsigned width,
		 unsigned height)
{
	struct err e = { "" };

	CHECK_OK(vm_screen_image(vm, image, &e));
	CHECK_EQ(image->width, width);
	CHECK_EQ(image->height, height);
}

static void test_text_image(struct vm *vm)
{
	struct screen_image image;

	vgavm_text_mode(vm);
	vgavm_write(vm, 3, 5, "A\xc4", 0x1e);
	vgavm_write(vm, 24, 79, "z", 0x87);
	vgavm_write(vm, 1, 0, "C", 0x07);
	vga_set(vm, 0x3d4, 0x0f, 80);
	take(vm, &image, 720, 400);
	check_cell(&image, 3, 5, 'A', 0xffff55, 0x0000aa);
	check_cell(&image, 3, 6, 0xc4, 0xffff55, 0x0000aa);
	/* What would blink is there. */
	check_cell(&image, 24, 79, 'z', 0xaaaaaa, 0);
	/* The cursor is lines 13 and 14. */
	check_pixel(&image, 0, 16 + 12, vgavm_glyph('C', 12) & 0x80 ? 0xaaaaaa : 0);
	for (unsigned x = 0; x < 9; x++) {
		check_pixel(&image, x, 16 + 13, 0xaaaaaa);
		check_pixel(&image, x, 16 + 14, 0xaaaaaa);
	}
	check_png(&image);
	free(image.rgb);

	/* Without blinking the bit is the background's; 8 dots; a color that
	 * goes another way through the palette.
	 */
	vga_set_attr(vm, 0x10, 0x04);
	vga_set_attr(vm, 7, 0x3f);
	vga_set(vm, 0x3c4, 1, 1);
	take(vm, &image, 640, 400);
	check_pixel(&image, 639, 399, vgavm_glyph('z', 15) & 1 ? 0xffffff : 0x555555);
	check_pixel(&image, 638, 398, vgavm_glyph('z', 14) & 2 ? 0xffffff : 0x555555);
	free(image.rgb);
	/* A guest that changes its font. */
	vga_set(vm, 0x3c4, 2, 4);
	vga_set(vm, 0x3c4, 4, 6);
	vga_set(vm, 0x3ce, 5, 0);
	vga_set(vm, 0x3ce, 6, 4);
	for (unsigned i = 0; i < 16; i++)
		vga_poke(vm, 0xa0000 + 'z' * 32 + i, 0xaa);
	take(vm, &image, 640, 400);
	for (unsigned x = 0; x < 8; x++)
		check_pixel(&image, 632 + x, 390, x & 1 ? 0x555555 : 0xffffff);
	free(image.rgb);
	/* Black, though something is there. */
	vga_inb(vm, 0x3da);
	vga_outb(vm, 0x3c0, 0);
	take(vm, &image, 640, 400);
	check_pixel(&image, 632, 390, 0);
	free(image.rgb);
}

/* Mode 12h's planes and mode 13h, by the registers that matter. */
static void test_graphics(struct vm *vm)
{
	struct screen_image image;

	vgavm_text_mode(vm);
	vga_set(vm, 0x3c4, 4, 6);
	vga_set(vm, 0x3c4, 2, 0x0f);
	vga_set(vm, 0x3ce, 6, 5);
	vga_set(vm, 0x3ce, 5, 2);
	vga_set(vm, 0x3d4, 0x11, 0);
	vga_set(vm, 0x3d4, 0x07, 0x3e);
	vga_set(vm, 0x3d4, 0x09, 0x40);
	vga_set(vm, 0x3d4, 0x12, 0xdf);
	vga_set(vm, 0x3d4, 0x17, 0xe3);
	for (uint32_t i = 0; i < 38400; i++)
		vga_poke(vm, 0xa0000 + i, i % 80 / 5);
	take(vm, &image, 640, 480);
	for (unsigned y = 0; y < 480; y++) {
		check_pixel(&image, 0, y, 0);
		check_pixel(&image, 6 * 40 + 39, y, 0xaa5500);
		check_pixel(&image, 639, y, 0xffffff);
	}
	check_png(&image);
	free(image.rgb);

	vga_set(vm, 0x3c4, 4, 0x0e);
	vga_set(vm, 0x3ce, 5, 0x40);
	vga_set(vm, 0x3d4, 0x07, 0x1f);
	vga_set(vm, 0x3d4, 0x09, 0x41);
	vga_set(vm, 0x3d4, 0x12, 0x8f);
	vga_set_attr(vm, 0x10, 0x41);
	for (uint32_t i = 0; i < 64000; i++)
		vga_poke(vm, 0xa0000 + i, i / 320 % 64);
	take(vm, &image, 320, 200);
	for (unsigned y = 0; y < 200; y++)
		for (unsigned x = 0; x < 320; x += 319)
			CHECK(!memcmp(pixel(&image, x, y), (uint8_t[3]) {
				(uint8_t)((y >> 2 & 1) * 0xaa + (y >> 5 & 1) * 0x55),
				(uint8_t)((y >> 1 & 1) * 0xaa + (y >> 4 & 1) * 0x55),
				(uint8_t)((y & 1) * 0xaa + (y >> 3 & 1) * 0x55),
			      }, 3));
	free(image.rgb);

	/* The CGA's four colors, whose odd lines are elsewhere. */
	vga_set(vm, 0x3c4, 4, 2);
	vga_set(vm, 0x3c4, 2, 3);
	vga_set(vm, 0x3ce, 5, 0x30);
	vga_set(vm, 0x3ce, 6, 0x0f);
	vga_set(vm, 0x3d4, 0x01, 0x27);
	vga_set(vm, 0x3d4, 0x09, 0xc1);
	vga_set(vm, 0x3d4, 0x13, 0x14);
	vga_set(vm, 0x3d4, 0x17, 0xa2);
	vga_set_attr(vm, 0x12, 0x03);
	for (uint32_t i = 0; i < 8000; i++) {
		vga_poke(vm, 0xb8000 + i, 0x1b);
		vga_poke(vm, 0xba000 + i, 0xe4);
	}
	take(vm, &image, 320, 200);
	for (unsigned y = 0; y < 200; y++)
		for (unsigned x = 0; x < 320; x++)
			check_pixel(&image, x, y, (uint32_t[]){
				    0, 0x0000aa, 0x00aa00, 0x00aaaa }[
				    y & 1 ? 3 - x % 4 : x % 4]);
	free(image.rgb);
}

static void test_vbe(struct vm *vm)
{
	static const struct {
		unsigned bpp, len;
		uint32_t value, rgb;
	} depths[] = {
		{ 8, 1, 4, 0xaa0000 }, { 15, 2, 0x7c1f, 0xff00ff },
		{ 16, 2, 0x07e0, 0x00ff00 }, { 24, 3, 0x123456, 0x123456 },
		{ 32, 4, 0xff654321, 0x654321 },
	};
	uint32_t base = vgavm_map(vm);
	struct screen_image image;

	vgavm_text_mode(vm);
	CHECK_EQ(vbe_get(vm, 0), 0xb0c5);
	vbe_set(vm, 0, 0xb0c0);
	CHECK_EQ(vbe_get(vm, 0), 0xb0c0);
	vbe_set(vm, 0, 0x1234);
	CHECK_EQ(vbe_get(vm, 0), 0xb0c0);
	CHECK_EQ(vbe_get(vm, 10), 256);
	vbe_set(vm, 4, 2);
	CHECK_EQ(vbe_get(vm, 1), 2560);
	CHECK_EQ(vbe_get(vm, 2), 1600);
	CHECK_EQ(vbe_get(vm, 3), 32);
	for (unsigned i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		unsigned pitch = 1024 * depths[i].len;
		uint32_t at;

		vbe_set(vm, 4, 0);
		vbe_set(vm, 1, 803);
		vbe_set(vm, 2, 600);
		vbe_set(vm, 3, depths[i].bpp);
		vm->vga->mem[0] = 0x55;
		vm->vga->mem[600 * 800 * depths[i].len] = 0x55;
		vbe_set(vm, 4, 0x41);
		CHECK_EQ(vm->vga->mem[0], 0);
		CHECK_EQ(vm->vga->mem[600 * 800 * depths[i].len], 0x55);
		CHECK_EQ(vbe_get(vm, 1), 800);
		CHECK_EQ(vbe_get(vm, 6), 800);
		vbe_set(vm, 6, 1024);
		CHECK_EQ(vbe_get(vm, 7), (16 << 20) / pitch);
		vbe_set(vm, 8, 24);
		vbe_set(vm, 9, 10);
		/* The pixel at 3, 599, by the frame buffer and by the bank. */
		at = 609 * pitch + 27 * depths[i].len;
		for (unsigned k = 0; k < depths[i].len; k++)
			vga_poke(vm, base + at + k, depths[i].value >> 8 * k);
		vbe_set(vm, 5, at >> 16);
		CHECK_EQ(vbe_get(vm, 5), at >> 16);
		CHECK_EQ(vga_peek(vm, 0xa0000 + (at & 0xffff)),
			 depths[i].value & 0xff);
		vga_poke(vm, 0xa0000 + (at & 0xffff) - 1, 0x00);
		take(vm, &image, 800, 600);
		check_pixel(&image, 3, 599, depths[i].rgb);
		check_pixel(&image, 2, 599, 0);
		check_png(&image);
		free(image.rgb);
	}
	/* 4 bits: planes. */
	vbe_set(vm, 4, 0);
	vbe_set(vm, 3, 4);
	vbe_set(vm, 4, 0x41);
	vga_set(vm, 0x3c4, 4, 6);
	vga_set(vm, 0x3c4, 2, 0xf);
	vga_set(vm, 0x3ce, 5, 2);
	vga_poke(vm, 0xa0000 + 599 * 100 + 99, 9);
	take(vm, &image, 800, 600);
	check_pixel(&image, 799, 599, 0x5555ff);
	check_pixel(&image, 791, 599, 0);
	free(image.rgb);

	/* Too much is cut, and a display never leaves the memory. */
	for (unsigned i = 1; i < 10; i++)
		if (i != 4)
			vbe_set(vm, i, 0xffff);
	vbe_set(vm, 3, 32);
	CHECK_EQ(vbe_get(vm, 1), 2560);
	CHECK_EQ(vbe_get(vm, 2), 1600);
	vbe_set(vm, 8, 2560);
	vbe_set(vm, 9, 38);
	take(vm, &image, 2560, 1600);
	free(image.rgb);
	vbe_set(vm, 4, 0);
	take(vm, &image, 720, 400);
	free(image.rgb);
}

/* Characters as pixels of 32 bits on a screen that is 800 wide. */
static void draw_words(struct vm *vm, unsigned left, unsigned top,
		       const char *text, uint32_t front, uint32_t back)
{
	for (; *text; text++, left += 8)
		for (unsigned y = 0; y < 16; y++)
			for (unsigned x = 0; x < 8; x++)
				put_le32(vm->vga->mem + 4 *
					 ((top + y) * 800 + left + x),
					 vgavm_glyph((uint8_t)*text, y) &
					 0x80 >> x ? front : back);
}

static bool changed(struct vm *vm, uint64_t *mark)
{
	bool is;

	vm_lock(vm);
	is = vm_screen_changed_locked(vm, mark);
	vm_unlock(vm);
	return is;
}

/* A console on a graphical screen, wherever its grid begins. */
static void test_words(struct vm *vm)
{
	static const struct { unsigned left, top; } grids[] = {
		{ 0, 0 }, { 10, 10 }, { 7, 15 }, { 3, 0 },
	};
	struct screen_text text;
	uint64_t mark = 0;
	struct err e;

	vgavm_text_mode(vm);
	vbe_set(vm, 4, 0);
	vbe_set(vm, 1, 800);
	vbe_set(vm, 2, 600);
	vbe_set(vm, 3, 32);
	for (size_t i = 0; i < sizeof(grids) / sizeof(grids[0]); i++) {
		unsigned x = grids[i].left, y = grids[i].top;

		vbe_set(vm, 4, 0);
		vbe_set(vm, 4, 0x41);
		CHECK(changed(vm, &mark));
		CHECK_OK(vm_screen_text(vm, &text, &e));
		CHECK_EQ(text.mode, SCREEN_GRAPHICS);
		CHECK_EQ(text.columns, 0);
		CHECK_STR(text.text, "");
		screen_text_free(&text);

		draw_words(vm, x, y, "debian", 0xaaaaaa, 0);
		draw_words(vm, x + 7 * 8, y, "login:", 0x0000ff, 0xffffff);
		draw_words(vm, x + 8, y + 32, "Up 42", 0, 0x55aa55);
		/* Three colors are no character. */
		draw_words(vm, x + 16, y + 48, "x", 0x123456, 0);
		vm->vga->mem[4 * ((y + 50) * 800 + x + 17) + 1] = 0xff;
		CHECK(changed(vm, &mark));
		CHECK(!changed(vm, &mark));
		CHECK_OK(vm_screen_text(vm, &text, &e));
		CHECK_EQ(text.columns, (800 - x % 8) / 8);
		CHECK_EQ(text.rows, (600 - y % 16) / 16);
		CHECK_EQ(text.width, 800);
		CHECK(!text.cursor && !text.blank);
		CHECK(strstr(text.text, x < 8 ? "debian login:\n\n Up 42\n  "
			     "\ufffd\n\n" : " debian login:\n\n  Up 42\n   "
			     "\ufffd\n\n"));
		screen_text_free(&text);
	}
	vbe_set(vm, 4, 0);
}

static void test_off(struct vm *vm)
{
	struct screen_text text;
	struct screen_image image;
	struct err e = { "" };

	CHECK_OK(vm_screen_text(vm, &text, &e));
	CHECK_EQ(text.mode, SCREEN_OFF);
	CHECK(text.blank && !text.width && !text.rows);
	CHECK_STR(text.text, "");
	screen_text_free(&text);
	take(vm, &image, 640, 400);
	check_pixel(&image, 639, 399, 0);
	free(image.rgb);
}

int main(void)
{
	struct vm *vm = vgavm_new();

	test_none();
	test_off(vm);
	test_text(vm);
	test_text_image(vm);
	test_graphics(vm);
	test_vbe(vm);
	test_words(vm);
	vm_free(vm);
	return 0;
}
