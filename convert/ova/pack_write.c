/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pack_write.c - make a package (.ova): write what was planned. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/ova/pack_state.h"
#include "convert/ova/tarhead.h"

/* While a package is written. */
struct writer {
	struct ova_pack *p;
	struct img *out;
	struct err *e;
};

static int go_on(struct ova_pack *p, uint64_t n)
{
	p->done += n;
	if (p->args->progress)
		p->args->progress(p->args->arg, p->done, p->total);
	return p->args->cancel && atomic_load(p->args->cancel) ? -ECANCELED : 0;
}

static int put(struct writer *w, const void *data, size_t len, uint64_t offset)
{
	int rc = img_write(w->out, data, len, offset);

	return rc ? fail_rc(w->e, rc, "%s: error while writing byte %llu",
			    img_name(w->out), (unsigned long long)offset) : 0;
}

static int put_zeroes(struct writer *w, size_t len, uint64_t offset)
{
	static const uint8_t zeroes[PACK_END_BLOCKS * TARHEAD_LEN];

	return len ? put(w, zeroes, len, offset) : 0;
}

/* The header of the content at `offset`. */
static int put_head(struct writer *w, const char *name, uint64_t offset,
		    uint64_t len, int64_t mtime)
{
	uint8_t head[TARHEAD_LEN];

	tarhead_make(head, name, len, mtime);
	return put(w, head, sizeof(head), offset - sizeof(head));
}

static int put_padding(struct writer *w, uint64_t offset, uint64_t len)
{
	size_t tail = len % TARHEAD_LEN;

	return put_zeroes(w, tail ? TARHEAD_LEN - tail : 0, offset + len);
}

/* A file through the digest, and into the package if `copy`. */
static int pass(struct writer *w, const struct pack_file *f, bool copy,
		EVP_MD_CTX *ctx)
{
	struct ova_pack *p = w->p;
	uint64_t at = 0;
	int rc = 0;

	while (at < f->len && !rc) {
		size_t n = (size_t)min_u64(PACK_CHUNK, f->len - at);

		rc = img_read(f->img, p->buf, n, at);
		if (rc)
			return fail_rc(w->e, rc, "'%s': error while reading "
				       "byte %llu", img_name(f->img),
				       (unsigned long long)at);
		if (!EVP_DigestUpdate(ctx, p->buf, n))
			return fail(w->e, ENOMEM, "out of memory");
		if (copy)
			rc = put(w, p->buf, n, f->offset + at);
		at += n;
		if (!rc && (rc = go_on(p, n)))
			fail_rc(w->e, rc, "'%s'", img_name(f->img));
	}
	return rc;
}

static int digest_file(struct writer *w, const struct pack_file *f, bool copy,
		       uint8_t digest[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct stat st;
	int rc;

	if (ctx && EVP_DigestInit_ex(ctx, w->p->md, NULL))
		rc = pass(w, f, copy, ctx);
	else
		rc = fail(w->e, ENOMEM, "out of memory");
	if (!rc && !EVP_DigestFinal_ex(ctx, digest, NULL))
		rc = fail(w->e, ENOMEM, "out of memory");
	EVP_MD_CTX_free(ctx);
	if (!rc && !stat(img_name(f->img), &st) && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size != f->len)
		rc = fail(w->e, EUCLEAN, "'%s' had %llu bytes and has %llu "
			  "now: it is being written", img_name(f->img),
			  (unsigned long long)f->len,
			  (unsigned long long)st.st_size);
	return rc;
}

/* `known`: the digest is there already, and must be the same again. */
static int put_file(struct writer *w, struct pack_file *f, bool known)
{
	size_t len = (size_t)EVP_MD_get_size(w->p->md);
	uint8_t digest[EVP_MAX_MD_SIZE] = { 0 };
	int rc;

	rc = put_head(w, f->name, f->offset, f->len, f->mtime);
	if (!rc)
		rc = digest_file(w, f, true, digest);
	if (!rc && known && memcmp(digest, f->digest, len))
		rc = fail(w->e, EUCLEAN, "'%s' changed while it was read",
			  img_name(f->img));
	if (!rc)
		rc = put_padding(w, f->offset, f->len);
	memcpy(f->digest, digest, len);
	return rc;
}

static int put_manifest(struct writer *w)
{
	const struct ova_pack *p = w->p;
	size_t len = (size_t)EVP_MD_get_size(p->md);
	size_t room = (size_t)p->mf_len + 1, at = 0;
	char *text = malloc(room);
	int rc;

	if (!text)
		return fail(w->e, ENOMEM, "out of memory");
	for (size_t i = 0; i < p->n; i++) {
		at += (size_t)snprintf(text + at, room - at, "%s(%s)= ",
				       p->digest_name, p->files[i].name);
		for (size_t k = 0; k < len; k++)
			at += (size_t)snprintf(text + at, room - at, "%02x",
					       p->files[i].digest[k]);
		text[at++] = '\n';
	}
	rc = put_head(w, p->mf_name, p->mf_offset, p->mf_len,
		      p->files[0].mtime);
	if (!rc)
		rc = put(w, text, at, p->mf_offset);
	if (!rc)
		rc = put_padding(w, p->mf_offset, p->mf_len);
	free(text);
	return rc;
}

int ova_pack_write(struct ova_pack *p, struct img *out, bool stream,
		   struct err *e)
{
	struct writer w = { .p = p, .out = out, .e = e };
	int rc = 0;

	if (stream)
		p->total *= 2;		/* both passes */
	for (size_t i = 0; stream && i < p->n && !rc; i++)
		rc = digest_file(&w, &p->files[i], false, p->files[i].digest);
	for (size_t i = 0; i < p->n && !rc; i++) {
		rc = put_file(&w, &p->files[i], stream);
		if (!rc && stream && !i)
			rc = put_manifest(&w);
	}
	if (!rc && !stream)
		rc = put_manifest(&w);
	if (!rc)
		rc = put_zeroes(&w, PACK_END_BLOCKS * TARHEAD_LEN,
				p->size - PACK_END_BLOCKS * TARHEAD_LEN);
	return rc;
}
