/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.c - what of a disk is free, and how to know the disk again. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "convert/capture/capture.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

/* More holes than these, and the smallest ones are copied instead. */
#define MAX_HOLES	(1u << 22)
/* Of each volume, and of the disk: superblocks and journals' starts. */
#define HEAD		(64u << 10)

struct list {
	struct img_range *v;
	size_t n, cap;
	uint64_t least;			/* bytes: smaller ones are left out */
};

static void thin_out(struct list *l)
{
	size_t k;

	while (l->n == MAX_HOLES) {
		l->least = l->least ? 2 * l->least : 8192;
		k = 0;
		for (size_t i = 0; i < l->n; i++)
			if (l->v[i].len >= l->least)
				l->v[k++] = l->v[i];
		l->n = k;
	}
}

static int add_hole(struct list *l, uint64_t offset, uint64_t len)
{
	struct img_range *last = l->n ? &l->v[l->n - 1] : NULL;
	int rc;

	if (last && last->offset + last->len == offset) {
		last->len += len;
		return 0;
	}
	if (len < l->least)
		return 0;
	thin_out(l);
	rc = array_grow(&l->v, &l->cap, l->n + 1, sizeof(*l->v));
	if (!rc)
		l->v[l->n++] = (struct img_range){ offset, len };
	return rc;
}

/* What is free on this volume; nothing, if its map breaks off anywhere. */
static int add_volume(struct list *l, const struct volume *v, uint64_t *used,
		      bool *whole)
{
	struct list before = *l;
	uint64_t last_len = l->n ? l->v[l->n - 1].len : 0;
	struct fs_extent ext = { 0 };
	int rc = 0;

	*used = 0;
	for (uint64_t at = 0; at < v->len && !rc; at += ext.len) {
		struct err why;

		if (fs_map(v->fs, at, &ext, &why) || !ext.len) {
			/* thin_out() is rare, and only ever leaves out more. */
			l->n = (size_t)min_u64(before.n, l->n);
			if (l->n && l->n == before.n)
				l->v[l->n - 1].len = last_len;
			*whole = true;
			*used = v->len;
			return 0;
		}
		ext.len = min_u64(ext.len, v->len - at);
		if (ext.used)
			*used += ext.len;
		else
			rc = add_hole(l, v->offset + at, ext.len);
	}
	return rc;
}

/* Volumes come as the table lists them; holes are wanted in order. */
static int by_offset(const void *a, const void *b)
{
	const struct volume *const *x = a, *const *y = b;

	return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

static int find_holes(struct capture_plan *p,
		      bool (*whole)(void *arg, const struct volume *v),
		      void *arg, struct err *e)
{
	size_t n = p->volumes.n;
	const struct volume **order = array_alloc((uint64_t)n + 1,
						  sizeof(*order));
	struct list l = { 0 };
	int rc = order && p->used && p->whole ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !rc; i++)
		order[i] = &p->volumes.list[i];
	if (!rc)
		qsort(order, n, sizeof(*order), by_offset);
	for (size_t i = 0; i < n && !rc; i++) {
		const struct volume *v = order[i];
		size_t k = (size_t)(v - p->volumes.list);

		p->whole[k] = !v->id->has_map || (whole && whole(arg, v));
		p->used[k] = v->len;
		if (!p->whole[k])
			rc = add_volume(&l, v, &p->used[k], &p->whole[k]);
	}
	free(order);
	p->holes = l.v;
	p->n_holes = l.n;
	for (size_t i = 0; i < l.n; i++)
		p->free_bytes += l.v[i].len;
	return rc ? fail_rc(e, rc, "listing what is free") : 0;
}

/* A head that cannot be read is as good as another one. */
static int hash_head(EVP_MD_CTX *md, struct img *img, uint8_t *buf)
{
	size_t len = (size_t)min_u64(HEAD, img_size(img));

	memset(buf, 0, HEAD);
	if (len && img_read(img, buf, len, 0))
		memset(buf, 0xff, HEAD);
	return EVP_DigestUpdate(md, buf, HEAD) ? 0 : -ENOMEM;
}

static int hash_all(EVP_MD_CTX *md, struct capture_plan *p, uint8_t *buf)
{
	unsigned len = CAPTURE_FINGERPRINT;
	int rc = hash_head(md, p->disk, buf);

	for (size_t i = 0; i < p->volumes.n && !rc; i++)
		rc = hash_head(md, p->volumes.list[i].img, buf);
	for (size_t i = 0; i < p->n_holes && !rc; i++) {
		put_le64(buf, p->holes[i].offset);
		put_le64(buf + 8, p->holes[i].len);
		rc = EVP_DigestUpdate(md, buf, 16) ? 0 : -ENOMEM;
	}
	if (!rc && !EVP_DigestFinal_ex(md, p->fingerprint, &len))
		rc = -ENOMEM;
	return rc;
}

static int fingerprint(struct capture_plan *p, struct err *e)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t *buf = buf_alloc(HEAD);
	int rc = -ENOMEM;

	if (md && buf && EVP_DigestInit_ex(md, EVP_sha256(), NULL))
		rc = hash_all(md, p, buf);
	EVP_MD_CTX_free(md);
	free(buf);
	return rc ? fail_rc(e, rc, "computing a checksum") : 0;
}

int capture_plan_make(struct img *disk,
		      bool (*whole)(void *arg, const struct volume *v),
		      void *arg, struct capture_plan *p, struct err *e)
{
	int rc;

	*p = (struct capture_plan){ .disk = disk };
	rc = volumes_open(&disk, 1, &p->volumes, e);
	if (rc)
		return rc;
	p->used = array_alloc((uint64_t)p->volumes.n + 1, sizeof(*p->used));
	p->whole = array_alloc((uint64_t)p->volumes.n + 1, sizeof(*p->whole));
	rc = find_holes(p, whole, arg, e);
	return rc ? rc : fingerprint(p, e);
}

void capture_plan_fini(struct capture_plan *p)
{
	volumes_close(&p->volumes);
	free(p->holes);
	free(p->used);
	free(p->whole);
	memset(p, 0, sizeof(*p));
}
