/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_stream.c - the input is what stands between the header and the end of a
 * stream: markers, grains, tables.  Its first byte says whether there are
 * markers, and a footer, and whether the header has the directory's place too,
 * which is the first sector.
 */
#include <string.h>

#include "imgfmt/vmdk/vmdk.h"
#include "tests/lib/fuzzdisk.h"

static void put_header(struct img *disk, uint64_t offset, bool markers,
		       uint64_t gd)
{
	struct vmdk_header h = {
		.version = 3,
		.flags = VMDK_FLAG_NEWLINES | VMDK_FLAG_COMPRESSED |
			 (markers ? VMDK_FLAG_MARKERS : 0),
		.capacity = 8 * 40 + 3, .grain = 8, .n_gtes = 4, .gd = gd,
		.desc_offset = 1, .desc_size = 1, .overhead = 2,
		.compression = 1,
	};
	uint8_t buf[VMDK_HEADER_LEN];

	vmdk_header_encode(&h, buf);
	img_write(disk, buf, sizeof(buf), offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\n"
		"CID=00000001\nRDONLY 323 SPARSE \"x\"\n";
	struct img_open_args args = { .format = "vmdk" };
	struct img *disk, *img;
	struct err e = { "" };
	uint64_t end;

	if (!len)
		return 0;
	disk = fuzz_disk(NULL, 0);
	if (!disk)
		return 0;
	put_header(disk, 0, data[0] & 1, data[0] & 4 ? 2 : VMDK_GD_AT_END);
	img_write(disk, text, sizeof(text), VMDK_SECTOR);
	img_write(disk, data + 1, len - 1, 2 * VMDK_SECTOR);
	if (data[0] & 2) {
		end = round_up(img_size(disk), VMDK_SECTOR);
		put_header(disk, end, data[0] & 1, 2);
		img_write(disk, "", 1, end + 2 * VMDK_SECTOR - 1);
	}
	if (img_stack(disk, &args, &img, &e)) {
		if (!e.text[0])
			__builtin_abort();	/* a refusal says why */
		img_close(disk, NULL);
		return 0;
	}
	fuzz_look(img);
	img_close(img, NULL);
	return 0;
}
