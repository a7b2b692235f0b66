/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshot.c - the table of internal snapshots.  Specification: "Snapshots".
 *
 * An entry, padded to 8 bytes:
 *
 *   offset size
 *      0    8   L1 table of the snapshot, host offset
 *      8    4   its entries
 *     12    2   length of the id
 *     14    2   length of the name
 *     16    4   date, seconds
 *     20    4   date, nanoseconds
 *     24    8   clock of the guest, nanoseconds
 *     32    4   size of the VM state, bytes
 *     36    4   length of the extra data
 *     40    -   extra data: VM state size (8), disk size (8), icount (8)
 *      -    -   id, name, neither with a NUL
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "qcow2.h"

#define FIXED_LEN 40u

struct reader {
	struct img *below;
	const struct qcow2_header *h;
	uint64_t file_len;
	uint64_t pos;			/* from the table's start */
	uint8_t *text;			/* room for extra data, id and name */
	size_t cap;
};

static int read_at(const struct reader *r, void *buf, size_t len, uint64_t pos,
		   struct err *e)
{
	uint64_t offset;
	int rc;

	if (!add_ok(r->h->snapshots_offset, pos, &offset) ||
	    !in_range(offset, len, r->file_len))
		return fail(e, EUCLEAN, "the snapshot table at offset 0x%" PRIx64
			    " goes on behind the end of the file",
			    r->h->snapshots_offset);
	rc = img_read(r->below, buf, len, offset);
	return rc ? fail_rc(e, rc, "Could not read the snapshot table") : 0;
}

static void decode_fixed(const uint8_t *p, struct qcow2_snapshot *sn)
{
	sn->l1_offset = get_be64(p);
	sn->l1_size = get_be32(p + 8);
	sn->date_sec = get_be32(p + 16);
	sn->date_nsec = get_be32(p + 20);
	sn->vm_clock_nsec = get_be64(p + 24);
	sn->vm_state_size = get_be32(p + 32);
	sn->extra_len = get_be32(p + 36);
	sn->icount = UINT64_MAX;
}

static void decode_extra(const struct qcow2_header *h, const uint8_t *p,
			 struct qcow2_snapshot *sn)
{
	sn->disk_size = h->size;
	if (sn->extra_len >= 8)
		sn->vm_state_size = get_be64(p);
	if (sn->extra_len >= 16)
		sn->disk_size = get_be64(p + 8);
	if (sn->extra_len >= 24)
		sn->icount = get_be64(p + 16);
}

static int read_one(struct reader *r, uint32_t i, struct qcow2_snapshot *sn,
		    struct err *e)
{
	uint8_t fixed[FIXED_LEN];
	size_t id_len, name_len, len;
	int rc;

	rc = read_at(r, fixed, sizeof(fixed), r->pos, e);
	if (rc)
		return rc;
	decode_fixed(fixed, sn);
	if (sn->extra_len > QCOW2_MAX_SNAPSHOT_EXTRA)
		return fail(e, EUCLEAN, "Too much extra metadata in snapshot "
			    "table entry %u: %u bytes, at most %u are allowed",
			    i, sn->extra_len, QCOW2_MAX_SNAPSHOT_EXTRA);
	id_len = get_be16(fixed + 12);
	name_len = get_be16(fixed + 14);
	len = sn->extra_len + id_len + name_len;
	if (array_grow(&r->text, &r->cap, len + 1, 1))
		return fail(e, ENOMEM, "out of memory");
	rc = len ? read_at(r, r->text, len, r->pos + FIXED_LEN, e) : 0;
	if (rc)
		return rc;
	decode_extra(r->h, r->text, sn);
	sn->id = strndup((char *)r->text + sn->extra_len, id_len);
	sn->name = strndup((char *)r->text + sn->extra_len + id_len, name_len);
	if (!sn->id || !sn->name)
		return fail(e, ENOMEM, "out of memory");
	r->pos = round_up(r->pos + FIXED_LEN + len, 8);
	if (r->pos > QCOW2_MAX_SNAPSHOT_TABLE_LEN)
		return fail(e, EFBIG, "Snapshot table is too large: more than "
			    "%u bytes", QCOW2_MAX_SNAPSHOT_TABLE_LEN);
	return 0;
}

static int read_all(struct reader *r, struct qcow2_snapshot *list,
		    struct err *e)
{
	int rc = 0;

	for (uint32_t i = 0; i < r->h->n_snapshots && !rc; i++)
		rc = read_one(r, i, &list[i], e);
	return rc;
}

int qcow2_snapshots_read(struct img *below, const struct qcow2_header *h,
			 struct qcow2_snapshot **list, uint64_t *table_len,
			 struct err *e)
{
	struct reader r = {
		.below = below, .h = h, .file_len = img_length(below),
	};
	struct qcow2_snapshot *all;
	int rc;

	*list = NULL;
	*table_len = 0;
	if (!h->n_snapshots)
		return 0;
	if (h->n_snapshots > QCOW2_MAX_SNAPSHOTS)
		return fail(e, EFBIG, "Snapshot table too large: %u snapshots, "
			    "at most %u are allowed", h->n_snapshots,
			    QCOW2_MAX_SNAPSHOTS);
	rc = qcow2_table_check(h, h->snapshots_offset, h->n_snapshots,
			       FIXED_LEN, QCOW2_MAX_SNAPSHOT_TABLE_LEN,
			       r.file_len, "Snapshot table", e);
	if (rc)
		return rc;
	all = array_alloc(h->n_snapshots, sizeof(*all));
	if (!all)
		return fail(e, ENOMEM, "out of memory");
	rc = read_all(&r, all, e);
	free(r.text);
	if (rc) {
		qcow2_snapshots_free(all, h->n_snapshots);
		return rc;
	}
	*list = all;
	*table_len = r.pos;
	return 0;
}

void qcow2_snapshots_free(struct qcow2_snapshot *list, uint32_t n)
{
	for (uint32_t i = 0; list && i < n; i++) {
		free(list[i].id);
		free(list[i].name);
	}
	free(list);
}
