/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dd.c - vimg dd: copy a part of an image into a new image. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "convert/copy/copy.h"
#include "tools/cli/progress.h"
#include "tools/vimg/new_image.h"
#include "tools/vimg/verify.h"
#include "tools/vimg/vimg.h"

struct dd {
	struct image in;
	struct new_image out;
	uint64_t bs, count, skip;	/* count: UINT64_MAX not given */
};

/* bs=, count=, skip=, if=, of= */
static int parse_operand(struct cli *cli, struct dd *d, const char *arg)
{
	const char *equals = strchr(arg, '='), *value = equals + 1;
	size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
	bool ok = true;

	if (equals && len == 2 && !strncmp(arg, "if", 2))
		d->in.name = value;
	else if (equals && len == 2 && !strncmp(arg, "of", 2))
		d->out.path = value;
	else if (equals && len == 2 && !strncmp(arg, "bs", 2))
		ok = cli_size(cli, "bs", value, 1, INT32_MAX, &d->bs);
	else if (equals && len == 5 && !strncmp(arg, "count", 5))
		ok = cli_size(cli, "count", value, 0, INT64_MAX, &d->count);
	else if (equals && len == 4 && !strncmp(arg, "skip", 4))
		ok = cli_size(cli, "skip", value, 0, INT64_MAX, &d->skip);
	else
		return cli_bad(cli, "unrecognized operand %.*s", (int)len, arg);
	return ok ? CLI_DONE : cli_usage_status(cli);
}

static int parse(struct cli *cli, struct dd *d, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "ignore-manifest", no_argument, NULL, CLI_IGNORE_MANIFEST },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":hf:O:U", longs, NULL)) != -1) {
		rc = CLI_DONE;
		if (c == 'f')
			d->in.format = optarg;
		else if (c == 'O')
			d->out.format = optarg;
		else
			rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	for (int i = optind; i < argc; i++) {
		rc = parse_operand(cli, d, argv[i]);
		if (rc != CLI_DONE)
			return rc;
	}
	if (!d->in.name || !d->out.path)
		return cli_bad(cli, "Must specify both input and output files");
	d->in.opts = cli->image_opts;
	return image_args_ok(cli, d->in.format) ? CLI_DONE
						 : cli_usage_status(cli);
}

/* The part of the source: [offset, offset + len).  qemu-img counts from the
 * start of the input, not from where it begins to copy; so does its face.
 */
static void find_part(struct cli *cli, const struct dd *d, uint64_t size,
		      uint64_t *offset, uint64_t *len)
{
	uint64_t end = size, count_len;

	if (!mul_ok(d->skip, d->bs, offset) || *offset > size) {
		/* The output is empty then, as with dd. */
		cli_error(cli, "%s: cannot skip to specified offset",
			  d->in.name);
		*offset = size;
	}
	if (d->count != UINT64_MAX && mul_ok(d->count, d->bs, &count_len) &&
	    (cli->dropin || add_ok(*offset, count_len, &count_len)))
		end = min_u64(end, count_len);
	*len = end - min_u64(end, *offset);
}

/* qemu-img writes every byte. */
static int copy(const struct cli *cli, struct img *src, struct img *dst,
		struct err *e)
{
	struct copy_args args = {
		.sources = &src, .n_sources = 1, .dst = dst,
		.target_is_zero = true, .no_sparse = cli->dropin,
		.cancel = progress_cancelled(),
	};
	struct copy_result result = { 0 };
	int rc;

	if (!img_size(src))
		return 0;
	rc = copy_run(&args, &result, e);
	copy_result_fini(&result);
	return rc;
}

static int make(struct cli *cli, struct dd *d, struct img *src, struct err *e)
{
	struct verify verify = { 0 };
	struct img *dst = NULL;
	int rc, one;

	d->out.sources = &src;
	d->out.n_sources = 1;
	rc = new_image_open(&d->out, e);
	if (rc)
		return rc;
	rc = verify_start(cli, &verify, &src, 1, e);
	/* What exists is written in place: then verify first. */
	if (!rc && !access(d->out.path, F_OK))
		rc = verify_end(cli, &verify, 0, e);
	if (!rc)
		rc = new_image_write(cli, &d->out, e);
	if (!rc)
		rc = new_image_stack(cli, &d->out, &dst, e);
	if (!rc)
		rc = copy(cli, src, dst, e);
	one = img_close(dst, rc ? NULL : e);
	rc = verify_end(cli, &verify, rc ? rc : one, e);
	return new_image_end(&d->out, rc, e);
}

static int dd_images(struct cli *cli, struct dd *d)
{
	struct err e = { "" };
	struct img *src;
	uint64_t offset;
	int rc;

	if (!img_format_can_create(d->out.format))
		return cli_bad(cli, "Unknown file format '%s'", d->out.format);
	if (image_open(cli, &d->in, &src))
		return CLI_FAILED;
	find_part(cli, d, img_size(src), &offset, &d->out.size);
	d->out.has_size = true;
	if (offset || d->out.size < img_size(src))
		rc = img_window(src, offset, d->out.size, &src, &e);
	else
		rc = 0;
	if (!rc)
		rc = make(cli, d, src, &e);
	img_close(src, NULL);
	if (rc == -ECANCELED)
		return progress_die();
	if (rc)
		cli_error(cli, "%s: error while creating output image: %s",
			  d->out.path, e.text);
	return cli_finish(cli, rc ? CLI_FAILED : 0);
}

static int dd_run(struct cli *cli, int argc, char **argv)
{
	struct dd d = {
		.out.format = "raw", .bs = 512, .count = UINT64_MAX,
	};
	int rc;

	rc = parse(cli, &d, argc, argv);
	if (rc == CLI_DONE) {
		cli_resolver_init(cli);
		progress_signals();
		rc = dd_images(cli, &d);
	}
	new_image_fini(&d.out);
	return rc;
}

const struct cli_command cmd_dd = {
	.name = "dd",
	.run = dd_run,
	.synopsis = "dd [--image-opts] [-U] [-f FMT] [-O FMT] [bs=SIZE] "
		    "[count=N] [skip=N] [--disk NAME|N] [--ignore-manifest] "
		    "if=INPUT of=OUTPUT",
	.help =
"Copy a part of an image into a new image.\n\n"
"  if=INPUT, of=OUTPUT    the files; OUTPUT is overwritten\n"
"  bs=SIZE                what count and skip count in (default 512 bytes)\n"
"  count=N                copy only N blocks\n"
"  skip=N                 leave out the first N blocks of the input\n"
"  -f FMT                 the input's format; guessed if not given\n"
"  -O FMT                 the output's format (default raw)\n"
"  --disk NAME|N          which disk of a package (ova) that holds several\n"
"  --ignore-manifest      go on although a package does not match its manifest\n"
"  -U, --force-share      the input may be in use by another process\n"
"  --image-opts           INPUT is an option string\n"
"  --allow-external[=DIR] the input may use files in DIR, or anywhere\n\n"
"Example:\n"
"  vimg dd -O raw bs=1M skip=1 count=512 if=disk.qcow2 of=partition.raw\n",
};
