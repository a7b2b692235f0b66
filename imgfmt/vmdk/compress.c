/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compress.c - making compressed grains, in zlib's wrapping (RFC 1950). */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "stream_write.h"

/* On 2 GiB of real files, beside qemu-img: level 1 takes a sixth of its
 * processor time and 6 % more room; 3 a quarter and 2 % more; 5 a third and the
 * same room.
 */
#define DEFAULT_LEVEL 1
#define MAX_LEVEL 12

struct codec {
	struct libdeflate_compressor *deflate;
	uint32_t grain;
	uint8_t *padded;		/* for a short last grain */
};

/* Stored blocks of 65535 bytes have 5 bytes each in front, the wrapping has 6;
 * libdeflate wants a little more room than it uses.
 */
uint32_t vmdk_compress_bound(uint32_t grain)
{
	return (uint32_t)libdeflate_zlib_compress_bound(NULL, grain);
}

void vmdk_codec_free(void *codec)
{
	struct codec *c = codec;

	libdeflate_free_compressor(c->deflate);
	free(c->padded);
	free(c);
}

int vmdk_codec_new(struct img *img, int level, void **codec, struct err *e)
{
	struct codec *c;

	if (level < 0 || level > MAX_LEVEL)
		return fail(e, EINVAL, "compression level %d: vmdk has levels "
			    "1 to %d", level, MAX_LEVEL);
	c = calloc(1, sizeof(*c));
	if (!c)
		return fail(e, ENOMEM, "out of memory");
	c->grain = img->compress_unit;
	c->padded = buf_alloc(c->grain);
	c->deflate = libdeflate_alloc_compressor(level ? level : DEFAULT_LEVEL);
	if (!c->padded || !c->deflate) {
		vmdk_codec_free(c);
		return fail(e, ENOMEM, "out of memory");
	}
	*codec = c;
	return 0;
}

int vmdk_compress(void *codec, const void *src, size_t len, void *dst,
		  size_t *dst_len)
{
	struct codec *c = codec;

	if (len > c->grain)
		return -EINVAL;
	/* A stream always holds a whole grain. */
	if (len < c->grain) {
		memcpy(c->padded, src, len);
		memset(c->padded + len, 0, c->grain - len);
		src = c->padded;
	}
	*dst_len = libdeflate_zlib_compress(c->deflate, src, c->grain, dst,
					    vmdk_compress_bound(c->grain));
	return *dst_len ? 0 : -EIO;
}

int vmdk_write_compressed(struct img *img, const void *data, size_t data_len,
			  uint64_t offset)
{
	return vmdk_stream_put(img->state, data, data_len, offset);
}
