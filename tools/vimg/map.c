/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map.c - vimg map: which bytes of an image are stored where. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/vimg/vimg.h"

struct map_args {
	struct image image;
	uint64_t start, len;		/* bytes; UINT64_MAX: to the end */
};

/* One line of the output. */
struct entry {
	uint64_t start, len;
	unsigned depth;
	bool present, zero, data, has_offset, compressed;
	uint64_t offset;
	char *file;			/* has_offset: where the bytes are */
};

static int parse_sizes(struct cli *cli, struct map_args *a, int c)
{
	bool is_start = c == 's';

	return cli_size(cli, is_start ? "start offset" : "max length", optarg,
			0, INT64_MAX, is_start ? &a->start : &a->len)
		? CLI_DONE : cli_usage_status(cli);
}

static int parse(struct cli *cli, struct map_args *a, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "start-offset", required_argument, NULL, 's' },
		{ "max-length", required_argument, NULL, 'l' },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":f:s:l:hU", longs, NULL)) != -1) {
		rc = CLI_DONE;
		if (c == 'f')
			a->image.format = optarg;
		else if (c == 's' || c == 'l')
			rc = parse_sizes(cli, a, c);
		else
			rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind != argc - 1)
		return cli_usage(cli, "Expecting one image file name");
	a->image.name = argv[optind];
	a->image.opts = cli->image_opts;
	return image_args_ok(cli, a->image.format) ? CLI_DONE
						    : cli_usage_status(cli);
}

static struct img *layer_at(struct img *img, unsigned depth)
{
	while (img && depth--)
		img = img_backing(img);
	return img;
}

/* qemu-img's words for an extent.  What lies beyond the end of a short backing
 * file is zero and belongs to the layer above it; a hole in a raw file is
 * present, for the file is all there is.
 */
static int look(struct img *img, uint64_t start, uint64_t len,
		struct entry *out)
{
	struct img_extent ext;
	struct img *layer;
	int rc = img_map(img, start, len, &ext);

	if (rc)
		return rc;
	layer = layer_at(img, ext.depth);
	*out = (struct entry){
		.start = start, .len = ext.len, .depth = ext.depth,
		.zero = ext.flags & IMG_EXT_ZERO,
		.compressed = ext.flags & IMG_EXT_COMPRESSED,
		.present = !(ext.flags & IMG_EXT_HOLE),
		/* Zeroes that have a place are those of a preallocated cluster
		 * that nobody has written.
		 */
		.data = !(ext.flags & IMG_EXT_HOLE) &&
			(!(ext.flags & IMG_EXT_ZERO) || ext.fd >= 0),
		.has_offset = ext.fd >= 0 || ext.fd_name, .offset =
			ext.fd_offset,
	};
	if (layer && ext.depth && start >= img_size(layer)) {
		out->depth--;
		out->present = false;
	} else if (layer && !strcmp(img_format(layer), "raw")) {
		out->present = true;
		if (!out->has_offset) {
			out->has_offset = true;
			out->offset = start;
			ext.fd_name = img_name(layer);
		}
	}
	if (!out->has_offset)
		return 0;
	out->file = strdup(ext.fd_name ? ext.fd_name : "");
	return out->file ? 0 : -ENOMEM;
}

static bool same_kind(const struct entry *a, const struct entry *b)
{
	return a->zero == b->zero && a->data == b->data &&
	       a->present == b->present && a->depth == b->depth &&
	       a->compressed == b->compressed &&
	       a->has_offset == b->has_offset &&
	       (!a->has_offset || (a->offset + a->len == b->offset &&
				   !strcmp(a->file, b->file)));
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void print_json(const struct entry *e, bool first)
{
	printf("%s{ \"start\": %llu, \"length\": %llu, \"depth\": %u, "
	       "\"present\": %s, \"zero\": %s, \"data\": %s",
	       first ? "[" : ",\n", (unsigned long long)e->start,
	       (unsigned long long)e->len, e->depth, yes(e->present),
	       yes(e->zero), yes(e->data));
	if (e->has_offset)
		printf(", \"offset\": %llu", (unsigned long long)e->offset);
	printf("}");
}

static int print(const struct cli *cli, const struct entry *e, bool first)
{
	if (cli->json) {
		print_json(e, first);
		return 0;
	}
	if (!e->data || e->zero)
		return 0;
	if (!e->has_offset) {
		cli_error(cli, "File contains external, encrypted or "
			  "compressed clusters.");
		return -EINVAL;
	}
	printf("%#-16llx%#-16llx%#-16llx%s\n", (unsigned long long)e->start,
	       (unsigned long long)e->len, (unsigned long long)e->offset,
	       e->file);
	return 0;
}

/* Entries are joined as long as they are of a kind, then printed. */
static int walk(struct cli *cli, struct img *img, uint64_t start, uint64_t end)
{
	struct entry now = { .start = start }, next;
	bool any = false, first = true;
	uint64_t at = start;
	int rc = 0;

	while (at < end && !rc) {
		rc = look(img, at, end - at, &next);
		if (rc) {
			cli_error(cli, "Failed to read image metadata at "
				  "offset %llu: %s", (unsigned long long)at,
				  strerror(-rc));
			break;
		}
		at += next.len;
		if (any && same_kind(&now, &next)) {
			now.len += next.len;
			free(next.file);
			continue;
		}
		if (any) {
			rc = print(cli, &now, first);
			first = false;
		}
		free(now.file);
		now = next;
		any = true;
	}
	if (!rc && (any || cli->json))
		rc = print(cli, &now, first);
	free(now.file);
	return rc;
}

static int map_run(struct cli *cli, int argc, char **argv)
{
	struct map_args a = { .len = UINT64_MAX };
	uint64_t size, end;
	struct img *img;
	int rc;

	rc = parse(cli, &a, argc, argv);
	if (rc != CLI_DONE)
		return rc;
	cli_resolver_init(cli);
	if (image_open(cli, &a.image, &img))
		return CLI_FAILED;
	size = img_size(img);
	end = a.start < size && a.len < size - a.start ? a.start + a.len : size;
	if (!cli->json)
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to",
		       "File");
	rc = walk(cli, img, a.start, end);
	if (!rc && cli->json)
		printf("]\n");
	img_close(img, NULL);
	return cli_finish(cli, rc ? CLI_FAILED : 0);
}

const struct cli_command cmd_map = {
	.name = "map",
	.run = map_run,
	.synopsis = "map [--image-opts] [-f FMT] [--start-offset=OFFSET] "
		    "[--max-length=LEN] [--output=human|json] [-U] FILE",
	.help =
"Show which ranges of an image hold data, and where that lies in its files.\n\n"
"  -f FMT                 the image's format; guessed if not given\n"
"  -s, --start-offset=OFFSET\n"
"  -l, --max-length=LEN   show this part only\n"
"  --output=human|json    json shows zeroes and holes as well\n"
"  -U, --force-share      the image may be in use by another process\n"
"  --image-opts           FILE is an option string: driver=FMT,file.filename=F\n"
"  --allow-external[=DIR] the image may use files in DIR, or anywhere\n"
"  --probe-backing        guess a backing file's format that is not stated\n\n"
"In the JSON, depth counts backing files: 0 is the image itself; offset is\n"
"where the bytes lie in that file, for what is not compressed.\n\n"
"Example:\n"
"  vimg map --output=json disk.qcow2\n",
};
