/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model_qcow2.c - the model test on qcow2 of random geometry: version, cluster
 * size, refcount width, subclusters, compression, backing file, data file.
 *
 * After each time it is closed our check and qemu-img's must be content.  ROUNDS
 * sets how many geometries are tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/model.h"
#include "tests/lib/scratch.h"

#define BASE_SIZE (700u << 10)

struct geometry {
	unsigned version, cluster_bits, refcount_bits, prealloc;
	bool extl2, zstd, backing, data_file, data_raw;
	uint64_t size;
	char text[160];
	bool has_qemu;
};

static const char *const prealloc_names[] = { "off", "metadata", "falloc",
					      "full" };

static uint64_t pick(uint64_t *random, uint64_t n)
{
	return fault_random(random) % n;
}

static void choose(struct geometry *g, uint64_t *random)
{
	g->version = pick(random, 4) ? 3 : 2;
	g->cluster_bits = 9 + (unsigned)pick(random, pick(random, 3) ? 8 : 13);
	g->refcount_bits = 16;
	g->extl2 = g->zstd = g->data_file = g->data_raw = false;
	g->backing = pick(random, 3) == 0;
	if (g->version == 3) {
		g->refcount_bits = 1u << pick(random, 7);
		g->extl2 = g->cluster_bits >= 14 && pick(random, 2);
		g->zstd = pick(random, 2);
		g->data_file = pick(random, 5) == 0;
		g->data_raw = g->data_file && !g->backing && pick(random, 2);
	}
	g->prealloc = pick(random, 3) || (g->backing && !g->extl2) ? 0 :
		      (unsigned)pick(random, 4);
	g->size = (pick(random, 4) ? pick(random, 4096) + 1
				   : (pick(random, 64) + 1) * 64) * 512;
	snprintf(g->text, sizeof(g->text), "qcow2 v%u 2^%u refcount %u%s%s%s%s%s "
		 "%s size %" PRIu64, g->version, g->cluster_bits,
		 g->refcount_bits, g->extl2 ? " extl2" : "",
		 g->zstd ? " zstd" : "", g->backing ? " backing" : "",
		 g->data_file ? " data" : "", g->data_raw ? " raw" : "",
		 prealloc_names[g->prealloc], g->size);
}

static void make_file(const char *path, uint64_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size) && !close(fd));
}

static void make_image(const struct geometry *g)
{
	struct img_resolver any = img_resolve_anywhere();
	char cluster[16], bits[16];
	struct img_kv kv[10] = {
		{ "compat", g->version == 2 ? "0.10" : "1.1" },
		{ "cluster_size", cluster }, { "refcount_bits", bits },
		{ "extended_l2", g->extl2 ? "on" : "off" },
		{ "compression_type", g->zstd ? "zstd" : "zlib" },
		{ "preallocation", prealloc_names[g->prealloc] },
		{ "data_file_raw", g->data_raw ? "on" : "off" },
		{ "data_file", "disk.data" },
	};
	struct img_create_args args = {
		.format = "qcow2", .size = g->size, .options = kv,
		.n_options = g->data_file ? 8 : 7, .resolver = &any,
		.backing = g->backing ? "base" : NULL, .backing_format = "raw",
	};
	struct img *file;
	struct err e;

	snprintf(cluster, sizeof(cluster), "%u", 1u << g->cluster_bits);
	snprintf(bits, sizeof(bits), "%u", g->refcount_bits);
	if (g->data_file)
		make_file("disk.data", 0);
	make_file("disk", 0);
	CHECK_OK(img_file_open("disk", IMG_WRITE | IMG_NO_FLUSH, &file, &e));
	CHECK_OK(img_create(file, &args, &e));
	CHECK_OK(img_close(file, &e));
}

static int open_disk(void *arg, struct img **out, struct err *e)
{
	struct img_resolver any = img_resolve_anywhere();
	struct img_open_args args = {
		.format = "qcow2", .flags = IMG_WRITE | IMG_NO_FLUSH,
		.resolver = &any,
	};

	(void)arg;
	return img_open("disk", &args, out, e);
}

static void print_line(void *arg, const char *line)
{
	(void)arg;
	printf("  %s\n", line);
}

static int our_check(struct err *e)
{
	struct img_resolver any = img_resolve_anywhere();
	struct img_open_args args = {
		.format = "qcow2", .flags = IMG_NO_DATA, .resolver = &any,
	};
	struct img_check check = { .report = print_line };
	struct img *img;
	int rc = img_open("disk", &args, &img, e);

	if (rc)
		return rc;
	rc = img_check(img, &check, e);
	img_close(img, NULL);
	if (!rc && (check.corruptions || check.leaks || check.check_errors))
		rc = fail(e, EUCLEAN, "our check finds %" PRIu64
			  " corruptions, %" PRIu64 " leaks",
			  check.corruptions, check.leaks);
	return rc;
}

static int check_disk(void *arg, struct err *e)
{
	struct geometry *g = arg;
	int rc = our_check(e), status;

	if (rc || !g->has_qemu)
		return rc;
	status = system("qemu-img check -q -f qcow2 disk >check.out 2>&1");
	if (!status)
		return 0;
	CHECK(!system("cat check.out"));
	return fail(e, EUCLEAN, "qemu-img check: %d", WEXITSTATUS(status));
}

static uint8_t *make_base(uint64_t size, uint64_t *random)
{
	uint8_t *initial = calloc(1, size);
	uint8_t *base = malloc(BASE_SIZE);
	int fd;

	CHECK(initial && base);
	for (uint64_t i = 0; i < BASE_SIZE; i++)
		base[i] = i / 5000 % 3 ? (uint8_t)fault_random(random) : 0;
	make_file("base", 0);
	fd = open("base", O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, base, BASE_SIZE), BASE_SIZE);
	CHECK(!close(fd));
	memcpy(initial, base, min_u64(size, BASE_SIZE));
	free(base);
	return initial;
}

static void run(struct geometry *g, uint64_t seed, uint64_t *random)
{
	struct model m = {
		.what = g->text, .size = g->size,
		.max_size = g->size + g->size / 2 + (64 << 10),
		.unit = 1u << g->cluster_bits, .ops = 400, .seed = seed,
		.open = open_disk, .check = check_disk, .arg = g,
	};
	uint8_t *initial = NULL;

	if (g->backing)
		m.initial = initial = make_base(g->size, random);
	make_image(g);
	model_run(&m);
	free(initial);
}

int main(void)
{
	uint64_t seed = model_seed("qcow2 geometries", 0), random = seed;
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0) : 40;
	struct geometry g = { 0 };
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64, seed);
	setenv("SEED", text, 1);
	scratch_enter();
	g.has_qemu = !system("qemu-img --version >/dev/null 2>&1");
	for (uint64_t i = 0; i < n; i++) {
		choose(&g, &random);
		run(&g, seed, &random);
	}
	return 0;
}
