/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pack.c - compress what the guest's kernel will unpack: with what every kernel
 * of that compression can (a CRC-32 in xz, LZ4's legacy frame, a zstd window
 * below its limit).
 */
#include <errno.h>
#include <lz4hc.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "convert/guest/unpack.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define LZ4_MAGIC 0x184c2102u
#define LZ4_BLOCK (8u << 20)
/* More than any set of modules, and far from where zlib counts with 32 bits. */
#define PACK_MAX (1u << 30)

static int pack_gzip(const void *data, size_t len, uint8_t *out, size_t *out_len)
{
	z_stream z = { 0 };
	int rc;

	if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return -ENOMEM;
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = out;
	z.avail_out = (uInt)*out_len;
	rc = deflate(&z, Z_FINISH);
	*out_len = (size_t)z.total_out;
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : -EIO;
}

static int pack_lzma(enum unpack_kind kind, const void *data, size_t len,
		     uint8_t *out, size_t *out_len)
{
	lzma_stream l = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	lzma_ret rc;

	if (lzma_lzma_preset(&options, 6))
		return -EIO;
	rc = kind == UNPACK_XZ ? lzma_easy_encoder(&l, 6, LZMA_CHECK_CRC32) :
		lzma_alone_encoder(&l, &options);
	if (rc != LZMA_OK)
		return -ENOMEM;
	l.next_in = data;
	l.avail_in = len;
	l.next_out = out;
	l.avail_out = *out_len;
	do
		rc = lzma_code(&l, LZMA_FINISH);
	while (rc == LZMA_OK);
	*out_len = (size_t)l.total_out;
	lzma_end(&l);
	return rc == LZMA_STREAM_END ? 0 : -EIO;
}

static int pack_zstd(const void *data, size_t len, uint8_t *out, size_t *out_len)
{
	size_t rc = ZSTD_compress(out, *out_len, data, len, 12);

	if (ZSTD_isError(rc))
		return -EIO;
	*out_len = rc;
	return 0;
}

static int pack_lz4(const void *data, size_t len, uint8_t *out, size_t *out_len)
{
	size_t at = 4;

	put_le32(out, LZ4_MAGIC);
	for (size_t from = 0; from < len; from += LZ4_BLOCK) {
		int n = LZ4_compress_HC((const char *)data + from,
					(char *)out + at + 4,
					(int)min_u64(len - from, LZ4_BLOCK),
					(int)min_u64(*out_len - at - 4, 1u << 30),
					LZ4HC_CLEVEL_DEFAULT);

		if (n <= 0)
			return -EIO;
		put_le32(out + at, (uint32_t)n);
		at += 4 + (size_t)n;
	}
	*out_len = at;
	return 0;
}

int pack(enum unpack_kind kind, const void *data, size_t len, uint8_t **out,
	 size_t *out_len, struct err *e)
{
	/* None of them makes noise longer than this. */
	size_t room = len + len / 64 + (64u << 10);
	uint8_t *buf;
	int rc = -ENOTSUP;

	if (len > PACK_MAX)
		return fail(e, EFBIG, "%zu bytes to compress, at most %u are "
			    "allowed", len, PACK_MAX);
	buf = malloc(room);
	if (!buf)
		return fail(e, ENOMEM, "no memory to compress %zu bytes", len);
	*out_len = room;
	switch (kind) {
	case UNPACK_NONE:
		memcpy(buf, data, len);
		*out_len = len;
		rc = 0;
		break;
	case UNPACK_GZIP:
		rc = pack_gzip(data, len, buf, out_len);
		break;
	case UNPACK_XZ:
	case UNPACK_LZMA:
		rc = pack_lzma(kind, data, len, buf, out_len);
		break;
	case UNPACK_ZSTD:
		rc = pack_zstd(data, len, buf, out_len);
		break;
	case UNPACK_LZ4:
		rc = pack_lz4(data, len, buf, out_len);
		break;
	case UNPACK_BZIP2:
	case UNPACK_LZO:
		break;
	}
	if (rc) {
		free(buf);
		return fail(e, -rc, "cannot compress %zu bytes with %s", len,
			    unpack_name(kind));
	}
	*out = buf;
	return 0;
}
