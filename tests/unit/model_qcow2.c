/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model_qcow2.c - the model test on qcow2 of random geometry: version, cluster
 * size, refcount width, subclusters, compression, backing chain, data file,
 * preallocation, and internal snapshots where qemu-img is there to make them.
 * time limit: 240 s
 *
 * Each time it is closed our check must be content, and often qemu-img's; what
 * qemu-img reads must be what we read, and snapshots must show what they have
 * shown.  ROUNDS sets how many geometries are tried.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/model.h"
#include "tests/lib/qdisk.h"
#include "tests/lib/scratch.h"

#define MAX_SNAPSHOTS 8

struct snapshot {
	uint64_t size;
	uint8_t *content;		/* NULL: there is none */
};

struct disk {
	struct qdisk_shape shape;
	uint64_t random, max_size;
	bool has_qemu, snapshots;
	struct snapshot taken[MAX_SNAPSHOTS];
	unsigned n_taken;		/* all in all */
};

static uint64_t below(struct disk *d, uint64_t n)
{
	return fault_random(&d->random) % n;
}

static void make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && !close(fd));
}

static void make_image(const struct qdisk_shape *g, const char *name,
		       const char *backing)
{
	struct img_resolver any = img_resolve_anywhere();
	struct qdisk_options o;
	struct img_create_args args = {
		.format = "qcow2", .size = g->size, .resolver = &any,
		.backing = backing, .backing_format = "qcow2",
	};
	struct img *file;
	struct err e;

	qdisk_options(g, &o);
	args.options = o.kv;
	args.n_options = o.n;
	if (g->data_file)
		make_file("disk.data");
	make_file(name);
	CHECK_OK(img_file_open(name, IMG_WRITE | IMG_NO_FLUSH, &file, &e));
	CHECK_OK(img_create(file, &args, &e));
	CHECK_OK(img_close(file, &e));
}

static int open_image(const char *name, unsigned flags, const char *snapshot,
		      struct img **out, struct err *e)
{
	struct img_resolver any = img_resolve_anywhere();
	struct img_open_args args = {
		.format = "qcow2", .flags = flags | IMG_NO_FLUSH,
		.resolver = &any, .snapshot = snapshot,
	};

	return img_open(name, &args, out, e);
}

static int open_disk(void *arg, struct img **out, struct err *e)
{
	(void)arg;
	return open_image("disk", IMG_WRITE, NULL, out, e);
}

static void print_line(void *arg, const char *line)
{
	(void)arg;
	printf("  %s\n", line);
}

static int our_check(struct err *e)
{
	struct img_check check = { .report = print_line };
	struct img *img;
	int rc = open_image("disk", IMG_NO_DATA, NULL, &img, e);

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

/* All that the image or its snapshot shows. */
static uint8_t *content(const char *snapshot, uint64_t *size)
{
	struct img *img;
	uint8_t *p;
	struct err e;

	CHECK_OK(open_image("disk", 0, snapshot, &img, &e));
	*size = img_size(img);
	p = malloc(*size);
	CHECK(p);
	CHECK_OK(img_read(img, p, (size_t)*size, 0));
	CHECK_OK(img_close(img, &e));
	return p;
}

/* Does the file begin with this?  It may be longer up to the next cluster. */
static bool holds(const char *path, const uint8_t *want, uint64_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *got = malloc(size);
	bool same;

	CHECK(fd >= 0 && got);
	same = pread(fd, got, size, 0) == (ssize_t)size &&
	       !memcmp(got, want, size);
	close(fd);
	free(got);
	return same;
}

static int run_qemu(const char *command, struct err *e)
{
	int status = system(command);

	if (!status)
		return 0;
	CHECK(!system("cat qemu.out"));
	return fail(e, EUCLEAN, "%s: status %d", command, WEXITSTATUS(status));
}

static int compare_with_qemu(struct disk *d, struct err *e)
{
	uint64_t size;
	uint8_t *want;
	int rc = 0;

	want = content(NULL, &size);
	if (d->shape.data_raw && !holds("disk.data", want, size))
		rc = fail(e, EUCLEAN, "the raw data file holds something else");
	if (!rc && d->has_qemu)
		rc = run_qemu("qemu-img convert -O raw disk out.raw "
			      ">qemu.out 2>&1", e);
	if (!rc && d->has_qemu && !holds("out.raw", want, size))
		rc = fail(e, EUCLEAN, "qemu-img reads something else");
	free(want);
	return rc;
}

static void snapshot_name(char name[8], unsigned i)
{
	snprintf(name, 8, "s%u", i);
}

/* What qemu-img leaves when refcounts have reached their greatest value. */
static void remove_leaks(void)
{
	struct img_check check = { .fix_leaks = true };
	struct img *img;
	struct err e;

	CHECK_OK(open_image("disk", IMG_WRITE | IMG_NO_DATA, NULL, &img, &e));
	CHECK_OK(img_check(img, &check, &e));
	CHECK_OK(img_close(img, &e));
}

static void change_snapshot(struct disk *d)
{
	unsigned i = (unsigned)below(d, MAX_SNAPSHOTS);
	struct snapshot *s = &d->taken[i];
	char command[80], name[8];

	snapshot_name(name, i);
	snprintf(command, sizeof(command),
		 "qemu-img snapshot -%c %s disk >qemu.out 2>&1",
		 s->content ? 'd' : 'c', name);
	if (system(command)) {
		remove_leaks();
		return;
	}
	if (s->content) {
		free(s->content);
		s->content = NULL;
	} else {
		s->content = content(NULL, &s->size);
		d->n_taken++;
	}
}

static int check_snapshots(struct disk *d, struct err *e)
{
	for (unsigned i = 0; i < MAX_SNAPSHOTS; i++) {
		const struct snapshot *s = &d->taken[i];
		uint64_t size;
		uint8_t *got;
		char name[8];
		bool same;

		if (!s->content)
			continue;
		snapshot_name(name, i);
		got = content(name, &size);
		same = size == s->size && !memcmp(got, s->content, size);
		free(got);
		if (!same)
			return fail(e, EUCLEAN, "snapshot %s has changed", name);
	}
	return 0;
}

static int check_disk(void *arg, struct err *e)
{
	struct disk *d = arg;
	int rc = our_check(e);

	if (!rc && d->has_qemu && !below(d, 2))
		rc = run_qemu("qemu-img check -q -f qcow2 disk >qemu.out 2>&1",
			      e);
	if (!rc && !below(d, 3))
		rc = compare_with_qemu(d, e);
	if (!rc)
		rc = check_snapshots(d, e);
	if (!rc && d->snapshots && below(d, 2)) {
		change_snapshot(d);
		rc = our_check(e);
	}
	return rc;
}

static void scribble(struct disk *d, struct img *img)
{
	static uint8_t buf[50000];
	uint64_t size = img_size(img);

	for (unsigned i = 0; i < 15; i++) {
		uint64_t at = below(d, size);
		uint64_t len = 1 + below(d, min_u64(size - at, sizeof(buf)));

		for (size_t k = 0; k < len; k++)
			buf[k] = (uint8_t)fault_random(&d->random);
		CHECK_EQ(below(d, 4) ? img_write(img, buf, (size_t)len, at)
				     : img_zero(img, len, at, 0), 0);
	}
}

/* The chain below, from its end; returns what the disk shows then. */
static uint8_t *make_chain(struct disk *d)
{
	uint8_t *initial = NULL;
	char name[16], next[16];

	for (unsigned i = d->shape.depth; i--; ) {
		struct qdisk_shape g;
		struct img *img;
		struct err e;

		qdisk_choose(&g, &d->random, 17, 2 * d->max_size);
		g.data_file = g.data_raw = false;
		g.prealloc = "off";
		snprintf(name, sizeof(name), "back%u", i);
		snprintf(next, sizeof(next), "back%u", i + 1);
		make_image(&g, name, i + 1 < d->shape.depth ? next : NULL);
		CHECK_OK(open_image(name, IMG_WRITE, NULL, &img, &e));
		scribble(d, img);
		if (!i) {
			initial = calloc(1, d->shape.size);
			CHECK(initial);
			CHECK_OK(img_read(img, initial, (size_t)min_u64(
					d->shape.size, img_size(img)), 0));
		}
		CHECK_OK(img_close(img, &e));
	}
	return initial;
}

static void run(struct disk *d, uint64_t seed)
{
	struct qdisk_shape *g = &d->shape;
	struct model m = {
		.what = g->text, .size = g->size, .max_size = d->max_size,
		.unit = 1u << g->cluster_bits, .ops = 400, .seed = seed,
		.discard_zeroes = g->version >= 3 || !g->depth,
		.open = open_disk, .check = check_disk, .arg = d,
	};
	uint8_t *initial = make_chain(d);

	/* Qemu makes no snapshots of a data file; ours refuses to resize
	 * version 2 with snapshots, as qemu does.
	 */
	d->snapshots = d->has_qemu && !g->data_file && g->refcount_bits > 1 &&
		       below(d, 2);
	if (d->snapshots && g->version < 3)
		m.max_size = 0;
	m.initial = initial;
	make_image(g, "disk", g->depth ? "back0" : NULL);
	model_run(&m);
	free(initial);
	for (unsigned i = 0; i < MAX_SNAPSHOTS; i++) {
		free(d->taken[i].content);
		d->taken[i].content = NULL;
	}
}

int main(void)
{
	struct disk d = { .random = model_seed("qcow2 geometries", 0) };
	uint64_t seed = d.random;
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0)
			    : getenv("CHECK_ALL") ? 1000 : 40;

	/* That seed leads to those of all runs. */
	unsetenv("SEED");
	scratch_enter();
	d.has_qemu = !system("qemu-img --version >/dev/null 2>&1");
	for (uint64_t i = 0; i < n; i++) {
		/* Clusters of 2 MiB want more room. */
		bool large = i % 10 == 9;

		d.max_size = large ? 12u << 20 : 2u << 20;
		qdisk_choose(&d.shape, &d.random, large ? 21 : 17, d.max_size);
		run(&d, seed + i);
	}
	printf("%u snapshots\n", d.n_taken);
	CHECK(d.n_taken || !d.has_qemu || n < 30);
	return 0;
}
