/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* measure.c - how large a new image would be: all its files together, exactly
 * but for what compression saves.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "imgfmt/base/buf.h"
#include "stream_write.h"

static uint64_t grain_room(const struct vmdk_new *n)
{
	if (!n->stream)
		return VMDK_GRAIN;
	return round_up(VMDK_MARKER_LEN + vmdk_compress_bound(VMDK_GRAIN),
			VMDK_SECTOR);
}

/* A separate descriptor is a file of its own.  The names in it are taken to be
 * those of a disk that is called like its source.
 */
static int descriptor_len(const struct vmdk_new *n, const struct img *src,
			  uint64_t *len, struct err *e)
{
	const char *name = src && *src->name ? src->name : "disk";
	const char *slash = strrchr(name, '/'), *dot;
	char *path;
	int rc;

	*len = 0;
	if (!n->flat && !n->split)
		return 0;
	name = slash ? slash + 1 : name;
	dot = strrchr(name, '.');
	path = str_printf("%.*s.vmdk", dot ? (int)(dot - name)
			  : (int)strlen(name), name);
	if (!path)
		return fail(e, ENOMEM, "out of memory");
	rc = vmdk_descriptor_len(n, path, len, e);
	free(path);
	return rc;
}

/* Everything but grains. */
static uint64_t metadata(const struct vmdk_new *n)
{
	uint64_t total = 0, sectors, i;
	struct vmdk_layout l;

	/* One that holds its own descriptor is there whatever its size. */
	for (i = 0; (sectors = vmdk_extent_sectors(n, i)) ||
	     (!i && !n->split); i++) {
		vmdk_layout(n, sectors, !n->split, &l);
		if (n->flat)
			continue;
		total += l.h.overhead * VMDK_SECTOR;
		/* Tables and directory with markers; footer, end mark. */
		if (n->stream)
			total += (l.n_gdes * (l.gt_sectors + 1) +
				  l.gd_sectors + 4) * VMDK_SECTOR;
	}
	return total;
}

int vmdk_measure(const struct img_create_args *args, struct img *src,
		 struct img_measure *out, struct err *e)
{
	struct img_create_args sized = *args;
	struct vmdk_new n;
	uint64_t all, used, others;
	int rc;

	if (src)
		sized.size = src->size;
	rc = vmdk_new_parse(&sized, &n, e);
	if (rc)
		return rc;
	all = used = div_round_up(n.size, VMDK_GRAIN);
	/* How much a parent shares is not known: the worst is assumed. */
	if (src && !n.backing)
		rc = img_data_units(src, VMDK_GRAIN, &used);
	if (rc)
		return fail_rc(e, rc, "Unable to get block status");
	if (!src)
		used = 0;
	rc = descriptor_len(&n, src, &others, e);
	if (rc)
		return rc;
	if (n.flat) {
		out->required = out->fully_allocated = n.size + others;
		return 0;
	}
	others += metadata(&n);
	out->required = others + used * grain_room(&n);
	out->fully_allocated = others + all * grain_room(&n);
	return 0;
}
