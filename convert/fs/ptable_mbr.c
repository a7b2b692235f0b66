/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptable_mbr.c - the MBR, and the chain of EBRs with the logical partitions.
 *
 *	0x1b8	4	disk signature
 *	0x1be	4*16	entries: 0 boot flag (0 or 0x80), 4 type, 8 first sector,
 *			12 number of sectors, little-endian
 *	0x1fe	2	0x55 0xaa
 *
 * An EBR looks the same: its first entry is a logical partition, counted from
 * the EBR; its second the next EBR, counted from the extended partition.  Read
 * as Linux does (block/partitions/msdos.c), so that the numbers are the same.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "convert/fs/ptable_parts.h"
#include "imgfmt/base/bytes.h"

#define SECTOR 512u

static bool is_extended(uint8_t type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

struct entry {
	uint64_t start, len;	/* bytes */
	uint8_t flag, type;
};

static struct entry get_entry(const uint8_t *sector, unsigned i)
{
	const uint8_t *p = sector + 446 + 16 * i;

	return (struct entry){
		.flag = p[0], .type = p[4],
		.start = (uint64_t)get_le32(p + 8) * SECTOR,
		.len = (uint64_t)get_le32(p + 12) * SECTOR,
	};
}

/* A FAT or NTFS boot sector has the signature too. */
static bool is_boot_sector(const uint8_t *s)
{
	uint16_t bytes = get_le16(s + 11);

	return (s[0] == 0xeb || s[0] == 0xe9) && is_pow2(bytes) &&
	       bytes >= 512 && is_pow2(s[13]) &&
	       (s[21] == 0xf0 || s[21] >= 0xf8);
}

/* Is it a table at all?  A file system on the whole disk may have any bytes
 * where the entries would be, or none.
 */
static int is_table(struct img *disk, const uint8_t *mbr, bool *is)
{
	uint8_t magic[2] = { 0 };
	bool empty = true;
	int rc = 0;

	*is = true;
	for (unsigned i = 0; i < 4; i++) {
		struct entry en = get_entry(mbr, i);

		if (en.flag & 0x7f)
			*is = false;
		if (en.len)
			empty = false;
	}
	if (!*is || !empty)
		return 0;
	if (img_size(disk) >= 2048)
		rc = img_read(disk, magic, sizeof(magic), 1024 + 56);
	*is = !is_boot_sector(mbr) && get_le16(magic) != 0xef53;
	return rc;
}

static int add(struct img *disk, struct ptable *t, unsigned number,
	       const struct entry *en, struct err *e)
{
	struct partition p = {
		.number = number, .offset = en->start, .len = en->len,
		.mbr_type = en->type, .active = en->flag & 0x80,
		.extended = is_extended(en->type),
	};

	if (t->uuid[0])
		snprintf(p.partuuid, sizeof(p.partuuid), "%.8s-%02x",
			 t->uuid, number & 0xffff);
	return ptable_add(t, img_size(disk), &p, e);
}

/* The EBRs that were read, so that a chain which comes back is seen. */
struct chain {
	const struct entry *ext;	/* the extended partition */
	uint64_t seen[PTABLE_MAX_PARTITIONS];
	unsigned n;
	unsigned *number;		/* of the last logical partition */
};

static int read_ebr(struct img *disk, struct chain *c, uint64_t at,
		    uint8_t *ebr, struct err *e)
{
	int rc;

	for (unsigned i = 0; i < c->n; i++)
		if (c->seen[i] == at)
			return fail(e, EUCLEAN, "the chain of logical partitions "
				    "comes back to sector %llu",
				    (unsigned long long)(at / SECTOR));
	if (c->n == PTABLE_MAX_PARTITIONS)
		return fail(e, ENOTSUP, "there are more than %u EBRs",
			    PTABLE_MAX_PARTITIONS);
	if (!in_range(at, SECTOR, img_size(disk)))
		return fail(e, EUCLEAN, "an EBR is in sector %llu, beyond the "
			    "disk's %llu", (unsigned long long)(at / SECTOR),
			    (unsigned long long)(img_size(disk) / SECTOR));
	c->seen[c->n++] = at;
	rc = img_read(disk, ebr, SECTOR, at);
	if (rc)
		return fail_rc(e, rc, "reading the EBR in sector %llu",
			       (unsigned long long)(at / SECTOR));
	return 0;
}

/* The logical partitions of one EBR.  Its third and fourth entry are no part of
 * the chain; Linux takes them when they lie inside.
 */
static int add_logical(struct img *disk, struct ptable *t, struct chain *c,
		       uint64_t at, const uint8_t *ebr, struct err *e)
{
	for (unsigned i = 0; i < 4; i++) {
		struct entry en = get_entry(ebr, i);
		bool inside;
		int rc;

		if (!en.len || is_extended(en.type))
			continue;
		en.start += at;
		inside = en.start >= c->ext->start &&
			 in_range(en.start - c->ext->start, en.len, c->ext->len);
		if (i >= 2 && !inside)
			continue;
		rc = add(disk, t, ++*c->number, &en, e);
		if (rc)
			return rc;
		if (!inside)
			ptable_note(t, "partition %u reaches out of the extended "
				    "partition", *c->number);
	}
	return 0;
}

/* False: the chain ends here. */
static bool next_ebr(const struct chain *c, const uint8_t *ebr, uint64_t *at)
{
	for (unsigned i = 0; i < 4; i++) {
		struct entry en = get_entry(ebr, i);

		if (en.len && is_extended(en.type)) {
			*at = c->ext->start + en.start;
			return true;
		}
	}
	return false;
}

static int read_chain(struct img *disk, struct ptable *t,
		      const struct entry *ext, unsigned *number, struct err *e)
{
	struct chain c = { .ext = ext, .number = number };
	uint64_t at = ext->start;
	uint8_t ebr[SECTOR];
	int rc;

	do {
		rc = read_ebr(disk, &c, at, ebr, e);
		if (rc)
			return rc;
		if (get_le16(ebr + 510) != 0xaa55) {
			ptable_note(t, "the EBR in sector %llu has no signature: "
				    "the logical partitions end there",
				    (unsigned long long)(at / SECTOR));
			return 0;
		}
		rc = add_logical(disk, t, &c, at, ebr, e);
		if (rc)
			return rc;
	} while (next_ebr(&c, ebr, &at));
	return 0;
}

int ptable_read_mbr(struct img *disk, const uint8_t *mbr, struct ptable *t,
		    struct err *e)
{
	uint32_t signature = get_le32(mbr + 0x1b8);
	unsigned logical = 4;
	bool is;
	int rc = is_table(disk, mbr, &is);

	if (rc)
		return fail_rc(e, rc, "reading the partition table");
	if (!is)
		return 0;
	t->kind = PTABLE_MBR;
	if (signature)
		snprintf(t->uuid, sizeof(t->uuid), "%08x", signature);
	for (unsigned i = 0; i < 4 && !rc; i++) {
		struct entry en = get_entry(mbr, i);

		if (en.len)
			rc = add(disk, t, i + 1, &en, e);
	}
	for (unsigned i = 0; i < 4 && !rc; i++) {
		struct entry en = get_entry(mbr, i);

		if (en.len && is_extended(en.type))
			rc = read_chain(disk, t, &en, &logical, e);
	}
	return rc;
}
