/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_opts.c - option strings that describe a stack of layers. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "tools/cli/image_opts.h"
#include "tools/cli/options.h"

/* "file.file.…": nobody stacks deeper, and the recursion has to end. */
#define MAX_LAYERS 8
#define MAX_KEY 128

static const char *get(const struct options *o, const char *prefix,
		       const char *key)
{
	char full[MAX_KEY];

	if ((size_t)snprintf(full, sizeof(full), "%s%s", prefix, key) >=
	    sizeof(full))
		return NULL;
	return options_get(o, full);
}

static bool any_below(const struct options *o, const char *prefix)
{
	for (size_t i = 0; i < o->n; i++)
		if (!strncmp(o->kv[i].key, prefix, strlen(prefix)))
			return true;
	return false;
}

static bool is_file_driver(const char *driver)
{
	return driver && (!strcmp(driver, "file") ||
			  !strcmp(driver, "host_device"));
}

static bool format_known(const char *name)
{
	const char *known;

	for (size_t i = 0; (known = img_formats(i)); i++)
		if (!strcmp(known, name))
			return true;
	return false;
}

/* Does the layer named by `prefix` take `key` (without the prefix)? */
static bool key_ok(const char *key, const char *driver, bool top)
{
	static const char *const any[] = {
		"driver", "cache.direct", "cache.no-flush", "force-share",
		"read-only",
	};
	bool is_file = is_file_driver(driver);

	for (size_t i = 0; i < sizeof(any) / sizeof(char *); i++)
		if (!strcmp(key, any[i]))
			return true;
	if (!strcmp(key, "filename") || !strcmp(key, "locking"))
		return is_file;
	if (!strcmp(key, "offset") || !strcmp(key, "size"))
		return driver && !strcmp(driver, "raw");
	if (!strcmp(key, "member"))
		return !driver || !strcmp(driver, "ova") ||
		       !strcmp(driver, "ovf");
	if (!strncmp(key, "file.", 5))
		return !is_file;	/* checked one layer down */
	return top && (!strcmp(key, "backing.driver") ||
		       !strcmp(key, "backing.filename") ||
		       !strcmp(key, "backing.file.driver") ||
		       !strcmp(key, "backing.file.filename"));
}

static int check_keys(const struct options *o, const char *prefix,
		      const char *driver, struct err *e)
{
	size_t len = strlen(prefix);

	for (size_t i = 0; i < o->n; i++) {
		const char *key = o->kv[i].key;

		if (strncmp(key, prefix, len) ||
		    key_ok(key + len, driver, !len))
			continue;
		return fail(e, EINVAL, "Block %s '%s' does not support the "
			    "option '%s'", is_file_driver(driver) ? "protocol"
			    : "format", driver ? driver : "(probed)",
			    key + len);
	}
	return 0;
}

static int get_bool(const struct options *o, const char *prefix,
		    const char *key, unsigned if_on, unsigned *flags,
		    struct err *e)
{
	const char *value = get(o, prefix, key);

	if (!value || !strcmp(value, "off"))
		return 0;
	if (strcmp(value, "on"))
		return fail(e, EINVAL, "Parameter '%s' expects 'on' or 'off', "
			    "found '%s'", key, value);
	*flags |= if_on;
	return 0;
}

static int get_flags(const struct options *o, const char *prefix,
		     unsigned *flags, struct err *e)
{
	const char *locking = get(o, prefix, "locking");
	unsigned read_only = 0;
	int rc;

	rc = get_bool(o, prefix, "cache.direct", IMG_DIRECT, flags, e);
	if (!rc)
		rc = get_bool(o, prefix, "cache.no-flush", IMG_NO_FLUSH, flags,
			      e);
	if (!rc)
		rc = get_bool(o, prefix, "force-share", IMG_SHARE, flags, e);
	if (!rc)
		rc = get_bool(o, prefix, "read-only", 1, &read_only, e);
	if (!rc && read_only && *flags & IMG_WRITE)
		rc = fail(e, EROFS, "read-only=on, but it is going to be "
			  "written");
	if (!rc && *flags & IMG_WRITE && *flags & IMG_SHARE)
		rc = fail(e, EINVAL, "force-share=on can only be used with "
			  "read-only images");
	if (locking && !strcmp(locking, "off"))
		*flags |= IMG_NO_LOCK;
	return rc;
}

static int get_size(const struct options *o, const char *prefix,
		    const char *key, uint64_t *value, struct err *e)
{
	const char *text = get(o, prefix, key);

	if (text && size_parse(text, value))
		return fail(e, EINVAL, "Parameter '%s' expects a size below "
			    "2^63, perhaps with one of k, M, G, T, P or E; "
			    "found '%s'", key, text);
	return 0;
}

/* offset= and size= of a raw layer.  `below` is the caller's on failure. */
static int put_window(const struct options *o, const char *prefix,
		      struct img **below, struct err *e)
{
	uint64_t offset = 0, size, have = img_size(*below);
	int rc;

	if (!get(o, prefix, "offset") && !get(o, prefix, "size"))
		return 0;
	rc = get_size(o, prefix, "offset", &offset, e);
	if (rc)
		return rc;
	size = have - min_u64(offset, have);
	rc = get_size(o, prefix, "size", &size, e);
	if (rc)
		return rc;
	if (!in_range(offset, size, have))
		return fail(e, EINVAL, "offset %llu and size %llu reach beyond "
			    "the end of '%s' at %llu",
			    (unsigned long long)offset,
			    (unsigned long long)size, img_name(*below),
			    (unsigned long long)have);
	return img_window(*below, offset, size, below, e);
}

static int open_layer(const struct options *o, const char *prefix,
		      unsigned depth, const struct img_open_args *top,
		      struct img **out, struct err *e);

static int open_file_layer(const struct options *o, const char *prefix,
			   unsigned flags, struct img **out, struct err *e)
{
	const char *name = get(o, prefix, "filename");

	if (!name)
		return fail(e, EINVAL, "The 'file' block driver requires a "
			    "file name");
	return img_file_open(name, flags, out, e);
}

static int open_format_layer(const struct options *o, const char *prefix,
			     unsigned depth, const struct img_open_args *args,
			     struct img **out, struct err *e)
{
	char below_prefix[MAX_KEY];
	struct img_open_args plain = {
		.flags = args->flags, .resolver = args->resolver,
		.member = args->member,
	};
	struct img *below;
	int rc;

	snprintf(below_prefix, sizeof(below_prefix), "%sfile.", prefix);
	if (!any_below(o, below_prefix))
		return fail(e, EINVAL, "A block device must be specified for "
			    "\"file\"");
	rc = open_layer(o, below_prefix, depth + 1, &plain, &below, e);
	if (rc)
		return rc;
	rc = put_window(o, prefix, &below, e);
	if (!rc)
		rc = img_stack(below, args, out, e);
	if (rc)
		img_close(below, NULL);
	return rc;
}

static int open_layer(const struct options *o, const char *prefix,
		      unsigned depth, const struct img_open_args *top,
		      struct img **out, struct err *e)
{
	struct img_open_args args = *top;
	const char *driver = get(o, prefix, "driver");
	int rc;

	if (depth >= MAX_LAYERS)
		return fail(e, EINVAL, "more than %d layers", MAX_LAYERS);
	if (!driver && depth && get(o, prefix, "filename"))
		driver = "file";
	if (driver && !is_file_driver(driver) && !format_known(driver))
		return fail(e, EINVAL, "Unknown driver '%s'", driver);
	rc = check_keys(o, prefix, driver, e);
	if (!rc)
		rc = get_flags(o, prefix, &args.flags, e);
	if (rc)
		return rc;
	if (is_file_driver(driver))
		return open_file_layer(o, prefix, args.flags, out, e);
	args.format = driver;
	if (get(o, prefix, "member"))
		args.member = get(o, prefix, "member");
	if (!depth && any_below(o, "backing.")) {
		args.backing = get(o, prefix, "backing.file.filename");
		if (!args.backing)
			args.backing = get(o, prefix, "backing.filename");
		args.backing_format = get(o, prefix, "backing.driver");
	}
	return open_format_layer(o, prefix, depth, &args, out, e);
}

int image_opts_open(const char *text, const struct img_open_args *args,
		    struct img **out, struct err *e)
{
	struct options o = { 0 };
	int rc = options_parse(&o, text, e);

	if (!rc && !options_get(&o, "driver") && !any_below(&o, "file."))
		rc = fail(e, EINVAL, "Must specify either driver or file");
	if (!rc)
		rc = open_layer(&o, "", 0, args, out, e);
	options_fini(&o);
	return rc;
}

/* Put `value` under a dotted key, making the objects on the way. */
static void put_dotted(json_t *object, const char *key, const char *value)
{
	size_t len = strcspn(key, ".");
	char part[MAX_KEY];
	json_t *inner;

	if (len >= sizeof(part))
		return;
	memcpy(part, key, len);
	part[len] = 0;
	if (!key[len]) {
		json_object_set_new(object, part, json_string(value));
		return;
	}
	inner = json_object_get(object, part);
	if (!json_is_object(inner)) {
		json_object_set_new(object, part, json_object());
		inner = json_object_get(object, part);
	}
	put_dotted(inner, key + len + 1, value);
}

/* The members in qemu's order; a layer with a file name and no driver is a
 * file.  Takes `object`, gives a new one.
 */
static json_t *in_order(json_t *object)
{
	static const char *const first[] = {
		"offset", "driver", "size", "file", "filename",
	};
	json_t *out = json_object(), *v;
	const char *key;

	if (!json_object_get(object, "driver") &&
	    json_object_get(object, "filename"))
		json_object_set_new(object, "driver", json_string("file"));
	for (size_t i = 0; i < sizeof(first) / sizeof(char *); i++) {
		v = json_object_get(object, first[i]);
		if (json_is_object(v))
			json_object_set_new(out, first[i],
					    in_order(json_incref(v)));
		else if (v)
			json_object_set(out, first[i], v);
	}
	json_object_foreach(object, key, v)
		if (!json_object_get(out, key))
			json_object_set(out, key, v);
	json_decref(object);
	return out;
}

static bool says_only_format(const struct options *o)
{
	for (size_t i = 0; i < o->n; i++) {
		const char *key = o->kv[i].key;

		if (!strcmp(key, "file.driver") ? !is_file_driver(
					o->kv[i].value)
		    : strcmp(key, "driver") && strcmp(key, "filename") &&
		      strcmp(key, "file.filename"))
			return false;
	}
	return true;
}

char *image_opts_name(const char *text)
{
	struct options o = { 0 };
	const char *file;
	char *name = NULL, *dump;
	json_t *object;

	if (options_parse(&o, text, NULL)) {
		options_fini(&o);
		return strdup(text);
	}
	file = options_get(&o, "file.filename");
	if (!file)
		file = options_get(&o, "filename");
	if (file && says_only_format(&o)) {
		name = strdup(file);
		options_fini(&o);
		return name;
	}
	object = json_object();
	for (size_t i = 0; i < o.n; i++)
		put_dotted(object, o.kv[i].key, o.kv[i].value);
	object = in_order(object);
	dump = json_dumps(object, JSON_PRESERVE_ORDER);
	name = dump ? str_printf("json:%s", dump) : NULL;
	free(dump);
	json_decref(object);
	options_fini(&o);
	return name;
}
