/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resize_split.c - more files for a disk in files of 2 GiB.
 *
 * The new extents are made first, complete and empty; then the last one of the
 * old ones grows as far as it may; then a new descriptor is written beside the
 * old one.  The resolver gives them their names in that order, each when it is
 * durable, so that the descriptor on the disk always names what is there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "imgfmt/base/buf.h"
#include "write.h"

#define SPLIT_LEN ((uint64_t)VMDK_SPLIT * VMDK_SECTOR)

bool vmdk_is_split(const struct vmdk *s)
{
	return vmdk_create_type_is(&s->d, "twoGbMaxExtentSparse") ||
	       vmdk_create_type_is(&s->d, "twoGbMaxExtentFlat");
}

/* "disk-s007.vmdk" -> "disk-s008.vmdk"; disks get renamed, and their extents
 * often not.  To be freed; NULL: out of memory.
 */
static char *name_behind(const char *last, const struct vmdk_new *n,
			 const struct vmdk *s)
{
	const char *dot = last ? strrchr(last, '.') : NULL, *digits = dot;
	unsigned long number;

	while (digits && digits > last && digits[-1] >= '0' &&
	       digits[-1] <= '9')
		digits--;
	if (!digits || dot - digits < 3 || dot - digits > 6 ||
	    digits - last < 2 || digits[-2] != '-' ||
	    !strchr("sfSF", digits[-1]))
		return vmdk_extent_name(n, s->img->name, s->d.n_extents);
	number = strtoul(digits, NULL, 10) + 1;
	return str_printf("%.*s%0*lu%s", (int)(digits - last), last,
			  (int)(dot - digits), number, dot);
}

/* New ones are like the last: a flat one keeps being followed by flat ones. */
static struct vmdk_new like_last(const struct vmdk *s, const char *prealloc)
{
	const struct vmdk_extent *x = &s->extents[s->n_extents - 1];

	return (struct vmdk_new){
		.create_type = s->d.create_type, .split = true, .flush = true,
		.flat = x->storage == VMDK_PLAIN,
		.zeroed_grain = x->storage == VMDK_SPARSE && x->t.zero_gte,
		.preallocation = x->storage == VMDK_PLAIN ? prealloc : NULL,
	};
}

/* Extents behind the last, from byte `at` of the disk to `size`. */
static int make_more(struct vmdk *s, const struct vmdk_new *n, uint64_t at,
		     uint64_t size, struct err *e)
{
	int rc = 0;

	while (at < size && !rc) {
		uint64_t len = min_u64(SPLIT_LEN, size - at);
		char *name = name_behind(s->d.extents[s->d.n_extents - 1].name,
					 n, s);

		rc = name ? vmdk_extent_make(&s->resolver, s->img->name, n,
					     len / VMDK_SECTOR, name, e)
			  : fail(e, ENOMEM, "out of memory");
		if (!rc && vmdk_extent_line(&s->d, n, len / VMDK_SECTOR, name))
			rc = fail(e, ENOMEM, "out of memory");
		free(name);
		at += len;
	}
	return rc;
}

static int set_geometry(struct vmdk *s, uint64_t size, struct err *e)
{
	const char *adapter = vmdk_key_get(&s->d, "ddb.adapterType");

	return vmdk_set_geometry(&s->d, adapter ? adapter : "ide",
				 size / VMDK_SECTOR) ?
	       fail(e, ENOMEM, "out of memory") : 0;
}

/* A descriptor that takes the old one's place when it is settled. */
static int write_beside(struct vmdk *s, struct err *e)
{
	const struct img_resolver *r = &s->resolver;
	const char *slash = strrchr(s->img->name, '/');
	char *text = vmdk_descriptor_text(&s->d);
	struct img *file;
	int rc, one;

	if (!text)
		return fail(e, ENOMEM, "out of memory");
	rc = r->create(r->arg, s->img->name, slash ? slash + 1 : s->img->name,
		       &file, e);
	if (rc)
		goto out;
	rc = img_write(file, text, strlen(text), 0);
	if (rc)
		fail_rc(e, rc, "Could not write the descriptor of %s",
			s->img->name);
	one = img_close(file, rc ? NULL : e);
	rc = rc ? rc : one;
out:
	free(text);
	return rc;
}

/* The descriptor names the new files.  Where there are no names to be given,
 * it is written over.
 */
static int commit(struct vmdk *s, struct err *e)
{
	const struct img_resolver *r = &s->resolver;
	int rc;

	if (!r->settle)
		return vmdk_descriptor_rewrite(s, e);
	rc = write_beside(s, e);
	return rc ? rc : r->settle(r->arg, true, e);
}

/* Back to what the disk has. */
static void forget(struct vmdk *s, size_t n, uint64_t sectors)
{
	while (s->d.n_extents > n)
		free(s->d.extents[--s->d.n_extents].name);
	s->d.extents[n - 1].sectors = sectors;
	set_geometry(s, s->img->size, NULL);
}

static int check_room(const struct vmdk *s, uint64_t size, struct err *e)
{
	if (!s->resolver.create)
		return fail(e, ENOTSUP, "%s: the last of its files may grow "
			    "to 2047 MiB, and new files cannot be made here: "
			    "convert the disk", s->img->name);
	if (s->desc_offset)
		return fail(e, ENOTSUP, "%s: its descriptor is inside an "
			    "extent: convert the disk", s->img->name);
	if (s->n_extents + div_round_up(size - s->img->size, SPLIT_LEN) >
	    VMDK_MAX_EXTENTS)
		return fail(e, EFBIG, "%llu bytes need more than %u extents",
			    (unsigned long long)size, VMDK_MAX_EXTENTS);
	return 0;
}

/* The content ID changes in the old descriptor, too; and nothing may point to
 * the list of extents, which is going to move.
 */
static int begin(struct vmdk *s, struct vmdk_extent *last, struct err *e)
{
	int rc = vmdk_flush_all(s);

	pthread_mutex_lock(&s->lock);
	vmdk_cache_fini(&s->cache);
	if (!rc)
		rc = vmdk_start_changing(s, last);
	pthread_mutex_unlock(&s->lock);
	return rc ? fail_rc(e, rc, "Could not write %s", s->img->name) : 0;
}

int vmdk_grow_split(struct vmdk *s, uint64_t size, const char *preallocation,
		    struct err *e)
{
	struct vmdk_extent *last = &s->extents[s->n_extents - 1];
	uint64_t len = max_u64(last->len, SPLIT_LEN), sectors;
	struct vmdk_new n = like_last(s, preallocation);
	size_t n_old = s->n_extents;
	int rc = check_room(s, size, e);

	if (rc)
		return rc;
	sectors = last->line->sectors;
	rc = begin(s, last, e);
	if (!rc)
		rc = make_more(s, &n, last->start + len, size, e);
	/* Adding lines moves them. */
	for (size_t i = 0; i < n_old; i++)
		s->extents[i].line = &s->d.extents[i];
	if (!rc && len > last->len)
		rc = vmdk_extent_grow(s, last, len, preallocation, e);
	if (!rc) {
		s->d.extents[n_old - 1].sectors = len / VMDK_SECTOR;
		rc = set_geometry(s, size, e);
	}
	if (!rc)
		rc = commit(s, e);
	if (rc) {
		forget(s, n_old, sectors);
		if (s->resolver.settle)
			s->resolver.settle(s->resolver.arg, false, NULL);
		return rc;
	}
	return vmdk_extents_add(s, len, e);
}
