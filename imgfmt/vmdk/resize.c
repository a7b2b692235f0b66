/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize.c - making disks larger.
 *
 * The last extent grows.  A sparse one gets both directories anew at the end of
 * its file, with tables for all that is added; one write of the header then
 * changes size and directories together.  The descriptor comes last: extents
 * that are longer than it says do no harm.  A disk in files of 2 GiB that needs
 * more of them: resize_split.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "imgfmt/base/buf.h"
#include "write.h"

/* A directory of `n` entries at `to`: the old ones, then tables from `table`
 * on.
 */
static int write_gd(struct vmdk_extent *x, uint64_t from, uint64_t to,
		    uint64_t n, uint64_t table)
{
	const struct vmdk_tables *t = &x->t;
	uint64_t len = round_up(n * 4, VMDK_SECTOR);
	uint64_t gt_len = round_up((uint64_t)t->n_gtes * 4, VMDK_SECTOR);
	uint8_t *buf = array_alloc(len, 1);
	int rc = buf ? 0 : -ENOMEM;

	if (!rc && t->n_gdes)
		rc = img_read(x->file, buf, (size_t)t->n_gdes * 4, from);
	for (uint64_t i = t->n_gdes; !rc && i < n; i++)
		put_le32(buf + i * 4, (uint32_t)((table + (i - t->n_gdes) *
						  gt_len) / VMDK_SECTOR));
	if (!rc)
		rc = img_write(x->file, buf, (size_t)len, to);
	free(buf);
	return rc;
}

/* Both copies, one behind the other; `h` gets their places. */
static int move_directories(struct vmdk_extent *x, struct vmdk_header *h,
			    uint64_t n)
{
	const struct vmdk_tables *t = &x->t;
	uint64_t gt_len = round_up((uint64_t)t->n_gtes * 4, VMDK_SECTOR);
	uint64_t gd_len = round_up(n * 4, VMDK_SECTOR);
	uint64_t one = gd_len + (n - t->n_gdes) * gt_len;
	uint64_t copies = t->rgd ? 2 : 1, host;
	int rc = vmdk_grains_take(x, round_up(copies * one, t->grain), &host);

	if (!rc)
		rc = img_zero(x->file, round_up(copies * one, t->grain), host,
			      0);
	if (!rc)
		rc = write_gd(x, t->gd, host, n, host + gd_len);
	h->gd = host / VMDK_SECTOR;
	if (rc || !t->rgd)
		return rc;
	h->rgd = (host + one) / VMDK_SECTOR;
	return write_gd(x, t->rgd, host + one, n, host + one + gd_len);
}

/* What other writers left behind the disk's end must not show up.  Locked. */
static int clear_tail(struct vmdk *s, struct vmdk_extent *x)
{
	uint64_t in = x->len % x->t.grain;
	struct vmdk_run run;
	int rc;

	if (!in)
		return 0;
	rc = vmdk_lookup(s, x->start + x->len - in, in, &run);
	if (rc || run.kind != VMDK_KIND_DATA)
		return rc;
	return img_zero(x->file, x->t.grain - in, run.host + in, 0);
}

/* Locked. */
static int grow_sparse(struct vmdk *s, struct vmdk_extent *x, uint64_t sectors)
{
	struct vmdk_tables t = x->t;
	uint8_t buf[VMDK_HEADER_LEN];
	uint64_t n = div_round_up(sectors * VMDK_SECTOR, t.gt_covers);
	int rc = vmdk_start_changing(s, x);

	t.h.capacity = sectors;
	t.h.unclean = true;
	if (!rc)
		rc = clear_tail(s, x);
	if (!rc && n > t.n_gdes)
		rc = move_directories(x, &t.h, n);
	if (!rc)
		rc = img_flush(x->file);
	vmdk_header_encode(&t.h, buf);
	if (!rc)
		rc = img_write(x->file, buf, sizeof(buf), 0);
	if (!rc)
		rc = img_flush(x->file);
	if (rc)
		return rc;
	t.h.unclean = x->t.h.unclean;
	rc = vmdk_hosted_derive(&t, img_length(x->file), s->img->name, NULL);
	if (!rc)
		x->t = t;
	return rc;
}

static int grow_plain(struct vmdk *s, struct vmdk_extent *x, uint64_t len,
		      const char *preallocation, struct err *e)
{
	uint64_t need = x->offset + len;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = vmdk_start_changing(s, x);
	pthread_mutex_unlock(&s->lock);
	if (rc)
		return fail_rc(e, rc, "Could not write %s", s->img->name);
	if (img_size(x->file) < need)
		rc = img_resize(x->file, need, preallocation, e);
	if (rc)
		return rc;
	/* The descriptor must not become durable before it. */
	rc = img_flush(x->file);
	return rc ? fail_rc(e, rc, "%s: cannot flush", x->file->name) : 0;
}

/* The text anew, from what was parsed.  A separate descriptor is as long as it
 * has to be; an embedded one has its room.
 */
int vmdk_descriptor_rewrite(struct vmdk *s, struct err *e)
{
	bool separate = !s->desc_offset;
	char *text = vmdk_descriptor_text(&s->d);
	size_t len = text ? strlen(text) : 0, room = len;
	uint8_t *buf;
	int rc = 0;

	if (!separate)
		room = (size_t)s->desc_room;
	buf = array_alloc(max_u64(room, 1), 1);
	if (!text || !buf)
		rc = fail(e, ENOMEM, "out of memory");
	else if (len > room)
		rc = fail(e, ENOSPC, "%s: the descriptor has %zu bytes, and "
			  "there is room for %zu", s->img->name, len, room);
	if (rc)
		goto out;
	memcpy(buf, text, len);
	rc = img_write(s->file, buf, room, s->desc_offset);
	if (!rc && separate)
		rc = img_truncate(s->file, len, e);
	if (!rc && separate)
		s->desc_room = len;
	if (!rc)
		rc = img_flush(s->file);
	if (rc)
		fail_rc(e, rc, "Could not write the descriptor of %s",
			s->img->name);
out:
	free(text);
	free(buf);
	return rc;
}

int vmdk_descriptor_correct(struct vmdk *s, struct vmdk_extent *x,
			    struct err *e)
{
	const char *adapter = vmdk_key_get(&s->d, "ddb.adapterType");

	s->d.extents[x->line - s->d.extents].sectors = x->len / VMDK_SECTOR;
	if (vmdk_set_geometry(&s->d, adapter ? adapter : "ide",
			      s->img->size / VMDK_SECTOR))
		return fail(e, ENOMEM, "out of memory");
	return vmdk_descriptor_rewrite(s, e);
}

static int grow_descriptor(struct vmdk *s, uint64_t sectors, uint64_t total,
			   struct err *e)
{
	const char *adapter = vmdk_key_get(&s->d, "ddb.adapterType");

	if (!s->has_descriptor || !s->d.n_extents)
		return 0;
	s->d.extents[s->d.n_extents - 1].sectors = sectors;
	if (vmdk_set_geometry(&s->d, adapter ? adapter : "ide", total))
		return fail(e, ENOMEM, "out of memory");
	return vmdk_descriptor_rewrite(s, e);
}

static int check_growth(const struct vmdk *s, const struct vmdk_extent *x,
			uint64_t len, struct err *e)
{
	if (!x->file || x->storage == VMDK_ZEROES)
		return fail(e, ENOTSUP, "%s: its last extent has no file that "
			    "could grow", s->img->name);
	if (x->storage == VMDK_SPARSE && x->start + len > VMDK_MAX_SPARSE)
		return fail(e, EFBIG, "a sparse disk has at most 64 TiB");
	return 0;
}

int vmdk_extent_grow(struct vmdk *s, struct vmdk_extent *x, uint64_t len,
		     const char *preallocation, struct err *e)
{
	int rc;

	if (x->storage == VMDK_PLAIN)
		return grow_plain(s, x, len, preallocation, e);
	if (preallocation && strcmp(preallocation, "off"))
		return fail(e, ENOTSUP, "Unsupported preallocation mode '%s'",
			    preallocation);
	rc = vmdk_flush_all(s);
	pthread_mutex_lock(&s->lock);
	/* Pieces of the directories that are cached have the old places. */
	if (!rc)
		rc = grow_sparse(s, x, len / VMDK_SECTOR);
	vmdk_cache_fini(&s->cache);
	pthread_mutex_unlock(&s->lock);
	return rc ? fail_rc(e, rc, "%s: cannot grow", s->img->name) : 0;
}

static int grow_last(struct vmdk *s, struct vmdk_extent *x, uint64_t size,
		     const char *preallocation, struct err *e)
{
	uint64_t len = size - x->start;
	int rc = vmdk_extent_grow(s, x, len, preallocation, e);

	if (!rc)
		rc = grow_descriptor(s, len / VMDK_SECTOR, size / VMDK_SECTOR,
				     e);
	if (!rc)
		x->len = len;
	return rc;
}

int vmdk_resize(struct img *img, uint64_t size, const char *preallocation,
		struct err *e)
{
	struct vmdk *s = img->state;
	struct vmdk_extent *x = &s->extents[s->n_extents - 1];
	uint64_t len;
	int rc;

	size = round_up(size, VMDK_SECTOR);
	if (size == img->size)
		return 0;
	if (s->out)
		return fail(e, ENOTSUP, "a stream cannot be resized");
	if (size < img->size)
		return fail(e, ENOTSUP, "a vmdk image cannot be made smaller");
	len = size - x->start;
	rc = check_growth(s, x, len, e);
	if (!rc && vmdk_is_split(s) && len > (uint64_t)VMDK_SPLIT * VMDK_SECTOR)
		rc = vmdk_grow_split(s, size, preallocation, e);
	else if (!rc)
		rc = grow_last(s, x, size, preallocation, e);
	if (rc)
		return rc;
	len = img->size;
	img->size = size;
	/* Nor must what a larger parent has there. */
	if (img->backing && img->backing->size > len)
		rc = img_zero(img, min_u64(img->backing->size, size) - len, len,
			      0);
	return rc ? fail_rc(e, rc, "%s: cannot clear what was added",
			    img->name) : 0;
}
