/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset_wishes.c - what a clone is given: keys that may log in, files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clone/reset_parts.h"
#include "imgfmt/base/buf.h"

/* They are held in memory, and again in each clone's edits. */
#define MAX_FILE (64u << 20)	/* bytes of one, and of all */
#define MAX_FILES 10000u
#define MAX_DEPTH 32u
#define MAX_KEYS (1u << 20)	/* bytes of a file of keys */

/* A whole local file, a NUL behind it. */
static int load(const char *path, size_t max, char **data, size_t *len,
		mode_t *mode, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	struct stat st;
	size_t at = 0;
	ssize_t n = 1;

	*data = NULL;
	if (fd < 0 || fstat(fd, &st)) {
		rc = fail_rc(e, -errno, "'%s'", path);
	} else if (!S_ISREG(st.st_mode)) {
		rc = fail(e, EINVAL, "'%s' is no regular file", path);
	} else if ((uint64_t)st.st_size > max) {
		rc = fail(e, EFBIG, "'%s' has %lld bytes, at most %zu are "
			  "possible", path, (long long)st.st_size, max);
	} else {
		*data = malloc((size_t)st.st_size + 1);
		if (!*data)
			rc = fail(e, ENOMEM, "out of memory");
	}
	while (!rc && at < (size_t)st.st_size && n > 0) {
		n = read(fd, *data + at, (size_t)st.st_size - at);
		if (n > 0)
			at += (size_t)n;
		else if (n < 0)
			rc = fail_rc(e, -errno, "'%s'", path);
	}
	if (fd >= 0)
		close(fd);
	if (rc) {
		free(*data);
		*data = NULL;
		return rc;
	}
	(*data)[at] = 0;
	*len = at;
	*mode = st.st_mode & 0777;
	return 0;
}

/* A line of authorized_keys may begin with options; a quoted one may have spaces. */
static bool is_key_line(const char *line, size_t len)
{
	char type[SSHKEY_WORD_LEN], print[SSHKEY_PRINT_LEN];
	char *copy = strndup(line, len);
	bool quoted = false, found = false;

	for (char *p = copy; p && *p && !found; p++) {
		quoted ^= *p == '"';
		if (p == copy || ((p[-1] == ' ' || p[-1] == '\t') && !quoted))
			found = !sshkey_fingerprint(p, type, print);
	}
	free(copy);
	return found;
}

int reset_load_keys(struct reset_wishes *w, const char *path, struct err *e)
{
	char *text, *joined;
	size_t len, number = 1, keys = 0;
	mode_t mode;
	int rc = load(path, MAX_KEYS, &text, &len, &mode, e);

	if (rc)
		return fail_prefix(e, rc, "--ssh-key");
	if (strstr(text, "PRIVATE KEY-----")) {
		free(text);
		return fail(e, EINVAL, "--ssh-key: '%s' is a private key; name "
			    "the public one, '%s.pub'", path, path);
	}
	for (const char *p = text; *p; number++) {
		size_t line = strcspn(p, "\r\n");

		if (line && *p != '#' && !is_key_line(p, line))
			rc = fail(e, EINVAL, "--ssh-key: line %zu of '%s' is no "
				  "public key", number, path);
		keys += line && *p != '#';
		p += line;
		p += *p == '\r';
		p += *p == '\n';
	}
	if (!rc && (!keys || strlen(text) != len))
		rc = fail(e, EINVAL, "--ssh-key: '%s' has no public key", path);
	joined = rc ? NULL
		 : str_printf("%s%s%s", w->authorized_keys ?
			      w->authorized_keys : "", text,
			      text[len - 1] == '\n' ? "" : "\n");
	free(text);
	if (rc || !joined)
		return rc ? rc : fail(e, ENOMEM, "out of memory");
	free(w->authorized_keys);
	w->authorized_keys = joined;
	return 0;
}

static int add_file(struct reset_wishes *w, char *path, void *data, size_t len,
		    mode_t mode, struct err *e)
{
	uint64_t total = len;

	if (!path || array_grow(&w->files, &w->cap_files, w->n_files + 1,
				sizeof(*w->files))) {
		free(path);
		free(data);
		return fail(e, ENOMEM, "out of memory");
	}
	w->files[w->n_files++] = (struct reset_file){ path, data, len, mode };
	for (size_t i = 0; i + 1 < w->n_files; i++)
		total += w->files[i].len;
	if (total > MAX_FILE || w->n_files > MAX_FILES)
		return fail(e, EFBIG, "--copy-in: more than %u MiB or %u files",
			    MAX_FILE >> 20, MAX_FILES);
	return 0;
}

static int add(struct reset_wishes *w, const char *local, const char *guest,
	       unsigned depth, struct err *e);

static int add_folder(struct reset_wishes *w, const char *local,
		      const char *guest, mode_t mode, unsigned depth,
		      struct err *e)
{
	DIR *d = opendir(local);
	struct dirent *entry;
	int rc = d ? add_file(w, strdup(guest), NULL, 0, mode, e)
		 : fail_rc(e, -errno, "--copy-in: '%s'", local);

	while (!rc && (entry = readdir(d))) {
		char *from, *to;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		from = str_printf("%s/%s", local, entry->d_name);
		to = str_printf("%s/%s", guest, entry->d_name);
		rc = from && to ? add(w, from, to, depth + 1, e)
		     : fail(e, ENOMEM, "out of memory");
		free(from);
		free(to);
	}
	if (d)
		closedir(d);
	return rc;
}

static int add(struct reset_wishes *w, const char *local, const char *guest,
	       unsigned depth, struct err *e)
{
	struct stat st;
	char *data;
	size_t len;
	mode_t mode;
	int rc;

	if (depth > MAX_DEPTH)
		return fail(e, ELOOP, "--copy-in: '%s' is more than %u folders "
			    "deep", local, MAX_DEPTH);
	/* What the user names may be a link, what is in a folder not. */
	if (depth ? lstat(local, &st) : stat(local, &st))
		return fail_rc(e, -errno, "--copy-in: '%s'", local);
	if (S_ISDIR(st.st_mode))
		return add_folder(w, local, guest, st.st_mode & 0777, depth, e);
	if (!S_ISREG(st.st_mode))
		return fail(e, ENOTSUP, "--copy-in: '%s' is neither a file nor "
			    "a folder", local);
	rc = load(local, MAX_FILE, &data, &len, &mode, e);
	return rc ? fail_prefix(e, rc, "--copy-in")
	       : add_file(w, strdup(guest), data, len, mode, e);
}

int reset_load_files(struct reset_wishes *w, const char *spec, struct err *e)
{
	const char *colon = strrchr(spec, ':'), *guest = colon ? colon + 1 : "";
	const char *base;
	char *local, *path;
	size_t len = strlen(guest);
	int rc;

	if (!colon || colon == spec || *guest != '/')
		return fail(e, EINVAL, "--copy-in is '%s', must be a local name, "
			    "a colon and an absolute path in the guest", spec);
	local = strndup(spec, (size_t)(colon - spec));
	base = local ? strrchr(local, '/') : NULL;
	base = base ? base + 1 : local;
	path = !local ? NULL : guest[len - 1] == '/'
	       ? str_printf("%s%s", guest, base) : strdup(guest);
	if (!path)
		rc = fail(e, ENOMEM, "out of memory");
	else if (guest[len - 1] == '/' && !*base)
		rc = fail(e, EINVAL, "--copy-in is '%s': where both end with a "
			  "slash, the new file has no name", spec);
	else
		rc = add(w, local, path, 0, e);
	free(local);
	free(path);
	return rc;
}

void reset_wishes_fini(struct reset_wishes *w)
{
	for (size_t i = 0; i < w->n_files; i++) {
		free(w->files[i].path);
		free(w->files[i].data);
	}
	free(w->files);
	free(w->authorized_keys);
	memset(w, 0, sizeof(*w));
}

int reset_copy_in(struct reset *r, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < r->wishes->n_files && !rc; i++) {
		const struct reset_file *f = &r->wishes->files[i];
		struct edit_new n = {
			.code = "copy-in", .why = "Given with --copy-in.",
			.mode = f->mode,
		};

		if (f->data)
			rc = edits_write(r->edits, f->path, f->data, f->len, &n,
					 e);
		else if (!edits_exists(r->edits, f->path))
			rc = edits_mkdir(r->edits, f->path, &n, e);
		if (rc)
			fail_prefix(e, rc, "--copy-in '%s'", f->path);
	}
	return rc;
}

struct user {
	char *home;
	uint32_t uid, gid;
};

/* name:password:uid:gid:comment:home:shell */
static bool parse_user(char *line, const char *name, struct user *u)
{
	char *field[7] = { NULL }, *end;
	unsigned n = 0;

	while (n < 7 && (field[n] = strsep(&line, ":")))
		n++;
	if (n < 6 || strcmp(field[0], name) || *field[5] != '/')
		return false;
	u->uid = (uint32_t)strtoul(field[2], &end, 10);
	if (!*field[2] || *end)
		return false;
	u->gid = (uint32_t)strtoul(field[3], &end, 10);
	u->home = field[5];
	return *field[3] && !*end;
}

static int write_keys(struct reset *r, const struct user *u, struct err *e)
{
	struct edit_new n = {
		.code = "ssh-key", .why = "Keys that may log in.",
		.mode = 0700, .uid = u->uid, .gid = u->gid,
	};
	char *folder = str_printf("%s/.ssh", u->home), *old = NULL, *new = NULL;
	char *path = str_printf("%s/.ssh/authorized_keys", u->home);
	size_t len = 0;
	int rc = folder && path ? 0 : fail(e, ENOMEM, "out of memory");

	if (!rc && !edits_exists(r->edits, folder))
		rc = edits_mkdir(r->edits, folder, &n, e);
	if (!rc)
		rc = reset_text(r, path, &old, &len, e);
	n.mode = 0600;
	if (!rc && !(old && strstr(old, r->wishes->authorized_keys))) {
		new = str_printf("%s%s%s", old ? old : "",
				 len && old[len - 1] != '\n' ? "\n" : "",
				 r->wishes->authorized_keys);
		rc = new ? edits_write(r->edits, path, new, strlen(new), &n, e)
		     : fail(e, ENOMEM, "out of memory");
	}
	free(folder);
	free(path);
	free(old);
	free(new);
	return rc;
}

int reset_authorized_keys(struct reset *r, struct err *e)
{
	const char *name = r->wishes->user ? r->wishes->user : "root";
	char *text, *rest, *line;
	struct user u = { 0 };
	size_t len;
	int rc = edits_read(r->edits, "/etc/passwd", RESET_MAX_TEXT, &text,
			    &len, e);

	if (rc)
		return fail_prefix(e, rc, "--ssh-key");
	for (rest = text; !u.home && (line = strsep(&rest, "\n"));)
		if (!parse_user(line, name, &u))
			u.home = NULL;
	rc = u.home ? write_keys(r, &u, e)
	     : fail(e, ENOENT, "--user: the guest's /etc/passwd has no '%s' "
		    "with a home folder", name);
	free(text);
	return rc;
}
