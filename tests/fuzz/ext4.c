/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext4.c - the input is blocks of a small ext4, each of 1 KiB behind its number in
 * four bytes: look at all that it shows, replay its journal, and look again.
 */
#include "convert/fs/ext4.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/base/crc32c.h"
#include "tests/lib/fsuse.h"

#define BLOCK 1024u
#define BLOCKS 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct img *make_disk(const uint8_t *data, size_t len)
{
	uint8_t super[BLOCK];
	struct img *img;

	if (img_memory(BLOCKS * BLOCK, &img, NULL))
		return NULL;
	while (len > 4) {
		size_t n = len - 4 < BLOCK ? len - 4 : BLOCK;

		if (img_write(img, data + 4, n,
			      get_le32(data) % BLOCKS * BLOCK))
			break;
		data += 4 + n;
		len -= 4 + n;
	}
	/* So that more than its checksum is looked at. */
	if (!img_read(img, super, BLOCK, BLOCK)) {
		put_le32(super + 0x3fc, crc32c(~0u, super, 0x3fc));
		img_write(img, super, BLOCK, BLOCK);
	}
	return img;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct img *img = make_disk(data, len);

	if (!img)
		return 0;
	if (fs_use(img, &fs_ext4_driver) && !ext4_replay(img, NULL))
		fs_use(img, &fs_ext4_driver);
	img_close(img, NULL);
	return 0;
}
