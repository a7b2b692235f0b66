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

#include "vmm/screen/shot.h"

#define N_FONT		256u
#define SAMPLES		64u
/* So many letters and digits on the samples are no accident. */
#define MIN_LETTERS	4u

/* Of '!' to '~' in the font of GRUB's graphical terminal, unicode.pf2 of the package
 * grub-common (GNU Unifont), with the 14th line as its base line.
 */
static const uint32_t grub_font[] = {
	0x7c7e2120, 0x56319ace, 0x6aa4bb76, 0xe3e9d9d0, 0xbabefee7, 0x4071e47a,
	0x8bbf4779, 0xb0e0e42b, 0xa2354419, 0x7ef53f44, 0xc8e72c4d, 0xbf4f8b7c,
	0x644c4490, 0xb037285e, 0x6f9b761b, 0xd1f48dbc, 0xcb6be814, 0x6ee6d5e8,
	0x5a302d94, 0x8564d03a, 0xe5fe73d2, 0x4415933c, 0xcfa0f3de, 0x03a6cc5d,
	0x7f55badf, 0x4d05c094, 0xb39e4bc8, 0x4aaa4a77, 0xb71e39c5, 0x48dcf290,
	0xd2964495, 0x09f8e5a6, 0xa4f6318a, 0xc53a0d0b, 0x34692584, 0x66079267,
	0x6bf9af1a, 0xf9186f8a, 0xc0373f17, 0x57336597, 0x04e317cd, 0xf8c4508d,
	0xc35644b6, 0x23fe7c5e, 0xfb46e240, 0xa9e27752, 0x8771bf70, 0x390fad76,
	0xd518593b, 0x4994d0e7, 0xc453a48e, 0x9b5ab658, 0x846b100d, 0x04c3bc6d,
	0xb41843ce, 0xee080d56, 0x62e6d2f9, 0x43457607, 0x60122c85, 0x905a7fd9,
	0x831a08a0, 0x7b4c0cc1, 0x0bf42433, 0xc7f70a18, 0x2ec7e226, 0xb4a75454,
	0x81c7322e, 0xe7bc391e, 0x9ec9db55, 0xb79a9b2f, 0x575a4a83, 0x539d5505,
	0x21a62d5b, 0xde5f0af7, 0x77c92fbc, 0x0c3969e4, 0x4f4ae076, 0x5a10e65e,
	0xf8814a86, 0x2f942924, 0xfcad1677, 0x8c13c5a0, 0x79797829, 0xebd7f951,
	0xdc26f499, 0xed14601c, 0x25b08ff7, 0x15cfc5d3, 0x5386f11d, 0x2bcc8c24,
	0x655754f9, 0x7a99856c, 0x60c4f866, 0xf13c1139,
};
#define N_GRUB (sizeof(grub_font) / sizeof(grub_font[0]))
_Static_assert(N_GRUB == '~' - '!' + 1, "a character lacks");

struct glyph {
	uint32_t print;
	uint16_t code;		/* of Unicode */
};

struct glyphs {
	unsigned n;
	struct glyph sorted[N_FONT + N_GRUB];	/* by their prints */
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
	for (unsigned i = 0; i < N_GRUB; i++)
		g->sorted[g->n++] = (struct glyph){
			.print = grub_font[i], .code = (uint16_t)('!' + i),
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
