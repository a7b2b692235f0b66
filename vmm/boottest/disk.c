/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk.c - what kind of disk is it, to say why it does not boot?  MBR; UEFI 2.10,
 * chapter 5 (GPT); ECMA-119 and El Torito 1.0 (CDs).
 */
#include "vmm/boottest/verdict.h"

#include <string.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/imgfmt.h"

#define SECTOR		512u
#define BOOT_CODE	440u	/* bytes of it in an MBR */
#define MBR_TABLE	446u
#define TYPE_EFI	0xefu
#define TYPE_GPT	0xeeu
#define ZERO_PROBE	(1u << 20)

#define GPT_ENTRIES_LBA	72u
#define GPT_N_ENTRIES	80u
#define GPT_ENTRY_SIZE	84u
#define GPT_MAX_ENTRIES	128u

#define CD_SECTOR	2048u
#define CD_PVD		16u
#define CD_BOOT_RECORD	17u

/* As stored: EFI system partition, BIOS boot partition. */
static const uint8_t guid_esp[16] = {
	0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
	0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
};
static const uint8_t guid_bios[16] = {
	0x48, 0x61, 0x68, 0x21, 0x49, 0x64, 0x6f, 0x6e,
	0x74, 0x4e, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49,
};

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

/* What cannot be read is zeroes: the guest sees the error. */
static void read_at(struct img *img, uint64_t offset, void *buf, size_t len)
{
	memset(buf, 0, len);
	if (in_range(offset, len, img_size(img)) &&
	    img_read(img, buf, len, offset))
		memset(buf, 0, len);
}

static bool starts_empty(struct img *img)
{
	uint64_t end = min_u64(img_size(img), ZERO_PROBE);
	uint8_t piece[4096];

	for (uint64_t at = 0; at + sizeof(piece) <= end; at += sizeof(piece)) {
		read_at(img, at, piece, sizeof(piece));
		if (!is_zero(piece, sizeof(piece)))
			return false;
	}
	return true;
}

static void look_at_gpt(struct img *img, struct disk_kind *kind)
{
	uint8_t head[SECTOR], entry[128];
	uint64_t at;
	uint32_t n, size;

	read_at(img, SECTOR, head, sizeof(head));
	if (memcmp(head, "EFI PART", 8))
		return;
	kind->gpt = true;
	n = get_le32(head + GPT_N_ENTRIES);
	size = get_le32(head + GPT_ENTRY_SIZE);
	if (size < sizeof(entry) || size > SECTOR ||
	    !mul_ok(get_le64(head + GPT_ENTRIES_LBA), SECTOR, &at))
		return;
	for (uint32_t i = 0; i < n && i < GPT_MAX_ENTRIES; i++) {
		uint64_t here;

		if (!add_ok(at, (uint64_t)i * size, &here))
			return;
		read_at(img, here, entry, sizeof(entry));
		kind->esp |= !memcmp(entry, guid_esp, sizeof(guid_esp));
		kind->bios_boot |= !memcmp(entry, guid_bios, sizeof(guid_bios));
	}
}

void disk_look(struct img *img, struct disk_kind *kind)
{
	uint8_t mbr[SECTOR], cd[64];

	memset(kind, 0, sizeof(*kind));
	read_at(img, 0, mbr, sizeof(mbr));
	kind->signature = mbr[510] == 0x55 && mbr[511] == 0xaa;
	kind->code = !is_zero(mbr, BOOT_CODE);
	for (unsigned i = 0; kind->signature && i < 4; i++) {
		unsigned type = mbr[MBR_TABLE + 16 * i + 4];

		kind->partitions |= type;
		kind->esp |= type == TYPE_EFI;
	}
	look_at_gpt(img, kind);
	read_at(img, CD_PVD * CD_SECTOR, cd, sizeof(cd));
	kind->cd = !memcmp(cd + 1, "CD001", 5);
	read_at(img, CD_BOOT_RECORD * CD_SECTOR, cd, sizeof(cd));
	kind->el_torito = kind->cd && !memcmp(cd + 1, "CD001", 5) &&
		!memcmp(cd + 7, "EL TORITO SPECIFICATION", 23);
	kind->empty = !kind->signature && !kind->code && starts_empty(img);
}

enum boot_cause disk_cause(const struct disk_kind *kind, enum boot_cause other)
{
	if (kind->el_torito && (!kind->signature || !kind->code))
		return CAUSE_CD_IMAGE;
	if (kind->esp && !kind->bios_boot && (!kind->code || kind->gpt))
		return CAUSE_UEFI_ONLY;
	if (kind->empty)
		return CAUSE_EMPTY_DISK;
	if (!kind->code || !kind->signature)
		return CAUSE_NO_BOOT_CODE;
	return other;
}
