/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manifest.h - the digests that a package states of its files (DSP0243, 5.1),
 * and computing them.
 *
 * A line is "SHA256(disk.vmdk)= hex": SHA1, SHA256 or SHA512 (also SHA384), in
 * either case, with or without spaces around name and "=", ended by LF or CRLF.
 */
#ifndef OVA_MANIFEST_H
#define OVA_MANIFEST_H

#include "imgfmt/imgfmt.h"

#define MANIFEST_MAX_LEN (4u << 20)	/* of the text, bytes */
#define DIGEST_MAX_LEN 64u

struct digest_type {
	const char *name;	/* "SHA256" */
	size_t len;		/* bytes */
};

struct manifest_line {
	char *name;
	const struct digest_type *type;
	uint8_t digest[DIGEST_MAX_LEN];
};

struct manifest {
	struct manifest_line *lines;
	size_t n, cap;
};

/* `name` is the manifest's own, for messages.  -EUCLEAN: a line that is none,
 * or a name that comes twice; -ENOTSUP: a digest that is not known.
 */
int manifest_parse(const char *text, size_t len, const char *name,
		   struct manifest *out, struct err *e);
void manifest_free(struct manifest *m);
/* NULL: not listed. */
const struct manifest_line *manifest_find(const struct manifest *m,
					  const char *name);

/* Digest [offset, offset + len) of `in`.  `step` (may be NULL) is told how many
 * bytes came in addition and may stop it by returning a negative errno.
 */
int digest_range(const struct digest_type *type, struct img *in,
		 uint64_t offset, uint64_t len, int (*step)(void *arg, size_t n),
		 void *arg, uint8_t digest[DIGEST_MAX_LEN], struct err *e);

#endif
