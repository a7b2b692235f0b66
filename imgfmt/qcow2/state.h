/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.h - an open qcow2 image, and what the files of the driver offer each
 * other.
 *
 * Locks, in this order:
 *   s->ranges  guest ranges, whole clusters.  Reading and writing in place take
 *              a range shared; whatever changes what a cluster's entry says
 *              takes it exclusive.  So no host cluster is freed under a reader.
 *   s->lock    the metadata: L1, refcount table, both caches.  Held for reading
 *              and writing metadata, never while guest data moves.
 * Functions whose comment says "locked" are called with s->lock held.
 */
#ifndef QCOW2_STATE_H
#define QCOW2_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "imgfmt/rangelock.h"
#include "qcow2.h"

/* The caches hold pieces ("units") of tables: a whole cluster, or 64 KiB of it
 * where clusters are larger.
 */
#define QCOW2_MAX_UNIT		65536u
#define QCOW2_L2_CACHE		(16u << 20)	/* bytes */
#define QCOW2_BLOCK_CACHE	(4u << 20)	/* bytes */

/* An operation takes at most this much of a guest range at a time, so that what
 * it adds to the caches is bounded.
 */
#define QCOW2_PIECE		(16u << 20)	/* bytes */

struct qcow2_unit {
	uint64_t offset;		/* host */
	uint8_t *data;
	bool dirty;
	bool fresh;			/* of an L2 table that no L1 on disk
					 * refers to yet */
	struct qcow2_unit *next;	/* in its hash chain */
	struct qcow2_unit *newer, *older;
};

struct qcow2_cache {
	uint32_t unit;			/* bytes */
	uint32_t limit;			/* units */
	uint32_t n, n_dirty;
	uint32_t hash_mask;
	struct qcow2_unit **hash;
	struct qcow2_unit *newest, *oldest;
};

/* Host clusters to be freed by the next flush. */
struct qcow2_freed {
	uint64_t cluster, n;		/* index, count */
	bool discard;			/* give the space back to the host */
};

struct inflate;				/* imgfmt/inflate.h */

struct qcow2 {
	struct img *img;
	struct img *file;		/* metadata, and data unless ... */
	struct img *data;		/* ... this is another layer; NULL when
					 * an external file is missing */
	struct qcow2_header h;
	uint32_t sub_size;		/* bytes: a subcluster, or a cluster */
	bool snapshot;			/* shows an internal snapshot */
	bool loaded;			/* tables are in memory */
	struct rangelock ranges;
	struct inflate *inflate;

	pthread_mutex_t lock;
	/* Under lock. */
	uint64_t *l1;
	uint32_t l1_size;		/* entries */
	uint8_t *l1_dirty;		/* one byte for 64 entries */
	bool l1_any_dirty;
	bool l1_moved;			/* h.l1_offset is not yet in the file's
					 * header */

	uint64_t *reftable;
	uint64_t reftable_size;		/* entries */
	uint64_t reftable_lo, reftable_hi;	/* dirty entries */
	bool reftable_moved;		/* h.reftable_offset is not yet in the
					 * file's header */
	uint32_t *hint;			/* per block: no free cluster below */
	uint64_t first_block;		/* blocks below have none free */

	struct qcow2_cache l2, blocks;
	struct qcow2_freed *freed;	/* quarantine, see flush.c */
	size_t n_freed, freed_cap;
	uint64_t n_freed_clusters;

	uint64_t compressed_next;	/* host offset behind the last stream */
	bool compressed_tail;		/* the file may end inside a sector */
	uint8_t *filter[2];		/* where tables are; guard.c */
	uint64_t filter_mask;

	bool size_changed;		/* h.size is perhaps not in the header */
	bool started;			/* written to since it was opened */
	bool broken;			/* marked corrupt: no more writing */
	unsigned break_invariant;	/* for the power-cut test; flush.c */

	_Atomic uint64_t unflushed;	/* bytes of data */
	_Atomic uint64_t data_len;	/* s->data is at least this long */
	_Atomic int sparse;		/* is the file: 1 yes, -1 no, 0 unknown */
	struct qcow2_snapshot *snapshots;
	uint64_t snapshot_table_len;
};

static inline uint64_t qcow2_cluster_of(const struct qcow2 *s, uint64_t offset)
{
	return offset >> s->h.cluster_bits;
}

static inline uint64_t qcow2_cluster_start(const struct qcow2 *s, uint64_t offset)
{
	return round_down(offset, s->h.cluster_size);
}

/* Does a hole read as zeroes, now and for whoever opens the image later? */
static inline bool qcow2_holes_are_zero(const struct qcow2 *s)
{
	return !s->img->backing && !s->h.backing_name;
}

/* cache.c; all locked.  A unit stays valid until the second next get or insert
 * on the same cache.
 */
int qcow2_cache_init(struct qcow2_cache *c, uint32_t cluster_size,
		     uint32_t limit_bytes);
void qcow2_cache_fini(struct qcow2_cache *c);
int qcow2_cache_get(struct qcow2 *s, struct qcow2_cache *c, uint64_t offset,
		    struct qcow2_unit **out);
/* A new unit of zeroes, dirty; replaces one that is there. */
int qcow2_cache_insert(struct qcow2_cache *c, uint64_t offset, bool fresh,
		       struct qcow2_unit **out);
void qcow2_cache_dirty(struct qcow2_cache *c, struct qcow2_unit *unit);
/* Forget units in [offset, offset + len), dirty or not. */
void qcow2_cache_drop(struct qcow2_cache *c, uint64_t offset, uint64_t len);
/* Write dirty units, in order of their offsets: only the fresh ones, or only
 * the others.  They are clean afterwards.
 */
int qcow2_cache_write(struct qcow2 *s, struct qcow2_cache *c, bool fresh);
void qcow2_cache_settle(struct qcow2_cache *c);	/* nothing is fresh any more */

/* guard.c: what may be written where.  All locked. */
int qcow2_guard_init(struct qcow2 *s);
enum qcow2_table { QCOW2_TABLE_L2, QCOW2_TABLE_BLOCK };
void qcow2_guard_add(struct qcow2 *s, enum qcow2_table sort, uint64_t offset);
/* -EUCLEAN, and the image is marked corrupt, if [host, host + len) touches
 * metadata.
 */
int qcow2_guard_data(struct qcow2 *s, uint64_t host, uint64_t len);
/* The same for a unit of a table: it may not touch header, L1 or the refcount
 * table, nor tables of the other sort.
 */
int qcow2_guard_table(struct qcow2 *s, const struct qcow2_cache *c,
		      uint64_t offset);
/* Mark the image corrupt if it is open for writing; returns -EUCLEAN. */
int qcow2_corrupt(struct qcow2 *s);
/* Before the first change: clear autoclear bits.  Refuses on a broken image. */
int qcow2_start_writing(struct qcow2 *s);

/* refcount.c; all locked.  Clusters are given by index. */
int qcow2_refcount_load(struct qcow2 *s, uint64_t cluster, uint64_t *count);
/* Up to `want` free clusters in a row, refcounts set to one. */
int qcow2_alloc(struct qcow2 *s, uint64_t want, uint64_t *cluster, uint64_t *n);
/* Exactly `n` in a row, for tables. */
int qcow2_alloc_run(struct qcow2 *s, uint64_t n, uint64_t *cluster);
/* This cluster, if it is free: 0, -EEXIST if not. */
int qcow2_alloc_at(struct qcow2 *s, uint64_t cluster);
/* One more reference; -ERANGE if the width does not allow it. */
int qcow2_refcount_inc(struct qcow2 *s, uint64_t cluster);
/* Drop references that no table, in memory or on disk, has had. */
void qcow2_unalloc(struct qcow2 *s, uint64_t cluster, uint64_t n);
/* Drop references that tables on disk still have: by the next flush. */
int qcow2_free(struct qcow2 *s, uint64_t cluster, uint64_t n, bool discard);
/* ... which does it here. */
int qcow2_free_pending(struct qcow2 *s);

/* l2.c; all locked. */
struct qcow2_slot {			/* one L2 entry in the cache */
	struct qcow2_unit *unit;	/* NULL: there is no table */
	uint32_t pos;			/* bytes into the unit */
	uint64_t entry, bitmap;
};
int qcow2_l2_find(struct qcow2 *s, uint64_t guest, struct qcow2_slot *slot);
/* The same in a table that may be changed: allocated or copied if need be. */
int qcow2_l2_find_writable(struct qcow2 *s, uint64_t guest,
			   struct qcow2_slot *slot);
void qcow2_l2_set(struct qcow2 *s, struct qcow2_slot *slot, uint64_t entry,
		  uint64_t bitmap);
void qcow2_l1_set(struct qcow2 *s, uint32_t i, uint64_t entry);
/* Drop the host clusters of an entry that is no longer in its table. */
int qcow2_l2_free(struct qcow2 *s, uint64_t entry, bool discard);
/* Is the entry a host cluster of the active image's own? */
static inline bool qcow2_owns(const struct qcow2 *s, uint64_t entry)
{
	enum qcow2_kind kind = qcow2_kind(&s->h, entry);

	return (kind == QCOW2_KIND_DATA || kind == QCOW2_KIND_ZERO_ALLOC) &&
	       entry & QCOW2_COPIED;
}

/* What lies at a guest offset: bytes of one kind, in one piece on the host. */
struct qcow2_run {
	enum qcow2_kind kind;
	uint64_t len;			/* bytes, at most what was asked for */
	bool has_host;			/* a host cluster is kept for it */
	uint64_t host;			/* then: of the first byte */
	uint64_t entry;			/* COMPRESSED: one cluster only */
	bool in_place;			/* DATA that may be overwritten */
};
int qcow2_lookup(struct qcow2 *s, uint64_t guest, uint64_t len,
		 struct qcow2_run *run);

/* inflate.c: reading compressed clusters; any thread, not locked. */
int qcow2_inflate_read(struct qcow2 *s, uint64_t entry, void *buf, size_t len,
		       uint32_t offset_in_cluster);
/* The entry's clusters are being freed: what is remembered of it is void. */
void qcow2_inflate_forget(struct qcow2 *s, uint64_t entry);

/* read.c */
int qcow2_read(struct img *img, void *buf, size_t len, uint64_t offset);
int qcow2_readv(struct img *img, struct vec *at, size_t len, uint64_t offset);
int qcow2_map(struct img *img, uint64_t offset, uint64_t len,
	      struct img_extent *ext);
/* The guest's bytes through the backing chain, zeroes beyond the end; the
 * caller holds the range.
 */
int qcow2_read_guest(struct qcow2 *s, void *buf, size_t len, uint64_t offset);
int qcow2_locate(struct img *img, uint64_t offset, struct img_extent *ext);

/* write.c, zero.c */
int qcow2_write(struct img *img, const void *buf, size_t len, uint64_t offset);
int qcow2_write_held(struct qcow2 *s, const uint8_t *buf, size_t len,
		     uint64_t offset);	/* the range is held exclusive */
int qcow2_zero(struct img *img, uint64_t len, uint64_t offset, unsigned flags);
int qcow2_discard(struct img *img, uint64_t len, uint64_t offset);

/* compress.c */
int qcow2_codec_new(struct img *img, int level, void **codec, struct err *e);
void qcow2_codec_free(void *codec);
int qcow2_compress(void *codec, const void *src, size_t len, void *dst,
		   size_t *dst_len);
int qcow2_write_compressed(struct img *img, const void *data, size_t data_len,
			   uint64_t offset);

/* flush.c */
int qcow2_flush(struct img *img);
int qcow2_flush_locked(struct qcow2 *s);
/* Locked; before an operation adds to the caches: flush if they are full. */
int qcow2_make_room(struct qcow2 *s);
/* Make the driver violate invariant `n` of flush.c, 0: none.  For the power-cut
 * test.
 */
void qcow2_test_break(struct img *img, unsigned n);

/* tables.c: loading and unloading. */
int qcow2_tables_load(struct qcow2 *s, const char *snapshot, struct err *e);
void qcow2_tables_free(struct qcow2 *s);

/* info.c, create.c, measure.c, resize.c */
int qcow2_info(struct img *img, struct img_info *info, struct err *e);
extern const struct img_option qcow2_options[];
int qcow2_create(struct img *below, const struct img_create_args *args,
		 struct err *e);
int qcow2_measure(const struct img_create_args *args, struct img *src,
		  struct img_measure *out, struct err *e);
int qcow2_resize(struct img *img, uint64_t size, const char *preallocation,
		 struct err *e);

#endif
