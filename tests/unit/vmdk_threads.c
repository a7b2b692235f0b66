/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_threads.c - many threads read VMDK files of every kind at once, whole
 * grains and parts of them.  Meant for MODE=tsan.
 */
#include "imgfmt/base/thread.h"
#include "tests/check.h"
#include "tests/lib/vmdkmake.h"

#define N_THREADS 4u
#define N_READS 600u

struct reader {
	struct img *img;
	pthread_t thread;
	uint64_t seed;
};

static void *run(void *arg)
{
	static const uint32_t units[] = { 1, 512, VMDKMAKE_UNIT };
	struct reader *r = arg;
	uint8_t buf[3 * VMDKMAKE_UNIT];

	for (unsigned i = 0; i < N_READS; i++) {
		uint64_t x = r->seed = r->seed * 6364136223846793005u + 1;
		uint32_t unit = units[x >> 60 & 1 ? 2 : x >> 61 & 1];
		uint64_t at = (x >> 20) % VMDKMAKE_SIZE / unit * unit;
		size_t len = min_u64((1 + (x >> 50) % 3) * unit,
				     VMDKMAKE_SIZE - at);
		struct img_extent ext;

		CHECK_EQ(img_read(r->img, buf, len, at), 0);
		for (size_t j = 0; j < len; j++)
			CHECK_EQ(buf[j], vmdkmake_byte(at + j));
		CHECK_EQ(img_map(r->img, at, len, &ext), 0);
	}
	return NULL;
}

int main(void)
{
	for (unsigned kind = 0; kind < VMDKMAKE_N; kind++) {
		struct img_open_args args = { .format = "vmdk" };
		struct img *file = vmdkmake(kind), *img;
		struct reader readers[N_THREADS];
		struct err e;

		CHECK_OK(img_stack(file, &args, &img, &e));
		for (unsigned i = 0; i < N_THREADS; i++) {
			readers[i].img = img;
			readers[i].seed = kind * N_THREADS + i;
			CHECK_EQ(thread_start(&readers[i].thread, "reader", run,
					      &readers[i]), 0);
		}
		for (unsigned i = 0; i < N_THREADS; i++)
			pthread_join(readers[i].thread, NULL);
		CHECK_OK(img_close(img, &e));
	}
	return 0;
}
