/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tar.h - what lies where in a tar archive.
 *
 * Understood: POSIX ustar and its older form without a magic, GNU's long names
 * and base-256 sizes, PAX headers.  Members are never read, only the headers
 * between them.  Everything in a header is checked: an archive that was
 * scanned has members that lie inside it, do not overlap, and have names that
 * are not empty and hold no NUL.
 *
 * Functions return 0 or a negative errno: -EUCLEAN for a broken archive,
 * -ENOTSUP for one that stores members in pieces (sparse, several volumes).
 */
#ifndef OVA_TAR_H
#define OVA_TAR_H

#include "imgfmt/imgfmt.h"

#define TAR_BLOCK 512u

/* More members, longer names or more text in headers than any package has:
 * memory and time stay bounded whatever the archive says.
 */
#define TAR_MAX_MEMBERS 65536u
#define TAR_MAX_NAME 1024u
#define TAR_MAX_NAMES (8u << 20)	/* bytes of all names */
#define TAR_MAX_EXTRA (64u << 10)	/* bytes of one PAX header */
#define TAR_MAX_HEADERS (1u << 18)	/* of all kinds */

struct tar_member {
	char *name;		/* without a leading "./" */
	uint64_t offset, len;	/* of the content in the archive, bytes */
};

/* Regular files only, in the order of the archive. */
struct tar {
	struct tar_member *members;
	size_t n, cap;
	struct tar_member **by_name;	/* sorted */
	uint64_t names;		/* bytes of all names */
};

int tar_scan(struct img *in, struct tar *out, struct err *e);
void tar_free(struct tar *t);
/* After members were put in, for tar_find(); `archive` is for messages. */
int tar_sort(struct tar *t, const char *archive, struct err *e);

/* NULL if there is none. */
const struct tar_member *tar_find(const struct tar *t, const char *name);

/* One header block, as far as it needs no other. */
struct tar_header {
	char name[257];
	uint64_t len;		/* of what follows, bytes */
	char type;
	bool magic;		/* it says "ustar" */
};

/* -EUCLEAN: not a header; -ERANGE: a size that is none. */
int tar_header_decode(const uint8_t block[TAR_BLOCK], struct tar_header *h);

/* The name of the first member, as far as the first bytes of a file tell;
 * false: this is no tar archive.
 */
bool tar_first_name(const uint8_t *head, size_t len, char name[257]);

#endif
