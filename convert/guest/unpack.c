/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unpack.c - decompress what kernels and their modules are compressed with.
 *
 * LZ4's legacy frame: the magic number 0x184c2102, then blocks: the length of the
 * compressed bytes, 32 bits little endian, and those; each holds up to 8 MiB.  The
 * frame ends with the input, or where the length is none: zeroes, or another
 * magic number, which begins the next frame.
 */
#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "convert/guest/unpack.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define PIECE (256u << 10)
#define LZ4_MAGIC 0x184c2102u
#define LZ4_BLOCK (8u << 20)

/* One stream on its way out. */
struct out {
	const struct unpack_sink *sink;
	uint64_t left;
	uint8_t *buf;		/* PIECE bytes; LZ4: LZ4_BLOCK */
};

enum unpack_kind unpack_kind(const void *data, size_t len)
{
	static const struct {
		enum unpack_kind kind;
		uint8_t len;
		char magic[10];
	} kinds[] = {
		{ UNPACK_GZIP, 3, "\x1f\x8b\x08" },
		{ UNPACK_XZ, 6, "\xfd" "7zXZ" },
		{ UNPACK_ZSTD, 4, "\x28\xb5\x2f\xfd" },
		{ UNPACK_LZ4, 4, "\x02\x21\x4c\x18" },
		{ UNPACK_BZIP2, 3, "BZh" },
		{ UNPACK_LZO, 9, "\x89LZO\0\r\n\x1a\n" },
		/* Properties lc=3 lp=0 pb=2, and a dictionary of 64 KiB or more. */
		{ UNPACK_LZMA, 3, "\x5d\0\0" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (len >= kinds[i].len &&
		    !memcmp(data, kinds[i].magic, kinds[i].len))
			return kinds[i].kind;
	return UNPACK_NONE;
}

const char *unpack_name(enum unpack_kind kind)
{
	static const char *const names[] = {
		"none", "gzip", "xz", "lzma", "zstd", "lz4", "bzip2", "lzo",
	};

	return names[kind];
}

static int emit(struct out *o, size_t len, struct err *e)
{
	if (len > o->left)
		return fail(e, EFBIG, "it unpacks to more than is allowed");
	o->left -= len;
	return len ? o->sink->data(o->sink->arg, o->buf, len) : 0;
}

static int corrupt(enum unpack_kind kind, struct err *e)
{
	return fail(e, EUCLEAN, "the %s stream is corrupt or cut off",
		    unpack_name(kind));
}

/* zlib counts input with 32 bits. */
static uInt some_input(size_t len)
{
	return (uInt)min_u64(len, 1u << 30);
}

static int un_gzip(const uint8_t *data, size_t len, struct out *o, size_t *used,
		   struct err *e)
{
	z_stream z = { 0 };
	int rc = 0, z_rc = inflateInit2(&z, 15 + 16);

	if (z_rc != Z_OK)
		return -ENOMEM;
	z.next_in = (Bytef *)(uintptr_t)data;
	while (!rc && z_rc != Z_STREAM_END) {
		z.avail_in = some_input((size_t)(data + len - z.next_in));
		z.next_out = o->buf;
		z.avail_out = PIECE;
		z_rc = inflate(&z, Z_NO_FLUSH);
		if (z_rc != Z_OK && z_rc != Z_STREAM_END)
			rc = z_rc == Z_MEM_ERROR ? -ENOMEM :
				corrupt(UNPACK_GZIP, e);
		else
			rc = emit(o, PIECE - z.avail_out, e);
	}
	*used = (size_t)(z.next_in - data);
	inflateEnd(&z);
	return rc;
}

static int un_lzma(enum unpack_kind kind, const uint8_t *data, size_t len,
		   struct out *o, size_t *used, struct err *e)
{
	lzma_stream l = LZMA_STREAM_INIT;
	lzma_ret l_rc = kind == UNPACK_XZ ?
		lzma_stream_decoder(&l, UNPACK_WINDOW * 2, 0) :
		lzma_alone_decoder(&l, UNPACK_WINDOW * 2);
	int rc = 0;

	if (l_rc != LZMA_OK)
		return -ENOMEM;
	l.next_in = data;
	l.avail_in = len;
	while (!rc && l_rc != LZMA_STREAM_END) {
		l.next_out = o->buf;
		l.avail_out = PIECE;
		l_rc = lzma_code(&l, LZMA_RUN);
		if (l_rc == LZMA_MEM_ERROR)
			rc = -ENOMEM;
		else if (l_rc == LZMA_MEMLIMIT_ERROR)
			rc = fail(e, ENOTSUP, "the %s stream wants more memory "
				  "than Linux gives it", unpack_name(kind));
		else if ((l_rc != LZMA_OK && l_rc != LZMA_STREAM_END) ||
			 (l_rc == LZMA_OK && !l.avail_in &&
			  l.avail_out == PIECE))
			rc = corrupt(kind, e);
		else
			rc = emit(o, PIECE - l.avail_out, e);
	}
	*used = len - l.avail_in;
	lzma_end(&l);
	return rc;
}

static int un_zstd(const uint8_t *data, size_t len, struct out *o, size_t *used,
		   struct err *e)
{
	ZSTD_DCtx *z = ZSTD_createDCtx();
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left = 1;
	int rc = 0;

	if (!z)
		return -ENOMEM;
	while (!rc && left) {
		ZSTD_outBuffer out = { o->buf, PIECE, 0 };
		size_t before = in.pos;

		left = ZSTD_decompressStream(z, &out, &in);
		if (ZSTD_isError(left) || (left && !out.pos && in.pos == before))
			rc = corrupt(UNPACK_ZSTD, e);
		else
			rc = emit(o, out.pos, e);
	}
	*used = in.pos;
	ZSTD_freeDCtx(z);
	return rc;
}

static int un_lz4(const uint8_t *data, size_t len, struct out *o, size_t *used,
		  struct err *e)
{
	size_t at = 4;
	int rc = 0;

	while (!rc && len - at >= 4) {
		uint32_t n = get_le32(data + at);
		int out;

		if (n == LZ4_MAGIC) {
			at += 4;
			continue;
		}
		if (!n || n > (uint32_t)LZ4_compressBound(LZ4_BLOCK) ||
		    n > len - at - 4)
			break;
		out = LZ4_decompress_safe((const char *)data + at + 4,
					  (char *)o->buf, (int)n, LZ4_BLOCK);
		if (out < 0)
			return corrupt(UNPACK_LZ4, e);
		at += 4 + (size_t)n;
		rc = emit(o, (size_t)out, e);
	}
	*used = at;
	return rc;
}

int unpack(enum unpack_kind kind, const void *data, size_t len, uint64_t max,
	   const struct unpack_sink *sink, size_t *used, struct err *e)
{
	struct out o = { .sink = sink, .left = max };
	int rc = -ENOTSUP;

	*used = 0;
	if (unpack_kind(data, len) != kind || kind == UNPACK_NONE)
		return fail(e, EINVAL, "no %s stream begins here",
			    unpack_name(kind));
	o.buf = malloc(kind == UNPACK_LZ4 ? LZ4_BLOCK : PIECE);
	if (!o.buf)
		return -ENOMEM;
	switch (kind) {
	case UNPACK_GZIP:
		rc = un_gzip(data, len, &o, used, e);
		break;
	case UNPACK_XZ:
	case UNPACK_LZMA:
		rc = un_lzma(kind, data, len, &o, used, e);
		break;
	case UNPACK_ZSTD:
		rc = un_zstd(data, len, &o, used, e);
		break;
	case UNPACK_LZ4:
		rc = un_lz4(data, len, &o, used, e);
		break;
	case UNPACK_NONE:
	case UNPACK_BZIP2:
	case UNPACK_LZO:
		fail(e, ENOTSUP, "it is compressed with %s, which is not read "
		     "here; must be gzip, xz, lzma, zstd or lz4",
		     unpack_name(kind));
	}
	free(o.buf);
	if (rc == -ENOMEM)
		fail(e, ENOMEM, "no memory to unpack a %s stream",
		     unpack_name(kind));
	return rc;
}

struct whole {
	char *data;
	size_t len, cap;
};

static int whole_data(void *arg, const void *data, size_t len)
{
	struct whole *w = arg;

	/* One byte more, for the NUL. */
	if (array_grow(&w->data, &w->cap, w->len + len + 1, 1))
		return -ENOMEM;
	memcpy(w->data + w->len, data, len);
	w->len += len;
	return 0;
}

int unpack_all(const void *data, size_t len, size_t max, char **out,
	       size_t *out_len, struct err *e)
{
	enum unpack_kind kind = unpack_kind(data, len);
	struct whole w = { 0 };
	struct unpack_sink sink = { whole_data, &w };
	size_t used;
	int rc;

	if (kind == UNPACK_NONE)
		rc = len > max ? fail(e, EFBIG, "%zu bytes, at most %zu are "
				      "allowed", len, max) :
			whole_data(&w, data, len);
	else
		rc = unpack(kind, data, len, max, &sink, &used, e);
	if (!rc && !w.data)
		rc = whole_data(&w, "", 0);
	if (rc) {
		free(w.data);
		return rc;
	}
	w.data[w.len] = 0;
	*out = w.data;
	*out_len = w.len;
	return 0;
}
