/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - the qcow2 driver: opening, closing, and its table of calls. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/drivers.h"
#include "imgfmt/inflate.h"
#include "state.h"

static int probe(const uint8_t *head, size_t head_len, uint64_t file_size)
{
	uint32_t version;

	(void)file_size;
	if (head_len < 8 || get_be32(head) != QCOW2_MAGIC)
		return 0;
	version = get_be32(head + 4);
	/* A later version is still no raw disk: open() refuses it by number. */
	return version >= 2 ? 100 : 0;
}

/* What the header forbids for this way of opening. */
static int check_access(const struct img *img, const struct qcow2_header *h,
			struct err *e)
{
	bool data = !(img->flags & (IMG_NO_DATA | IMG_REPAIR));

	if (h->crypt_method && data)
		return fail(e, ENOTSUP, "%s: the image is %s-encrypted; reading "
			    "and writing encrypted images is not supported yet",
			    img->name, h->crypt_method == 2 ? "LUKS" : "AES");
	if (img->flags & IMG_WRITE && !(img->flags & IMG_REPAIR) &&
	    h->incompat & QCOW2_INCOMPAT_CORRUPT)
		return fail(e, EACCES, "qcow2: Image is corrupt; cannot be "
			    "opened read/write");
	return 0;
}

static int copy_string(char **to, const char *from)
{
	free(*to);
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

/* What the core wants to know of the header. */
static int publish(struct qcow2 *s, struct err *e)
{
	struct img *img = s->img;

	img->size = s->h.size;
	img->block_size = s->h.cluster_size;
	img->compress_unit = s->h.external_data ? 0 : s->h.cluster_size;
	if (copy_string(&img->backing_name, s->h.backing_name) ||
	    copy_string(&img->backing_format, s->h.backing_format))
		return fail(e, ENOMEM, "out of memory");
	return 0;
}

static int open_data(struct qcow2 *s, const struct img_open_args *args,
		     struct err *e)
{
	const struct img_resolver *r = args->resolver;
	unsigned flags = args->flags & ~(IMG_REPAIR | IMG_NO_BACKING);
	int rc;

	s->data = s->file;
	if (!s->h.external_data)
		return 0;
	s->data = NULL;
	if (!s->h.data_file)
		rc = fail(e, EINVAL, "%s does not name its external data file",
			  s->img->name);
	else if (!r)
		rc = fail(e, EPERM, "%s names the data file '%s', and no other "
			  "file may be opened here", s->img->name,
			  s->h.data_file);
	else
		rc = r->open(r->arg, s->img->name, s->h.data_file, "raw", flags,
			     r, &s->data, e);
	if (rc && args->flags & IMG_NO_DATA)
		return 0;
	return rc ? fail_prefix(e, rc, "data file of %s", s->img->name) : 0;
}

/* Refcounts of a dirty image may be wrong: nobody may allocate before they are
 * right.
 */
static int clean_up(struct qcow2 *s, struct err *e)
{
	struct img_check check = { .fix_errors = true, .fix_leaks = true };
	uint8_t bits[8];
	int rc;

	if (!(s->h.incompat & QCOW2_INCOMPAT_DIRTY) ||
	    !(s->img->flags & IMG_WRITE) || s->img->flags & IMG_REPAIR)
		return 0;
	rc = qcow2_check(s->img, &check, e);
	if (!rc && (check.check_errors ||
		    check.corruptions > check.corruptions_fixed))
		rc = fail(e, EUCLEAN, "%s was not closed cleanly and cannot be "
			  "repaired", s->img->name);
	if (rc)
		return rc;
	s->h.incompat &= ~QCOW2_INCOMPAT_DIRTY;
	put_be64(bits, s->h.incompat);
	rc = img_write(s->file, bits, sizeof(bits), QCOW2_H_INCOMPAT);
	if (!rc)
		rc = img_flush(s->file);
	return rc ? fail_rc(e, rc, "Could not update the header") : 0;
}

static void release(struct qcow2 *s)
{
	inflate_free(s->inflate);
	qcow2_tables_free(s);
	if (s->data != s->file)
		img_close(s->data, NULL);
	qcow2_header_free(&s->h);
	rangelock_fini(&s->ranges);
	pthread_mutex_destroy(&s->lock);
}

static int qcow2_open(struct img *img, const struct img_open_args *args,
		      struct err *e)
{
	struct qcow2 *s = img->state;
	int rc;

	s->img = img;
	s->file = img->below;
	rc = qcow2_header_read(s->file, args->flags, &s->h, e);
	if (rc)
		return rc;
	rangelock_init(&s->ranges);
	pthread_mutex_init(&s->lock, NULL);
	s->broken = s->h.incompat & QCOW2_INCOMPAT_CORRUPT &&
		    !(args->flags & IMG_REPAIR);
	rc = check_access(img, &s->h, e);
	if (!rc)
		rc = open_data(s, args, e);
	if (!rc)
		rc = qcow2_tables_load(s, args->snapshot, e);
	if (!rc)
		s->inflate = inflate_new();
	if (!rc && !s->inflate)
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc)
		rc = publish(s, e);
	if (!rc)
		rc = clean_up(s, e);
	if (rc)
		release(s);
	return rc;
}

int qcow2_reload(struct img *img, struct err *e)
{
	struct qcow2 *s = img->state;
	int rc;

	qcow2_tables_free(s);
	qcow2_header_free(&s->h);
	rc = qcow2_header_read(s->file, img->flags, &s->h, e);
	if (!rc)
		rc = qcow2_tables_load(s, NULL, e);
	return rc ? rc : publish(s, e);
}

/* A compressed stream may be the last thing in the file: whole clusters suit
 * those who want whole sectors.
 */
static int pad_file(struct qcow2 *s)
{
	uint64_t len = img_length(s->file);
	uint64_t want = round_up(len, s->h.cluster_size);

	return s->compressed_tail && want > len ?
	       img_truncate(s->file, want, NULL) : 0;
}

static int finish(struct qcow2 *s)
{
	int rc = pad_file(s);

	if (!rc)
		rc = qcow2_flush_locked(s);
	/* Clusters freed by that flush have their blocks written by this. */
	if (!rc)
		rc = qcow2_flush_locked(s);
	return rc;
}

static int qcow2_close(struct img *img, struct err *e)
{
	struct qcow2 *s = img->state;
	int rc = 0;

	if (img->flags & IMG_WRITE && s->loaded)
		rc = finish(s);
	if (rc)
		fail_rc(e, rc, "%s: Could not write what was cached",
			img->name);
	release(s);
	return rc;
}

const struct img_driver img_qcow2_driver = {
	.name = "qcow2",
	.state_size = sizeof(struct qcow2),
	.flags = DRV_PARALLEL | DRV_FORMAT,
	.options = qcow2_options,
	.probe = probe,
	.open = qcow2_open,
	.close = qcow2_close,
	.read = qcow2_read,
	.readv = qcow2_readv,
	.write = qcow2_write,
	.zero = qcow2_zero,
	.discard = qcow2_discard,
	.flush = qcow2_flush,
	.map = qcow2_map,
	.locate = qcow2_locate,
	.codec_new = qcow2_codec_new,
	.codec_free = qcow2_codec_free,
	.compress = qcow2_compress,
	.write_compressed = qcow2_write_compressed,
	.create = qcow2_create,
	.measure = qcow2_measure,
	.resize = qcow2_resize,
	.check = qcow2_check,
	.info = qcow2_info,
};
