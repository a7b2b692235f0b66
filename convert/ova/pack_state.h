/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pack_state.h - a package that is being made.  Internal to convert/ova. */
#ifndef OVA_PACK_STATE_H
#define OVA_PACK_STATE_H

#include <openssl/evp.h>

#include "convert/ova/pack.h"

#define PACK_CHUNK (1u << 20)	/* read at once, bytes */
#define PACK_END_BLOCKS 2u	/* of zeroes, at the end of a tar archive */

struct pack_file {
	const char *name;		/* in the package; in `path` */
	struct img *img;
	uint64_t offset, len;		/* of the content in the package */
	int64_t mtime;
	bool placed;			/* while files are put in order */
	uint8_t digest[EVP_MAX_MD_SIZE];
};

struct ova_pack {
	const struct ova_pack_args *args;
	struct pack_file *files;		/* the descriptor is the first */
	struct img **images;		/* the same */
	size_t n;
	char *mf_name;
	uint64_t mf_offset, mf_len;	/* of the manifest's content */
	uint64_t size;			/* of the package, bytes */
	char digest_name[8];		/* "SHA256" */
	EVP_MD *md;
	uint8_t *buf;			/* PACK_CHUNK bytes */
	uint64_t done, total;		/* bytes read */
};

#endif
