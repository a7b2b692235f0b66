/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* extents.c - opening what a descriptor names.  Specification: "The Extents".
 *
 * Where the descriptor is inside an extent, that extent is the file itself,
 * whatever the line calls it: disks get renamed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "state.h"

#define ULL(n) ((unsigned long long)(n))

bool vmdk_in_file(struct vmdk_extent *x, uint64_t host, uint64_t len)
{
	uint64_t have = atomic_load_explicit(&x->file_len,
					     memory_order_relaxed);

	if (in_range(host, len, have))
		return true;
	have = round_up(img_length(x->file), VMDK_SECTOR);
	atomic_store_explicit(&x->file_len, have, memory_order_relaxed);
	return in_range(host, len, have);
}

struct vmdk_extent *vmdk_extent_at(struct vmdk *s, uint64_t offset)
{
	size_t lo = 0, hi = s->n_extents;

	/* Extents without length share the start of their successor. */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->extents[mid].start <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return &s->extents[lo];
}

static bool names_device(const char *name)
{
	return !strncmp(name, "/dev/", 5) || !strncmp(name, "\\\\.\\", 4) ||
	       !strncmp(name, "/vmfs/devices/", 14);
}

static int check_line(const struct vmdk *s, const struct vmdk_extent_line *l,
		      struct err *e)
{
	const char *type = vmdk_extent_type_name(l->type);

	if (l->type == VMDK_EXT_VMFSRDM || l->type == VMDK_EXT_VMFSRAW ||
	    (l->name && names_device(l->name)))
		return fail(e, ENOTSUP, "%s: its extent '%s' (%s) is a device, "
			    "which only the host that made it has; capture the "
			    "device itself", s->img->name, l->name, type);
	if (l->access == VMDK_NOACCESS && l->type != VMDK_EXT_ZERO)
		return fail(e, EACCES, "%s: its extent '%s' is marked NOACCESS",
			    s->img->name, l->name);
	return 0;
}

static int resolve(struct vmdk *s, const struct img_open_args *args,
		   struct vmdk_extent *x, struct err *e)
{
	const struct img_resolver *r = args->resolver;
	unsigned flags = args->flags & ~(IMG_REPAIR | IMG_NO_BACKING |
					 IMG_NO_DATA | IMG_WRITETHROUGH);
	int rc;

	if (!r)
		return fail(e, EPERM, "%s names the extent '%s', and no other "
			    "file may be opened here", s->img->name,
			    x->line->name);
	if (x->line->access != VMDK_RW)
		flags &= ~IMG_WRITE;
	rc = r->open(r->arg, s->img->name, x->line->name, "raw", flags, r,
		     &x->owned, e);
	return rc ? fail_prefix(e, rc, "extent of %s", s->img->name) : 0;
}

static int take_plain(struct vmdk_extent *x, struct err *e)
{
	uint64_t have = img_length(x->owned);

	x->file = x->owned;
	x->offset = x->line->offset_sectors * VMDK_SECTOR;
	if (in_range(x->offset, x->len, have))
		return 0;
	return fail(e, EUCLEAN, "%s has %llu bytes, and its descriptor says "
		    "that %llu at byte %llu belong to the disk",
		    x->owned->name, ULL(have), ULL(x->len), ULL(x->offset));
}

/* What a stream that is cut off has can be read in its order. */
static int take_what_is_there(struct vmdk *s, struct vmdk_extent *x, int rc)
{
	if (rc != -EUCLEAN || !(s->img->flags & IMG_SALVAGE) ||
	    x->file != s->file || s->n_extents > 1)
		return rc;
	return vmdk_forward_open(s, x, NULL) ? rc : 0;
}

static int take_sparse(struct vmdk *s, struct vmdk_extent *x, const char *name,
		       struct err *e)
{
	int rc;

	if (s->file->drv->flags & DRV_FORWARD)
		return vmdk_forward_open(s, x, e);
	rc = vmdk_sparse_read(x->file, name, &x->t, e);
	if (rc)
		return take_what_is_there(s, x, rc);
	if (x->t.capacity < x->len)
		rc = fail(e, EUCLEAN, "%s holds %llu bytes of the disk, and "
			  "its descriptor says %llu", name, ULL(x->t.capacity),
			  ULL(x->len));
	if (!rc && x->t.compressed && !x->t.footer && !x->t.making &&
	    !(s->img->flags & (IMG_NO_DATA | IMG_SALVAGE)))
		rc = vmdk_check_tail(s, x, name, e);
	return rc;
}

/* An extent in a file of its own. */
static int open_extent(struct vmdk *s, const struct img_open_args *args,
		       struct vmdk_extent *x, struct err *e)
{
	int rc;

	if (s->file->drv->flags & DRV_FORWARD)
		return vmdk_not_in_order(s, e);
	if (x->storage == VMDK_ZEROES)
		return 0;
	rc = check_line(s, x->line, e);
	if (!rc)
		rc = resolve(s, args, x, e);
	if (rc)
		return rc;
	if (x->storage == VMDK_PLAIN)
		return take_plain(x, e);
	/* Files grow when they are written; the raw layer does not. */
	x->file = x->owned->below ? x->owned->below : x->owned;
	return take_sparse(s, x, x->owned->name, e);
}

static enum vmdk_storage storage_of(enum vmdk_extent_type type)
{
	switch (type) {
	case VMDK_EXT_ZERO:
		return VMDK_ZEROES;
	case VMDK_EXT_SPARSE:
	case VMDK_EXT_VMFSSPARSE:
	case VMDK_EXT_SESPARSE:
		return VMDK_SPARSE;
	default:
		return VMDK_PLAIN;
	}
}

/* The extent that the file itself is: the size is the line's where that only
 * leaves out what rounding up to grains has added.
 */
static int open_own(struct vmdk *s, struct vmdk_extent *x, struct err *e)
{
	uint64_t len = x->len;
	int rc;

	x->file = s->file;
	x->len = 0;
	rc = take_sparse(s, x, s->img->name, e);
	if (rc)
		return rc;
	if (s->n_extents > 1 && len > x->t.capacity)
		return fail(e, EUCLEAN, "%s holds %llu bytes of the disk, and "
			    "its descriptor says %llu", s->img->name,
			    ULL(x->t.capacity), ULL(len));
	x->len = s->n_extents > 1 || (len && len < x->t.capacity &&
				      x->t.capacity - len < x->t.grain)
		 ? len : x->t.capacity;
	return 0;
}

/* Which line is the file itself?  With several, the one of its name, or else
 * the first sparse one.
 */
static size_t own_line(const struct vmdk *s)
{
	const char *slash = strrchr(s->img->name, '/');
	const char *name = slash ? slash + 1 : s->img->name;
	size_t own = SIZE_MAX;

	for (size_t i = s->n_extents; i--; ) {
		const struct vmdk_extent_line *l = &s->d.extents[i];

		if (s->extents[i].storage != VMDK_SPARSE)
			continue;
		if (!strcmp(l->name, name))
			return i;
		own = i;
	}
	return own;
}

/* A descriptor without lines, or none at all: the file is the whole disk. */
static int open_bare(struct vmdk *s, struct err *e)
{
	s->extents = array_alloc(1, sizeof(*s->extents));
	if (!s->extents)
		return fail(e, ENOMEM, "out of memory");
	s->n_extents = 1;
	s->extents[0].storage = VMDK_SPARSE;
	return open_own(s, &s->extents[0], e);
}

static void take_line(const struct vmdk *s, struct vmdk_extent *list, size_t i)
{
	list[i].line = &s->d.extents[i];
	list[i].storage = storage_of(s->d.extents[i].type);
	list[i].len = s->d.extents[i].sectors * VMDK_SECTOR;
}

static int open_lines(struct vmdk *s, const struct img_open_args *args,
		      bool embedded, struct err *e)
{
	size_t own;
	int rc = 0;

	s->extents = array_alloc(s->d.n_extents, sizeof(*s->extents));
	if (!s->extents)
		return fail(e, ENOMEM, "out of memory");
	s->n_extents = s->d.n_extents;
	for (size_t i = 0; i < s->n_extents; i++)
		take_line(s, s->extents, i);
	own = embedded ? own_line(s) : SIZE_MAX;
	for (size_t i = 0; i < s->n_extents && !rc; i++) {
		struct vmdk_extent *x = &s->extents[i];

		rc = i == own ? open_own(s, x, e) : open_extent(s, args, x, e);
		/* What can be said without it is said. */
		if (rc && args->flags & IMG_NO_DATA && i != own) {
			img_close(x->owned, NULL);
			x->owned = x->file = NULL;
			x->missing = e ? strdup(e->text) : NULL;
			rc = 0;
		}
	}
	return rc;
}

static int lay_out(struct vmdk *s, struct err *e)
{
	struct img *img = s->img;
	uint32_t grain = 0;

	for (size_t i = 0; i < s->n_extents; i++) {
		struct vmdk_extent *x = &s->extents[i];

		x->start = img->size;
		if (!add_ok(img->size, x->len, &img->size) ||
		    img->size > INT64_MAX)
			return fail(e, EUCLEAN, "%s: the extents together have "
				    "more than 2^63 bytes", img->name);
		if (x->storage == VMDK_SPARSE && x->t.grain > grain)
			grain = x->t.grain;
	}
	img->block_size = grain ? grain : 65536;
	return 0;
}

int vmdk_extents_open(struct vmdk *s, const struct img_open_args *args,
		      struct err *e)
{
	uint8_t head[8] = { 0 };
	enum vmdk_sparse_kind kind;
	bool embedded;
	int rc;

	rc = img_read(s->file, head,
		      (size_t)min_u64(sizeof(head), img_length(s->file)), 0);
	if (rc)
		return fail_rc(e, rc, "Could not read %s", s->img->name);
	embedded = vmdk_sparse_probe(head, sizeof(head), &kind);
	rc = embedded && !s->d.n_extents ? open_bare(s, e)
		: open_lines(s, args, embedded, e);
	return rc ? rc : lay_out(s, e);
}

/* Into `list`, which has room for all. */
static int open_added(struct vmdk *s, struct vmdk_extent *list, struct err *e)
{
	struct img_open_args args = {
		.flags = s->img->flags, .resolver = &s->resolver,
	};
	size_t old = s->n_extents;
	int rc = 0;

	for (size_t i = old; i < s->d.n_extents && !rc; i++) {
		take_line(s, list, i);
		list[i].start = list[i - 1].start + list[i - 1].len;
		rc = open_extent(s, &args, &list[i], e);
		if (!rc && list[i].storage == VMDK_SPARSE)
			list[i].next = round_up(img_length(list[i].file),
						list[i].t.grain);
	}
	for (size_t i = old; i < s->d.n_extents && rc; i++)
		img_close(list[i].owned, NULL);
	return rc;
}

int vmdk_extents_add(struct vmdk *s, uint64_t len, struct err *e)
{
	struct vmdk_extent *list = array_alloc(s->d.n_extents, sizeof(*list));
	int rc = list ? 0 : fail(e, ENOMEM, "out of memory");

	if (rc)
		return rc;
	for (size_t i = 0; i < s->n_extents; i++) {
		memcpy(&list[i], &s->extents[i], sizeof(*list));
		list[i].line = &s->d.extents[i];
	}
	list[s->n_extents - 1].len = len;
	rc = open_added(s, list, e);
	if (rc) {
		free(list);
		return rc;
	}
	free(s->extents);
	s->extents = list;
	s->n_extents = s->d.n_extents;
	return 0;
}

void vmdk_extents_close(struct vmdk *s)
{
	for (size_t i = 0; i < s->n_extents; i++) {
		img_close(s->extents[i].owned, NULL);
		free(s->extents[i].missing);
	}
	free(s->extents);
	s->extents = NULL;
	s->n_extents = 0;
}

int vmdk_host_usage(const struct img *img, uint64_t *bytes)
{
	const struct vmdk *s = img->state;
	int rc = img_host_usage(s->file, bytes);

	for (size_t i = 0; i < s->n_extents && !rc; i++) {
		uint64_t one;

		if (!s->extents[i].owned)
			continue;
		rc = img_host_usage(s->extents[i].owned, &one);
		if (!rc)
			*bytes += one;
	}
	return rc;
}
