/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tail.c - is a stream whole whose directory stands in front?
 *
 * Grains are written in the guest's order, so that the last one is the last in
 * the file: it is enough to look at that.
 */
#include <errno.h>

#include "state.h"

/* Empty tables at the end of a disk that are skipped: 2 TiB of usual ones. */
#define MAX_STEPS 65536u

/* The last entry of a table that is a stored grain: its host offset, or 0. */
static int last_in_table(struct vmdk *s, struct vmdk_extent *x, uint64_t i,
			 uint64_t table, uint64_t *host)
{
	for (uint32_t n = x->t.n_gtes; n--; ) {
		uint64_t rel = i * x->t.gt_covers + (uint64_t)n * x->t.grain;
		enum vmdk_kind kind;
		int rc;

		if (rel >= x->t.capacity)
			continue;
		rc = vmdk_entry_at(s, x, table, n, rel, &kind, host);
		if (rc || *host)
			return rc;
	}
	return 0;
}

static int last_grain(struct vmdk *s, struct vmdk_extent *x, uint64_t *host)
{
	uint64_t i = x->t.n_gdes, table;
	int rc = 0;

	for (unsigned n = 0; i-- && n < MAX_STEPS && !rc && !*host; n++) {
		rc = vmdk_table_at(s, x, x->t.gd, i, &table);
		if (!rc && table)
			rc = last_in_table(s, x, i, table, host);
	}
	return rc;
}

static int has_whole(struct vmdk_extent *x, uint64_t host)
{
	uint8_t size[4];
	int rc;

	if (!x->t.markers)
		return 0;	/* its length is not said */
	rc = img_read(x->file, size, sizeof(size), host + VMDK_MARKER_SIZE);
	if (!rc && !in_range(host, VMDK_MARKER_LEN + (uint64_t)get_le32(size),
			     img_length(x->file)))
		rc = -EUCLEAN;
	return rc;
}

int vmdk_check_tail(struct vmdk *s, struct vmdk_extent *x, const char *name,
		    struct err *e)
{
	struct vmdk_walk w;
	uint64_t host = 0;
	int rc = last_grain(s, x, &host);

	if (!rc && host)
		rc = has_whole(x, host);
	if (rc != -EUCLEAN)
		return rc ? fail_rc(e, rc, "Could not read %s", name) : 0;
	if (!x->t.markers)
		return fail(e, EUCLEAN, "%s: the stream is cut off: its last "
			    "grain is beyond the %llu bytes of the file", name,
			    (unsigned long long)img_length(x->file));
	rc = vmdk_stream_walk(x->file, &x->t.h, &w);
	return rc ? fail_rc(e, rc, "Could not read %s", name)
		  : vmdk_cut_off(x->file, name, &x->t.h, &w, e);
}
