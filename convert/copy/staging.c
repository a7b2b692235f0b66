/* SPDX-License-Identifier: GPL-2.0-or-later */
/* staging.c - several files that appear in a folder together.
 *
 * The list of files, COMMIT in the hidden folder, is a line "R name" or "N name"
 * each (replace, new), and gets its name when it is durable.  From then on every
 * run that opens the folder carries it out: a file that is no longer in the hidden
 * folder has been moved.
 */
#include "convert/copy/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"

#define COMMIT "COMMIT"
#define COMMIT_NEW "COMMIT.new"
#define MAX_LIST (16u << 20)	/* bytes: hundreds of thousands of names */

struct claim {
	char *file;
	bool replace;
};

struct staging {
	char *dir, *hidden;	/* hidden: in dir */
	int dir_fd, hidden_fd;	/* hidden_fd holds the lock */
	bool made_dir;
	struct claim *claims;
	size_t n_claims, cap;
};

/* A folder that we made, and that nothing came into, is gone with us. */
static void staging_free(struct staging *s)
{
	if (s->made_dir)
		rmdir(s->dir);
	for (size_t i = 0; i < s->n_claims; i++)
		free(s->claims[i].file);
	free(s->claims);
	if (s->hidden_fd >= 0)
		close(s->hidden_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	free(s->dir);
	free(s->hidden);
	free(s);
}

static bool is_file_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") &&
	       strcmp(name, "..") && !strchr(name, '\n');
}

/* All files of the hidden folder; there are no folders in it.  The list goes last:
 * whoever is killed here leaves one that says it was carried out, or an empty folder.
 */
static int empty(const struct staging *s)
{
	int fd = dup(s->hidden_fd);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int rc = 0;

	if (!d) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	rewinddir(d);
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    strcmp(entry->d_name, COMMIT) &&
		    unlinkat(s->hidden_fd, entry->d_name, 0))
			rc = -errno;
	closedir(d);
	if (!rc && unlinkat(s->hidden_fd, COMMIT, 0) && errno != ENOENT)
		rc = -errno;
	return rc;
}

static int remove_hidden(struct staging *s)
{
	int rc = empty(s);

	if (!rc && unlinkat(s->dir_fd, s->hidden, AT_REMOVEDIR))
		rc = -errno;
	return rc;
}

/* One file gets its name.  It has moved already where it is missing. */
static int move(const struct staging *s, const char *file, bool replace,
		struct err *e)
{
	unsigned flags = replace ? 0 : RENAME_NOREPLACE;

	if (!renameat2(s->hidden_fd, file, s->dir_fd, file, flags))
		return 0;
	/* Not every file system knows the flag. */
	if (errno == EINVAL && !replace &&
	    faccessat(s->dir_fd, file, F_OK, AT_SYMLINK_NOFOLLOW) &&
	    errno == ENOENT &&
	    !renameat(s->hidden_fd, file, s->dir_fd, file))
		return 0;
	if (errno == ENOENT)
		return 0;
	return fail_rc(e, -errno, "cannot put '%s/%s' in its place; the "
		       "finished file is in '%s/%s'", s->dir, file, s->dir,
		       s->hidden);
}

/* Carry out the list.  It is our own, but lies on a disk. */
static int move_all(const struct staging *s, char *list, struct err *e)
{
	char *line, *rest = list;

	while ((line = strsep(&rest, "\n"))) {
		int rc;

		if (!*line)
			continue;
		if ((*line != 'R' && *line != 'N') || line[1] != ' ' ||
		    !is_file_name(line + 2))
			return fail(e, EUCLEAN, "'%s/%s/" COMMIT "' is damaged",
				    s->dir, s->hidden);
		rc = move(s, line + 2, *line == 'R', e);
		if (rc)
			return rc;
	}
	return 0;
}

static int read_list(const struct staging *s, char **list, struct err *e)
{
	int fd = openat(s->hidden_fd, COMMIT, O_RDONLY | O_CLOEXEC |
			O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	ssize_t got;

	*list = NULL;
	if (fd < 0)
		return errno == ENOENT ? 0 :
		       fail_rc(e, -errno, "'%s/%s/" COMMIT "'", s->dir,
			       s->hidden);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > MAX_LIST ||
	    !(*list = calloc(1, (size_t)st.st_size + 1))) {
		close(fd);
		return fail(e, EUCLEAN, "'%s/%s/" COMMIT "' is damaged", s->dir,
			    s->hidden);
	}
	while (len < (size_t)st.st_size &&
	       (got = read(fd, *list + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)got;
	close(fd);
	return 0;
}

static int finish_earlier(struct staging *s, struct err *e)
{
	char *list;
	int rc = read_list(s, &list, e);

	if (rc || !list)
		return rc;
	rc = move_all(s, list, e);
	free(list);
	if (rc)
		return rc;
	fsync(s->dir_fd);
	remove_hidden(s);
	return fail(e, EALREADY, "an earlier run was ended when its files were "
		    "complete; they are in '%s' now", s->dir);
}

/* Is what we have locked still the folder of that name?  The process that had it
 * may have removed it in between.
 */
static bool is_current(const struct staging *s)
{
	struct stat own, named;

	return !fstat(s->hidden_fd, &own) &&
	       !fstatat(s->dir_fd, s->hidden, &named, AT_SYMLINK_NOFOLLOW) &&
	       own.st_dev == named.st_dev && own.st_ino == named.st_ino;
}

static int open_hidden(struct staging *s, struct err *e)
{
	struct stat st;

	if (mkdirat(s->dir_fd, s->hidden, 0700) && errno != EEXIST)
		return fail_rc(e, -errno, "cannot make '%s/%s'", s->dir,
			       s->hidden);
	s->hidden_fd = openat(s->dir_fd, s->hidden, O_RDONLY | O_DIRECTORY |
			      O_NOFOLLOW | O_CLOEXEC);
	if (s->hidden_fd < 0)
		return fail_rc(e, -errno, "cannot open '%s/%s'", s->dir,
			       s->hidden);
	if (fstat(s->hidden_fd, &st) || st.st_uid != geteuid() ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return fail(e, EPERM, "'%s/%s' is not ours alone: somebody "
			    "else can write there; remove it", s->dir,
			    s->hidden);
	if (flock(s->hidden_fd, LOCK_EX | LOCK_NB) || !is_current(s))
		return fail(e, EBUSY, "another process is working in '%s/%s'",
			    s->dir, s->hidden);
	return 0;
}

int staging_open(const char *dir, const char *name, bool keep,
		 struct staging **out, struct err *e)
{
	struct staging *s;
	int rc;

	if (!is_file_name(name) || strlen(name) > 200)
		return fail(e, EINVAL, "'%s' cannot be part of a file's name",
			    name);
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail(e, ENOMEM, "out of memory");
	s->dir_fd = s->hidden_fd = -1;
	s->dir = strdup(dir);
	s->hidden = str_printf(".%s.partial", name);
	if (!s->dir || !s->hidden) {
		rc = fail(e, ENOMEM, "out of memory");
		goto out;
	}
	s->made_dir = !mkdir(dir, 0777);
	if (!s->made_dir && errno != EEXIST) {
		rc = fail_rc(e, -errno, "cannot make the folder '%s'", dir);
		goto out;
	}
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = s->dir_fd < 0 ? fail_rc(e, -errno, "folder '%s'", dir)
	     : open_hidden(s, e);
	if (!rc)
		rc = finish_earlier(s, e);
	if (!rc && !keep && (rc = empty(s)))
		fail_rc(e, rc, "cannot empty '%s/%s'", dir, s->hidden);
out:
	if (rc)
		staging_free(s);
	else
		*out = s;
	return rc;
}

char *staging_path(const struct staging *s, const char *file)
{
	return str_printf("%s/%s/%s", s->dir, s->hidden, file);
}

char *staging_final(const struct staging *s, const char *file)
{
	return str_printf("%s/%s", s->dir, file);
}

int staging_check(const struct staging *s, const char *file, struct err *e)
{
	if (!is_file_name(file) || !strcmp(file, COMMIT) ||
	    !strcmp(file, COMMIT_NEW))
		return fail(e, EINVAL, "'%s' cannot be a file's name", file);
	if (!faccessat(s->dir_fd, file, F_OK, AT_SYMLINK_NOFOLLOW))
		return fail(e, EEXIST, "'%s/%s' exists already", s->dir, file);
	return 0;
}

int staging_claim(struct staging *s, const char *file, bool replace,
		  struct err *e)
{
	int rc = staging_check(s, file, e);
	struct claim *c;

	if (rc && (rc != -EEXIST || !replace))
		return rc;
	if (array_grow(&s->claims, &s->cap, s->n_claims + 1, sizeof(*c)))
		return fail(e, ENOMEM, "out of memory");
	c = &s->claims[s->n_claims];
	c->file = strdup(file);
	c->replace = replace;
	if (!c->file)
		return fail(e, ENOMEM, "out of memory");
	s->n_claims++;
	return 0;
}

/* Have the data of all files on its way before the first is waited for: then one
 * commit of the file system's journal is enough for all of them.  Only a hint.
 */
static void start_writing(const struct staging *s)
{
	for (size_t i = 0; s->n_claims > 1 && i < s->n_claims; i++) {
		int fd = openat(s->hidden_fd, s->claims[i].file, O_RDONLY |
				O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

		if (fd < 0)
			continue;
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		close(fd);
	}
}

static int sync_file(const struct staging *s, const char *file, struct err *e)
{
	int fd = openat(s->hidden_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc = 0;

	if (fd < 0)
		return fail_rc(e, -errno, "'%s/%s/%s'", s->dir, s->hidden, file);
	if (fsync(fd))
		rc = fail_rc(e, -errno, "cannot flush '%s/%s/%s'", s->dir,
			     s->hidden, file);
	close(fd);
	return rc;
}

static char *make_list(const struct staging *s)
{
	size_t len = 1, at = 0;
	char *list;

	for (size_t i = 0; i < s->n_claims; i++)
		len += strlen(s->claims[i].file) + 3;
	list = malloc(len);
	for (size_t i = 0; list && i < s->n_claims; i++)
		at += (size_t)sprintf(list + at, "%c %s\n",
				      s->claims[i].replace ? 'R' : 'N',
				      s->claims[i].file);
	if (list)
		list[at] = 0;
	return list;
}

static int write_list(const struct staging *s, const char *list, struct err *e)
{
	size_t len = strlen(list), at = 0;
	int fd = openat(s->hidden_fd, COMMIT_NEW, O_WRONLY | O_CREAT | O_TRUNC |
			O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = fd < 0 ? -errno : 0;

	while (!rc && at < len) {
		ssize_t n = write(fd, list + at, len - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			rc = n ? -errno : -ENOSPC;
	}
	if (!rc && fsync(fd))
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (!rc && renameat(s->hidden_fd, COMMIT_NEW, s->hidden_fd, COMMIT))
		rc = -errno;
	if (!rc && fsync(s->hidden_fd))
		rc = -errno;
	return rc ? fail_rc(e, rc, "cannot write '%s/%s/" COMMIT "'", s->dir,
			    s->hidden) : 0;
}

/* Somebody may have made a file of that name since it was claimed. */
static int still_free(const struct staging *s, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < s->n_claims && !rc; i++)
		if (!s->claims[i].replace)
			rc = staging_check(s, s->claims[i].file, e);
	return rc;
}

int staging_commit(struct staging *s, struct err *e)
{
	char *list = make_list(s);
	int rc = list ? still_free(s, e) : fail(e, ENOMEM, "out of memory");

	if (!rc)
		start_writing(s);
	for (size_t i = 0; i < s->n_claims && !rc; i++)
		rc = sync_file(s, s->claims[i].file, e);
	if (!rc)
		rc = write_list(s, list, e);
	if (rc) {
		free(list);
		staging_abort(s);
		return rc;
	}
	rc = move_all(s, list, e);
	free(list);
	if (!rc && fsync(s->dir_fd))
		rc = fail_rc(e, -errno, "cannot flush the folder '%s'", s->dir);
	if (!rc)
		staging_abort(s);
	else
		staging_free(s);
	return rc;
}

void staging_abort(struct staging *s)
{
	if (!s)
		return;
	remove_hidden(s);
	staging_free(s);
}

void staging_leave(struct staging *s)
{
	if (!s)
		return;
	/* With something in it, it stays. */
	unlinkat(s->dir_fd, s->hidden, AT_REMOVEDIR);
	staging_free(s);
}
