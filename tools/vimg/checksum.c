/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checksum.c - vimg checksum: a hash of what images hold. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "convert/copy/checksum.h"
#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/cli/progress.h"
#include "tools/vimg/verify.h"
#include "tools/vimg/vimg.h"

enum { OPT_ALGORITHM = CLI_FIRST_OWN };

struct sum {
	struct image image;
	const struct checksum_type *type;
	enum progress_mode progress;
	unsigned threads;
	json_t *array;
};

static int unknown_algorithm(const struct cli *cli, const char *name)
{
	char list[200] = "";
	size_t len = 0;
	const char *known;

	for (size_t i = 0; (known = checksum_types(i)); i++)
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len,
						" %s", known);
	return cli_usage(cli, "Unknown algorithm '%s'; there are:%s", name,
			 list);
}

static int parse_option(struct cli *cli, struct sum *s, int c, char **argv)
{
	uint64_t n;

	switch (c) {
	case 'f':
		s->image.format = optarg;
		return CLI_DONE;
	case 'l':
		s->image.snapshot = optarg;
		return CLI_DONE;
	case 'm':
		if (!cli_size(cli, "number of threads", optarg, 1, 64, &n))
			return cli_usage_status(cli);
		s->threads = (unsigned)n;
		return CLI_DONE;
	case 'p':
	case CLI_PROGRESS:
		return progress_option(cli, c, &s->progress);
	case OPT_ALGORITHM:
		s->type = checksum_find(optarg);
		return s->type ? CLI_DONE : unknown_algorithm(cli, optarg);
	default:
		return cli_option(cli, c, argv);
	}
}

static int parse(struct cli *cli, struct sum *s, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "algorithm", required_argument, NULL, OPT_ALGORITHM },
		{ "ignore-manifest", no_argument, NULL, CLI_IGNORE_MANIFEST },
		{ "progress", required_argument, NULL, CLI_PROGRESS },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":hf:l:m:pqU", longs, NULL)) !=
	       -1) {
		rc = parse_option(cli, s, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind == argc)
		return cli_usage(cli, "Expecting an image file name");
	s->image.opts = cli->image_opts;
	return image_args_ok(cli, s->image.format) ? CLI_DONE
						    : cli_usage_status(cli);
}

static void show(struct sum *s, const struct img *img, const uint8_t *digest)
{
	char text[CHECKSUM_TEXT_LEN];
	json_t *o;

	checksum_text(s->type, digest, text);
	if (!s->array) {
		printf("%s  %s\n", text, s->image.name);
		return;
	}
	o = json_object();
	json_put_string(o, "filename", s->image.name);
	json_put_string(o, "format", img_format(img));
	json_put_size(o, "virtual-size", img_size(img));
	json_put_string(o, "algorithm", checksum_name(s->type));
	json_put_string(o, "checksum", text);
	json_array_append_new(s->array, o);
}

static int sum_one(struct cli *cli, struct sum *s)
{
	uint8_t digest[CHECKSUM_MAX_LEN];
	struct progress p;
	struct checksum_args args = {
		.type = s->type, .threads = s->threads,
		.progress = progress_callback, .arg = &p,
		.cancel = progress_cancelled(),
	};
	struct err e = { "" };
	struct verify verify;
	int rc;

	rc = image_open(cli, &s->image, &args.img);
	if (rc)
		return rc;
	progress_start(&p, s->progress);
	rc = verify_start(cli, &verify, &args.img, 1, &e);
	if (!rc)
		rc = checksum_run(&args, digest, &e);
	rc = verify_end(cli, &verify, rc, &e);
	progress_end(&p, !rc);
	if (!rc)
		show(s, args.img, digest);
	else if (rc != -ECANCELED)
		cli_error(cli, "%s: %s", s->image.name, e.text);
	img_close(args.img, NULL);
	return rc;
}

static int checksum_cmd(struct cli *cli, int argc, char **argv)
{
	struct sum s = { .type = checksum_find("sha256") };
	int rc, status = 0;

	rc = parse(cli, &s, argc, argv);
	if (rc != CLI_DONE)
		return rc;
	cli_resolver_init(cli);
	progress_signals();
	if (cli->json)
		s.array = json_array();
	for (int i = optind; i < argc; i++) {
		s.image.name = argv[i];
		rc = sum_one(cli, &s);
		if (rc)
			status = CLI_FAILED;
		if (rc == -ECANCELED)
			break;
	}
	if (rc == -ECANCELED) {
		json_decref(s.array);
		return progress_die();
	}
	return s.array ? json_print(cli, s.array, status)
		       : cli_finish(cli, status);
}

const struct cli_command cmd_checksum = {
	.name = "checksum",
	.run = checksum_cmd,
	.synopsis = "checksum [--algorithm NAME] [--output=human|json] "
		    "[--image-opts] [-f FMT] [-l SNAPSHOT] [-m THREADS] "
		    "[-p | --progress json] [-U] [--disk NAME|N] "
		    "[--ignore-manifest] FILE...",
	.help =
"Print a hash of what each image holds.  It is the same for the same content,\n"
"whatever the format, the holes and the number of threads; it is not the hash\n"
"that sha256sum prints of a raw file.\n\n"
"  --algorithm NAME       sha256 (default), or xxh3: faster, not against forgery\n"
"  --output=human|json    how to print\n"
"  -f FMT                 the images' format; guessed if not given\n"
"  -l SNAPSHOT            of each image: an id or a name\n"
"  -m THREADS             default: one a core\n"
"  --disk NAME|N          which disk of a package (ova) that holds several\n"
"  --ignore-manifest      go on although a package does not match its manifest\n"
"  -p, --progress=human|json  show progress\n"
"  -U, --force-share      the images may be in use by another process\n"
"  --image-opts           FILE is an option string: driver=FMT,file.filename=F\n"
"  --allow-external[=DIR] images may use files in DIR, or anywhere\n\n"
"Example:\n"
"  vimg checksum disk.raw disk.qcow2\n",
};
