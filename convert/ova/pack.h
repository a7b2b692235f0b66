/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pack.h - make a package (.ova) of a descriptor and its files.
 *
 * As ESXi wants it: the descriptor first, the manifest next, then the files in
 * the order in which the descriptor refers to them.  The archive is ustar;
 * members of 8 GiB and more have a base-256 size.  Files are read once while
 * they are written, and the manifest goes into the place kept for it; into a
 * pipe they are read twice.
 *
 *	ova_pack_plan(&args, &pack, e)	everything that can be wrong beforehand
 *	ova_pack_write(pack, out, e)
 *	ova_pack_free(pack)
 *
 * One thread at a time.
 */
#ifndef CONVERT_OVA_PACK_H
#define CONVERT_OVA_PACK_H

#include <stdatomic.h>

#include "imgfmt/imgfmt.h"

struct ova_pack_args {
	const char *descriptor;		/* path of the .ovf */
	char *const *files;		/* paths */
	size_t n_files;
	const char *digest;		/* "sha1", "sha256", "sha512"; NULL:
					 * sha256 */
	unsigned flags;			/* IMG_SHARE, IMG_DIRECT of the files */
	/* Called in the caller's thread; may be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void (*warn)(void *arg, const char *line);
	void *arg;
	const atomic_int *cancel;	/* as in struct copy_args; may be NULL */
};

struct ova_pack;

/* `args` must stay until ova_pack_free(). */
int ova_pack_plan(const struct ova_pack_args *args, struct ova_pack **out,
		  struct err *e);
void ova_pack_free(struct ova_pack *p);

uint64_t ova_pack_size(const struct ova_pack *p);	/* bytes */
/* The open files, for output_open(). */
struct img *const *ova_pack_sources(const struct ova_pack *p, size_t *n);

/* Write it into `out`, an empty writable layer; `stream`: that can only be
 * written from the start to the end.  -EUCLEAN: a file changed meanwhile.
 */
int ova_pack_write(struct ova_pack *p, struct img *out, bool stream,
		   struct err *e);

#endif
