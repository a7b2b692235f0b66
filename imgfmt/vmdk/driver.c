/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - the vmdk driver: finding the descriptor, opening, closing, and its
 * table of calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/drivers.h"
#include "imgfmt/inflate.h"
#include "check.h"
#include "create.h"
#include "state.h"
#include "stream_write.h"
#include "write.h"

#define ULL(n) ((unsigned long long)(n))

static int probe(const uint8_t *head, size_t head_len, uint64_t file_size)
{
	enum vmdk_sparse_kind kind;

	(void)file_size;
	if (vmdk_sparse_probe(head, head_len, &kind))
		return 100;
	return vmdk_descriptor_probe(head, head_len) ? 100 : 0;
}

/* "disk-s001.vmdk" -> "disk.vmdk": what the descriptor of this extent is likely
 * called, to be freed; NULL if the name does not tell.
 */
static char *guess_descriptor(const char *name)
{
	static const char *const tails[] = {
		"-flat", "-delta", "-sesparse", "-ctk", "-rdm", "-rdmp",
	};
	const char *dot = strrchr(name, '.');
	size_t len = dot ? (size_t)(dot - name) : 0;

	if (!dot || strcasecmp(dot, ".vmdk"))
		return NULL;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		size_t n = strlen(tails[i]);

		if (len > n && !strncasecmp(dot - n, tails[i], n))
			return str_printf("%.*s%s", (int)(len - n), name, dot);
	}
	if (len > 5 && dot[-5] == '-' && strchr("sfSF", dot[-4]) &&
	    strspn(dot - 3, "0123456789") == 3)
		return str_printf("%.*s%s", (int)(len - 5), name, dot);
	return NULL;
}

static int only_an_extent(const struct vmdk *s, const char *what, struct err *e)
{
	char *guess = guess_descriptor(s->img->name);
	int rc;

	if (guess)
		rc = fail(e, EINVAL, "%s is %s: open the disk's descriptor, "
			  "which is missing here or called '%s'", s->img->name,
			  what, guess);
	else
		rc = fail(e, EINVAL, "%s is %s: open the disk's descriptor",
			  s->img->name, what);
	free(guess);
	return rc;
}

static int parse_at(struct vmdk *s, uint64_t offset, uint64_t len,
		    struct err *e)
{
	uint8_t *text;
	int rc;

	if (len > VMDK_MAX_DESCRIPTOR)
		return fail(e, EUCLEAN, "%s: the descriptor has %llu bytes, "
			    "more than the %u that are allowed", s->img->name,
			    ULL(len), VMDK_MAX_DESCRIPTOR);
	if (!in_range(offset, len, img_length(s->file)))
		return fail(e, EUCLEAN, "%s: the descriptor, %llu bytes at "
			    "byte %llu, is not inside the file", s->img->name,
			    ULL(len), ULL(offset));
	text = buf_alloc((size_t)max_u64(len, 1));
	if (!text)
		return fail(e, ENOMEM, "out of memory");
	rc = img_read(s->file, text, (size_t)len, offset);
	if (rc)
		rc = fail_rc(e, rc, "Could not read the descriptor of %s",
			     s->img->name);
	else
		rc = vmdk_descriptor_parse(text, (size_t)len, s->img->name,
					   &s->d, e);
	free(text);
	s->has_descriptor = true;
	s->desc_offset = offset;
	s->desc_room = len;
	return rc;
}

/* The descriptor inside a hosted sparse extent. */
static int read_embedded(struct vmdk *s, struct err *e)
{
	uint8_t buf[VMDK_HEADER_LEN] = { 0 };
	struct vmdk_header h;
	int rc;

	rc = img_read(s->file, buf,
		      (size_t)min_u64(sizeof(buf), img_length(s->file)), 0);
	if (rc)
		return fail_rc(e, rc, "Could not read the header of %s",
			       s->img->name);
	rc = vmdk_header_decode(buf, &h, s->img->name, e);
	if (rc)
		return rc;
	if (!h.desc_offset || !h.desc_size)
		return only_an_extent(s, "one extent of a disk", e);
	if (h.desc_offset > INT64_MAX / VMDK_SECTOR ||
	    h.desc_size > INT64_MAX / VMDK_SECTOR)
		return fail(e, EUCLEAN, "%s: the descriptor is %llu sectors at "
			    "sector %llu", s->img->name, ULL(h.desc_size),
			    ULL(h.desc_offset));
	return parse_at(s, h.desc_offset * VMDK_SECTOR,
			h.desc_size * VMDK_SECTOR, e);
}

static int read_descriptor(struct vmdk *s, struct err *e)
{
	uint64_t len = img_length(s->file);
	enum vmdk_sparse_kind kind;
	uint8_t head[2048] = { 0 };
	size_t n = (size_t)min_u64(sizeof(head), len);
	int rc = img_read(s->file, head, n, 0);

	if (rc)
		return fail_rc(e, rc, "Could not read the beginning of %s",
			       s->img->name);
	s->d.cid = s->d.parent_cid = VMDK_CID_NONE;
	if (s->file->drv->flags & DRV_FORWARD &&
	    !(vmdk_sparse_probe(head, n, &kind) && kind == VMDK_HOSTED))
		return vmdk_not_in_order(s, e);
	if (vmdk_sparse_probe(head, n, &kind))
		/* ESXi's kinds have no room for one. */
		return kind == VMDK_HOSTED ? read_embedded(s, e) : 0;
	if (!vmdk_descriptor_probe(head, n))
		return only_an_extent(s, "neither a descriptor nor a sparse "
				      "extent", e);
	rc = parse_at(s, 0, len, e);
	if (!rc && !s->d.n_extents)
		rc = fail(e, EUCLEAN, "%s: the descriptor names no extent",
			  s->img->name);
	return rc;
}

/* The parent: where it is and that it is one. */
static int publish_parent(struct vmdk *s, unsigned flags, struct err *e)
{
	struct img *img = s->img;

	if (s->d.parent_cid == VMDK_CID_NONE)
		return 0;
	if (!s->d.parent_hint || !*s->d.parent_hint) {
		if (flags & (IMG_NO_BACKING | IMG_NO_DATA))
			return 0;
		return fail(e, EUCLEAN, "%s: the disk has a parent (content ID "
			    "%08x) and does not say where", img->name,
			    s->d.parent_cid);
	}
	img->backing_name = strdup(s->d.parent_hint);
	img->backing_format = strdup("vmdk");
	return img->backing_name && img->backing_format ? 0 :
	       fail(e, ENOMEM, "out of memory");
}

static void release(struct vmdk *s)
{
	inflate_free(s->inflate);
	vmdk_forward_free(s);
	vmdk_cache_fini(&s->cache);
	vmdk_extents_close(s);
	vmdk_descriptor_free(&s->d);
	rangelock_fini(&s->ranges);
	pthread_mutex_destroy(&s->flushing);
	pthread_mutex_destroy(&s->lock);
}

static int vmdk_open(struct img *img, const struct img_open_args *args,
		     struct err *e)
{
	struct vmdk *s = img->state;
	int rc;

	if (args->snapshot)
		return fail(e, ENOENT, "%s: a vmdk image has no snapshots "
			    "inside", img->name);
	s->img = img;
	s->file = img->below;
	if (args->resolver && img->flags & IMG_WRITE)
		s->resolver = *args->resolver;
	rangelock_init(&s->ranges);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->flushing, NULL);
	rc = read_descriptor(s, e);
	if (!rc)
		rc = vmdk_extents_open(s, args, e);
	if (!rc)
		s->inflate = inflate_new();
	if (!rc && !s->inflate)
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc && img->flags & IMG_WRITE)
		rc = vmdk_write_begin(s, e);
	if (!rc && s->forward && s->d.parent_cid != VMDK_CID_NONE)
		rc = fail(e, ESPIPE, "%s: the disk has a parent, and its own "
			  "part cannot be read on its own: save it to a file "
			  "first", img->name);
	if (!rc)
		rc = publish_parent(s, args->flags, e);
	if (rc)
		release(s);
	return rc;
}

static int vmdk_close(struct img *img, struct err *e)
{
	struct vmdk *s = img->state;
	int rc = vmdk_write_end(s);

	if (rc)
		fail_rc(e, rc, "%s: Could not write its end", img->name);
	release(s);
	return rc;
}

/* What the parent holds must be what it held when the child was made. */
static int check_backing(struct img *img, struct err *e)
{
	const struct vmdk *s = img->state, *parent = img->backing->state;

	if (s->d.parent_cid == VMDK_CID_NONE ||
	    img->backing->drv != &img_vmdk_driver ||
	    s->d.parent_cid == parent->d.cid)
		return 0;
	return fail(e, EUCLEAN, "%s was made for a parent with the content ID "
		    "%08x, and %s has %08x: the parent was changed since, or "
		    "it is another one", img->name, s->d.parent_cid,
		    img->backing->name, parent->d.cid);
}

const struct img_driver img_vmdk_driver = {
	.name = "vmdk",
	.state_size = sizeof(struct vmdk),
	.flags = DRV_PARALLEL | DRV_FORMAT | DRV_ONE_PASS | DRV_READS_FORWARD,
	.probe = probe,
	.open = vmdk_open,
	.close = vmdk_close,
	.check_backing = check_backing,
	.options = vmdk_options,
	.read = vmdk_read,
	.write = vmdk_write,
	.zero = vmdk_zero,
	.flush = vmdk_flush,
	.map = vmdk_map,
	.locate = vmdk_locate,
	.take = vmdk_take,
	.unpack = vmdk_unpack,
	.codec_new = vmdk_codec_new,
	.codec_free = vmdk_codec_free,
	.compress = vmdk_compress,
	.write_compressed = vmdk_write_compressed,
	.create = vmdk_create,
	.measure = vmdk_measure,
	.resize = vmdk_resize,
	.check = vmdk_check,
	.info = vmdk_info,
	.host_usage = vmdk_host_usage,
};
