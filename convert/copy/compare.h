/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compare.h - do two images hold the same?
 *
 * Where one image is longer, the rest must read as zeroes.  Bytes that both
 * maps call zero, or that lie in the same place of the same host file, are not
 * read.  The answer does not depend on the number of threads.
 */
#ifndef CONVERT_COMPARE_H
#define CONVERT_COMPARE_H

#include <stdatomic.h>

#include "imgfmt/imgfmt.h"

struct compare_args {
	struct img *a, *b;
	bool strict;		/* sizes and allocation must be the same too */
	unsigned threads;	/* 0: one a core */
	/* As in struct copy_args; may be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	const atomic_int *cancel;
};

enum compare_verdict {
	COMPARE_SAME,
	COMPARE_CONTENT,	/* bytes differ at result->offset */
	COMPARE_SIZE,		/* strict: the sizes differ */
	COMPARE_STATUS,		/* strict: the allocation differs at offset */
};

struct compare_result {
	enum compare_verdict verdict;
	uint64_t offset;	/* the first difference, rounded down to the
				 * sector of 512 bytes as qemu-img does */
	bool sizes_differ;	/* worth a warning when the verdict is SAME */
	/* On failure: which image (0 or 1), and did mapping fail or reading?
	 * qemu-img compare exits with 3 or 4 then.
	 */
	int failed_image;
	bool failed_map;
};

int compare_run(const struct compare_args *args, struct compare_result *result,
		struct err *e);

#endif
