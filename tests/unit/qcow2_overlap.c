/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_overlap.c - threads write, zero, discard, compress and flush the same
 * places of one qcow2 image, over a backing chain or not.
 *
 * A sector carries the number of the write that made it.  In the end it holds
 * what some thread did last to it: never what the same thread has overwritten,
 * nor what was there before.  Most useful with MODE=tsan.  ROUNDS sets how many
 * geometries are tried.
 */
#include <errno.h>
#include <stdatomic.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/base/thread.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/borrow.h"
#include "tests/lib/model.h"
#include "tests/lib/qdisk.h"

#define SECTOR 512u
#define MAX_SECTORS 400u
#define MAX_LEN 64u			/* sectors of one call */
#define N_THREADS 4u

struct last {
	uint64_t version;		/* 0: zeroes */
	bool any;			/* the thread has done something */
	bool maybe_zero;		/* and discarded it after that */
};

struct worker {
	struct img *img;
	uint64_t random, ops, n_sectors, seq;
	unsigned id;
	struct last last[MAX_SECTORS];
	uint8_t buf[2 * MAX_LEN * SECTOR];
	pthread_t thread;
};

static uint64_t below(struct worker *w, uint64_t n)
{
	return fault_random(&w->random) % n;
}

static void make_sector(uint8_t *p, uint64_t version, uint64_t sector)
{
	for (unsigned i = 0; i < SECTOR; i += 16) {
		put_le64(p + i, version);
		put_le64(p + i + 8, sector);
	}
}

static uint64_t new_data(struct worker *w, uint64_t at, uint64_t n)
{
	uint64_t version = ++w->seq * N_THREADS + w->id;

	for (uint64_t i = 0; i < n; i++)
		make_sector(w->buf + i * SECTOR, version, at + i);
	return version;
}

static void did(struct worker *w, uint64_t at, uint64_t n, uint64_t version)
{
	for (; n--; at++)
		w->last[at] = (struct last){ .version = version, .any = true };
}

static void do_compressed(struct worker *w, uint64_t at)
{
	uint32_t unit = img_compress_unit(w->img) / SECTOR;
	struct img_codec *codec;
	uint64_t version, n;
	size_t len = 0;
	int rc;

	if (!unit || unit > MAX_LEN)
		return;
	at -= at % unit;
	n = min_u64(unit, w->n_sectors - at);
	version = new_data(w, at, n);
	CHECK_EQ(img_codec_new(w->img, 0, &codec, NULL), 0);
	CHECK_EQ(img_compress(codec, w->buf, (size_t)n * SECTOR,
			      w->buf + MAX_LEN * SECTOR, &len), 0);
	img_codec_free(codec);
	if (!len)
		return;
	rc = img_write_compressed(w->img, w->buf + MAX_LEN * SECTOR, len,
				  at * SECTOR);
	CHECK(!rc || rc == -EEXIST);
	if (!rc)
		did(w, at, n, version);
}

static void do_discard(struct worker *w, uint64_t at, uint64_t n)
{
	CHECK_EQ(img_discard(w->img, n * SECTOR, at * SECTOR), 0);
	for (; n--; at++)
		w->last[at].maybe_zero = true;
}

static void step(struct worker *w)
{
	uint64_t at = below(w, w->n_sectors), version;
	uint64_t n = 1 + below(w, min_u64(w->n_sectors - at, MAX_LEN));

	switch (below(w, 12)) {
	case 0:
		CHECK_EQ(img_zero(w->img, n * SECTOR, at * SECTOR,
				  below(w, 2) ? IMG_ZERO_KEEP : 0), 0);
		did(w, at, n, 0);
		break;
	case 1:
	case 2:
		do_discard(w, at, n);
		break;
	case 3:
	case 4:
		do_compressed(w, at);
		break;
	case 5:
		CHECK_EQ(img_flush(w->img), 0);
		break;
	case 6:
		CHECK_EQ(img_read(w->img, w->buf, (size_t)n * SECTOR,
				  at * SECTOR), 0);
		break;
	default:
		version = new_data(w, at, n);
		CHECK_EQ(img_write(w->img, w->buf, (size_t)n * SECTOR,
				   at * SECTOR), 0);
		did(w, at, n, version);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->ops; i++)
		step(w);
	return NULL;
}

/* Is it what one of the threads did last? */
static bool is_last(const struct worker *w, uint64_t sector, const uint8_t *p,
		    const uint8_t *initial)
{
	uint8_t want[SECTOR] = { 0 };
	bool any = false;

	for (unsigned i = 0; i < N_THREADS; i++) {
		const struct last *last = &w[i].last[sector];

		any |= last->any;
		if (last->maybe_zero && bytes_are_zero(p, SECTOR))
			return true;
		memset(want, 0, SECTOR);
		if (last->any && last->version)
			make_sector(want, last->version, sector);
		if (last->any && !memcmp(want, p, SECTOR))
			return true;
	}
	return !any && (initial ? !memcmp(initial + sector * SECTOR, p, SECTOR)
				: bytes_are_zero(p, SECTOR));
}

static void run_threads(struct qdisk *q, struct img *img, uint64_t seed,
			uint64_t ops)
{
	struct worker *w = calloc(N_THREADS, sizeof(*w));
	uint8_t got[SECTOR];

	CHECK(w);
	for (unsigned i = 0; i < N_THREADS; i++) {
		w[i].img = img;
		w[i].random = seed + i;
		w[i].id = i;
		w[i].ops = ops;
		w[i].n_sectors = q->shape.size / SECTOR;
		CHECK(!thread_start(&w[i].thread, "test", work, &w[i]));
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		CHECK(!pthread_join(w[i].thread, NULL));
	for (uint64_t s = 0; s < q->shape.size / SECTOR; s++) {
		CHECK_EQ(img_read(img, got, SECTOR, s * SECTOR), 0);
		if (is_last(w, s, got, q->initial))
			continue;
		fprintf(stderr, "%s: sector %" PRIu64 " holds what was "
			"overwritten\n", q->shape.text, s);
		exit(1);
	}
	free(w);
}

static void run(uint64_t *random, uint64_t ops)
{
	struct img *mem, *layer, *img, *data = NULL;
	struct qdisk_shape g;
	struct qdisk q;
	struct err e;

	qdisk_choose(&g, random, 16, MAX_SECTORS * SECTOR);
	qdisk_init(&q, &g, MAX_SECTORS * SECTOR, random);
	CHECK_OK(img_memory(0, &mem, &e));
	if (g.data_file)
		CHECK_OK(img_memory(0, &data, &e));
	q.data = data;
	CHECK_OK(qdisk_create(&q, mem, &e));
	CHECK_OK(borrow(mem, "disk", &layer, &e));
	CHECK_OK(qdisk_open(&q, layer, IMG_WRITE, &img, &e));
	run_threads(&q, img, fault_random(random), ops);
	CHECK_OK(img_close(img, &e));
	CHECK_OK(qdisk_check(&q, mem, 0, &e));
	CHECK_OK(img_close(mem, &e));
	CHECK_OK(img_close(data, &e));
	qdisk_fini(&q);
}

int main(void)
{
	uint64_t random = model_seed("qcow2 overlapping", 0);
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0)
			    : getenv("CHECK_ALL") ? 300 : 30;

	for (uint64_t i = 0; i < n; i++)
		run(&random, model_ops(400));
	return 0;
}
