/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inflate.c - reading compressed clusters.  Specification: "Compressed Clusters
 * Descriptor".
 *
 * Any number of threads may be in here: see inflate.h.
 */
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/inflate.h"
#include "state.h"

#define MAX_ZSTD_WINDOW_LOG 24		/* 16 MiB; a cluster needs 2 */

/* A worker that has what this image takes; NULL when out of memory. */
static struct inflate_worker *get_worker(struct qcow2 *s)
{
	struct inflate_worker *w = inflate_get(s->inflate);

	if (!w)
		return NULL;
	if (!w->in) {
		/* A descriptor can name up to twice a cluster. */
		w->in_cap = 2 * (size_t)s->h.cluster_size + 512;
		w->in = buf_alloc(w->in_cap);
	}
	if (s->h.compression && !w->zstd) {
		w->zstd = ZSTD_createDCtx();
		if (w->zstd)
			ZSTD_DCtx_setParameter(w->zstd, ZSTD_d_windowLogMax,
					       MAX_ZSTD_WINDOW_LOG);
	} else if (!s->h.compression && !w->deflate) {
		w->deflate = libdeflate_alloc_decompressor();
	}
	if (w->in && (w->zstd || w->deflate))
		return w;
	inflate_put(s->inflate, w);
	return NULL;
}

/* A stream without a last block, as other programs may have left it: fine if it
 * fills the cluster and no more.
 */
static int inflate_unfinished(const uint8_t *in, size_t in_len, uint8_t *out,
			      size_t out_len)
{
	z_stream z = {
		.next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)in_len,
		.next_out = out, .avail_out = (uInt)out_len,
	};
	uint8_t more;
	int rc = -EUCLEAN;

	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return -ENOMEM;
	inflate(&z, Z_SYNC_FLUSH);
	if (!z.avail_out) {
		z.next_out = &more;
		z.avail_out = 1;
		inflate(&z, Z_SYNC_FLUSH);
		rc = z.avail_out ? 0 : -EUCLEAN;
	}
	inflateEnd(&z);
	return rc;
}

/* What follows the stream up to the end of its sector is somebody else's. */
static int inflate_deflate(struct inflate_worker *w, size_t in_len, uint8_t *out,
			   size_t out_len)
{
	size_t used, got;

	switch (libdeflate_deflate_decompress_ex(w->deflate, w->in, in_len, out,
						 out_len, &used, &got)) {
	case LIBDEFLATE_SUCCESS:
		return got == out_len ? 0 : -EUCLEAN;
	case LIBDEFLATE_BAD_DATA:
		return inflate_unfinished(w->in, in_len, out, out_len);
	default:
		return -EUCLEAN;
	}
}

static int inflate_zstd_stream(struct inflate_worker *w, size_t in_len, uint8_t *out,
			       size_t out_len)
{
	ZSTD_inBuffer in = { w->in, in_len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };
	size_t rc = 1;

	ZSTD_DCtx_reset(w->zstd, ZSTD_reset_session_only);
	while (to.pos < to.size) {
		size_t in_before = in.pos, out_before = to.pos;

		rc = ZSTD_decompressStream(w->zstd, &to, &in);
		if (ZSTD_isError(rc) ||
		    (in.pos == in_before && to.pos == out_before))
			return -EUCLEAN;
	}
	return rc ? -EUCLEAN : 0;
}

static int inflate_zstd(struct inflate_worker *w, size_t in_len, uint8_t *out,
			size_t out_len)
{
	size_t frame = ZSTD_findFrameCompressedSize(w->in, in_len);

	if (!ZSTD_isError(frame) &&
	    ZSTD_decompressDCtx(w->zstd, out, out_len, w->in, frame) == out_len)
		return 0;
	/* Several frames, perhaps. */
	return inflate_zstd_stream(w, in_len, out, out_len);
}

struct cluster {
	struct qcow2 *s;
	uint64_t entry;
};

/* The whole cluster into `out`: an inflate_fn. */
static int inflate_cluster(void *arg, uint8_t *out)
{
	const struct cluster *c = arg;
	struct qcow2 *s = c->s;
	uint64_t host, len, file_len = img_length(s->file);
	struct inflate_worker *w;
	size_t have;
	int rc;

	qcow2_compressed(&s->h, c->entry, &host, &len);
	if (host >= file_len)
		return -EUCLEAN;
	w = get_worker(s);
	if (!w)
		return -ENOMEM;
	/* The last sector of the file may be cut short. */
	have = (size_t)min_u64(len, file_len - host);
	memset(w->in + have, 0, (size_t)len - have);
	rc = img_read(s->file, w->in, have, host);
	if (!rc && s->h.compression)
		rc = inflate_zstd(w, (size_t)len, out, s->h.cluster_size);
	else if (!rc)
		rc = inflate_deflate(w, (size_t)len, out, s->h.cluster_size);
	inflate_put(s->inflate, w);
	return rc;
}

static struct memo_key key_of(uint64_t entry)
{
	return (struct memo_key){ .a = entry };
}

void qcow2_inflate_forget(struct qcow2 *s, uint64_t entry)
{
	inflate_forget(s->inflate, key_of(entry));
}

int qcow2_inflate_read(struct qcow2 *s, uint64_t entry, void *buf, size_t len,
		       uint32_t in_cluster)
{
	struct cluster c = { s, entry };

	return inflate_read(s->inflate, key_of(entry), s->h.cluster_size,
			    in_cluster, buf, len, inflate_cluster, &c);
}
