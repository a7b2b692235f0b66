/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.c - vimg measure: how large will a converted image be? */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/vimg/vimg.h"

enum { OPT_SIZE = CLI_FIRST_OWN };

struct measure_args {
	struct image image;
	const char *output_format;
	struct options options;
	uint64_t size;			/* UINT64_MAX: not given */
	const char *o_text;
};

static int parse_option(struct cli *cli, struct measure_args *a, int c,
			char **argv)
{
	struct err e = { "" };

	switch (c) {
	case 'f':
		a->image.format = optarg;
		return CLI_DONE;
	case 'l':
		a->image.snapshot = optarg;
		return CLI_DONE;
	case 'O':
		a->output_format = optarg;
		return CLI_DONE;
	case 'o':
		a->o_text = optarg;
		if (options_parse(&a->options, optarg, &e))
			return cli_bad(cli, "%s", e.text);
		return CLI_DONE;
	case OPT_SIZE:
		return cli_size(cli, "image size", optarg, 0, INT64_MAX,
				&a->size) ? CLI_DONE : cli_usage_status(cli);
	default:
		return cli_option(cli, c, argv);
	}
}

static int parse(struct cli *cli, struct measure_args *a, int argc,
		 char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "size", required_argument, NULL, OPT_SIZE },
		{ 0 },
	};
	bool sized, named;
	int c, rc;

	while ((c = getopt_long(argc, argv, ":hf:l:o:O:U", longs, NULL)) !=
	       -1) {
		rc = parse_option(cli, a, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (argc > optind + 1)
		return cli_bad(cli, "At most one filename argument is "
			       "allowed.");
	named = argc > optind;
	sized = a->size != UINT64_MAX;
	if (!named && (cli->image_opts || a->image.format ||
		       a->image.snapshot))
		return cli_bad(cli, "--image-opts, -f, and -l require a "
			       "filename argument.");
	if (!named && !sized)
		return cli_bad(cli, "Either --size N or one filename must be "
			       "specified.");
	if (named && sized)
		return cli_bad(cli, "--size N cannot be used together with a "
			       "filename.");
	a->image.name = argv[optind];
	a->image.opts = cli->image_opts;
	return image_args_ok(cli, a->image.format) ? CLI_DONE
						    : cli_usage_status(cli);
}

static int print(struct cli *cli, const struct img_measure *m)
{
	json_t *o;

	if (!cli->json) {
		printf("required size: %llu\nfully allocated size: %llu\n",
		       (unsigned long long)m->required,
		       (unsigned long long)m->fully_allocated);
		if (m->has_bitmaps)
			printf("bitmaps size: %llu\n",
			       (unsigned long long)m->bitmaps);
		return cli_finish(cli, 0);
	}
	o = json_object();
	if (m->has_bitmaps)
		json_put_size(o, "bitmaps", m->bitmaps);
	json_put_size(o, "required", m->required);
	json_put_size(o, "fully-allocated", m->fully_allocated);
	return json_print(cli, o, 0);
}

static int measure(struct cli *cli, const struct measure_args *a)
{
	struct img_create_args args = {
		.format = a->output_format, .options = a->options.kv,
		.n_options = a->options.n, .size = a->size,
	};
	struct img_measure m;
	struct err e = { "" };
	struct img *src = NULL;
	int rc;

	if (a->image.name) {
		if (image_open(cli, &a->image, &src))
			return CLI_FAILED;
		args.size = img_size(src);
	}
	rc = img_measure(&args, src, &m, &e);
	img_close(src, NULL);
	if (rc) {
		cli_error(cli, "%s", e.text);
		cli_hint(cli, e.text);
		return CLI_FAILED;
	}
	return print(cli, &m);
}

static int measure_run(struct cli *cli, int argc, char **argv)
{
	struct measure_args a = {
		.size = UINT64_MAX, .output_format = "raw",
	};
	int rc;

	rc = parse(cli, &a, argc, argv);
	if (rc == CLI_DONE && a.o_text && options_want_help(a.o_text)) {
		options_print_help(a.output_format, a.image.name);
		rc = cli_finish(cli, 0);
	}
	if (rc == CLI_DONE) {
		cli_resolver_init(cli);
		rc = measure(cli, &a);
	}
	options_fini(&a.options);
	return rc;
}

const struct cli_command cmd_measure = {
	.name = "measure",
	.run = measure_run,
	.synopsis = "measure [--output=human|json] [-O FMT] [-o OPTIONS] "
		    "[--size N | [--image-opts] [-f FMT] [-l SNAPSHOT] [-U] "
		    "FILE]",
	.help =
"Say how large an image file will be: for the content of FILE, or for a disk of\n"
"N bytes.\n\n"
"  -O FMT                 the new image's format (default raw)\n"
"  -o KEY=VALUE,...       its options; -o help lists them\n"
"  --size N               an empty disk of this size\n"
"  -f FMT                 FILE's format; guessed if not given\n"
"  -l SNAPSHOT            of FILE: an id or a name\n"
"  --output=human|json    json is for programs (keys as qemu-img's)\n"
"  --image-opts           FILE is an option string: driver=FMT,file.filename=F\n"
"  --allow-external[=DIR] the image may use files in DIR, or anywhere\n\n"
"\"required\" suffices for the data there is, \"fully allocated\" for every byte\n"
"written later.\n\n"
"Example:\n"
"  vimg measure -O qcow2 disk.raw\n",
};
