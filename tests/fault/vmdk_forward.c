/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_forward.c - streams of every style in their own order, out of a pipe and
 * as what was saved of a file: the right bytes, or an error, when the stream is
 * cut off at any byte, an allocation fails, or a read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/vmdkmake.h"

#define MAX_LEN 65536u		/* what a pipe takes at once */

static uint8_t file[MAX_LEN];
static size_t file_len;

static void make(enum vmdkmake_kind kind)
{
	struct img *mem = vmdkmake(kind);

	file_len = (size_t)img_length(mem);
	CHECK(file_len <= sizeof(file));
	CHECK_EQ(img_read(mem, file, file_len, 0), 0);
	img_close(mem, NULL);
}

/* The first `len` bytes of the file, as a layer. */
static struct img *through_pipe(size_t len)
{
	struct img *out;
	int fds[2];

	CHECK_EQ(pipe(fds), 0);
	CHECK_EQ(write(fds[1], file, len), (ssize_t)len);
	close(fds[1]);
	if (!img_pipe_fd(fds[0], "pipe", NULL, NULL, &out, NULL))
		return out;
	close(fds[0]);
	return NULL;
}

static struct img *in_memory(size_t len)
{
	struct img *mem;

	CHECK_EQ(img_memory(len, &mem, NULL), 0);
	CHECK_EQ(img_write(mem, file, len, 0), 0);
	return mem;
}

/* Whatever comes must be the disk's; *bytes of it that are not zero came. */
static int take_all(struct img *img, size_t *bytes)
{
	struct img_batch batch = { 0 };
	static uint8_t buf[1u << 20];
	struct err e = { "" };
	int rc;

	*bytes = 0;
	while (!(rc = img_take(img, 16384, &batch, &e)) && batch.n)
		for (size_t i = 0; i < batch.n && !rc; i++) {
			const struct img_run *r = &batch.runs[i];

			CHECK(in_range(r->offset, r->len, VMDKMAKE_SIZE));
			CHECK(r->offset / 16384 ==
			      batch.runs[0].offset / 16384);
			rc = img_unpack(img, &batch, i, buf);
			if (rc == -ENOMEM)
				goto out;
			CHECK_EQ(rc, 0);
			for (uint32_t k = 0; k < r->len; k++) {
				CHECK_EQ(buf[k],
					 vmdkmake_byte(r->offset + k));
				*bytes += buf[k] != 0;
			}
		}
	if (rc)
		CHECK(e.text[0]);
out:
	img_batch_free(&batch);
	return rc;
}

/* Open on `below`, which it closes, and take all. */
static int run(struct img *below, unsigned flags, size_t *bytes)
{
	struct img_open_args args = { .format = "vmdk", .flags = flags };
	struct err e = { "" };
	struct img *img;
	uint8_t b;
	int rc;

	*bytes = 0;
	if (!below)
		return -ENOMEM;
	rc = img_stack(below, &args, &img, &e);
	if (rc) {
		CHECK(e.text[0]);
		img_close(below, NULL);
		return rc;
	}
	if (img_in_order(img)) {
		CHECK_EQ(img_size(img), VMDKMAKE_SIZE);
		CHECK_EQ(img_read(img, &b, 1, 0), -ESPIPE);
		rc = take_all(img, bytes);
	}
	img_close(img, NULL);
	return rc;
}

/* How many bytes of the disk are not zero? */
static size_t all_bytes(void)
{
	size_t n = 0;

	for (uint64_t i = 0; i < VMDKMAKE_SIZE; i++)
		n += vmdkmake_byte(i) != 0;
	return n;
}

static void cut_everywhere(void)
{
	size_t all = all_bytes(), last = 0, whole = 0, bytes;

	for (size_t len = 0; len <= file_len; len++) {
		int rc = run(through_pipe(len), 0, &bytes);

		/* It says that it is whole only when it is. */
		if (!rc) {
			CHECK_EQ(bytes, all);
			whole++;
		}
		CHECK(bytes >= last);
		last = bytes;
	}
	CHECK(whole >= 1 && whole < 4096);
	CHECK_EQ(last, all);
	/* Of a file the same comes, where its tables are not there. */
	for (size_t len = 4096; len < file_len; len += 100) {
		size_t saved;
		int rc = run(in_memory(len), IMG_SALVAGE, &saved);

		run(through_pipe(len), 0, &bytes);
		CHECK(rc == 0 || rc == -EUCLEAN);
		CHECK(saved == bytes || !saved);
	}
}

static void fail_allocations(void)
{
	uint64_t n = 0, total;
	size_t bytes;

	do {
		int rc;

		alloc_fail(++n);
		rc = run(through_pipe(file_len), 0, &bytes);
		total = alloc_fail(0);
		CHECK_EQ(rc, n <= total ? -ENOMEM : 0);
	} while (n <= total);
	CHECK(total > 5);
}

static void fail_reads(void)
{
	/* Without its last sectors, so that it is read in its order. */
	size_t len = file_len - 3 * 512, bytes;
	unsigned failures = 0;

	/* More than there are. */
	for (unsigned n = 1; n < 100; n++) {
		struct fault_plan plan = {
			.kinds = FAULT_READ, .nth = n, .errnum = EIO,
			.torn = true, .seed = n,
		};
		struct img *disk;
		int rc;

		CHECK_EQ(fault_new(in_memory(len), 0, &disk, NULL), 0);
		fault_set(disk, &plan);
		rc = run(disk, IMG_SALVAGE, &bytes);
		CHECK(rc == -EIO || rc == -EUCLEAN);
		failures += rc == -EIO;
	}
	CHECK(failures > 30 && failures < 90);
}

int main(void)
{
	static const enum vmdkmake_kind kinds[] = {
		VMDKMAKE_STREAM, VMDKMAKE_STREAM_FRONT, VMDKMAKE_STREAM_BOTH,
	};
	size_t bytes;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		make(kinds[i]);
		cut_everywhere();
		fail_allocations();
	}
	make(VMDKMAKE_STREAM);
	fail_reads();
	make(VMDKMAKE_STREAM_BARE);
	CHECK_EQ(run(through_pipe(file_len), 0, &bytes), -ESPIPE);
	make(VMDKMAKE_SPARSE);
	CHECK_EQ(run(through_pipe(file_len), 0, &bytes), -ESPIPE);
	make(VMDKMAKE_COWD);
	CHECK_EQ(run(through_pipe(file_len), 0, &bytes), -ESPIPE);
	return 0;
}
