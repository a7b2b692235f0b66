/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert_run.c - vimg convert: open the images, copy, report. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/copy/copy.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/thread.h"
#include "tools/cli/json.h"
#include "tools/vimg/convert.h"
#include "tools/vimg/verify.h"

/* While one conversion runs. */
struct job {
	struct cli *cli;
	struct convert *c;
	struct img **sources;
	size_t n_sources;
	uint64_t total;			/* bytes of all sources */
	struct progress progress;
	struct copy_result result;
	struct err e;
};

static int open_sources(struct job *job)
{
	struct convert *c = job->c;
	int rc = 0;

	job->sources = array_alloc(c->n_names, sizeof(*job->sources));
	if (!job->sources) {
		cli_error(job->cli, "out of memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < c->n_names && !rc; i++) {
		c->source.name = c->names[i];
		rc = image_open(job->cli, &c->source, &job->sources[i]);
		if (rc)
			return rc;
		job->n_sources++;
		if (!add_ok(job->total, img_size(job->sources[i]),
			    &job->total) || job->total > INT64_MAX) {
			cli_error(job->cli, "the sources are larger than 2^63 "
				  "bytes together");
			return -EFBIG;
		}
	}
	return 0;
}

/* Can an image of this format hold compressed data?  A small one in memory
 * tells, before anything on disk is touched.
 */
static bool can_compress(const struct new_image *out, bool *only)
{
	const char *format = out->format;
	struct img_create_args create = {
		.format = format, .size = 1u << 20,
		.options = out->options.kv, .n_options = out->options.n,
	};
	struct img_open_args open = { .format = format, .flags = IMG_WRITE };
	struct img *mem, *img;
	bool yes;

	*only = false;
	if (img_memory(0, &mem, NULL))
		return false;
	if (img_create(mem, &create, NULL) ||
	    img_stack(mem, &open, &img, NULL)) {
		img_close(mem, NULL);
		return false;
	}
	yes = img_compress_unit(img) != 0;
	*only = img_compress_only(img);
	img_close(img, NULL);
	return yes;
}

/* Persistent bitmaps are not copied yet: fine where there are none. */
static int check_bitmaps(struct job *job)
{
	struct img_info info;
	size_t n;
	bool any;

	if (!job->c->bitmaps)
		return 0;
	if (job->n_sources > 1)
		return fail(&job->e, ENOTSUP, "Copying bitmaps only possible "
			    "with single source");
	if (img_info(job->sources[0], &info, &job->e))
		return -EIO;
	any = info.specific != NULL;
	n = json_array_size(json_object_get(info.specific, "bitmaps"));
	json_decref(info.specific);
	json_decref(info.snapshots);
	if (!any)
		return fail(&job->e, ENOTSUP, "Source lacks bitmap support");
	if (n)
		return fail(&job->e, ENOTSUP, "copying bitmaps is not "
			    "supported yet; without --bitmaps the copy has "
			    "none");
	return 0;
}

static void show_progress(void *arg, const struct copy_progress *p)
{
	struct job *job = arg;

	progress_update(&job->progress, p->done, p->total);
}

static void show_lost(void *arg, const struct copy_lost *l)
{
	struct job *job = arg;

	cli_error(job->cli, "warning: error while reading offset %" PRIu64
		  ": %s (%" PRIu64 " bytes were written as zeroes)", l->offset,
		  strerror(-l->error), l->len);
}

static unsigned n_threads(const struct job *job)
{
	/* What qemu-img calls coroutines are not threads: more of them than
	 * there are cores only cost memory.
	 */
	if (job->cli->dropin && job->c->threads > thread_cpus())
		return thread_cpus();
	return job->c->threads;
}

/* With -B the target shows its backing file where the source stores nothing.
 * A source without a backing file stores zeroes there, in effect.
 */
static struct copy_args copy_args(struct job *job, struct img *dst)
{
	const struct convert *c = job->c;
	bool keep = c->out.backing && img_backing(job->sources[0]) &&
		    (!dst || img_backing(dst));

	return (struct copy_args){
		.sources = job->sources, .n_sources = job->n_sources,
		.dst = dst, .threads = n_threads(job),
		.keep_backing = dst && keep,
		.sparse = c->sparse == UINT64_MAX ? 0 : c->sparse,
		.no_sparse = c->sparse == 0,
		.out_of_order = c->out_of_order,
		.compress = c->compress, .level = c->level,
		.salvage = c->salvage, .lost = show_lost,
		.rate = c->rate, .progress = show_progress, .arg = job,
		.cancel = progress_cancelled(),
	};
}

static int copy(struct job *job, struct img *dst, bool zero)
{
	struct copy_args args = copy_args(job, dst);
	int rc;

	args.target_is_zero = zero && !img_backing(dst);
	progress_start(&job->progress, job->c->progress);
	rc = job->total ? copy_run(&args, &job->result, &job->e) : 0;
	progress_end(&job->progress, !rc);
	if (!rc && job->result.gave_up.text[0])
		cli_error(job->cli, "warning: %s", job->result.gave_up.text);
	return rc;
}

/* Say beforehand when the disk may be too small.  Only a copy of every byte is
 * sure to need them all: runs of zeroes in the data take no room.
 */
static int check_space(struct job *job)
{
	struct copy_args args = copy_args(job, NULL);
	struct err why = { "" };
	uint64_t needed = job->total;
	bool sure = args.no_sparse && !args.compress, known;
	int rc;

	if (job->c->out.to_stdout)
		return 0;
	known = sure || !copy_data_bytes(&args, &needed, NULL);
	if (output_is_device(job->c->out.output) &&
	    !strcmp(job->c->out.format, "raw")) {
		needed = job->total;
		sure = known = true;
	}
	if (!known)
		return 0;
	rc = output_space(job->c->out.output, needed, &why);
	if (rc == -ENOSPC && sure)
		return fail(&job->e, ENOSPC, "%s", why.text);
	if (rc == -ENOSPC && !args.compress)
		cli_error(job->cli, "warning: %s", why.text);
	return 0;
}

/* Packages are compared with their manifests.  What is written in place would
 * be there before the end of a copy tells that it was in vain: then verify
 * first, else beside the copy.
 */
static int start_verify(struct job *job, struct verify *v, bool in_place)
{
	if (verify_start(job->cli, v, job->sources, job->n_sources, &job->e))
		return -EAGAIN;
	return in_place ? verify_end(job->cli, v, 0, &job->e) : 0;
}

static int write_new(struct job *job)
{
	struct new_image *out = &job->c->out;
	struct verify verify = { 0 };
	struct img *dst = NULL;
	int rc, one;

	rc = new_image_open(out, &job->e);
	if (rc)
		return rc;
	rc = start_verify(job, &verify, !access(out->path, F_OK));
	if (!rc)
		rc = check_space(job);
	if (!rc)
		rc = new_image_write(job->cli, out, &job->e);
	if (!rc)
		rc = new_image_stack(job->cli, out, &dst, &job->e);
	if (!rc)
		rc = copy(job, dst, out->to_stdout ||
			  output_is_zero(out->output));
	if (rc)
		img_spoil(dst);
	one = img_close(dst, rc ? NULL : &job->e);
	rc = verify_end(job->cli, &verify, rc ? rc : one, &job->e);
	return new_image_end(out, rc, &job->e);
}

static int check_compression(struct job *job)
{
	struct convert *c = job->c;
	bool only, can;

	if (!c->compress && !c->level && strcmp(c->out.format, "vmdk"))
		return 0;
	can = can_compress(&c->out, &only);
	if (c->compress && !can)
		return fail(&job->e, ENOTSUP, "Compression not supported for "
			    "this file format");
	if (c->level && !c->compress && !only)
		return fail(&job->e, EINVAL, "--level has an effect only with "
			    "-c");
	c->compress |= only;
	return 0;
}

/* The new image: everything that can be wrong is found before it is made. */
static int to_new(struct job *job)
{
	struct new_image *out = &job->c->out;
	struct cli *cli = job->cli;
	struct err *e = &job->e;
	char *name;
	int rc;

	if (!out->format)
		out->format = "raw";
	rc = new_image_options(out, e);
	if (!rc)
		rc = image_file_name(out->path, &name, e);
	if (!rc)
		free(name);
	if (!rc && out->backing && job->n_sources > 1)
		rc = fail(e, EINVAL, "Having a backing file for the target "
			  "makes no sense when concatenating multiple input "
			  "images");
	if (!rc && out->backing && !out->backing_format)
		rc = fail(e, EINVAL, "Use of backing file requires explicit "
			  "backing format");
	if (!rc)
		rc = check_compression(job);
	if (cli->dropin)
		out->has_size = false;	/* qemu-img does not look at it */
	if (!rc && out->has_size && out->size < job->total)
		rc = fail(e, EINVAL, "output file is smaller than input file");
	if (!rc && !out->has_size)
		out->size = job->total;
	out->has_size = true;
	if (!rc)
		rc = new_image_backing(cli, out, false, e);
	if (!rc)
		rc = check_bitmaps(job);
	if (rc) {
		cli_error(cli, "%s", e->text);
		cli_hint(cli, e->text);
		return rc;
	}
	out->sources = job->sources;
	out->n_sources = job->n_sources;
	rc = write_new(job);
	if (rc && rc != -ECANCELED)
		cli_error(cli, "%s: error while converting %s: %s", out->path,
			  out->format, e->text);
	return rc;
}

static bool same_file(const struct img *a, const struct img *b)
{
	struct stat x, y;

	return !stat(img_name(a), &x) && !stat(img_name(b), &y) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int check_target(struct job *job, struct img *dst)
{
	struct convert *c = job->c;

	for (size_t i = 0; i < job->n_sources; i++)
		for (struct img *s = job->sources[i]; s; s = img_backing(s))
			if (same_file(s, dst))
				return fail(&job->e, EINVAL, "'%s' is also a "
					    "source", img_name(dst));
	if (img_size(dst) < job->total)
		return fail(&job->e, EINVAL, "output file is smaller than "
			    "input file");
	if (c->compress && !img_compress_unit(dst))
		return fail(&job->e, ENOTSUP, "Compression not supported for "
			    "this file format");
	if (c->target_is_zero && c->out.backing)
		return fail(&job->e, EINVAL, "Cannot use --target-is-zero when "
			    "the destination image has a backing file");
	return check_bitmaps(job);
}

/* -n: into an image that exists. */
static int to_existing(struct job *job)
{
	struct convert *c = job->c;
	struct image im = {
		.name = c->out.path, .opts = c->target_opts,
		.format = c->target_opts ? NULL
			  : c->out.format ? c->out.format : "raw",
		.flags = IMG_WRITE | c->out.flags,
		.any_disk = true,
	};
	struct verify verify = { 0 };
	struct img *dst;
	int rc, one;

	rc = image_open(job->cli, &im, &dst);
	if (rc)
		return rc;
	rc = check_target(job, dst);
	if (!rc)
		rc = start_verify(job, &verify, true);
	if (!rc)
		rc = copy(job, dst, c->target_is_zero);
	if (!rc && !c->out.no_flush) {
		rc = img_flush(dst);
		if (rc)
			fail_rc(&job->e, rc, "cannot flush %s", c->out.path);
	}
	one = img_close(dst, rc ? NULL : &job->e);
	rc = rc ? rc : one;
	if (rc && rc != -ECANCELED)
		cli_error(job->cli, "%s", job->e.text);
	return rc;
}

static int print_result(const struct job *job)
{
	const struct copy_result *r = &job->result;
	json_t *o = json_object(), *lost = json_array();

	json_put_string(o, "filename", job->c->out.path);
	json_put_size(o, "virtual-size", job->total);
	json_put_size(o, "data", r->data);
	json_put_size(o, "written", r->written);
	json_put_size(o, "lost-bytes", r->lost);
	for (size_t i = 0; i < r->n_lost; i++) {
		json_t *range = json_object();

		json_put_size(range, "offset", r->lost_ranges[i].offset);
		json_put_size(range, "length", r->lost_ranges[i].len);
		json_put_string(range, "error",
				strerror(-r->lost_ranges[i].error));
		json_array_append_new(lost, range);
	}
	json_object_set_new(o, "lost", lost);
	if (job->c->progress == PROGRESS_JSON)
		return json_print_line(job->cli, o, 0);
	return json_print(job->cli, o, 0);
}

int convert_images(struct cli *cli, struct convert *c)
{
	struct job job = { .cli = cli, .c = c };
	int rc, status;

	if (!c->skip_create &&
	    !img_format_can_create(c->out.format ? c->out.format : "raw")) {
		cli_error(cli, "Unknown file format '%s'", c->out.format);
		cli_hint(cli, "Unknown file format");
		return CLI_FAILED;
	}
	progress_signals();
	rc = open_sources(&job);
	if (!rc)
		rc = c->skip_create ? to_existing(&job) : to_new(&job);
	if (rc == -ECANCELED)
		status = progress_die();
	else if (rc)
		status = CLI_FAILED;
	else
		status = cli->json ? print_result(&job) : cli_finish(cli, 0);
	copy_result_fini(&job.result);
	for (size_t i = 0; i < job.n_sources; i++)
		img_close(job.sources[i], NULL);
	free(job.sources);
	return status;
}
