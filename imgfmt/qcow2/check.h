/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.h - what the files of qcow2's check and repair share.
 *
 * References to host clusters are counted in windows: arrays that cover as many
 * clusters as fit in a fixed amount of memory.  One pass walks all tables once
 * for each window that anything refers to; images of usual sizes need one.
 *
 * A table that is used more than once is walked once with a weight, so that
 * time is linear in the metadata whatever it says.
 *
 * The check reads the layer below and never the driver's state.  One thread.
 */
#ifndef QCOW2_CHECK_H
#define QCOW2_CHECK_H

#include "qcow2.h"

/* What a cluster is used as. */
#define KIND_FIXED	0x01u	/* header, active L1, refcount table, LUKS
				 * header: written in place */
#define KIND_REFBLOCK	0x02u
#define KIND_L2		0x04u
#define KIND_TABLE	0x08u	/* snapshots and their L1, bitmaps */
#define KIND_DATA	0x10u
#define KIND_NEW	0x20u	/* where the repair is going to write */
#define KIND_JUDGED	0x40u	/* L2 table whose COPIED flags were seen */

/* Values of window.disk that are none. */
#define DISK_LARGE	254u	/* this or more: see check_disk_refcount() */
#define DISK_ERROR	255u	/* the refcount block cannot be read */

/* Clusters a window holds: 60 MiB of counters. */
#define CHECK_WINDOW	(20ull << 20)

struct big_count {
	uint64_t cluster, refs;		/* refs 0: free slot */
};

struct window {
	uint64_t first, n;		/* clusters; first is a multiple of what
					 * a refcount block covers */
	uint64_t room;			/* clusters the arrays have */
	uint8_t *refs;			/* references; 255: see big */
	uint8_t *disk;			/* refcount in the file */
	uint8_t *kinds;			/* KIND_* */
	struct big_count *big;		/* a hash table of 2^n slots */
	size_t n_big, big_slots;
};

/* An L1 table, or the table of a bitmap, and how often it is used. */
struct span {
	uint64_t offset, len;		/* bytes, multiples of 8 */
	bool active;			/* the active L1 table */
};

/* An L2 table and how many L1 entries refer to it. */
struct l2_ref {
	uint64_t offset;
	uint64_t others;		/* from snapshots */
	uint32_t active;		/* from the active L1 table */
	uint32_t index;			/* the first of those */
};

/* Disjoint ranges of the file, sorted. */
struct guards {
	struct span *list;
	size_t n, cap;
};

/* Data clusters that share a cluster with metadata and move to [first, first +
 * n), the i-th with a refcount of weights[i].
 */
struct moves {
	uint64_t first;			/* cluster */
	uint32_t n, done;
	uint64_t *weights;
	bool planning;			/* only fill in n and weights */
	bool active;			/* a walk that moves (or plans) */
};

struct qcheck {
	struct img *file;		/* the layer below */
	struct qcow2_header h;
	struct img_check *out;		/* counts and lines go there */
	uint64_t file_len;		/* bytes, rounded up to sectors */
	uint64_t n_clusters;		/* of the file, see check_reference() */
	uint64_t table_clusters;	/* what the windows cover */
	uint64_t highest;		/* last cluster in use */

	uint64_t *reftable;		/* host byte order */
	uint64_t n_reftable;		/* entries */
	struct qcow2_snapshot *snapshots;
	uint64_t snapshots_len;		/* of the table, bytes */
	uint64_t n_incomplete;		/* entries that lack extra data */
	struct span *l1s, *bitmaps;
	size_t n_l1s, n_bitmaps;

	uint64_t window_wanted;		/* clusters, as the caller said */
	uint64_t room_for;		/* clusters beyond the end of the file
					 * that windows are to cover */
	uint64_t window_len;		/* clusters */
	struct window w;
	uint8_t *touched;		/* a byte for each window */
	uint64_t n_windows;
	struct l2_ref *l2s;		/* collected, not yet visited */
	size_t n_l2s, cap_l2s;
	uint8_t *l2_buf;		/* one cluster */
	uint8_t *chunk;			/* CHECK_CHUNK bytes for other tables */
	uint64_t hole_start, hole_end;	/* zeroes in the file, */
	uint64_t data_start, data_end;	/* and what is not */
	bool density_known, dense;	/* hardly any holes at all */
	uint8_t sector[512];		/* of a refcount block */
	uint64_t sector_offset;		/* UINT64_MAX: none */

	/* How to walk. */
	bool first;			/* the first window of a pass */
	bool quiet;			/* count and report nothing, */
	bool judge_copied;		/* ... but for COPIED flags */
	bool silent;			/* count, but report nothing */
	bool announce;			/* say which refcounts are repaired */
	bool announce_errors;		/* ... or only those too high */
	bool no_refcounts;		/* pretend there are none */
	bool fix_entries;		/* repair entries by themselves */
	bool fix_copied;		/* repair COPIED flags */
	uint64_t new_first, new_n;	/* clusters for a new snapshot table */
	uint64_t own_first, own_n;	/* for new refcount structures */

	struct moves moves;

	/* What was found. */
	bool overlaps;			/* data and metadata share clusters */
	bool rebuild;			/* repair in place is impossible */
	bool wrong_refcounts;
	bool wrong_copied;		/* to be judged when nothing else is
					 * left to be found */

	/* Metadata that must not be written by way of a table that overlaps
	 * it: L1 tables, and the rest.
	 */
	struct guards l1_guards, guards;
};

#define CHECK_CHUNK (64u << 10)

/* L2 tables collected from L1 entries before they are visited: 12 MiB. */
#define CHECK_L2S (512u << 10)

/* check.c */

/* As qcow2_check(), with windows of about `window` clusters. */
int qcow2_check_windows(struct img *img, struct img_check *check,
			uint64_t window, struct err *e);

/* Count `n` in *count and report the line, unless the pass is quiet. */
void check_finding(struct qcheck *c, uint64_t *count, uint64_t n,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same for a COPIED flag.  It follows from a refcount, so that it is judged
 * in a pass of its own, after refcounts are reported or repaired, which is the
 * time to call this; other passes only note c->wrong_copied.
 */
void check_wrong_copied(struct qcheck *c, uint64_t n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A pass for COPIED flags; with c->fix_copied it repairs them. */
int check_judge_copied(struct qcheck *c, struct err *e);

/* Report "Repairing cluster" for wrong refcounts, all or those too high. */
int check_announce(struct qcheck *c, bool errors, struct err *e);

/* Report a line that is no finding. */
void check_say(struct qcheck *c, const char *line);

/* Read what the file has, zeroes beyond its end. */
int check_read(struct qcheck *c, void *buf, size_t len, uint64_t offset);

/* Do these bytes lie in a hole of the file?  A quick answer, so false may be
 * wrong.
 */
bool check_is_hole(struct qcheck *c, uint64_t offset, uint64_t len);

/* check_load.c: read header, tables of tables and sizes anew. */
int check_load(struct qcheck *c, struct err *e);
void check_unload(struct qcheck *c);

/* check_count.c */

int window_alloc(struct qcheck *c, struct err *e);
void window_free(struct window *w);
/* Empty it, place it, and read the refcounts in the file. */
int window_load(struct qcheck *c, uint64_t first);

/* Something uses these bytes, `weight` times.  Beyond the end of the file that
 * is a finding, except for a part of the last cluster, which then counts as
 * existing.
 */
int check_reference(struct qcheck *c, uint64_t offset, uint64_t len,
		    uint64_t weight, unsigned kind);
bool check_in_file(const struct qcheck *c, uint64_t offset, uint64_t len);
int check_count(struct qcheck *c, uint64_t offset, uint64_t len,
		uint64_t weight, unsigned kind);

/* References to a cluster of the window, at most h->refcount_max; *over is what
 * went beyond that.
 */
uint64_t window_refs(const struct qcheck *c, uint64_t cluster, uint64_t *over);

/* The refcount of any cluster as the file has it; -EIO: it has none. */
int check_disk_refcount(struct qcheck *c, uint64_t cluster, uint64_t *refcount);

/* Is the refcount in the file exactly one?  1, 0, or -1: not known or not to be
 * asked in this window.
 */
int check_is_one(struct qcheck *c, uint64_t cluster);

/* check_walk.c: count all references, and find what is wrong with entries. */
int check_walk(struct qcheck *c, struct err *e);

/* Only L1 and L2 tables. */
int check_walk_l1s(struct qcheck *c);

/* Walk for all windows that matter; `done` looks at each afterwards. */
int check_pass(struct qcheck *c, int (*done)(struct qcheck *c, void *arg),
	       void *arg, struct err *e);

/* check_l2.c */
int check_l2_table(struct qcheck *c, const struct l2_ref *ref);

/* check_span.c: visit every part of some spans once, with the number of spans
 * that cover it.  With `unit` their ends are rounded to it.
 */
typedef int span_fn(struct qcheck *c, uint64_t offset, uint64_t len,
		    uint64_t active, uint64_t others);
int span_sweep(struct qcheck *c, const struct span *spans, size_t n,
	       uint64_t unit, span_fn *fn);

/* repair.c */

/* Repair what c->out asks for and `c` has found; check again afterwards. */
int check_repair(struct qcheck *c, struct err *e);

/* Unknown autoclear features do not survive a program that may change the image
 * and does not know them.
 */
int check_clear_autoclear(struct qcheck *c, struct err *e);

/* The image is clean: clear the dirty and the corrupt bit. */
int check_mark_clean(struct qcheck *c, struct err *e);

/* A few bytes of the header, within a sector, on the disk before and after. */
int check_patch_header(struct qcheck *c, const void *bytes, size_t len,
		       unsigned offset, struct err *e);

/* repair_guard.c */
int guards_build(struct qcheck *c);
void guards_free(struct guards *g);
/* May an L2 table at `offset` be written, or an entry of an L1 table? */
bool check_may_write_l2(const struct qcheck *c, uint64_t offset);
bool check_may_write_l1(const struct qcheck *c, uint64_t offset);

/* repair_move.c */

/* Does this data cluster of the window overlap metadata? */
bool check_must_move(const struct qcheck *c, uint64_t offset);
/* Copy it to the next free place, and change the L2 entry. */
int check_move(struct qcheck *c, uint64_t *entry, uint64_t weight, bool *dirty);
int check_plan_moves(struct qcheck *c, struct err *e);
int check_make_moves(struct qcheck *c, struct err *e);
/* Count the places that are reserved and not yet used. */
int check_count_moves(struct qcheck *c);

/* repair_rebuild.c: new refcount structures at the end of the file. */
int check_rebuild(struct qcheck *c, struct err *e);

/* repair_snapshots.c: a snapshot table as version 3 wants it. */
struct new_table {
	uint8_t *data;
	size_t len, cap;
};
int check_new_snapshots(struct qcheck *c, struct new_table *t, struct err *e);

#endif
