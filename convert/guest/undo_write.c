/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo_write.c - what an overlay has changed, as it was before. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "convert/guest/undo_file.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define LEVEL 3			/* zstd's default */
#define BLOCK 4096u		/* stored as a whole where a byte of it differs */

struct writer {
	struct img *overlay, *source, *file;
	struct undo_header h;
	uint64_t at;			/* in the file */
	XXH3_state_t *hash;
	ZSTD_CCtx *zstd;
	struct err *e;
	uint8_t now[UNDO_RECORD_MAX], old[UNDO_RECORD_MAX];
	uint8_t packed[UNDO_RECORD_MAX];
};

static int put(struct writer *w, const void *data, size_t len)
{
	int rc = img_write(w->file, data, len, w->at);

	if (rc)
		return fail_rc(w->e, rc, "writing the undo file");
	XXH3_128bits_update(w->hash, data, len);
	w->at += len;
	return 0;
}

/* `now` and `old` are parts of the writer's buffers. */
static int put_record(struct writer *w, uint64_t offset, const uint8_t *now,
		      const uint8_t *old, uint32_t len)
{
	uint8_t head[UNDO_RECORD_HEAD + 8 * UNDO_MAX_UNITS];
	unsigned n = undo_units(len);
	size_t packed = ZSTD_compressCCtx(w->zstd, w->packed, len - 1, old, len,
					  LEVEL);
	bool plain = ZSTD_isError(packed) || packed >= len;
	int rc;

	put_le64(head, offset);
	put_le32(head + 8, len);
	put_le32(head + 12, plain ? len : (uint32_t)packed);
	for (unsigned i = 0; i < n; i++) {
		size_t from = (size_t)i * UNDO_UNIT;

		put_le64(head + UNDO_RECORD_HEAD + 8 * i,
			 XXH3_64bits(now + from, min_u64(UNDO_UNIT,
							 len - from)));
	}
	rc = put(w, head, UNDO_RECORD_HEAD + 8 * n);
	if (!rc)
		rc = put(w, plain ? old : w->packed, plain ? len : packed);
	w->h.info.n_records++;
	w->h.info.bytes += len;
	return rc;
}

/* The blocks of [offset, offset + len) that differ; at most a record's. */
static int compare(struct writer *w, uint64_t offset, uint32_t len)
{
	uint32_t from = 0, to;
	int rc = img_read(w->overlay, w->now, len, offset);

	if (!rc)
		rc = img_read(w->source, w->old, len, offset);
	if (rc)
		return fail_rc(w->e, rc, "reading %u bytes at %" PRIu64, len,
			       offset);
	for (; from < len && !rc; from = to) {
		bool differs = false;

		for (to = from; to < len; to += BLOCK) {
			uint32_t n = (uint32_t)min_u64(BLOCK, len - to);
			bool one = memcmp(w->now + to, w->old + to, n) != 0;

			if (to > from && one != differs)
				break;
			differs = one;
		}
		to = (uint32_t)min_u64(to, len);
		if (differs)
			rc = put_record(w, offset + from, w->now + from,
					w->old + from, to - from);
	}
	return rc;
}

/* What lies in [offset, end), record by record. */
static int compare_extent(struct writer *w, uint64_t offset, uint64_t end)
{
	int rc = 0;

	while (offset < end && !rc) {
		uint32_t n = (uint32_t)min_u64(UNDO_RECORD_MAX, end - offset);

		rc = compare(w, offset, n);
		offset += n;
	}
	return rc;
}

static int compare_all(struct writer *w)
{
	uint64_t size = w->h.info.size, offset = 0, done = 0;

	while (offset < size) {
		struct img_extent ext;
		int rc = img_map_layer(w->overlay, offset, size - offset, &ext);

		if (rc)
			return fail_rc(w->e, rc, "the overlay's map");
		if (!(ext.flags & IMG_EXT_HOLE) || ext.flags & IMG_EXT_ZERO) {
			uint64_t from = max_u64(done, round_down(offset,
								 BLOCK));

			done = min_u64(round_up(offset + ext.len, BLOCK),
				       size);
			rc = compare_extent(w, from, done);
			if (rc)
				return rc;
		}
		offset += ext.len;
	}
	return 0;
}

static int write_all(struct writer *w)
{
	uint8_t header[UNDO_HEADER_LEN] = { 0 };
	int rc = img_write(w->file, header, sizeof(header), 0);

	if (rc)
		return fail_rc(w->e, rc, "writing the undo file");
	w->at = sizeof(header);
	rc = compare_all(w);
	if (rc)
		return rc;
	w->h.file_len = w->at;
	XXH128_canonicalFromHash(&w->h.body, XXH3_128bits_digest(w->hash));
	undo_header_encode(&w->h, header);
	rc = img_write(w->file, header, sizeof(header), 0);
	if (!rc)
		rc = img_flush(w->file);
	return rc ? fail_rc(w->e, rc, "writing the undo file") : 0;
}

/* qcow2 rounds a size up to 512 bytes: nothing may have been put there. */
static int check_layers(struct writer *w, struct err *e)
{
	uint64_t size, excess;
	int rc;

	if (!w->source)
		return fail(e, EINVAL, "what was edited is not an overlay");
	size = img_size(w->source);
	excess = img_size(w->overlay) - size;
	if (img_size(w->overlay) < size || excess >= BLOCK)
		return fail(e, EINVAL, "the overlay has %" PRIu64 " bytes, its "
			    "backing file %" PRIu64, img_size(w->overlay), size);
	rc = excess ? img_read(w->overlay, w->now, excess, size) : 0;
	if (rc)
		return fail_rc(e, rc, "reading the overlay's end");
	if (!bytes_are_zero(w->now, excess))
		return fail(e, EINVAL, "the overlay holds something behind the "
			    "end of its backing file");
	w->h.info.size = size;
	return 0;
}

int undo_write(struct img *overlay, struct img *file, const char *checksum,
	       struct undo_info *out, struct err *e)
{
	struct writer *w = array_alloc(1, sizeof(*w));
	int rc;

	if (!w)
		return fail(e, ENOMEM, "out of memory");
	w->overlay = overlay;
	w->source = img_backing(overlay);
	w->file = file;
	w->e = e;
	w->hash = XXH3_createState();
	w->zstd = ZSTD_createCCtx();
	rc = check_layers(w, e);
	if (!rc && (!w->hash || !w->zstd))
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc && checksum && strlen(checksum) >= UNDO_CHECKSUM_LEN)
		rc = fail(e, EINVAL, "a checksum has at most %u bytes",
			  UNDO_CHECKSUM_LEN - 1);
	if (!rc) {
		strcpy(w->h.info.checksum, checksum ? checksum : "");
		XXH3_128bits_reset(w->hash);
		rc = write_all(w);
	}
	if (!rc && out)
		*out = w->h.info;
	XXH3_freeState(w->hash);
	ZSTD_freeCCtx(w->zstd);
	free(w);
	return rc;
}
