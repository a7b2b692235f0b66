/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tar.c - what lies where in a tar archive: POSIX.1-2017 pax, "ustar
 * Interchange Format", and the GNU extensions that packages use.
 *
 *	offset	size	field
 *	0	100	name, up to a NUL
 *	124	12	size: octal digits, or base-256 if bit 7 is set (GNU)
 *	148	8	checksum: sum of all bytes, itself taken as spaces
 *	156	1	type: 0 or NUL a file, 5 a folder, x and g PAX headers,
 *			L and K long names (GNU), S sparse (GNU), ...
 *	257	6	"ustar"
 *	345	155	prefix of the name (not in GNU's form)
 *
 * The content follows, padded to whole blocks; a block of zeroes ends it all.
 */
#include "tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"

#define ULL(n) ((unsigned long long)(n))

enum {
	H_NAME = 0, H_SIZE = 124, H_SUM = 148, H_TYPE = 156, H_MAGIC = 257,
	H_VERSION = 263, H_PREFIX = 345,
};

/* Octal digits between spaces, up to a NUL. */
static bool get_octal(const uint8_t *p, size_t len, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;

	while (i < len && p[i] == ' ')
		i++;
	for (; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		n = n << 3 | (uint64_t)(p[i] - '0');	/* 12 digits at most */
	for (; i < len; i++)
		if (p[i] && p[i] != ' ')
			return false;
	*out = n;
	return true;
}

static bool get_size(const uint8_t *p, uint64_t *out)
{
	if (p[0] & 0x80) {
		/* 95 bits, of which a sane one uses 63; no negative ones. */
		if (p[0] != 0x80 || !bytes_are_zero(p + 1, 3))
			return false;
		*out = get_be64(p + 4);
		return *out <= INT64_MAX;
	}
	return get_octal(p, 12, out);
}

/* Some old writers summed signed bytes. */
static bool sum_ok(const uint8_t *block)
{
	uint64_t want;
	int64_t sum = 0, other = 0;

	if (!get_octal(block + H_SUM, 8, &want))
		return false;
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		uint8_t byte = i >= H_SUM && i < H_SUM + 8 ? ' ' : block[i];

		sum += byte;
		other += (int8_t)byte;
	}
	return (int64_t)want == sum || (int64_t)want == other;
}

int tar_header_decode(const uint8_t block[TAR_BLOCK], struct tar_header *h)
{
	size_t n = 0, len;

	if (bytes_are_zero(block, TAR_BLOCK) || !sum_ok(block))
		return -EUCLEAN;
	h->magic = !memcmp(block + H_MAGIC, "ustar", 5);
	if (h->magic && !block[H_MAGIC + 5]) {
		n = strnlen((const char *)block + H_PREFIX, 155);
		memcpy(h->name, block + H_PREFIX, n);
		if (n)
			h->name[n++] = '/';
	}
	len = strnlen((const char *)block + H_NAME, 100);
	memcpy(h->name + n, block + H_NAME, len);
	h->name[n + len] = 0;
	h->type = block[H_TYPE] ? (char)block[H_TYPE] : '0';
	return get_size(block + H_SIZE, &h->len) ? 0 : -ERANGE;
}

bool tar_first_name(const uint8_t *head, size_t len, char name[257])
{
	struct tar_header h;
	uint64_t offset = 0;
	bool found = false;

	while (in_range(offset, TAR_BLOCK, len) &&
	       !tar_header_decode(head + offset, &h) && h.magic) {
		memcpy(name, h.name, sizeof(h.name));
		found = true;
		if (!strchr("xgLK", h.type) || h.len > len)
			break;
		offset += TAR_BLOCK + round_up(h.len, TAR_BLOCK);
	}
	return found;
}

/* While scanning: what extra headers say of the next member. */
struct scan {
	struct img *in;
	struct tar *t;
	uint64_t end;			/* of the archive, bytes */
	char *next_name;		/* or NULL */
	uint64_t next_len;
	bool has_next_len;
	struct err *e;
};

static int keep_name(struct scan *s, const char *text, size_t len)
{
	if (!len || len > TAR_MAX_NAME)
		return fail(s->e, EUCLEAN, "%s: a member's name has %zu bytes, "
			    "must be 1 to %u", img_name(s->in), len,
			    TAR_MAX_NAME);
	if (memchr(text, 0, len))
		return fail(s->e, EUCLEAN, "%s: a member's name has a zero "
			    "byte in it", img_name(s->in));
	free(s->next_name);
	s->next_name = strndup(text, len);
	return s->next_name ? 0 : fail(s->e, ENOMEM, "out of memory");
}

/* Decimal digits, all of them. */
static bool get_decimal(const char *text, size_t len, uint64_t *out)
{
	uint64_t n = 0;

	if (!len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9' || !mul_ok(n, 10, &n) ||
		    !add_ok(n, (uint64_t)(text[i] - '0'), &n))
			return false;
	*out = n;
	return n <= INT64_MAX;
}

static bool key_is(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(key, name, len);
}

/* One "key=value" of a PAX header.  A global header that names or sizes every
 * member of an archive is a trick.
 */
static int pax_record(struct scan *s, bool global, const char *key,
		      size_t key_len, const char *value, size_t len)
{
	if (key_len >= 11 && !memcmp(key, "GNU.sparse.", 11))
		return fail(s->e, ENOTSUP, "%s: a member is stored sparse; make "
			    "the archive without tar's --sparse",
			    img_name(s->in));
	if (!key_is(key, key_len, "path") && !key_is(key, key_len, "size"))
		return 0;
	if (global)
		return fail(s->e, EUCLEAN, "%s: a global header sets the %.4s "
			    "of all members", img_name(s->in), key);
	if (*key == 'p')
		return keep_name(s, value, len);
	s->has_next_len = get_decimal(value, len, &s->next_len);
	return s->has_next_len ? 0 :
	       fail(s->e, EUCLEAN, "%s: a PAX header gives '%.*s' as a size",
		    img_name(s->in), (int)min_u64(len, 40), value);
}

/* "LEN key=value\n", where LEN counts all of it. */
static int parse_pax(struct scan *s, bool global, const char *text, size_t len)
{
	while (len) {
		const char *space = memchr(text, ' ', min_u64(len, 20));
		const char *eq;
		uint64_t n;
		size_t head;
		int rc;

		head = space ? (size_t)(space - text) + 1 : 0;
		if (!space || !get_decimal(text, head - 1, &n) || n > len ||
		    n <= head || text[n - 1] != '\n' ||
		    !(eq = memchr(text + head, '=', (size_t)n - head)))
			return fail(s->e, EUCLEAN, "%s: a PAX header is broken",
				    img_name(s->in));
		rc = pax_record(s, global, text + head,
				(size_t)(eq - text) - head, eq + 1,
				(size_t)(text + n - 1 - eq) - 1);
		if (rc)
			return rc;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* A header that is about the next member. */
static int read_extra(struct scan *s, const struct tar_header *h,
		      uint64_t offset)
{
	char *text;
	int rc;

	if (h->len > TAR_MAX_EXTRA)
		return fail(s->e, EUCLEAN, "%s: an extra header has %llu bytes, "
			    "more than the %u that are allowed",
			    img_name(s->in), ULL(h->len), TAR_MAX_EXTRA);
	text = malloc((size_t)h->len + 1);
	if (!text)
		return fail(s->e, ENOMEM, "out of memory");
	rc = img_read(s->in, text, (size_t)h->len, offset);
	if (rc)
		fail_rc(s->e, rc, "Could not read %s", img_name(s->in));
	else if (h->type == 'L')
		/* Ends with a NUL. */
		rc = keep_name(s, text, strnlen(text, (size_t)h->len));
	else if (h->type != 'K')
		rc = parse_pax(s, h->type == 'g', text, (size_t)h->len);
	free(text);
	return rc;
}

static int add_member(struct scan *s, const char *name, uint64_t offset,
		      uint64_t len)
{
	struct tar *t = s->t;
	struct tar_member *m;

	while (name[0] == '.' && name[1] == '/')
		name += 2;
	if (!*name)
		return fail(s->e, EUCLEAN, "%s: a member has no name",
			    img_name(s->in));
	t->names += strlen(name) + 1;
	if (t->n == TAR_MAX_MEMBERS || t->names > TAR_MAX_NAMES)
		return fail(s->e, EUCLEAN, "%s: more than %zu members; no "
			    "package has so many", img_name(s->in), t->n);
	if (array_grow(&t->members, &t->cap, t->n + 1, sizeof(*m)))
		return fail(s->e, ENOMEM, "out of memory");
	m = &t->members[t->n];
	*m = (struct tar_member){ strdup(name), offset, len };
	if (!m->name)
		return fail(s->e, ENOMEM, "out of memory");
	t->n++;
	return 0;
}

/* A member: its content begins at `offset`. */
static int take_member(struct scan *s, const struct tar_header *h,
		       uint64_t offset, uint64_t len)
{
	const char *name = s->next_name ? s->next_name : h->name;
	int rc = 0;

	if (h->type == 'S' || h->type == 'M')
		return fail(s->e, ENOTSUP, "%s: the member %s is stored %s",
			    img_name(s->in), name, h->type == 'S' ?
			    "sparse; make the archive without tar's --sparse" :
			    "in several volumes");
	if (h->type == '0' || h->type == '7')
		rc = add_member(s, name, offset, len);
	free(s->next_name);
	s->next_name = NULL;
	s->has_next_len = false;
	return rc;
}

/* The header at *offset, and what follows; *offset moves behind it. */
static int scan_one(struct scan *s, const uint8_t *block, uint64_t *offset)
{
	uint64_t start = *offset + TAR_BLOCK, len;
	struct tar_header h;
	bool extra;
	int rc;

	rc = tar_header_decode(block, &h);
	if (rc)
		return fail(s->e, EUCLEAN, rc == -ERANGE ?
			    "%s: the header at byte %llu has a size that is "
			    "no number" : "%s: there is no tar header at byte "
			    "%llu, where one should be", img_name(s->in),
			    ULL(*offset));
	extra = strchr("xgLK", h.type);
	len = !extra && s->has_next_len ? s->next_len : h.len;
	/* Links and folders have no content, whatever their header says. */
	if (h.type >= '1' && h.type <= '6')
		len = 0;
	if (!in_range(start, len, s->end))
		return fail(s->e, EUCLEAN, "%s: the member %s, %llu bytes at "
			    "byte %llu, reaches beyond the end at byte %llu: "
			    "the archive is cut short, or lies",
			    img_name(s->in), s->next_name && !extra ?
			    s->next_name : h.name, ULL(len), ULL(start),
			    ULL(s->end));
	rc = extra ? read_extra(s, &h, start) :
	     take_member(s, &h, start, len);
	/* The file's length is below 2^63. */
	*offset = start + round_up(len, TAR_BLOCK);
	return rc;
}

static int scan_all(struct scan *s)
{
	uint8_t block[TAR_BLOCK];
	uint64_t offset = 0;
	unsigned n;
	int rc;

	for (n = 0; in_range(offset, TAR_BLOCK, s->end); n++) {
		if (n == TAR_MAX_HEADERS)
			return fail(s->e, EUCLEAN, "%s: more than %u headers; "
				    "no package has so many", img_name(s->in),
				    n);
		rc = img_read(s->in, block, sizeof(block), offset);
		if (rc)
			return fail_rc(s->e, rc, "Could not read %s",
				       img_name(s->in));
		if (bytes_are_zero(block, sizeof(block)))
			return 0;
		rc = scan_one(s, block, &offset);
		if (rc)
			return rc;
	}
	/* The end mark may be missing; a part of a header may not. */
	if (!n || offset < s->end)
		return fail(s->e, EUCLEAN, "%s: the archive ends in the middle "
			    "of a header", img_name(s->in));
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct tar_member *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Two readers might take different ones of two members with one name. */
int tar_sort(struct tar *t, const char *archive, struct err *e)
{
	t->by_name = array_alloc(t->n, sizeof(*t->by_name));
	if (!t->by_name)
		return fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < t->n; i++)
		t->by_name[i] = &t->members[i];
	qsort(t->by_name, t->n, sizeof(*t->by_name), by_name);
	for (size_t i = 1; i < t->n; i++)
		if (!strcmp(t->by_name[i - 1]->name, t->by_name[i]->name))
			return fail(e, EUCLEAN, "%s: there are two members "
				    "named %s", archive, t->by_name[i]->name);
	return 0;
}

int tar_scan(struct img *in, struct tar *out, struct err *e)
{
	struct scan s = { .in = in, .t = out, .end = img_length(in), .e = e };
	int rc;

	*out = (struct tar){ 0 };
	rc = scan_all(&s);
	if (!rc)
		rc = tar_sort(out, img_name(in), e);
	free(s.next_name);
	if (rc)
		tar_free(out);
	return rc;
}

void tar_free(struct tar *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->members[i].name);
	free(t->members);
	free(t->by_name);
	*t = (struct tar){ 0 };
}

const struct tar_member *tar_find(const struct tar *t, const char *name)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(name, t->by_name[mid]->name);

		if (!order)
			return t->by_name[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}
