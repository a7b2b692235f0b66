/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.c - how a text differs from what it was.
 *
 * Common lines in front and behind are set aside; of what is between the
 * longest common subsequence is computed with the usual table, as long as that
 * is small.
 */
#include "convert/guest/diff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"

#define CONTEXT 3u		/* lines about a change */
#define TABLE_MAX (4u << 20)	/* cells of 2 bytes */

struct line {
	const char *at;
	size_t len;		/* with its line feed */
};

struct text {
	struct line *lines;
	size_t n;
};

/* One line of the answer, and how it goes on. */
struct step {
	char kind;		/* ' ', '-' or '+' */
	const struct line *line;
};

struct steps {
	struct step *list;
	size_t n;
};

/* How long is the character at `p`?  0: it is none, or a control character. */
static size_t char_len(const uint8_t *p, size_t left)
{
	size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 :
		(*p & 0xf0) == 0xe0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;

	if (n > left || *p == 0x7f || (*p < 0x20 && *p != '\t' && *p != '\n' &&
				       *p != '\r'))
		return 0;
	/* C1 control characters: U+0080 to U+009F. */
	if (n == 2 && *p == 0xc2 && p[1] < 0xa0)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static bool is_text(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;

	if (len > DIFF_MAX)
		return false;
	while (p < end) {
		size_t n = char_len(p, (size_t)(end - p));

		if (!n)
			return false;
		p += n;
	}
	return true;
}

static int split(const char *text, size_t len, struct text *out)
{
	const char *end = text + len;
	size_t n = 0;

	for (const char *p = text; p < end; p++)
		n += *p == '\n' || p + 1 == end;
	out->lines = array_alloc(n ? n : 1, sizeof(*out->lines));
	if (!out->lines)
		return -ENOMEM;
	for (out->n = 0; text < end; out->n++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		stop = stop ? stop + 1 : end;
		out->lines[out->n] = (struct line){ text,
						    (size_t)(stop - text) };
		text = stop;
	}
	return 0;
}

static bool same(const struct line *a, const struct line *b)
{
	return a->len == b->len && !memcmp(a->at, b->at, a->len);
}

static void put(struct steps *s, char kind, const struct line *line)
{
	s->list[s->n++] = (struct step){ kind, line };
}

/* All lines of a go, all of b come. */
static void exchange(struct steps *s, const struct line *a, size_t n,
		     const struct line *b, size_t m)
{
	for (size_t i = 0; i < n; i++)
		put(s, '-', &a[i]);
	for (size_t i = 0; i < m; i++)
		put(s, '+', &b[i]);
}

/* cell(i, j): how many lines a[i...] and b[j...] have in common. */
static int compare(struct steps *s, const struct line *a, size_t n,
		   const struct line *b, size_t m)
{
	size_t width = m + 1, i = 0, j = 0;
	uint16_t *cells;

	if (n >= UINT16_MAX || m >= UINT16_MAX || (n + 1) * width > TABLE_MAX) {
		exchange(s, a, n, b, m);
		return 0;
	}
	cells = array_alloc((n + 1) * width, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	for (size_t k = n; k-- > 0;) {
		uint16_t *row = cells + k * width, *below = row + width;

		for (size_t l = m; l-- > 0;)
			row[l] = same(&a[k], &b[l]) ?
				(uint16_t)(below[l + 1] + 1) :
				row[l + 1] > below[l] ? row[l + 1] : below[l];
	}
	while (i < n && j < m) {
		const uint16_t *row = cells + i * width;

		if (same(&a[i], &b[j])) {
			put(s, ' ', &a[i++]);
			j++;
		} else if (row[j + 1] > row[width + j]) {
			put(s, '+', &b[j++]);
		} else {
			put(s, '-', &a[i++]);
		}
	}
	exchange(s, a + i, n - i, b + j, m - j);
	free(cells);
	return 0;
}

static int find_steps(const struct text *a, const struct text *b,
		      struct steps *s)
{
	size_t front = 0, behind = 0, most = a->n < b->n ? a->n : b->n;
	int rc;

	s->list = array_alloc(a->n + b->n + 1, sizeof(*s->list));
	if (!s->list)
		return -ENOMEM;
	while (front < most && same(&a->lines[front], &b->lines[front]))
		front++;
	while (behind < most - front &&
	       same(&a->lines[a->n - 1 - behind], &b->lines[b->n - 1 - behind]))
		behind++;
	for (size_t i = 0; i < front; i++)
		put(s, ' ', &a->lines[i]);
	rc = compare(s, a->lines + front, a->n - front - behind,
		     b->lines + front, b->n - front - behind);
	for (size_t i = a->n - behind; i < a->n && !rc; i++)
		put(s, ' ', &a->lines[i]);
	return rc;
}

/* As diff -u: "3", "3,7", and for none the line before. */
static void put_range(FILE *f, char sign, size_t first, size_t n)
{
	fprintf(f, " %c%zu", sign, n ? first + 1 : first);
	if (n != 1)
		fprintf(f, ",%zu", n);
}

static void put_hunk(FILE *f, const struct steps *s, size_t from, size_t to,
		     size_t line_a, size_t line_b)
{
	size_t n_a = 0, n_b = 0;

	for (size_t i = from; i < to; i++) {
		n_a += s->list[i].kind != '+';
		n_b += s->list[i].kind != '-';
	}
	fputs("@@", f);
	put_range(f, '-', line_a, n_a);
	put_range(f, '+', line_b, n_b);
	fputs(" @@\n", f);
	for (size_t i = from; i < to; i++) {
		const struct line *l = s->list[i].line;

		fputc(s->list[i].kind, f);
		fwrite(l->at, 1, l->len, f);
		if (l->at[l->len - 1] != '\n')
			fputs("\n\\ No newline at end of file\n", f);
	}
}

/* Changes with at most twice the context between them are one hunk. */
static void put_hunks(FILE *f, const struct steps *s)
{
	size_t line_a = 0, line_b = 0, i = 0;

	while (i < s->n) {
		size_t from = i, last, to;

		while (i < s->n && s->list[i].kind == ' ')
			i++;
		if (i == s->n)
			return;
		if (i - from > CONTEXT) {
			line_a += i - from - CONTEXT;
			line_b += i - from - CONTEXT;
			from = i - CONTEXT;
		}
		for (last = i; i < s->n && i - last <= 2 * CONTEXT; i++)
			if (s->list[i].kind != ' ')
				last = i;
		to = min_u64(last + 1 + CONTEXT, s->n);
		put_hunk(f, s, from, to, line_a, line_b);
		for (i = from; i < to; i++) {
			line_a += s->list[i].kind != '+';
			line_b += s->list[i].kind != '-';
		}
	}
}

static int print(const char *path, bool fresh, const struct steps *s,
		 char **out)
{
	size_t len;
	FILE *f = open_memstream(out, &len);

	if (!f)
		return -ENOMEM;
	fprintf(f, "--- %s\n+++ %s\n", fresh ? "/dev/null" : path, path);
	put_hunks(f, s);
	if (ferror(f) | fclose(f)) {
		free(*out);
		*out = NULL;
		return -ENOMEM;
	}
	return 0;
}

int diff_unified(const char *path, const char *old, size_t old_len,
		 const char *text, size_t text_len, char **out, struct err *e)
{
	struct text a = { 0 }, b = { 0 };
	struct steps steps = { 0 };
	int rc;

	*out = NULL;
	if (!is_text(old ? old : "", old_len) || !is_text(text, text_len) ||
	    (old_len == text_len && (!text_len || !memcmp(old, text, old_len))))
		return 0;
	rc = split(old ? old : "", old_len, &a);
	if (!rc)
		rc = split(text, text_len, &b);
	if (!rc)
		rc = find_steps(&a, &b, &steps);
	if (!rc)
		rc = print(path, !old, &steps, out);
	free(a.lines);
	free(b.lines);
	free(steps.list);
	return rc ? fail(e, ENOMEM, "out of memory") : 0;
}
