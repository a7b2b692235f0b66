/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_fstab.c - the input is an fstab, whose devices are looked for on a disk of
 * two partitions.
 */
#include <string.h>

#include "convert/guest/fstab.h"

static const struct fs_identity ids[2] = {
	{ .type = "ext4", .uuid = "1-2", .label = "a b", .has_files = true },
	{ .type = "swap", .uuid = "3-4", .label = "x y" },
};
static const struct partition parts[2] = {
	{ .number = 1, .partuuid = "12345678-01", .name = "root" },
	{ .number = 2, .partuuid = "12345678-02" },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct volume list[2] = {
		{ .part = &parts[0], .id = &ids[0] },
		{ .part = &parts[1], .id = &ids[1] },
	};
	struct volumes v = { .n_disks = 1, .list = list, .n = 2 };
	struct tree_mount *m;
	size_t n, total = 0;
	bool by_path;

	if (fstab_parse((const char *)data, len, &m, &n, NULL))
		return 0;
	for (size_t i = 0; i < n; i++) {
		fstab_device(&v, &list[0], m[i].spec, &by_path);
		total += strlen(m[i].dir) + strlen(m[i].type) +
			strlen(m[i].options);
	}
	fstab_free(m, n);
	/* More than there was cannot have come out, but for two defaults. */
	if (total > len + n * strlen("autodefaults"))
		__builtin_trap();
	return 0;
}
