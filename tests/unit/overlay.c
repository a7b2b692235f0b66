/* SPDX-License-Identifier: GPL-2.0-or-later */
/* overlay.c - a throw-away overlay, also on an image that has a backing file. */
#include <sys/stat.h>
#include <unistd.h>

#include "convert/copy/image_file.h"
#include "convert/copy/overlay.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

#define MIB ((uint64_t)1 << 20)

/* `name` with the byte `value` at `offset`, on `backing` or on nothing. */
static void make(const char *name, const char *backing, uint64_t offset,
		 char value)
{
	struct img_resolver anywhere = img_resolve_anywhere();
	struct image_file_args args = {
		.create = {
			.format = "qcow2", .size = MIB, .backing = backing,
			.backing_format = backing ? "qcow2" : NULL,
		},
		.resolver = &anywhere,
	};
	struct err e = { "" };
	struct img *img;

	CHECK_OK(image_file_create(name, &args, &img, &e));
	CHECK_EQ(img_write(img, &value, 1, offset), 0);
	CHECK_OK(img_close(img, &e));
}

static char at(struct img *img, uint64_t offset)
{
	char value;

	CHECK_EQ(img_read(img, &value, 1, offset), 0);
	return value;
}

int main(void)
{
	struct img_resolver inside = img_resolve_in_folder(NULL);
	struct img_open_args args = { .resolver = &inside };
	struct err e = { "" };
	struct stat before, after;
	struct img *img;

	scratch_enter();
	CHECK_EQ(setenv("TMPDIR", ".", 1), 0);
	make("low", NULL, 0, 'l');
	make("middle", "low", 65536, 'm');
	make("top", "middle", 2 * 65536, 't');
	CHECK_EQ(stat("top", &before), 0);
	CHECK_OK(img_open("top", &args, &img, &e));
	CHECK_OK(overlay_open(img, &img, &e));
	CHECK_EQ(at(img, 0), 'l');
	CHECK_EQ(at(img, 65536), 'm');
	CHECK_EQ(at(img, 2 * 65536), 't');
	CHECK_EQ(img_write(img, "new", 3, 65535), 0);
	CHECK_EQ(at(img, 65535), 'n');
	CHECK_EQ(at(img, 65537), 'w');
	CHECK_EQ(at(img, 0), 'l');
	CHECK_OK(img_close(img, &e));
	CHECK_EQ(stat("top", &after), 0);
	CHECK_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	CHECK_OK(img_open("top", &args, &img, &e));
	CHECK_EQ(at(img, 65535), 0);
	CHECK_OK(img_close(img, &e));
	return 0;
}
