/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* create.c - making empty images: extents, then the descriptor that names them.
 * Specification: "The Descriptor File", "Hosted Sparse Extents", "Stream-
 * Optimized Compressed Sparse Extents".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/drivers.h"
#include "stream_write.h"

/* Directories are written in pieces of so many entries. */
#define GDE_CHUNK 16384u

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *vmdk_extent_name(const struct vmdk_new *n, const char *path, uint64_t i)
{
	const char *name = base_name(path), *dot = strrchr(name, '.');
	int stem = dot ? (int)(dot - name) : (int)strlen(name);

	if (!dot)
		dot = "";
	if (!n->split)
		return str_printf("%.*s-flat%s", stem, name, dot);
	return str_printf("%.*s-%c%03llu%s", stem, name, n->flat ? 'f' : 's',
			  (unsigned long long)i + 1, dot);
}

static int write_directory(struct img *file, const struct vmdk_layout *l,
			   uint64_t gd)
{
	uint64_t table = gd + l->gd_sectors;
	uint8_t *buf = array_alloc(GDE_CHUNK, 4);
	int rc = buf ? 0 : -ENOMEM;

	for (uint64_t i = 0; i < l->n_gdes && !rc; i += GDE_CHUNK) {
		uint64_t n = min_u64(GDE_CHUNK, l->n_gdes - i);

		for (uint64_t k = 0; k < n; k++)
			put_le32(buf + k * 4, (uint32_t)(table + (i + k) *
							 l->gt_sectors));
		rc = img_write(file, buf, (size_t)n * 4,
			       gd * VMDK_SECTOR + i * 4);
	}
	free(buf);
	return rc;
}

/* Header and tables of a sparse extent; all tables are there from the start. */
static int write_sparse(struct img *file, const struct vmdk_layout *l,
			struct err *e)
{
	uint8_t head[VMDK_HEADER_LEN];
	int rc = img_truncate(file, 0, e);

	if (rc)
		return rc;
	rc = img_zero(file, l->h.overhead * VMDK_SECTOR, 0, 0);
	if (!rc)
		rc = write_directory(file, l, l->h.rgd);
	if (!rc)
		rc = write_directory(file, l, l->h.gd);
	vmdk_header_encode(&l->h, head);
	if (!rc)
		rc = img_write(file, head, sizeof(head), 0);
	return rc ? fail_rc(e, rc, "Could not write %s", file->name) : 0;
}

static int write_extent(struct img *file, const struct vmdk_new *n,
			uint64_t sectors, struct err *e)
{
	struct vmdk_layout l;
	int rc;

	if (!n->flat) {
		vmdk_layout(n, sectors, false, &l);
		return write_sparse(file, &l, e);
	}
	rc = img_truncate(file, 0, e);
	return rc ? rc : img_truncate(file, sectors * VMDK_SECTOR, e);
}

/* The raw layer can make room beforehand. */
static int write_preallocated(struct img **file, const char *preallocation,
			      uint64_t sectors, struct err *e)
{
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };
	int rc = img_stack(*file, &args, file, e);

	return rc ? rc : img_resize(*file, sectors * VMDK_SECTOR, preallocation,
				    e);
}

int vmdk_extent_make(const struct img_resolver *r, const char *referrer,
		     const struct vmdk_new *n, uint64_t sectors,
		     const char *name, struct err *e)
{
	struct img *file;
	int rc, one;

	if (!r || !r->create)
		return fail(e, ENOTSUP, "a %s disk consists of several files, "
			    "and only one can be written here",
			    n->create_type);
	rc = r->create(r->arg, referrer, name, &file, e);
	if (rc)
		return rc;
	rc = n->preallocation ? write_preallocated(&file, n->preallocation,
						   sectors, e)
			      : write_extent(file, n, sectors, e);
	if (!rc && n->flush && img_flush(file))
		rc = fail(e, EIO, "%s: cannot flush", file->name);
	one = img_close(file, rc ? NULL : e);
	return rc ? rc : one;
}

int vmdk_extent_line(struct vmdk_descriptor *d, const struct vmdk_new *n,
		     uint64_t sectors, const char *name)
{
	int rc = vmdk_extent_add(d, VMDK_RW, sectors, n->flat ? VMDK_EXT_FLAT
				 : VMDK_EXT_SPARSE, name);

	if (!rc && n->flat)
		d->extents[d->n_extents - 1].has_offset = true;
	return rc;
}

static int make_extents(struct img *below, const struct img_create_args *args,
			const struct vmdk_new *n,
			const struct vmdk_descriptor *d, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < d->n_extents && d->extents[i].name && !rc; i++)
		rc = vmdk_extent_make(args->resolver, below->name, n,
				      d->extents[i].sectors,
				      d->extents[i].name, e);
	return rc;
}

/* The content ID of the parent, which a child has to state. */
static int ask_parent(struct img *below, const struct img_create_args *args,
		      const char *backing, uint32_t *cid, struct err *e)
{
	const struct img_resolver *r = args->resolver;
	struct img *parent;
	int rc;

	if (!r || !r->open)
		return fail(e, EPERM, "no other file may be opened here, and "
			    "the backing file has to be");
	rc = r->open(r->arg, below->name, backing, "vmdk",
		     IMG_NO_BACKING | IMG_NO_DATA, r, &parent, e);
	if (rc)
		return rc;
	if (parent->drv == &img_vmdk_driver)
		*cid = ((const struct vmdk *)parent->state)->d.cid;
	else
		rc = fail(e, EINVAL, "the backing file '%s' is not a VMDK",
			  backing);
	img_close(parent, NULL);
	return rc;
}

/* In the order of VMware's own, which is that of the alphabet. */
static int set_keys(struct vmdk_descriptor *d, const struct vmdk_new *n)
{
	char id[33], uuid[48];
	int rc = vmdk_random_content_id(d->cid, id);

	if (!rc)
		rc = vmdk_random_uuid(uuid);
	if (!rc)
		rc = vmdk_key_set(d, "ddb.adapterType", n->adapter);
	if (!rc)
		rc = vmdk_set_geometry(d, n->adapter, n->size / VMDK_SECTOR);
	if (!rc)
		rc = vmdk_key_set(d, "ddb.longContentID", id);
	if (!rc)
		rc = vmdk_key_set(d, "ddb.toolsVersion", n->toolsversion);
	if (!rc)
		rc = vmdk_key_set(d, "ddb.uuid", uuid);
	return rc ? rc : vmdk_key_set(d, "ddb.virtualHWVersion", n->hwversion);
}

static int set_descriptor(struct vmdk_descriptor *d, const struct vmdk_new *n,
			  struct err *e)
{
	int rc = vmdk_random_cid(d->parent_cid, &d->cid);

	d->version = 1;
	d->encoding = strdup("UTF-8");
	d->create_type = strdup(n->create_type);
	if (n->backing)
		d->parent_hint = strdup(n->backing);
	if (!d->encoding || !d->create_type || (n->backing && !d->parent_hint))
		rc = -ENOMEM;
	if (!rc)
		rc = set_keys(d, n);
	return rc ? fail_rc(e, rc, "Could not make the descriptor") : 0;
}

static int set_lines(struct vmdk_descriptor *d, const struct vmdk_new *n,
		     const char *path)
{
	uint64_t sectors;
	int rc = 0;

	for (uint64_t i = 0; !rc && (sectors = vmdk_extent_sectors(n, i)); i++) {
		char *name = vmdk_extent_name(n, path, i);

		rc = name ? vmdk_extent_line(d, n, sectors, name) : -ENOMEM;
		free(name);
	}
	/* A disk of no size has to have an extent all the same. */
	if (!rc && !d->n_extents)
		rc = vmdk_extent_add(d, VMDK_RW, 0, VMDK_EXT_ZERO, NULL);
	return rc;
}

int vmdk_descriptor_len(const struct vmdk_new *n, const char *path,
			uint64_t *len, struct err *e)
{
	struct vmdk_descriptor d = { .parent_cid = VMDK_CID_NONE };
	int rc = set_descriptor(&d, n, e);
	char *text;

	if (!rc && set_lines(&d, n, path))
		rc = fail(e, ENOMEM, "out of memory");
	text = rc ? NULL : vmdk_descriptor_text(&d);
	if (!rc && !text)
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc)
		*len = strlen(text);
	free(text);
	vmdk_descriptor_free(&d);
	return rc;
}

static int write_text(struct img *below, const struct vmdk_descriptor *d,
		      uint64_t offset, uint64_t room, struct err *e)
{
	char *text = vmdk_descriptor_text(d);
	size_t len = text ? strlen(text) : 0;
	int rc;

	if (!text)
		return fail(e, ENOMEM, "out of memory");
	if (len > room)
		rc = fail(e, E2BIG, "the descriptor has %zu bytes, and there "
			  "is room for %llu", len, (unsigned long long)room);
	else if ((rc = img_write(below, text, len, offset)))
		fail_rc(e, rc, "Could not write the descriptor");
	free(text);
	return rc;
}

static int create_embedded(struct img *below, const struct vmdk_new *n,
			   struct vmdk_descriptor *d, struct err *e)
{
	uint64_t sectors = n->size / VMDK_SECTOR;
	struct vmdk_layout l;
	char *name;
	int rc;

	/* What the line calls it does not count: the file is meant.  Some
	 * have no name, or one that cannot be quoted.
	 */
	name = strdup(*below->name && !strpbrk(below->name, "\"\r\n")
		      ? base_name(below->name) : "disk.vmdk");
	rc = name ? vmdk_extent_add(d, n->stream ? VMDK_RDONLY : VMDK_RW,
				    sectors, VMDK_EXT_SPARSE, name) : -ENOMEM;
	free(name);
	if (rc)
		return fail_rc(e, rc, "Could not make the descriptor");
	vmdk_layout(n, sectors, true, &l);
	if (n->stream)
		return vmdk_stream_create(below, &l, d, e);
	rc = write_sparse(below, &l, e);
	if (rc)
		return rc;
	return write_text(below, d, l.h.desc_offset * VMDK_SECTOR,
			  l.h.desc_size * VMDK_SECTOR, e);
}

static int create_separate(struct img *below, const struct img_create_args *args,
			   const struct vmdk_new *n, struct vmdk_descriptor *d,
			   struct err *e)
{
	int rc;

	if (strpbrk(base_name(below->name), "\"\r\n"))
		return fail(e, EINVAL, "the file's name contains a quotation "
			    "mark or the end of a line, which the descriptor "
			    "cannot hold");
	rc = set_lines(d, n, below->name);
	if (rc)
		return fail_rc(e, rc, "Could not make the descriptor");
	rc = make_extents(below, args, n, d, e);
	if (!rc)
		rc = img_truncate(below, 0, e);
	return rc ? rc : write_text(below, d, 0, VMDK_MAX_DESCRIPTOR, e);
}

int vmdk_create(struct img *below, const struct img_create_args *args,
		struct err *e)
{
	struct vmdk_descriptor d = { .parent_cid = VMDK_CID_NONE };
	struct vmdk_new n;
	int rc = vmdk_new_parse(args, &n, e);

	if (!rc && !n.stream && below->drv->flags & DRV_APPENDS)
		rc = fail(e, ESPIPE, "a %s disk cannot be written in one pass",
			  n.create_type);
	/* Where the next grain goes is where the file ends. */
	if (!rc && !(below->drv->flags & DRV_APPENDS) && !below->drv->truncate)
		rc = fail(e, ENOTSUP, "'%s' is a block device, and a VMDK is a "
			  "file that grows as it is written: convert to raw, "
			  "or into a file", below->name);
	if (!rc && n.backing)
		rc = ask_parent(below, args, n.backing, &d.parent_cid, e);
	if (!rc)
		rc = set_descriptor(&d, &n, e);
	if (!rc)
		rc = n.flat || n.split ? create_separate(below, args, &n, &d, e)
				       : create_embedded(below, &n, &d, e);
	vmdk_descriptor_free(&d);
	return rc;
}
