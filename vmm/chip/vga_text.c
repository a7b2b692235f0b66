/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_text.c - the mode and the font that firmware leaves to a kernel: IBM VGA,
 * mode 3 of 80 x 25 characters of 9 x 16 dots.
 */
#include <string.h>

#include "vmm/chip/vga.h"
#include "vmm/vm.h"

#define N_CHARS		256u
#define CHAR_LEN	16u
#define CHAR_STEP	32u	/* bytes of a character in plane 2 */
#define COLUMNS		80u
#define ROWS		25u

static const uint8_t mode_seq[N_SEQ] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
static const uint8_t mode_crtc[N_CRTC] = {
	0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e,
	0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3,
	0xff
};
static const uint8_t mode_gfx[N_GFX] = {
	0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff
};
static const uint8_t mode_attr[N_ATTR] = {
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07,
	0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
	0x0c, 0x00, 0x0f, 0x08, 0x00
};
#define MODE_MISC	0x67u

/* The EGA's 64 colors: two bits a component, the stronger ones in bits 0 to 2. */
static void set_colors(struct vga_regs *r)
{
	for (unsigned i = 0; i < 64; i++)
		for (unsigned c = 0; c < 3; c++)
			r->dac[3 * i + c] = (uint8_t)
				((i >> (2 - c) & 1) * 0x2a +
				 (i >> (5 - c) & 1) * 0x15);
}

void vga_set_text_mode(struct vga *v)
{
	struct vga_regs *r = &v->r;

	r->misc = MODE_MISC;
	memcpy(r->seq, mode_seq, sizeof(mode_seq));
	memcpy(r->crtc, mode_crtc, sizeof(mode_crtc));
	memcpy(r->gfx, mode_gfx, sizeof(mode_gfx));
	memcpy(r->attr, mode_attr, sizeof(mode_attr));
	r->attr_index = ATTR_INDEX_ON;
	set_colors(r);
	r->set = true;
	for (unsigned i = 0; i < COLUMNS * ROWS; i++) {
		v->mem[4 * i] = ' ';
		v->mem[4 * i + 1] = 0x07;
	}
	for (unsigned i = 0; i < VGA_FONT_LEN; i++)
		v->mem[4 * (i / CHAR_LEN * CHAR_STEP + i % CHAR_LEN) + 2] =
			v->font[i];
	mem_wrote(v->dev.vm, v->mem, 4 * N_CHARS * CHAR_STEP);
}

static bool all(const uint8_t *p, unsigned n, uint8_t value)
{
	while (n && p[n - 1] == value)
		n--;
	return !n;
}

/* Fonts differ, but not in these characters of code page 437: blanks, and the
 * full block and its halves.
 */
static bool is_font(const uint8_t *p)
{
	const uint8_t *block = p + 0xdb * CHAR_LEN;

	return all(p, CHAR_LEN, 0) && all(p + ' ' * CHAR_LEN, CHAR_LEN, 0) &&
	       all(block, CHAR_LEN, 0xff) &&
	       all(block + 2 * CHAR_LEN, CHAR_LEN, 0xf0) &&
	       all(block + 3 * CHAR_LEN, CHAR_LEN, 0x0f) &&
	       all(p + 0xff * CHAR_LEN, CHAR_LEN, 0);
}

void vga_keep_font(struct vga *v, const void *bios, size_t len)
{
	const uint8_t *p = bios;
	size_t i = 0;

	while (i + VGA_FONT_LEN <= len && !is_font(p + i))
		i++;
	if (i + VGA_FONT_LEN <= len)
		memcpy(v->font, p + i, VGA_FONT_LEN);
}
