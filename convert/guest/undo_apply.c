/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo_apply.c - put back what edits have changed.
 *
 * The file is read twice: once to see that it is whole and that each block of
 * the disk is as one of the two sides knows it, then to write.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "convert/copy/checksum.h"
#include "convert/copy/overlay.h"
#include "convert/guest/undo_file.h"
#include "imgfmt/base/buf.h"

/* Of each record: is the disk what it must be, or make it so. */
typedef int record_fn(struct img *disk, const struct undo_record *c,
		      uint8_t *buf, struct err *e);

static int check_record(struct img *disk, const struct undo_record *c,
			uint8_t *buf, struct err *e)
{
	int rc = img_read(disk, buf, c->len, c->offset);

	if (rc)
		return fail_rc(e, rc, "reading %u bytes of the disk at %" PRIu64,
			       c->len, c->offset);
	for (uint32_t at = 0; at < c->len; at += UNDO_UNIT) {
		size_t n = (size_t)min_u64(UNDO_UNIT, c->len - at);

		if (memcmp(buf + at, c->data + at, n) &&
		    XXH3_64bits(buf + at, n) != c->hashes[at / UNDO_UNIT])
			return fail(e, EINVAL, "the disk cannot be given back: "
				    "at %" PRIu64 " it is neither as the "
				    "conversion left it nor as it was before; "
				    "has it been in use since?",
				    c->offset + at);
	}
	return 0;
}

/* What is back already is left alone. */
static int put_record(struct img *disk, const struct undo_record *c,
		      uint8_t *buf, struct err *e)
{
	int rc = img_read(disk, buf, c->len, c->offset);

	if (!rc && memcmp(buf, c->data, c->len))
		rc = img_write(disk, c->data, c->len, c->offset);
	return rc ? fail_rc(e, rc, "putting back %u bytes at %" PRIu64, c->len,
			    c->offset) : 0;
}

static int each_record(struct img *file, const struct undo_header *h,
		       struct img *disk, record_fn *fn, struct err *e)
{
	uint8_t *buf = buf_alloc(UNDO_RECORD_MAX);
	const struct undo_record *c;
	struct undo_reader *r;
	int rc;

	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	rc = undo_reader_new(file, h, &r, e);
	if (rc)
		goto out;
	while (!rc) {
		rc = undo_reader_next(r, &c, e);
		if (!rc)
			rc = fn(disk, c, buf, e);
	}
	undo_reader_free(r);
	rc = rc == -ENOENT ? 0 : rc;
out:
	free(buf);
	return rc;
}

/* Some formats round a disk's size up. */
static int check_size(const struct undo_header *h, struct img *disk,
		      struct err *e)
{
	uint64_t size = img_size(disk), old = h->info.size;

	if (size < old || size - old > UNDO_EXCESS_MAX)
		return fail(e, EINVAL, "the disk has %" PRIu64 " bytes, the undo "
			    "file is for one of %" PRIu64, size, old);
	return 0;
}

int undo_apply(struct img *file, struct img *disk, struct err *e)
{
	struct undo_header h;
	int rc = undo_header_read(file, &h, e);

	if (!rc)
		rc = check_size(&h, disk, e);
	if (!rc)
		rc = each_record(file, &h, disk, check_record, e);
	if (!rc)
		rc = each_record(file, &h, disk, put_record, e);
	if (rc)
		return rc;
	rc = img_flush(disk);
	return rc ? fail_rc(e, rc, "flushing the disk") : 0;
}

/* The checksum of what the disk was, without what a format has added. */
static int run_checksum(struct img *disk, uint64_t size,
			const struct checksum_type *type,
			char text[CHECKSUM_TEXT_LEN], struct err *e)
{
	struct checksum_args args = { .img = disk, .type = type };
	uint8_t digest[CHECKSUM_MAX_LEN];
	struct img *borrowed = NULL;
	int rc = 0;

	if (img_size(disk) != size) {
		rc = img_borrow(disk, 0, &borrowed, e);
		if (!rc)
			rc = img_window(borrowed, 0, size, &args.img, e);
		if (rc) {
			img_close(borrowed, NULL);
			return rc;
		}
	}
	rc = checksum_run(&args, digest, e);
	if (args.img != disk)
		img_close(args.img, NULL);
	if (!rc)
		checksum_text(type, digest, text);
	return rc;
}

int undo_verify(struct img *file, struct img *disk, struct err *e)
{
	char name[UNDO_CHECKSUM_LEN], text[CHECKSUM_TEXT_LEN], *colon;
	const struct checksum_type *type;
	struct undo_header h;
	int rc = undo_header_read(file, &h, e);

	if (!rc)
		rc = check_size(&h, disk, e);
	if (rc)
		return rc;
	if (!*h.info.checksum)
		return fail(e, ENODATA, "the undo file does not give the "
			    "checksum of the disk");
	strcpy(name, h.info.checksum);
	colon = strchr(name, ':');
	if (colon)
		*colon++ = 0;
	type = colon ? checksum_find(name) : NULL;
	if (!type)
		return fail(e, ENOTSUP, "the undo file gives a checksum of an "
			    "unknown kind, '%s'", h.info.checksum);
	rc = run_checksum(disk, h.info.size, type, text, e);
	if (!rc && strcmp(text, colon))
		rc = fail(e, EUCLEAN, "the disk's %s is %s, before its "
			  "conversion it was %s", name, text, colon);
	return rc;
}

int undo_try(struct img *file, struct img *disk, struct err *e)
{
	struct img *borrowed, *overlay;
	struct undo_info info;
	int rc = undo_read_info(file, &info, e);

	if (rc || !*info.checksum)
		return rc;
	rc = img_borrow(disk, 0, &borrowed, e);
	if (!rc)
		rc = overlay_open(borrowed, &overlay, e);
	if (rc)
		return rc;
	rc = undo_apply(file, overlay, e);
	if (!rc) {
		rc = undo_verify(file, overlay, e);
		if (rc == -EUCLEAN)
			fail_prefix(e, rc, "the disk has been changed elsewhere "
				    "since its conversion, and is left alone");
	}
	img_close(overlay, NULL);
	return rc;
}
