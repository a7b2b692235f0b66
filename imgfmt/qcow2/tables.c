/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tables.c - bring L1, refcount table and snapshots into memory, and let go of
 * them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

static int read_table(struct qcow2 *s, uint64_t offset, uint64_t n,
		      uint64_t **out, const char *what, struct err *e)
{
	uint64_t *table = array_alloc(n, sizeof(*table));
	int rc;

	if (!table)
		return fail(e, ENOMEM, "out of memory");
	rc = n ? img_read(s->file, table, n * 8, offset) : 0;
	if (rc) {
		free(table);
		return fail_rc(e, rc, "Could not read %s", what);
	}
	for (uint64_t i = 0; i < n; i++)
		table[i] = get_be64(&table[i]);
	free(*out);
	*out = table;
	return 0;
}

static const struct qcow2_snapshot *find_snapshot(const struct qcow2 *s,
						  const char *which)
{
	for (uint32_t i = 0; i < s->h.n_snapshots; i++)
		if (!strcmp(s->snapshots[i].id, which))
			return &s->snapshots[i];
	for (uint32_t i = 0; i < s->h.n_snapshots; i++)
		if (!strcmp(s->snapshots[i].name, which))
			return &s->snapshots[i];
	return NULL;
}

/* Show the disk as it was then: its L1 in place of the active one. */
static int choose_snapshot(struct qcow2 *s, const char *which, struct err *e)
{
	const struct qcow2_snapshot *sn = find_snapshot(s, which);
	int rc;

	if (!sn)
		return fail(e, ENOENT, "Could not load snapshot '%s': there is "
			    "no snapshot of this id or name", which);
	if (s->img->flags & IMG_WRITE)
		return fail(e, EROFS, "snapshot '%s' can only be read", which);
	rc = qcow2_table_check(&s->h, sn->l1_offset, sn->l1_size, 8,
			       QCOW2_MAX_L1_LEN, img_length(s->file),
			       "Snapshot L1 table", e);
	if (rc)
		return rc;
	s->h.size = sn->disk_size;
	qcow2_header_derive(&s->h);
	if (sn->disk_size > INT64_MAX - 511 || sn->l1_size < s->h.l1_needed)
		return fail(e, EUCLEAN, "snapshot '%s' has %u L1 entries, its "
			    "size of %" PRIu64 " bytes needs %u", which,
			    sn->l1_size, sn->disk_size, s->h.l1_needed);
	s->h.l1_offset = sn->l1_offset;
	s->h.l1_size = sn->l1_size;
	s->snapshot = true;
	return 0;
}

static int check_reftable(struct qcow2 *s, struct err *e)
{
	for (uint64_t i = 0; i < s->reftable_size; i++) {
		uint64_t offset = s->reftable[i];

		if (!(offset & (s->h.cluster_size - 1)) && offset >> 56 == 0)
			continue;
		if (s->img->flags & IMG_WRITE &&
		    !(s->img->flags & IMG_REPAIR))
			return fail(e, EUCLEAN, "refcount table entry %" PRIu64
				    " is 0x%" PRIx64 ", not a cluster's "
				    "offset: run a check", i, offset);
		s->reftable[i] = 0;
	}
	return 0;
}

static int load(struct qcow2 *s, const char *snapshot, struct err *e)
{
	bool need_counts = s->img->flags & IMG_WRITE;
	int rc;

	rc = qcow2_snapshots_read(s->file, &s->h, &s->snapshots,
				  &s->snapshot_table_len, e);
	/* check has its own way of finding and repairing a bad table. */
	if (rc && s->img->flags & IMG_REPAIR)
		rc = 0;
	if (!rc && snapshot)
		rc = choose_snapshot(s, snapshot, e);
	if (rc)
		return rc;
	s->l1_size = s->h.l1_size;
	rc = read_table(s, s->h.l1_offset, s->l1_size, &s->l1, "L1 table", e);
	if (rc)
		return rc;
	s->l1_dirty = array_alloc(div_round_up(s->l1_size, 64), 1);
	s->reftable_size = need_counts ? ((uint64_t)s->h.reftable_clusters <<
					  s->h.cluster_bits) / 8 : 0;
	s->hint = array_alloc(s->reftable_size, sizeof(*s->hint));
	if (!s->l1_dirty || !s->hint)
		return fail(e, ENOMEM, "out of memory");
	/* In an image to be repaired, the table may be gone. */
	if (!in_range(s->h.reftable_offset, s->reftable_size * 8,
		      img_length(s->file)))
		s->reftable_size = 0;
	rc = read_table(s, s->h.reftable_offset, s->reftable_size, &s->reftable,
			"the refcount table", e);
	if (!rc)
		rc = check_reftable(s, e);
	return rc;
}

int qcow2_tables_load(struct qcow2 *s, const char *snapshot, struct err *e)
{
	int rc;

	s->reftable_lo = UINT64_MAX;
	rc = load(s, snapshot, e);
	if (rc)
		return rc;
	if (qcow2_cache_init(&s->l2, s->h.cluster_size, QCOW2_L2_CACHE) ||
	    qcow2_cache_init(&s->blocks, s->h.cluster_size,
			     QCOW2_BLOCK_CACHE) ||
	    (s->img->flags & IMG_WRITE && qcow2_guard_init(s)))
		return fail(e, ENOMEM, "out of memory");
	s->sub_size = s->h.extl2 ? s->h.cluster_size / QCOW2_N_SUBCLUSTERS
				 : s->h.cluster_size;
	s->loaded = true;
	return 0;
}

void qcow2_tables_free(struct qcow2 *s)
{
	qcow2_cache_fini(&s->l2);
	qcow2_cache_fini(&s->blocks);
	free(s->l1);
	free(s->l1_dirty);
	free(s->reftable);
	free(s->hint);
	free(s->freed);
	free(s->filter[0]);
	free(s->filter[1]);
	s->l1 = s->reftable = NULL;
	s->l1_dirty = s->filter[0] = s->filter[1] = NULL;
	s->hint = NULL;
	s->freed = NULL;
	s->n_freed = s->freed_cap = 0;
	s->n_freed_clusters = 0;
	s->reftable_lo = UINT64_MAX;
	s->reftable_hi = 0;
	s->reftable_moved = s->l1_any_dirty = false;
	s->first_block = 0;
	s->compressed_next = 0;
	s->loaded = false;
	qcow2_snapshots_free(s->snapshots, s->h.n_snapshots);
	s->snapshots = NULL;
	s->snapshot_table_len = 0;
}
