/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vdisk.c - VMDKs for the tests that change them. */
#include "tests/lib/vdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int make_file(void *arg, const char *referrer, const char *name,
		     struct img **out, struct err *e)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	(void)arg;
	(void)referrer;
	if (fd < 0)
		return fail_rc(e, -errno, "cannot make %s", name);
	return img_file_fd(fd, name, IMG_WRITE | IMG_NO_FLUSH, out, e);
}

static int open_any(void *arg, const char *referrer, const char *name,
		    const char *format, unsigned flags,
		    const struct img_resolver *self, struct img **out,
		    struct err *e)
{
	struct img_resolver any = img_resolve_anywhere();

	(void)arg;
	return any.open(any.arg, referrer, name, format, flags, self, out, e);
}

struct img_resolver vdisk_resolver(void)
{
	return (struct img_resolver){ .open = open_any, .create = make_file };
}

int vdisk_create(const char *name, const char *subformat, bool zeroed_grain,
		 uint64_t size, const char *parent, struct err *e)
{
	struct img_resolver r = vdisk_resolver();
	struct img_kv kv[] = {
		{ "subformat", subformat },
		{ "zeroed_grain", zeroed_grain ? "on" : "off" },
	};
	struct img_create_args args = {
		.format = "vmdk", .size = size, .options = kv, .n_options = 2,
		.backing = parent, .backing_format = parent ? "vmdk" : NULL,
		.resolver = &r,
	};
	struct img *file;
	int rc = make_file(NULL, "", name, &file, e), one;

	if (rc)
		return rc;
	rc = img_create(file, &args, e);
	one = img_close(file, rc ? NULL : e);
	return rc ? rc : one;
}

int vdisk_open(const char *name, unsigned flags, struct img **out,
	       struct err *e)
{
	struct img_resolver r = vdisk_resolver();
	struct img_open_args args = {
		.format = "vmdk", .flags = flags | IMG_NO_FLUSH, .resolver = &r,
	};

	return img_open(name, &args, out, e);
}

static void print_line(void *arg, const char *line)
{
	(void)arg;
	printf("  %s\n", line);
}

int vdisk_check(struct img *img, bool leaks_ok, bool fix, struct err *e)
{
	struct img_check c = { .fix_errors = fix, .fix_leaks = fix };
	int rc;

	if (!fix)
		c.report = print_line;
	rc = img_check(img, &c, e);
	if (rc)
		return rc;
	if (c.check_errors || c.corruptions > c.corruptions_fixed ||
	    (c.leaks > c.leaks_fixed && !leaks_ok))
		return fail(e, EUCLEAN, "our check finds %llu corruptions "
			    "(%llu repaired), %llu leaks, %llu errors",
			    (unsigned long long)c.corruptions,
			    (unsigned long long)c.corruptions_fixed,
			    (unsigned long long)c.leaks,
			    (unsigned long long)c.check_errors);
	return 0;
}
