/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pages.c - see pages.h. */
#define XXH_INLINE_ALL
#include "vmm/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

static uint64_t hash(const void *page)
{
	uint64_t h = XXH3_64bits(page, MEM_PAGE);

	return h ? h : 1;
}

static uint64_t *find(const struct pages *p, uint64_t h)
{
	uint64_t i = h & p->mask;

	while (p->hashes[i] && p->hashes[i] != h)
		i = (i + 1) & p->mask;
	return &p->hashes[i];
}

/* The next pages in use from *at on: up to *end.  What nobody has touched the host
 * must not have to find memory for.
 */
static int next(const struct mem *mem, uint64_t *at, uint64_t *end)
{
	off_t from = lseek(mem->fd, (off_t)*at, SEEK_DATA), to;

	if (from < 0)
		return errno == ENXIO ? 0 : -EIO;
	if ((uint64_t)from >= mem->ram)
		return 0;
	to = lseek(mem->fd, from, SEEK_HOLE);
	if (to <= from)
		return -EIO;
	*at = (uint64_t)from / MEM_PAGE * MEM_PAGE;
	*end = min_u64((uint64_t)to, mem->ram);
	return 1;
}

static int count(const struct mem *mem, uint64_t *n)
{
	uint64_t at = 0, end;
	int more;

	for (*n = 0; (more = next(mem, &at, &end)) > 0; at = end)
		*n += (end - at + MEM_PAGE - 1) / MEM_PAGE;
	return more;
}

int pages_note(struct pages *p, const struct mem *mem)
{
	uint64_t n, at = 0, end, size = 2;
	int more = count(mem, &n);

	if (more)
		return more;
	while (size < 2 * n)
		size *= 2;
	*p = (struct pages){ .hashes = calloc(size, sizeof(*p->hashes)),
			     .mask = size - 1 };
	if (!p->hashes)
		return -ENOMEM;
	/* A device may have taken more into use meanwhile. */
	while (n && (more = next(mem, &at, &end)) > 0)
		for (; at < end && n; at += MEM_PAGE, n--) {
			uint64_t h = hash(mem->base + at);

			*find(p, h) = h;
		}
	if (more < 0)
		pages_forget(p);
	return more < 0 ? more : 0;
}

void pages_forget(struct pages *p)
{
	free(p->hashes);
	*p = (struct pages){ 0 };
}

bool pages_have(const struct pages *p, const void *page)
{
	return p->hashes && *find(p, hash(page));
}
