/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache.c - the directories and tables of all extents, as many as fit. */
#include <errno.h>
#include <stdlib.h>

#include "state.h"

static size_t hash_of(const struct vmdk_extent *x, uint64_t offset)
{
	uint64_t h = (offset >> 9) * 0x9e3779b97f4a7c15ull ^
		     (uintptr_t)x * 0xff51afd7ed558ccdull;

	return (size_t)(h >> 40) % VMDK_HASH;
}

static void unlink_lru(struct vmdk_cache *c, struct vmdk_unit *u)
{
	*(u->newer ? &u->newer->older : &c->newest) = u->older;
	*(u->older ? &u->older->newer : &c->oldest) = u->newer;
}

static void make_newest(struct vmdk_cache *c, struct vmdk_unit *u)
{
	u->newer = NULL;
	u->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = u;
	c->newest = u;
}

static void drop(struct vmdk_cache *c, struct vmdk_unit *u)
{
	struct vmdk_unit **p = &c->hash[hash_of(u->x, u->offset)];

	while (*p != u)
		p = &(*p)->next;
	*p = u->next;
	unlink_lru(c, u);
	c->bytes -= u->len;
	free(u->data);
	free(u);
}

/* The two newest stay: callers look at a directory and a table together. */
static void make_room(struct vmdk_cache *c, size_t len)
{
	struct vmdk_unit *u = c->oldest;

	while (u && c->bytes + len > VMDK_CACHE) {
		struct vmdk_unit *newer = u->newer;

		if (!newer || !newer->newer)
			return;
		if (!u->dirty)
			drop(c, u);
		u = newer;
	}
}

static int load(struct vmdk *s, struct vmdk_extent *x, uint64_t offset,
		uint32_t len, struct vmdk_unit **out)
{
	struct vmdk_unit *u;
	int rc;

	if (!vmdk_in_file(x, offset, len))
		return -EUCLEAN;
	make_room(&s->cache, len);
	u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->x = x;
	u->offset = offset;
	u->len = len;
	u->data = malloc(len);
	rc = u->data ? img_read(x->file, u->data, len, offset) : -ENOMEM;
	if (rc) {
		free(u->data);
		free(u);
		return rc;
	}
	*out = u;
	return 0;
}

int vmdk_cache_get(struct vmdk *s, struct vmdk_extent *x, uint64_t offset,
		   uint32_t len, struct vmdk_unit **out)
{
	struct vmdk_cache *c = &s->cache;
	size_t h = hash_of(x, offset);
	struct vmdk_unit *u = c->hash[h];
	int rc;

	while (u && (u->x != x || u->offset != offset || u->len != len))
		u = u->next;
	if (u) {
		if (u != c->newest) {
			unlink_lru(c, u);
			make_newest(c, u);
		}
		*out = u;
		return 0;
	}
	rc = load(s, x, offset, len, &u);
	if (rc)
		return rc;
	u->next = c->hash[h];
	c->hash[h] = u;
	c->bytes += len;
	make_newest(c, u);
	*out = u;
	return 0;
}

void vmdk_cache_fini(struct vmdk_cache *c)
{
	while (c->oldest)
		drop(c, c->oldest);
}
