/* SPDX-License-Identifier: GPL-2.0-or-later */
/* powercut_qcow2.c - qcow2 on a disk that loses power, of random geometry; and
 * the same with each invariant of qcow2/flush.c broken in turn, which has to be
 * found.
 */
#include <errno.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "imgfmt/qcow2/state.h"
#include "tests/check.h"
#include "tests/lib/model.h"
#include "tests/lib/powercut.h"

#define N_INVARIANTS 5u
#define MAX_SEEDS 60u		/* within this many runs each must be found */
#define UNKNOWN_AUTOCLEAR 0x80u	/* bit 63, in the first byte of the field */

struct disk {
	unsigned version, cluster_bits, refcount_bits;
	bool extl2;
	unsigned break_invariant;
	uint8_t *first;			/* the file as it was made */
	uint64_t first_len;
	char text[80];
};

static int create(void *arg, struct img *disk, struct err *e)
{
	struct disk *d = arg;
	const uint8_t autoclear[] = { UNKNOWN_AUTOCLEAR };
	char cluster[16], bits[16];
	struct img_kv kv[] = {
		{ "compat", d->version == 2 ? "0.10" : "1.1" },
		{ "cluster_size", cluster }, { "refcount_bits", bits },
		{ "extended_l2", d->extl2 ? "on" : "off" },
	};
	struct img_create_args args = {
		.format = "qcow2", .size = 1 << 20, .options = kv,
		.n_options = 4,
	};
	int rc;

	snprintf(cluster, sizeof(cluster), "%u", 1u << d->cluster_bits);
	snprintf(bits, sizeof(bits), "%u", d->refcount_bits);
	rc = img_create(disk, &args, e);
	if (!rc && d->version == 3)
		rc = img_write(disk, autoclear, 1, QCOW2_H_AUTOCLEAR);
	if (rc)
		return rc;
	d->first_len = img_length(disk);
	d->first = malloc(d->first_len);
	CHECK(d->first);
	return img_read(disk, d->first, d->first_len, 0);
}

static int open_disk(void *arg, struct img *disk, struct img **out,
		     struct err *e)
{
	struct img_open_args args = { .format = "qcow2", .flags = IMG_WRITE };
	struct disk *d = arg;
	int rc = img_stack(disk, &args, out, e);

	if (!rc)
		qcow2_test_break(*out, d->break_invariant);
	return rc;
}

/* As long as the unknown bit stands, nothing may have changed. */
static int check_autoclear(const struct disk *d, struct img *disk,
			   struct err *e)
{
	uint64_t len = img_length(disk);
	uint8_t *now;
	bool same;

	if (len < d->first_len)
		return fail(e, EUCLEAN, "the file has shrunk");
	now = malloc(len);
	CHECK(now && !img_read(disk, now, len, 0));
	same = !memcmp(now, d->first, d->first_len) &&
	       bytes_are_zero(now + d->first_len, len - d->first_len);
	if (!(now[QCOW2_H_AUTOCLEAR] & UNKNOWN_AUTOCLEAR))
		same = true;
	free(now);
	return same ? 0 : fail(e, EUCLEAN, "changed with autoclear bits set");
}

static int check_disk(void *arg, struct img *disk, struct err *e)
{
	struct img_open_args args = { .format = "qcow2" };
	struct img_check check = { 0 };
	struct disk *d = arg;
	struct img *img;
	int rc = d->version == 3 ? check_autoclear(d, disk, e) : 0;

	if (!rc)
		rc = img_stack(disk, &args, &img, e);
	if (rc)
		return rc;
	rc = img_check(img, &check, e);
	CHECK(!img_close_layer(img, NULL));
	if (!rc && (check.corruptions || check.check_errors))
		rc = fail(e, EUCLEAN, "%" PRIu64 " corruptions",
			  check.corruptions);
	return rc;
}

static void choose(struct disk *d, uint64_t *random)
{
	static const unsigned bits[] = { 9, 9, 10, 12, 14, 16 };

	*d = (struct disk){ .version = 2, .refcount_bits = 16 };
	d->cluster_bits = bits[fault_random(random) % 6];
	if (fault_random(random) % 4) {
		d->version = 3;
		d->refcount_bits = 1u << fault_random(random) % 7;
		d->extl2 = d->cluster_bits >= 14 && fault_random(random) % 2;
	}
	snprintf(d->text, sizeof(d->text), "qcow2 v%u 2^%u refcount %u%s",
		 d->version, d->cluster_bits, d->refcount_bits,
		 d->extl2 ? " extl2" : "");
}

static struct powercut plan(struct disk *d, uint64_t seed, uint64_t cuts)
{
	return (struct powercut){
		.what = d->text, .size = 1 << 20,
		.unit = 1u << d->cluster_bits, .cuts = cuts, .seed = seed,
		.create = create, .open = open_disk, .check = check_disk,
		.arg = d,
	};
}

static void must_find(unsigned invariant, uint64_t *random)
{
	uint64_t cuts = 0;

	for (unsigned i = 1; i <= MAX_SEEDS; i++) {
		struct powercut p;
		struct disk d;
		uint64_t found;

		do
			choose(&d, random);
		while (invariant == 5 && d.version == 2);
		d.break_invariant = invariant;
		p = plan(&d, fault_random(random), 20);
		found = powercut_find(&p);
		free(d.first);
		cuts += found ? found : p.cuts;
		if (!found)
			continue;
		printf("invariant %u broken: found by cut %" PRIu64
		       " of at most %u\n", invariant, cuts, MAX_SEEDS * 20);
		return;
	}
	fprintf(stderr, "invariant %u broken, and %" PRIu64 " cuts did not find "
		"it\n", invariant, cuts);
	exit(1);
}

int main(void)
{
	uint64_t random = model_seed("qcow2 power cuts", 0);
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0) : 25;

	/* Each run takes a seed of its own from this sequence. */
	unsetenv("SEED");
	for (uint64_t i = 0; i < n; i++) {
		struct powercut p;
		struct disk d;

		choose(&d, &random);
		p = plan(&d, fault_random(&random), 60);
		powercut_run(&p);
		free(d.first);
	}
	for (unsigned i = 1; i <= N_INVARIANTS; i++)
		must_find(i, &random);
	return 0;
}
