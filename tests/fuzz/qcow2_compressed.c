/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_compressed.c - the first byte chooses codec and cluster size, the rest
 * is what stands in the file as a compressed cluster.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/fuzzdisk.h"

static struct img *make(unsigned choice)
{
	char cluster[16];
	struct img_kv kv[] = {
		{ "compression_type", choice & 1 ? "zstd" : "zlib" },
		{ "cluster_size", cluster },
	};
	struct img_create_args create = {
		.format = "qcow2", .size = 1 << 20, .options = kv,
		.n_options = 2,
	};
	struct img_open_args args = { .format = "qcow2", .flags = IMG_WRITE };
	struct img *disk = fuzz_disk(NULL, 0), *img;

	snprintf(cluster, sizeof(cluster), "%u", 512u << (choice >> 1) % 8);
	if (!disk)
		return NULL;
	if (img_create(disk, &create, NULL) ||
	    img_stack(disk, &args, &img, NULL)) {
		img_close(disk, NULL);
		return NULL;
	}
	return img;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct img *img = len > 1 ? make(data[0]) : NULL;
	uint32_t unit = img ? img_compress_unit(img) : 0;
	uint8_t *buf = malloc(unit + 1);

	if (unit && buf && len - 1 < unit &&
	    !img_write_compressed(img, data + 1, len - 1, 0)) {
		img_read(img, buf, unit, 0);
		/* A part alone, and a write that has to read it first. */
		img_read(img, buf, 100, 200);
		img_write(img, "x", 1, 300);
		img_read(img, buf, unit, 0);
	}
	free(buf);
	img_close(img, NULL);
	return 0;
}
