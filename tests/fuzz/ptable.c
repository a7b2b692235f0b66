/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptable.c - the input is a small disk: read its partition table.  The first byte
 * says whether checksums are mended, so that more than those is looked at.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "convert/fs/ptable.h"
#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fuzzdisk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void mend(uint8_t *h, uint8_t *disk, size_t len)
{
	uint32_t sector = (uint32_t)(h - disk), size = get_le32(h + 12);
	uint64_t at = get_le64(h + 72) * sector;
	uint64_t n = (uint64_t)get_le32(h + 80) * get_le32(h + 84);

	if (at < len && n <= len - at)
		put_le32(h + 88, (uint32_t)crc32(0, disk + at, (uInt)n));
	if (size < 92 || size > sector)
		return;
	put_le32(h + 16, 0);
	put_le32(h + 16, (uint32_t)crc32(0, h, size));
}

static void check_table(const struct ptable *t, uint64_t size)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct partition *p = &t->partitions[i];

		CHECK(p->len && in_range(p->offset, p->len, size));
		CHECK(strlen(p->name) < sizeof(p->name));
		for (size_t k = 0; k < i; k++) {
			const struct partition *q = &t->partitions[k];

			CHECK(p->extended || q->extended ||
			      p->offset >= q->offset + q->len ||
			      q->offset >= p->offset + p->len);
		}
	}
	CHECK(t->n <= PTABLE_MAX_PARTITIONS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err e = { "" };
	struct ptable t;
	struct img *img;
	uint8_t *disk;
	int rc;

	if (!len || !(disk = malloc(len)))
		return 0;
	memcpy(disk, data + 1, --len);
	for (uint32_t at = 512; data[0] & 1 && at <= 4096; at *= 8)
		if (len >= 2 * at)
			mend(disk + at, disk, len);
	img = fuzz_disk(disk, len);
	free(disk);
	if (!img)
		return 0;
	rc = ptable_read(img, &t, &e);
	CHECK(!rc || e.text[0]);
	if (!rc)
		check_table(&t, img_size(img));
	ptable_fini(&t);
	img_close(img, NULL);
	return 0;
}
