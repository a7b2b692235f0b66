/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - copy what of a disk is in use into a qcow2 image, part by part.
 *
 * After a part, at most once a second, the image is flushed, and then the
 * checkpoint says so: what lies before it is on the disk.  Whoever goes on takes
 * away what lies behind it, which may be there in part, and reads what lies before
 * for the checksum.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "convert/capture/capture.h"
#include "convert/copy/hash.h"
#include "convert/copy/image_file.h"
#include "imgfmt/base/buf.h"

#define PART		COPY_PART
#define CHECKPOINT_S	1
#define SECTOR		512u

struct capture {
	const struct capture_args *args;
	struct capture_result *result;
	struct img *src;		/* the disk with holes where it is free */
	struct img *dst;
	struct hasher *hasher;
	struct checkpoint at;
	time_t written;			/* the checkpoint */
};

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

static int open_source(struct capture *c, struct err *e)
{
	const struct capture_plan *p = c->args->plan;
	struct img *disk;
	int rc = img_borrow(p->disk, 0, &disk, e);

	if (rc)
		return rc;
	rc = img_mask(disk, p->holes, p->n_holes, &c->src, e);
	if (rc)
		img_close(disk, NULL);
	return rc;
}

/* A new image, of a disk of which nothing is copied yet.  The checkpoint of an
 * earlier one goes first: whoever is killed before the next one is written must not
 * leave one that says more of this image than is true.
 */
static int make_image(struct capture *c, struct err *e)
{
	static const struct img_kv options[] = {
		{ "compression_type", "zstd" },
	};
	struct image_file_args file = {
		.create = {
			.format = "qcow2", .size = c->at.size,
			.options = options, .n_options = 1,
		},
	};

	if (c->args->checkpoint && unlink(c->args->checkpoint) &&
	    errno != ENOENT)
		return fail_rc(e, -errno, "cannot replace '%s'",
			       c->args->checkpoint);
	if (unlink(c->args->path) && errno != ENOENT)
		return fail_rc(e, -errno, "cannot replace '%s'", c->args->path);
	return image_file_create(c->args->path, &file, &c->dst, e);
}

/* Take away what may be there in part, and what no table names any more. */
static int clean_rest(struct capture *c, struct err *e)
{
	struct img_check check = { .fix_leaks = true };
	uint64_t done = c->at.done;
	int rc = 0;

	if (done < c->at.size)
		rc = img_discard(c->dst, c->at.size - done, done);
	if (!rc)
		rc = img_check(c->dst, &check, e);
	if (!rc && (check.corruptions || check.check_errors))
		rc = -EUCLEAN;
	return rc ? fail_rc(e, rc, "%s: it cannot be gone on with",
			    c->args->path) : 0;
}

/* Read what is there for the checksum. */
static int hash_done(struct capture *c, struct err *e)
{
	struct copy_args args = {
		.sources = &c->dst, .n_sources = 1, .end = c->at.done,
		.threads = c->args->threads, .cancel = c->args->cancel,
		.checksum = c->result->checksum, .hasher = c->hasher,
	};
	struct copy_result result;
	int rc = c->at.done ? copy_run(&args, &result, e) : 0;

	if (c->at.done)
		copy_result_fini(&result);
	return rc;
}

static int go_on(struct capture *c, struct err *e)
{
	const struct img_open_args open = { .format = "qcow2",
					    .flags = IMG_WRITE };
	int rc = img_open(c->args->path, &open, &c->dst, e);

	if (!rc && img_size(c->dst) != c->at.size)
		rc = fail(e, EUCLEAN, "'%s' has another size than the disk",
			  c->args->path);
	if (!rc)
		rc = clean_rest(c, e);
	return rc ? rc : hash_done(c, e);
}

/* Is there something of this disk to go on with? */
static bool can_resume(struct capture *c)
{
	const struct capture_args *a = c->args;
	struct checkpoint old;
	struct err why;

	if (!a->resume || !a->checkpoint ||
	    checkpoint_read(a->checkpoint, &old, &why))
		return false;
	if (old.size == c->at.size && !access(a->path, F_OK) &&
	    !memcmp(old.fingerprint, c->at.fingerprint, CAPTURE_FINGERPRINT)) {
		c->at = old;
		return true;
	}
	checkpoint_fini(&old);
	return false;
}

static int open_target(struct capture *c, struct err *e)
{
	const struct capture_plan *p = c->args->plan;

	c->at.size = img_size(p->disk);
	memcpy(c->at.fingerprint, p->fingerprint, CAPTURE_FINGERPRINT);
	if (!can_resume(c))
		return make_image(c, e);
	c->result->resumed = c->at.done;
	return go_on(c, e);
}

static int save(struct capture *c, struct err *e)
{
	int rc;

	c->written = now_s();
	rc = img_flush(c->dst);
	if (rc)
		return fail_rc(e, rc, "flushing %s", c->args->path);
	return c->args->checkpoint ?
		checkpoint_write(c->args->checkpoint, &c->at, e) : 0;
}

static int keep_lost(struct capture *c, const struct copy_result *r)
{
	for (size_t i = 0; i < r->n_lost; i++) {
		if (array_grow(&c->at.lost, &c->at.cap, c->at.n_lost + 1,
			       sizeof(*c->at.lost)))
			return -ENOMEM;
		c->at.lost[c->at.n_lost++] = r->lost_ranges[i];
	}
	return 0;
}

static int copy_part(struct capture *c, uint64_t end, struct err *e)
{
	const struct capture_args *a = c->args;
	struct copy_args args = {
		.sources = &c->src, .n_sources = 1, .dst = c->dst,
		.threads = a->threads, .target_is_zero = true,
		.compress = !a->plain, .level = a->level, .salvage = true,
		.rate = a->rate, .progress = a->progress, .arg = a->arg,
		.cancel = a->cancel, .checksum = c->result->checksum,
		.hasher = c->hasher, .start = c->at.done, .end = end,
	};
	struct copy_result result;
	int rc = copy_run(&args, &result, e);

	c->result->read += result.data;
	if (!rc && keep_lost(c, &result))
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc)
		c->at.done = end;
	copy_result_fini(&result);
	return rc;
}

static int copy_all(struct capture *c, struct err *e)
{
	int rc = 0;

	c->written = now_s();
	while (c->at.done < c->at.size && !rc) {
		rc = copy_part(c, min_u64(c->at.size, c->at.done + PART), e);
		if (!rc && now_s() - c->written >= CHECKPOINT_S)
			rc = save(c, e);
	}
	return rc ? rc : save(c, e);
}

/* Once more, sector by sector: a disk may have thought about it. */

static int retry_sector(struct capture *c, uint64_t offset, size_t len)
{
	uint8_t sector[SECTOR];
	int rc = -EIO;

	for (unsigned i = 0; i < c->args->retries && rc; i++)
		rc = img_read(c->src, sector, len, offset);
	if (rc)
		return rc;
	rc = img_write(c->dst, sector, len, offset);
	return rc ? -ECANCELED : 0;	/* the target's trouble, not the disk's */
}

static int add_lost(struct capture_result *r, size_t *cap, uint64_t offset,
		    uint64_t len, int error)
{
	struct capture_lost *last = r->n_lost ? &r->lost[r->n_lost - 1] : NULL;

	if (last && last->offset + last->len == offset) {
		last->len += len;
		return 0;
	}
	if (array_grow(&r->lost, cap, r->n_lost + 1, sizeof(*r->lost)))
		return -ENOMEM;
	r->lost[r->n_lost++] = (struct capture_lost){
		.offset = offset, .len = len, .error = error,
	};
	return 0;
}

static int retry_range(struct capture *c, const struct copy_lost *l,
		       size_t *cap)
{
	uint64_t end = l->offset + l->len;
	int rc = 0;

	for (uint64_t at = l->offset; at < end && !rc; ) {
		size_t len = (size_t)min_u64(SECTOR - at % SECTOR, end - at);

		if (c->args->cancel && atomic_load(c->args->cancel))
			return -ECANCELED;
		rc = retry_sector(c, at, len);
		if (!rc)
			c->result->recovered += len;
		else if (rc != -ECANCELED)
			rc = add_lost(c->result, cap, at, len, l->error);
		at += len;
	}
	return rc;
}

static int retry(struct capture *c, struct err *e)
{
	size_t cap = 0;
	int rc = 0;

	for (size_t i = 0; i < c->at.n_lost && !rc; i++)
		rc = retry_range(c, &c->at.lost[i], &cap);
	for (size_t i = 0; i < c->result->n_lost && !rc; i++)
		rc = capture_owners(c->args->plan, &c->result->lost[i], e);
	return rc ? fail_rc(e, rc, "reading bad sectors again") : 0;
}

/* What a retry has changed is not what was hashed. */
static int finish_checksum(struct capture *c, struct err *e)
{
	struct checksum_args args = {
		.img = c->dst, .type = c->result->checksum,
		.threads = c->args->threads, .cancel = c->args->cancel,
	};
	int rc;

	if (c->result->recovered)
		return checksum_run(&args, c->result->digest, e);
	rc = hasher_end(c->hasher, c->at.size, c->result->digest);
	return rc ? fail_rc(e, rc, "computing the checksum") : 0;
}

int capture_run(const struct capture_args *args, struct capture_result *result,
		struct err *e)
{
	struct capture c = { .args = args, .result = result };
	int rc, one;

	*result = (struct capture_result){
		.checksum = checksum_find("sha256"),
	};
	rc = hasher_new(result->checksum, &c.hasher, e);
	if (!rc)
		rc = open_source(&c, e);
	if (!rc)
		rc = open_target(&c, e);
	if (!rc)
		rc = copy_all(&c, e);
	if (!rc)
		rc = retry(&c, e);
	if (!rc)
		rc = finish_checksum(&c, e);
	one = img_close(c.dst, rc ? NULL : e);
	img_close(c.src, NULL);
	hasher_free(c.hasher);
	checkpoint_fini(&c.at);
	return rc ? rc : one;
}

void capture_result_fini(struct capture_result *result)
{
	for (size_t i = 0; i < result->n_lost; i++) {
		for (size_t k = 0; k < result->lost[i].n_files; k++)
			free(result->lost[i].files[k]);
		free(result->lost[i].files);
	}
	free(result->lost);
	result->lost = NULL;
	result->n_lost = 0;
}
