/* SPDX-License-Identifier: GPL-2.0-or-later */
/* new_files.c - files for an image that needs more of them.
 *
 * What takes the place of the image's own file is written as ".NAME.partial"
 * and renamed at the end.  The image's lock is held, so that one which is there
 * already is left from a run that was killed.
 */
#include "tools/vimg/new_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/copy/output.h"
#include "imgfmt/base/buf.h"

struct new_file {
	struct output *out;		/* NULL: it has its name */
	char *path;
	char *like;			/* the image's own file */
	bool replaces;			/* takes its place */
	struct new_file *next;
};

static void drop(struct new_file *n)
{
	free(n->path);
	free(n->like);
	free(n);
}

static int open_inner(void *arg, const char *referrer, const char *name,
		      const char *format, unsigned flags,
		      const struct img_resolver *self, struct img **out,
		      struct err *e)
{
	const struct img_resolver *r = &((struct new_files *)arg)->inner;

	return r->open(r->arg, referrer, name, format, flags, self, out, e);
}

/* Where it goes, and what it replaces. */
static int place(struct new_file *n, const char *referrer, const char *name,
		 struct err *e)
{
	const char *slash = strrchr(referrer, '/');
	const char *own = slash ? slash + 1 : referrer;
	int dir;

	if (!*name || strchr(name, '/') || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return fail(e, EPERM, "the new file '%s' would not be beside "
			    "'%s'", name, referrer);
	n->like = realpath(referrer, NULL);
	if (!n->like)
		return fail_rc(e, -errno, "Could not find '%s'", referrer);
	if (strcmp(name, own)) {
		n->path = str_printf("%.*s%s", (int)(own - referrer), referrer,
				     name);
		return n->path ? 0 : fail(e, ENOMEM, "out of memory");
	}
	slash = strrchr(n->like, '/');
	dir = (int)(slash + 1 - n->like);
	n->path = str_printf("%.*s.%s.partial", dir, n->like, slash + 1);
	n->replaces = true;
	if (!n->path)
		return fail(e, ENOMEM, "out of memory");
	unlink(n->path);
	return 0;
}

static int create(void *arg, const char *referrer, const char *name,
		  struct img **file, struct err *e)
{
	static const struct output_args args = { .no_replace = true };
	struct new_files *f = arg;
	struct new_file *n = calloc(1, sizeof(*n)), **end = &f->first;
	int rc;

	if (!n)
		return fail(e, ENOMEM, "out of memory");
	rc = place(n, referrer, name, e);
	if (!rc)
		rc = output_open(n->path, &args, &n->out, e);
	if (rc) {
		drop(n);
		return rc;
	}
	while (*end)
		end = &(*end)->next;
	*end = n;
	rc = output_layer(n->out, 0, file, e);
	if (rc)
		return rc;
	rc = output_begin(n->out, e);
	if (rc)
		img_close(*file, NULL);
	return rc;
}

/* Who may read the image may read the new file, and nobody else. */
static int set_owner(const struct new_file *n, struct err *e)
{
	struct stat st, own;

	if (stat(n->like, &st) || stat(n->path, &own) ||
	    ((st.st_uid != own.st_uid || st.st_gid != own.st_gid) &&
	     chown(n->path, st.st_uid, st.st_gid)) ||
	    chmod(n->path, st.st_mode & 07777))
		return fail_rc(e, -errno, "'%s' cannot have the owner and mode "
			       "of '%s'", n->path, n->like);
	return 0;
}

static int replace(struct new_file *n, struct err *e)
{
	char *slash = strrchr(n->like, '/');
	int dir;

	if (rename(n->path, n->like))
		return fail_rc(e, -errno, "Could not replace '%s'", n->like);
	*slash = 0;
	dir = open(*n->like ? n->like : "/",
		   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* It has its name now; some folders cannot be flushed. */
	if (dir >= 0) {
		fsync(dir);
		close(dir);
	}
	return 0;
}

static int publish(struct new_file *n, struct err *e)
{
	struct output *out = n->out;
	int rc;

	n->out = NULL;
	rc = output_commit(out, e);
	if (rc) {
		/* There is nothing of it; and what there is, is not ours. */
		free(n->path);
		n->path = NULL;
		return rc;
	}
	rc = set_owner(n, e);
	return rc || !n->replaces ? rc : replace(n, e);
}

static int settle(void *arg, bool keep, struct err *e)
{
	struct new_files *f = arg;
	int rc = 0;

	for (struct new_file *n = f->first; n && keep && !rc; n = n->next)
		rc = publish(n, e);
	while (f->first) {
		struct new_file *n = f->first;

		f->first = n->next;
		if (n->out)
			output_abort(n->out);
		else if ((rc || !keep) && n->path)
			unlink(n->path);
		drop(n);
	}
	return rc;
}

void new_files_init(struct new_files *f, struct img_resolver *r)
{
	*f = (struct new_files){ .inner = *r };
	*r = (struct img_resolver){
		.open = open_inner, .create = create, .settle = settle,
		.arg = f,
	};
}
