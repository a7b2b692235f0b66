/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flush.c - the order in which things reach the disk.
 *
 * Whatever a power cut leaves, these hold:
 *
 *   1. Before the first change, the descriptor durably has a new content ID,
 *      and the header of each extent that is about to change says that it was
 *      not shut down cleanly.
 *   2. An entry of either directory's tables is written only after the grain
 *      that it points to, with what was copied around the guest's bytes, is
 *      durable.
 *   3. A table is durable before a directory points to it.
 *   4. Grains are never given up, so that what an entry points to is never
 *      somebody else's.
 *   5. The first directory's tables count.  The second's may be older or newer
 *      after a power cut; then the extent is marked as in 1.
 *   6. The mark is taken back only after everything else is durable.
 *
 * A flush therefore takes copies of the changed tables, waits for the data,
 * writes them, and waits again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "write.h"

void vmdk_test_break(struct img *img, unsigned invariant)
{
	struct vmdk *s = img->state;

	s->break_invariant = invariant;
}

bool vmdk_keeps(const struct vmdk *s, unsigned invariant)
{
	return s->break_invariant != invariant;
}

struct copy {
	struct vmdk_unit *u;		/* stays: dirty units are not dropped */
	uint64_t changes;
	uint64_t second;		/* u->second, which writers set */
	uint8_t *data;
};

void vmdk_touch(struct vmdk_extent *x)
{
	atomic_store(&x->touched, true);
}

void vmdk_unit_dirty(struct vmdk *s, struct vmdk_unit *u, uint64_t second)
{
	if (!u->dirty)
		s->dirty_bytes += u->len;
	u->dirty = true;
	u->second = second;
	u->changes++;
}

int vmdk_put_unclean(struct vmdk_extent *x, bool unclean)
{
	uint8_t byte = unclean;

	return img_write(x->file, &byte, 1, VMDK_H_UNCLEAN);
}

int vmdk_start_changing(struct vmdk *s, struct vmdk_extent *x)
{
	bool mark = x->storage == VMDK_SPARSE && !x->marked &&
		    !x->t.h.unclean && vmdk_keeps(s, 1);
	int rc = s->failed;

	if (!rc && !s->changed) {
		rc = vmdk_renew_cid(s);
		if (!rc)
			rc = img_flush(s->file);
		s->changed = !rc;
	}
	if (rc || !mark)
		return rc;
	rc = vmdk_put_unclean(x, true);
	if (!rc)
		rc = img_flush(x->file);
	x->marked = !rc;
	return rc;
}

/* Locked. */
static int take_copies(struct vmdk *s, struct copy **list, size_t *n)
{
	size_t cap = 0;

	for (struct vmdk_unit *u = s->cache.newest; u; u = u->older) {
		struct copy *c;

		if (!u->dirty)
			continue;
		if (array_grow(list, &cap, *n + 1, sizeof(**list)))
			return -ENOMEM;
		c = &(*list)[*n];
		*c = (struct copy){
			.u = u, .changes = u->changes, .second = u->second,
		};
		c->data = malloc(u->len);
		if (!c->data)
			return -ENOMEM;
		memcpy(c->data, u->data, u->len);
		++*n;
	}
	return 0;
}

static int flush_files(struct vmdk *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->n_extents; i++) {
		struct vmdk_extent *x = &s->extents[i];
		int one;

		if (!x->file || !atomic_exchange(&x->touched, false))
			continue;
		one = img_flush(x->file);
		rc = rc ? rc : one;
	}
	return rc;
}

static int write_copies(const struct vmdk *s, const struct copy *list, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		const struct vmdk_unit *u = list[i].u;

		vmdk_touch(u->x);
		if (list[i].second)
			rc = img_write(u->x->file, list[i].data, u->len,
				       list[i].second);
		if (!rc && (vmdk_keeps(s, 5) || !list[i].second))
			rc = img_write(u->x->file, list[i].data, u->len,
				       u->offset);
	}
	return rc;
}

/* Locked. */
static void settle(struct vmdk *s, const struct copy *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct vmdk_unit *u = list[i].u;

		if (u->changes != list[i].changes)
			continue;
		u->dirty = false;
		s->dirty_bytes -= u->len;
	}
}

/* After a failed flush nobody knows what is on the disk: entries that would
 * point to lost data must not be written any more.
 */
static int barrier(struct vmdk *s)
{
	int rc = flush_files(s);

	if (rc) {
		pthread_mutex_lock(&s->lock);
		s->failed = rc;
		pthread_mutex_unlock(&s->lock);
	}
	return rc;
}

/* For tests: the mark goes with what it is about. */
static void unmark_early(struct vmdk *s)
{
	for (size_t i = 0; i < s->n_extents; i++) {
		struct vmdk_extent *x = &s->extents[i];

		if (x->marked && !vmdk_put_unclean(x, false))
			x->marked = false;
	}
}

static int flush_held(struct vmdk *s)
{
	struct copy *list = NULL;
	size_t n = 0;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = s->failed;
	if (!rc)
		rc = take_copies(s, &list, &n);
	pthread_mutex_unlock(&s->lock);
	if (!rc && vmdk_keeps(s, 2))
		rc = barrier(s);
	if (!rc && n && !vmdk_keeps(s, 6))
		unmark_early(s);
	if (!rc && n)
		rc = write_copies(s, list, n);
	if (!rc && n)
		rc = barrier(s);
	pthread_mutex_lock(&s->lock);
	if (!rc)
		settle(s, list, n);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < n; i++)
		free(list[i].data);
	free(list);
	return rc;
}

int vmdk_flush_all(struct vmdk *s)
{
	int rc;

	pthread_mutex_lock(&s->flushing);
	rc = flush_held(s);
	pthread_mutex_unlock(&s->flushing);
	return rc;
}

int vmdk_flush_some(struct vmdk *s)
{
	bool many;

	pthread_mutex_lock(&s->lock);
	many = s->dirty_bytes > VMDK_MAX_DIRTY;
	pthread_mutex_unlock(&s->lock);
	return many ? vmdk_flush_all(s) : 0;
}
