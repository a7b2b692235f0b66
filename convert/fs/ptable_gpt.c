/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptable_gpt.c - the GPT: UEFI specification 2.10, section 5.3.
 *
 * Header, in sector 1 and, the backup, in the last one:
 *
 *	0	8	"EFI PART"		48	8	last usable sector
 *	8	4	revision		56	16	disk GUID
 *	12	4	header's size		72	8	sector of the entries
 *	16	4	CRC-32 of the header	80	4	number of entries
 *	24	8	this header's sector	84	4	size of an entry
 *	32	8	the other's sector	88	4	CRC-32 of the entries
 *	40	8	first usable sector
 *
 * Entry: 0 type GUID (zero: unused), 16 its GUID, 32 first and 40 last sector,
 * 48 attributes (bit 2: legacy BIOS bootable), 56 name, 36 units of UTF-16LE.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "convert/fs/ptable_parts.h"
#include "convert/fs/utf16.h"
#include "imgfmt/base/bytes.h"

/* Products write 128 entries of 128 bytes; this is 256 times as much. */
#define MAX_ENTRIES_LEN (4u << 20)

struct gpt {
	uint32_t sector;	/* bytes */
	uint64_t lba, other;	/* sectors of this header and of the other one */
	uint8_t disk_guid[16];
	uint64_t entries_at;	/* bytes */
	uint32_t n_entries, entry_size;
	uint8_t *entries;
};

static uint32_t crc(const void *p, size_t len)
{
	return (uint32_t)crc32(0, p, (uInt)len);
}

/* A GUID's first three fields are little-endian. */
static void guid_text(const uint8_t *g, char out[37])
{
	snprintf(out, 37, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 get_le32(g), get_le16(g + 4), get_le16(g + 6), g[8], g[9],
		 g[10], g[11], g[12], g[13], g[14], g[15]);
}

static int check_header(const uint8_t *h, struct gpt *g, uint64_t disk_size,
			struct err *e)
{
	uint32_t size = get_le32(h + 12), want = get_le32(h + 16);
	uint8_t copy[4096];

	if (memcmp(h, "EFI PART", 8))
		return fail(e, EUCLEAN, "there is no GPT header in sector %llu",
			    (unsigned long long)g->lba);
	if (size < 92 || size > g->sector)
		return fail(e, EUCLEAN, "the GPT header has %u bytes, must be "
			    "92 to %u", size, g->sector);
	memcpy(copy, h, size);
	memset(copy + 16, 0, 4);
	if (crc(copy, size) != want)
		return fail(e, EUCLEAN, "the checksum of the GPT header in "
			    "sector %llu is wrong", (unsigned long long)g->lba);
	if (get_le64(h + 24) != g->lba)
		return fail(e, EUCLEAN, "the GPT header in sector %llu says that "
			    "it is in sector %llu", (unsigned long long)g->lba,
			    (unsigned long long)get_le64(h + 24));
	g->other = get_le64(h + 32);
	memcpy(g->disk_guid, h + 56, 16);
	g->n_entries = get_le32(h + 80);
	g->entry_size = get_le32(h + 84);
	if (g->entry_size < 128 || !is_pow2(g->entry_size) ||
	    (uint64_t)g->n_entries * g->entry_size > MAX_ENTRIES_LEN)
		return fail(e, EUCLEAN, "the GPT has %u entries of %u bytes, must "
			    "be a power of two from 128 and %u bytes in all",
			    g->n_entries, g->entry_size, MAX_ENTRIES_LEN);
	if (!mul_ok(get_le64(h + 72), g->sector, &g->entries_at) ||
	    !in_range(g->entries_at, (uint64_t)g->n_entries * g->entry_size,
		      disk_size))
		return fail(e, EUCLEAN, "the GPT's entries are in sector %llu, "
			    "beyond the disk",
			    (unsigned long long)get_le64(h + 72));
	return 0;
}

/* The copy whose header is in sector `lba`: -EUCLEAN if it cannot be trusted. */
static int read_copy(struct img *disk, uint32_t sector, uint64_t lba,
		     struct gpt *g, struct err *e)
{
	uint8_t h[4096];
	uint64_t at;
	size_t len;
	int rc;

	*g = (struct gpt){ .sector = sector, .lba = lba };
	if (!mul_ok(lba, sector, &at) || !in_range(at, sector, img_size(disk)))
		return fail(e, EUCLEAN, "the GPT's sector %llu is beyond the disk",
			    (unsigned long long)lba);
	rc = img_read(disk, h, sector, at);
	if (rc)
		return fail_rc(e, rc, "reading the GPT header");
	rc = check_header(h, g, img_size(disk), e);
	if (rc)
		return rc;
	len = (size_t)g->n_entries * g->entry_size;
	g->entries = malloc(len ? len : 1);
	if (!g->entries)
		return fail(e, ENOMEM, "out of memory");
	rc = len ? img_read(disk, g->entries, len, g->entries_at) : 0;
	if (rc)
		return fail_rc(e, rc, "reading the GPT's entries");
	if (crc(g->entries, len) != get_le32(h + 88))
		return fail(e, EUCLEAN, "the checksum of the GPT's entries in "
			    "sector %llu is wrong",
			    (unsigned long long)get_le64(h + 72));
	return 0;
}

static int add_entry(struct img *disk, struct ptable *t, const struct gpt *g,
		     uint32_t i, struct err *e)
{
	const uint8_t *p = g->entries + (size_t)i * g->entry_size;
	uint64_t first = get_le64(p + 32), last = get_le64(p + 40);
	struct partition part = { .number = i + 1, .active = p[48] & 4 };

	if (bytes_are_zero(p, 16))
		return 0;
	if (last < first || last == UINT64_MAX)
		return fail(e, EUCLEAN, "partition %u ends in sector %llu and "
			    "begins in sector %llu", i + 1,
			    (unsigned long long)last,
			    (unsigned long long)first);
	if (!mul_ok(first, g->sector, &part.offset) ||
	    !mul_ok(last - first + 1, g->sector, &part.len))
		return fail(e, EUCLEAN, "partition %u has the sectors %llu to "
			    "%llu, beyond the disk", i + 1,
			    (unsigned long long)first,
			    (unsigned long long)last);
	guid_text(p, part.type_guid);
	guid_text(p + 16, part.partuuid);
	utf16_text(p + 56, 36, part.name);
	return ptable_add(t, img_size(disk), &part, e);
}

/* The primary copy, of disks with sectors of either size; then the backup. */
static int find_copy(struct img *disk, struct gpt *g, struct ptable *t,
		     struct err *e)
{
	static const uint32_t sectors[] = { 512, 4096 };
	struct err why[2], other;
	int rc[2];

	for (unsigned i = 0; i < 2; i++) {
		rc[i] = read_copy(disk, sectors[i], 1, g, &why[i]);
		if (!rc[i])
			return 0;
		free(g->entries);
	}
	/* The sentence of the size that has a header, or cannot be read. */
	*e = rc[0] != -EUCLEAN || ptable_has_gpt(disk) ? why[0] : why[1];
	for (unsigned i = 0; i < 2; i++) {
		uint64_t n = img_size(disk) / sectors[i];

		if (!read_copy(disk, sectors[i], n ? n - 1 : 0, g, &other)) {
			ptable_note(t, "%s: the backup copy of the GPT is used",
				    e->text);
			return 0;
		}
		free(g->entries);
		g->entries = NULL;
	}
	return fail_prefix(e, rc[0], "neither copy of the GPT can be read");
}

/* Linux does not miss the backup, but who repairs the table does. */
static int look_at_backup(struct img *disk, const struct gpt *g,
			  struct ptable *t)
{
	struct gpt backup;
	struct err e;
	int rc;

	if (g->lba != 1)
		return 0;
	rc = read_copy(disk, g->sector, g->other, &backup, &e);
	free(backup.entries);
	if (rc == -EUCLEAN)
		ptable_note(t, "the backup copy of the GPT cannot be used: %s",
			    e.text);
	else if (!rc && g->other != img_size(disk) / g->sector - 1)
		ptable_note(t, "the backup copy of the GPT is not at the disk's "
			    "end: the disk was made larger");
	return rc == -ENOMEM ? rc : 0;
}

int ptable_read_gpt(struct img *disk, struct ptable *t, struct err *e)
{
	struct gpt g = { 0 };
	struct err why = { "" };
	int rc;

	rc = find_copy(disk, &g, t, &why);
	if (rc) {
		if (e)
			*e = why;
		goto out;
	}
	t->kind = PTABLE_GPT;
	t->sector_size = g.sector;
	guid_text(g.disk_guid, t->uuid);
	rc = look_at_backup(disk, &g, t);
	if (rc)
		fail(e, -rc, "out of memory");
	for (uint32_t i = 0; i < g.n_entries && !rc; i++)
		rc = add_entry(disk, t, &g, i, e);
out:
	free(g.entries);
	return rc;
}

bool ptable_has_gpt(struct img *disk)
{
	char magic[8];

	return img_size(disk) >= 1024 && !img_read(disk, magic, 8, 512) &&
	       !memcmp(magic, "EFI PART", 8);
}
