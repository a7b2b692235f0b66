/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c - check a qcow2 image: compare what refers to each host cluster with
 * its refcount, and count what is wrong.
 *
 * The counts are those of qemu-img check, with a few findings of our own that it
 * does not make: metadata that shares a cluster with something else though the
 * refcount says so, the zero flag where there is none, offsets that a raw
 * external data file may not have, bad entries of bitmap tables.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

void check_say(struct qcheck *c, const char *line)
{
	if (c->out->report && !c->silent)
		c->out->report(c->out->arg, line);
}

static void __attribute__((format(printf, 4, 0)))
finding(struct qcheck *c, uint64_t *count, uint64_t n, const char *fmt,
	va_list args)
{
	char line[512], times[40] = "";

	if (!add_ok(*count, n, count))
		*count = UINT64_MAX;
	if (!c->out->report || c->silent)
		return;
	vsnprintf(line, sizeof(line) - sizeof(times), fmt, args);
	if (n > 1)
		snprintf(times, sizeof(times), " (%" PRIu64 " times)", n);
	strcat(line, times);
	check_say(c, line);
}

void check_finding(struct qcheck *c, uint64_t *count, uint64_t n,
		   const char *fmt, ...)
{
	va_list args;

	if (c->quiet)
		return;
	va_start(args, fmt);
	finding(c, count, n, fmt, args);
	va_end(args);
}

void check_wrong_copied(struct qcheck *c, uint64_t n, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	finding(c, &c->out->corruptions, n, fmt, args);
	va_end(args);
}

int check_read(struct qcheck *c, void *buf, size_t len, uint64_t offset)
{
	uint64_t length = img_length(c->file);
	size_t have = offset < length ?
		      (size_t)min_u64(len, length - offset) : 0;
	int rc = have ? img_read(c->file, buf, have, offset) : 0;

	memset((uint8_t *)buf + have, 0, len - have);
	return rc;
}

/* Has the file so few holes that looking for them is a waste?  A kernel finds
 * the end of a long stretch of data slowly, tmpfs page by page.
 */
static bool is_dense(struct qcheck *c, uint64_t length)
{
	uint64_t used;

	if (!c->density_known) {
		c->density_known = true;
		c->dense = !img_host_usage(c->file, &used) &&
			   used >= length - length / 8;
	}
	return c->dense;
}

bool check_is_hole(struct qcheck *c, uint64_t offset, uint64_t len)
{
	struct img_extent ext;
	uint64_t end;

	if (offset >= c->file_len || !add_ok(offset, len, &end))
		return true;
	end = min_u64(end, c->file_len);
	if (offset >= c->data_start && offset < c->data_end)
		return false;
	if (offset < c->hole_start || offset >= c->hole_end) {
		uint64_t length = img_length(c->file);

		if (offset >= length || is_dense(c, length) ||
		    img_map(c->file, offset, length - offset, &ext))
			return false;
		if (!(ext.flags & IMG_EXT_ZERO)) {
			c->data_start = offset;
			c->data_end = offset + ext.len;
			return false;
		}
		c->hole_start = offset;
		c->hole_end = offset + ext.len;
		if (c->hole_end == length)
			c->hole_end = UINT64_MAX;
	}
	return end <= c->hole_end;
}

/* Comparing. */

static const char *kind_name(unsigned kind)
{
	return kind & KIND_FIXED ? "header, L1, refcount table or LUKS header" :
	       kind & KIND_REFBLOCK ? "refcount block" :
	       kind & KIND_L2 ? "L2 table" :
	       kind & KIND_TABLE ? "snapshot or bitmap table" : "data";
}

/* Metadata shared with something else, though the refcount knows it. */
static void find_overlap(struct qcheck *c, uint64_t cluster, uint64_t disk,
			 uint64_t refs, uint64_t over)
{
	unsigned kinds = c->w.kinds[cluster - c->w.first];
	unsigned rest = kinds & (kinds - 1);

	if (kinds & KIND_DATA && rest)
		c->overlaps = true;
	if (disk < refs || over)
		return;			/* counted as a refcount */
	if (kinds & KIND_REFBLOCK && refs > 1)
		return;			/* counted with the refcount block */
	if (rest)
		check_finding(c, &c->out->corruptions, 1, "ERROR cluster %"
			      PRIu64 " overlap: used as %s and as %s", cluster,
			      kind_name(kinds), kind_name(rest));
	else if (kinds & KIND_FIXED && refs > 1)
		check_finding(c, &c->out->corruptions, 1, "ERROR cluster %"
			      PRIu64 " overlap: used %" PRIu64 " times as %s",
			      cluster, refs, kind_name(kinds));
}

static void wrong_refcount(struct qcheck *c, uint64_t cluster, uint64_t disk,
			   uint64_t refs)
{
	check_finding(c, disk > refs ? &c->out->leaks : &c->out->corruptions, 1,
		      "%s cluster %" PRIu64 " refcount=%" PRIu64 " reference=%"
		      PRIu64, disk > refs ? "Leaked" : "ERROR", cluster, disk,
		      refs);
	c->wrong_refcounts = true;
}

static void compare_cluster(struct qcheck *c, uint64_t cluster)
{
	uint64_t over, disk = c->w.disk[cluster - c->w.first];
	uint64_t refs = window_refs(c, cluster, &over);

	if (over)
		check_finding(c, &c->out->corruptions, over,
			      "ERROR: overflow cluster offset=0x%" PRIx64,
			      cluster << c->h.cluster_bits);
	if (disk == DISK_ERROR) {
		c->rebuild = true;
		check_finding(c, &c->out->check_errors, 1,
			      "Can't get refcount for cluster %" PRIu64
			      ": Input/output error", cluster);
		return;
	}
	if (disk == DISK_LARGE)
		check_disk_refcount(c, cluster, &disk);
	c->highest = max_u64(c->highest, cluster);
	if (disk != refs)
		wrong_refcount(c, cluster, disk, refs);
	find_overlap(c, cluster, disk, refs, over);
}

/* What is about to happen to a refcount; it was counted before. */
static void announce_cluster(struct qcheck *c, uint64_t cluster)
{
	uint64_t over, disk = c->w.disk[cluster - c->w.first];
	uint64_t refs = window_refs(c, cluster, &over);
	char line[160];
	bool fix;

	if (disk == DISK_ERROR ||
	    c->w.kinds[cluster - c->w.first] & KIND_NEW)
		return;
	if (disk == DISK_LARGE)
		check_disk_refcount(c, cluster, &disk);
	if (disk == refs || (disk < refs && !c->announce_errors))
		return;
	fix = disk > refs ? c->out->fix_leaks : c->out->fix_errors;
	snprintf(line, sizeof(line), "%s cluster %" PRIu64 " refcount=%" PRIu64
		 " reference=%" PRIu64, fix ? "Repairing" : disk > refs ?
		 "Leaked" : "ERROR", cluster, disk, refs);
	check_say(c, line);
}

static int compare_window(struct qcheck *c, void *arg)
{
	struct window *w = &c->w;
	uint64_t n = min_u64(w->n, c->n_clusters - min_u64(c->n_clusters,
							   w->first));

	(void)arg;
	for (uint64_t i = 0; i < n; i++) {
		size_t part = (size_t)min_u64(4096, n - i);

		if (!(i % 4096) && bytes_are_zero(w->refs + i, part) &&
		    bytes_are_zero(w->disk + i, part))
			i += part - 1;
		else if (w->refs[i] != w->disk[i] || w->refs[i] > 1 ||
			 w->kinds[i] & (w->kinds[i] - 1))
			c->announce ? announce_cluster(c, w->first + i) :
				      compare_cluster(c, w->first + i);
		else if (w->refs[i])
			c->highest = max_u64(c->highest, w->first + i);
	}
	return 0;
}

static void reset_counts(struct qcheck *c)
{
	struct img_check *out = c->out;

	out->corruptions = out->leaks = out->check_errors = 0;
	out->allocated_clusters = out->compressed_clusters = 0;
	out->fragmented_clusters = out->total_clusters = 0;
	c->highest = 0;
	c->wrong_refcounts = c->wrong_copied = false;
}

int check_announce(struct qcheck *c, bool errors, struct err *e)
{
	int rc;

	if (!c->out->report)
		return 0;
	c->announce = true;
	c->announce_errors = errors;
	rc = check_pass(c, compare_window, NULL, e);
	c->announce = false;
	return rc;
}

int check_judge_copied(struct qcheck *c, struct err *e)
{
	bool quiet = c->quiet;
	int rc;

	c->quiet = c->judge_copied = true;
	rc = check_pass(c, NULL, NULL, e);
	c->quiet = quiet;
	c->judge_copied = false;
	return rc;
}

/* With `judge`, COPIED flags are judged by the refcounts there are now. */
static int check_once(struct qcheck *c, bool judge, struct err *e)
{
	int rc;

	reset_counts(c);
	rc = check_load(c, e);
	if (!rc)
		rc = check_pass(c, compare_window, NULL, e);
	if (!rc && judge && c->wrong_copied)
		rc = check_judge_copied(c, e);
	if (rc)
		return rc;
	c->out->has_cluster_counts = true;
	c->out->total_clusters = div_round_up(round_up(c->h.size, 512),
					      c->h.cluster_size);
	c->out->image_end_offset = (c->highest + 1) << c->h.cluster_bits;
	return 0;
}

/* Repair, and count what is left. */
static int repair(struct qcheck *c, struct err *e)
{
	struct img_check *out = c->out, found;
	int rc = check_repair(c, e);

	found = *out;
	out->fix_leaks = out->fix_errors = false;
	c->room_for = 0;
	c->silent = true;
	if (!rc)
		rc = check_once(c, true, e);
	c->silent = false;
	out->fix_leaks = found.fix_leaks;
	out->fix_errors = found.fix_errors;
	if (!rc && found.corruptions > out->corruptions)
		out->corruptions_fixed = found.corruptions - out->corruptions;
	if (!rc && found.leaks > out->leaks)
		out->leaks_fixed = found.leaks - out->leaks;
	return rc;
}

static int check_and_repair(struct qcheck *c, struct err *e)
{
	struct img_check *out = c->out;
	bool fix = out->fix_leaks || out->fix_errors;
	int rc = check_once(c, !fix, e);

	if (rc || !fix)
		return rc;
	rc = check_clear_autoclear(c, e);
	if (!rc && (out->corruptions || out->leaks || out->check_errors ||
		    c->wrong_copied))
		rc = repair(c, e);
	if (!rc && !out->corruptions && !out->check_errors)
		rc = check_mark_clean(c, e);
	return rc;
}

int qcow2_check_windows(struct img *img, struct img_check *check,
			uint64_t window, struct err *e)
{
	struct qcheck c = {
		.file = img->below, .out = check, .window_wanted = window,
	};
	int rc;

	check->corruptions_fixed = check->leaks_fixed = 0;
	rc = img->flags & IMG_WRITE ? img_flush(img) : 0;
	if (rc)
		return fail_rc(e, rc, "the image could not be flushed");
	rc = check_and_repair(&c, e);
	check_unload(&c);
	free(c.moves.weights);
	if (check->fix_leaks || check->fix_errors) {
		int rc2 = qcow2_reload(img, rc ? NULL : e);

		rc = rc ? rc : rc2;
	}
	return rc;
}

int qcow2_check(struct img *img, struct img_check *check, struct err *e)
{
	return qcow2_check_windows(img, check, CHECK_WINDOW, e);
}
