/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpio.c - read and write "newc" archives.
 *
 * A header is 110 bytes: "070701" (or "070702", whose last field is a checksum),
 * then 13 fields of 8 hexadecimal digits: inode, mode, uid, gid, nlink, mtime,
 * file size, device major and minor, rdev major and minor, length of the name
 * with its NUL, checksum.  The name follows, and the content; each is padded to 4
 * bytes, counted from the archive's begin.  The last name is "TRAILER!!!".
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "convert/guest/cpio.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define TRAILER "TRAILER!!!"

enum { F_INO, F_MODE, F_UID, F_GID, F_NLINK, F_MTIME, F_SIZE, F_MAJOR, F_MINOR,
       F_RMAJOR, F_RMINOR, F_NAMESIZE, F_CHECK, N_FIELDS };

void cpio_reader_init(struct cpio_reader *r, const struct cpio_sink *sink)
{
	memset(r, 0, sizeof(*r));
	r->sink = *sink;
	r->state = CPIO_BETWEEN;
}

static int hex_field(const char *p, uint32_t *out)
{
	uint32_t n = 0;

	for (int i = 0; i < 8; i++) {
		unsigned c = (unsigned char)p[i];
		unsigned digit = c - '0';

		if (digit > 9) {
			digit = (c | 0x20) - 'a';
			if (digit > 5)
				return -1;
			digit += 10;
		}
		n = n << 4 | digit;
	}
	*out = n;
	return 0;
}

static int parse_header(struct cpio_reader *r, struct err *e)
{
	uint64_t at = r->offset - sizeof(r->header);
	uint32_t f[N_FIELDS];

	if (memcmp(r->header, "070701", 6) && memcmp(r->header, "070702", 6))
		return fail(e, EUCLEAN, "cpio: no header at byte %llu, where "
			    "one must be", (unsigned long long)at);
	for (int i = 0; i < N_FIELDS; i++)
		if (hex_field(r->header + 6 + 8 * i, &f[i]))
			return fail(e, EUCLEAN, "cpio: field %d of the header at "
				    "byte %llu is not hexadecimal", i,
				    (unsigned long long)at);
	if (f[F_NAMESIZE] < 2 || f[F_NAMESIZE] > CPIO_NAME_MAX)
		return fail(e, EUCLEAN, "cpio: a name of %u bytes at byte %llu, "
			    "must be 2 to %u", f[F_NAMESIZE],
			    (unsigned long long)at, CPIO_NAME_MAX);
	r->at = (struct cpio_member){
		.ino = f[F_INO], .mode = f[F_MODE], .nlink = f[F_NLINK],
		.dev_major = f[F_MAJOR], .dev_minor = f[F_MINOR],
		.size = f[F_SIZE],
	};
	r->state = CPIO_NAME;
	r->left = f[F_NAMESIZE];
	r->have = 0;
	return 0;
}

static bool has_dotdot(const char *name)
{
	for (const char *p = name; (p = strstr(p, "..")); p++)
		if ((p == name || p[-1] == '/') && (!p[2] || p[2] == '/'))
			return true;
	return false;
}

/* Pad to 4, and then go on with `next`. */
static void pad(struct cpio_reader *r, enum cpio_state next)
{
	r->left = (uint32_t)(-r->offset & 3);
	r->state = CPIO_PAD;
	r->next = next;
	r->have = 0;
}

static int take_name(struct cpio_reader *r, struct err *e)
{
	const char *name = r->name;
	size_t len = strnlen(r->name, r->have);
	int rc;

	if (len + 1 != r->have)
		return fail(e, EUCLEAN, "cpio: the name before byte %llu is not "
			    "%u bytes with one NUL at its end",
			    (unsigned long long)r->offset, r->have);
	if (!strcmp(name, TRAILER)) {
		r->n_archives++;
		r->at.size = 0;
		pad(r, CPIO_BETWEEN);
		return 0;
	}
	if (has_dotdot(name))
		return fail(e, EUCLEAN, "cpio: the name \"%.200s\" leads upwards",
			    name);
	while (*name == '/' || (*name == '.' && (name[1] == '/' || !name[1])))
		name++;
	r->at.name = name;
	rc = r->sink.member(r->sink.arg, &r->at);
	pad(r, CPIO_DATA);
	return rc;
}

/* Gather `want` bytes in all into `to`, which has some already. */
static size_t gather(struct cpio_reader *r, char *to, uint32_t want,
		     const uint8_t *p, size_t len)
{
	size_t n = (size_t)min_u64(want - r->have, len);

	memcpy(to + r->have, p, n);
	r->have += (uint32_t)n;
	return n;
}

/* The next bytes, in the state that there is; `len` is not 0. */
static int step(struct cpio_reader *r, const uint8_t *p, size_t len, size_t *n,
		struct err *e)
{
	int rc = 0;

	switch (r->state) {
	case CPIO_BETWEEN:
	case CPIO_HEADER:
		r->state = CPIO_HEADER;
		*n = gather(r, r->header, sizeof(r->header), p, len);
		r->offset += *n;
		return r->have == sizeof(r->header) ? parse_header(r, e) : 0;
	case CPIO_NAME:
		*n = gather(r, r->name, r->left, p, len);
		r->offset += *n;
		return r->have == r->left ? take_name(r, e) : 0;
	case CPIO_DATA:
		*n = (size_t)min_u64(r->left, len);
		if (*n)
			rc = r->sink.data(r->sink.arg, p, *n);
		break;
	case CPIO_PAD:
		*n = (size_t)min_u64(r->left, len);
		break;
	}
	r->offset += *n;
	r->left -= (uint32_t)*n;
	return rc;
}

/* What needs no further byte. */
static void settle(struct cpio_reader *r)
{
	while (!r->left && (r->state == CPIO_PAD || r->state == CPIO_DATA)) {
		if (r->state == CPIO_DATA) {
			pad(r, CPIO_HEADER);
			continue;
		}
		r->state = r->next;
		r->have = 0;
		if (r->state == CPIO_DATA)
			r->left = r->at.size;
	}
}

/* How many of the bytes at `p` are zero, before one that is not? */
static size_t zeroes(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (len - n >= 4096 && bytes_are_zero(p + n, 4096))
		n += 4096;
	while (n < len && !p[n])
		n++;
	return n;
}

int cpio_feed(struct cpio_reader *r, const void *data, size_t len, size_t *used,
	      struct err *e)
{
	const uint8_t *p = data;
	size_t at = 0, n = 0;
	int rc = 0;

	while (at < len && !rc) {
		if (r->state == CPIO_BETWEEN) {
			n = zeroes(p + at, len - at);
			at += n;
			r->offset += n;
			if (at == len || p[at] != '0' || r->offset & 3)
				break;
		}
		rc = step(r, p + at, len - at, &n, e);
		at += n;
		settle(r);
	}
	*used = at;
	return rc;
}

int cpio_reader_end(const struct cpio_reader *r, struct err *e)
{
	if (r->state == CPIO_BETWEEN)
		return 0;
	/* The trailer's padding may be missing. */
	if (r->state == CPIO_PAD && r->next == CPIO_BETWEEN)
		return 0;
	return fail(e, EUCLEAN, "cpio: the archive ends within a member at byte "
		    "%llu, without its trailer", (unsigned long long)r->offset);
}

static int put(struct cpio_writer *w, const void *data, size_t len)
{
	size_t padded = (len + 3) & ~(size_t)3;
	size_t need;

	if (__builtin_add_overflow(w->len, padded, &need))
		return -ENOMEM;
	if (array_grow(&w->data, &w->cap, need, 1))
		return -ENOMEM;
	if (len)
		memcpy(w->data + w->len, data, len);
	memset(w->data + w->len + len, 0, padded - len);
	w->len = need;
	return 0;
}

int cpio_add(struct cpio_writer *w, const char *name, uint32_t mode,
	     const void *data, size_t len)
{
	size_t name_size = strlen(name) + 1;
	char head[110 + CPIO_NAME_MAX];
	/* Without hard links an inode's number has no meaning, but must not be
	 * another's.
	 */
	unsigned ino = w->next_ino++;
	int rc;

	if (name_size > CPIO_NAME_MAX)
		return -ENAMETOOLONG;
	if (len > UINT32_MAX)
		return -EFBIG;
	snprintf(head, 111, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X"
		 "%08X%08X", ino, mode, 0, 0, 1, 0, (unsigned)len, 0, 0, 0, 0,
		 (unsigned)name_size, 0);
	memcpy(head + 110, name, name_size);
	rc = put(w, head, 110 + name_size);
	return rc ? rc : put(w, data, len);
}

int cpio_end(struct cpio_writer *w)
{
	return cpio_add(w, TRAILER, 0, "", 0);
}
