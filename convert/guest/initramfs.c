/* SPDX-License-Identifier: GPL-2.0-or-later */
/* initramfs.c - list the members of an initramfs.
 *
 * As Linux takes it apart (init/initramfs.c): zero bytes are skipped; a '0' at a
 * multiple of 4 begins a plain archive; anything else must be a compressed stream,
 * whose content is archives again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/initramfs.h"
#include "imgfmt/base/buf.h"

/* What is kept of members: names, and contents. */
#define KEPT_MAX (96u << 20)
#define CONTENT_MAX (24u << 20)

struct reading {
	struct initramfs *fs;
	struct cpio_reader cpio;
	struct initramfs_member *at;	/* whose content is kept */
	size_t have;
	uint64_t unpacked;
	struct err *e;
};

/* How many bytes of this member's content are wanted? */
static uint32_t wanted(const struct cpio_member *m)
{
	const char *base = strrchr(m->name, '/');

	base = base ? base + 1 : m->name;
	if (S_ISLNK(m->mode))
		return m->size < CPIO_NAME_MAX ? m->size : 0;
	if (!S_ISREG(m->mode) || m->size > CONTENT_MAX)
		return 0;
	if (strstr(m->name, "lib/modules/") && !strncmp(base, "modules.", 8))
		return m->size;
	if (!strncmp(m->name, "conf/", 5) ||
	    !strncmp(m->name, "etc/cmdline.d/", 14))
		return m->size;
	return 0;
}

static int no_memory(struct err *e)
{
	return fail(e, ENOMEM, "no memory for the members of an initramfs");
}

static int on_member(void *arg, const struct cpio_member *m)
{
	struct reading *r = arg;
	struct initramfs *fs = r->fs;
	struct initramfs_member *to;
	uint32_t keep = wanted(m);

	r->at = NULL;
	if (fs->n >= INITRAMFS_MEMBERS)
		return fail(r->e, EFBIG, "an initramfs of more than %u members",
			    INITRAMFS_MEMBERS);
	fs->kept += strlen(m->name) + keep + sizeof(*to);
	if (fs->kept > KEPT_MAX)
		return fail(r->e, EFBIG, "the names in an initramfs take more "
			    "than %u bytes", KEPT_MAX);
	if (array_grow(&fs->members, &fs->cap, fs->n + 1, sizeof(*to)))
		return no_memory(r->e);
	to = &fs->members[fs->n];
	*to = (struct initramfs_member){ .mode = m->mode, .size = m->size };
	to->name = strdup(m->name);
	if (!to->name)
		return no_memory(r->e);
	fs->n++;
	if (!keep)
		return 0;
	to->content = calloc(1, (size_t)keep + 1);
	if (!to->content)
		return no_memory(r->e);
	r->at = to;
	r->have = 0;
	return 0;
}

static int on_data(void *arg, const void *data, size_t len)
{
	struct reading *r = arg;

	if (r->at) {
		memcpy(r->at->content + r->have, data, len);
		r->have += len;
	}
	return 0;
}

/* What a compressed stream holds. */
static int on_unpacked(void *arg, const void *data, size_t len)
{
	struct reading *r = arg;
	size_t used;
	int rc = cpio_feed(&r->cpio, data, len, &used, r->e);

	r->unpacked += len;
	if (!rc && used < len)
		rc = fail(r->e, EUCLEAN, "what it unpacks to is no cpio archive");
	return rc;
}

static int read_part(struct reading *r, const uint8_t *p, size_t len,
		     uint64_t at, size_t *used, struct err *e)
{
	struct cpio_sink sink = { on_member, on_data, r };
	struct unpack_sink out = { on_unpacked, r };
	enum unpack_kind kind = unpack_kind(p, len);
	int rc;

	r->at = NULL;
	cpio_reader_init(&r->cpio, &sink);
	if (*p == '0' && !(at & 3)) {
		rc = cpio_feed(&r->cpio, p, len, used, e);
	} else if (kind == UNPACK_NONE) {
		return fail(e, EUCLEAN, "neither a cpio archive nor a known "
			    "compression begins there");
	} else {
		rc = unpack(kind, p, len, INITRAMFS_UNPACKED - r->unpacked,
			    &out, used, e);
		r->fs->kind = kind;
	}
	return rc ? rc : cpio_reader_end(&r->cpio, e);
}

/* By name; of one name the last comes last. */
static int by_name(const void *a, const void *b, void *base)
{
	const uint32_t *x = a, *y = b;
	const struct initramfs_member *m = base;
	int c = strcmp(m[*x].name, m[*y].name);

	return c ? c : (*x > *y) - (*x < *y);
}

static void member_fini(struct initramfs_member *m)
{
	free(m->name);
	free(m->content);
}

/* Sort, and of each name keep what came last. */
static int sort_members(struct initramfs *fs)
{
	uint32_t *order = array_alloc(fs->n + 1, sizeof(*order));
	struct initramfs_member *sorted = array_alloc(fs->n + 1, sizeof(*sorted));
	size_t n = 0;

	if (!order || !sorted) {
		free(order);
		free(sorted);
		return -ENOMEM;
	}
	for (size_t i = 0; i < fs->n; i++)
		order[i] = (uint32_t)i;
	qsort_r(order, fs->n, sizeof(*order), by_name, fs->members);
	for (size_t i = 0; i < fs->n; i++) {
		struct initramfs_member *m = &fs->members[order[i]];

		if (n && !strcmp(sorted[n - 1].name, m->name))
			member_fini(&sorted[--n]);
		sorted[n++] = *m;
	}
	free(order);
	free(fs->members);
	fs->members = sorted;
	fs->n = n;
	return 0;
}

static int module_order(const void *a, const void *b)
{
	const struct initramfs_module *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : strcmp(x->path, y->path);
}

static int find_modules(struct initramfs *fs)
{
	size_t cap = 0;

	for (size_t i = 0; i < fs->n; i++) {
		const struct initramfs_member *m = &fs->members[i];
		bool is_module;
		char *name;

		if (!S_ISREG(m->mode) || !strstr(m->name, "lib/modules/"))
			continue;
		name = module_name(m->name, &is_module);
		if (!is_module)
			continue;
		if (!name || array_grow(&fs->modules, &cap, fs->n_modules + 1,
					sizeof(*fs->modules))) {
			free(name);
			return -ENOMEM;
		}
		fs->modules[fs->n_modules++] = (struct initramfs_module){
			name, m->name };
	}
	if (fs->n_modules)
		qsort(fs->modules, fs->n_modules, sizeof(*fs->modules),
		      module_order);
	return 0;
}

static void find_marks(struct initramfs *fs)
{
	static const struct { const char *path, *generator; } marks[] = {
		{ "conf/initramfs.conf", "initramfs-tools" },
		{ "scripts/functions", "initramfs-tools" },
		{ "usr/lib/dracut", "dracut" },
		{ "lib/dracut", "dracut" },
		{ "usr/lib/dracut-lib.sh", "dracut" },
		{ "lib/dracut-lib.sh", "dracut" },
		{ "init_functions", "mkinitcpio" },
		{ "buildconfig", "mkinitcpio" },
	};
	static const char *const udev[] = {
		"usr/lib/systemd/systemd-udevd", "lib/systemd/systemd-udevd",
		"usr/bin/udevadm", "bin/udevadm", "sbin/udevadm", "sbin/udevd",
		"lib/udev/udevd",
	};

	fs->generator = "";
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++)
		if (!*fs->generator && initramfs_find(fs, marks[i].path))
			fs->generator = marks[i].generator;
	for (size_t i = 0; i < sizeof(udev) / sizeof(*udev); i++)
		if (initramfs_find(fs, udev[i]))
			fs->has_udev = true;
}

/* Linux looks for a boot configuration at the very end (admin-guide/bootconfig);
 * behind it nothing may be appended.
 */
static bool has_bootconfig(const uint8_t *p, size_t len)
{
	static const char magic[] = "#BOOTCONFIG\n";
	size_t n = sizeof(magic) - 1;

	for (size_t pad = 0; pad < 4; pad++)
		if (len >= n + pad && !memcmp(p + len - pad - n, magic, n))
			return true;
	return false;
}

int initramfs_read(const void *data, size_t len, struct initramfs *out,
		   struct err *e)
{
	const uint8_t *p = data;
	struct reading r = { .fs = out, .e = e };
	size_t at = 0, used;
	int rc;

	memset(out, 0, sizeof(*out));
	out->generator = "";
	out->len = len;
	if (has_bootconfig(p, len))
		return fail(e, ENOTSUP, "it ends with a boot configuration, which "
			    "must stay the last");
	while (at < len) {
		if (!p[at]) {
			at++;
			continue;
		}
		if (out->n_parts >= INITRAMFS_PARTS)
			return fail(e, EFBIG, "it has more than %u archives",
				    INITRAMFS_PARTS);
		rc = read_part(&r, p + at, len - at, at, &used, e);
		if (rc)
			return fail_prefix(e, rc, "at byte %zu", at);
		out->n_parts++;
		at += used;
	}
	if (!out->n_parts)
		return fail(e, EUCLEAN, "it is empty");
	rc = sort_members(out);
	if (!rc)
		rc = find_modules(out);
	if (rc)
		return no_memory(e);
	find_marks(out);
	return 0;
}

void initramfs_fini(struct initramfs *fs)
{
	for (size_t i = 0; i < fs->n; i++)
		member_fini(&fs->members[i]);
	for (size_t i = 0; i < fs->n_modules; i++)
		free(fs->modules[i].name);
	free(fs->members);
	free(fs->modules);
	memset(fs, 0, sizeof(*fs));
}
