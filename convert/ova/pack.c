/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pack.c - make a package (.ova): what goes in, and where. */
#include "convert/ova/pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "convert/ova/pack_state.h"
#include "convert/ova/tarhead.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/ovf_refs.h"

#define MAX_DESCRIPTOR (16u << 20)	/* bytes; real ones have some 10 KB */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool has_ext(const char *name, const char *ext)
{
	size_t len = strlen(name), n = strlen(ext);

	return len > n && !strcasecmp(name + len - n, ext);
}

static int check_name(const char *name, struct err *e)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return fail(e, EINVAL, "'%s' is not the name of a file", name);
	if (strlen(name) > TARHEAD_MAX_NAME)
		return fail(e, ENAMETOOLONG, "the name '%s' has %zu bytes; a "
			    "package has room for %u", name, strlen(name),
			    TARHEAD_MAX_NAME);
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return fail(e, EINVAL, "the name '%s' has control "
				    "characters", name);
	return 0;
}

static int open_file(struct ova_pack *p, const char *path, struct err *e)
{
	struct pack_file *f = &p->files[p->n];
	struct stat st;
	int rc;

	*f = (struct pack_file){ .name = base_name(path) };
	rc = check_name(f->name, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->files[i].name, f->name))
			return fail(e, EINVAL, "there are two files named '%s'",
				    f->name);
	rc = img_file_open(path, p->args->flags, &f->img, e);
	if (rc)
		return rc;
	p->images[p->n++] = f->img;
	f->len = img_size(f->img);
	f->mtime = stat(path, &st) ? 0 : (int64_t)st.st_mtime;
	return 0;
}

static int open_files(struct ova_pack *p, struct err *e)
{
	const struct ova_pack_args *args = p->args;
	int rc;

	if (!has_ext(args->descriptor, ".ovf"))
		return fail(e, EINVAL, "the descriptor '%s' must be a .ovf "
			    "file", args->descriptor);
	rc = open_file(p, args->descriptor, e);
	for (size_t i = 0; i < args->n_files && !rc; i++) {
		const char *path = args->files[i];

		if (has_ext(path, ".ovf") || has_ext(path, ".mf") ||
		    has_ext(path, ".cert"))
			rc = fail(e, EINVAL, "'%s': there is one descriptor, "
				  "and the manifest is made from the files",
				  path);
		else
			rc = open_file(p, path, e);
	}
	return rc;
}

static void warn(const struct ova_pack *p, const char *line)
{
	if (p->args->warn)
		p->args->warn(p->args->arg, line);
}

/* Is `name` the file `href`, or a piece of it? */
static bool belongs(const char *name, const char *href)
{
	size_t len = strlen(href);

	if (strncmp(name, href, len))
		return false;
	return !name[len] || (name[len] == '.' && strlen(name + len) == 10 &&
			      strspn(name + len + 1, "0123456789") == 9);
}

/* The files of one reference come next. */
static int place(struct ova_pack *p, const struct ova_ref *ref,
		 struct pack_file *ordered, size_t *n, struct err *e)
{
	size_t before = *n;
	char line[400];

	for (size_t i = 1; i < p->n; i++) {
		struct pack_file *f = &p->files[i];

		if (f->placed || !belongs(f->name, ref->href))
			continue;
		f->placed = true;
		ordered[(*n)++] = *f;
		if (ref->size != UINT64_MAX && ref->size != f->len &&
		    !strcmp(f->name, ref->href)) {
			snprintf(line, sizeof(line), "the descriptor says that "
				 "%s has %llu bytes, and it has %llu", f->name,
				 (unsigned long long)ref->size,
				 (unsigned long long)f->len);
			warn(p, line);
		}
	}
	for (size_t i = 1; *n == before && i < p->n; i++)
		if (belongs(p->files[i].name, ref->href))
			return 0;	/* two references to one file */
	if (*n == before)
		return fail(e, ENOENT, "the descriptor refers to '%.200s', "
			    "which is not among the files", ref->href);
	return 0;
}

static int put_in_order(struct ova_pack *p, const struct ova_refs *refs,
			struct err *e)
{
	struct pack_file *ordered = array_alloc(p->n, sizeof(*ordered));
	char line[300];
	size_t n = 1;
	int rc = 0;

	if (!ordered)
		return fail(e, ENOMEM, "out of memory");
	ordered[0] = p->files[0];
	for (size_t i = 0; i < refs->n && !rc; i++)
		rc = place(p, &refs->refs[i], ordered, &n, e);
	for (size_t i = 1; i < p->n && !rc; i++) {
		if (p->files[i].placed)
			continue;
		ordered[n++] = p->files[i];
		snprintf(line, sizeof(line), "the descriptor does not refer to "
			 "%s", p->files[i].name);
		warn(p, line);
	}
	if (rc) {
		free(ordered);
		return rc;
	}
	free(p->files);
	p->files = ordered;
	return 0;
}

static int read_descriptor(struct ova_pack *p, struct err *e)
{
	struct pack_file *f = &p->files[0];
	struct ova_refs refs = { 0 };
	char *text;
	int rc;

	if (f->len > MAX_DESCRIPTOR)
		return fail(e, EFBIG, "the descriptor has %llu bytes, more "
			    "than the %u that are allowed",
			    (unsigned long long)f->len, MAX_DESCRIPTOR);
	text = calloc(1, (size_t)f->len + 1);
	if (!text)
		return fail(e, ENOMEM, "out of memory");
	rc = img_read(f->img, text, (size_t)f->len, 0);
	if (rc)
		fail_rc(e, rc, "Could not read '%s'", p->args->descriptor);
	else
		rc = ova_refs_parse(text, (size_t)f->len, f->name, &refs, e);
	if (!rc)
		rc = put_in_order(p, &refs, e);
	ova_refs_free(&refs);
	free(text);
	return rc;
}

/* Header and padded content of `len` bytes at p->size; where that begins. */
static uint64_t reserve(struct ova_pack *p, uint64_t len)
{
	uint64_t offset = p->size + TARHEAD_LEN;

	/* Files are shorter than 2^63; a few of them could wrap. */
	if (!add_ok(offset, round_up(len, TARHEAD_LEN), &p->size) ||
	    p->size > INT64_MAX)
		p->size = UINT64_MAX / 2;
	return offset;
}

static int lay_out(struct ova_pack *p, struct err *e)
{
	size_t hex = 2 * (size_t)EVP_MD_get_size(p->md);

	for (size_t i = 0; i < p->n; i++) {
		p->mf_len += strlen(p->digest_name) + strlen("()= \n") +
			     strlen(p->files[i].name) + hex;
		p->total += p->files[i].len;
	}
	for (size_t i = 0; i < p->n; i++) {
		p->files[i].offset = reserve(p, p->files[i].len);
		if (!i)
			p->mf_offset = reserve(p, p->mf_len);
	}
	p->size += PACK_END_BLOCKS * TARHEAD_LEN;
	if (p->size > INT64_MAX)
		return fail(e, EFBIG, "the files are larger than 2^63 bytes "
			    "together");
	return 0;
}

static int take_digest(struct ova_pack *p, struct err *e)
{
	static const char *const names[][2] = {
		{ "sha1", "SHA1" }, { "sha256", "SHA256" },
		{ "sha512", "SHA512" },
	};
	const char *want = p->args->digest ? p->args->digest : "sha256";

	for (size_t i = 0; i < 3; i++)
		if (!strcmp(want, names[i][0]))
			strcpy(p->digest_name, names[i][1]);
	if (!p->digest_name[0])
		return fail(e, EINVAL, "unknown digest '%s': must be sha1, "
			    "sha256 or sha512", want);
	p->md = EVP_MD_fetch(NULL, p->digest_name, NULL);
	return p->md ? 0 : fail(e, ENOTSUP, "this system's OpenSSL has no %s",
				p->digest_name);
}

int ova_pack_plan(const struct ova_pack_args *args, struct ova_pack **out,
		  struct err *e)
{
	struct ova_pack *p = calloc(1, sizeof(*p));
	const char *base = base_name(args->descriptor);
	int rc;

	if (!p)
		return fail(e, ENOMEM, "out of memory");
	p->args = args;
	p->files = array_alloc(args->n_files + 1, sizeof(*p->files));
	p->images = array_alloc(args->n_files + 1, sizeof(*p->images));
	p->buf = buf_alloc(PACK_CHUNK);
	p->mf_name = str_printf("%.*smf", (int)(strlen(base) -
				min_u64(3, strlen(base))), base);
	if (!p->files || !p->images || !p->buf || !p->mf_name)
		rc = fail(e, ENOMEM, "out of memory");
	else
		rc = take_digest(p, e);
	if (!rc)
		rc = open_files(p, e);
	if (!rc)
		rc = read_descriptor(p, e);
	if (!rc)
		rc = lay_out(p, e);
	if (rc) {
		ova_pack_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void ova_pack_free(struct ova_pack *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->n; i++)
		img_close(p->images[i], NULL);
	EVP_MD_free(p->md);
	free(p->files);
	free(p->images);
	free(p->mf_name);
	free(p->buf);
	free(p);
}

uint64_t ova_pack_size(const struct ova_pack *p)
{
	return p->size;
}

struct img *const *ova_pack_sources(const struct ova_pack *p, size_t *n)
{
	*n = p->n;
	return p->images;
}
