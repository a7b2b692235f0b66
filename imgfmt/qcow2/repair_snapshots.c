/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* repair_snapshots.c - a snapshot table in which every entry has the extra data
 * that version 3 demands.  Specification: "Snapshots"; the layout of an entry
 * stands in snapshot.c.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "imgfmt/base/buf.h"

#define FIXED_LEN 40u
#define EXTRA_LEN 16u		/* size of the VM state, size of the disk */

/* Copies entry `i` from `*pos` of the old table; unknown extra data stays. */
static int copy_entry(struct qcheck *c, struct new_table *t,
		      const struct qcow2_snapshot *sn, uint64_t *pos)
{
	size_t missing = sn->extra_len < EXTRA_LEN ?
			 EXTRA_LEN - sn->extra_len : 0;
	size_t names, old, room;
	uint8_t *p;
	int rc;

	if (array_grow(&t->data, &t->cap, t->len + FIXED_LEN, 1))
		return -ENOMEM;
	p = t->data + t->len;
	rc = check_read(c, p, FIXED_LEN, c->h.snapshots_offset + *pos);
	if (rc)
		return rc;
	names = (size_t)get_be16(p + 12) + get_be16(p + 14);
	old = FIXED_LEN + sn->extra_len + names;
	room = (size_t)round_up(old + missing, 8);
	if (array_grow(&t->data, &t->cap, t->len + room, 1))
		return -ENOMEM;
	p = t->data + t->len;
	memset(p, 0, room);
	rc = check_read(c, p, FIXED_LEN + sn->extra_len,
			c->h.snapshots_offset + *pos);
	if (!rc && names)
		rc = check_read(c, p + FIXED_LEN + sn->extra_len + missing,
				names, c->h.snapshots_offset + *pos +
				FIXED_LEN + sn->extra_len);
	if (rc)
		return rc;
	if (missing) {
		put_be32(p + 36, EXTRA_LEN);
		put_be64(p + FIXED_LEN, sn->vm_state_size);
		put_be64(p + FIXED_LEN + 8, sn->disk_size);
	}
	t->len += room;
	*pos += round_up(old, 8);
	return 0;
}

int check_new_snapshots(struct qcheck *c, struct new_table *t, struct err *e)
{
	uint64_t pos = 0;
	int rc = 0;

	t->len = 0;
	for (uint32_t i = 0; i < c->h.n_snapshots && !rc; i++)
		rc = copy_entry(c, t, &c->snapshots[i], &pos);
	if (rc)
		return fail_rc(e, rc, "the snapshot table could not be copied");
	if (t->len > QCOW2_MAX_SNAPSHOT_TABLE_LEN)
		return fail(e, EFBIG, "the repaired snapshot table would be "
			    "too large: %zu bytes, at most %u are allowed",
			    t->len, QCOW2_MAX_SNAPSHOT_TABLE_LEN);
	return 0;
}
