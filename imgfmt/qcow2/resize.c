/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize.c - changing the virtual size.
 *
 * Growing: a longer L1 takes the old one's place by a flush, and what is going
 * to show is made zero, durably, before the size in the header changes.
 * Shrinking: what lies beyond is dropped before the size changes, so that growing
 * again cannot bring it back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "imgfmt/base/buf.h"
#include "state.h"

/* What is cached goes first.  When this fails, the size is the old one, and what
 * the file says will be put right by the next flush.
 */
static int change_size(struct qcow2 *s, uint64_t size)
{
	uint64_t old = s->h.size;
	int rc = qcow2_flush_locked(s);

	if (rc)
		return rc;
	s->h.size = size;
	s->size_changed = true;
	rc = qcow2_flush_locked(s);
	if (rc)
		s->h.size = old;
	qcow2_header_derive(&s->h);
	return rc;
}

static int write_new_l1(struct qcow2 *s, uint64_t host, uint64_t n_clusters,
			const uint64_t *l1, uint32_t n)
{
	size_t len = (size_t)n_clusters << s->h.cluster_bits;
	uint8_t *buf = array_alloc(len, 1);
	int rc;

	if (!buf)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		put_be64(buf + (size_t)i * 8, l1[i]);
	rc = qcow2_guard_data(s, host, len);
	if (!rc)
		rc = img_write(s->file, buf, len, host);
	free(buf);
	return rc;
}

/* A longer L1 in new clusters; flush.c puts it into the header. */
static int move_l1(struct qcow2 *s, uint32_t n)
{
	uint64_t n_clusters = div_round_up((uint64_t)n * 8, s->h.cluster_size);
	uint64_t old = s->h.l1_offset >> s->h.cluster_bits;
	uint64_t n_old = div_round_up((uint64_t)s->l1_size * 8,
				      s->h.cluster_size);
	uint64_t *l1 = array_alloc(n, sizeof(*l1));
	uint8_t *dirty = array_alloc(div_round_up(n, 64), 1);
	uint64_t cluster;
	int rc;

	rc = l1 && dirty ? qcow2_alloc_run(s, n_clusters, &cluster) : -ENOMEM;
	if (rc)
		goto fail;
	if (s->l1_size)
		memcpy(l1, s->l1, s->l1_size * sizeof(*l1));
	rc = write_new_l1(s, cluster << s->h.cluster_bits, n_clusters, l1, n);
	if (!rc && n_old)
		rc = qcow2_free(s, old, n_old, false);
	if (rc) {
		qcow2_unalloc(s, cluster, n_clusters);
		goto fail;
	}
	free(s->l1);
	free(s->l1_dirty);
	s->l1 = l1;
	s->l1_dirty = dirty;
	s->l1_any_dirty = false;
	s->l1_moved = true;
	s->l1_size = s->h.l1_size = n;
	s->h.l1_offset = cluster << s->h.cluster_bits;
	return 0;

fail:
	free(l1);
	free(dirty);
	return rc;
}

/* An L1 that is long enough. */
static int grow_l1(struct qcow2 *s, uint64_t size, struct err *e)
{
	struct qcow2_header new = s->h;
	int rc;

	new.size = size;
	qcow2_header_derive(&new);
	if ((uint64_t)new.l1_needed * 8 > QCOW2_MAX_L1_LEN)
		return fail(e, EFBIG, "The image size is too large for file "
			    "format 'qcow2' (try using a larger cluster size)");
	pthread_mutex_lock(&s->lock);
	rc = qcow2_start_writing(s);
	/* There is an L1 even where the size is 0: old programs want one. */
	if (!new.l1_needed)
		new.l1_needed = 1;
	if (!rc && new.l1_needed > s->l1_size)
		rc = move_l1(s, new.l1_needed);
	if (!rc)
		rc = qcow2_flush_locked(s);
	pthread_mutex_unlock(&s->lock);
	return rc ? fail_rc(e, rc, "Failed to grow the L1 table") : 0;
}

/* What is going to show in [old, size) has to be zeroes: the rest of the last
 * cluster may hold something, and a longer backing file would come through.
 */
static int blank(struct qcow2 *s, uint64_t old, uint64_t size)
{
	uint64_t end = min_u64(size, round_up(old, s->h.cluster_size));

	if (s->img->backing)
		end = max_u64(end, min_u64(size, s->img->backing->size));
	else if (s->h.backing_name)
		end = size;
	return old < end ? img_zero(s->img, end - old, old, 0) : 0;
}

static int grow_guest(struct qcow2 *s, uint64_t size, bool new, struct err *e)
{
	uint64_t old = s->img->size;
	int rc = 0;

	s->img->size = size;
	if (!new)
		rc = blank(s, old, size);
	if (rc) {
		fail_rc(e, rc, "Failed to zero out the new area");
		goto out;
	}
	pthread_mutex_lock(&s->lock);
	rc = change_size(s, size);
	pthread_mutex_unlock(&s->lock);
	if (rc)
		fail_rc(e, rc, "Failed to update the image size");
out:
	if (rc)
		s->img->size = old;
	return rc;
}

/* What is new in the last cluster of the old size gets blocks on the host, too:
 * the cluster may be there without them.
 */
static int fill_tail(struct qcow2 *s, uint64_t old, uint64_t size)
{
	uint64_t end = min_u64(size, round_up(old, s->h.cluster_size));

	return old < end ? img_write_zeroes(s->img, end - old, old) : 0;
}

int qcow2_grow(struct qcow2 *s, uint64_t size, bool new,
	       enum qcow2_prealloc mode, struct err *e)
{
	uint64_t old_size = s->h.size;
	uint64_t old = round_up(old_size, s->h.cluster_size);
	int rc;

	if (s->h.external_data && img_length(s->data) < size) {
		rc = img_resize(s->data, size, mode == QCOW2_PREALLOC_METADATA ?
				"off" : mode == QCOW2_PREALLOC_FALLOC ?
				"falloc" : mode == QCOW2_PREALLOC_FULL ?
				"full" : "off", e);
		if (rc)
			return fail_prefix(e, rc, "data file of %s",
					   s->img->name);
	}
	rc = grow_l1(s, size, e);
	if (!rc)
		rc = grow_guest(s, size, new, e);
	if (rc || mode == QCOW2_PREALLOC_OFF)
		return rc;
	if (!new && mode != QCOW2_PREALLOC_METADATA)
		rc = fill_tail(s, old_size, size);
	if (!rc)
		rc = qcow2_preallocate(s, old,
				       round_up(size, s->h.cluster_size), mode);
	return rc ? fail_rc(e, rc, "Could not preallocate the image") : 0;
}

/* Entries of the guest range become holes. */
static int drop_range(struct qcow2 *s, uint64_t start, uint64_t end)
{
	struct qcow2_slot slot;
	uint64_t entry;
	int rc = 0;

	for (; start < end && !rc; start += s->h.cluster_size) {
		rc = qcow2_l2_find(s, start, &slot);
		if (!rc && (slot.entry || slot.bitmap))
			rc = qcow2_l2_find_writable(s, start, &slot);
		if (rc || (!slot.entry && !slot.bitmap))
			continue;
		entry = slot.entry;
		qcow2_l2_set(s, &slot, 0, 0);
		rc = qcow2_l2_free(s, entry, true);
	}
	return rc;
}

/* All that table i of L1 maps from `start` on; the table, too, when that is all
 * of it.
 */
static int drop_table(struct qcow2 *s, uint32_t i, uint64_t start)
{
	unsigned shift = s->h.cluster_bits + s->h.l2_bits;
	uint64_t first = (uint64_t)i << shift, end = first + (1ull << shift);
	uint64_t per_unit = (uint64_t)(s->l2.unit / s->h.l2_entry_size) <<
			    s->h.cluster_bits;
	uint64_t table;
	int rc = 0;

	if (!(s->l1[i] & QCOW2_OFFSET_MASK))
		return 0;
	for (uint64_t pos = max_u64(start, first), next; pos < end && !rc;
	     pos = next) {
		next = round_down(pos, per_unit) + per_unit;
		rc = qcow2_make_room(s);
		if (!rc)
			rc = drop_range(s, pos, next);
	}
	if (rc || start > first)
		return rc;
	table = s->l1[i] & QCOW2_OFFSET_MASK;
	qcow2_cache_drop(&s->l2, table, s->h.cluster_size);
	qcow2_l1_set(s, i, 0);
	return qcow2_free(s, qcow2_cluster_of(s, table), 1, true);
}

/* The file need not be longer than its last cluster in use. */
static int cut_file(struct qcow2 *s)
{
	uint64_t len = img_length(s->file), count = 0, n;
	int rc = 0;

	n = div_round_up(len, s->h.cluster_size);
	/* A sparse file may be very long: pass over what has no refcounts. */
	n = min_u64(n, s->reftable_size << s->h.refblock_bits);
	while (n && !rc && !count) {
		uint64_t block = (n - 1) >> s->h.refblock_bits;

		if (!s->reftable[block]) {
			n = block << s->h.refblock_bits;
			continue;
		}
		rc = qcow2_refcount_load(s, n - 1, &count);
		if (!rc && !count)
			n--;
	}
	if (rc || n << s->h.cluster_bits >= len)
		return rc;
	atomic_store(&s->data_len, 0);
	return img_truncate(s->file, n << s->h.cluster_bits, NULL);
}

static int shrink_locked(struct qcow2 *s, uint64_t size)
{
	uint64_t start = round_up(size, s->h.cluster_size);
	unsigned shift = s->h.cluster_bits + s->h.l2_bits;
	int rc = qcow2_start_writing(s);

	for (uint32_t i = s->l1_size; i-- > start >> shift && !rc; )
		rc = drop_table(s, i, start);
	if (!rc)
		rc = change_size(s, size);
	if (rc)
		return rc;
	s->img->size = size;
	rc = qcow2_flush_locked(s);
	return rc ? rc : cut_file(s);
}

static int shrink(struct qcow2 *s, uint64_t size, struct err *e)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = shrink_locked(s, size);
	pthread_mutex_unlock(&s->lock);
	if (rc)
		return fail_rc(e, rc, "Failed to discard cropped clusters");
	if (s->h.external_data)
		rc = img_resize(s->data, size, NULL, e);
	return rc;
}

int qcow2_resize(struct img *img, uint64_t size, const char *preallocation,
		 struct err *e)
{
	struct qcow2 *s = img->state;
	enum qcow2_prealloc mode;
	uint64_t old = img->size;
	int rc = qcow2_prealloc_parse(preallocation, &mode, e);

	if (rc)
		return rc;
	if (size & 511)
		return fail(e, EINVAL, "The new size must be a multiple of 512");
	if (s->h.version < 3 && s->h.n_snapshots)
		return fail(e, ENOTSUP, "Can't resize a v2 image which has "
			    "snapshots");
	if (!s->data)
		return fail(e, ENOENT, "the external data file is not open");
	if (s->h.crypt_method)
		return fail(e, ENOTSUP, "resizing encrypted images is not "
			    "supported yet");
	if (size < old && mode != QCOW2_PREALLOC_OFF)
		return fail(e, EINVAL, "Preallocation can't be used for "
			    "shrinking an image");
	if (size < old)
		return shrink(s, size, e);
	if (size == old)
		return 0;
	return qcow2_grow(s, size, false, mode, e);
}
