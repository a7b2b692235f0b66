/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unpack.h - the compressions of kernels, initramfs and modules.
 *
 * What comes out of a stream is bounded by the caller; the memory that a stream
 * may ask for by UNPACK_WINDOW.
 */
#ifndef CONVERT_GUEST_UNPACK_H
#define CONVERT_GUEST_UNPACK_H

#include "imgfmt/base/base.h"

/* As Linux: more than this its own decompressor refuses too. */
#define UNPACK_WINDOW (128u << 20)

enum unpack_kind {
	UNPACK_NONE,		/* none that is known */
	UNPACK_GZIP, UNPACK_XZ, UNPACK_LZMA, UNPACK_ZSTD,
	UNPACK_LZ4,		/* the legacy frame, which the kernel reads */
	UNPACK_BZIP2, UNPACK_LZO,	/* known, but not read */
};

/* By the first bytes. */
enum unpack_kind unpack_kind(const void *data, size_t len);
const char *unpack_name(enum unpack_kind kind);		/* "gzip", "none" */

/* Decompress the stream at the begin of `data`, and say how many of its bytes it
 * took.  `sink` gets the content in pieces; what it returns other than 0 ends it.
 * -EFBIG: it holds more than `max` bytes; -ENOTSUP: no reader for this kind.
 */
struct unpack_sink {
	int (*data)(void *arg, const void *data, size_t len);
	void *arg;
};
int unpack(enum unpack_kind kind, const void *data, size_t len, uint64_t max,
	   const struct unpack_sink *sink, size_t *used, struct err *e);

/* A whole file, a NUL behind it, which the caller frees; of no known kind it is
 * the file itself.
 */
int unpack_all(const void *data, size_t len, size_t max, char **out,
	       size_t *out_len, struct err *e);

/* Compress into one stream that Linux unpacks; UNPACK_NONE copies. */
int pack(enum unpack_kind kind, const void *data, size_t len, uint8_t **out,
	 size_t *out_len, struct err *e);

#endif
