/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outputs.c - the files that a conversion makes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/guest/undo.h"
#include "convert/ova/pack.h"
#include "imgfmt/base/buf.h"
#include "tools/cli/json.h"
#include "tools/v2v/convert.h"

#define MAX_STEM 180u		/* bytes of a machine's name in files' names */

static int no_memory(struct job *job)
{
	return fail(&job->e, ENOMEM, "out of memory");
}

/* The machine's name as the beginning of files' names. */
static char *make_stem(const char *name)
{
	char *stem = strndup(name && *name ? name : "machine", MAX_STEM);

	for (char *p = stem; p && *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f ||
		    strchr("/\\:*?\"'<>|,;$&()`!", *p))
			*p = '_';
	if (stem && (*stem == '.' || *stem == '-'))
		*stem = '_';
	return stem;
}

static int rename_disk(struct job *job, size_t i)
{
	struct machine_disk *d = &job->machine.disks[job->source.disks[i].index];
	struct err *e = &job->e;
	int rc = machine_set(&d->file, job->disks[i], e);

	if (!rc)
		rc = machine_set(&d->path, job->disks[i], e);
	if (!rc)
		rc = machine_set(&d->member, NULL, e);
	if (!rc)
		rc = machine_set(&d->format, job->c->format, e);
	d->size = img_size(job->source.imgs[i]);
	d->snapshot = d->compressed = d->independent = false;
	return rc;
}

/* The name of a folder that is not there, from the root on. */
static char *absolute(const char *dir)
{
	char *here, *out;

	if (*dir == '/')
		return strdup(dir);
	here = getcwd(NULL, 0);
	out = here ? str_printf("%s/%s", here, dir) : NULL;
	free(here);
	return out;
}

static bool is_ova(const struct job *job)
{
	return !strcmp(job->c->to, "ova");
}

/* What the target will be told, in memory. */
static int describe(struct job *job)
{
	struct machine_write_args args = job->c->target;
	char *folder = realpath(job->c->dir, NULL);
	int rc;

	/* A folder that is yet to be made. */
	if (!folder && errno == ENOENT)
		folder = absolute(job->c->dir);
	if (!folder)
		return fail_rc(&job->e, -errno, "'%s'", job->c->dir);
	args.folder = folder;
	args.external = job->c->no_copy;
	rc = machine_write(is_ova(job) ? "ovf" : job->c->to, &job->machine,
			   &args, &job->output, &job->e);
	free(folder);
	return rc;
}

int outputs_name(struct job *job)
{
	size_t n = job->source.n_disks;
	int rc = 0;

	job->stem = make_stem(job->machine.name);
	job->disks = array_alloc(n, sizeof(*job->disks));
	job->undos = array_alloc(n, sizeof(*job->undos));
	if (!job->stem || !job->disks || !job->undos)
		return no_memory(job);
	for (size_t i = 0; i < n && !rc; i++) {
		job->disks[i] = str_printf("%s-disk%zu.%s", job->stem, i + 1,
					   job->c->format);
		rc = job->disks[i] ? rename_disk(job, i) : no_memory(job);
		if (!add_ok(job->total, img_size(job->source.imgs[i]),
			    &job->total))
			rc = fail(&job->e, EFBIG, "the disks have more than "
				  "2^64 bytes together");
	}
	return rc ? rc : describe(job);
}

int outputs_check(struct job *job)
{
	bool ova = is_ova(job);
	char *package = str_printf("%s.ova", job->stem);
	int rc = package ? 0 : no_memory(job);

	if (!rc && ova && !job->c->replace)
		rc = staging_check(job->staging, package, &job->e);
	free(package);
	if (ova || job->c->replace)
		return rc;
	for (size_t i = 0; i < job->source.n_disks && !rc; i++)
		rc = staging_check(job->staging, job->disks[i], &job->e);
	for (size_t i = 0; i < job->output.n && !rc; i++)
		rc = staging_check(job->staging, job->output.files[i].name,
				   &job->e);
	return rc;
}

static void show_progress(void *arg, const struct copy_progress *p)
{
	struct job *job = arg;

	progress_update(&job->bar, job->copied + p->done, job->total);
}

/* With --no-copy what was edited goes into an overlay on the source itself. */
static int set_backing(struct job *job, size_t i, struct image_file_args *args,
		       char **backing)
{
	const struct source_disk *d = &job->source.disks[i];

	*backing = NULL;
	if (!job->c->no_copy)
		return 0;
	if (!d->file)
		return fail(&job->e, ENOTSUP, "disk %zu is inside a package; "
			    "--no-copy needs disks in files of their own",
			    i + 1);
	*backing = realpath(d->file, NULL);
	if (!*backing)
		return fail_rc(&job->e, -errno, "'%s'", d->file);
	args->create.backing = *backing;
	args->create.backing_format = d->format;
	return 0;
}

/* An overlay is undone by deleting it, and a package's disk cannot be written in
 * place.
 */
static bool wants_undo(const struct job *job)
{
	return !job->c->no_copy && !is_ova(job) && edits_count(job->edits);
}

/* `checksum` becomes that of the unedited disk, where there will be an undo file;
 * the copy reads nearly all of it anyway.
 */
static int copy_disk(struct job *job, size_t i, char checksum[UNDO_CHECKSUM_LEN])
{
	static const struct img_kv streamed = {
		"subformat", "streamOptimized"
	};
	struct convert *c = job->c;
	struct img_resolver anywhere = img_resolve_anywhere();
	struct image_file_args file = {
		.create.format = c->format, .resolver = &anywhere,
		.flags = IMG_NO_FLUSH,		/* staging_commit() does */
	};
	struct copy_args how = {
		.compress = c->compress, .keep_backing = c->no_copy,
		.progress = show_progress, .arg = job,
		.cancel = progress_cancelled(),
		.checksum = wants_undo(job) ? checksum_find("xxh3") : NULL,
		.checksum_backing = true,
	};
	char hex[CHECKSUM_TEXT_LEN];
	struct copy_result result = { 0 };
	char *path = staging_path(job->staging, job->disks[i]), *backing = NULL;
	int rc = path ? set_backing(job, i, &file, &backing) : no_memory(job);

	if (!strcmp(c->format, "vmdk")) {
		file.create.options = &streamed;
		file.create.n_options = 1;
	}
	if (!rc)
		rc = image_file_copy(job->source.imgs[i], path, &file, &how,
				     &result, &job->e);
	if (!rc && how.checksum)
		snprintf(checksum, UNDO_CHECKSUM_LEN, "%s:%s",
			 checksum_name(how.checksum),
			 checksum_text(how.checksum, result.digest, hex));
	copy_result_fini(&result);
	job->copied += img_size(job->source.imgs[i]);
	free(backing);
	free(path);
	return rc;
}

/* What the edits have overwritten. */
static int write_undo(struct job *job, size_t i, const char *checksum)
{
	char *path = NULL;
	struct img *file;
	int fd, rc, one;

	job->undos[i] = str_printf("%s-disk%zu.undo", job->stem, i + 1);
	path = job->undos[i] ? staging_path(job->staging, job->undos[i]) : NULL;
	if (!path)
		return no_memory(job);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	rc = fd < 0 ? fail_rc(&job->e, -errno, "cannot make '%s'", path)
	     : img_file_fd(fd, path, IMG_WRITE | IMG_NO_FLUSH, &file, &job->e);
	if (!rc) {
		rc = undo_write(job->source.imgs[i], file, checksum, NULL,
				&job->e);
		one = img_close(file, rc ? NULL : &job->e);
		rc = rc ? rc : one;
	} else if (fd >= 0) {
		close(fd);
	}
	free(path);
	return rc;
}

int outputs_disks(struct job *job)
{
	int rc = 0;

	progress_start(&job->bar, job->c->progress);
	for (size_t i = 0; i < job->source.n_disks && !rc; i++) {
		char checksum[UNDO_CHECKSUM_LEN] = "";

		rc = copy_disk(job, i, checksum);
		if (!rc && wants_undo(job))
			rc = write_undo(job, i, checksum);
	}
	progress_end(&job->bar, !rc);
	return rc;
}

static int write_text(struct job *job, const char *name, const char *text,
		      bool executable)
{
	char *path = staging_path(job->staging, name);
	FILE *f = path ? fopen(path, "wxe") : NULL;
	int rc = 0;

	if (!path)
		return no_memory(job);
	if (!f)
		rc = fail_rc(&job->e, -errno, "cannot make '%s'", path);
	if (f && (fputs(text, f) < 0 ||
		  (executable && fchmod(fileno(f), 0755))))
		rc = fail_rc(&job->e, -errno, "cannot write '%s'", path);
	if (f && fclose(f) && !rc)
		rc = fail_rc(&job->e, -errno, "cannot write '%s'", path);
	free(path);
	return rc;
}

static int claim(struct job *job, const char *name)
{
	return staging_claim(job->staging, name, job->c->replace, &job->e);
}

/* The report and its like are of the last run, perhaps of one that failed. */
static int claim_made(struct job *job, const char *suffix)
{
	char *name = str_printf("%s.%s", job->stem, suffix);
	char *path = name ? staging_path(job->staging, name) : NULL;
	int rc = path ? 0 : no_memory(job);

	if (!rc && !access(path, F_OK))
		rc = staging_claim(job->staging, name, true, &job->e);
	free(name);
	free(path);
	return rc;
}

static int write_package(struct job *job, struct ova_pack *pack,
			 const char *path)
{
	struct img *out;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666), rc, one;

	if (fd < 0)
		return fail_rc(&job->e, -errno, "cannot make '%s'", path);
	rc = img_file_fd(fd, path, IMG_WRITE | IMG_NO_FLUSH, &out, &job->e);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = ova_pack_write(pack, out, false, &job->e);
	one = img_close(out, rc ? NULL : &job->e);
	return rc ? rc : one;
}

/* The description and the disks become one .ova. */
static int package(struct job *job, const char *ovf)
{
	struct ova_pack_args args = {
		.n_files = job->source.n_disks, .cancel = progress_cancelled(),
	};
	size_t n = job->source.n_disks;
	char **files = array_alloc(n, sizeof(*files));
	char *name = str_printf("%s.ova", job->stem);
	char *descriptor = staging_path(job->staging, ovf);
	char *path = name ? staging_path(job->staging, name) : NULL;
	struct ova_pack *pack = NULL;
	int rc = files && descriptor && path ? claim(job, name)
		 : no_memory(job);

	for (size_t i = 0; i < n && !rc; i++)
		if (!(files[i] = staging_path(job->staging, job->disks[i])))
			rc = no_memory(job);
	args.descriptor = descriptor;
	args.files = files;
	if (!rc)
		rc = ova_pack_plan(&args, &pack, &job->e);
	if (!rc)
		rc = write_package(job, pack, path);
	ova_pack_free(pack);
	for (size_t i = 0; files && i < n; i++)
		free(files[i]);
	free(files);
	free(name);
	free(descriptor);
	free(path);
	return rc;
}

int outputs_describe(struct job *job)
{
	bool ova = is_ova(job);
	int rc = 0;

	for (size_t i = 0; i < job->output.n && !rc; i++) {
		const struct machine_file *f = &job->output.files[i];

		rc = write_text(job, f->name, f->text, f->executable);
		if (!rc && !ova)
			rc = claim(job, f->name);
	}
	for (size_t i = 0; i < job->source.n_disks && !rc && !ova; i++) {
		rc = claim(job, job->disks[i]);
		if (!rc && job->undos[i])
			rc = claim(job, job->undos[i]);
	}
	return !rc && ova ? package(job, job->output.files[0].name) : rc;
}

static json_t *notes_json(const struct machine_notes *notes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < notes->n; i++) {
		json_t *o = json_object();

		json_put_string(o, "code", notes->list[i].code);
		json_put_string(o, "text", notes->list[i].text);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *report_json(const struct job *job, const char *result)
{
	json_t *o = json_object(), *losses = notes_json(&job->losses);
	json_t *more = notes_json(&job->output.losses), *disks = json_array();

	json_array_extend(losses, more);
	json_decref(more);
	for (size_t i = 0; i < job->source.n_disks; i++)
		json_array_append_new(disks, json_text(job->disks[i]));
	json_put_string(o, "result", result);
	json_put_string(o, "name", job->machine.name);
	json_put_string(o, "target", job->c->to);
	json_object_set_new(o, "source", v2v_source_json(&job->source));
	json_object_set(o, "edits", job->plan);
	json_object_set_new(o, "machine", machine_json(&job->machine));
	json_object_set_new(o, "disks", disks);
	json_object_set_new(o, "losses", losses);
	if (job->verdict)
		json_object_set(o, "boot-test", job->verdict);
	return o;
}

int outputs_report(struct job *job, const char *result)
{
	json_t *report = report_json(job, result);
	char *text = json_dumps(report, JSON_INDENT(4));
	char *name = str_printf("%s.report.json", job->stem);
	char *line = text ? str_printf("%s\n", text) : NULL;
	int rc = line && name ? write_text(job, name, line, false)
		 : no_memory(job);

	if (!rc)
		rc = claim_made(job, "report.json");
	if (!rc)
		rc = claim_made(job, "boot.log");
	if (!rc)
		rc = claim_made(job, "png");
	if (!rc && job->cli->json)
		json_print(job->cli, json_incref(report), 0);
	json_decref(report);
	free(text);
	free(line);
	free(name);
	return rc;
}
