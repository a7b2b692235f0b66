/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.c - p2v capture: the command and its options. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/p2v/capture.h"

enum {
	OPT_RESUME = CLI_FIRST_OWN, OPT_VERIFY, OPT_BWLIMIT, OPT_LEVEL,
	OPT_LIVE, OPT_FREEZE, OPT_RETRIES, OPT_NO_COMPRESS, OPT_THREADS,
	OPT_DIRECT,
};

static int number(struct cli *cli, const char *what, const char *text,
		  unsigned min, unsigned max, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < min || n > max)
		return cli_bad(cli, "%s is '%s', must be %u to %u", what, text,
			       min, max);
	*out = (unsigned)n;
	return CLI_DONE;
}

static int take_option(struct cli *cli, struct p2v_capture *c, int opt,
		       char **argv)
{
	unsigned level;
	int rc;

	switch (opt) {
	case 'o':
		c->folder = optarg;
		return CLI_DONE;
	case 'p':
		c->progress = PROGRESS_HUMAN;
		return CLI_DONE;
	case 'f':
		c->format = optarg;
		return CLI_DONE;
	case OPT_RESUME:
		c->how.resume = true;
		return CLI_DONE;
	case OPT_VERIFY:
		c->verify = true;
		return CLI_DONE;
	case OPT_BWLIMIT:
		return cli_size(cli, "--bwlimit", optarg, 1, INT64_MAX,
				&c->how.rate) ? CLI_DONE :
						cli_usage_status(cli);
	case OPT_LEVEL:
		rc = number(cli, "--level", optarg, 1, 19, &level);
		c->how.level = (int)level;
		return rc;
	case OPT_LIVE:
		c->live = true;
		return CLI_DONE;
	case OPT_FREEZE:
		c->freeze = true;
		return optarg ? number(cli, "--freeze", optarg, 1, 86400,
				       &c->freeze_s) : CLI_DONE;
	case OPT_RETRIES:
		return number(cli, "--retries", optarg, 0, 1000,
			      &c->how.retries);
	case OPT_NO_COMPRESS:
		c->how.plain = true;
		return CLI_DONE;
	case OPT_THREADS:
		return number(cli, "--threads", optarg, 1, COPY_MAX_THREADS,
			      &c->how.threads);
	case OPT_DIRECT:
		c->direct = true;
		return CLI_DONE;
	default:
		return cli_option(cli, opt, argv);
	}
}

static int check(struct cli *cli, struct p2v_capture *c, int argc, char **argv)
{
	c->names = argv + optind;
	c->n = (size_t)(argc - optind);
	if (!c->n)
		return cli_usage(cli, "no disk is given");
	if (c->n > MANIFEST_DISKS)
		return cli_bad(cli, "%zu disks, at most %u are possible", c->n,
			       MANIFEST_DISKS);
	if (!c->folder)
		return cli_usage(cli, "where to? -o DIR is missing");
	if (c->live && c->freeze)
		return cli_bad(cli, "--live and --freeze exclude each other");
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(c->names[i], c->names[k]))
				return cli_bad(cli, "'%s' is given twice",
					       c->names[i]);
	return CLI_DONE;
}

static int capture_cmd(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "output", required_argument, NULL, CLI_OUTPUT },
		{ "format", required_argument, NULL, 'f' },
		{ "resume", no_argument, NULL, OPT_RESUME },
		{ "verify", no_argument, NULL, OPT_VERIFY },
		{ "bwlimit", required_argument, NULL, OPT_BWLIMIT },
		{ "level", required_argument, NULL, OPT_LEVEL },
		{ "no-compress", no_argument, NULL, OPT_NO_COMPRESS },
		{ "live", no_argument, NULL, OPT_LIVE },
		{ "freeze", optional_argument, NULL, OPT_FREEZE },
		{ "retries", required_argument, NULL, OPT_RETRIES },
		{ "threads", required_argument, NULL, OPT_THREADS },
		{ "direct", no_argument, NULL, OPT_DIRECT },
		{ 0 },
	};
	struct p2v_capture c = {
		.freeze_s = 600, .how = { .retries = 3 },
	};
	int opt, rc = CLI_DONE;

	while (rc == CLI_DONE &&
	       (opt = getopt_long(argc, argv, ":hqpf:o:", longs, NULL)) != -1)
		rc = take_option(cli, &c, opt, argv);
	if (rc == CLI_DONE)
		rc = check(cli, &c, argc, argv);
	return rc == CLI_DONE ? p2v_capture_run(cli, &c) : rc;
}

const struct cli_command cmd_capture = {
	.name = "capture",
	.run = capture_cmd,
	.synopsis = "capture [OPTIONS] DISK... -o DIR",
	.help =
"Copy disks into qcow2 images: partition tables, gaps, the used blocks of file\n"
"systems, and whole partitions where nothing is known of their free blocks; and\n"
"write a manifest with what they hold and their content hashes.  DISK is a block\n"
"device or a file, and only read.\n\n"
"  -o DIR                 where to: NAME.qcow2 of each disk, manifest.json\n"
"  --resume               go on with a capture that was interrupted\n"
"  --verify               read the images and compare them when all is done\n"
"  --bwlimit SIZE         read so many bytes a second at most (\"50M\")\n"
"  --level 1..19          of compression with zstd\n"
"  --no-compress          plain clusters: larger, and quicker to use\n"
"  --freeze[=SECONDS]     file systems of the disks that are mounted stand still\n"
"                         meanwhile, no longer than that (default 600)\n"
"  --live                 accept that they are written to meanwhile: the copy is\n"
"                         as after a crash at best\n"
"  --retries N            read bad sectors again at the end (default 3 times)\n"
"  --direct               read files too without the page cache (O_DIRECT)\n"
"  -f, --format FMT       of DISK if it is an image file (default raw; what looks\n"
"                         like another one is refused until it is said)\n"
"  --threads N            at work at once (default: as many as cores)\n"
"  -p                     show the progress\n"
"  --output human|json    json: print the manifest\n"
"  -q, --quiet            do not say what was captured\n\n"
"Exit status: 0 done, 1 failed, 2 wrong usage, 3 done, but some sectors could not\n"
"be read, or the images are not what was read.\n\n"
"Example:\n"
"  p2v capture -p /dev/sda /dev/sdb -o /mnt/backup/web\n",
};
