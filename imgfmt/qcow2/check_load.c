/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check_load.c - what a check needs before it walks: header, refcount table,
 * snapshots, the directory of bitmaps.
 * Specification: "Header", "Snapshots", "Bitmap directory".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "check.h"
#include "imgfmt/base/buf.h"

static int load_reftable(struct qcheck *c, struct err *e)
{
	uint64_t len = (uint64_t)c->h.reftable_clusters << c->h.cluster_bits;
	int rc;

	free(c->reftable);
	c->n_reftable = len / 8;
	c->reftable = array_alloc(c->n_reftable + 1, 8);
	if (!c->reftable)
		return fail(e, ENOMEM, "out of memory");
	rc = check_read(c, c->reftable, (size_t)len, c->h.reftable_offset);
	if (rc) {
		c->out->check_errors++;
		return fail_rc(e, rc, "Could not read the refcount table");
	}
	for (uint64_t i = 0; i < c->n_reftable; i++)
		c->reftable[i] = get_be64(&c->reftable[i]);
	return 0;
}

static bool snapshot_l1_ok(struct qcheck *c, const struct qcow2_snapshot *sn)
{
	bool aligned = !(sn->l1_offset & (c->h.cluster_size - 1));

	if (aligned && sn->l1_size <= QCOW2_MAX_L1_LEN / 8)
		return true;
	if (aligned)
		check_finding(c, &c->out->corruptions, 1,
			      "ERROR snapshot %s (%s) l1_size=0x%x: L1 table is "
			      "too large; snapshot table entry corrupted",
			      sn->id, sn->name, sn->l1_size);
	else
		check_finding(c, &c->out->corruptions, 1,
			      "ERROR snapshot %s (%s) l1_offset=0x%" PRIx64
			      ": L1 table is not cluster aligned; snapshot "
			      "table entry corrupted", sn->id, sn->name,
			      sn->l1_offset);
	return false;
}

static int load_snapshots(struct qcheck *c, struct err *e)
{
	int rc = qcow2_snapshots_read(c->file, &c->h, &c->snapshots,
				      &c->snapshots_len, e);

	if (rc) {
		c->out->check_errors++;
		return fail_prefix(e, rc, "ERROR failed to read the snapshot "
				   "table");
	}
	c->l1s = array_alloc((uint64_t)c->h.n_snapshots + 1, sizeof(*c->l1s));
	if (!c->l1s)
		return fail(e, ENOMEM, "out of memory");
	c->l1s[c->n_l1s++] = (struct span){
		c->h.l1_offset, (uint64_t)c->h.l1_size * 8, true
	};
	for (uint32_t i = 0; i < c->h.n_snapshots; i++) {
		const struct qcow2_snapshot *sn = &c->snapshots[i];

		if (c->h.version < 3 || sn->extra_len >= 16)
			continue;
		c->n_incomplete++;
		check_finding(c, &c->out->corruptions, 1, "%s snapshot table "
			      "entry %u is incomplete", c->out->fix_errors ?
			      "Repairing" : "ERROR", i);
	}
	if (c->h.n_snapshots && c->h.external_data)
		check_finding(c, &c->out->corruptions, 1, "ERROR %u snapshots "
			      "in image with data file", c->h.n_snapshots);
	for (uint32_t i = 0; i < c->h.n_snapshots; i++) {
		const struct qcow2_snapshot *sn = &c->snapshots[i];

		if (snapshot_l1_ok(c, sn))
			c->l1s[c->n_l1s++] = (struct span){
				sn->l1_offset, (uint64_t)sn->l1_size * 8, false
			};
	}
	return 0;
}

/* Bitmap directory entry: table offset (8), table entries (4), flags (4), type,
 * granularity_bits (1 each), length of the name (2), of the extra data (4), then
 * those two, padded to 8.
 */
static int load_bitmap(struct qcheck *c, uint64_t *pos)
{
	uint8_t p[24];
	uint64_t offset, size, next;
	int rc;

	if (!in_range(*pos, sizeof(p), c->h.bitmaps_len))
		return -EUCLEAN;
	rc = check_read(c, p, sizeof(p), c->h.bitmaps_offset + *pos);
	if (rc)
		return rc;
	offset = get_be64(p);
	size = get_be32(p + 8);
	next = *pos + round_up(sizeof(p) + get_be16(p + 18) +
			       (uint64_t)get_be32(p + 20), 8);
	if (next > c->h.bitmaps_len)
		return -EUCLEAN;
	*pos = next;
	if (!offset || offset & (c->h.cluster_size - 1) || !size ||
	    size > (512u << 20) >> c->h.cluster_bits) {
		check_finding(c, &c->out->corruptions, 1, "ERROR bitmap table "
			      "at 0x%" PRIx64 " of %" PRIu64 " entries is not "
			      "valid", offset, size);
		return 0;
	}
	c->bitmaps[c->n_bitmaps++] = (struct span){ offset, size * 8, false };
	return 0;
}

static int load_bitmaps(struct qcheck *c, struct err *e)
{
	uint64_t pos = 0;
	int rc = 0;

	if (!c->h.n_bitmaps)
		return 0;
	c->bitmaps = array_alloc(c->h.n_bitmaps, sizeof(*c->bitmaps));
	if (!c->bitmaps)
		return fail(e, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < c->h.n_bitmaps && !rc; i++)
		rc = load_bitmap(c, &pos);
	if (rc == -EUCLEAN || (!rc && pos != c->h.bitmaps_len)) {
		check_finding(c, &c->out->corruptions, 1,
			      "ERROR bitmap directory does not have %u entries "
			      "in %" PRIu64 " bytes", c->h.n_bitmaps,
			      c->h.bitmaps_len);
		rc = 0;
	}
	return rc ? fail_rc(e, rc, "Could not read the bitmap directory") : 0;
}

void check_unload(struct qcheck *c)
{
	qcow2_snapshots_free(c->snapshots, c->h.n_snapshots);
	qcow2_header_free(&c->h);
	window_free(&c->w);
	free(c->reftable);
	free(c->l1s);
	free(c->bitmaps);
	free(c->touched);
	free(c->l2s);
	free(c->l2_buf);
	free(c->chunk);
	guards_free(&c->guards);
	guards_free(&c->l1_guards);
	c->snapshots = NULL;
	c->reftable = NULL;
	c->l1s = c->bitmaps = NULL;
	c->touched = c->l2_buf = c->chunk = NULL;
	c->l2s = NULL;
	c->n_l1s = c->n_bitmaps = c->cap_l2s = 0;
	c->n_incomplete = 0;
	c->hole_end = c->data_end = 0;
}

static int load_buffers(struct qcheck *c, uint64_t window, struct err *e)
{
	uint64_t unit = 1ull << c->h.refblock_bits;

	c->window_len = max_u64(unit, round_down(window, unit));
	c->n_windows = div_round_up(c->table_clusters, c->window_len);
	c->touched = array_alloc(c->n_windows, 1);
	c->l2_buf = buf_alloc(c->h.cluster_size);
	c->chunk = buf_alloc(CHECK_CHUNK);
	if (!c->touched || !c->l2_buf || !c->chunk)
		return fail(e, ENOMEM, "out of memory");
	return window_alloc(c, e);
}

int check_load(struct qcheck *c, struct err *e)
{
	int rc;

	check_unload(c);
	rc = qcow2_header_read(c->file, IMG_REPAIR | IMG_NO_DATA, &c->h, e);
	if (rc)
		return rc;
	if (!round_up_ok(img_length(c->file), 512, &c->file_len))
		c->file_len = UINT64_MAX;
	c->n_clusters = div_round_up(c->file_len, c->h.cluster_size);
	if (c->n_clusters > INT32_MAX) {
		c->out->check_errors++;
		return fail(e, EFBIG, "the file has %" PRIu64 " clusters, at "
			    "most %d can be checked", c->n_clusters, INT32_MAX);
	}
	c->table_clusters = c->n_clusters + 2 + c->room_for;
	rc = load_reftable(c, e);
	if (!rc)
		rc = load_snapshots(c, e);
	if (!rc)
		rc = load_bitmaps(c, e);
	return rc ? rc : load_buffers(c, c->window_wanted, e);
}
