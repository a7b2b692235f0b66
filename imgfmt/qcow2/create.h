/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* create.h - what creating, measuring and resizing share. */
#ifndef QCOW2_CREATE_H
#define QCOW2_CREATE_H

#include "qcow2.h"

enum qcow2_prealloc {
	QCOW2_PREALLOC_OFF,
	QCOW2_PREALLOC_METADATA,	/* tables, the file stays sparse */
	QCOW2_PREALLOC_FALLOC,		/* the host reserves the space */
	QCOW2_PREALLOC_FULL,		/* zeroes are written */
};

int qcow2_prealloc_parse(const char *text, enum qcow2_prealloc *mode,
			 struct err *e);

/* The options of a new image, checked: a header with derived fields. */
struct qcow2_new {
	struct qcow2_header h;		/* ends with qcow2_header_free() */
	enum qcow2_prealloc prealloc;
};
int qcow2_new_parse(const struct img_create_args *args, struct qcow2_new *n,
		    struct err *e);

struct qcow2;

/* Make the image `size` bytes, at least as large as it is: L1, header,
 * preallocation.  The added part shows zeroes, or if the image is `new`, what
 * the backing file has there.
 */
int qcow2_grow(struct qcow2 *s, uint64_t size, bool new,
	       enum qcow2_prealloc mode, struct err *e);
/* Give [start, end), whole clusters, host clusters. */
int qcow2_preallocate(struct qcow2 *s, uint64_t start, uint64_t end,
		      enum qcow2_prealloc mode);

#endif
