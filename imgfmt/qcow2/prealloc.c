/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prealloc.c - give a guest range host clusters before it is written. */
#include <errno.h>
#include <stdlib.h>

#include "create.h"
#include "imgfmt/base/buf.h"
#include "state.h"

/* Reserve host clusters for up to `want` guest clusters; before them the L2
 * table, so that the data lies in a row.
 */
static int reserve(struct qcow2 *s, uint64_t guest, uint64_t want,
		   uint64_t *host, uint64_t *n)
{
	struct qcow2_slot slot;
	uint64_t cluster;
	int rc;

	if (s->h.external_data) {
		*host = guest;
		*n = want;
		return 0;
	}
	rc = qcow2_l2_find_writable(s, guest, &slot);
	if (!rc)
		rc = qcow2_alloc(s, want, &cluster, n);
	if (rc)
		return rc;
	*host = cluster << s->h.cluster_bits;
	return 0;
}

/* Clusters that are handed out anew may hold what they held. */
static int prepare_host(struct qcow2 *s, uint64_t host, uint64_t len,
			enum qcow2_prealloc mode)
{
	uint64_t end = host + len, file_len = img_length(s->file);
	int rc = 0;

	if (s->h.external_data)
		return 0;
	if (mode == QCOW2_PREALLOC_FULL)
		return img_write_zeroes(s->file, len, host);
	if (mode == QCOW2_PREALLOC_FALLOC)
		return img_zero(s->file, len, host, IMG_ZERO_KEEP);
	if (host < file_len)
		rc = img_zero(s->file, min_u64(end, file_len) - host, host, 0);
	if (!rc && end > file_len)
		rc = img_truncate(s->file, end, NULL);
	return rc;
}

static int point(struct qcow2 *s, uint64_t guest, uint64_t host, uint64_t n)
{
	struct qcow2_slot slot;
	int rc = 0;

	for (uint64_t i = 0; i < n && !rc; i++) {
		rc = qcow2_l2_find_writable(s, guest + (i << s->h.cluster_bits),
					    &slot);
		/* With extended entries no subcluster is allocated: a backing
		 * file goes on showing.
		 */
		if (!rc)
			qcow2_l2_set(s, &slot, (host + (i << s->h.cluster_bits)) |
				     QCOW2_COPIED, slot.bitmap);
	}
	return rc;
}

/* How many clusters from `guest` on have none. */
static int count_holes(struct qcow2 *s, uint64_t guest, uint64_t most,
		       uint64_t *n)
{
	struct qcow2_slot slot;
	int rc;

	for (*n = 0; *n < most; ++*n) {
		rc = qcow2_l2_find(s, guest + (*n << s->h.cluster_bits), &slot);
		if (rc)
			return rc;
		if (qcow2_kind(&s->h, slot.entry) != QCOW2_KIND_HOLE &&
		    qcow2_kind(&s->h, slot.entry) != QCOW2_KIND_ZERO)
			break;
	}
	return 0;
}

static int step(struct qcow2 *s, uint64_t guest, uint64_t most,
		enum qcow2_prealloc mode, uint64_t *n)
{
	uint64_t host;
	int rc;

	rc = qcow2_start_writing(s);
	if (!rc)
		rc = qcow2_make_room(s);
	if (!rc)
		rc = count_holes(s, guest, most, n);
	if (rc || !*n) {
		*n = 1;
		return rc;
	}
	rc = reserve(s, guest, *n, &host, n);
	if (!rc)
		rc = prepare_host(s, host, *n << s->h.cluster_bits, mode);
	return rc ? rc : point(s, guest, host, *n);
}

int qcow2_preallocate(struct qcow2 *s, uint64_t start, uint64_t end,
		      enum qcow2_prealloc mode)
{
	uint64_t most = s->l2.unit / s->h.l2_entry_size, n;
	int rc = 0;

	/* Nobody else uses an image that is being made or resized. */
	pthread_mutex_lock(&s->lock);
	for (; start < end && !rc; start += n << s->h.cluster_bits)
		rc = step(s, start, min_u64(most, (end - start) >>
						  s->h.cluster_bits), mode, &n);
	pthread_mutex_unlock(&s->lock);
	return rc;
}
