/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_undo.c - the input is an undo file, whose sums are made right; it is
 * applied to a disk of zeroes.
 */
#include <string.h>
#include <xxhash.h>

#include "convert/guest/undo.h"
#include "imgfmt/base/bytes.h"
#include "tests/lib/fuzzdisk.h"

#define HEADER 192u
#define CHECKED 176u

static int seal(struct img *file, size_t len)
{
	uint8_t head[HEADER], block[4096];
	XXH128_canonical_t sum;
	XXH3_state_t *body = XXH3_createState();

	if (!body)
		return -1;
	XXH3_128bits_reset(body);
	for (size_t at = HEADER; at < len; at += sizeof(block)) {
		size_t n = min_u64(sizeof(block), len - at);

		img_read(file, block, n, at);
		XXH3_128bits_update(body, block, n);
	}
	XXH128_canonicalFromHash(&sum, XXH3_128bits_digest(body));
	XXH3_freeState(body);
	img_read(file, head, sizeof(head), 0);
	put_le64(head + 40, len);
	memcpy(head + 48, &sum, 16);
	XXH128_canonicalFromHash(&sum, XXH3_128bits(head, CHECKED));
	memcpy(head + CHECKED, &sum, 16);
	return img_write(file, head, sizeof(head), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct img *file = len >= HEADER ? fuzz_disk(data, len) : NULL, *disk;
	struct undo_info info;

	if (!file)
		return 0;
	if (!seal(file, len) && !undo_read_info(file, &info, NULL) &&
	    !img_memory(min_u64(info.size, 1u << 20), &disk, NULL)) {
		undo_apply(file, disk, NULL);
		undo_verify(file, disk, NULL);
		img_close(disk, NULL);
	}
	img_close(file, NULL);
	return 0;
}
