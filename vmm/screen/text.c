/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c - the characters that are on the screen.  See screen.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/screen/shot.h"

#define UTF8_MAX	3u	/* bytes; all of these are below U+10000 */
#define REPLACEMENT	0xfffdu

/* Code page 437 as it shows, below ' ' and above '~'. */
static const uint16_t low[32] = {
	0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022,
	0x25d8, 0x25cb, 0x25d9, 0x2642, 0x2640, 0x266a, 0x266b, 0x263c,
	0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8,
	0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc,
};
static const uint16_t high[129] = {
	0x2302,
	0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7,
	0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
	0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
	0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192,
	0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
	0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
	0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
	0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
	0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
	0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567,
	0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
	0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
	0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
	0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
	0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
	0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x0020,
};

unsigned shot_code_point(uint8_t c)
{
	if (c < 0x20)
		return low[c];
	return c < 0x7f ? c : high[c - 0x7f];
}

static char *put_utf8(char *out, unsigned c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

static char *put_row(const struct shot *s, const struct cells *c,
		     uint32_t group, char *out)
{
	bool two_fonts = c->fonts[0] != c->fonts[1];
	char *end = out;

	for (unsigned x = 0; x < c->columns; x++) {
		uint8_t attribute = shot_plane(s, group + x, 1);
		unsigned cp = shot_code_point(shot_plane(s, group + x, 0));

		if (two_fonts && attribute & 0x08)
			cp = REPLACEMENT;
		out = put_utf8(out, cp);
		if (cp != ' ')
			end = out;
	}
	*end++ = '\n';
	return end;
}

static void find_cursor(const struct cells *c, unsigned row, uint32_t group,
			struct screen_text *t)
{
	uint32_t column = (c->cursor - group) & 0xffff;

	if (t->cursor || !c->has_cursor || column >= c->columns)
		return;
	t->cursor = true;
	t->cursor_row = row;
	t->cursor_column = column;
}

static int put_cells(const struct shot *s, struct screen_text *t)
{
	struct cells c;
	unsigned line;
	char *out;

	shot_cells(s, &c);
	t->columns = c.columns;
	t->rows = c.rows;
	t->width = c.raster.width;
	t->height = c.raster.height;
	out = t->text = malloc((size_t)c.rows * (c.columns * UTF8_MAX + 1) + 1);
	if (!out)
		return -ENOMEM;
	for (unsigned row = 0; row < c.rows; row++) {
		uint32_t group = raster_line(&c.raster,
					     row * c.raster.row_lines, &line);

		out = put_row(s, &c, group, out);
		find_cursor(&c, row, group, t);
	}
	*out = 0;
	return 0;
}

static int put_picture(const struct glyphs *g, const struct screen_image *image,
		       struct screen_text *t)
{
	unsigned left, top;
	char *out;

	if (!glyphs_find(g, image, &left, &top))
		return 0;
	t->columns = (image->width - left) / GLYPH_WIDTH;
	t->rows = (image->height - top) / GLYPH_HEIGHT;
	free(t->text);
	out = t->text = malloc((size_t)t->rows *
			       (t->columns * UTF8_MAX + 1) + 1);
	if (!out)
		return -ENOMEM;
	for (unsigned row = 0; row < t->rows; row++) {
		char *end = out;

		for (unsigned i = 0; i < t->columns; i++) {
			unsigned c = glyphs_read(g, image,
						 left + i * GLYPH_WIDTH,
						 top + row * GLYPH_HEIGHT);

			out = put_utf8(out, c == GLYPH_NONE ? REPLACEMENT : c);
			if (c != ' ')
				end = out;
		}
		*end++ = '\n';
		out = end;
	}
	*out = 0;
	return 0;
}

static int put_no_cells(const struct shot *s, struct screen_text *t)
{
	struct screen_image image;
	struct glyphs *g;
	int rc;

	t->text = strdup("");
	if (!t->text)
		return -ENOMEM;
	if (t->mode == SCREEN_OFF)
		return 0;
	rc = shot_image(s, &image);
	if (rc)
		return rc;
	t->width = image.width;
	t->height = image.height;
	g = glyphs_new(s->font);
	rc = g ? put_picture(g, &image, t) : -ENOMEM;
	free(g);
	free(image.rgb);
	return rc;
}

/* Releases what `s` has. */
static int read_shot(struct shot *s, struct screen_text *out, struct err *e)
{
	int rc;

	out->mode = shot_mode(s);
	out->blank = shot_blank(s);
	rc = out->mode == SCREEN_TEXT ? put_cells(s, out) :
		put_no_cells(s, out);
	shot_free(s);
	if (!rc)
		return 0;
	screen_text_free(out);
	return fail_rc(e, rc, "the screen's text");
}

int vm_screen_text(struct vm *vm, struct screen_text *out, struct err *e)
{
	struct shot s = { .len = 0 };
	int rc = shot_take(vm, &s, e);

	memset(out, 0, sizeof(*out));
	return rc ? rc : read_shot(&s, out, e);
}

int vm_screen_text_locked(struct vm *vm, struct screen_text *out,
			  struct err *e)
{
	struct shot s = { .len = 0 };
	int rc = shot_take_locked(vm, &s, e);

	memset(out, 0, sizeof(*out));
	return rc ? rc : read_shot(&s, out, e);
}

void screen_text_free(struct screen_text *text)
{
	free(text->text);
	text->text = NULL;
}
