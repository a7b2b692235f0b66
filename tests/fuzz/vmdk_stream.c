/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_stream.c - the input is what stands between the header and the end of a
 * stream: markers, grains, tables.  Its first byte says whether there are
 * markers, and a footer, and whether the header has the directory's place too,
 * which is the first sector.  It is read by its tables, then in its order, out of
 * a pipe and as what was saved of a file.
 */
#include <stdlib.h>
#include <unistd.h>

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

/* A layer that gives what `disk` holds, as far as a pipe takes it at once. */
static struct img *through_pipe(struct img *disk)
{
	static uint8_t buf[60000];
	size_t len = (size_t)min_u64(img_size(disk), sizeof(buf));
	struct img *out;
	int fds[2];

	if (img_read(disk, buf, len, 0) || pipe(fds))
		return NULL;
	if (write(fds[1], buf, len) != (ssize_t)len)
		__builtin_abort();
	close(fds[1]);
	if (!img_pipe_fd(fds[0], "pipe", NULL, NULL, &out, NULL))
		return out;
	close(fds[0]);
	return NULL;
}

static void take_all(struct img *img)
{
	uint8_t *buf = malloc(img_block_size(img));
	struct img_batch batch = { 0 };
	struct err e = { "" };
	int rc;

	while (!(rc = img_take(img, 8192, &batch, &e)) && batch.n)
		for (size_t i = 0; i < batch.n; i++) {
			const struct img_run *r = &batch.runs[i];

			if (!r->len || r->len > img_block_size(img) ||
			    !in_range(r->offset, r->len, img_size(img)) ||
			    r->offset / 8192 != batch.runs[0].offset / 8192)
				__builtin_abort();
			img_unpack(img, &batch, i, buf);
		}
	if (rc && !e.text[0])
		__builtin_abort();
	img_batch_free(&batch);
	free(buf);
}

/* In its own order, if it can be; closes `below`. */
static void look_in_order(struct img *below)
{
	struct img_open_args args = {
		.format = "vmdk", .flags = IMG_SALVAGE,
	};
	struct img *img;

	if (!below)
		return;
	if (img_stack(below, &args, &img, NULL)) {
		img_close(below, NULL);
		return;
	}
	if (img_in_order(img))
		take_all(img);
	else
		fuzz_look(img);
	img_close(img, NULL);
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
	look_in_order(through_pipe(disk));
	if (img_stack(disk, &args, &img, &e)) {
		if (!e.text[0])
			__builtin_abort();	/* a refusal says why */
		look_in_order(disk);
		return 0;
	}
	fuzz_look(img);
	img_close(img, NULL);
	return 0;
}
