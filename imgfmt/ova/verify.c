/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify.c - is in a package what its manifest says? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ova.h"

#define LINE_LEN (2 * TAR_MAX_NAME + 200)	/* of a finding or note */

int ova_read_manifest(struct ova *s, struct err *e)
{
	char *text;
	int rc;

	if (!s->mf)
		return 0;
	if (s->mf->len > MANIFEST_MAX_LEN)
		return fail(e, EUCLEAN, "%s: the manifest %s has %llu bytes, "
			    "more than the %u that are allowed", s->img->name,
			    s->mf->name, (unsigned long long)s->mf->len,
			    MANIFEST_MAX_LEN);
	text = malloc((size_t)s->mf->len + 1);
	if (!text)
		return fail(e, ENOMEM, "out of memory");
	rc = img_read(ova_file(s, s->mf), text, (size_t)s->mf->len,
		      s->mf->offset);
	if (rc)
		fail_rc(e, rc, "Could not read %s", s->img->name);
	else
		rc = manifest_parse(text, (size_t)s->mf->len, s->mf->name,
				    &s->manifest, e);
	free(text);
	if (rc)
		return fail_prefix(e, rc, "%s", s->img->name);
	s->has_manifest = true;
	return 0;
}

/* Bytes of the manifest's folder in its name: names in it count from there. */
static size_t folder(const struct ova *s)
{
	const char *slash = strrchr(s->mf->name, '/');

	return slash ? (size_t)(slash - s->mf->name) + 1 : 0;
}

const struct manifest_line *ova_line(const struct ova *s,
				     const struct tar_member *m)
{
	size_t len;

	if (!s->has_manifest)
		return NULL;
	len = folder(s);
	if (strncmp(m->name, s->mf->name, len))
		return NULL;
	return manifest_find(&s->manifest, m->name + len);
}

/* While digests are computed. */
struct work {
	struct ova *s;
	struct img_verify *v;
	uint64_t done, total;		/* bytes */
};

static int step(void *arg, size_t n)
{
	struct work *w = arg;

	w->done += n;
	if (w->v->go_on && !w->v->go_on(w->v->arg, w->done, w->total))
		return -ECANCELED;
	return 0;
}

static void hex(const uint8_t *digest, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* -EUCLEAN and a sentence: it is not what the line says. */
static int verify_member(struct work *w, const struct tar_member *m,
			 const struct manifest_line *l, struct err *e)
{
	char is[2 * DIGEST_MAX_LEN + 1], wanted[2 * DIGEST_MAX_LEN + 1];
	uint8_t digest[DIGEST_MAX_LEN];
	int rc;

	rc = digest_range(l->type, ova_file(w->s, m), m->offset, m->len, step,
			  w, digest, e);
	if (rc || !memcmp(digest, l->digest, l->type->len))
		return rc;
	hex(digest, l->type->len, is);
	hex(l->digest, l->type->len, wanted);
	return fail(e, EUCLEAN, "%s does not match the manifest: its %s digest "
		    "is %s, and %s says %s", m->name, l->type->name, is,
		    w->s->mf->name, wanted);
}

static void note(const struct img_verify *v, const char *format,
		 const char *name)
{
	char line[LINE_LEN];

	if (!v->report)
		return;
	snprintf(line, sizeof(line), format, name);
	v->report(v->arg, line);
}

/* One that is used; NULL is none. */
static int verify_used(struct work *w, const struct tar_member *m,
		       struct err *e)
{
	const struct manifest_line *l = m ? ova_line(w->s, m) : NULL;
	struct err why = { "" };
	int rc;

	if (!m)
		return 0;
	if (!l) {
		note(w->v, "the manifest does not list %s", m->name);
		return 0;
	}
	rc = verify_member(w, m, l, e ? e : &why);
	if (rc == -EUCLEAN && w->v->only_report) {
		note(w->v, "%s", e ? e->text : why.text);
		rc = 0;
	} else if (rc == -EUCLEAN) {
		atomic_store(&w->s->damaged, true);
		fail_prefix(e, rc, "%s", w->s->img->name);
	}
	return rc;
}

int ova_verify(struct img *img, struct img_verify *v, struct err *e)
{
	struct ova *s = img->state;
	struct work w = { .s = s, .v = v };
	const struct ova_disk *d = s->chosen;
	int rc;

	v->has_digests = s->has_manifest;
	if (!s->has_manifest) {
		note(v, "%s has no manifest: what it holds cannot be verified",
		     img->name);
		return 0;
	}
	w.total = s->ovf ? s->ovf->len : 0;
	for (size_t i = 0; d && i < d->n; i++)
		w.total += d->pieces[i]->len;
	rc = verify_used(&w, s->ovf, e);
	for (size_t i = 0; d && i < d->n && !rc; i++)
		rc = verify_used(&w, d->pieces[i], e);
	return rc;
}

static void found(struct img_check *check, uint64_t *count, const char *text,
		  const char *name)
{
	char line[LINE_LEN];

	snprintf(line, sizeof(line), "%s%s%s", name ? name : "",
		 name ? " " : "", text);
	if (check->report)
		check->report(check->arg, line);
	++*count;
}

static void check_member(struct work *w, const struct tar_member *m,
			 struct img_check *check)
{
	const struct manifest_line *l = ova_line(w->s, m);
	uint64_t notes = 0;
	struct err why = { "" };
	int rc;

	if (m == w->s->mf || m == w->s->cert)
		return;
	if (!l) {
		found(check, m == w->s->ovf ? &check->corruptions : &notes,
		      "is not listed in the manifest", m->name);
		return;
	}
	rc = verify_member(w, m, l, &why);
	if (rc)
		found(check, rc == -EUCLEAN ? &check->corruptions :
		      &check->check_errors, why.text, NULL);
}

/* Files that the manifest lists and the archive does not hold. */
static void check_lines(const struct ova *s, struct img_check *check)
{
	char name[2 * TAR_MAX_NAME];

	for (size_t i = 0; i < s->manifest.n; i++) {
		snprintf(name, sizeof(name), "%.*s%.*s", (int)folder(s),
			 s->mf->name, TAR_MAX_NAME, s->manifest.lines[i].name);
		if (!tar_find(&s->tar, name))
			found(check, &check->corruptions, "is listed in the "
			      "manifest, and not in the package", name);
	}
}

int ova_check(struct img *img, struct img_check *check, struct err *e)
{
	struct ova *s = img->state;
	struct img_verify v = { 0 };
	struct work w = { .s = s, .v = &v };
	uint64_t notes = 0;
	int rc = 0;

	if (check->fix_leaks || check->fix_errors)
		return fail(e, ENOTSUP, "a package cannot be repaired");
	if (!s->ovf)
		found(check, &check->corruptions,
		      "there is no descriptor (.ovf) in the package", NULL);
	if (s->missing)
		found(check, &check->corruptions, s->missing, NULL);
	if (!s->disk)
		found(check, &notes, s->why.text, NULL);
	if (!s->has_manifest)
		found(check, &notes, "there is no manifest (.mf): nothing to "
		      "verify the members with", NULL);
	for (size_t i = 0; s->has_manifest && i < s->tar.n; i++)
		check_member(&w, &s->tar.members[i], check);
	if (s->has_manifest)
		check_lines(s, check);
	/* The disk's own structures as well, where its format can. */
	if (s->disk && s->disk->drv->check)
		rc = img_check(s->disk, check, e);
	return rc;
}
