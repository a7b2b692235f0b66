/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzzdisk.c - bytes of a fuzzer as an image. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzzdisk.h"
#include "imgfmt/base/bytes.h"

#define MAX_STEPS 512u
#define READ_LEN 65536u
#define OP_LEN 8u

struct img *fuzz_disk(const uint8_t *data, size_t len)
{
	struct img *disk;

	if (img_memory(len, &disk, NULL))
		return NULL;
	if (len && img_write(disk, data, len, 0)) {
		img_close(disk, NULL);
		return NULL;
	}
	return disk;
}

struct img *fuzz_open(const uint8_t *data, size_t len, const char *format,
		      unsigned flags)
{
	struct img_open_args args = {
		.format = format, .flags = flags | IMG_NO_BACKING | IMG_NO_DATA,
	};
	struct img *disk = fuzz_disk(data, len), *img;
	struct err e = { "" };

	if (!disk)
		return NULL;
	if (img_stack(disk, &args, &img, &e)) {
		if (!e.text[0])
			abort();	/* a refusal says why */
		img_close(disk, NULL);
		return NULL;
	}
	return img;
}

static void look_at_info(struct img *img)
{
	struct img_info info;

	if (img_info(img, &info, NULL))
		return;
	json_decref(info.specific);
	json_decref(info.snapshots);
}

static void walk_map(struct img *img)
{
	uint64_t size = img_size(img), offset = 0;
	struct img_extent ext;

	for (unsigned i = 0; i < MAX_STEPS && offset < size; i++) {
		if (img_map(img, offset, size - offset, &ext))
			break;
		if (!ext.len || ext.len > size - offset)
			abort();
		offset += ext.len;
	}
}

static void read_some(struct img *img, uint8_t *buf)
{
	uint64_t size = img_size(img);

	for (unsigned i = 0; i < 16; i++) {
		uint64_t offset = size / 16 * i;
		size_t len = (size_t)min_u64(READ_LEN, size - offset);

		img_read(img, buf, len, offset);
	}
	if (size)
		img_read(img, buf, 1, size - 1);
}

void fuzz_look(struct img *img)
{
	uint8_t *buf = malloc(READ_LEN);

	look_at_info(img);
	walk_map(img);
	if (buf)
		read_some(img, buf);
	free(buf);
}

/* Byte 0: what; 1: data; 2, 3: length; 4 to 7: where, in 512ths of 4 bytes of
 * the size, so that it is nearly always inside.
 */
static void change_one(struct img *img, const uint8_t *op, uint8_t *buf)
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
		/* Smaller, or larger by up to 4 MiB. */
		img_resize(img, op[1] % 2 ? offset : size + get_le16(op + 4) *
			   64ull, NULL, NULL);
	}
}

void fuzz_change(struct img *img, const uint8_t ops[FUZZ_OPS_LEN])
{
	uint8_t *buf = malloc(READ_LEN);

	for (unsigned i = 0; buf && i < FUZZ_OPS_LEN / OP_LEN; i++)
		change_one(img, ops + i * OP_LEN, buf);
	free(buf);
}
