/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create.c - vimg create: make an empty image. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vimg/new_image.h"
#include "tools/vimg/vimg.h"

struct create {
	struct new_image new;
	bool unsafe;			/* -u: do not open the backing file */
	bool help;
};

static int parse_option(struct cli *cli, struct create *a, int c, char **argv)
{
	struct err e = { "" };

	switch (c) {
	case 'f':
		a->new.format = optarg;
		return CLI_DONE;
	case 'b':
		a->new.backing = optarg;
		return CLI_DONE;
	case 'F':
		a->new.backing_format = optarg;
		return CLI_DONE;
	case 'u':
		a->unsafe = true;
		return CLI_DONE;
	case 'o':
		if (options_want_help(optarg))
			a->help = true;
		else if (options_parse(&a->new.typed, optarg, &e))
			return cli_bad(cli, "%s", e.text);
		return CLI_DONE;
	case 'e':
	case '6':
		return cli_bad(cli, "option -%c is deprecated, please use '-o "
			       "%s' instead", c, c == 'e' ? "encryption"
						    : "compat6");
	default:
		return cli_option(cli, c, argv);
	}
}

static int parse(struct cli *cli, struct create *a, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "backing", required_argument, NULL, 'b' },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":F:b:f:ho:qu", longs, NULL)) !=
	       -1) {
		rc = parse_option(cli, a, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	a->new.path = optind < argc ? argv[optind++] : NULL;
	if (a->help)
		return CLI_DONE;
	if (!a->new.path)
		return cli_usage(cli, "Expecting image file name");
	if (optind < argc) {
		if (!cli_size(cli, "image size", argv[optind++], 0, INT64_MAX,
			      &a->new.size))
			return cli_usage_status(cli);
		a->new.has_size = true;
	}
	if (optind < argc)
		return cli_usage(cli, "Unexpected argument: %s", argv[optind]);
	if (cli->image_opts)
		return cli_usage(cli, "unrecognized option '--image-opts'");
	return CLI_DONE;
}

/* Everything that can be wrong before the file is touched. */
static int check(struct cli *cli, struct create *a, struct err *e)
{
	struct new_image *n = &a->new;
	char *name;
	int rc;

	rc = image_file_name(n->path, &name, e);
	if (!rc)
		free(name);
	if (!rc && n->has_size && options_get(&n->typed, "size"))
		rc = fail(e, EINVAL, "The image size must be specified only "
			  "once");
	if (!rc)
		rc = new_image_options(n, e);
	if (!rc)
		rc = new_image_backing(cli, n, a->unsafe, e);
	if (!rc && !n->has_size)
		rc = fail(e, EINVAL, "Image creation needs a size parameter");
	return rc;
}

/* The backing file must not be the file that is written. */
static int open_source(struct cli *cli, const struct create *a,
		       struct img **backing, struct err *e)
{
	struct image im = {
		.format = a->new.backing_format, .flags = IMG_NO_DATA,
	};
	char *path;
	int rc;

	if (!a->new.backing || a->unsafe)
		return 0;
	path = new_image_backing_path(&a->new);
	im.name = path;
	rc = path ? image_try_open(cli, &im, backing, e)
		  : fail(e, ENOMEM, "out of memory");
	free(path);
	return rc;
}

/* Closing writes what an empty image ends with. */
static int finish_stream(struct cli *cli, struct new_image *n, struct err *e)
{
	struct img *img;
	int rc = new_image_stack(cli, n, &img, e);

	return rc ? rc : img_close(img, e);
}

static int write_image(struct cli *cli, struct create *a, struct err *e)
{
	struct new_image *n = &a->new;
	struct img *backing = NULL;
	int rc;

	if (n->backing_format && !n->backing)
		return fail(e, EINVAL, "Backing format cannot be used without "
			    "backing file");
	rc = open_source(cli, a, &backing, e);
	if (rc)
		return rc;
	n->sources = &backing;
	n->n_sources = backing ? 1 : 0;
	rc = new_image_open(n, e);
	if (!rc) {
		rc = new_image_write(cli, n, e);
		if (!rc && n->to_stdout)
			rc = finish_stream(cli, n, e);
		rc = new_image_end(n, rc, e);
	}
	img_close(backing, NULL);
	return rc;
}

/* qemu-img ends the guess at the format without a newline. */
static int report(const struct cli *cli, const struct create *a,
		  const struct err *e)
{
	if (cli->dropin && strstr(e->text, "\nDetected format of")) {
		fflush(stdout);
		fprintf(stderr, "%s: %s: %s", cli->prog, a->new.path, e->text);
	} else {
		cli_error(cli, "%s: %s", a->new.path, e->text);
		cli_hint(cli, e->text);
	}
	return CLI_FAILED;
}

static int create(struct cli *cli, struct create *a)
{
	struct err e = { "" };
	int rc;

	if (a->help && !img_format_can_create(a->new.format))
		return cli_bad(cli, "Unknown file format '%s'", a->new.format);
	if (a->help) {
		options_print_help(a->new.format, a->new.path);
		return cli_finish(cli, 0);
	}
	rc = check(cli, a, &e);
	if (rc)
		return report(cli, a, &e);
	rc = new_image_take_stdout(cli, &a->new, &e);
	if (rc)
		return report(cli, a, &e);
	new_image_announce(cli, &a->new);
	rc = write_image(cli, a, &e);
	return rc ? report(cli, a, &e) : cli_finish(cli, 0);
}

static int create_run(struct cli *cli, int argc, char **argv)
{
	struct create a = { .new.format = "raw" };
	int rc;

	rc = parse(cli, &a, argc, argv);
	cli_resolver_init(cli);
	if (rc == CLI_DONE)
		rc = create(cli, &a);
	new_image_fini(&a.new);
	return rc;
}

const struct cli_command cmd_create = {
	.name = "create",
	.run = create_run,
	.synopsis = "create [-q] [-f FMT] [-b BACKING_FILE -F BACKING_FMT] "
		    "[-u] [-o OPTIONS] FILE [SIZE]",
	.help =
"Make an empty disk image of SIZE bytes.\n\n"
"  -f FMT                 the format: raw (default) or another that\n"
"                         'vimg --help' lists\n"
"  -o KEY=VALUE,...       options of the format; -o help lists them\n"
"  -b BACKING_FILE        store only what will differ from this file; its name\n"
"                         counts from FILE's folder, its size is the default\n"
"  -F BACKING_FMT         the backing file's format\n"
"  -u                     do not look at the backing file\n"
"  -q                     say nothing but errors\n"
"  --allow-external[=DIR] the backing file may use files in DIR, or anywhere\n\n"
"A file that exists is overwritten, and keeps its inode, owner and links.\n\n"
"Examples:\n"
"  vimg create -f qcow2 disk.qcow2 20G\n"
"  vimg create -f qcow2 -b base.qcow2 -F qcow2 overlay.qcow2\n"
"  vimg create -f qcow2 -o cluster_size=1M,compression_type=zstd d.qcow2 1T\n",
};
