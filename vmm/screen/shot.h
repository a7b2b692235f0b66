/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shot.h - a copy of what the guest has set and drawn, and how its modes lay that
 * out.  Registers may hold anything.
 */
#ifndef SCREEN_SHOT_H
#define SCREEN_SHOT_H

#include "vmm/chip/vga.h"
#include "vmm/screen/screen.h"

/* The modes of the VGA proper reach so many bytes. */
#define SHOT_VGA_LEN	(256u << 10)

struct shot {
	struct vga_regs r;
	uint8_t *mem;		/* a copy of `len` bytes of video memory */
	uint32_t first, len;	/* from `first` on */
	uint8_t font[VGA_FONT_LEN];	/* the VGA BIOS's; or zeroes */
};

int shot_take(struct vm *vm, struct shot *s, struct err *e);
int shot_take_locked(struct vm *vm, struct shot *s, struct err *e);
void shot_free(struct shot *s);

/* A byte of video memory; 0 if it does not show. */
static inline uint8_t shot_byte(const struct shot *s, uint32_t at)
{
	at -= s->first;
	return at < s->len ? s->mem[at] : 0;
}

/* A byte of a plane, which wraps as in the VGA. */
static inline uint8_t shot_plane(const struct shot *s, uint32_t group,
				 unsigned plane)
{
	return shot_byte(s, 4 * (group & 0xffff) + plane);
}

enum screen_mode shot_mode(const struct shot *s);
bool shot_blank(const struct shot *s);

/* How the lines of a mode of the VGA lie in its memory. */
struct raster {
	unsigned width, height;	/* pixels */
	unsigned repeat;	/* scan lines of one line of pixels */
	unsigned row_lines;	/* lines of one row of memory: of characters */
	uint32_t start, pitch;	/* groups */
	unsigned compare;	/* the scan line after which memory starts at 0 */
	unsigned bank0, bank1;	/* bits of the group that a line replaces, as the
				 * CGA's and Hercules's; 0: none */
};

void shot_raster(const struct shot *s, struct raster *r);

/* The group at which line `y` begins, and which line of its row it is. */
uint32_t raster_line(const struct raster *r, unsigned y, unsigned *line);

/* Character cells. */
struct cells {
	struct raster raster;
	unsigned columns, rows, dots;	/* dots: of a character's width, 8 or 9 */
	uint16_t cursor;		/* its group */
	bool has_cursor;
	unsigned cursor_first, cursor_last;	/* lines */
	uint32_t fonts[2];		/* groups; by bit 3 of the attribute */
};

void shot_cells(const struct shot *s, struct cells *c);

/* image.c: the picture, as vm_screen_image(); -ENOMEM. */
int shot_image(const struct shot *s, struct screen_image *out);

/* text.c: a character of code page 437, in Unicode. */
unsigned shot_code_point(uint8_t c);

/* glyphs.c: characters of 8 x 16 pixels in a picture, on the grid that most of them
 * lie on.
 */
#define GLYPH_WIDTH	8u
#define GLYPH_HEIGHT	16u

struct glyphs;

/* Those of `font`, which is code page 437, and of GRUB's own.  NULL: no memory. */
struct glyphs *glyphs_new(const uint8_t font[VGA_FONT_LEN]);

/* Where the grid begins; false: there are no words in this picture. */
bool glyphs_find(const struct glyphs *g, const struct screen_image *image,
		 unsigned *x, unsigned *y);

#define GLYPH_NONE 0u

/* The character whose cell begins there, from ' ' on; GLYPH_NONE: it is none. */
unsigned glyphs_read(const struct glyphs *g, const struct screen_image *image,
		     unsigned x, unsigned y);

#endif
