/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.c - open images as the command line names them. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "tools/cli/image.h"
#include "tools/cli/image_opts.h"
#include "tools/cli/image_pipe.h"

/* Protocols that people know from qemu-img, for a better answer. */
static const char *const protocols[] = {
	"nbd", "nbd+unix", "ssh", "sftp", "http", "https", "ftp", "ftps",
	"iscsi", "rbd", "nfs", "gluster", "sheepdog", "fat", "blkdebug",
	"blkverify", "vvfat",
};

static bool known_protocol(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(char *); i++)
		if (strlen(protocols[i]) == len &&
		    !strncmp(protocols[i], name, len))
			return true;
	return false;
}

static bool has_protocol(const char *name)
{
	return name[strcspn(name, ":/")] == ':';
}

/* Without "file:", and still a file's name to all who read it. */
static char *plain_name(const char *typed)
{
	if (strncmp(typed, "file:", 5))
		return strdup(typed);
	typed += 5;
	return str_printf("%s%s", has_protocol(typed) ? "./" : "", typed);
}

int image_file_name(const char *typed, char **name, struct err *e)
{
	size_t len = strcspn(typed, ":/");

	if (!strncmp(typed, "file:", 5) || !has_protocol(typed)) {
		*name = plain_name(typed);
		return *name ? 0 : fail(e, ENOMEM, "out of memory");
	}
	if (len == 4 && !strncmp(typed, "json", 4))
		return fail(e, ENOTSUP, "json: names are not supported; name "
			    "the file, or use --image-opts "
			    "driver=FORMAT,file.filename=FILE");
	if (known_protocol(typed, len))
		return fail(e, ENOTSUP, "Unknown protocol '%.*s': only local "
			    "files and block devices can be opened; write "
			    "./%.150s for a file of that name", (int)len, typed,
			    typed);
	return fail(e, ENOTSUP, "Unknown protocol '%.*s'",
		    (int)min_u64(len, 200), typed);
}

static unsigned open_flags(const struct cli *cli, const struct image *im)
{
	unsigned flags = im->flags;

	if (cli->share && !(flags & IMG_WRITE))
		flags |= IMG_SHARE;
	if (cli->dropin || cli->probe_backing)
		flags |= IMG_PROBE_BACKING;
	return flags;
}

static int open_plain(struct cli *cli, const struct image *im, unsigned flags,
		      const char *snapshot, struct img **out, struct err *e)
{
	struct img_open_args args = {
		.format = im->format, .flags = flags,
		.resolver = &cli->resolver, .snapshot = snapshot,
		.backing = im->backing, .backing_format = im->backing_format,
		.member = cli->disk,
	};
	char *name;
	int rc;

	if (im->opts)
		return image_opts_open(im->name, &args, out, e);
	rc = image_file_name(im->name, &name, e);
	if (rc)
		return rc;
	if (im->pipe && !cli->dropin && image_is_pipe(name))
		rc = image_open_pipe(name, &args, out, e);
	else
		rc = img_open(name, &args, out, e);
	free(name);
	return rc;
}

/* What the user said about the snapshot. */
struct wanted {
	const char *id, *name, *either;
};

static bool matches(json_t *snapshot, const struct wanted *w, bool by_id)
{
	const char *id = json_string_value(json_object_get(snapshot, "id"));
	const char *name = json_string_value(json_object_get(snapshot, "name"));

	if (w->either)
		return by_id ? id && !strcmp(id, w->either)
			     : name && !strcmp(name, w->either);
	return (!w->id || (id && !strcmp(id, w->id))) &&
	       (!w->name || (name && !strcmp(name, w->name)));
}

/* An id goes before a name, as in qemu-img. */
static int find_snapshot(json_t *snapshots, const struct wanted *w, char **id)
{
	json_t *s;
	size_t i;

	for (int by_name = 0; by_name < 2; by_name++)
		json_array_foreach(snapshots, i, s)
			if (matches(s, w, !by_name)) {
				*id = strdup(json_string_value(
						json_object_get(s, "id")));
				return *id ? 0 : -ENOMEM;
			}
	return -ENOENT;
}

static int parse_wanted(const char *text, struct options *o, struct wanted *w,
			struct err *e)
{
	int rc;

	if (strncmp(text, "snapshot.", 9)) {
		w->either = text;
		return 0;
	}
	rc = options_parse(o, text, e);
	for (size_t i = 0; !rc && i < o->n; i++)
		if (strcmp(o->kv[i].key, "snapshot.id") &&
		    strcmp(o->kv[i].key, "snapshot.name"))
			rc = fail(e, EINVAL, "Invalid parameter '%s'",
				  o->kv[i].key);
	w->id = options_get(o, "snapshot.id");
	w->name = options_get(o, "snapshot.name");
	return rc;
}

/* The id of the snapshot that im->snapshot asks for; to be freed. */
static int snapshot_id(struct cli *cli, const struct image *im, char **id,
		       struct err *e)
{
	struct options o = { 0 };
	struct wanted w = { 0 };
	struct img_info info = { 0 };
	struct img *img = NULL;
	int rc;

	rc = parse_wanted(im->snapshot, &o, &w, e);
	if (rc)
		fail_prefix(e, rc, "Failed in parsing snapshot param '%.100s'",
			    im->snapshot);
	else
		rc = open_plain(cli, im, open_flags(cli, im) | IMG_NO_DATA,
				NULL, &img, e);
	if (!rc)
		rc = img_info(img, &info, e);
	if (!rc) {
		rc = find_snapshot(info.snapshots, &w, id);
		if (rc)
			fail(e, -rc, "Failed to load snapshot: %s",
			     rc == -ENOENT ? "Can't find snapshot"
					   : strerror(-rc));
	}
	json_decref(info.specific);
	json_decref(info.snapshots);
	img_close(img, NULL);
	options_fini(&o);
	return rc;
}

bool image_is_package(struct img *img)
{
	for (; img; img = img_below(img))
		if (!strcmp(img_format(img), "ova") ||
		    !strcmp(img_format(img), "ovf"))
			return true;
	return false;
}

int image_try_open(struct cli *cli, const struct image *im, struct img **out,
		   struct err *e)
{
	struct img *img = NULL;
	char *id = NULL;
	int rc = 0;

	if (im->snapshot)
		rc = snapshot_id(cli, im, &id, e);
	if (!rc)
		rc = open_plain(cli, im, open_flags(cli, im), id, &img, e);
	free(id);
	if (!rc && cli->disk && !im->any_disk && !image_is_package(img)) {
		rc = fail(e, EINVAL, "--disk is for packages (ova, ovf), and this "
			  "is %s", img_format(img));
		img_close(img, NULL);
	}
	if (!rc)
		*out = img;
	return rc;
}

void image_open_error(const struct cli *cli, const char *name,
		      const struct err *e)
{
	const char *why = e->text;
	char head[300];
	size_t len;

	snprintf(head, sizeof(head), "Could not open '%s': ", name);
	len = strlen(head);
	if (!strncmp(why, head, len) &&
	    (!cli->dropin || !strncmp(why + len, "Failed ", 7)))
		why += len;	/* qemu-img says some things twice */
	if (!strncmp(why, "Failed to load", 14) ||
	    !strncmp(why, "Failed in", 9))
		cli_error(cli, "%s", why);
	else
		cli_error(cli, "%s%s", head, why);
	cli_hint(cli, why);
	if (cli->dropin && !strncmp(why, "Failed to get", 13))
		fprintf(stderr, "Is another process using the image [%s]?\n",
			name);
}

int image_open(struct cli *cli, const struct image *im, struct img **out)
{
	struct err e = { "" };
	int rc = image_try_open(cli, im, out, &e);

	if (rc)
		image_open_error(cli, im->name, &e);
	return rc;
}

char *image_shown_name(const struct image *im)
{
	return im->opts ? image_opts_name(im->name) : plain_name(im->name);
}

bool image_args_ok(const struct cli *cli, const char *format)
{
	if (cli->image_opts && format)
		cli_error(cli, "--image-opts and --format are mutually "
			  "exclusive");
	return !cli->image_opts || !format;
}

void image_warn_guess(const struct image *im, const struct img *img)
{
	if (im->format || im->opts || strcmp(img_format(img), "raw"))
		return;
	fprintf(stderr, "WARNING: Image format was not specified for '%s' and "
		"probing guessed raw.\n"
		"         What a guest writes to a raw disk can make it look "
		"like another format:\n"
		"         say -f raw to be sure that it is taken as raw.\n",
		im->name);
}
