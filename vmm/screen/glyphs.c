/* SPDX-License-Identifier: GPL-2.0-or-later */
/* glyphs.c - read characters in a picture, by comparing dots.  See shot.h.
 *
 * A character is known by a fingerprint of its dots: 16 bytes, a line each, the
 * leftmost dot on top, and all of them inverted if that of the upper left corner
 * is set, for nobody knows which of two colors is the character's.
 */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "vmm/screen/fonts.h"
#include "vmm/screen/shot.h"

#define N_FONT		256u
#define SAMPLES		64u
/* So many letters and digits on the samples are no accident. */
#define MIN_LETTERS	4u

struct glyph {
	uint32_t print;
	uint16_t code;		/* of Unicode */
};

struct glyphs {
	unsigned n;
	struct glyph sorted[N_FONT + FONTS * FONT_PRINTS];	/* by prints */
};

static uint32_t fingerprint(const uint8_t dots[GLYPH_HEIGHT])
{
	uint8_t lines[GLYPH_HEIGHT];

	for (unsigned i = 0; i < GLYPH_HEIGHT; i++)
		lines[i] = dots[0] & 0x80 ? (uint8_t)~dots[i] : dots[i];
	return (uint32_t)XXH3_64bits(lines, sizeof(lines));
}

static bool is_blank(const uint8_t dots[GLYPH_HEIGHT])
{
	for (unsigned i = 0; i < GLYPH_HEIGHT; i++)
		if (dots[i] != (dots[0] & 0x80 ? 0xff : 0))
			return false;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct glyph *x = a, *y = b;

	if (x->print != y->print)
		return x->print < y->print ? -1 : 1;
	return (int)x->code - (int)y->code;
}

struct glyphs *glyphs_new(const uint8_t font[VGA_FONT_LEN])
{
	struct glyphs *g = malloc(sizeof(*g));

	if (!g)
		return NULL;
	g->n = 0;
	for (unsigned i = 0; i < FONTS * FONT_PRINTS; i++)
		g->sorted[g->n++] = (struct glyph){
			.print = font_prints[i / FONT_PRINTS][i % FONT_PRINTS],
			.code = (uint16_t)('!' + i % FONT_PRINTS),
		};
	for (unsigned i = 0; i < N_FONT; i++) {
		const uint8_t *dots = font + i * GLYPH_HEIGHT;

		if (!is_blank(dots))
			g->sorted[g->n++] = (struct glyph){
				.print = fingerprint(dots),
				.code = (uint16_t)shot_code_point((uint8_t)i),
			};
	}
	qsort(g->sorted, g->n, sizeof(g->sorted[0]), compare);
	return g;
}

static uint32_t color(const struct screen_image *image, unsigned x, unsigned y)
{
	const uint8_t *p = image->rgb + 3 * ((size_t)y * image->width + x);

	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* The cell's dots; false: it has more than two colors. */
static bool take_dots(const struct screen_image *image, unsigned x, unsigned y,
		      uint8_t dots[GLYPH_HEIGHT])
{
	uint32_t back = color(image, x, y), front = back;

	for (unsigned i = 0; i < GLYPH_HEIGHT; i++) {
		dots[i] = 0;
		for (unsigned k = 0; k < GLYPH_WIDTH; k++) {
			uint32_t c = color(image, x + k, y + i);

			if (c == back)
				continue;
			if (front == back)
				front = c;
			if (c != front)
				return false;
			dots[i] |= (uint8_t)(0x80 >> k);
		}
	}
	return true;
}

unsigned glyphs_read(const struct glyphs *g, const struct screen_image *image,
		     unsigned x, unsigned y)
{
	unsigned low = 0, high = g->n;
	uint8_t dots[GLYPH_HEIGHT];
	uint32_t print;

	if (!take_dots(image, x, y, dots))
		return GLYPH_NONE;
	if (is_blank(dots))
		return ' ';
	print = fingerprint(dots);
	/* The first of those that look the same: ASCII is. */
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (g->sorted[middle].print < print)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->n && g->sorted[low].print == print ?
		g->sorted[low].code : GLYPH_NONE;
}

/* Some cells that are not blank, from all over the picture. */
struct samples {
	unsigned n, step;
	struct { unsigned x, y; } at[SAMPLES];
};

static void take_samples(const struct screen_image *image, struct samples *s)
{
	uint8_t dots[GLYPH_HEIGHT];
	unsigned seen = 0;

	*s = (struct samples){ .step = 1 };
	for (unsigned y = 0; y + 2 * GLYPH_HEIGHT <= image->height;
	     y += GLYPH_HEIGHT)
		for (unsigned x = 0; x + 2 * GLYPH_WIDTH <= image->width;
		     x += GLYPH_WIDTH) {
			if (!take_dots(image, x, y, dots) || is_blank(dots) ||
			    seen++ % s->step)
				continue;
			if (s->n == SAMPLES) {
				for (unsigned i = 0; i < SAMPLES / 2; i++)
					s->at[i] = s->at[2 * i];
				s->n = SAMPLES / 2;
				s->step *= 2;
			}
			s->at[s->n].x = x;
			s->at[s->n++].y = y;
		}
}

static bool is_letter(unsigned c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

bool glyphs_find(const struct glyphs *g, const struct screen_image *image,
		 unsigned *x, unsigned *y)
{
	unsigned best = MIN_LETTERS - 1;
	struct samples s;

	take_samples(image, &s);
	for (unsigned at = 0; at < GLYPH_WIDTH * GLYPH_HEIGHT; at++) {
		unsigned dx = at % GLYPH_WIDTH, dy = at / GLYPH_WIDTH;
		unsigned letters = 0;

		for (unsigned i = 0; i < s.n; i++)
			letters += is_letter(glyphs_read(g, image,
							 s.at[i].x + dx,
							 s.at[i].y + dy));
		if (letters > best) {
			best = letters;
			*x = dx;
			*y = dy;
		}
	}
	return best >= MIN_LETTERS;
}
