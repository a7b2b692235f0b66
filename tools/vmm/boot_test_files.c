/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_test_files.c - the files that a test reads: all of them must be the same at
 * its end.  The process that tests notes them when it opens them; the first process
 * looks again, for in its sandbox the other cannot.
 */
#include <string.h>

#include "tools/cli/json.h"
#include "tools/vmm/boot_test.h"

/* JSON's texts are UTF-8, which names need not be. */
static json_t *name_json(const char *name)
{
	json_t *bytes = json_array();

	for (; *name; name++)
		json_array_append_new(bytes, json_integer((uint8_t)*name));
	return bytes;
}

static void get_name(const json_t *o, char name[PATH_MAX])
{
	const json_t *byte, *bytes = json_object_get(o, "name");
	size_t i, n = 0;

	json_array_foreach(bytes, i, byte)
		if (n < PATH_MAX - 1)
			name[n++] = (char)json_integer_value(byte);
	name[n] = 0;
}

static json_t *state_json(const char *name, const struct stat *st)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", name_json(name));
	json_put_size(o, "device", st->st_dev);
	json_put_size(o, "inode", st->st_ino);
	json_put_size(o, "size", (uint64_t)st->st_size);
	json_put_size(o, "s", (uint64_t)st->st_mtim.tv_sec);
	json_put_size(o, "ns", (uint64_t)st->st_mtim.tv_nsec);
	return o;
}

/* What was seen first counts. */
void boot_files_add(struct boot_files *f, const char *name)
{
	char other[PATH_MAX];
	const json_t *o;
	struct stat st;
	size_t i;

	json_array_foreach(f->list, i, o) {
		get_name(o, other);
		if (!strcmp(other, name))
			return;
	}
	if (!stat(name, &st))
		json_array_append_new(f->list, state_json(name, &st));
}

void boot_files_add_image(struct boot_files *f, const struct img *img)
{
	for (; img; img = img_backing(img)) {
		const struct img *file = img;

		while (img_below(file))
			file = img_below(file);
		boot_files_add(f, img_name(file));
	}
}

static int note(void *arg, const char *referrer, const char *name,
		const char *format, unsigned flags,
		const struct img_resolver *self, struct img **out,
		struct err *e)
{
	struct boot_files *f = arg;
	int rc = f->inner.open(f->inner.arg, referrer, name, format, flags,
			       self, out, e);

	if (!rc)
		boot_files_add_image(f, *out);
	return rc;
}

void boot_files_begin(struct boot_files *f, struct cli *cli)
{
	f->list = json_array();
	f->inner = cli->resolver;
	cli->resolver = (struct img_resolver){ .open = note, .arg = f };
}

bool boot_files_changed(const json_t *list, char name[PATH_MAX])
{
	const json_t *o;
	struct stat st;
	size_t i;

	json_array_foreach(list, i, o) {
		json_t *now = NULL;
		bool same;

		get_name(o, name);
		if (!stat(name, &st))
			now = state_json(name, &st);
		same = now && json_equal(now, o);
		json_decref(now);
		if (!same)
			return true;
	}
	return false;
}
