/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info.c - vimg info: what an image says about itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/vimg/info.h"
#include "tools/vimg/vimg.h"

/* As long as the library follows a chain. */
#define MAX_CHAIN 200

enum { OPT_BACKING_CHAIN = CLI_FIRST_OWN };

struct info_args {
	struct image image;
	bool chain;
};

static int parse(struct cli *cli, struct info_args *a, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "backing-chain", no_argument, NULL, OPT_BACKING_CHAIN },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":hf:U", longs, NULL)) != -1) {
		rc = CLI_DONE;
		if (c == 'f')
			a->image.format = optarg;
		else if (c == OPT_BACKING_CHAIN)
			a->chain = true;
		else
			rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind != argc - 1)
		return cli_usage(cli, "Expecting one image file name");
	a->image.name = argv[optind];
	a->image.opts = cli->image_opts;
	return image_args_ok(cli, a->image.format) ? CLI_DONE
						    : cli_usage_status(cli);
}

/* Where the backing file is, from here.  To be freed. */
static char *full_name(const char *image, const char *backing)
{
	const char *slash = strrchr(image, '/');

	if (*backing == '/' || !slash ||
	    backing[strcspn(backing, ":/")] == ':')
		return strdup(backing);
	return str_printf("%.*s%s", (int)(slash - image) + 1, image, backing);
}

/* Raw on top of another format shows what that says, as in qemu-img. */
static int ask(struct img *img, struct img_info *info, struct err *e)
{
	struct img_info below;
	int rc = img_info(img, info, e);

	if (rc || strcmp(img_format(img), "raw") || !img_below(img))
		return rc;
	rc = img_info(img_below(img), &below, e);
	if (rc)
		return rc;
	info->cluster_size = below.cluster_size;
	info->encrypted = below.encrypted;
	info->dirty = below.dirty;
	info->snapshots = below.snapshots;
	json_decref(below.specific);
	return 0;
}

static int describe(struct img *img, const char *shown,
		    struct info_image *out, struct err *e)
{
	int rc = ask(img, &out->info, e);

	if (rc)
		return rc;
	out->format = strdup(img_format(img));
	out->name = strdup(shown);
	out->size = img_size(img);
	out->has_usage = !img_host_usage(img, &out->usage);
	if (out->info.backing) {
		out->backing = strdup(out->info.backing);
		out->full_backing = full_name(img_name(img),
					      out->info.backing);
	}
	if (out->info.backing_format)
		out->backing_format = strdup(out->info.backing_format);
	if (!out->format || !out->name ||
	    (out->info.backing && (!out->backing || !out->full_backing)))
		return fail(e, ENOMEM, "out of memory");
	return 0;
}

static void info_image_fini(struct info_image *i)
{
	free(i->format);
	free(i->name);
	free(i->backing);
	free(i->full_backing);
	free(i->backing_format);
	json_decref(i->info.specific);
	json_decref(i->info.snapshots);
}

/* Open the backing file of `img` without its own. */
static int open_next(struct cli *cli, struct img *img,
		     const struct info_image *i, struct img **out,
		     struct err *e)
{
	unsigned flags = IMG_NO_DATA | IMG_NO_BACKING | IMG_REPAIR;

	if (!i->backing_format && !cli->dropin && !cli->probe_backing)
		return fail(e, EPERM, "%s does not say the format of its "
			    "backing file '%s', and guessing it is unsafe: "
			    "allow it with --probe-backing", i->name,
			    i->backing);
	if (cli->share)
		flags |= IMG_SHARE;
	return cli->resolver.open(cli->resolver.arg, img_name(img), i->backing,
				  i->backing_format, flags, &cli->resolver,
				  out, e);
}

static bool seen(const struct info_image *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(list[i].name, name))
			return true;
	return false;
}

/* Describe `img`, which it closes, and with `chain` what lies behind it. */
static int collect(struct cli *cli, const struct info_args *a, struct img *img,
		   struct info_image *list, size_t *n)
{
	char *shown = image_shown_name(&a->image);
	struct img *next = NULL;
	struct err e = { "" };
	int rc = 0;

	while (img && !rc) {
		struct info_image *i = &list[*n];

		rc = describe(img, shown ? shown : "", i, &e);
		++*n;
		free(shown);
		shown = NULL;
		if (!rc && a->chain && i->backing) {
			if (*n == MAX_CHAIN ||
			    seen(list, *n, i->full_backing)) {
				cli_error(cli, "Backing file '%s' creates an "
					  "infinite loop.", i->full_backing);
				img_close(img, NULL);
				return -ELOOP;
			}
			rc = open_next(cli, img, i, &next, &e);
			if (rc) {
				image_open_error(cli, i->full_backing, &e);
				img_close(img, NULL);
				return rc;
			}
			shown = strdup(i->full_backing);
		}
		img_close(img, NULL);
		img = next;
		next = NULL;
	}
	free(shown);
	if (rc)
		image_open_error(cli, a->image.name, &e);
	return rc;
}

static int print(struct cli *cli, const struct info_args *a,
		 const struct info_image *list, size_t n)
{
	json_t *array;

	if (cli->json && !a->chain)
		return json_print(cli, info_json(&list[0]), 0);
	if (cli->json) {
		array = json_array();
		for (size_t i = 0; i < n; i++)
			json_array_append_new(array, info_json(&list[i]));
		return json_print(cli, array, 0);
	}
	for (size_t i = 0; i < n; i++) {
		cli_say(cli, "%s", i ? "\n" : "");
		info_print(&list[i]);
	}
	return cli_finish(cli, 0);
}

static int info_run(struct cli *cli, int argc, char **argv)
{
	struct info_args a = {
		.image.flags = IMG_NO_DATA | IMG_NO_BACKING | IMG_REPAIR,
	};
	struct info_image *list;
	struct img *img;
	size_t n = 0;
	int rc;

	rc = parse(cli, &a, argc, argv);
	if (rc != CLI_DONE)
		return rc;
	cli_resolver_init(cli);
	if (image_open(cli, &a.image, &img))
		return CLI_FAILED;
	list = array_alloc(MAX_CHAIN, sizeof(*list));
	if (!list) {
		cli_error(cli, "out of memory");
		img_close(img, NULL);
		return CLI_FAILED;
	}
	rc = collect(cli, &a, img, list, &n);
	rc = rc ? CLI_FAILED : print(cli, &a, list, n);
	for (size_t i = 0; i < n; i++)
		info_image_fini(&list[i]);
	free(list);
	return rc;
}

const struct cli_command cmd_info = {
	.name = "info",
	.run = info_run,
	.synopsis = "info [--image-opts] [-f FMT] [--output=human|json] "
		    "[--backing-chain] [-U] FILE",
	.help =
"Show an image's format, size, backing file, snapshots and features.\n\n"
"  -f FMT                 the image's format; guessed if not given\n"
"  --output=human|json    json is for programs (keys as qemu-img's)\n"
"  --backing-chain        show every backing file as well\n"
"  -U, --force-share      the image may be in use by another process\n"
"  --image-opts           FILE is an option string: driver=FMT,file.filename=F\n"
"  --allow-external[=DIR] follow backing files into DIR, or anywhere\n"
"  --probe-backing        guess a backing file's format that is not stated\n\n"
"Without --backing-chain no other file is opened.\n\n"
"Examples:\n"
"  vimg info disk.qcow2\n"
"  vimg info --backing-chain --output=json overlay.qcow2\n",
};
