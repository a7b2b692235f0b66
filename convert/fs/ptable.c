/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptable.c - which kind of partition table is there, and what holds for both:
 * partitions lie on the disk and do not overlap.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ptable_parts.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

void ptable_note(struct ptable *t, const char *fmt, ...)
{
	size_t n = strlen(t->note.text);
	va_list ap;

	if (n && n + 2 < sizeof(t->note.text)) {
		memcpy(t->note.text + n, "; ", 3);
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(t->note.text + n, sizeof(t->note.text) - n, fmt, ap);
	va_end(ap);
}

int ptable_add(struct ptable *t, uint64_t disk_size, const struct partition *p,
	       struct err *e)
{
	struct partition *grown;

	if (!in_range(p->offset, p->len, disk_size))
		return fail(e, EUCLEAN, "partition %u has %llu bytes at %llu, "
			    "beyond the disk's %llu", p->number,
			    (unsigned long long)p->len,
			    (unsigned long long)p->offset,
			    (unsigned long long)disk_size);
	if (t->n == PTABLE_MAX_PARTITIONS)
		return fail(e, ENOTSUP, "there are more than %u partitions",
			    PTABLE_MAX_PARTITIONS);
	/* A power of two more each time that the number reaches one. */
	if (!(t->n & (t->n - 1))) {
		grown = reallocarray(t->partitions, t->n ? t->n * 2 : 1,
				     sizeof(*grown));
		if (!grown)
			return fail(e, ENOMEM, "out of memory");
		t->partitions = grown;
	}
	t->partitions[t->n++] = *p;
	return 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct partition *x = *(const struct partition *const *)a;
	const struct partition *y = *(const struct partition *const *)b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Extended partitions hold others. */
static int check_overlaps(const struct ptable *t, struct err *e)
{
	const struct partition **sorted = array_alloc(t->n + 1,
						      sizeof(*sorted));
	size_t n = 0;
	int rc = 0;

	if (!sorted)
		return fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < t->n; i++)
		if (!t->partitions[i].extended)
			sorted[n++] = &t->partitions[i];
	qsort(sorted, n, sizeof(*sorted), by_offset);
	for (size_t i = 1; i < n && !rc; i++)
		if (sorted[i]->offset - sorted[i - 1]->offset <
		    sorted[i - 1]->len)
			rc = fail(e, EUCLEAN, "partitions %u and %u overlap",
				  sorted[i - 1]->number, sorted[i]->number);
	free(sorted);
	return rc;
}

static bool has_protective(const uint8_t *mbr)
{
	for (unsigned i = 0; i < 4; i++)
		if (mbr[446 + 16 * i + 4] == 0xee)
			return true;
	return false;
}

/* A GPT whose sector 0 is lost is none, for Linux and for the firmware. */
static int read_table(struct img *disk, struct ptable *t, struct err *e)
{
	uint8_t mbr[512];
	int rc;

	if (img_size(disk) < sizeof(mbr))
		return 0;
	rc = img_read(disk, mbr, sizeof(mbr), 0);
	if (rc)
		return fail_rc(e, rc, "reading the partition table");
	if (get_le16(mbr + 510) != 0xaa55)
		return 0;
	if (has_protective(mbr))
		return ptable_read_gpt(disk, t, e);
	rc = ptable_read_mbr(disk, mbr, t, e);
	if (!rc && t->kind == PTABLE_MBR && ptable_has_gpt(disk))
		ptable_note(t, "there is a GPT too, but the MBR does not "
			    "announce it: as Linux does, only the MBR is used");
	return rc;
}

int ptable_read(struct img *disk, struct ptable *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	out->sector_size = 512;
	rc = read_table(disk, out, e);
	return rc ? rc : check_overlaps(out, e);
}

void ptable_fini(struct ptable *t)
{
	free(t->partitions);
	t->partitions = NULL;
	t->n = 0;
}
