/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c - a bottom layer in memory: sparse, and it grows.
 *
 * Chunks stand in an array sorted by their place; what has none reads as
 * zeroes.  Writing in ascending order appends; elsewhere it moves 16 bytes for
 * each later chunk, which for the sizes that fit in memory is less than filling
 * the chunk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "drivers.h"

#define CHUNK (64u << 10)

struct chunk {
	uint64_t index;		/* offset / CHUNK */
	uint8_t *data;
};

struct memory {
	pthread_rwlock_t lock;
	struct chunk *chunks;	/* sorted by index */
	size_t n, cap;
	uint64_t length;	/* bytes */
};

/* The first chunk at or after `index`: its place, perhaps m->n. */
static size_t find(const struct memory *m, uint64_t index)
{
	size_t low = 0, high = m->n;

	if (high && m->chunks[high - 1].index < index)
		return high;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->chunks[mid].index < index)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static uint8_t *lookup(const struct memory *m, uint64_t index)
{
	size_t i = find(m, index);

	if (i == m->n || m->chunks[i].index != index)
		return NULL;
	return m->chunks[i].data;
}

/* The chunk, made if it is not there; NULL when out of memory. */
static uint8_t *obtain(struct memory *m, uint64_t index)
{
	size_t i = find(m, index);
	uint8_t *data;

	if (i < m->n && m->chunks[i].index == index)
		return m->chunks[i].data;
	if (array_grow(&m->chunks, &m->cap, m->n + 1, sizeof(*m->chunks)))
		return NULL;
	data = calloc(1, CHUNK);
	if (!data)
		return NULL;
	memmove(&m->chunks[i + 1], &m->chunks[i],
		(m->n - i) * sizeof(*m->chunks));
	m->chunks[i] = (struct chunk){ index, data };
	m->n++;
	return data;
}

/* How much of [offset, offset + len) lies in offset's chunk? */
static size_t in_chunk(uint64_t len, uint64_t offset)
{
	return (size_t)min_u64(len, CHUNK - offset % CHUNK);
}

static int mem_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	struct memory *m = img->state;
	uint8_t *p = buf;

	pthread_rwlock_rdlock(&m->lock);
	while (len) {
		size_t n = in_chunk(len, offset);
		const uint8_t *data = lookup(m, offset / CHUNK);

		if (data)
			memcpy(p, data + offset % CHUNK, n);
		else
			memset(p, 0, n);
		p += n;
		offset += n;
		len -= n;
	}
	pthread_rwlock_unlock(&m->lock);
	return 0;
}

static int mem_write(struct img *img, const void *buf, size_t len,
		     uint64_t offset)
{
	struct memory *m = img->state;
	const uint8_t *p = buf;
	int rc = 0;

	pthread_rwlock_wrlock(&m->lock);
	while (len) {
		size_t n = in_chunk(len, offset);
		uint8_t *data = obtain(m, offset / CHUNK);

		if (!data) {
			rc = -ENOMEM;
			break;
		}
		memcpy(data + offset % CHUNK, p, n);
		p += n;
		offset += n;
		len -= n;
		m->length = max_u64(m->length, offset);
	}
	pthread_rwlock_unlock(&m->lock);
	return rc;
}

/* Drop the whole chunks in [offset, end), zero the parts at its edges. */
static void clear(struct memory *m, uint64_t offset, uint64_t end)
{
	uint64_t first = div_round_up(offset, CHUNK), last = end / CHUNK;
	size_t i, j;

	if (offset < end && offset % CHUNK) {
		uint8_t *data = lookup(m, offset / CHUNK);

		if (data)
			memset(data + offset % CHUNK, 0,
			       in_chunk(end - offset, offset));
	}
	if (first > last)
		return;		/* both edges in one chunk */
	if (end % CHUNK) {
		uint8_t *data = lookup(m, last);

		if (data)
			memset(data, 0, end % CHUNK);
	}
	i = find(m, first);
	j = find(m, last);
	if (i == j)
		return;
	for (size_t k = i; k < j; k++)
		free(m->chunks[k].data);
	memmove(&m->chunks[i], &m->chunks[j], (m->n - j) * sizeof(*m->chunks));
	m->n -= j - i;
}

static int allocate(struct memory *m, uint64_t offset, uint64_t end)
{
	for (uint64_t i = offset / CHUNK; i < div_round_up(end, CHUNK); i++)
		if (!obtain(m, i))
			return -ENOMEM;
	return 0;
}

static int mem_zero(struct img *img, uint64_t len, uint64_t offset,
		    unsigned flags)
{
	struct memory *m = img->state;
	int rc = 0;

	pthread_rwlock_wrlock(&m->lock);
	clear(m, offset, offset + len);
	if (flags & IMG_ZERO_KEEP)
		rc = allocate(m, offset, offset + len);
	if (!rc)
		m->length = max_u64(m->length, offset + len);
	pthread_rwlock_unlock(&m->lock);
	return rc;
}

static int mem_discard(struct img *img, uint64_t len, uint64_t offset)
{
	struct memory *m = img->state;

	pthread_rwlock_wrlock(&m->lock);
	clear(m, offset, offset + len);
	pthread_rwlock_unlock(&m->lock);
	return 0;
}

static int mem_flush(struct img *img)
{
	(void)img;
	return 0;
}

static int mem_map(struct img *img, uint64_t offset, uint64_t len,
		   struct img_extent *ext)
{
	struct memory *m = img->state;
	uint64_t index = offset / CHUNK, end;
	size_t i;

	pthread_rwlock_rdlock(&m->lock);
	i = find(m, index);
	if (i == m->n) {
		ext->flags = IMG_EXT_ZERO | IMG_EXT_HOLE;
		end = UINT64_MAX;
	} else if (m->chunks[i].index > index) {
		ext->flags = IMG_EXT_ZERO | IMG_EXT_HOLE;
		end = m->chunks[i].index * CHUNK;
	} else {
		do
			end = (++index) * CHUNK;
		while (end - offset < len && ++i < m->n &&
		       m->chunks[i].index == index);
	}
	pthread_rwlock_unlock(&m->lock);
	ext->len = min_u64(len, end - offset);
	return 0;
}

static uint64_t mem_length(struct img *img)
{
	struct memory *m = img->state;
	uint64_t length;

	pthread_rwlock_rdlock(&m->lock);
	length = m->length;
	pthread_rwlock_unlock(&m->lock);
	return length;
}

static int mem_truncate(struct img *img, uint64_t size, struct err *e)
{
	struct memory *m = img->state;

	if (size > INT64_MAX)
		return fail(e, EFBIG, "a size of %llu bytes is too large",
			    (unsigned long long)size);
	pthread_rwlock_wrlock(&m->lock);
	clear(m, size, round_up(max_u64(size, m->length), CHUNK));
	m->length = size;
	img->size = size;
	pthread_rwlock_unlock(&m->lock);
	return 0;
}

static int mem_usage(const struct img *img, uint64_t *bytes)
{
	struct memory *m = img->state;

	pthread_rwlock_rdlock(&m->lock);
	*bytes = (uint64_t)m->n * CHUNK;
	pthread_rwlock_unlock(&m->lock);
	return 0;
}

static int mem_close(struct img *img, struct err *e)
{
	struct memory *m = img->state;

	(void)e;
	for (size_t i = 0; i < m->n; i++)
		free(m->chunks[i].data);
	free(m->chunks);
	pthread_rwlock_destroy(&m->lock);
	return 0;
}

const struct img_driver img_memory_driver = {
	.name = "memory",
	.state_size = sizeof(struct memory),
	.flags = DRV_PARALLEL | DRV_GROWS,
	.close = mem_close,
	.read = mem_read,
	.write = mem_write,
	.zero = mem_zero,
	.discard = mem_discard,
	.flush = mem_flush,
	.map = mem_map,
	.length = mem_length,
	.truncate = mem_truncate,
	.host_usage = mem_usage,
};

int img_memory(uint64_t size, struct img **out, struct err *e)
{
	struct memory *m;
	int rc;

	if (size > INT64_MAX)
		return fail(e, EINVAL, "a size of %llu bytes is too large",
			    (unsigned long long)size);
	rc = img_layer_new(&img_memory_driver, NULL, "", IMG_WRITE, out, e);
	if (rc)
		return rc;
	m = (*out)->state;
	pthread_rwlock_init(&m->lock, NULL);
	m->length = size;
	(*out)->size = size;
	(*out)->block_size = 4096;
	return 0;
}
