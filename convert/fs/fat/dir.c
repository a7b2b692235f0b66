/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dir.c - directories of FAT.
 *
 * Entry, 32 bytes: 0 name, 8 and 3 characters, blanks at their ends; 11
 * attributes; 12 bits 3 and 4: name and ending in lower case; 20 cluster, high
 * (16); 22 time, 24 date (16); 26 cluster, low (16); 28 size.  First byte: 0 no
 * more entries, 0xe5 free, 5 for 0xe5.
 *
 * A long name stands before it in entries with attributes 0x0f, the last piece
 * first: 0 number of the piece, 0x40 the last; 13 checksum of the short name; 13
 * units of UTF-16 at 1, 14 and 28.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/fat/fat.h"
#include "convert/fs/utf16.h"
#include "imgfmt/base/bytes.h"

#define MAX_DIR		(65536u * FAT_ENTRY)	/* the specification's limit */
#define PIECE		13u			/* units of UTF-16 */
#define MAX_PIECES	20u
#define UNITS		(MAX_PIECES * PIECE)

/* A long name on its way. */
struct long_name {
	unsigned left;		/* pieces still to come */
	unsigned pieces;	/* 0: none */
	uint8_t checksum;
	uint8_t units[UNITS * 2];
};

struct listing {
	int (*entry)(void *arg, const char *name, uint64_t ino);
	void *arg;
	struct long_name name;
};

static void decode(const struct fat *f, const uint8_t *p, uint64_t ino,
		   struct fat_file *out)
{
	*out = (struct fat_file){
		.ino = ino, .attributes = p[11], .first = get_le16(p + 26),
		.time = get_le16(p + 22), .date = get_le16(p + 24),
		.size = p[11] & FAT_DIR ? 0 : get_le32(p + 28),
	};
	if (f->bits == 32)
		out->first |= (uint32_t)get_le16(p + 20) << 16;
}

int fat_file(struct fat *f, uint64_t ino, struct fat_file *out, struct err *e)
{
	uint8_t p[FAT_ENTRY];
	uint64_t at;
	int rc;

	if (ino == FAT_ROOT) {
		*out = (struct fat_file){ .ino = ino, .attributes = FAT_DIR,
					  .first = f->root_cluster };
		return 0;
	}
	if (!mul_ok(ino, FAT_ENTRY, &at) || at < f->root ||
	    !in_range(at, FAT_ENTRY, fat_cluster_at(f, f->n_clusters + 2)))
		return fail(e, EUCLEAN, "there is no inode %llu",
			    (unsigned long long)ino);
	rc = img_read(f->volume, p, sizeof(p), at);
	if (rc)
		return fail_rc(e, rc, "reading inode %llu",
			       (unsigned long long)ino);
	if (!p[0] || p[0] == 0xe5 || p[11] & FAT_LABEL)
		return fail(e, EUCLEAN, "inode %llu is not in use",
			    (unsigned long long)ino);
	decode(f, p, ino, out);
	return 0;
}

static uint8_t checksum(const uint8_t *p)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < 11; i++)
		sum = (uint8_t)((sum >> 1 | sum << 7) + p[i]);
	return sum;
}

static void add_piece(struct long_name *n, const uint8_t *p)
{
	unsigned number = p[0] & 0x3f;
	uint8_t *to;

	if (p[0] & 0x40 && number && number <= MAX_PIECES) {
		memset(n->units, 0, sizeof(n->units));
		n->pieces = n->left = number;
		n->checksum = p[13];
	} else if (!n->pieces || number != n->left || n->checksum != p[13]) {
		n->pieces = 0;
	}
	if (!n->pieces || !n->left)
		return;
	to = n->units + --n->left * PIECE * 2;
	memcpy(to, p + 1, 10);
	memcpy(to + 10, p + 14, 12);
	memcpy(to + 22, p + 28, 4);
}

/* Bytes beyond ASCII stay as they are: which code page was meant is not said. */
static void short_name(const uint8_t *p, char *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 11; i++) {
		char c = (char)(i || p[0] != 5 ? p[i] : 0xe5);

		if (i == 8 && memcmp(p + 8, "   ", 3))
			out[n++] = '.';
		if (p[12] & (i < 8 ? 0x08 : 0x10))
			c = (char)tolower((unsigned char)c);
		if (c != ' ' || (i < 8 && i + 1 < 8 && p[i + 1] != ' '))
			out[n++] = c;
	}
	out[n] = 0;
}

static int emit(struct listing *l, const uint8_t *p, uint64_t ino)
{
	struct long_name *n = &l->name;
	char name[3 * UNITS + 1];
	bool is_long = n->pieces && !n->left && n->checksum == checksum(p);

	n->pieces = 0;
	if (p[11] & FAT_LABEL || p[0] == '.')
		return 0;
	if (!is_long || !utf16_text(n->units, UNITS, name) ||
	    strlen(name) > 255)
		short_name(p, name);
	return l->entry(l->arg, name, ino);
}

/* `len` bytes at `at`; *end: there are no more. */
static int list_bytes(struct listing *l, const uint8_t *p, uint32_t len,
		      uint64_t at, bool *end)
{
	int rc = 0;

	for (uint32_t i = 0; i + FAT_ENTRY <= len && !rc && !*end;
	     i += FAT_ENTRY) {
		if (!p[i])
			*end = true;
		else if (p[i] == 0xe5)
			l->name.pieces = 0;
		else if ((p[i + 11] & 0x3f) == FAT_LONG)
			add_piece(&l->name, p + i);
		else
			rc = emit(l, p + i, (at + i) / FAT_ENTRY);
	}
	return rc;
}

static int list_range(struct fat *f, struct listing *l, uint64_t at,
		      uint32_t len, bool *end, struct err *e)
{
	uint8_t *buf = malloc(len);
	int rc;

	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	rc = img_read(f->volume, buf, len, at);
	if (rc)
		fail_rc(e, rc, "reading a directory");
	else
		rc = list_bytes(l, buf, len, at, end);
	free(buf);
	return rc;
}

int fat_list(struct fat *f, uint64_t dir,
	     int (*entry)(void *arg, const char *name, uint64_t ino), void *arg,
	     struct err *e)
{
	struct listing l = { .entry = entry, .arg = arg };
	uint64_t len = 0;
	struct fat_file d;
	bool end = false;
	int rc;

	rc = fat_file(f, dir, &d, e);
	if (rc)
		return rc;
	if (!(d.attributes & FAT_DIR))
		return fail(e, ENOTDIR, "inode %llu is no directory",
			    (unsigned long long)dir);
	if (dir == FAT_ROOT && f->root_len)
		return list_range(f, &l, f->root, f->root_len, &end, e);
	while (!rc && !end && fat_is_cluster(f, d.first)) {
		len += f->cluster_size;
		if (len > max_u64(MAX_DIR, f->cluster_size))
			return fail(e, EUCLEAN, "directory inode %llu has more "
				    "than %u bytes, or its clusters loop",
				    (unsigned long long)dir, MAX_DIR);
		rc = list_range(f, &l, fat_cluster_at(f, d.first),
				f->cluster_size, &end, e);
		if (!rc)
			rc = fat_next(f, d.first, &d.first, e);
	}
	return rc;
}
