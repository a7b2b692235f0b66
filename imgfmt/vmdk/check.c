/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c - do directories, tables, header and descriptor make sense together?
 *
 * The first directory counts: a second one that differs is wrong.
 */
#include "check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "imgfmt/base/buf.h"

#define ULL(n) ((unsigned long long)(n))

void vcheck_found(struct vcheck *c, bool fixed, const char *fmt, ...)
{
	char text[800], line[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->out->corruptions++;
	if (fixed)
		c->out->corruptions_fixed++;
	else
		c->left++;
	snprintf(line, sizeof(line), "%s %s", fixed ? "Repairing" : "ERROR",
		 text);
	if (c->out->report)
		c->out->report(c->out->arg, line);
}

/* An entry whose grain cannot be there. */
static void bad_entry(struct vcheck *c, uint64_t rel, uint64_t host,
		      const char *why)
{
	vcheck_found(c, vcheck_drop_entry(c, rel),
		     "grain at offset 0x%llx: host offset 0x%llx %s",
		     ULL(c->x->start + rel), ULL(host), why);
}

/* The marker in front of a compressed grain says whose it is. */
static bool marker_ok(struct vcheck *c, uint64_t rel, uint64_t host)
{
	uint8_t m[VMDK_MARKER_LEN];

	if (!c->x->t.markers)
		return true;
	return !img_read(c->x->file, m, sizeof(m), host) &&
	       get_le64(m) == rel / VMDK_SECTOR &&
	       in_range(host, VMDK_MARKER_LEN +
			(uint64_t)get_le32(m + VMDK_MARKER_SIZE),
			img_length(c->x->file));
}

static void count_grain(struct vcheck *c, uint64_t host, bool compressed)
{
	uint32_t grain = c->x->t.grain;

	c->out->allocated_clusters++;
	if (compressed)
		c->out->compressed_clusters++;
	else if (c->last && host != c->last + grain)
		c->out->fragmented_clusters++;
	c->last = host;
	c->used_end = max_u64(c->used_end, host + grain);
}

static void check_entry(struct vcheck *c, uint64_t table, uint32_t i,
			uint64_t rel)
{
	uint64_t overhead = c->x->t.h.overhead * VMDK_SECTOR, host;
	enum vmdk_kind kind;
	int rc = vmdk_entry_at(c->s, c->x, table, i, rel, &kind, &host);

	if (rc == -EUCLEAN)
		bad_entry(c, rel, host, "is not inside the file");
	else if (rc)
		c->out->check_errors++;
	else if (host && c->x->t.kind == VMDK_HOSTED && host < overhead)
		bad_entry(c, rel, host, "is not behind the metadata");
	else if (kind == VMDK_KIND_COMPRESSED && !marker_ok(c, rel, host))
		bad_entry(c, rel, host, "holds another grain");
	else if (host)
		count_grain(c, host, kind == VMDK_KIND_COMPRESSED);
}

/* Does the second copy say the same as the first? */
static void compare_tables(struct vcheck *c, uint64_t i, uint64_t table,
			   uint64_t second)
{
	uint32_t len = c->x->t.n_gtes * 4;
	struct vmdk_unit *u;
	uint8_t *copy = array_alloc(len, 1);
	int rc = copy ? img_read(c->x->file, copy, len, second) : -ENOMEM;

	if (!rc)
		rc = vmdk_cache_get(c->s, c->x, table, len, &u);
	if (rc)
		c->out->check_errors++;
	else if (memcmp(copy, u->data, len))
		vcheck_found(c, vcheck_rewrite_second(c, i * c->x->t.gt_covers),
			     "the second copy of grain table %llu differs",
			     ULL(i));
	free(copy);
}

/* Where both directories have table `i`; 0: there is none. */
static uint64_t find_tables(struct vcheck *c, uint64_t i)
{
	struct vmdk_extent *x = c->x;
	uint64_t one = 0, two = 0;
	int rc = vmdk_table_at(c->s, x, x->t.gd, i, &one);
	int rc2 = x->t.rgd ? vmdk_table_at(c->s, x, x->t.rgd, i, &two) : 0;
	uint64_t gt_len = (uint64_t)x->t.n_gtes * x->t.entry_size;
	bool bad = rc || (!one && two && !rc2);
	bool bad2 = x->t.rgd && (rc2 || (!two && one && !rc));

	if ((rc && rc != -EUCLEAN) || (rc2 && rc2 != -EUCLEAN)) {
		c->out->check_errors++;
		return 0;
	}
	c->used_end = max_u64(c->used_end, one ? one + gt_len : 0);
	c->used_end = max_u64(c->used_end, two ? two + gt_len : 0);
	if (!bad && !bad2) {
		if (one && two)
			compare_tables(c, i, one, two);
		return one;
	}
	if (bad && (bad2 || !two)) {
		vcheck_found(c, vcheck_drop_table(c, i), "grain table %llu is "
			     "not inside the file, in any directory: bytes "
			     "0x%llx to 0x%llx of the disk are lost, and read "
			     "as %s when repaired", ULL(i),
			     ULL(x->start + i * x->t.gt_covers),
			     ULL(x->start + min_u64(x->t.capacity, (i + 1) *
						    x->t.gt_covers)),
			     c->s->d.parent_cid == VMDK_CID_NONE
			     ? "zeroes" : "the parent");
		return 0;
	}
	vcheck_found(c, vcheck_restore_table(c, bad ? x->t.gd : x->t.rgd, i,
					     bad ? two : one),
		     "the %s directory has lost grain table %llu",
		     bad ? "first" : "second", ULL(i));
	return bad ? two : one;
}

static void walk_tables(struct vcheck *c)
{
	const struct vmdk_tables *t = &c->x->t;

	for (uint64_t i = 0; i < t->n_gdes; i++) {
		uint64_t table = find_tables(c, i);

		if (!table)
			continue;
		for (uint32_t k = 0; k < t->n_gtes; k++) {
			uint64_t rel = i * t->gt_covers + (uint64_t)k * t->grain;

			if (rel >= t->capacity)
				break;
			check_entry(c, table, k, rel);
		}
	}
}

/* Grains that nothing points to: a write that was broken off, or what another
 * product has left.  QEMU leaves one wherever it zeroes a grain, and calls such a
 * disk clean; so those in the middle count only for whoever wants them back.
 */
static void count_leaks(struct vcheck *c)
{
	const struct vmdk_tables *t = &c->x->t;
	uint64_t end = img_length(c->x->file), n = c->gaps;

	if (n && c->out->fix_leaks) {
		vcheck_punch_gaps(c);
		c->out->leaks += n;
		c->out->leaks_fixed += n - min_u64(n, c->gaps);
	}
	if (end < c->used_end)
		return;
	n = (end - c->used_end) / t->grain;
	if (!n)
		return;
	c->out->leaks += n;
	if (vcheck_cut_tail(c)) {
		uint64_t now = img_length(c->x->file);

		c->out->leaks_fixed += min_u64(n, div_round_up(end - now,
							       t->grain));
	}
}

/* Does the part of the disk that the descriptor leaves out hold anything? */
static bool has_more(struct vcheck *c)
{
	struct vmdk_extent *x = c->x;
	uint64_t from = round_up(x->len, x->t.grain), table, host;
	enum vmdk_kind kind;

	for (uint64_t rel = from; rel < x->t.capacity; rel += x->t.grain) {
		uint64_t i = rel / x->t.gt_covers;

		if (vmdk_table_at(c->s, x, x->t.gd, i, &table))
			return true;
		if (!table)
			rel = (i + 1) * x->t.gt_covers - x->t.grain;
		else if (vmdk_entry_at(c->s, x, table, (uint32_t)
				       (rel % x->t.gt_covers / x->t.grain),
				       rel, &kind, &host) || host)
			return true;
	}
	return false;
}

/* An extent that is larger than the descriptor says is left from growing it,
 * when nothing is there; else the descriptor may be another disk's, or older.
 * Of a file that holds its own descriptor, the header counts.
 */
static void check_size(struct vcheck *c)
{
	struct vmdk_extent *x = c->x;
	uint64_t said = x->line ? x->line->sectors * VMDK_SECTOR : 0;
	uint64_t has = x->t.capacity;

	if (!x->line || (has > said ? has - said : said - has) < x->t.grain)
		return;
	if (!x->owned && x->len == has)
		vcheck_found(c, vcheck_rewrite_descriptor(c), "the header says "
			     "%llu sectors, and the descriptor %llu",
			     ULL(has / VMDK_SECTOR), ULL(said / VMDK_SECTOR));
	else if (has_more(c))
		vcheck_found(c, false, "the extent has %llu sectors with data, "
			     "and the descriptor says %llu: it may be older "
			     "than the extent, or another disk's",
			     ULL(has / VMDK_SECTOR), ULL(said / VMDK_SECTOR));
	else
		vcheck_found(c, vcheck_shorten(c), "the extent has %llu "
			     "sectors, and the descriptor says %llu",
			     ULL(has / VMDK_SECTOR), ULL(said / VMDK_SECTOR));
}

static void check_header(struct vcheck *c)
{
	struct vmdk_extent *x = c->x;
	const struct vmdk_tables *t = &x->t;

	if (t->kind == VMDK_HOSTED && t->h.flags & VMDK_FLAG_RGD && !t->rgd &&
	    !t->compressed && t->n_gdes)
		vcheck_found(c, vcheck_only_one_directory(c), "one of the "
			     "grain directories is not inside the file");
	check_size(c);
}

/* It is closed when nothing else is wrong. */
static int check_unclean(struct vcheck *c)
{
	struct vmdk_extent *x = c->x;
	bool fix = c->out->fix_errors && !c->left && !c->out->check_errors;
	int rc = 0;

	if (!x->t.h.unclean || x->t.kind != VMDK_HOSTED)
		return 0;
	if (fix)
		rc = vmdk_put_unclean(x, false);
	if (fix && !rc) {
		vmdk_touch(x);
		x->t.h.unclean = false;
	}
	vcheck_found(c, fix && !rc, "it was not shut down cleanly");
	return rc;
}

static int check_extent(struct vcheck *c)
{
	struct vmdk_extent *x = c->x;
	uint64_t grains = div_round_up(x->t.capacity, x->t.grain);
	int rc;

	c->last = 0;
	c->used_end = max_u64(x->t.h.overhead * VMDK_SECTOR,
			      max_u64(x->t.gd, x->t.rgd) + x->t.n_gdes *
			      x->t.entry_size);
	c->out->has_cluster_counts = true;
	c->out->total_clusters += grains;
	pthread_mutex_lock(&c->s->lock);
	check_header(c);
	walk_tables(c);
	vcheck_overlaps(c);
	pthread_mutex_unlock(&c->s->lock);
	rc = vmdk_flush_all(c->s);
	if (rc)
		return rc;
	pthread_mutex_lock(&c->s->lock);
	if (x->t.kind == VMDK_HOSTED && !x->t.compressed &&
	    !c->out->check_errors && !c->out->corruptions)
		count_leaks(c);
	rc = check_unclean(c);
	pthread_mutex_unlock(&c->s->lock);
	c->used_end = min_u64(c->used_end, img_length(x->file));
	c->out->image_end_offset = max_u64(c->out->image_end_offset,
					   c->used_end);
	return rc;
}

/* "disk-s002.vmdk" -> 2, and how long is what comes before; 0: it is not of
 * those.
 */
static unsigned long number_of(const char *name, size_t *stem)
{
	const char *dot = name ? strrchr(name, '.') : NULL, *p = dot;

	while (p && p > name && p[-1] >= '0' && p[-1] <= '9')
		p--;
	if (!p || dot - p < 3 || dot - p > 6)
		return 0;
	*stem = (size_t)(p - name);
	return strtoul(p, NULL, 10);
}

/* The names say the order of a disk's pieces. */
static void check_order(struct vcheck *c)
{
	const struct vmdk_descriptor *d = &c->s->d;

	for (size_t i = 1; i < d->n_extents && vmdk_is_split(c->s); i++) {
		const char *a = d->extents[i - 1].name, *b = d->extents[i].name;
		size_t stem, stem2;
		unsigned long one = number_of(a, &stem);
		unsigned long two = number_of(b, &stem2);

		if (one && two && stem == stem2 && !strncmp(a, b, stem) &&
		    two <= one)
			vcheck_found(c, false, "the descriptor names '%s' "
				     "behind '%s'", b, a);
	}
}

int vmdk_check(struct img *img, struct img_check *check, struct err *e)
{
	struct vcheck c = { .s = img->state, .out = check };
	int rc = img->flags & IMG_WRITE ? vmdk_flush(img) : 0;

	check_order(&c);
	for (size_t i = 0; i < c.s->n_extents && !rc; i++) {
		c.x = &c.s->extents[i];
		if (c.x->storage != VMDK_ZEROES && !c.x->file)
			vcheck_found(&c, false, "extent %zu: %s", i,
				     c.x->missing ? c.x->missing : "missing");
		else if (c.x->storage == VMDK_SPARSE)
			rc = check_extent(&c);
	}
	if (!rc && img->flags & IMG_WRITE)
		rc = vmdk_flush_all(c.s);
	return rc ? fail_rc(e, rc, "%s: checking failed", img->name) : 0;
}
