/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.c - draw what the screen shows.  See screen.h.
 *
 * IBM VGA Technical Reference, "Attribute Controller" and "Video Digital-to-Analog
 * Converter": a pixel of 4 bits goes through the palette registers to one of 256
 * colors, one of 8 bits directly.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/screen/shot.h"

#define NO_MODE_WIDTH	640u
#define NO_MODE_HEIGHT	400u
#define LINE_FIRST	0xc0u	/* characters whose 9th dot is their 8th */
#define LINE_LAST	0xdfu

struct rgb {
	uint8_t c[3];
};

struct palette {
	struct rgb direct[256];	/* by a pixel of 8 bits */
	struct rgb by4[16];	/* by one of 4 */
};

static void put_pixel(uint8_t **out, const struct rgb *color)
{
	memcpy(*out, color->c, 3);
	*out += 3;
}

static uint8_t from_bits(unsigned value, unsigned bits)
{
	return (uint8_t)(value << (8 - bits) | value >> (2 * bits - 8));
}

static struct rgb dac_color(const struct vga_regs *r, uint8_t pixel)
{
	const uint8_t *dac = r->dac + 3 * (pixel & r->pel_mask);
	struct rgb color;

	for (unsigned i = 0; i < 3; i++)
		color.c[i] = r->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? dac[i] :
			from_bits(dac[i] & 0x3f, 6);
	return color;
}

static void make_palette(const struct vga_regs *r, struct palette *p)
{
	unsigned select = r->attr[ATTR_COLOR];

	for (unsigned i = 0; i < 256; i++)
		p->direct[i] = dac_color(r, (uint8_t)i);
	for (unsigned i = 0; i < 16; i++) {
		unsigned color = r->attr[i & r->attr[ATTR_PLANES]] & 0x3f;

		if (r->attr[ATTR_MODE] & ATTR_MODE_P54)
			color = (color & 0x0f) | (select & 3) << 4;
		p->by4[i] = p->direct[color | (select & 0x0c) << 4];
	}
}

/* Text. */

struct text_line {
	uint32_t group;		/* of the first cell */
	unsigned line;		/* of the characters */
	bool cursor;		/* where it is, it is on this line */
};

static void draw_cell(const struct shot *s, const struct cells *c,
		      const struct palette *p, const struct text_line *l,
		      uint32_t group, uint8_t **out)
{
	uint8_t ch = shot_plane(s, group, 0), at = shot_plane(s, group, 1);
	uint32_t font = c->fonts[at >> 3 & 1];
	unsigned bits = shot_plane(s, font + 32u * ch + l->line, 2);
	bool blinks = s->r.attr[ATTR_MODE] & ATTR_MODE_BLINK;
	const struct rgb *front = &p->by4[at & 0x0f];
	const struct rgb *back = &p->by4[at >> 4 & (blinks ? 0x07 : 0x0f)];

	bits <<= 1;
	if (bits & 2 && s->r.attr[ATTR_MODE] & ATTR_MODE_LINE &&
	    ch >= LINE_FIRST && ch <= LINE_LAST)
		bits |= 1;
	if ((at & 0x77) == 1 &&
	    l->line == (s->r.crtc[CRTC_UNDERLINE] & 0x1f))
		bits = 0x1ff;
	if (l->cursor && c->has_cursor && (group & 0xffff) == c->cursor)
		bits = 0x1ff;
	for (unsigned i = 0; i < c->dots; i++)
		put_pixel(out, bits & 0x100 >> i ? front : back);
}

static void draw_text(const struct shot *s, const struct palette *p,
		      struct screen_image *image)
{
	uint8_t *out = image->rgb;
	struct text_line l;
	struct cells c;

	shot_cells(s, &c);
	for (unsigned y = 0; y < image->height; y++) {
		l.group = raster_line(&c.raster, y, &l.line);
		l.cursor = l.line >= c.cursor_first && l.line <= c.cursor_last;
		for (unsigned x = 0; x < c.columns; x++)
			draw_cell(s, &c, p, &l, l.group + x, &out);
	}
}

/* Graphics. */

/* Eight pixels of four planes. */
static void draw_planes(const uint8_t planes[4], const struct palette *p,
			uint8_t **out)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned pixel = 0;

		for (unsigned k = 0; k < 4; k++)
			pixel |= (planes[k] >> (7 - i) & 1u) << k;
		put_pixel(out, &p->by4[pixel]);
	}
}

/* The CGA's: two bits a pixel, four pixels a byte; planes 2 and 3 have two bits
 * more.
 */
static void draw_pairs(const uint8_t planes[4], const struct palette *p,
		       uint8_t **out)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned shift = 6 - 2 * (i & 3);
		unsigned pixel = (planes[i / 4] >> shift & 3u) |
				 (planes[2 + i / 4] >> shift & 3u) << 2;

		put_pixel(out, &p->by4[pixel]);
	}
}

static void draw_vga(const struct shot *s, const struct palette *p,
		     struct screen_image *image)
{
	unsigned mode = s->r.gfx[GFX_MODE], line;
	uint8_t *out = image->rgb, planes[4];
	struct raster raster;

	shot_raster(s, &raster);
	for (unsigned y = 0; y < image->height; y++) {
		uint32_t group = raster_line(&raster, y, &line);
		unsigned step = mode & GFX_MODE_256 ? 4 : 8;

		for (unsigned x = 0; x < image->width; x += step, group++) {
			for (unsigned k = 0; k < 4; k++)
				planes[k] = shot_plane(s, group, k);
			for (unsigned k = 0; step == 4 && k < 4; k++)
				put_pixel(&out, &p->direct[planes[k]]);
			if (step == 8 && mode & GFX_MODE_CGA)
				draw_pairs(planes, p, &out);
			else if (step == 8)
				draw_planes(planes, p, &out);
		}
	}
}

/* One pixel of the extension's modes of 8 bits and more. */
static struct rgb vbe_pixel(const struct shot *s, const struct palette *p,
			    uint32_t at)
{
	unsigned low = shot_byte(s, at), high;

	switch (s->r.vbe[VBE_BPP]) {
	case 8:
		return p->direct[low];
	case 15:
		high = (unsigned)shot_byte(s, at + 1) << 8 | low;
		return (struct rgb){ { from_bits(high >> 10 & 0x1f, 5),
				       from_bits(high >> 5 & 0x1f, 5),
				       from_bits(high & 0x1f, 5) } };
	case 16:
		high = (unsigned)shot_byte(s, at + 1) << 8 | low;
		return (struct rgb){ { from_bits(high >> 11 & 0x1f, 5),
				       from_bits(high >> 5 & 0x3f, 6),
				       from_bits(high & 0x1f, 5) } };
	default:
		return (struct rgb){ { shot_byte(s, at + 2),
				       shot_byte(s, at + 1), (uint8_t)low } };
	}
}

static void draw_vbe(const struct shot *s, const struct palette *p,
		     struct screen_image *image)
{
	unsigned bits = s->r.vbe[VBE_BPP], bytes = (bits + 1) / 8;
	uint8_t *out = image->rgb, planes[4];
	struct rgb color;

	for (unsigned y = 0; y < image->height; y++) {
		uint32_t at = s->first + y * vbe_pitch(&s->r);

		for (unsigned x = 0; bits == 4 && x < image->width; x += 8) {
			for (unsigned k = 0; k < 4; k++)
				planes[k] = shot_byte(s, at++);
			draw_planes(planes, p, &out);
		}
		for (unsigned x = 0; bits != 4 && x < image->width; x++) {
			color = vbe_pixel(s, p, at);
			put_pixel(&out, &color);
			at += bytes;
		}
	}
}

static void choose_size(const struct shot *s, struct screen_image *image)
{
	struct cells cells;

	if (vbe_active(&s->r)) {
		image->width = s->r.vbe[VBE_XRES];
		image->height = s->r.vbe[VBE_YRES];
	} else if (shot_mode(s) == SCREEN_OFF) {
		image->width = NO_MODE_WIDTH;
		image->height = NO_MODE_HEIGHT;
	} else {
		shot_cells(s, &cells);
		if (shot_mode(s) != SCREEN_TEXT)
			shot_raster(s, &cells.raster);
		image->width = cells.raster.width;
		image->height = cells.raster.height;
	}
}

static void draw(const struct shot *s, struct screen_image *image)
{
	struct palette p;

	make_palette(&s->r, &p);
	if (vbe_active(&s->r))
		draw_vbe(s, &p, image);
	else if (shot_mode(s) == SCREEN_TEXT)
		draw_text(s, &p, image);
	else
		draw_vga(s, &p, image);
}

int shot_image(const struct shot *s, struct screen_image *out)
{
	choose_size(s, out);
	out->rgb = calloc(3ull * out->width, out->height);
	if (!out->rgb)
		return -ENOMEM;
	if (!shot_blank(s))
		draw(s, out);
	return 0;
}

int vm_screen_image(struct vm *vm, struct screen_image *out, struct err *e)
{
	struct shot s = { .len = 0 };
	int rc = shot_take(vm, &s, e);

	memset(out, 0, sizeof(*out));
	if (rc)
		return rc;
	rc = shot_image(&s, out);
	shot_free(&s);
	return rc ? fail_rc(e, rc, "the screen's picture") : 0;
}
