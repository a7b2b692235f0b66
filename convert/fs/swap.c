/* SPDX-License-Identifier: GPL-2.0-or-later */
/* swap.c - Linux swap: who it is, and whether a suspended system lies in it.
 *
 * The signature ends the first page, whose size is the machine's; the header is at
 * 1024: 0 version (1, in the machine's byte order), 4 last page, 12 UUID, 28 label
 * of 16 bytes.  A suspended system changes the signature only.
 */
#include <errno.h>
#include <string.h>

#include "convert/fs/driver.h"
#include "imgfmt/base/bytes.h"

#define SIGNATURE FS_SWAP_SIGNATURE

bool fs_is_hibernated(const uint8_t *s)
{
	static const char *const known[] = {
		"S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001",
		"\xed\xc3\x02\xe9\x98\x56\xe5\x0c",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!memcmp(s, known[i], strlen(known[i])))
			return true;
	return false;
}

static void get_header(struct fs *fs, const uint8_t *h, uint32_t page)
{
	uint32_t version = get_le32(h), last = get_le32(h + 4);

	if (version != 1) {
		version = get_be32(h);
		last = get_be32(h + 4);
	}
	if (version != 1)
		return;
	fs->id.block_size = page;
	fs->id.size = ((uint64_t)last + 1) * page;
	if (!bytes_are_zero(h + 12, 16))
		fs_uuid_text(h + 12, fs->id.uuid);
	memcpy(fs->id.label, h + 28, 16);
	fs->id.label[16] = 0;
}

static int open_swap(struct fs *fs, struct err *e)
{
	uint8_t s[SIGNATURE], header[44];
	int rc;

	for (uint32_t page = 4096; page <= 65536; page *= 2) {
		if (img_size(fs->volume) < page)
			return -EUCLEAN;
		rc = img_read(fs->volume, s, sizeof(s), page - SIGNATURE);
		if (!rc)
			rc = img_read(fs->volume, header, sizeof(header), 1024);
		if (rc)
			return fail_rc(e, rc, "reading the swap header");
		fs->id.hibernated = fs_is_hibernated(s);
		if (!fs->id.hibernated && memcmp(s, "SWAPSPACE2", 10) &&
		    memcmp(s, "SWAP-SPACE", 10))
			continue;
		strcpy(fs->id.type, "swap");
		get_header(fs, header, page);
		return 0;
	}
	return -EUCLEAN;
}

static void close_swap(struct fs *fs)
{
	(void)fs;
}

const struct fs_driver fs_swap_driver = {
	.open = open_swap,
	.close = close_swap,
};
