/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify.c - compare packages with their manifests, beside a copy or alone. */
#include "tools/vimg/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/thread.h"
#include "tools/cli/image.h"
#include "tools/cli/progress.h"

static bool go_on(void *arg, uint64_t done, uint64_t total)
{
	struct verify *v = arg;

	(void)done;
	(void)total;
	return !atomic_load(&v->stop) && !atomic_load(progress_cancelled());
}

/* In the thread: printing is for the main one. */
static void take_note(void *arg, const char *line)
{
	struct verify *v = arg;
	char *notes = str_printf("%s%s%s", v->notes ? v->notes : "",
				 v->notes ? "\n" : "", line);

	if (!notes)
		return;
	free(v->notes);
	v->notes = notes;
}

static void *run(void *arg)
{
	struct verify *v = arg;
	struct img_verify how = {
		.go_on = go_on, .report = take_note, .arg = v,
		.only_report = v->ignore,
	};

	for (size_t i = 0; i < v->n && !v->rc; i++)
		v->rc = img_verify(v->images[i], &how, &v->e);
	return NULL;
}

int verify_start(const struct cli *cli, struct verify *v,
		 struct img *const *images, size_t n, struct err *e)
{
	bool any = false;
	int rc;

	*v = (struct verify){
		.images = images, .n = n, .ignore = cli->ignore_manifest,
	};
	for (size_t i = 0; i < n; i++)
		any |= image_is_package(images[i]);
	if (!any)
		return 0;
	rc = thread_start(&v->thread, "verify", run, v);
	if (rc)
		return fail_rc(e, rc, "cannot start a thread");
	v->running = true;
	return 0;
}

static void print_notes(const struct cli *cli, struct verify *v)
{
	char *rest = NULL;
	char *line = v->notes ? strtok_r(v->notes, "\n", &rest) : NULL;

	for (; line; line = strtok_r(NULL, "\n", &rest))
		cli_error(cli, "%s: %s", v->ignore ? "warning" : "note", line);
	free(v->notes);
	v->notes = NULL;
}

void verify_stop(struct verify *v)
{
	atomic_store(&v->stop, 1);
	v->stopped = true;
}

int verify_end(struct cli *cli, struct verify *v, int failed, struct err *e)
{
	if (!v->running)
		return failed;
	/* Reading fails once the package is known to be damaged: then the
	 * thread has said so already.
	 */
	if (failed)
		atomic_store(&v->stop, 1);
	pthread_join(v->thread, NULL);
	v->running = false;
	print_notes(cli, v);
	if (v->stopped && v->rc == -ECANCELED)
		v->rc = 0;
	if (v->rc && (!failed || (v->rc == -EUCLEAN && failed != -ECANCELED))) {
		fail(e, -v->rc, "%s%s", v->e.text, v->rc == -EUCLEAN ?
		     " (--ignore-manifest goes on all the same)" : "");
		return v->rc;
	}
	return failed;
}
