/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model_threads.c - the model test from several threads on qcow2.
 *
 * ROUNDS sets how many geometries are tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/model.h"
#include "tests/lib/scratch.h"

static const char path[] = "disk.qcow2";

static int open_image(void *arg, struct img **out, struct err *e)
{
	struct img_open_args args = {
		.format = "qcow2", .flags = IMG_WRITE | IMG_NO_FLUSH,
	};

	(void)arg;
	return img_open(path, &args, out, e);
}

static int check(void *arg, struct err *e)
{
	struct img_open_args args = { .format = "qcow2" };
	struct img_check found = { .report = NULL };
	struct img *img;
	int rc;

	(void)arg;
	rc = img_open(path, &args, &img, e);
	if (rc)
		return rc;
	rc = img_check(img, &found, e);
	if (!rc && (found.corruptions || found.leaks || found.check_errors))
		rc = fail(e, EUCLEAN, "%" PRIu64 " corruptions, %" PRIu64
			  " leaks", found.corruptions, found.leaks);
	img_close(img, NULL);
	return rc;
}

static void round_of(uint64_t seed)
{
	uint64_t random = seed;
	unsigned bits = 9 + (unsigned)(fault_random(&random) % 9);
	bool old = fault_random(&random) % 4 == 0;
	bool extl2 = !old && bits >= 14 && fault_random(&random) % 2;
	char cluster[16], what[80];
	struct img_kv kv[] = {
		{ "cluster_size", cluster },
		{ "compat", old ? "0.10" : "1.1" },
		{ "extended_l2", extl2 ? "on" : "off" },
	};
	struct img_create_args create = {
		.format = "qcow2", .size = 2 << 20, .options = kv,
		.n_options = 3,
	};
	struct model m = {
		.what = what, .size = 2 << 20, .unit = 1u << bits, .ops = 300,
		.seed = seed, .open = open_image, .check = check,
	};
	struct img *file;
	struct err e;

	snprintf(cluster, sizeof(cluster), "%u", 1u << bits);
	snprintf(what, sizeof(what), "qcow2 %s from threads, clusters of %s%s",
		 old ? "v2" : "v3", cluster, extl2 ? ", extl2" : "");
	unlink(path);
	CHECK(!close(creat(path, 0600)));
	CHECK_OK(img_file_open(path, IMG_WRITE, &file, &e));
	CHECK_OK(img_create(file, &create, &e));
	CHECK_OK(img_close(file, &e));
	model_run_threads(&m, 4);
}

int main(void)
{
	uint64_t seed = model_seed("rounds", 0);
	const char *text = getenv("ROUNDS");
	int rounds = text ? atoi(text) : 20;

	scratch_enter();
	/* SEED of a round and ROUNDS=1 repeat that round. */
	while (rounds-- > 0) {
		round_of(seed);
		fault_random(&seed);
	}
	return 0;
}
