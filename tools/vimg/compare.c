/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compare.c - vimg compare: do two images hold the same? */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "convert/copy/compare.h"
#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/cli/progress.h"
#include "tools/vimg/verify.h"
#include "tools/vimg/vimg.h"

/* Exit statuses, as qemu-img has them. */
#define COMPARE_DIFFER 1
#define COMPARE_NO_OPEN 2
#define COMPARE_NO_MAP 3
#define COMPARE_NO_READ 4

struct compare {
	struct image a, b;
	unsigned cache;
	bool strict;
	enum progress_mode progress;
};

static int parse_option(struct cli *cli, struct compare *c, int opt,
			char **argv)
{
	switch (opt) {
	case 'f':
		c->a.format = optarg;
		return CLI_DONE;
	case 'F':
		c->b.format = optarg;
		return CLI_DONE;
	case 'T':
		if (cli_cache_flags(optarg, &c->cache))
			return CLI_DONE;
		cli_error(cli, "Invalid source cache option: %s", optarg);
		return COMPARE_NO_OPEN;
	case 'p':
	case CLI_PROGRESS:
		return progress_option(cli, opt, &c->progress);
	case 's':
		c->strict = true;
		return CLI_DONE;
	default:
		return cli_option(cli, opt, argv);
	}
}

static int parse(struct cli *cli, struct compare *c, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "progress", required_argument, NULL, CLI_PROGRESS },
		{ "strict", no_argument, NULL, 's' },
		{ "ignore-manifest", no_argument, NULL, CLI_IGNORE_MANIFEST },
		{ 0 },
	};
	int opt, rc;

	while ((opt = getopt_long(argc, argv, ":hf:F:T:pqsU", longs, NULL)) !=
	       -1) {
		rc = parse_option(cli, c, opt, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind != argc - 2)
		return cli_usage(cli, "Expecting two image file names");
	c->a.name = argv[optind];
	c->b.name = argv[optind + 1];
	c->a.opts = c->b.opts = cli->image_opts;
	c->a.any_disk = c->b.any_disk = true;
	c->a.flags = c->b.flags = c->cache;
	if (cli->quiet && c->progress == PROGRESS_HUMAN)
		c->progress = PROGRESS_NONE;
	return image_args_ok(cli, c->a.format) && image_args_ok(cli,
			c->b.format) ? CLI_DONE : cli_usage_status(cli);
}

static const char *verdict_text(enum compare_verdict verdict)
{
	switch (verdict) {
	case COMPARE_SAME:	return "identical";
	case COMPARE_CONTENT:	return "content";
	case COMPARE_SIZE:	return "size";
	case COMPARE_STATUS:	return "allocation";
	}
	return "";
}

static int print_json(const struct cli *cli, const struct compare_result *r)
{
	json_t *o = json_object();

	json_put_bool(o, "identical", r->verdict == COMPARE_SAME);
	if (r->verdict != COMPARE_SAME)
		json_put_string(o, "difference", verdict_text(r->verdict));
	if (r->verdict == COMPARE_CONTENT || r->verdict == COMPARE_STATUS)
		json_put_size(o, "offset", r->offset);
	json_put_bool(o, "sizes-differ", r->sizes_differ);
	return json_print(cli, o, 0);
}

/* As qemu-img, which warns when it comes to the end of the shorter one. */
static bool worth_warning(const struct compare_result *r, uint64_t shorter)
{
	return r->sizes_differ &&
	       (r->verdict == COMPARE_SAME ||
		(r->verdict == COMPARE_CONTENT && r->offset >= shorter));
}

static int print(const struct cli *cli, const struct compare_result *r,
		 uint64_t shorter)
{
	int status = r->verdict == COMPARE_SAME ? 0 : COMPARE_DIFFER, rc;

	if (cli->json) {
		rc = print_json(cli, r);
		return rc ? COMPARE_NO_READ : status;
	}
	if (worth_warning(r, shorter))
		cli_say(cli, "Warning: Image size mismatch!\n");
	switch (r->verdict) {
	case COMPARE_SAME:
		cli_say(cli, "Images are identical.\n");
		break;
	case COMPARE_CONTENT:
		cli_say(cli, "Content mismatch at offset %" PRIu64 "!\n",
			r->offset);
		break;
	case COMPARE_SIZE:
		cli_say(cli, "Strict mode: Image size mismatch!\n");
		break;
	case COMPARE_STATUS:
		cli_say(cli, "Strict mode: Offset %" PRIu64 " block status "
			"mismatch!\n", r->offset);
		break;
	}
	return cli_finish(cli, 0) ? COMPARE_NO_READ : status;
}

static int compare(struct cli *cli, const struct compare *c, struct img *a,
		   struct img *b)
{
	struct progress p;
	struct compare_args args = {
		.a = a, .b = b, .strict = c->strict,
		.progress = progress_callback, .arg = &p,
		.cancel = progress_cancelled(),
	};
	struct img *const images[] = { a, b };
	struct compare_result result = { 0 };
	struct verify verify;
	struct err e = { "" };
	int rc, status = 0;

	progress_signals();
	progress_start(&p, c->progress);
	rc = verify_start(cli, &verify, images, 2, &e);
	if (!rc)
		rc = compare_run(&args, &result, &e);
	/* Those that differ are not read on to the end. */
	if (!rc && result.verdict != COMPARE_SAME)
		verify_stop(&verify);
	rc = verify_end(cli, &verify, rc, &e);
	if (!rc)
		status = print(cli, &result, min_u64(img_size(a),
						     img_size(b)));
	/* The newline after the progress comes last, as from qemu-img. */
	progress_end(&p, !rc && result.verdict == COMPARE_SAME);
	if (rc == -ECANCELED)
		return progress_die();
	if (rc) {
		cli_error(cli, "%s", e.text);
		status = result.failed_map && !verify.rc ? COMPARE_NO_MAP
							 : COMPARE_NO_READ;
	}
	return cli_finish(cli, status);
}

static int compare_cmd(struct cli *cli, int argc, char **argv)
{
	struct compare c = { 0 };
	struct img *a, *b;
	int rc;

	rc = parse(cli, &c, argc, argv);
	if (rc != CLI_DONE)
		return rc;
	cli_resolver_init(cli);
	if (image_open(cli, &c.a, &a))
		return COMPARE_NO_OPEN;
	if (image_open(cli, &c.b, &b)) {
		img_close(a, NULL);
		return COMPARE_NO_OPEN;
	}
	rc = compare(cli, &c, a, b);
	img_close(a, NULL);
	img_close(b, NULL);
	return rc;
}

const struct cli_command cmd_compare = {
	.name = "compare",
	.run = compare_cmd,
	.synopsis = "compare [--image-opts] [-f FMT] [-F FMT] [-T CACHE] "
		    "[-p | --progress json] [-q] [-s] [-U] [--disk NAME|N] "
		    "[--ignore-manifest] FILE1 FILE2",
	.help =
"Compare what two images hold, whatever their formats.\n\n"
"  -f FMT, -F FMT         the formats of FILE1 and of FILE2; guessed if not given\n"
"  -s, --strict           sizes and allocation must be the same as well\n"
"  -p, --progress=human|json  show progress\n"
"  --output=human|json    how to print the result\n"
"  -q                     say nothing; look at the exit status\n"
"  --disk NAME|N          which disk of a package (ova) that holds several\n"
"  --ignore-manifest      go on although a package does not match its manifest\n"
"  -T CACHE               none, writeback, writethrough, directsync or unsafe\n"
"  -U, --force-share      the images may be in use by another process\n"
"  --image-opts           FILE1 and FILE2 are option strings\n"
"  --allow-external[=DIR] images may use files in DIR, or anywhere\n\n"
"Where one image is longer, the rest must be zeroes.  Exit status: 0 the same,\n"
"1 different, 2 cannot open, 3 cannot read a map, 4 cannot read data.\n\n"
"Example:\n"
"  vimg compare disk.raw disk.qcow2\n",
};
