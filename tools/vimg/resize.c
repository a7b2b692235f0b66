/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resize.c - vimg resize: change the virtual size. */
#include <errno.h>
#include <string.h>

#include "tools/cli/image.h"
#include "tools/vimg/new_files.h"
#include "tools/vimg/vimg.h"

enum { OPT_PREALLOCATION = CLI_FIRST_OWN, OPT_SHRINK };

struct resize {
	struct image image;
	const char *size_text;
	const char *preallocation;
	bool shrink;
};

/* The size is the last argument and may begin with '-': it is taken off before
 * getopt can see it as an option.
 */
static int parse(struct cli *cli, struct resize *r, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "preallocation", required_argument, NULL, OPT_PREALLOCATION },
		{ "shrink", no_argument, NULL, OPT_SHRINK },
		{ 0 },
	};
	int c, rc;

	if (argc > 1 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help")))
		return cli_option(cli, 'h', argv);
	if (argc < 3)
		return cli_usage(cli, "Not enough arguments");
	r->size_text = argv[--argc];
	argv[argc] = NULL;
	while ((c = getopt_long(argc, argv, ":hf:q", longs, NULL)) != -1) {
		rc = CLI_DONE;
		if (c == 'f')
			r->image.format = optarg;
		else if (c == OPT_PREALLOCATION)
			r->preallocation = optarg;
		else if (c == OPT_SHRINK)
			r->shrink = true;
		else
			rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind != argc - 1)
		return cli_usage(cli, "Expecting image file name and size");
	r->image.name = argv[optind];
	return CLI_DONE;
}

static bool preallocation_ok(const char *mode)
{
	return !mode || !strcmp(mode, "off") || !strcmp(mode, "metadata") ||
	       !strcmp(mode, "falloc") || !strcmp(mode, "full");
}

/* "+1G", "-512M" or "8G" against the size it has; false: nothing positive. */
static bool target_size(const char *text, uint64_t n, uint64_t have,
			uint64_t *size)
{
	*size = n;
	if (*text == '+' && !add_ok(have, n, size))
		return false;
	if (*text == '-') {
		if (n >= have)
			return false;
		*size = have - n;
	}
	return *size > 0 && *size <= INT64_MAX;
}

static int change(struct cli *cli, const struct resize *r, struct img *img,
		  uint64_t number)
{
	uint64_t have = img_size(img), size;
	struct err e = { "" };
	int rc;

	if (!target_size(r->size_text, number, have, &size)) {
		cli_error(cli, "New image size must be positive");
		return -EINVAL;
	}
	if (size <= have && r->preallocation &&
	    strcmp(r->preallocation, "off")) {
		cli_error(cli, "Preallocation can only be used for growing "
			  "images");
		return -EINVAL;
	}
	if (size < have && !r->shrink) {
		cli_error(cli, "Use the --shrink option to perform a shrink "
			  "operation.");
		cli_error(cli, "warning: Shrinking an image will delete all "
			  "data beyond the shrunken image's end. Before "
			  "performing such an operation, make sure there is "
			  "no important data there.");
		return -EINVAL;
	}
	rc = img_resize(img, size, r->preallocation, &e);
	if (rc)
		cli_error(cli, "%s", e.text);
	return rc;
}

static int resize_run(struct cli *cli, int argc, char **argv)
{
	struct resize r = { .image.flags = IMG_WRITE };
	struct new_files files;
	struct err e = { "" };
	const char *digits;
	struct img *img;
	uint64_t number;
	int rc;

	rc = parse(cli, &r, argc, argv);
	if (rc != CLI_DONE)
		return rc;
	if (!preallocation_ok(r.preallocation))
		return cli_bad(cli, "Invalid preallocation mode '%s'",
			       r.preallocation);
	if (!image_args_ok(cli, r.image.format))
		return cli_usage_status(cli);
	digits = r.size_text + strspn(r.size_text, "+-");
	if (digits > r.size_text + 1 || size_parse(digits, &number) == -EINVAL)
		return cli_bad(cli, "Parameter 'size' expects a non-negative "
			       "number below 2^64\n"
			       "Optional suffix k, M, G, T, P or E means "
			       "kilo-, mega-, giga-, tera-, peta-\n"
			       "and exabytes, respectively.");
	if (size_parse(digits, &number))
		return cli_bad(cli, "New image size must be positive, and "
			       "below 8E");
	r.image.opts = cli->image_opts;
	cli_resolver_init(cli);
	new_files_init(&files, &cli->resolver);
	if (image_open(cli, &r.image, &img))
		return CLI_FAILED;
	image_warn_guess(&r.image, img);
	rc = change(cli, &r, img, number);
	if (img_close(img, &e) && !rc) {
		cli_error(cli, "%s", e.text);
		rc = -EIO;
	}
	if (rc)
		return CLI_FAILED;
	cli_say(cli, "Image resized.\n");
	return cli_finish(cli, 0);
}

const struct cli_command cmd_resize = {
	.name = "resize",
	.run = resize_run,
	.synopsis = "resize [--image-opts] [-f FMT] [--preallocation=MODE] "
		    "[-q] [--shrink] FILE [+ | -]SIZE",
	.help =
"Change the virtual size of an image.\n\n"
"  -f FMT                 the image's format; guessed if not given\n"
"  --preallocation=MODE   for what is added: off, metadata, falloc or full\n"
"  --shrink               allow a smaller size: what lies beyond is lost\n"
"  -q                     say nothing but errors\n"
"  --image-opts           FILE is an option string: driver=FMT,file.filename=F\n"
"  --allow-external[=DIR] the image may use files in DIR, or anywhere\n\n"
"Shrink the file system and the partitions inside first; after growing, grow\n"
"them.\n\n"
"Examples:\n"
"  vimg resize disk.qcow2 +10G\n"
"  vimg resize -f raw --shrink disk.img 4G\n",
};
