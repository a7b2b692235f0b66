/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state.h - an open VMDK, and what the files of the driver offer each other.
 *
 * Locks, in this order:
 *   s->ranges  guest ranges, whole grains; only of an image open for writing.
 *              Reading takes a range shared; whatever changes what a grain's
 *              entry says takes it exclusive.
 *   s->flushing  one flush at a time.
 *   s->lock    the metadata: the cache of directories and tables.  Held for
 *              reading and writing metadata, never while guest data moves.
 * Functions whose comment says "locked" are called with s->lock held.
 */
#ifndef VMDK_STATE_H
#define VMDK_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "imgfmt/rangelock.h"
#include "vmdk.h"

#define VMDK_CACHE		(8u << 20)	/* bytes of tables */

enum vmdk_storage { VMDK_PLAIN, VMDK_ZEROES, VMDK_SPARSE };

struct vmdk_extent {
	const struct vmdk_extent_line *line;	/* NULL: no descriptor */
	enum vmdk_storage storage;
	uint64_t start, len;		/* in the guest, bytes */
	struct img *owned;		/* what the resolver gave, or NULL */
	struct img *file;		/* what is read: below the image itself,
					 * or of `owned`; NULL: missing */
	char *missing;			/* why, or NULL */
	uint64_t offset;		/* PLAIN: in the file, bytes */
	struct vmdk_tables t;		/* SPARSE */
	_Atomic uint64_t file_len;	/* the file is at least this long */
	atomic_bool touched;		/* written since the last flush */
	/* Of an image open for writing, under lock. */
	uint64_t next;			/* host: where the next grain goes */
	bool marked;			/* unclean, by us */
	uint64_t given_up;		/* for tests: host of a grain, or 0 */
};

/* A grain table, or a piece of a grain directory that is as long. */
struct vmdk_unit {
	struct vmdk_extent *x;
	uint64_t offset;		/* host */
	uint32_t len;			/* bytes */
	bool dirty;			/* not dropped until written */
	uint64_t second;		/* host: where the same goes again */
	uint64_t changes;		/* how often it was made dirty */
	uint8_t *data;
	struct vmdk_unit *next;		/* in its hash chain */
	struct vmdk_unit *newer, *older;
};

#define VMDK_HASH 1024u

struct vmdk_cache {
	struct vmdk_unit *hash[VMDK_HASH];
	struct vmdk_unit *newest, *oldest;
	size_t bytes;
};

struct inflate;				/* imgfmt/inflate.h */
struct vmdk_stream_out;			/* a stream being made; stream_write.c */
struct vmdk_forward;			/* one read in order; forward.c */

struct vmdk {
	struct img *img;
	struct img *file;		/* below: descriptor, extent, or both */
	struct vmdk_descriptor d;	/* empty where there is none */
	bool has_descriptor;
	uint64_t desc_offset;		/* where it begins in `file`, bytes */
	uint64_t desc_room;		/* what it may fill there, bytes */
	struct vmdk_extent *extents;	/* in the guest's order, no gaps */
	size_t n_extents;
	struct rangelock ranges;
	struct inflate *inflate;
	struct vmdk_stream_out *out;	/* or NULL */
	struct vmdk_forward *forward;	/* or NULL */
	struct img_resolver resolver;	/* of an image open for writing */

	pthread_mutex_t lock;
	pthread_mutex_t flushing;
	/* Under lock. */
	struct vmdk_cache cache;
	size_t dirty_bytes;
	bool changed;			/* it has a new content ID */
	int failed;			/* a flush has */
	unsigned break_invariant;	/* of flush.c, for tests; 0: none */
};

/* extents.c */
int vmdk_extents_open(struct vmdk *s, const struct img_open_args *args,
		      struct err *e);
void vmdk_extents_close(struct vmdk *s);
/* Open those that the descriptor has got since, with s->resolver; the last one
 * before them has `len` bytes by now.
 */
int vmdk_extents_add(struct vmdk *s, uint64_t len, struct err *e);
/* The one that holds a guest offset inside the image. */
struct vmdk_extent *vmdk_extent_at(struct vmdk *s, uint64_t offset);
int vmdk_host_usage(const struct img *img, uint64_t *bytes);
/* Is [host, host + len) inside the extent's file, which may have grown? */
bool vmdk_in_file(struct vmdk_extent *x, uint64_t host, uint64_t len);

/* cache.c; all locked.  A unit stays valid until the second next get. */
int vmdk_cache_get(struct vmdk *s, struct vmdk_extent *x, uint64_t offset,
		   uint32_t len, struct vmdk_unit **out);
void vmdk_cache_fini(struct vmdk_cache *c);

/* sparse.c */
enum vmdk_kind {
	VMDK_KIND_HOLE,			/* see the parent */
	VMDK_KIND_ZERO,
	VMDK_KIND_DATA,
	VMDK_KIND_COMPRESSED,
};

/* What lies at a guest offset: bytes of one kind, in one piece in a file. */
struct vmdk_run {
	enum vmdk_kind kind;
	struct vmdk_extent *x;
	uint64_t len;			/* bytes, at most what was asked for */
	uint64_t host;			/* DATA: of the first byte; COMPRESSED:
					 * of the grain, which is one only */
	uint64_t room;			/* COMPRESSED: likely length, or 0 */
};
int vmdk_lookup(struct vmdk *s, uint64_t offset, uint64_t len,
		struct vmdk_run *run);			/* locked */

/* Where grain table `i` lies by the directory at `gd` (t.gd or t.rgd): *table 0
 * if there is none.  -EUCLEAN: the entry cannot be right.
 */
int vmdk_table_at(struct vmdk *s, struct vmdk_extent *x, uint64_t gd,
		  uint64_t i, uint64_t *table);		/* locked */
/* What entry `i` of the table at `table` says, *host 0 but for grains stored;
 * -EUCLEAN as above.  `rel` is the grain's offset in the extent.
 */
int vmdk_entry_at(struct vmdk *s, struct vmdk_extent *x, uint64_t table,
		  uint32_t i, uint64_t rel, enum vmdk_kind *kind,
		  uint64_t *host);			/* locked */

/* tail.c: is a stream whole that has its directory in front?  Nothing at its
 * end says so.
 */
int vmdk_check_tail(struct vmdk *s, struct vmdk_extent *x, const char *name,
		    struct err *e);

/* A compressed grain is no longer: deflate adds little to what does not
 * shrink.  Bytes.
 */
static inline uint64_t vmdk_max_stream(const struct vmdk_tables *t)
{
	return 2ull * t->grain + 4096;
}

/* inflate.c: reading compressed grains; any thread, not locked. */
/* `rel` is the offset in the extent; does not leave the grain. */
int vmdk_inflate_read(struct vmdk *s, const struct vmdk_run *run, uint64_t rel,
		      void *buf, size_t len);

/* The bytes of a whole grain, the compressed ones of which are at hand.  `out`
 * has room for `grain` bytes, `need` of which must come.
 */
int vmdk_inflate_bytes(struct vmdk *s, const uint8_t *in, size_t len,
		       uint8_t *out, size_t grain, size_t need);

/* forward.c: reading a stream by its markers, in one pass.  Fills in x->t from
 * the header alone.  s->forward is freed by vmdk_forward_free().
 */
int vmdk_forward_open(struct vmdk *s, struct vmdk_extent *x, struct err *e);
/* Say that a VMDK of this kind comes in no order; returns -ESPIPE. */
int vmdk_not_in_order(const struct vmdk *s, struct err *e);
void vmdk_forward_free(struct vmdk *s);
int vmdk_take(struct img *img, uint64_t window, struct img_batch *batch,
	      struct err *e);
int vmdk_unpack(struct img *img, const struct img_batch *batch, size_t i,
		void *buf);

/* read.c */
int vmdk_read(struct img *img, void *buf, size_t len, uint64_t offset);
int vmdk_map(struct img *img, uint64_t offset, uint64_t len,
	     struct img_extent *ext);
int vmdk_locate(struct img *img, uint64_t offset, struct img_extent *ext);

/* info.c */
int vmdk_info(struct img *img, struct img_info *info, struct err *e);

#endif
