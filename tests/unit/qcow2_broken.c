/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_broken.c - once an image has been marked corrupt in use, nothing says
 * that what was written before is safe.
 */
#include <errno.h>

#include "imgfmt/fault.h"
#include "imgfmt/qcow2/qcow2.h"
#include "tests/check.h"

static struct err e;

static struct img *open_on(struct img *mem)
{
	struct img_open_args args = { .format = "qcow2", .flags = IMG_WRITE };
	struct img *img;

	CHECK_OK(img_stack(mem, &args, &img, &e));
	return img;
}

/* The second cluster of the guest lies where L1 does. */
static void plant(struct img *mem)
{
	struct qcow2_header h;
	uint8_t entry[8];
	uint64_t table;

	CHECK_OK(qcow2_header_read(mem, 0, &h, &e));
	CHECK_EQ(img_read(mem, entry, 8, h.l1_offset), 0);
	table = get_be64(entry) & QCOW2_OFFSET_MASK;
	CHECK(table);
	put_be64(entry, h.l1_offset | QCOW2_COPIED);
	CHECK_EQ(img_write(mem, entry, 8, table + 8), 0);
	qcow2_header_free(&h);
}

int main(void)
{
	struct img_create_args args = { .format = "qcow2", .size = 1 << 20 };
	uint8_t buf[512] = { 1 };
	struct img *mem, *img;
	uint64_t cluster;

	CHECK_OK(img_memory(0, &mem, &e));
	CHECK_OK(img_create(mem, &args, &e));
	img = open_on(mem);
	cluster = img_block_size(img);
	CHECK_EQ(img_write(img, buf, sizeof(buf), 0), 0);
	CHECK_EQ(img_flush(img), 0);
	CHECK_OK(fault_copy(mem, &mem, &e));
	CHECK_OK(img_close(img, &e));
	plant(mem);
	img = open_on(mem);
	CHECK_EQ(img_write(img, buf, sizeof(buf), 5 * cluster), 0);
	CHECK_EQ(img_write(img, buf, sizeof(buf), cluster), -EUCLEAN);
	CHECK_EQ(img_flush(img), -EUCLEAN);
	CHECK_EQ(img_write(img, buf, sizeof(buf), 0), -EUCLEAN);
	CHECK_EQ(img_close(img, &e), -EUCLEAN);
	return 0;
}
