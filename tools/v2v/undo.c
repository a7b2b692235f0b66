/* SPDX-License-Identifier: GPL-2.0-or-later */
/* undo.c - v2v undo: give a converted disk the bytes that it had before. */
#include <errno.h>

#include "convert/guest/undo.h"
#include "imgfmt/base/json.h"
#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/v2v/v2v.h"

static int print_result(const struct cli *cli, const char *image,
			const struct undo_info *info)
{
	char size[SIZE_TEXT_LEN];
	json_t *o;

	if (!cli->json) {
		cli_say(cli, *info->checksum ?
			"%s is byte for byte as it was before the conversion (%s "
			"were put back)\n" :
			"%s has the bytes back that the conversion changed (%s); "
			"the undo file has no checksum of the whole disk\n",
			image, size_text(info->bytes, size));
		return cli_finish(cli, 0);
	}
	o = json_object();
	json_put_string(o, "image", image);
	json_put_size(o, "pieces", info->n_records);
	json_put_size(o, "bytes", info->bytes);
	if (*info->checksum)
		json_put_string(o, "checksum", info->checksum);
	return json_print(cli, o, 0);
}

/* Tried first, so that a disk which would not come out right is left alone. */
static int put_back(struct img *file, struct img *disk, struct err *e)
{
	int rc = undo_try(file, disk, e);

	if (!rc)
		rc = undo_apply(file, disk, e);
	if (rc)
		return rc;
	rc = undo_verify(file, disk, e);
	return rc == -ENODATA ? 0 : rc;
}

static int undo(struct cli *cli, const struct image *im, const char *name)
{
	struct undo_info info = { 0 };
	struct img *disk = NULL, *file;
	struct err e = { "" };
	int rc = img_file_open(name, 0, &file, &e), one;

	if (rc) {
		cli_error(cli, "%s: %s", name, e.text);
		return CLI_FAILED;
	}
	rc = undo_read_info(file, &info, &e);
	if (!rc && image_open(cli, im, &disk)) {
		img_close(file, NULL);
		return CLI_FAILED;
	}
	if (!rc)
		rc = put_back(file, disk, &e);
	one = img_close(disk, rc ? NULL : &e);
	img_close(file, NULL);
	if (rc || one) {
		cli_error(cli, "%s: %s", rc ? name : im->name, e.text);
		return CLI_FAILED;
	}
	return print_result(cli, im->name, &info);
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ 0 },
	};
	struct image im = { .flags = IMG_WRITE };
	int c, status;

	while ((c = getopt_long(argc, argv, ":hqUf:", options, NULL)) != -1) {
		if (c == 'f') {
			im.format = optarg;
			continue;
		}
		status = cli_option(cli, c, argv);
		if (status != CLI_DONE)
			return status;
	}
	if (argc - optind != 2)
		return cli_usage(cli, "name the converted disk, and its undo "
				 "file");
	im.name = argv[optind];
	cli_resolver_init(cli);
	return undo(cli, &im, argv[optind + 1]);
}

const struct cli_command cmd_undo = {
	.name = "undo",
	.run = run,
	.synopsis = "undo [-f FMT] IMAGE UNDO",
	.help =
"Give a converted disk the bytes that it had before the conversion's edits, from\n"
"the undo file that lies beside it.  A machine that has run since is refused, and\n"
"the whole disk's checksum compared before and after.  What was killed can be done\n"
"again.\n\n"
"  -f, --format FMT       of the image, instead of guessing\n"
"  --allow-external[=DIR] it may use files in DIR, or anywhere\n"
"  --output human|json\n"
"  -q, --quiet            say nothing but errors\n\n"
"Exit status: 0 done, 1 failed, 2 wrong usage.\n\n"
"Example:\n"
"  v2v undo converted/guest-disk1.qcow2 converted/guest-disk1.undo\n",
};
