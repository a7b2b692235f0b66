/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base.c - the image that linked clones stand on. */
#include "clone/base.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/json.h"

#define MAX_REFERENCES (64u << 20)	/* bytes: about a million clones */

/* BASE, its folder and its references, while they are locked. */
struct base {
	const char *path;
	char *folder, *references;	/* without symbolic links */
	int fd;				/* holds the lock */
	struct stat st;
	char mtime[40];
	json_t *root;			/* NULL: not counted yet */
};

static void base_close(struct base *b)
{
	if (b->fd >= 0)
		close(b->fd);
	free(b->folder);
	free(b->references);
	json_decref(b->root);
}

static int load(struct base *b, struct err *e)
{
	json_error_t why;
	struct stat st;
	const char *wrong = NULL;

	if (stat(b->references, &st))
		return errno == ENOENT ? 0 : fail_rc(e, -errno, "'%s'",
						     b->references);
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_REFERENCES)
		return fail(e, EUCLEAN, "'%s' is no list of clones",
			    b->references);
	b->root = json_load_file(b->references, JSON_REJECT_DUPLICATES, &why);
	if (!b->root)
		wrong = why.text;
	else if (!json_is_integer(json_object_get(b->root, "size")) ||
		 !json_is_string(json_object_get(b->root, "mtime")) ||
		 !json_is_array(json_object_get(b->root, "clones")))
		wrong = "it has no size, mtime or clones";
	return wrong ? fail(e, EUCLEAN, "'%s', which counts the clones of '%s', "
			    "is damaged: %.200s", b->references, b->path, wrong)
		     : 0;
}

static int base_open(const char *path, int lock, struct base *b, struct err *e)
{
	char *real = realpath(path, NULL), *slash;
	int rc = 0;

	memset(b, 0, sizeof(*b));
	b->path = path;
	b->fd = -1;
	if (!real)
		return fail_rc(e, -errno, "'%s'", path);
	b->references = str_printf("%s.clones.json", real);
	slash = strrchr(real, '/');
	b->folder = strndup(real, slash == real ? 1 : (size_t)(slash - real));
	b->fd = open(real, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (b->fd < 0 || fstat(b->fd, &b->st))
		rc = fail_rc(e, -errno, "'%s'", path);
	else if (!S_ISREG(b->st.st_mode))
		rc = fail(e, ENOTSUP, "'%s' is no file: linked clones need one "
			  "that stays as it is", path);
	else if (flock(b->fd, lock))
		rc = fail_rc(e, -errno, "cannot lock '%s'", path);
	else if (!b->references || !b->folder)
		rc = fail(e, ENOMEM, "out of memory");
	free(real);
	if (rc)
		return rc;
	snprintf(b->mtime, sizeof(b->mtime), "%" PRId64 ".%09ld",
		 (int64_t)b->st.st_mtim.tv_sec, b->st.st_mtim.tv_nsec);
	return load(b, e);
}

/* Is it another one than was cloned first? */
static bool has_changed(const struct base *b)
{
	return b->root &&
	       (json_integer_value(json_object_get(b->root, "size")) !=
		b->st.st_size ||
		strcmp(json_string_value(json_object_get(b->root, "mtime")),
		       b->mtime));
}

/* Where a counted clone is; the caller frees it. */
static char *locate(const struct base *b, const char *name)
{
	return *name == '/' ? strdup(name)
	       : str_printf("%s/%s", b->folder, name);
}

static bool exists(const struct base *b, const char *name)
{
	char *path = name ? locate(b, name) : NULL;
	bool there = path && !access(path, F_OK);

	free(path);
	return there;
}

static void drop_missing(struct base *b, json_t *clones)
{
	for (size_t i = json_array_size(clones); i-- > 0;)
		if (!exists(b, json_string_value(json_array_get(clones, i))))
			json_array_remove(clones, i);
}

static void drop(json_t *clones, const char *name)
{
	for (size_t i = json_array_size(clones); i-- > 0;) {
		const char *have = json_string_value(json_array_get(clones, i));

		if (have && !strcmp(have, name))
			json_array_remove(clones, i);
	}
}

/* The whole file anew, under its name only when it is durable. */
static int save(const struct base *b, struct err *e)
{
	char *new = str_printf("%s.new", b->references);
	char *text = json_dumps(b->root, JSON_INDENT(1));
	int rc = 0, fd = -1;
	size_t len = text ? strlen(text) : 0;

	if (!new || !text) {
		rc = fail(e, ENOMEM, "out of memory");
		goto out;
	}
	unlink(new);		/* of a run that was killed; we have the lock */
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	for (size_t at = 0; fd >= 0 && at < len && !rc;) {
		ssize_t n = write(fd, text + at, len - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			rc = n ? -errno : -ENOSPC;
	}
	if (fd < 0 || (!rc && (fsync(fd) || rename(new, b->references))))
		rc = -errno;
	if (rc)
		fail_rc(e, rc, "cannot write '%s', which counts the clones "
			"(--full makes clones that need no base)",
			b->references);
	if (rc && fd >= 0)
		unlink(new);
out:
	if (fd >= 0)
		close(fd);
	free(new);
	free(text);
	return rc;
}

static int refuse_changed(const struct base *b, struct err *e)
{
	return fail(e, EUCLEAN, "'%s' has changed since it was first cloned, which "
		    "has damaged its clones; make it as it was again, or delete "
		    "them and '%s'", b->path, b->references);
}

/* A base without clones may have changed. */
static bool is_damage(struct base *b)
{
	json_t *clones = json_object_get(b->root, "clones");

	drop_missing(b, clones);
	return has_changed(b) && json_array_size(clones);
}

int base_check(const char *base, struct err *e)
{
	struct base b;
	int rc = base_open(base, LOCK_SH, &b, e);

	if (!rc && is_damage(&b))
		rc = refuse_changed(&b, e);
	base_close(&b);
	return rc;
}

/* What is written down when the first clone is made. */
static int begin(struct base *b)
{
	json_decref(b->root);
	b->root = json_pack("{s:I, s:s, s:i, s:[]}", "size",
			    (json_int_t)b->st.st_size, "mtime", b->mtime,
			    "mode", (int)(b->st.st_mode & 0777), "clones");
	return b->root ? 0 : -ENOMEM;
}

static int add_all(struct base *b, const char *const *clones, size_t n,
		   struct err *e)
{
	json_t *list = json_object_get(b->root, "clones");

	for (size_t i = 0; i < n; i++) {
		char *folder = strdup(clones[i]), *name = NULL;
		char *slash = folder ? strrchr(folder, '/') : NULL;
		char *relative = NULL;
		int rc = folder ? 0 : fail(e, ENOMEM, "out of memory");

		if (slash)
			*slash = 0;
		/* The file is not there yet, but its folder is. */
		if (!rc)
			rc = base_relative(slash ? (slash == folder ? "/"
						    : folder) : ".",
					   b->folder, &relative, e);
		if (!rc)
			name = str_printf("%s/%s", relative,
					  slash ? slash + 1 : clones[i]);
		if (name) {
			const char *short_name = strncmp(name, "./", 2)
				? name : name + 2;

			drop(list, short_name);
			if (json_array_append_new(list, json_text(short_name)))
				rc = fail(e, ENOMEM, "out of memory");
		}
		free(folder);
		free(relative);
		free(name);
		if (rc)
			return rc;
	}
	return 0;
}

int base_add(const char *base, const char *const *clones, size_t n,
	     struct err *e)
{
	struct base b;
	int rc = base_open(base, LOCK_EX, &b, e);

	if (rc)
		goto out;
	if (is_damage(&b)) {
		rc = refuse_changed(&b, e);
		goto out;
	}
	if (!json_array_size(json_object_get(b.root, "clones")) && begin(&b)) {
		rc = fail(e, ENOMEM, "out of memory");
		goto out;
	}
	rc = add_all(&b, clones, n, e);
	if (!rc)
		rc = save(&b, e);
	if (!rc && b.st.st_mode & 0222 &&
	    fchmod(b.fd, b.st.st_mode & 07777 & ~0222u))
		rc = fail_rc(e, -errno, "cannot make '%s' read-only, which its "
			     "clones need (--full makes clones that need no "
			     "base)", base);
out:
	base_close(&b);
	return rc;
}

void base_tidy(const char *base)
{
	struct base b;
	json_t *list;

	if (base_open(base, LOCK_EX, &b, NULL) || !b.root)
		goto out;
	list = json_object_get(b.root, "clones");
	drop_missing(&b, list);
	if (json_array_size(list)) {
		save(&b, NULL);
		goto out;
	}
	fchmod(b.fd, (mode_t)json_integer_value(json_object_get(b.root,
								"mode")));
	unlink(b.references);
out:
	base_close(&b);
}

int base_state(const char *base, struct base_state *out, struct err *e)
{
	struct base b;
	json_t *list, *name;
	size_t i;
	int rc = base_open(base, LOCK_SH, &b, e);

	memset(out, 0, sizeof(*out));
	if (rc)
		goto out;
	list = json_object_get(b.root, "clones");
	drop_missing(&b, list);
	out->counted = b.root;
	out->changed = has_changed(&b);
	out->clones = array_alloc(json_array_size(list) + 1,
				  sizeof(*out->clones));
	if (!out->clones)
		rc = fail(e, ENOMEM, "out of memory");
	json_array_foreach(list, i, name) {
		if (rc)
			break;
		out->clones[i] = locate(&b, json_string_value(name));
		if (out->clones[i])
			out->n_clones++;
		else
			rc = fail(e, ENOMEM, "out of memory");
	}
out:
	base_close(&b);
	return rc;
}

void base_state_fini(struct base_state *s)
{
	for (size_t i = 0; i < s->n_clones; i++)
		free(s->clones[i]);
	free(s->clones);
	memset(s, 0, sizeof(*s));
}

/* How many bytes of both paths are whole folders that they share? */
static size_t common(const char *a, const char *b)
{
	size_t len = 0;

	for (size_t i = 0;; i++) {
		bool ends_a = !a[i] || a[i] == '/', ends_b = !b[i] || b[i] == '/';

		if (ends_a && ends_b)
			len = i;
		if (a[i] != b[i] || !a[i])
			return len;
	}
}

static int relative(const char *file, const char *folder, char **out)
{
	size_t len = common(file, folder), ups = 0, at = 0;
	const char *rest = file + len;

	for (const char *p = folder + len; *p; p++)
		ups += *p == '/' && p[1];
	while (*rest == '/')
		rest++;
	*out = malloc(3 * ups + strlen(rest) + 3);
	if (!*out)
		return -ENOMEM;
	for (; ups; ups--)
		at += (size_t)sprintf(*out + at, "../");
	strcpy(*out + at, rest);
	/* A folder from itself or from below. */
	if (!*rest)
		strcpy(at ? *out + at - 1 : *out, at ? "" : ".");
	return 0;
}

int base_relative(const char *file, const char *from_folder, char **out,
		  struct err *e)
{
	char *a = realpath(file, NULL), *b = NULL;
	int rc = 0;

	if (!a)
		return fail_rc(e, -errno, "'%s'", file);
	b = realpath(from_folder, NULL);
	if (!b)
		rc = fail_rc(e, -errno, "'%s'", from_folder);
	else if (relative(a, b, out))
		rc = fail(e, ENOMEM, "out of memory");
	free(a);
	free(b);
	return rc;
}
