/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folder.c - a package whose parts are files in a folder: the descriptor's own
 * and those that it names (DSP0243, 5.2 and 7.1), which the resolver opens.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/ovf_refs.h"
#include "ova.h"

/* More files than any machine has; each stays open. */
#define MAX_FILES 512u

static struct img *bottom(struct img *raw)
{
	/* The raw layer rounds lengths. */
	return raw->below ? raw->below : raw;
}

struct img *ova_file(const struct ova *s, const struct tar_member *m)
{
	struct img *raw = s->files ? s->files[m - s->tar.members] : NULL;

	return raw ? bottom(raw) : s->img->below;
}

void ova_free_folder(struct ova *s)
{
	for (size_t i = 0; s->files && i < s->tar.n; i++)
		img_close(s->files[i], NULL);
	free(s->files);
	free(s->missing);
}

/* `file` (NULL: the descriptor) becomes a member, which owns it on success. */
static int add(struct ova *s, const char *name, struct img *file,
	       struct err *e)
{
	struct tar *t = &s->tar;
	char *copy;

	if (t->n == MAX_FILES)
		return fail(e, EUCLEAN, "%s names more than %u files",
			    s->img->name, MAX_FILES);
	if (strlen(name) > TAR_MAX_NAME)
		return fail(e, EUCLEAN, "%s names a file with a name of %zu "
			    "bytes, more than %u", s->img->name, strlen(name),
			    TAR_MAX_NAME);
	copy = strdup(name);
	if (!copy || array_grow(&t->members, &t->cap, t->n + 1,
				sizeof(*t->members)) ||
	    array_grow(&s->files, &s->files_cap, t->n + 1,
		       sizeof(*s->files))) {
		free(copy);
		return fail(e, ENOMEM, "out of memory");
	}
	s->files[t->n] = file;
	t->members[t->n++] = (struct tar_member){
		.name = copy,
		.len = img_length(file ? bottom(file) : s->img->below),
	};
	return 0;
}

/* Open one and add it; -ENOENT where there is none. */
static int add_file(struct ova *s, const struct img_open_args *args,
		    const char *name, struct err *e)
{
	const struct img_resolver *r = args->resolver;
	unsigned flags = args->flags & (IMG_DIRECT | IMG_NO_LOCK | IMG_SHARE);
	struct img *file;
	int rc;

	if (!r)
		return fail(e, EPERM, "%s names the file '%s', and no other "
			    "file may be opened here", s->img->name, name);
	/* Its sentence names the file, and a refusal who named it. */
	rc = r->open(r->arg, s->img->name, name, "raw", flags, r, &file, e);
	if (rc)
		return rc;
	rc = add(s, name, file, e);
	if (rc)
		img_close(file, NULL);
	return rc;
}

/* "machine.ovf" -> "machine.mf", if there is one. */
static int add_beside(struct ova *s, const struct img_open_args *args,
		      const char *base, const char *ext, struct err *e)
{
	size_t len = strlen(base);
	char *name;
	int rc;

	if (!ova_has_ext(base, "ovf"))
		return 0;
	name = str_printf("%.*s.%s", (int)len - 4, base, ext);
	if (!name)
		return fail(e, ENOMEM, "out of memory");
	rc = add_file(s, args, name, e);
	free(name);
	return rc == -ENOENT ? 0 : rc;
}

static bool has_member(const struct ova *s, const char *name)
{
	for (size_t i = 0; i < s->tar.n; i++)
		if (!strcmp(s->tar.members[i].name, name))
			return true;
	return false;
}

/* As it is, or else in pieces. */
static int add_ref(struct ova *s, const struct img_open_args *args,
		   const char *href, struct err *e)
{
	const char *name = strncmp(href, "./", 2) ? href : href + 2;
	struct err ignored;
	int rc;

	if (has_member(s, name))
		return 0;
	rc = add_file(s, args, name, e);
	for (unsigned n = 0; rc == -ENOENT || (n && !rc); n++) {
		char *piece = str_printf("%s.%09u", name, n);
		int one;

		if (!piece)
			return fail(e, ENOMEM, "out of memory");
		one = add_file(s, args, piece, &ignored);
		free(piece);
		if (one == -ENOENT)
			break;
		rc = one ? fail(e, -one, "%s", ignored.text) : 0;
	}
	return rc;
}

static int add_refs(struct ova *s, const struct img_open_args *args,
		    const struct ova_refs *refs, struct err *e)
{
	struct err why = { "" };
	int rc = 0;

	for (size_t i = 0; i < refs->n && !rc; i++) {
		rc = add_ref(s, args, refs->refs[i].href, &why);
		if (rc == -ENOMEM || rc == -EUCLEAN)
			return fail(e, -rc, "%s", why.text);
		/* What can be said without it is said; and a disk that was
		 * asked for by name may be had.
		 */
		if (rc && !(args->flags & IMG_NO_DATA) && !args->member)
			return fail(e, -rc, "%s (--disk chooses one that is "
				    "there)", why.text);
		if (rc && !s->missing)
			s->missing = strdup(why.text);
		if (rc && !s->missing)
			return fail(e, ENOMEM, "out of memory");
		rc = 0;
	}
	return rc;
}

static int read_descriptor(struct ova *s, struct ova_refs *refs, struct err *e)
{
	uint64_t len = img_length(s->img->below);
	char *text;
	int rc;

	if (len > OVF_MAX_LEN)
		return fail(e, EUCLEAN, "%s has %llu bytes; a descriptor has "
			    "no more than %u", s->img->name,
			    (unsigned long long)len, OVF_MAX_LEN);
	text = malloc((size_t)len + 1);
	if (!text)
		return fail(e, ENOMEM, "out of memory");
	rc = img_read(s->img->below, text, (size_t)len, 0);
	text[len] = 0;
	if (rc)
		fail_rc(e, rc, "Could not read %s", s->img->name);
	else
		rc = ova_refs_parse(text, (size_t)len, s->img->name, refs, e);
	free(text);
	return rc;
}

int ova_read_folder(struct ova *s, const struct img_open_args *args,
		    struct err *e)
{
	const char *slash = strrchr(s->img->name, '/');
	const char *base = slash ? slash + 1 : s->img->name;
	struct ova_refs refs;
	int rc = read_descriptor(s, &refs, e);

	if (rc)
		return rc;
	rc = add(s, *base ? base : "descriptor", NULL, e);
	if (!rc)
		rc = add_beside(s, args, base, "mf", e);
	if (!rc)
		rc = add_beside(s, args, base, "cert", e);
	if (!rc)
		rc = add_refs(s, args, &refs, e);
	if (!rc)
		rc = tar_sort(&s->tar, s->img->name, e);
	ova_refs_free(&refs);
	return rc;
}
