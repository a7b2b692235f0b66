/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_write.c - the input is eight operations of 8 bytes each, then a qcow2
 * file on which they are done.
 */
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "tests/lib/fuzzdisk.h"

#define N_OPS 8u
#define OP_LEN 8u
#define MAX_LEN 65536u

/* Byte 0: what; 1: data; 2, 3: length; 4 to 7: where, in 512ths of 4 bytes of
 * the size, so that it is nearly always inside.
 */
static void do_op(struct img *img, const uint8_t *op, uint8_t *buf)
{
	uint64_t size = img_size(img);
	uint64_t offset = size ? get_le32(op + 4) * 64ull % size : 0;
	size_t len = (size_t)min_u64(get_le16(op + 2), size - offset);

	if (op[0] & 0x80)	/* somewhere in all of it */
		offset = size >> 32 ? offset + (size - offset - len) / 256 *
			 op[1] : offset;
	memset(buf, op[1], len);
	switch (op[0] % 8) {
	case 0:
	case 1:
		img_write(img, buf, len, offset);
		break;
	case 2:
		img_read(img, buf, len, offset);
		break;
	case 3:
		img_zero(img, len, offset, 0);
		break;
	case 4:
		img_discard(img, len, offset);
		break;
	case 5:
		img_flush(img);
		break;
	case 6:
		img_zero(img, len, offset, IMG_ZERO_KEEP);
		break;
	default:
		img_resize(img, offset, NULL, NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *buf = malloc(MAX_LEN);
	struct img *img;

	if (buf && len > N_OPS * OP_LEN) {
		img = fuzz_open(data + N_OPS * OP_LEN, len - N_OPS * OP_LEN,
				"qcow2", IMG_WRITE);
		for (unsigned i = 0; img && i < N_OPS; i++)
			do_op(img, data + i * OP_LEN, buf);
		img_close(img, NULL);
	}
	free(buf);
	return 0;
}
