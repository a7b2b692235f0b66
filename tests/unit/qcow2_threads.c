/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_threads.c - threads that write, read, zero, discard, compress and flush
 * one qcow2 image at once.
 *
 * The image is dealt out in stripes that do not end where clusters do, so that
 * neighbours share clusters; each thread knows what its own stripes hold.  Others
 * read and map everything meanwhile.  Most useful with MODE=tsan.
 */
#include <errno.h>
#include <stdatomic.h>

#include "imgfmt/base/thread.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/model.h"

#define STRIPE 20000u
#define N_WRITERS 4u
#define IMAGE_SIZE (2u << 20)

struct shared {
	struct img *img;
	uint8_t *want;			/* each byte its owner's */
	atomic_bool done;
	uint64_t seed, ops;
};

struct writer {
	struct shared *sh;
	unsigned id;
	uint64_t random;
	pthread_t thread;
};

static uint64_t below(struct writer *w, uint64_t n)
{
	return fault_random(&w->random) % n;
}

/* A piece of one of the writer's own stripes. */
static void pick(struct writer *w, uint64_t *offset, size_t *len)
{
	uint64_t n = IMAGE_SIZE / STRIPE / N_WRITERS;
	uint64_t start = (below(w, n) * N_WRITERS + w->id) * STRIPE;
	uint64_t in = below(w, STRIPE);

	*offset = start + in;
	*len = 1 + (size_t)below(w, STRIPE - in);
}

static void verify(struct writer *w, uint64_t offset, size_t len)
{
	uint8_t *buf = malloc(len);

	CHECK(buf);
	CHECK_EQ(img_read(w->sh->img, buf, len, offset), 0);
	CHECK(!memcmp(buf, w->sh->want + offset, len));
	free(buf);
}

/* Whatever it left, zeroes or the old bytes, is what has to stay. */
static void discard(struct writer *w, uint64_t offset, size_t len)
{
	uint8_t *want = w->sh->want + offset;
	uint8_t *buf = malloc(len);

	CHECK(buf);
	CHECK_EQ(img_discard(w->sh->img, len, offset), 0);
	CHECK_EQ(img_read(w->sh->img, buf, len, offset), 0);
	for (size_t i = 0; i < len; i++)
		CHECK(!buf[i] || buf[i] == want[i]);
	memcpy(want, buf, len);
	free(buf);
}

static void *write_stripes(void *arg)
{
	struct writer *w = arg;
	struct img *img = w->sh->img;

	for (uint64_t i = 0; i < w->sh->ops; i++) {
		uint64_t offset;
		size_t len;

		pick(w, &offset, &len);
		switch (below(w, 8)) {
		case 0:
			memset(w->sh->want + offset, 0, len);
			CHECK_EQ(img_zero(img, len, offset,
					  below(w, 2) ? IMG_ZERO_KEEP : 0), 0);
			break;
		case 1:
			discard(w, offset, len);
			break;
		case 2:
		case 3:
			verify(w, offset, len);
			break;
		case 4:
			if (!below(w, 8))
				CHECK_EQ(img_flush(img), 0);
			break;
		default:
			memset(w->sh->want + offset, (int)below(w, 256), len);
			CHECK_EQ(img_write(img, w->sh->want + offset, len,
					   offset), 0);
			break;
		}
	}
	return NULL;
}

static void *look(void *arg)
{
	struct writer *w = arg;
	uint8_t *buf = malloc(65536);

	CHECK(buf);
	while (!atomic_load(&w->sh->done)) {
		uint64_t offset = below(w, IMAGE_SIZE - 65536);
		struct img_extent x;

		CHECK_EQ(img_read(w->sh->img, buf, 1 + below(w, 65536),
				  offset), 0);
		CHECK_EQ(img_map(w->sh->img, offset, 65536, &x), 0);
	}
	free(buf);
	return NULL;
}

/* Some clusters are compressed to begin with. */
static void put_compressed(struct shared *sh)
{
	uint32_t unit = img_compress_unit(sh->img);
	struct img_codec *codec;
	uint8_t *out = malloc(unit);
	struct err e;
	size_t len;

	CHECK(out);
	CHECK_OK(img_codec_new(sh->img, 1, &codec, &e));
	for (uint64_t at = 0; at < IMAGE_SIZE; at += 3 * unit) {
		memset(sh->want + at, (int)(at / unit), unit);
		CHECK_EQ(img_compress(codec, sh->want + at, unit, out, &len), 0);
		CHECK(len);
		CHECK_EQ(img_write_compressed(sh->img, out, len, at), 0);
	}
	img_codec_free(codec);
	free(out);
}

static void check_image(struct img *img)
{
	struct img_check check = { 0 };
	struct err e;

	CHECK_OK(img_check(img, &check, &e));
	CHECK_EQ(check.corruptions, 0);
	CHECK_EQ(check.leaks, 0);
}

static struct img *reopen(struct img *img)
{
	struct img_open_args open = { .format = "qcow2", .flags = IMG_WRITE };
	struct img *copy;
	struct err e;

	/* Memory goes with its layer: flush all, then look at a copy. */
	CHECK_EQ(img_flush(img), 0);
	CHECK_EQ(img_flush(img), 0);
	CHECK_OK(fault_copy(img_below(img), &copy, &e));
	CHECK_OK(img_close(img, &e));
	CHECK_OK(img_stack(copy, &open, &img, &e));
	check_image(img);
	return img;
}

static void run(struct img_kv *kv, size_t n_kv, uint64_t seed, uint64_t ops)
{
	struct img_create_args args = {
		.format = "qcow2", .size = IMAGE_SIZE, .options = kv,
		.n_options = n_kv,
	};
	struct img_open_args open = { .format = "qcow2", .flags = IMG_WRITE };
	struct shared sh = { .seed = seed, .ops = ops };
	struct writer w[N_WRITERS + 1];
	struct img *mem;
	struct err e;

	sh.want = calloc(1, IMAGE_SIZE);
	CHECK(sh.want);
	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_OK(img_create(mem, &args, &e));
	CHECK_OK(img_stack(mem, &open, &sh.img, &e));
	put_compressed(&sh);
	for (unsigned i = 0; i <= N_WRITERS; i++) {
		w[i] = (struct writer){ .sh = &sh, .id = i, .random = seed + i };
		CHECK_EQ(thread_start(&w[i].thread, "test",
				      i < N_WRITERS ? write_stripes : look,
				      &w[i]), 0);
	}
	for (unsigned i = 0; i <= N_WRITERS; i++) {
		if (i == N_WRITERS)
			atomic_store(&sh.done, true);
		CHECK(!pthread_join(w[i].thread, NULL));
	}
	sh.img = reopen(sh.img);
	w[0].sh = &sh;
	verify(&w[0], 0, IMAGE_SIZE);
	CHECK_OK(img_close(sh.img, &e));
	free(sh.want);
}

int main(void)
{
	uint64_t seed = model_seed("qcow2 threads", 0), ops = model_ops(2000);
	struct img_kv plain[] = { { "cluster_size", "4k" } };
	struct img_kv small[] = { { "cluster_size", "512" },
				  { "refcount_bits", "1" } };
	struct img_kv subs[] = { { "cluster_size", "64k" },
				 { "extended_l2", "on" },
				 { "compression_type", "zstd" } };

	run(plain, 1, seed, ops);
	run(small, 2, seed, ops);
	run(subs, 3, seed, ops);
	return 0;
}
