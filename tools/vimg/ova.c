/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ova.c - vimg ova: make a package, list what is in one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "convert/copy/output.h"
#include "convert/ova/pack.h"
#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/cli/progress.h"
#include "tools/vimg/vimg.h"

enum { OPT_DIGEST = CLI_FIRST_OWN };

struct ova_args {
	const char *out;
	struct ova_pack_args pack;
	enum progress_mode progress;
	char **names;
	size_t n_names;
};

static int parse(struct cli *cli, struct ova_args *a, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "out", required_argument, NULL, 'o' },
		{ "digest", required_argument, NULL, OPT_DIGEST },
		{ "progress", required_argument, NULL, CLI_PROGRESS },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":ho:pqU", longs, NULL)) != -1) {
		rc = CLI_DONE;
		if (c == 'o')
			a->out = optarg;
		else if (c == OPT_DIGEST)
			a->pack.digest = optarg;
		else if (c == 'p' || c == CLI_PROGRESS)
			rc = progress_option(cli, c, &a->progress);
		else
			rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	a->names = argv + optind;
	a->n_names = (size_t)(argc - optind);
	if (cli->share)
		a->pack.flags |= IMG_SHARE;
	if (cli->quiet && a->progress == PROGRESS_HUMAN)
		a->progress = PROGRESS_NONE;
	return CLI_DONE;
}

/* What the engine's callbacks share. */
struct shown {
	struct cli *cli;
	struct progress progress;
};

static void show(void *arg, uint64_t done, uint64_t total)
{
	struct shown *s = arg;

	progress_update(&s->progress, done, total);
}

static void warn(void *arg, const char *line)
{
	struct shown *s = arg;

	cli_error(s->cli, "warning: %s", line);
}

static int to_stdout(struct ova_pack *pack, struct err *e)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), rc, one;
	struct img *out;

	if (fd < 0)
		return fail_rc(e, -errno, "standard output");
	rc = img_stream_fd(fd, "standard output", &out, e);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = ova_pack_write(pack, out, true, e);
	one = img_close(out, rc ? NULL : e);
	return rc ? rc : one;
}

static int to_file(struct ova_pack *pack, const char *path, struct err *e)
{
	struct output_args args = { 0 };
	struct output *output;
	struct img *out = NULL;
	int rc, one;

	args.sources = ova_pack_sources(pack, &args.n_sources);
	rc = output_open(path, &args, &output, e);
	if (rc)
		return rc;
	rc = output_space(output, ova_pack_size(pack), e);
	if (!rc)
		rc = output_layer(output, 0, &out, e);
	if (!rc)
		rc = output_begin(output, e);
	if (!rc)
		rc = ova_pack_write(pack, out, false, e);
	one = img_close(out, rc ? NULL : e);
	rc = rc ? rc : one;
	if (!rc)
		return output_commit(output, e);
	output_abort(output);
	return rc;
}

static int create(struct cli *cli, struct ova_args *a)
{
	struct shown shown = { .cli = cli };
	struct ova_pack *pack;
	struct err e = { "" };
	int rc;

	if (!a->n_names)
		return cli_usage(cli, "Expecting a descriptor and its disks");
	if (!a->out)
		return cli_usage(cli, "Expecting -o and the package's name");
	a->pack.descriptor = a->names[0];
	a->pack.files = a->names + 1;
	a->pack.n_files = a->n_names - 1;
	a->pack.progress = show;
	a->pack.warn = warn;
	a->pack.arg = &shown;
	a->pack.cancel = progress_cancelled();
	progress_signals();
	rc = ova_pack_plan(&a->pack, &pack, &e);
	if (!rc) {
		progress_start(&shown.progress, a->progress);
		rc = strcmp(a->out, "-") ? to_file(pack, a->out, &e) :
		     to_stdout(pack, &e);
		progress_end(&shown.progress, !rc);
		ova_pack_free(pack);
	}
	if (rc == -ECANCELED)
		return progress_die();
	if (rc)
		cli_error(cli, "%s: %s", a->out, e.text);
	return rc ? CLI_FAILED : cli_finish(cli, 0);
}

static void print_members(json_t *members)
{
	json_t *m;
	size_t i;

	printf("%16s  %-6s  %s\n", "size", "digest", "name");
	json_array_foreach(members, i, m) {
		json_t *digest = json_object_get(m, "digest");
		const char *name;

		printf("%16lld  %-6s  ", (long long)json_integer_value(
				json_object_get(m, "size")),
		       digest ? json_string_value(digest) : "-");
		/* Names are the package's: no control characters. */
		name = json_string_value(json_object_get(m, "name"));
		for (; name && *name; name++)
			putchar((unsigned char)*name < 0x20 || *name == 0x7f ?
				'?' : *name);
		putchar('\n');
	}
}

static int list(struct cli *cli, const struct ova_args *a)
{
	struct image im = { .format = "ova", .flags = IMG_NO_DATA };
	struct img_info info;
	struct err e = { "" };
	struct img *img;
	int rc;

	if (a->n_names != 1)
		return cli_usage(cli, "Expecting one package");
	im.name = a->names[0];
	if (image_open(cli, &im, &img))
		return CLI_FAILED;
	rc = img_info(img, &info, &e);
	img_close(img, NULL);
	if (rc) {
		cli_error(cli, "%s: %s", im.name, e.text);
		return CLI_FAILED;
	}
	if (cli->json)
		return json_print(cli, info.specific, 0);
	print_members(json_object_get(info.specific, "members"));
	json_decref(info.specific);
	return cli_finish(cli, 0);
}

static int ova_run(struct cli *cli, int argc, char **argv)
{
	struct ova_args a = { 0 };
	const char *verb;
	int rc;

	rc = parse(cli, &a, argc, argv);
	if (rc != CLI_DONE)
		return rc;
	cli_resolver_init(cli);
	verb = a.n_names ? a.names[0] : "";
	if (a.n_names) {
		a.names++;
		a.n_names--;
	}
	if (!strcmp(verb, "create"))
		return create(cli, &a);
	if (!strcmp(verb, "list"))
		return list(cli, &a);
	return cli_usage(cli, "Expecting create or list");
}

const struct cli_command cmd_ova = {
	.name = "ova",
	.run = ova_run,
	.synopsis = "ova create [--digest sha1|sha256|sha512] "
		    "[-p | --progress json] [-U] -o PACKAGE OVF FILE ... | "
		    "ova list [--output=human|json] PACKAGE",
	.help =
"Make a package (.ova) of a descriptor and its files, as they are: descriptor\n"
"first, manifest next, then the files in the descriptor's order.  PACKAGE\n"
"appears under its name when it is complete.  Or list what is in one.\n\n"
"  -o, --out PACKAGE      the package to write; - is standard output, for which\n"
"                         the files are read twice\n"
"  --digest NAME          of the manifest: sha1, sha256 (default) or sha512\n"
"  -p, --progress=human|json  show progress\n"
"  -U, --force-share      files may be in use by another process\n"
"  --output=human|json    how to list\n\n"
"Disks should be streamOptimized VMDKs: vimg convert -O vmdk\n"
"-o subformat=streamOptimized.  'vimg info', 'vimg convert' and 'vimg check'\n"
"read packages.\n\n"
"Examples:\n"
"  vimg ova create -o machine.ova machine.ovf machine-disk1.vmdk\n"
"  vimg ova list machine.ova\n",
};
