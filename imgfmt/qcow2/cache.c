/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache.c - pieces of L2 tables and refcount blocks in memory.
 *
 * Only clean units are evicted.  Dirty ones leave through flush.c, which knows
 * the order; an operation that finds too many of them flushes before it begins
 * (qcow2_make_room()), so the caches exceed their limits by one operation's
 * worth at most.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

int qcow2_cache_init(struct qcow2_cache *c, uint32_t cluster_size,
		     uint32_t limit_bytes)
{
	uint32_t n_hash = 64;

	c->unit = cluster_size < QCOW2_MAX_UNIT ? cluster_size : QCOW2_MAX_UNIT;
	c->limit = limit_bytes / c->unit;
	while (n_hash < c->limit)
		n_hash *= 2;
	c->hash_mask = n_hash - 1;
	c->hash = array_alloc(n_hash, sizeof(*c->hash));
	return c->hash ? 0 : -ENOMEM;
}

static struct qcow2_unit **bucket(struct qcow2_cache *c, uint64_t offset)
{
	uint64_t n = offset / c->unit;

	return &c->hash[(n ^ n >> 16) & c->hash_mask];
}

static struct qcow2_unit *find(struct qcow2_cache *c, uint64_t offset)
{
	struct qcow2_unit *u = *bucket(c, offset);

	while (u && u->offset != offset)
		u = u->next;
	return u;
}

static void list_remove(struct qcow2_cache *c, struct qcow2_unit *u)
{
	if (u->newer)
		u->newer->older = u->older;
	else
		c->newest = u->older;
	if (u->older)
		u->older->newer = u->newer;
	else
		c->oldest = u->newer;
}

static void list_add(struct qcow2_cache *c, struct qcow2_unit *u)
{
	u->newer = NULL;
	u->older = c->newest;
	if (c->newest)
		c->newest->newer = u;
	else
		c->oldest = u;
	c->newest = u;
}

static void hash_remove(struct qcow2_cache *c, struct qcow2_unit *u)
{
	struct qcow2_unit **p = bucket(c, u->offset);

	while (*p != u)
		p = &(*p)->next;
	*p = u->next;
}

static void unlink_unit(struct qcow2_cache *c, struct qcow2_unit *u)
{
	hash_remove(c, u);
	list_remove(c, u);
	c->n--;
	if (u->dirty)
		c->n_dirty--;
}

static void free_unit(struct qcow2_unit *u)
{
	free(u->data);
	free(u);
}

void qcow2_cache_fini(struct qcow2_cache *c)
{
	while (c->oldest) {
		struct qcow2_unit *u = c->oldest;

		c->oldest = u->newer;
		free_unit(u);
	}
	free(c->hash);
	*c = (struct qcow2_cache){ 0 };
}

/* The oldest clean unit, taken out of the cache; not one of the two newest,
 * which the caller may be using.  Looks at a few only: when most are dirty, a
 * flush is near.
 */
static struct qcow2_unit *evict(struct qcow2_cache *c)
{
	struct qcow2_unit *u = c->oldest;

	for (unsigned i = 0; i < 16 && u; i++, u = u->newer) {
		if (u->dirty || u == c->newest || u->newer == c->newest)
			continue;
		unlink_unit(c, u);
		return u;
	}
	return NULL;
}

static struct qcow2_unit *take_unit(struct qcow2_cache *c)
{
	struct qcow2_unit *u = c->n >= c->limit ? evict(c) : NULL;

	if (u)
		return u;
	u = calloc(1, sizeof(*u));
	if (!u)
		return NULL;
	u->data = buf_alloc(c->unit);
	if (!u->data) {
		free(u);
		return NULL;
	}
	return u;
}

static void add_unit(struct qcow2_cache *c, struct qcow2_unit *u,
		     uint64_t offset)
{
	struct qcow2_unit **b = bucket(c, offset);

	u->offset = offset;
	u->dirty = u->fresh = false;
	u->next = *b;
	*b = u;
	list_add(c, u);
	c->n++;
}

int qcow2_cache_get(struct qcow2 *s, struct qcow2_cache *c, uint64_t offset,
		    struct qcow2_unit **out)
{
	struct qcow2_unit *u = find(c, offset);
	int rc;

	if (u) {
		if (u != c->newest) {
			list_remove(c, u);
			list_add(c, u);
		}
		*out = u;
		return 0;
	}
	if (!in_range(offset, c->unit, img_length(s->file)))
		return qcow2_corrupt(s);
	u = take_unit(c);
	if (!u)
		return -ENOMEM;
	rc = img_read(s->file, u->data, c->unit, offset);
	if (rc) {
		free_unit(u);
		return rc;
	}
	add_unit(c, u, offset);
	*out = u;
	return 0;
}

int qcow2_cache_insert(struct qcow2_cache *c, uint64_t offset, bool fresh,
		       struct qcow2_unit **out)
{
	struct qcow2_unit *u;

	qcow2_cache_drop(c, offset, c->unit);
	u = take_unit(c);
	if (!u)
		return -ENOMEM;
	memset(u->data, 0, c->unit);
	add_unit(c, u, offset);
	u->fresh = fresh;
	qcow2_cache_dirty(c, u);
	*out = u;
	return 0;
}

void qcow2_cache_dirty(struct qcow2_cache *c, struct qcow2_unit *u)
{
	if (!u->dirty)
		c->n_dirty++;
	u->dirty = true;
}

void qcow2_cache_drop(struct qcow2_cache *c, uint64_t offset, uint64_t len)
{
	for (uint64_t end = offset + len; offset < end; offset += c->unit) {
		struct qcow2_unit *u = find(c, offset);

		if (!u)
			continue;
		unlink_unit(c, u);
		free_unit(u);
	}
}

static int by_offset(const void *a, const void *b)
{
	const struct qcow2_unit *x = *(struct qcow2_unit *const *)a;
	const struct qcow2_unit *y = *(struct qcow2_unit *const *)b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Write list[0..n), whose offsets are adjacent, in one go. */
static int write_adjacent(struct qcow2 *s, struct qcow2_cache *c,
			  struct qcow2_unit **list, uint32_t n, uint8_t *bounce)
{
	const uint8_t *data = list[0]->data;
	int rc;

	for (uint32_t i = 0; n > 1 && i < n; i++) {
		memcpy(bounce + (size_t)i * c->unit, list[i]->data, c->unit);
		data = bounce;
	}
	rc = img_write(s->file, data, (size_t)n * c->unit, list[0]->offset);
	for (uint32_t i = 0; !rc && i < n; i++) {
		list[i]->dirty = false;
		c->n_dirty--;
	}
	return rc;
}

static int write_list(struct qcow2 *s, struct qcow2_cache *c,
		      struct qcow2_unit **list, uint32_t n)
{
	uint32_t most = QCOW2_MAX_UNIT / c->unit;
	uint8_t *bounce = buf_alloc(QCOW2_MAX_UNIT);
	uint32_t i = 0, k;
	int rc = bounce ? 0 : -ENOMEM;

	for (uint32_t j = 0; j < n && !rc; j++)
		rc = qcow2_guard_table(s, c, list[j]->offset);
	qsort(list, n, sizeof(*list), by_offset);
	for (; i < n && !rc; i += k) {
		for (k = 1; k < most && i + k < n; k++)
			if (list[i + k]->offset !=
			    list[i]->offset + (uint64_t)k * c->unit)
				break;
		rc = write_adjacent(s, c, list + i, k, bounce);
	}
	free(bounce);
	return rc;
}

int qcow2_cache_write(struct qcow2 *s, struct qcow2_cache *c, bool fresh)
{
	struct qcow2_unit **list;
	uint32_t n = 0;
	int rc;

	if (!c->n_dirty)
		return 0;
	list = array_alloc(c->n_dirty, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (struct qcow2_unit *u = c->newest; u; u = u->older)
		if (u->dirty && u->fresh == fresh)
			list[n++] = u;
	rc = n ? write_list(s, c, list, n) : 0;
	free(list);
	return rc;
}

void qcow2_cache_settle(struct qcow2_cache *c)
{
	for (struct qcow2_unit *u = c->newest; u; u = u->older)
		u->fresh = false;
}
