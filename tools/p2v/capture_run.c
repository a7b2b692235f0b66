/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture_run.c - p2v capture: open the disks, copy one after the other, write the
 * manifest; all of it appears together.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/capture/inventory.h"
#include "convert/copy/staging.h"
#include "imgfmt/base/buf.h"
#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/p2v/capture.h"
#include "tools/p2v/freeze.h"

#define STAGING "p2v"

struct disk {
	const char *name;		/* as given */
	char *file;			/* in the folder */
	struct img *img;
	struct mounts mounts;
	struct capture_plan plan;
	struct capture_result result;
	enum capture_state state;
};

struct job {
	struct cli *cli;
	struct p2v_capture *c;
	struct disk *disks;
	struct staging *staging;
	struct mounts frozen;		/* of all disks; entries are theirs */
	struct freezer *freezer;
	struct progress progress;
	json_t *manifest;
	struct err e;
};

/* "sda.qcow2"; another disk of that name is "sda-2.qcow2". */
static int name_file(struct job *job, size_t i)
{
	struct disk *d = &job->disks[i];
	const char *slash = strrchr(d->name, '/');
	const char *base = slash ? slash + 1 : d->name;
	unsigned same = 0;

	for (size_t k = 0; k < i; k++) {
		const char *other = strrchr(job->disks[k].name, '/');

		same += !strcmp(base, other ? other + 1 : job->disks[k].name);
	}
	d->file = same ? str_printf("%s-%u.qcow2", base, same + 1) :
			 str_printf("%s.qcow2", base);
	return d->file ? 0 : fail(&job->e, ENOMEM, "out of memory");
}

/* A device in use: its page cache does not show what file systems write. */
static bool needs_direct(const struct job *job, const struct disk *d)
{
	struct stat st;

	return job->c->direct || d->mounts.n ||
		(!stat(d->name, &st) && S_ISBLK(st.st_mode));
}

/* Nobody means the bytes of an image's file, but its disk.  What is in there may be
 * a guest's work: it decides nothing but whether we ask.
 */
static int check_raw(struct job *job, const struct disk *d)
{
	const char *seems;
	struct stat st;

	if (job->c->format || stat(d->name, &st) || !S_ISREG(st.st_mode))
		return 0;
	seems = img_probe(d->img);
	if (!strcmp(seems, "raw"))
		return 0;
	return fail(&job->e, EINVAL, "%s looks like a %s image; say -f %s for "
		    "the disk in it, or -f raw for the file's bytes", d->name,
		    seems, seems);
}

static int open_disk(struct job *job, struct disk *d)
{
	struct image im = {
		.name = d->name,
		.format = job->c->format ? job->c->format : "raw",
		/* Who has it mounted holds no lock of ours anyway. */
		.flags = d->mounts.n ? IMG_SHARE : 0,
	};
	int rc = mounts_find(d->name, &d->mounts, &job->e);

	if (rc)
		return rc;
	if (needs_direct(job, d))
		im.flags |= IMG_DIRECT;
	rc = image_try_open(job->cli, &im, &d->img, &job->e);
	return rc ? fail_prefix(&job->e, rc, "%s", d->name)
		  : check_raw(job, d);
}

static bool is_written(const struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (!m->list[i].readonly)
			return true;
	return false;
}

static int check_mounts(struct job *job, struct disk *d)
{
	if (!is_written(&d->mounts))
		return 0;
	d->state = job->c->freeze ? CAPTURE_FROZEN : CAPTURE_LIVE;
	if (job->c->live || job->c->freeze)
		return 0;
	return fail(&job->e, EBUSY, "%s is in use: %s%s%s; unmount it, or freeze "
		    "it meanwhile (--freeze), or accept a copy as after a crash "
		    "(--live)", d->name,
		    d->mounts.list[0].swap ? "it has swap space " :
					     "it is mounted at ",
		    d->mounts.list[0].point, d->mounts.n > 1 ? " and others" :
		    "");
}

/* The disks, which of them are in use, and no name that is taken. */
static int open_disks(struct job *job)
{
	int rc = 0;

	for (size_t i = 0; i < job->c->n && !rc; i++) {
		struct disk *d = &job->disks[i];

		d->name = job->c->names[i];
		rc = name_file(job, i);
		if (!rc)
			rc = open_disk(job, d);
		if (!rc)
			rc = check_mounts(job, d);
	}
	return rc;
}

static int freeze(struct job *job)
{
	struct mounts *all = &job->frozen;

	if (!job->c->freeze)
		return 0;
	for (size_t i = 0; i < job->c->n; i++) {
		const struct mounts *m = &job->disks[i].mounts;

		for (size_t k = 0; k < m->n; k++) {
			if (m->list[k].readonly)
				continue;
			if (array_grow(&all->list, &all->cap, all->n + 1,
				       sizeof(*all->list)))
				return fail(&job->e, ENOMEM, "out of memory");
			all->list[all->n++] = m->list[k];
		}
	}
	if (!all->n)
		return 0;
	return freezer_freeze(all, job->c->folder, job->c->freeze_s,
			      &job->freezer, &job->e);
}

static int thaw(struct job *job, int rc)
{
	int one = 0;

	if (job->freezer)
		one = freezer_thaw(job->freezer, rc ? NULL : &job->e);
	job->freezer = NULL;
	return rc ? rc : one;
}

/* Somebody may write to it while it is copied: nothing is known to stay free. */
static bool is_live(void *arg, const struct volume *v)
{
	const struct disk *d = arg;

	if (d->state != CAPTURE_LIVE)
		return false;
	for (size_t i = 0; i < d->mounts.n; i++) {
		const struct mount *m = &d->mounts.list[i];

		if (!m->readonly && (m->stacked || m->partition ==
				     (v->part ? v->part->number : 0)))
			return true;
	}
	return false;
}

static void show(void *arg, const struct copy_progress *p)
{
	struct job *job = arg;

	progress_update(&job->progress, p->done, p->total);
}

static void warn_lost(struct job *job, const struct disk *d)
{
	for (size_t i = 0; i < d->result.n_lost; i++) {
		const struct capture_lost *l = &d->result.lost[i];

		cli_error(job->cli, "warning: %s: %" PRIu64 " bytes at %" PRIu64
			  " cannot be read (%s), and are zeroes%s%s%s", d->name,
			  l->len, l->offset, strerror(-l->error),
			  l->n_files ? ": " : "", l->n_files ? l->files[0] : "",
			  l->n_files > 1 ? " and others" : "");
	}
}

static int capture_one(struct job *job, struct disk *d)
{
	struct capture_args args = job->c->how;
	char *path = staging_path(job->staging, d->file);
	char *checkpoint = path ? str_printf("%s.checkpoint", path) : NULL;
	int rc = checkpoint ? 0 : fail(&job->e, ENOMEM, "out of memory");

	if (!rc)
		rc = capture_plan_make(d->img, is_live, d, &d->plan, &job->e);
	args.plan = &d->plan;
	args.path = path;
	args.checkpoint = checkpoint;
	args.progress = show;
	args.arg = job;
	args.cancel = progress_cancelled();
	progress_start(&job->progress, job->c->progress);
	if (!rc)
		rc = capture_run(&args, &d->result, &job->e);
	progress_end(&job->progress, !rc);
	if (!rc)
		rc = staging_claim(job->staging, d->file, false, &job->e);
	if (!rc)
		warn_lost(job, d);
	free(path);
	free(checkpoint);
	return rc ? fail_prefix(&job->e, rc, "%s", d->name) : 0;
}

/* This machine, if the disks are its own; NULL: nothing to say. */
static json_t *describe(const struct job *job)
{
	json_t *o = NULL;
	struct stat st;

	for (size_t i = 0; i < job->c->n && !o; i++)
		if (!stat(job->disks[i].name, &st) && S_ISBLK(st.st_mode) &&
		    inventory_take("", &o, NULL))
			o = NULL;
	return o;
}

static int write_manifest(struct job *job)
{
	char *path = staging_path(job->staging, MANIFEST_NAME);
	json_t *disks = json_array();
	int rc = 0;

	for (size_t i = 0; i < job->c->n; i++) {
		const struct disk *d = &job->disks[i];

		json_array_append_new(disks, manifest_disk(d->name, d->file,
							   d->state, &d->plan,
							   &d->result));
	}
	job->manifest = manifest_make(disks, describe(job));
	if (!path || !job->manifest)
		rc = fail(&job->e, ENOMEM, "out of memory");
	else if (json_dump_file(job->manifest, path, JSON_INDENT(1)))
		rc = fail(&job->e, EIO, "cannot write '%s'", path);
	free(path);
	return rc ? rc : staging_claim(job->staging, MANIFEST_NAME, false,
				       &job->e);
}

static int open_staging(struct job *job)
{
	int rc = staging_open(job->c->folder, STAGING, job->c->how.resume,
			      &job->staging, &job->e);

	if (!rc)
		rc = staging_check(job->staging, MANIFEST_NAME, &job->e);
	for (size_t i = 0; i < job->c->n && !rc; i++)
		rc = staging_check(job->staging, job->disks[i].file, &job->e);
	return rc;
}

static int do_all(struct job *job)
{
	int rc = open_disks(job);

	if (!rc)
		rc = open_staging(job);
	if (!rc)
		rc = freeze(job);
	for (size_t i = 0; i < job->c->n && !rc; i++)
		rc = capture_one(job, &job->disks[i]);
	rc = thaw(job, rc);
	if (!rc)
		rc = write_manifest(job);
	if (rc) {
		staging_leave(job->staging);
		return rc;
	}
	return staging_commit(job->staging, &job->e);
}

static int report(struct job *job)
{
	int status = 0;

	for (size_t i = 0; i < job->c->n; i++) {
		const struct disk *d = &job->disks[i];

		if (d->result.n_lost)
			status = P2V_CHECK;
		if (!job->cli->json)
			cli_say(job->cli, "%s: %" PRIu64 " bytes, of which %"
				PRIu64 " are free, in %s/%s\n", d->name,
				img_size(d->img), d->plan.free_bytes,
				job->c->folder, d->file);
	}
	if (job->cli->json)
		status = json_print(job->cli, json_incref(job->manifest),
				    status);
	return cli_finish(job->cli, status);
}

static void job_fini(struct job *job)
{
	for (size_t i = 0; job->disks && i < job->c->n; i++) {
		struct disk *d = &job->disks[i];

		capture_result_fini(&d->result);
		capture_plan_fini(&d->plan);
		mounts_fini(&d->mounts);
		img_close(d->img, NULL);
		free(d->file);
	}
	free(job->disks);
	free(job->frozen.list);
	json_decref(job->manifest);
}

int p2v_capture_run(struct cli *cli, struct p2v_capture *c)
{
	struct job job = { .cli = cli, .c = c };
	int rc = -ENOMEM, status, one;

	progress_signals();
	cli_resolver_init(cli);
	job.disks = array_alloc(c->n, sizeof(*job.disks));
	if (job.disks)
		rc = do_all(&job);
	if (rc == -ECANCELED)
		status = progress_die();
	else if (rc == -EALREADY)
		status = cli_finish(cli, 0);
	else
		status = rc ? CLI_FAILED : report(&job);
	if (rc && rc != -ECANCELED)
		cli_error(cli, "%s", job.e.text);
	if (!rc && c->verify) {
		one = p2v_verify(cli, c->folder, c->progress);
		status = one ? one : status;
	}
	job_fini(&job);
	return status;
}
