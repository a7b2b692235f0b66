/* SPDX-License-Identifier: GPL-2.0-or-later */
/* new_image.c - make an image file: what create, convert and dd share. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "tools/vimg/new_image.h"

#define NO_SUFFIX "Optional suffix k, M, G, T, P or E means kilo-, mega-, " \
	"giga-, tera-, peta-\nand exabytes, respectively."

void new_image_fini(struct new_image *n)
{
	options_fini(&n->options);
	options_fini(&n->typed);
	free(n->made_data_file);
	n->made_data_file = NULL;
}

static const struct img_option *find_option(const char *format,
					    const char *key)
{
	/* Every format has these, whatever its driver lists. */
	static const struct img_option common[] = {
		{ "size", "size", "" }, { "backing_file", "str", "" },
		{ "backing_fmt", "str", "" },
	};
	const struct img_option *o = img_create_options(format);

	for (; o && o->name; o++)
		if (!strcmp(o->name, key))
			return o;
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		if (!strcmp(common[i].name, key))
			return &common[i];
	return NULL;
}

bool new_image_can_have_backing(const char *format)
{
	return strcmp(format, "raw") != 0;
}

static int bad_number(struct err *e, const char *key)
{
	return fail(e, EINVAL, "Parameter '%s' expects a non-negative number "
		    "below 2^64\n" NO_SUFFIX, key);
}

/* Bring a value into the form in which it is announced. */
static int add_option(struct new_image *n, const struct img_option *known,
		      const char *value, struct err *e)
{
	char number[32];
	uint64_t size;

	if (!strcmp(known->type, "size")) {
		if (size_parse(value, &size))
			return bad_number(e, known->name);
		snprintf(number, sizeof(number), "%" PRIu64, size);
		value = number;
	} else if (!strcmp(known->type, "num")) {
		char *end;

		errno = 0;
		size = strtoull(value, &end, 0);
		if (errno || end == value || *end || strchr(value, '-'))
			return fail(e, EINVAL, "Parameter '%s' expects a "
				    "number", known->name);
		snprintf(number, sizeof(number), "%" PRIu64, size);
		value = number;
	} else if (!strncmp(known->type, "bool", 4) && strcmp(value, "on") &&
		   strcmp(value, "off")) {
		return fail(e, EINVAL, "Parameter '%s' expects 'on' or 'off'",
			    known->name);
	}
	if (!strcmp(known->name, "size")) {
		n->size = size;
		n->has_size = true;
		return 0;
	}
	/* The last one counts. */
	options_remove(&n->options, known->name);
	return options_set(&n->options, known->name, value);
}

static int check_format(const char *format, struct err *e)
{
	const char *name;

	if (img_format_can_create(format))
		return 0;
	for (size_t i = 0; (name = img_formats(i)); i++)
		if (!strcmp(name, format))
			return fail(e, ENOTSUP, "Format driver '%s' does not "
				    "support image creation", format);
	return fail(e, EINVAL, "Unknown file format '%s'", format);
}

int new_image_options(struct new_image *n, struct err *e)
{
	int rc = check_format(n->format, e);

	for (size_t i = 0; !rc && i < n->typed.n; i++) {
		const struct img_kv *kv = &n->typed.kv[i];
		const struct img_option *known = find_option(n->format,
							     kv->key);

		if (!known)
			rc = fail(e, EINVAL, "Invalid parameter '%s'", kv->key);
		else if (!strcmp(kv->key, "backing_file"))
			n->backing = n->backing ? n->backing : kv->value;
		else if (!strcmp(kv->key, "backing_fmt"))
			n->backing_format = n->backing_format
				? n->backing_format : kv->value;
		else
			rc = add_option(n, known, kv->value, e);
	}
	if (rc)
		return rc;
	if (n->backing && !*n->backing)
		return fail(e, EINVAL, "Expected backing file name, got empty "
			    "string");
	if (n->backing && !new_image_can_have_backing(n->format))
		return fail(e, ENOTSUP, "Backing file not supported for file "
			    "format '%s'", n->format);
	if (n->backing_format && !new_image_can_have_backing(n->format))
		return fail(e, ENOTSUP, "Backing file format not supported for "
			    "file format '%s'", n->format);
	return 0;
}

static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	if (*name == '/' || !slash || name[strcspn(name, ":/")] == ':')
		return strdup(name);
	return str_printf("%.*s%s", (int)(slash - path) + 1, path, name);
}

char *new_image_backing_path(const struct new_image *n)
{
	return beside(n->path, n->backing);
}

static int no_format(const struct cli *cli, const struct img *img,
		     struct err *e)
{
	if (!img)
		return fail(e, EINVAL, "Backing file specified without backing "
			    "format%s", cli->dropin ? ""
			    : ": say which it is with -F FMT");
	return fail(e, EINVAL, "Backing file specified without backing format\n"
		    "Detected format of %s.", img_format(img));
}

int new_image_backing(struct cli *cli, struct new_image *n, bool unsafe,
		      struct err *e)
{
	struct image im = { .format = n->backing_format };
	struct img *img = NULL;
	struct err why = { "" };
	char *path;
	int rc = 0;

	if (!n->backing)
		return 0;
	if (!strcmp(n->backing, n->path))
		return fail(e, EINVAL, "Error: Trying to create an image with "
			    "the same filename as the backing file");
	if (unsafe)
		return n->backing_format ? 0 : no_format(cli, NULL, e);
	path = new_image_backing_path(n);
	if (!path)
		return fail(e, ENOMEM, "out of memory");
	im.name = path;
	rc = image_try_open(cli, &im, &img, &why);
	if (rc)
		fail(e, -rc, "%.400s\nCould not open backing image.", why.text);
	else if (!n->backing_format)
		rc = no_format(cli, img, e);
	if (!rc && !n->has_size) {
		n->size = img_size(img);
		n->has_size = true;
	}
	img_close(img, NULL);
	free(path);
	return rc;
}

static void announce(const char *key, const char *value)
{
	printf(" %s=", key);
	for (; *value; value++)
		printf(*value == ',' ? ",," : "%c", *value);
}

/* In the order of qemu-img, which prints what is set and qcow2's defaults. */
void new_image_announce(const struct cli *cli, const struct new_image *n)
{
	static const struct {
		const char *key, *value;	/* of qcow2, if not set */
	} order[] = {
		{ "encryption", NULL }, { "encrypt.format", NULL },
		{ "encrypt.key-secret", NULL }, { "cluster_size", "65536" },
		{ "extended_l2", "off" }, { "preallocation", NULL },
		{ "compression_type", "zlib" }, { "size", NULL },
		{ "compat", NULL }, { "backing_file", NULL },
		{ "backing_fmt", NULL }, { "data_file", NULL },
		{ "data_file_raw", NULL }, { "lazy_refcounts", "off" },
		{ "refcount_bits", "16" },
	};
	bool qcow2 = !strcmp(n->format, "qcow2");
	char size[32];

	if (cli->quiet)
		return;
	snprintf(size, sizeof(size), "%" PRIu64, n->size);
	printf("Formatting '%s', fmt=%s", n->path, n->format);
	if (!qcow2)
		announce("size", size);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const char *key = order[i].key;
		const char *value = options_get(&n->options, key);

		if (!strcmp(key, "size"))
			value = qcow2 ? size : NULL;
		else if (!strcmp(key, "backing_file"))
			value = n->backing;
		else if (!strcmp(key, "backing_fmt"))
			value = n->backing_format;
		if (!value && qcow2)
			value = order[i].value;
		if (value)
			announce(key, value);
	}
	printf("\n");
	fflush(stdout);
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !strcmp(a, b) ||
	       (!stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev &&
		x.st_ino == y.st_ino);
}

/* The external data file must be none of the files at hand. */
static int check_data_file(const struct new_image *n, const char *name,
			   struct err *e)
{
	struct output_args args = {
		.sources = n->sources, .n_sources = n->n_sources,
	};
	char *path = beside(n->path, name);
	struct output *check;
	int rc;

	if (!path)
		return fail(e, ENOMEM, "out of memory");
	if (same_file(path, n->path))
		rc = fail(e, EINVAL, "data_file '%s' is the image itself",
			  name);
	else
		rc = output_open(path, &args, &check, e);
	if (!rc)
		output_abort(check);
	free(path);
	return rc;
}

int new_image_take_stdout(struct cli *cli, struct new_image *n, struct err *e)
{
	if (cli->dropin || strcmp(n->path, "-"))
		return 0;
	if (isatty(STDOUT_FILENO))
		return fail(e, EINVAL, "an image cannot be written to a "
			    "terminal; './-' is a file of this name");
	n->stream = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (n->stream < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return fail_rc(e, -errno, "Could not use standard output");
	n->to_stdout = true;
	return 0;
}

static int open_stream(struct new_image *n, struct err *e)
{
	int rc = img_stream_fd(n->stream, "standard output", &n->file, e);

	if (!rc)
		n->stream = -1;
	return rc;
}

int new_image_open(struct new_image *n, struct err *e)
{
	struct output_args args = {
		.sources = n->sources, .n_sources = n->n_sources,
		.no_flush = n->no_flush,
	};
	const char *data_file = options_get(&n->options, "data_file");
	char *name;
	int rc;

	if (n->to_stdout)
		return 0;
	rc = image_file_name(n->path, &name, e);
	if (!rc && data_file) {
		rc = check_data_file(n, data_file, e);
		if (rc)
			free(name);
	}
	if (rc)
		return rc;
	rc = output_open(name, &args, &n->output, e);
	free(name);
	return rc;
}

/* The external data file has to be there before the image that names it.  The
 * user typed its name: an existing one is emptied, as the image would be.
 */
static int make_data_file(struct new_image *n, const char *name,
			  struct err *e)
{
	char *path = beside(n->path, name);
	bool existed;
	int fd, rc = 0;

	if (!path)
		return fail(e, ENOMEM, "out of memory");
	existed = !access(path, F_OK);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		rc = fail_rc(e, -errno, "Could not create '%s'", path);
	else
		close(fd);
	if (!rc && !existed)
		n->made_data_file = path;
	else
		free(path);
	return rc;
}

/* In a raw file that qemu-img made the first block is allocated, and 'map'
 * shows that.
 */
static int fill_first_block(struct new_image *n, struct err *e)
{
	static const uint8_t zeroes[4096];
	size_t len = n->size < sizeof(zeroes) ? 512 : sizeof(zeroes);
	int rc;

	if (!n->size || n->to_stdout || output_is_device(n->output))
		return 0;
	rc = img_write(n->file, zeroes, (size_t)min_u64(len, n->size), 0);
	return rc ? fail_rc(e, rc, "cannot write %s", n->path) : 0;
}

int new_image_write(struct cli *cli, struct new_image *n, struct err *e)
{
	struct img_create_args args = {
		.format = n->format, .size = n->size,
		.options = n->options.kv, .n_options = n->options.n,
		.backing = n->backing, .backing_format = n->backing_format,
		.resolver = &cli->resolver,
	};
	const char *data_file = options_get(&n->options, "data_file");
	int rc;

	cli_consent(cli, n->backing);
	cli_consent(cli, data_file);
	if (n->to_stdout) {
		rc = open_stream(n, e);
	} else {
		n->siblings = output_resolver(n->output, &cli->resolver);
		args.resolver = &n->siblings;
		rc = output_layer(n->output, n->flags, &n->file, e);
		if (!rc)
			rc = output_begin(n->output, e);
	}
	if (!rc && data_file)
		rc = make_data_file(n, data_file, e);
	if (!rc)
		rc = img_create(n->file, &args, e);
	if (rc == -ESPIPE && n->to_stdout)
		rc = fail(e, ESPIPE, "an image of this kind cannot be written "
			  "in one pass; raw can, and vmdk with -o "
			  "subformat=streamOptimized");
	if (!rc && cli->dropin && !strcmp(n->format, "raw"))
		rc = fill_first_block(n, e);
	return rc;
}

int new_image_stack(struct cli *cli, struct new_image *n, struct img **img,
		    struct err *e)
{
	struct img_open_args args = {
		.format = n->format, .flags = n->flags | IMG_WRITE,
		.resolver = n->to_stdout ? &cli->resolver : &n->siblings,
	};
	int rc;

	if (cli->dropin || cli->probe_backing)
		args.flags |= IMG_PROBE_BACKING;
	rc = img_stack(n->file, &args, img, e);
	if (!rc)
		n->file = NULL;
	return rc;
}

int new_image_end(struct new_image *n, int failed, struct err *e)
{
	int rc = failed, one;

	if (n->file) {
		if (failed)
			img_spoil(n->file);
		one = img_close(n->file, rc ? NULL : e);
		rc = rc ? rc : one;
		n->file = NULL;
	}
	if (n->to_stdout && n->stream >= 0) {
		close(n->stream);
		n->stream = -1;
	}
	if (rc)
		output_abort(n->output);
	else if (!n->to_stdout)
		rc = output_commit(n->output, e);
	n->output = NULL;
	if (rc && n->made_data_file)
		unlink(n->made_data_file);
	return rc;
}
