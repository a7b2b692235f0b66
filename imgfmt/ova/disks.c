/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disks.c - which members of a package are disks, and opening one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "concat.h"
#include "gzip.h"
#include "imgfmt/base/buf.h"
#include "ova.h"

/* A disk in pieces: ".000000000", ".000000001", ... behind its name. */
#define PIECE_DIGITS 9u

/* The number of a piece; false: the name is that of a whole. */
static bool piece_number(const char *name, size_t *base_len, uint32_t *number)
{
	size_t len = strlen(name), i;
	uint32_t n = 0;

	if (len < PIECE_DIGITS + 2 || name[len - PIECE_DIGITS - 1] != '.')
		return false;
	for (i = len - PIECE_DIGITS; i < len; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(name[i] - '0');
	}
	*base_len = len - PIECE_DIGITS - 1;
	*number = n;
	return true;
}

static const struct tar_member *find_piece(const struct ova *s,
					   const char *name, size_t base_len,
					   uint32_t number)
{
	char text[TAR_MAX_NAME + 16];

	snprintf(text, sizeof(text), "%.*s.%09u", (int)base_len, name, number);
	return tar_find(&s->tar, text);
}

/* The bytes of one member. */
static int open_member(struct ova *s, const struct tar_member *m,
		       struct img **out, struct err *e)
{
	struct img *borrowed;
	char *name;
	int rc;

	rc = img_borrow(ova_file(s, m), 0, &borrowed, e);
	if (rc)
		return rc;
	rc = img_window(borrowed, m->offset, m->len, out, e);
	if (rc) {
		img_close(borrowed, NULL);
		return rc;
	}
	name = s->files ? strdup(img_name(ova_file(s, m)))
			: str_printf("%s/%s", s->img->name, m->name);
	if (!name) {
		img_close(*out, NULL);
		return fail(e, ENOMEM, "out of memory");
	}
	free((*out)->name);
	(*out)->name = name;
	return 0;
}

static const char *const disk_exts[] = {
	"vmdk", "vhd", "vhdx", "vdi", "qcow2", "qcow", "raw", "img",
};
static const char *const other_exts[] = {
	"ovf", "mf", "cert", "iso", "nvram", "xml", "txt", "md",
};

/* Does it, but for a ".gz", end like one of these? */
static bool ext_among(const char *name, size_t len, const char *const *exts,
		      size_t n)
{
	if (len > 3 && !strncasecmp(name + len - 3, ".gz", 3))
		len -= 3;
	for (size_t i = 0; i < n; i++) {
		size_t k = strlen(exts[i]);

		if (len > k + 1 && name[len - k - 1] == '.' &&
		    !strncasecmp(name + len - k, exts[i], k))
			return true;
	}
	return false;
}

/* By its name, or else by what it holds. */
static int looks_like_disk(struct ova *s, const struct tar_member *m,
			   size_t base_len, bool *yes, struct err *e)
{
	const char *format;
	struct img *img;
	int rc;

	*yes = ext_among(m->name, base_len, disk_exts,
			 sizeof(disk_exts) / sizeof(disk_exts[0]));
	if (*yes || !m->len || ext_among(m->name, base_len, other_exts,
				sizeof(other_exts) / sizeof(other_exts[0])))
		return 0;
	rc = open_member(s, m, &img, e);
	if (rc)
		return rc;
	rc = img_probe_format(img, &format);
	*yes = strcmp(format, "raw") && !ova_is_format(format);
	img_close(img, NULL);
	return rc ? fail_rc(e, rc, "Could not read %s", s->img->name) : 0;
}

static void free_disk(struct ova_disk *d)
{
	free(d->name);
	free(d->pieces);
}

/* A disk that begins with `m`. */
static int gather(struct ova *s, const struct tar_member *m, size_t base_len,
		  bool split, struct ova_disk *d, struct err *e)
{
	const struct tar_member *piece = m;
	size_t cap = 0;

	*d = (struct ova_disk){ .name = strndup(m->name, base_len) };
	while (d->name && piece &&
	       !array_grow(&d->pieces, &cap, d->n + 1, sizeof(*d->pieces))) {
		if (split && !piece->len) {
			free_disk(d);
			return fail(e, EUCLEAN, "%s: the piece %s is empty",
				    s->img->name, piece->name);
		}
		d->pieces[d->n++] = piece;
		piece = split ? find_piece(s, m->name, base_len,
					   (uint32_t)d->n) : NULL;
	}
	if (d->name && !piece)
		return 0;
	free_disk(d);
	return fail(e, ENOMEM, "out of memory");
}

static int consider(struct ova *s, const struct tar_member *m, struct err *e)
{
	size_t base_len = strlen(m->name);
	uint32_t number = 0;
	bool split = piece_number(m->name, &base_len, &number), yes;
	int rc;

	if (number) {
		if (find_piece(s, m->name, base_len, number - 1))
			return 0;
		return fail(e, EUCLEAN, "%s: the piece %.*s.%09u is missing",
			    s->img->name, (int)base_len, m->name, number - 1);
	}
	rc = looks_like_disk(s, m, base_len, &yes, e);
	if (rc || !yes)
		return rc;
	if (array_grow(&s->disks, &s->cap, s->n_disks + 1, sizeof(*s->disks)))
		return fail(e, ENOMEM, "out of memory");
	rc = gather(s, m, base_len, split, &s->disks[s->n_disks], e);
	if (!rc)
		s->n_disks++;
	return rc;
}

int ova_find_disks(struct ova *s, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < s->tar.n && !rc; i++)
		rc = consider(s, &s->tar.members[i], e);
	return rc;
}

void ova_free_disks(struct ova *s)
{
	for (size_t i = 0; i < s->n_disks; i++)
		free_disk(&s->disks[i]);
	free(s->disks);
	free_disk(&s->single);
}

/* "a.vmdk (1), b.vmdk (2)", as far as there is room. */
static void list_disks(const struct ova *s, char *text, size_t room)
{
	size_t len = 0;

	*text = 0;
	for (size_t i = 0; i < s->n_disks && len + 100 < room; i++) {
		int n = snprintf(text + len, room - len, "%s%.80s (%zu)",
				 i ? ", " : "", s->disks[i].name, i + 1);

		len += n > 0 ? (size_t)n : 0;
	}
}

static int refuse(const struct ova *s, const char *member, struct err *e)
{
	char list[600];

	if (!s->n_disks && !member)
		return fail(e, EINVAL, "%s: there is no disk in the package",
			    s->img->name);
	list_disks(s, list, sizeof(list));
	if (member)
		return fail(e, ENOENT, "%s: there is no disk '%.80s' in the "
			    "package; there are: %s", s->img->name, member,
			    s->n_disks ? list : "none");
	return fail(e, EINVAL, "%s: the package holds %zu disks: %s; choose "
		    "one with --disk NAME or its number (member= in an option "
		    "string)", s->img->name, s->n_disks, list);
}

int ova_choose(struct ova *s, const char *member, struct err *e)
{
	const struct tar_member *m;
	char number[24];
	int rc;

	if (!member && s->n_disks == 1) {
		s->chosen = &s->disks[0];
		return 0;
	}
	for (size_t i = 0; member && i < s->n_disks; i++) {
		snprintf(number, sizeof(number), "%zu", i + 1);
		if (!strcmp(member, s->disks[i].name)) {
			s->chosen = &s->disks[i];
			return 0;
		}
		if (!strcmp(member, number))
			s->chosen = &s->disks[i];
	}
	if (s->chosen)
		return 0;
	/* Whatever it looks like, the user wants it. */
	m = member ? tar_find(&s->tar, member) : NULL;
	if (!m)
		return refuse(s, member, e);
	rc = gather(s, m, strlen(m->name), false, &s->single, e);
	if (!rc)
		s->chosen = &s->single;
	else
		s->single = (struct ova_disk){ 0 };
	return rc;
}

static int open_pieces(struct ova *s, const struct ova_disk *d,
		       struct img **out, struct err *e)
{
	struct img **parts = array_alloc(d->n, sizeof(*parts));
	size_t n = 0;
	int rc = parts ? 0 : fail(e, ENOMEM, "out of memory");

	for (; !rc && n < d->n; n++) {
		rc = open_member(s, d->pieces[n], &parts[n], e);
		if (rc)
			break;
	}
	if (!rc && d->n > 1)
		rc = img_concat(parts, n, out, e);
	else if (!rc)
		*out = parts[0];
	for (size_t i = 0; rc && i < n; i++)
		img_close(parts[i], NULL);
	free(parts);
	return rc;
}

/* What the name says counts where content could lie: a raw disk's first bytes
 * are the guest's.
 */
static int format_of(const struct ova_disk *d, struct img *content,
		     const char **format)
{
	static const char *const vmdk[] = { "vmdk" }, *const raw[] = { "raw" };
	size_t len = strlen(d->name);

	*format = "vmdk";
	if (ext_among(d->name, len, vmdk, 1))
		return 0;
	*format = "raw";
	if (ext_among(d->name, len, raw, 1))
		return 0;
	return img_probe_format(content, format);
}

static int inflate_if(struct ova *s, struct img **img, struct err *e)
{
	uint8_t head[4] = { 0 };
	int rc;

	rc = img_read(*img, head,
		      (size_t)min_u64(sizeof(head), img_size(*img)), 0);
	if (rc)
		return fail_rc(e, rc, "Could not read %s", img_name(*img));
	s->gzip = gzip_probe(head, sizeof(head));
	return s->gzip ? img_gzip(*img, img, e) : 0;
}

int ova_open_disk(struct ova *s, unsigned flags, struct err *e)
{
	/* A disk in a package may not pull in anything. */
	struct img_open_args args = {
		.flags = flags & ~(IMG_WRITE | IMG_PROBE_BACKING),
	};
	struct img *img;
	int rc;

	rc = open_pieces(s, s->chosen, &img, e);
	if (rc)
		return rc;
	rc = inflate_if(s, &img, e);
	if (rc)
		goto fail;
	rc = format_of(s->chosen, img, &args.format);
	if (rc)
		fail_rc(e, rc, "Could not read %s", img_name(img));
	else if (ova_is_format(args.format))
		rc = fail(e, ENOTSUP, "%s is a package itself",
			  img_name(img));
	else
		rc = img_stack(img, &args, &s->disk, e);
	if (!rc)
		return 0;
fail:
	img_close(img, NULL);
	return rc;
}
