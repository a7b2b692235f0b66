/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shot.c - copy the screen, and read its layout from the registers (IBM VGA
 * Technical Reference, "CRT Controller"; chip/vga.h).
 */
#include "vmm/screen/shot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "vmm/vm.h"

#define DOUBLE_SCAN	0x80u	/* of CRTC_MAX_SCAN */
#define CURSOR_OFF	0x20u	/* of CRTC_CURSOR_START */
#define NO_CGA_BANK	0x01u	/* of CRTC_MODE */
#define NO_HERCULES_BANK 0x02u
#define BYTE_MODE	0x40u

/* Machine lock. */
static void choose_range(struct shot *s)
{
	s->first = 0;
	s->len = SHOT_VGA_LEN;
	if (!vbe_active(&s->r))
		return;
	s->first = vbe_start(&s->r);
	s->len = vbe_pitch(&s->r) * s->r.vbe[VBE_YRES];
}

int shot_take_locked(struct vm *vm, struct shot *s, struct err *e)
{
	if (!vm->vga)
		return fail(e, ENODEV, "the machine has no screen");
	s->r = vm->vga->r;
	memcpy(s->font, vm->vga->font, sizeof(s->font));
	choose_range(s);
	s->mem = malloc(s->len);
	if (!s->mem)
		return fail(e, ENOMEM, "the screen: out of memory");
	memcpy(s->mem, vm->vga->mem + s->first, s->len);
	return 0;
}

int shot_take(struct vm *vm, struct shot *s, struct err *e)
{
	int rc;

	vm_lock(vm);
	rc = shot_take_locked(vm, s, e);
	vm_unlock(vm);
	return rc;
}

bool vm_screen_changed_locked(struct vm *vm, uint64_t *mark)
{
	struct shot s;
	uint64_t now;

	if (!vm->vga)
		return false;
	s.r = vm->vga->r;
	choose_range(&s);
	now = XXH3_64bits(&vm->vga->r, sizeof(vm->vga->r));
	now = XXH3_64bits_withSeed(vm->vga->mem + s.first, s.len, now);
	if (now == *mark)
		return false;
	*mark = now;
	return true;
}

void shot_free(struct shot *s)
{
	free(s->mem);
	s->mem = NULL;
}

enum screen_mode shot_mode(const struct shot *s)
{
	if (vbe_active(&s->r))
		return SCREEN_GRAPHICS;
	if (!s->r.set)
		return SCREEN_OFF;
	return s->r.gfx[GFX_MISC] & GFX_MISC_GRAPHICS ? SCREEN_GRAPHICS :
		SCREEN_TEXT;
}

bool shot_blank(const struct shot *s)
{
	return !s->r.set || !(s->r.attr_index & ATTR_INDEX_ON) ||
	       s->r.seq[SEQ_CLOCKING] & SEQ_CLOCKING_OFF;
}

static unsigned with_high_bits(const struct vga_regs *r, unsigned index,
			       unsigned bit8, unsigned bit9)
{
	return r->crtc[index] | (bit8 ? 0x100u : 0) | (bit9 ? 0x200u : 0);
}

void shot_raster(const struct shot *s, struct raster *out)
{
	const struct vga_regs *r = &s->r;
	unsigned overflow = r->crtc[CRTC_OVERFLOW];
	unsigned scan = r->crtc[CRTC_MAX_SCAN], mode = r->crtc[CRTC_MODE];
	unsigned lines = with_high_bits(r, CRTC_V_END, overflow & 0x02,
					overflow & 0x40) + 1;
	bool text = !(r->gfx[GFX_MISC] & GFX_MISC_GRAPHICS);

	memset(out, 0, sizeof(*out));
	out->repeat = scan & DOUBLE_SCAN ? 2 : 1;
	out->row_lines = (scan & 0x1f) + 1;
	out->start = (uint32_t)r->crtc[CRTC_START_HIGH] << 8 |
		     r->crtc[CRTC_START_LOW];
	out->pitch = r->crtc[CRTC_OFFSET] * 2u;
	out->compare = with_high_bits(r, CRTC_COMPARE, overflow & 0x10,
				      scan & 0x40);
	if (!text && !(mode & NO_CGA_BANK))
		out->bank0 = mode & BYTE_MODE ? 0x2000 : 0x1000;
	if (!text && !(mode & NO_HERCULES_BANK))
		out->bank1 = 0x2000;
	/* The lines of a row of pixels are all the same. */
	if (!text && !out->bank0 && !out->bank1) {
		out->repeat *= out->row_lines;
		out->row_lines = 1;
	}
	out->height = lines / out->repeat ? lines / out->repeat : 1;
	out->width = (r->crtc[CRTC_H_END] + 1u) *
		     (!text && r->gfx[GFX_MODE] & GFX_MODE_256 ? 4 : 8);
}

uint32_t raster_line(const struct raster *r, unsigned y, unsigned *line)
{
	uint32_t group = r->start;
	unsigned scan = y * r->repeat;

	if (scan > r->compare) {
		y = (scan - r->compare - 1) / r->repeat;
		group = 0;
	}
	*line = y % r->row_lines;
	group += y / r->row_lines * r->pitch;
	if (r->bank0)
		group = (group & ~r->bank0) | (*line & 1 ? r->bank0 : 0);
	if (r->bank1)
		group = (group & ~r->bank1) | (*line & 2 ? r->bank1 : 0);
	return group;
}

/* Three bits choose one of eight tables of 8 KiB, the even ones first. */
static uint32_t font_table(unsigned low, unsigned high)
{
	return low * 0x4000u + (high ? 0x2000u : 0);
}

void shot_cells(const struct shot *s, struct cells *c)
{
	const struct vga_regs *r = &s->r;
	unsigned map = r->seq[SEQ_CHAR_MAP];

	shot_raster(s, &c->raster);
	c->columns = r->crtc[CRTC_H_END] + 1u;
	c->rows = c->raster.height / c->raster.row_lines;
	c->dots = r->seq[SEQ_CLOCKING] & SEQ_CLOCKING_8DOTS ? 8 : 9;
	c->raster.width = c->columns * c->dots;
	c->cursor = (uint16_t)(r->crtc[CRTC_CURSOR_HIGH] << 8 |
			       r->crtc[CRTC_CURSOR_LOW]);
	c->has_cursor = !(r->crtc[CRTC_CURSOR_START] & CURSOR_OFF);
	c->cursor_first = r->crtc[CRTC_CURSOR_START] & 0x1f;
	c->cursor_last = r->crtc[CRTC_CURSOR_END] & 0x1f;
	c->fonts[0] = font_table(map & 3, map & 0x10);
	c->fonts[1] = font_table(map >> 2 & 3, map & 0x20);
}
