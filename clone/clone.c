/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone.c - one run: all clones, from the open source to their names in place. */
#include "clone/clone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clone/base.h"
#include "clone/clone_state.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/json.h"

#define MAX_WORKERS 64u

static int no_memory(struct err *e)
{
	return fail(e, ENOMEM, "out of memory");
}

bool clone_cancelled(const struct run *run)
{
	return run->args->cancel && atomic_load(run->args->cancel);
}

void clone_advance(struct run *run, uint64_t bytes)
{
	pthread_mutex_lock(&run->lock);
	run->done += bytes;
	if (run->args->progress)
		run->args->progress(run->args->arg, run->done, run->total);
	pthread_mutex_unlock(&run->lock);
}

/* Before anything is made. */

static bool is_of_conversion(const char *code)
{
	static const char *const codes[] = {
		"uefi-only", "no-boot-loader", "boot-loader", "no-boot-sector",
		"boot-unreadable", "no-kernel", "initramfs-unreadable",
		"no-virtio-driver",
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strcmp(codes[i], code))
			return true;
	return false;
}

const struct linux_refusal *clone_refusal(const struct source *s, size_t i)
{
	const struct linux_refusal *r;

	for (size_t k = 0; (r = source_refusal(s, k)); k++)
		if (!is_of_conversion(r->code) && !i--)
			return r;
	return NULL;
}

static int find_root(struct run *run, struct err *e)
{
	const struct source *s = run->source;

	if (clone_refusal(s, 0))
		return fail(e, EPERM, "the guest must not be cloned as it is");
	if (!s->guest || !s->guest->root)
		return fail(e, ENOTSUP, "no Linux guest was found on the disks");
	run->root = (size_t)(s->guest->root - s->volumes.list);
	for (size_t i = 0; i < s->n_disks; i++)
		if (!mul_ok(img_size(s->imgs[i]), run->args->n, &run->done) ||
		    !add_ok(run->total, run->done, &run->total))
			return fail(e, EFBIG, "the clones have more than 2^64 "
				    "bytes together");
	run->done = 0;
	return 0;
}

static int set_addresses(struct run *run, struct err *e)
{
	const struct reset_wishes *w = run->args->wishes;
	int rc = reset_check(run->source->guest, w, run->args->n, e);

	for (size_t i = 0; i < run->args->n && !rc && w->has_address; i++)
		if (address_add(&w->address.address, (unsigned)i,
				&run->result->clones[i].address))
			rc = fail(e, ERANGE, "--static-ip cannot count %zu "
				  "addresses further", i);
	return rc;
}

/* Linked clones call their bases as DIR sees them, which exists by now. */
static int find_bases(struct run *run, struct err *e)
{
	const struct source *s = run->source;
	int rc = 0;

	run->backing = array_alloc(s->n_disks + 1, sizeof(*run->backing));
	if (!run->backing)
		return no_memory(e);
	for (size_t i = 0; i < s->n_disks && !rc && run->args->linked; i++) {
		const struct source_disk *d = &s->disks[i];

		if (!d->file)
			return fail(e, ENOTSUP, "disk %zu ('%s') is inside a "
				    "package; linked clones need it in a file "
				    "of its own (or use --full)", i + 1,
				    d->name);
		rc = base_check(d->file, e);
		if (!rc)
			rc = base_relative(d->file, run->args->dir,
					   &run->backing[i], e);
	}
	return rc;
}

/* Is it one of the files that are being cloned? */
static bool is_source(const struct source *s, const char *path)
{
	struct stat there, st;
	bool same;

	if (stat(path, &there))
		return false;
	same = s->machine.source_path && !stat(s->machine.source_path, &st) &&
	       st.st_dev == there.st_dev && st.st_ino == there.st_ino;
	for (size_t i = 0; i < s->n_disks; i++)
		same |= s->disks[i].file && !stat(s->disks[i].file, &st) &&
			st.st_dev == there.st_dev && st.st_ino == there.st_ino;
	return same;
}

static int check_file(struct run *run, const char *name, struct err *e)
{
	char *path = staging_final(run->staging, name);
	int rc = 0;

	if (!path)
		return no_memory(e);
	if (is_source(run->source, path))
		rc = fail(e, EEXIST, "'%s' is the source itself; choose another "
			  "--name or folder", path);
	else if (!run->args->replace)
		rc = staging_check(run->staging, name, e);
	free(path);
	return rc;
}

/* Each file of each clone. */
static int for_files(struct run *run,
		     int (*call)(struct run *run, const char *name,
				 struct err *e), struct err *e)
{
	const struct source *s = run->source;
	int rc = 0;

	for (size_t i = 0; i < run->result->n && !rc; i++) {
		struct clone_one *one = &run->result->clones[i];

		for (size_t k = 0; k < s->n_disks && !rc; k++)
			rc = call(run, one->machine.disks[s->disks[k].index]
				  .file, e);
		for (size_t k = 0; k < one->output.n && !rc; k++)
			rc = call(run, one->output.files[k].name, e);
	}
	return rc;
}

/* The clones' disks, by some threads. */

static struct clone_one *take(struct run *run)
{
	struct clone_one *one = NULL;

	pthread_mutex_lock(&run->lock);
	if (!run->rc && clone_cancelled(run))
		run->rc = -ECANCELED;
	if (!run->rc && run->next < run->result->n)
		one = &run->result->clones[run->next++];
	pthread_mutex_unlock(&run->lock);
	return one;
}

static void *work(void *arg)
{
	struct run *run = arg;
	struct clone_one *one;

	while ((one = take(run))) {
		struct err e = { "" };
		int rc = clone_make_disks(run, one, &e);

		if (!rc)
			continue;
		fail_prefix(&e, rc, "%s", one->name);
		pthread_mutex_lock(&run->lock);
		if (!run->rc) {
			run->rc = rc;
			run->e = e;
		}
		pthread_mutex_unlock(&run->lock);
	}
	return NULL;
}

/* A copy has threads of its own. */
static unsigned n_workers(const struct run *run)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t n = run->args->threads ? run->args->threads
		     : cores > 0 ? (uint64_t)cores : 1;

	if (!run->args->linked)
		return 1;
	return (unsigned)min_u64(min_u64(n, run->result->n), MAX_WORKERS);
}

static int make_all(struct run *run, struct err *e)
{
	unsigned n = n_workers(run), started = 0;
	pthread_t workers[MAX_WORKERS];

	while (started + 1 < n &&
	       !pthread_create(&workers[started], NULL, work, run))
		started++;
	work(run);
	for (unsigned i = 0; i < started; i++)
		pthread_join(workers[i], NULL);
	run->result->key_ns = run->key_ns;
	return run->rc ? fail(e, -run->rc, "%s", run->e.text) : 0;
}

/* The descriptions, and all names. */

static int write_text(struct run *run, const struct machine_file *f,
		      struct err *e)
{
	char *path = staging_path(run->staging, f->name);
	FILE *out = path ? fopen(path, "wxe") : NULL;
	int rc = 0;

	if (!path)
		return no_memory(e);
	if (!out || fputs(f->text, out) < 0 ||
	    (f->executable && fchmod(fileno(out), 0755)))
		rc = fail_rc(e, -errno, "cannot write '%s'", path);
	if (out && fclose(out) && !rc)
		rc = fail_rc(e, -errno, "cannot write '%s'", path);
	free(path);
	return rc;
}

static int write_texts(struct run *run, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < run->result->n && !rc; i++) {
		const struct machine_output *o = &run->result->clones[i].output;

		for (size_t k = 0; k < o->n && !rc; k++)
			rc = write_text(run, &o->files[k], e);
	}
	return rc;
}

static int claim(struct run *run, const char *name, struct err *e)
{
	return staging_claim(run->staging, name, run->args->replace, e);
}

/* Where the clones' i-th disks will be. */
static char **clone_paths(const struct run *run, size_t disk)
{
	const struct clone_result *result = run->result;
	size_t index = run->source->disks[disk].index;
	char **paths = array_alloc(result->n + 1, sizeof(*paths));

	for (size_t i = 0; paths && i < result->n; i++)
		paths[i] = str_printf("%s/%s", run->args->dir,
				      result->clones[i].machine.disks[index]
				      .file);
	return paths;
}

static int count(struct run *run, struct err *e)
{
	const struct source *s = run->source;
	int rc = 0;

	for (size_t i = 0; run->args->linked && i < s->n_disks && !rc; i++) {
		char **paths = clone_paths(run, i);

		rc = paths ? 0 : no_memory(e);
		for (size_t k = 0; k < run->result->n && !rc; k++)
			if (!paths[k])
				rc = no_memory(e);
		if (!rc)
			rc = base_add(s->disks[i].file,
				      (const char *const *)paths,
				      run->result->n, e);
		for (size_t k = 0; paths && k < run->result->n; k++)
			free(paths[k]);
		free(paths);
	}
	return rc;
}

static int commit(struct run *run, struct err *e)
{
	struct staging *staging = run->staging;
	int rc = count(run, e);

	if (!rc) {
		run->staging = NULL;
		rc = staging_commit(staging, e);
	}
	if (!rc)
		return count(run, e);
	for (size_t i = 0; run->args->linked && i < run->source->n_disks; i++)
		base_tidy(run->source->disks[i].file);
	return rc;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int run_all(struct run *run, struct err *e)
{
	int rc = find_root(run, e);

	if (!rc)
		rc = clone_name_all(run, e);
	if (!rc)
		rc = set_addresses(run, e);
	if (!rc)
		rc = staging_open(run->args->dir, run->result->clones[0].name,
				  false, &run->staging, e);
	if (!rc)
		rc = clone_describe_all(run, e);
	if (!rc)
		rc = find_bases(run, e);
	if (!rc)
		rc = for_files(run, check_file, e);
	if (!rc)
		rc = make_all(run, e);
	if (!rc)
		rc = write_texts(run, e);
	if (!rc)
		rc = for_files(run, claim, e);
	return rc ? rc : commit(run, e);
}

int clone_run(struct source *s, const struct clone_args *args,
	      struct clone_result *result, struct err *e)
{
	struct run run = {
		.source = s, .args = args, .result = result,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	uint64_t started = now_ns();
	int rc;

	memset(result, 0, sizeof(*result));
	if (!args->n || args->n > CLONE_MAX)
		return fail(e, EINVAL, "the number of clones is %u, must be 1 "
			    "to %u", args->n, CLONE_MAX);
	result->clones = array_alloc(args->n, sizeof(*result->clones));
	if (!result->clones)
		return no_memory(e);
	rc = run_all(&run, e);
	staging_abort(run.staging);
	for (size_t i = 0; run.backing && i < s->n_disks; i++)
		free(run.backing[i]);
	free(run.backing);
	pthread_mutex_destroy(&run.lock);
	result->ns = now_ns() - started;
	return rc;
}

void clone_result_fini(struct clone_result *result)
{
	for (size_t i = 0; i < result->n; i++) {
		struct clone_one *one = &result->clones[i];

		free(one->name);
		free(one->hostname);
		free(one->macs);
		free(one->public_keys);
		machine_free(&one->machine);
		machine_output_free(&one->output);
		json_decref(one->edits);
	}
	free(result->clones);
	machine_notes_free(&result->losses);
	memset(result, 0, sizeof(*result));
}
