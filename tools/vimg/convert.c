/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert.c - vimg convert: its command line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/copy/copy.h"
#include "tools/vimg/convert.h"
#include "tools/vimg/vimg.h"

#define MAX_SPARSE (16u << 20)	/* as in qemu-img */
#define MAX_COROUTINES 16u	/* as in qemu-img */

enum {
	OPT_TARGET_OPTS = CLI_FIRST_OWN, OPT_TARGET_IS_ZERO, OPT_SALVAGE,
	OPT_BITMAPS, OPT_SKIP_BROKEN, OPT_LEVEL, OPT_PROFILE,
};

static int parse_sparse(struct cli *cli, struct convert *c)
{
	uint64_t n;
	int rc = size_parse(optarg, &n);

	if (rc == -EINVAL) {
		cli_size(cli, "buffer size for sparse output", optarg, 0,
			 INT64_MAX, &n);
		return cli_usage_status(cli);
	}
	if (rc || n % 512 || n > MAX_SPARSE)
		return cli_bad(cli, "Invalid buffer size for sparse output "
			       "specified. Valid sizes are multiples of 512 up "
			       "to %u. Select 0 to disable sparse detection "
			       "(fully allocates output).", MAX_SPARSE);
	c->sparse = n;
	return CLI_DONE;
}

static int parse_threads(struct cli *cli, struct convert *c)
{
	unsigned max = cli->dropin ? MAX_COROUTINES : COPY_MAX_THREADS;
	uint64_t n;

	if (size_parse(optarg, &n) || n < 1 || n > max)
		return cli_bad(cli, "Invalid number of %s. Allowed number of "
			       "%s is between 1 and %u",
			       cli->dropin ? "coroutines" : "threads",
			       cli->dropin ? "coroutines" : "threads", max);
	c->threads = (unsigned)n;
	return CLI_DONE;
}

static int parse_options(struct cli *cli, struct convert *c)
{
	struct err e = { "" };

	if (options_want_help(optarg))
		c->help = true;
	else if (options_parse(&c->out.typed, optarg, &e))
		return cli_bad(cli, "%s", e.text);
	return CLI_DONE;
}

static int parse_level(struct cli *cli, struct convert *c)
{
	uint64_t n;

	if (!cli_size(cli, "compression level", optarg, 1, 22, &n))
		return cli_usage_status(cli);
	c->level = (int)n;
	return CLI_DONE;
}

static int parse_profile(struct cli *cli, struct convert *c)
{
	c->profile = profile_find(optarg);
	return c->profile ? CLI_DONE :
		cli_bad(cli, "--profile must be %s, found '%s'", profile_names,
			optarg);
}

/* Options with an argument that is only noted. */
static const char **text_option(struct convert *c, int opt)
{
	switch (opt) {
	case 'f': return &c->source.format;
	case 'O': return &c->out.format;
	case 'B': return &c->out.backing;
	case 'F': return &c->out.backing_format;
	case 't': return &c->target_cache;
	case 'T': return &c->source_cache;
	case 'l': return &c->source.snapshot;
	default: return NULL;
	}
}

static bool *flag_option(struct convert *c, int opt)
{
	switch (opt) {
	case 'c': return &c->compress;
	case 'n': return &c->skip_create;
	case 'W': return &c->out_of_order;
	case 'C': return &c->offload;
	case OPT_TARGET_OPTS: return &c->target_opts;
	case OPT_TARGET_IS_ZERO: return &c->target_is_zero;
	case OPT_SALVAGE: return &c->salvage;
	case OPT_BITMAPS: return &c->bitmaps;
	case OPT_SKIP_BROKEN: return &c->skip_broken_bitmaps;
	default: return NULL;
	}
}

static int parse_option(struct cli *cli, struct convert *c, int opt,
			char **argv)
{
	const char **text = text_option(c, opt);
	bool *flag = flag_option(c, opt);

	if (text)
		*text = optarg;
	if (flag)
		*flag = true;
	if (text || flag)
		return CLI_DONE;
	switch (opt) {
	case 'o':
		return parse_options(cli, c);
	case 'p':
	case CLI_PROGRESS:
		return progress_option(cli, opt, &c->progress);
	case 'S':
		return parse_sparse(cli, c);
	case 'm':
		return parse_threads(cli, c);
	case 'r':
		return cli_size(cli, "rate limit", optarg, 0, INT64_MAX,
				&c->rate) ? CLI_DONE : cli_usage_status(cli);
	case OPT_LEVEL:
		return parse_level(cli, c);
	case OPT_PROFILE:
		return parse_profile(cli, c);
	default:
		return cli_option(cli, opt, argv);
	}
}

/* Options that exclude or need one another; the words are qemu-img's. */
static const char *conflict(const struct cli *cli, const struct convert *c)
{
	if (c->skip_broken_bitmaps && !c->bitmaps)
		return "Use of --skip-broken-bitmaps requires --bitmaps";
	if (c->profile && c->skip_create)
		return "--profile has no effect when skipping image creation";
	if (c->target_opts && !c->skip_create)
		return "--target-image-opts requires use of -n flag";
	if (c->skip_create && c->out.typed.n)
		return "-o has no effect when skipping image creation";
	if (c->offload && c->compress)
		return "Cannot enable copy offloading when -c is used";
	if (c->offload && c->sparse != UINT64_MAX)
		return "Cannot enable copy offloading when -S is used";
	if (c->offload && c->salvage)
		return "Cannot use copy offloading in salvaging mode";
	if (c->target_is_zero && !c->skip_create)
		return "--target-is-zero requires use of -n flag";
	/* Some disks of VMware compress anyway. */
	if (c->level && !c->compress &&
	    (c->skip_create || !c->out.format || strcmp(c->out.format, "vmdk")))
		return "--level has an effect only with -c";
	if (c->source.snapshot && c->n_names > 1)
		return "No support for concatenating multiple snapshot";
	if ((cli->image_opts && c->source.format) ||
	    (c->target_opts && c->out.format))
		return "--image-opts and --format are mutually exclusive";
	return NULL;
}

static int check_caches(struct cli *cli, struct convert *c)
{
	unsigned flags = 0;

	if (c->source_cache && !cli_cache_flags(c->source_cache, &flags))
		return cli_bad(cli, "Invalid source cache option: %s",
			       c->source_cache);
	c->source.flags |= flags;
	/* As qemu-img, its face does not wait for the disk. */
	flags = cli->dropin ? IMG_NO_FLUSH : 0;
	if (c->salvage)
		c->source.flags |= IMG_SALVAGE;
	if (c->target_cache && !cli_cache_flags(c->target_cache, &flags))
		return cli_bad(cli, "Invalid cache option: %s",
			       c->target_cache);
	c->out.flags = flags;
	c->out.no_flush = flags & IMG_NO_FLUSH;
	return CLI_DONE;
}

static int print_option_help(struct cli *cli, const struct convert *c)
{
	const char *format = c->out.format ? c->out.format : "raw";

	if (!img_format_can_create(format))
		return cli_bad(cli, "Unknown file format '%s'", format);
	options_print_help(format, c->n_names > 0);
	return cli_finish(cli, 0);
}

static int parse(struct cli *cli, struct convert *c, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "source-format", required_argument, NULL, 'f' },
		{ "target-format", required_argument, NULL, 'O' },
		{ "target-image-opts", no_argument, NULL, OPT_TARGET_OPTS },
		{ "target-is-zero", no_argument, NULL, OPT_TARGET_IS_ZERO },
		{ "salvage", no_argument, NULL, OPT_SALVAGE },
		{ "bitmaps", no_argument, NULL, OPT_BITMAPS },
		{ "skip-broken-bitmaps", no_argument, NULL, OPT_SKIP_BROKEN },
		{ "ignore-manifest", no_argument, NULL, CLI_IGNORE_MANIFEST },
		{ "level", required_argument, NULL, OPT_LEVEL },
		{ "profile", required_argument, NULL, OPT_PROFILE },
		{ "progress", required_argument, NULL, CLI_PROGRESS },
		{ 0 },
	};
	struct err e = { "" };
	const char *why;
	int opt, rc;

	while ((opt = getopt_long(argc, argv,
				  ":hf:O:B:CcF:o:l:S:pt:T:qnm:WUr:", longs,
				  NULL)) != -1) {
		rc = parse_option(cli, c, opt, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	c->names = argv + optind;
	c->n_names = argc > optind ? (size_t)(argc - optind) - 1 : 0;
	if (c->help)
		return print_option_help(cli, c);
	if (c->profile && !c->skip_create &&
	    profile_apply(c->profile, &c->out, &e))
		return cli_bad(cli, "%s", e.text);
	why = conflict(cli, c);
	if (why)
		return cli_bad(cli, "%s", why);
	if (!c->n_names)
		return cli_bad(cli, "Must specify image file name");
	c->out.path = argv[argc - 1];
	c->source.opts = cli->image_opts;
	if (!c->skip_create && new_image_take_stdout(cli, &c->out, &e))
		return cli_bad(cli, "%s", e.text);
	if (cli->quiet && c->progress == PROGRESS_HUMAN)
		c->progress = PROGRESS_NONE;
	return check_caches(cli, c);
}

static int convert_run(struct cli *cli, int argc, char **argv)
{
	struct convert c = { .sparse = UINT64_MAX, .source.pipe = true };
	int rc;

	rc = parse(cli, &c, argc, argv);
	cli_resolver_init(cli);
	if (rc == CLI_DONE)
		rc = convert_images(cli, &c);
	new_image_fini(&c.out);
	return rc;
}

const struct cli_command cmd_convert = {
	.name = "convert",
	.run = convert_run,
	.synopsis = "convert [--image-opts] [--target-image-opts] "
		    "[--target-is-zero] [--bitmaps] [-U] [-C] [-c [--level N]] "
		    "[-p | --progress json] [-q] [-n] [-f FMT] [-t CACHE] "
		    "[-T CACHE] [-O FMT] [-B BACKING_FILE [-F BACKING_FMT]] "
		    "[-o OPTIONS] [-l SNAPSHOT] [-S SIZE] [-r RATE] "
		    "[-m THREADS] [-W] [--salvage] [--disk NAME|N] "
		    "[--ignore-manifest] [--profile aws|esx|workstation] "
		    "[--output=human|json] "
		    "FILE [FILE2 ...] OUTPUT",
	.help =
"Copy what an image holds into an image of another format.  Several files are\n"
"laid end to end.  OUTPUT appears under its name when it is complete.  As - they\n"
"are standard input (a streamOptimized VMDK may come through a pipe) and output.\n\n"
"  -f FMT, -O FMT         the formats of FILE (guessed) and OUTPUT (raw)\n"
"  -o KEY=VALUE,...       options of the new format; -o help lists them\n"
"  --profile NAME         what this product takes: aws, esx or workstation\n"
"  -c                     compress; --level N: 1 is fast, higher is smaller\n"
"  -B BACKING_FILE -F FMT store only what FILE stores on top of its backing\n"
"                         file, on top of this one\n"
"  -n                     OUTPUT exists: write into it, make nothing;\n"
"  --target-is-zero       with -n: it holds nothing but zeroes\n"
"  -l SNAPSHOT            what a snapshot holds: its id or its name\n"
"  -S SIZE                runs of zeroes of this size become holes (4k);\n"
"                         0: write every byte\n"
"  -m THREADS             default: one a core\n"
"  -W                     writes may be out of order: faster to devices\n"
"  -r RATE                read at most so many bytes a second\n"
"  -t CACHE, -T CACHE     for OUTPUT and FILE: none, writeback, writethrough,\n"
"                         directsync or unsafe\n"
"  --disk NAME|N          which disk of a package (ova) that holds several\n"
"  --ignore-manifest      go on although a package does not match its manifest\n"
"  --salvage              go on after read errors, and with what there is of a\n"
"                         stream cut off: write zeroes, list the loss\n"
"  -p, --progress=human|json  show progress\n"
"  --output=json          print what was done, and what was lost, as JSON\n"
"  -U, --force-share      FILE may be in use by another process\n"
"  --image-opts, --target-image-opts  FILE, OUTPUT are option strings\n"
"  --allow-external[=DIR] images may use files in DIR, or anywhere\n"
"  --probe-backing        guess a backing file's format that is not stated\n\n"
"Examples:\n"
"  vimg convert -p -O qcow2 disk.raw disk.qcow2\n"
"  vimg convert -c -O qcow2 -o compression_type=zstd disk.raw small.qcow2\n"
"  vimg convert -n -O raw disk.qcow2 /dev/vg/lv\n"
"  curl -s URL | vimg convert -O qcow2 - disk.qcow2\n",
};
