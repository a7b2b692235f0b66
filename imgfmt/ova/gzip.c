/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip.c - a read-only layer that shows what a gzip file holds.
 *
 * Content is inflated in whole blocks, which are kept for a while: readers look
 * at a header, then at what follows it.  A block is made by the stream that
 * stands closest before it, so that several readers in order keep their
 * streams.
 */
#include "gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gzip_stream.h"
#include "imgfmt/driver.h"

#define FIRST_SPACING (UINT64_C(1) << 20)	/* of points, bytes */

struct block {
	uint64_t number;	/* offset / GZIP_BLOCK */
	uint64_t used;		/* when, for choosing the oldest */
	uint8_t *data;		/* or NULL */
	bool valid, busy;	/* busy: somebody is inflating it */
};

struct seat {
	struct gzip_stream stream;
	uint64_t used;
	bool ready, busy;	/* ready: stream.out says where it stands */
};

struct gzip {
	struct img *img;
	struct gzip_index index;	/* fixed once it is built */
	pthread_mutex_t lock;		/* of all below */
	pthread_cond_t changed;		/* something is not busy any more */
	struct block blocks[GZIP_CACHE_BLOCKS];
	struct seat seats[GZIP_STREAMS];
	uint64_t clock;
};

bool gzip_probe(const uint8_t *head, size_t len)
{
	return len >= 3 && head[0] == 0x1f && head[1] == 0x8b && head[2] == 8;
}

static struct block *find_block(struct gzip *g, uint64_t number)
{
	for (unsigned i = 0; i < GZIP_CACHE_BLOCKS; i++) {
		struct block *b = &g->blocks[i];

		if ((b->valid || b->busy) && b->number == number)
			return b;
	}
	return NULL;
}

/* The one used longest ago, or NULL when all are busy. */
static struct block *free_block(struct gzip *g)
{
	struct block *best = NULL;

	for (unsigned i = 0; i < GZIP_CACHE_BLOCKS; i++) {
		struct block *b = &g->blocks[i];

		if (!b->busy && (!best || b->used < best->used))
			best = b;
	}
	return best;
}

/* A stream that comes past `out` sooner than one from point `p`, or the one
 * used longest ago; NULL when all are busy.
 */
static struct seat *free_seat(struct gzip *g, const struct gzip_point *p,
			      uint64_t out)
{
	struct seat *best = NULL, *oldest = NULL;

	for (unsigned i = 0; i < GZIP_STREAMS; i++) {
		struct seat *s = &g->seats[i];

		if (s->busy)
			continue;
		if (!oldest || s->used < oldest->used)
			oldest = s;
		if (s->ready && s->stream.out >= p->out &&
		    s->stream.out <= out &&
		    (!best || s->stream.out > best->stream.out))
			best = s;
	}
	if (!best && oldest)
		oldest->ready = false;
	return best ? best : oldest;
}

/* Without the lock: block and seat are ours. */
static int inflate_block(struct gzip *g, struct block *b, struct seat *s,
			 const struct gzip_point *p)
{
	uint64_t start = b->number * GZIP_BLOCK;
	size_t want = (size_t)min_u64(GZIP_BLOCK, g->index.size - start), n;
	int rc = 0;

	if (!b->data)
		b->data = malloc(GZIP_BLOCK);
	if (!b->data)
		return -ENOMEM;
	if (!s->stream.inited)
		rc = gzip_stream_init(&s->stream, g->img->below);
	if (!rc && !s->ready)
		rc = gzip_stream_start(&s->stream, p);
	while (!rc && s->stream.out < start) {
		rc = gzip_stream_read(&s->stream, b->data,
				      (size_t)min_u64(GZIP_BLOCK, start -
						      s->stream.out), &n);
		if (!rc && !n)
			rc = -EIO;
	}
	if (!rc)
		rc = gzip_stream_read(&s->stream, b->data, want, &n);
	/* It was whole when the index was built. */
	if (!rc && n != want)
		rc = -EIO;
	return rc == -ENODATA ? -EIO : rc;
}

/* With the lock: inflate block `number`, or wait for somebody; try again. */
static int make_block(struct gzip *g, uint64_t number)
{
	const struct gzip_point *p;
	struct block *b = free_block(g);
	struct seat *s;
	int rc;

	p = gzip_index_find(&g->index, number * GZIP_BLOCK);
	s = free_seat(g, p, number * GZIP_BLOCK);
	if (!b || !s) {
		pthread_cond_wait(&g->changed, &g->lock);
		return 0;
	}
	b->busy = s->busy = true;
	b->valid = false;
	b->number = number;
	pthread_mutex_unlock(&g->lock);
	rc = inflate_block(g, b, s, p);
	pthread_mutex_lock(&g->lock);
	b->busy = s->busy = false;
	b->valid = s->ready = !rc;
	b->used = s->used = ++g->clock;
	pthread_cond_broadcast(&g->changed);
	return rc;
}

static int read_piece(struct gzip *g, uint8_t *buf, size_t len,
		      uint64_t offset)
{
	uint64_t number = offset / GZIP_BLOCK;
	struct block *b;
	int rc = 0;

	pthread_mutex_lock(&g->lock);
	while (!rc && (!(b = find_block(g, number)) || b->busy)) {
		if (b)
			pthread_cond_wait(&g->changed, &g->lock);
		else
			rc = make_block(g, number);
	}
	if (!rc) {
		memcpy(buf, b->data + offset % GZIP_BLOCK, len);
		b->used = ++g->clock;
	}
	pthread_mutex_unlock(&g->lock);
	return rc;
}

static int gzip_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	uint8_t *p = buf;
	int rc = 0;

	while (len && !rc) {
		size_t n = (size_t)min_u64(len, GZIP_BLOCK -
					   offset % GZIP_BLOCK);

		rc = read_piece(img->state, p, n, offset);
		p += n;
		offset += n;
		len -= n;
	}
	return rc;
}

static int gzip_map(struct img *img, uint64_t offset, uint64_t len,
		    struct img_extent *ext)
{
	(void)img;
	(void)offset;
	(void)len;
	ext->flags = IMG_EXT_COMPRESSED;
	return 0;
}

static int gzip_close(struct img *img, struct err *e)
{
	struct gzip *g = img->state;

	(void)e;
	for (unsigned i = 0; i < GZIP_STREAMS; i++)
		gzip_stream_fini(&g->seats[i].stream);
	for (unsigned i = 0; i < GZIP_CACHE_BLOCKS; i++)
		free(g->blocks[i].data);
	gzip_index_free(&g->index);
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	return 0;
}

static const struct img_driver gzip_driver = {
	.name = "gzip",
	.state_size = sizeof(struct gzip),
	.flags = DRV_PARALLEL,
	.close = gzip_close,
	.read = gzip_read,
	.map = gzip_map,
};

int img_gzip(struct img *below, struct img **out, struct err *e)
{
	struct img *img;
	struct gzip *g;
	int rc;

	rc = img_layer_new(&gzip_driver, below, below->name,
			   below->flags & ~IMG_WRITE, &img, e);
	if (rc)
		return rc;
	g = img->state;
	g->img = img;
	rc = gzip_index_build(&g->index, below, FIRST_SPACING, e);
	if (rc) {
		img_layer_free(img);
		return rc;
	}
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	img->size = g->index.size;
	img->block_size = GZIP_BLOCK;
	*out = img;
	return 0;
}
