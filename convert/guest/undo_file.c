/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo_file.c - the format of an undo file, and reading it.
 *
 * Numbers are little-endian.  The header:
 *
 *	offset	bytes
 *	0	8	"v2vundo", NUL
 *	8	4	version, 1
 *	12	4	bytes in a unit, 512
 *	16	8	size of the disk, bytes
 *	24	8	number of records
 *	32	8	bytes of the disk that all records hold
 *	40	8	length of this file, bytes
 *	48	16	XXH3-128 of all behind the header, canonical
 *	64	96	checksum of the unedited disk, "xxh3:...", NULs behind
 *	160	16	zero
 *	176	16	XXH3-128 of the 176 bytes before
 *
 * Records, by ascending offsets that do not overlap:
 *
 *	0	8	offset on the disk, a multiple of the unit
 *	8	4	bytes, 1 to 1048576; a multiple of the unit, but at the
 *			end of the disk
 *	12	4	bytes as stored; as many as above: not compressed
 *	16	8 n	XXH3-64 of each of the n units as the edits left it
 *	16+8n	...	the bytes before the edits, a zstd frame
 */
#include "convert/guest/undo_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define MAGIC "v2vundo"
#define VERSION_1 1u
#define CHECKED 176u		/* bytes of the header that its hash covers */

struct undo_reader {
	struct img *file;
	const struct undo_header *h;
	uint64_t at;		/* in the file */
	uint64_t n, bytes;	/* read so far */
	uint64_t end;		/* of the last record on the disk */
	XXH3_state_t *hash;
	ZSTD_DCtx *zstd;
	struct undo_record record;
	uint8_t packed[UNDO_RECORD_MAX];
};

static void hash_header(const uint8_t *header, XXH128_canonical_t *out)
{
	XXH128_canonicalFromHash(out, XXH3_128bits(header, CHECKED));
}

void undo_header_encode(const struct undo_header *h,
			uint8_t out[UNDO_HEADER_LEN])
{
	XXH128_canonical_t hash;

	memset(out, 0, UNDO_HEADER_LEN);
	memcpy(out, MAGIC, 8);
	put_le32(out + 8, VERSION_1);
	put_le32(out + 12, UNDO_UNIT);
	put_le64(out + 16, h->info.size);
	put_le64(out + 24, h->info.n_records);
	put_le64(out + 32, h->info.bytes);
	put_le64(out + 40, h->file_len);
	memcpy(out + 48, &h->body, 16);
	memcpy(out + 64, h->info.checksum, UNDO_CHECKSUM_LEN);
	hash_header(out, &hash);
	memcpy(out + CHECKED, &hash, 16);
}

static int header_decode(const uint8_t *p, uint64_t file_len,
			 struct undo_header *h, struct err *e)
{
	XXH128_canonical_t hash;

	if (memcmp(p, MAGIC, 8))
		return fail(e, EINVAL, "this is not an undo file");
	if (get_le32(p + 8) != VERSION_1)
		return fail(e, ENOTSUP, "version is %u, must be %u",
			    get_le32(p + 8), VERSION_1);
	hash_header(p, &hash);
	if (memcmp(&hash, p + CHECKED, 16))
		return fail(e, EUCLEAN, "the undo file's header has a wrong "
			    "checksum");
	h->info.size = get_le64(p + 16);
	h->info.n_records = get_le64(p + 24);
	h->info.bytes = get_le64(p + 32);
	h->file_len = get_le64(p + 40);
	memcpy(&h->body, p + 48, 16);
	memcpy(h->info.checksum, p + 64, UNDO_CHECKSUM_LEN);
	if (get_le32(p + 12) != UNDO_UNIT)
		return fail(e, ENOTSUP, "the unit is %u, must be %u",
			    get_le32(p + 12), UNDO_UNIT);
	if (p[64 + UNDO_CHECKSUM_LEN - 1])
		return fail(e, EUCLEAN, "the checksum of the disk does not end");
	/* The layer of a raw image rounds up to a sector. */
	if (h->file_len > file_len || file_len - h->file_len >= 512)
		return fail(e, EUCLEAN, "the undo file has %" PRIu64 " bytes, "
			    "should have %" PRIu64, file_len, h->file_len);
	return 0;
}

int undo_header_read(struct img *file, struct undo_header *h, struct err *e)
{
	uint8_t buf[UNDO_HEADER_LEN];
	int rc;

	if (img_size(file) < sizeof(buf))
		return fail(e, EINVAL, "this is not an undo file");
	rc = img_read(file, buf, sizeof(buf), 0);
	if (rc)
		return fail_rc(e, rc, "reading the undo file");
	return header_decode(buf, img_size(file), h, e);
}

int undo_read_info(struct img *file, struct undo_info *out, struct err *e)
{
	struct undo_header h;
	int rc = undo_header_read(file, &h, e);

	if (!rc)
		*out = h.info;
	return rc;
}

int undo_reader_new(struct img *file, const struct undo_header *h,
		    struct undo_reader **out, struct err *e)
{
	struct undo_reader *r = array_alloc(1, sizeof(*r));

	if (!r)
		return fail(e, ENOMEM, "out of memory");
	r->file = file;
	r->h = h;
	r->at = UNDO_HEADER_LEN;
	r->hash = XXH3_createState();
	r->zstd = ZSTD_createDCtx();
	if (!r->hash || !r->zstd) {
		undo_reader_free(r);
		return fail(e, ENOMEM, "out of memory");
	}
	XXH3_128bits_reset(r->hash);
	*out = r;
	return 0;
}

void undo_reader_free(struct undo_reader *r)
{
	if (!r)
		return;
	XXH3_freeState(r->hash);
	ZSTD_freeDCtx(r->zstd);
	free(r);
}

static int take(struct undo_reader *r, void *buf, size_t len, struct err *e)
{
	int rc;

	if (!in_range(r->at, len, r->h->file_len))
		return fail(e, EUCLEAN, "record %" PRIu64 " of the undo file "
			    "is cut off", r->n);
	rc = img_read(r->file, buf, len, r->at);
	if (rc)
		return fail_rc(e, rc, "reading the undo file");
	r->at += len;
	XXH3_128bits_update(r->hash, buf, len);
	return 0;
}

static int check_end(struct undo_reader *r, struct err *e)
{
	XXH128_canonical_t hash;

	XXH128_canonicalFromHash(&hash, XXH3_128bits_digest(r->hash));
	if (r->at != r->h->file_len || r->bytes != r->h->info.bytes ||
	    memcmp(&hash, &r->h->body, 16))
		return fail(e, EUCLEAN, "the undo file has a wrong checksum");
	return -ENOENT;
}

static int check_place(struct undo_reader *r, uint32_t packed, struct err *e)
{
	const struct undo_record *c = &r->record;
	uint64_t size = r->h->info.size;

	if (!c->len || c->len > UNDO_RECORD_MAX || c->offset % UNDO_UNIT ||
	    c->offset < r->end || !in_range(c->offset, c->len, size) ||
	    (c->len % UNDO_UNIT && c->offset + c->len != size) ||
	    !packed || packed > c->len)
		return fail(e, EUCLEAN, "record %" PRIu64 " of the undo file "
			    "is for %u bytes at %" PRIu64 ", stored as %u: "
			    "this cannot be", r->n, c->len, c->offset, packed);
	return 0;
}

static int unpack(struct undo_reader *r, uint32_t packed, struct err *e)
{
	struct undo_record *c = &r->record;
	size_t n;

	if (packed == c->len) {
		memcpy(c->data, r->packed, c->len);
		return 0;
	}
	n = ZSTD_decompressDCtx(r->zstd, c->data, c->len, r->packed, packed);
	if (ZSTD_isError(n) || n != c->len)
		return fail(e, EUCLEAN, "record %" PRIu64 " of the undo file "
			    "cannot be unpacked", r->n);
	return 0;
}

int undo_reader_next(struct undo_reader *r, const struct undo_record **out,
		     struct err *e)
{
	uint8_t head[UNDO_RECORD_HEAD], hashes[8 * UNDO_MAX_UNITS];
	struct undo_record *c = &r->record;
	uint32_t packed;
	int rc;

	if (r->n == r->h->info.n_records)
		return check_end(r, e);
	rc = take(r, head, sizeof(head), e);
	if (rc)
		return rc;
	c->offset = get_le64(head);
	c->len = get_le32(head + 8);
	packed = get_le32(head + 12);
	rc = check_place(r, packed, e);
	if (!rc)
		rc = take(r, hashes, 8 * undo_units(c->len), e);
	if (!rc)
		rc = take(r, r->packed, packed, e);
	if (!rc)
		rc = unpack(r, packed, e);
	if (rc)
		return rc;
	for (unsigned i = 0; i < undo_units(c->len); i++)
		c->hashes[i] = get_le64(hashes + 8 * i);
	r->n++;
	r->bytes += c->len;
	r->end = c->offset + c->len;
	*out = c;
	return 0;
}
