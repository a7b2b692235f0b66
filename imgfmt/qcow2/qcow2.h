/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow2.h - the qcow2 format, versions 2 and 3: layout, decoded form, and what
 * the files of this folder offer each other.
 *
 * Specification: QEMU, docs/interop/qcow2.  All numbers are big-endian.
 *
 * A host offset is one in the qcow2 file (or its external data file), a guest
 * offset one in the virtual disk.  A cluster index is an offset divided by the
 * cluster size.
 */
#ifndef QCOW2_H
#define QCOW2_H

#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"

/* Header ("Header" in the specification):
 *
 *   offset size
 *      0    4   magic "QFI\xfb"
 *      4    4   version, 2 or 3
 *      8    8   backing file name, host offset; 0: none
 *     16    4   backing file name, length; at most 1023
 *     20    4   cluster_bits, 9 to 21
 *     24    8   virtual size, bytes
 *     32    4   crypt_method: 0 none, 1 AES, 2 LUKS
 *     36    4   l1_size, entries
 *     40    8   l1_table_offset
 *     48    8   refcount_table_offset
 *     56    4   refcount_table_clusters
 *     60    4   nb_snapshots
 *     64    8   snapshots_offset
 *   version 3 only:
 *     72    8   incompatible_features
 *     80    8   compatible_features
 *     88    8   autoclear_features
 *     96    4   refcount_order: a refcount has 1 << order bits
 *    100    4   header_length
 *    104    1   compression_type: 0 zlib, 1 zstd
 */
#define QCOW2_MAGIC		0x514649fbu
#define QCOW2_V2_HEADER_LEN	72u
#define QCOW2_V3_HEADER_LEN	104u	/* what every version 3 image has */
#define QCOW2_NEW_HEADER_LEN	112u	/* what we write */

#define QCOW2_H_BACKING_OFFSET	8
#define QCOW2_H_BACKING_LEN	16
#define QCOW2_H_CLUSTER_BITS	20
#define QCOW2_H_SIZE		24
#define QCOW2_H_CRYPT		32
#define QCOW2_H_L1_SIZE		36
#define QCOW2_H_L1_OFFSET	40
#define QCOW2_H_REFTABLE_OFFSET	48
#define QCOW2_H_REFTABLE_CLUSTERS 56
#define QCOW2_H_N_SNAPSHOTS	60
#define QCOW2_H_SNAPSHOTS_OFFSET 64
#define QCOW2_H_INCOMPAT	72
#define QCOW2_H_COMPAT		80
#define QCOW2_H_AUTOCLEAR	88
#define QCOW2_H_REFCOUNT_ORDER	96
#define QCOW2_H_HEADER_LEN	100
#define QCOW2_H_COMPRESSION	104

#define QCOW2_INCOMPAT_DIRTY		(1ull << 0)
#define QCOW2_INCOMPAT_CORRUPT		(1ull << 1)
#define QCOW2_INCOMPAT_DATA_FILE	(1ull << 2)
#define QCOW2_INCOMPAT_COMPRESSION	(1ull << 3)
#define QCOW2_INCOMPAT_EXTL2		(1ull << 4)
#define QCOW2_INCOMPAT_KNOWN		0x1full
#define QCOW2_COMPAT_LAZY_REFCOUNTS	(1ull << 0)
#define QCOW2_AUTOCLEAR_BITMAPS		(1ull << 0)
#define QCOW2_AUTOCLEAR_DATA_FILE_RAW	(1ull << 1)
#define QCOW2_AUTOCLEAR_KNOWN		0x3ull

/* Header extensions: type, length (4 bytes each), data padded to 8. */
#define QCOW2_EXT_END			0u
#define QCOW2_EXT_BACKING_FORMAT	0xe2792acau
#define QCOW2_EXT_FEATURE_NAMES		0x6803f857u
#define QCOW2_EXT_BITMAPS		0x23852875u
#define QCOW2_EXT_CRYPTO		0x0537be77u
#define QCOW2_EXT_DATA_FILE		0x44415441u

/* Limits.  Those of QEMU, so that what one opens the other does too. */
#define QCOW2_MIN_CLUSTER_BITS	9u
#define QCOW2_MAX_CLUSTER_BITS	21u
#define QCOW2_MAX_REFCOUNT_ORDER 6u
#define QCOW2_MAX_L1_LEN	(32u << 20)	/* bytes: 2 EiB of 2 MiB clusters */
#define QCOW2_MAX_REFTABLE_LEN	(8u << 20)	/* bytes */
#define QCOW2_MAX_BACKING_NAME	1023u
#define QCOW2_MAX_SNAPSHOTS	65536u
#define QCOW2_MAX_SNAPSHOT_TABLE_LEN (64u << 20)	/* bytes */
#define QCOW2_MAX_SNAPSHOT_EXTRA 1024u		/* bytes */
#define QCOW2_MAX_BITMAPS	65535u
#define QCOW2_MIN_EXTL2_CLUSTER_BITS 14u	/* 32 subclusters of 512 bytes */

/* L1 and L2 entries ("Cluster mapping").  Bit 63 (COPIED): the refcount is
 * exactly one.  L2: bit 62: compressed; bit 0: reads as zeroes (version 3,
 * without extended L2 entries).  Reserved bits must be 0.
 */
#define QCOW2_COPIED		(1ull << 63)
#define QCOW2_COMPRESSED	(1ull << 62)
#define QCOW2_ZERO		(1ull << 0)
#define QCOW2_OFFSET_MASK	0x00fffffffffffe00ull
#define QCOW2_L1_RESERVED	0x7f000000000001ffull
#define QCOW2_L2_RESERVED	0x3f000000000001feull	/* standard cluster */
#define QCOW2_REFTABLE_RESERVED	0x1ffull
#define QCOW2_N_SUBCLUSTERS	32u

struct qcow2_header {
	/* As in the file. */
	unsigned version;
	unsigned cluster_bits;
	uint64_t size;				/* bytes */
	unsigned crypt_method;
	uint32_t l1_size;			/* entries */
	uint64_t l1_offset;
	uint64_t reftable_offset;
	uint32_t reftable_clusters;
	uint32_t n_snapshots;
	uint64_t snapshots_offset;
	uint64_t incompat, compat, autoclear;
	unsigned refcount_order;
	uint32_t header_len;			/* bytes */
	unsigned compression;			/* 0 zlib, 1 zstd */

	/* From the extensions and the name area; strings are NUL-terminated
	 * and owned by the header, NULL when absent.
	 */
	char *backing_name;
	char *backing_format;
	char *data_file;
	uint32_t n_bitmaps;
	uint64_t bitmaps_offset, bitmaps_len;	/* the bitmap directory */
	uint64_t crypto_offset, crypto_len;	/* the LUKS header */
	uint64_t ext_end;			/* where the extensions end */

	/* Derived. */
	uint32_t cluster_size;			/* bytes */
	bool extl2;
	bool external_data;			/* data is in another file */
	bool raw_external;			/* ... at the guest's offsets */
	unsigned l2_entry_size;			/* 8, or 16 with extl2 */
	unsigned l2_bits;			/* entries of an L2 table, log2 */
	uint32_t l1_needed;			/* entries that `size` needs */
	unsigned refblock_bits;			/* refcounts of a block, log2 */
	uint64_t refcount_max;
};

/* Read and check the header and its extensions.  `flags` are IMG_*: with
 * IMG_REPAIR a corrupt image passes as long as its tables can be found.  On
 * success the caller ends with qcow2_header_free().
 */
int qcow2_header_read(struct img *below, unsigned flags,
		      struct qcow2_header *h, struct err *e);
void qcow2_header_free(struct qcow2_header *h);

/* Fill in what follows from version, cluster_bits, size, the feature bits and
 * refcount_order, which are valid.
 */
void qcow2_header_derive(struct qcow2_header *h);

/* Serialise `h` with its extensions (and the feature name table for version 3)
 * into one cluster; sets backing name offset and header_len as written.  For
 * new images; the fields of an existing one are patched where they stand.
 */
int qcow2_header_encode(const struct qcow2_header *h, uint8_t *cluster,
			struct err *e);

/* A table of `n` entries of `entry_size` bytes at `offset`: aligned to clusters,
 * inside the limits of offsets, no longer than `max_len`, and inside a file of
 * `file_len` bytes.  `what` starts the sentence.
 */
int qcow2_table_check(const struct qcow2_header *h, uint64_t offset, uint64_t n,
		      unsigned entry_size, uint64_t max_len, uint64_t file_len,
		      const char *what, struct err *e);

/* What an L2 entry says of a cluster. */
enum qcow2_kind {
	QCOW2_KIND_HOLE,	/* see the backing file */
	QCOW2_KIND_ZERO,	/* zeroes, no host cluster */
	QCOW2_KIND_ZERO_ALLOC,	/* zeroes, host cluster kept */
	QCOW2_KIND_DATA,	/* with extended L2: see the bitmap */
	QCOW2_KIND_COMPRESSED,
};

/* The kind by the entry alone; extended L2 entries need the bitmap as well to
 * tell zeroes from data.
 */
static inline enum qcow2_kind qcow2_kind(const struct qcow2_header *h,
					 uint64_t entry)
{
	bool zero = h->version >= 3 && !h->extl2 && entry & QCOW2_ZERO;

	if (entry & QCOW2_COMPRESSED)
		return QCOW2_KIND_COMPRESSED;
	if (entry & QCOW2_OFFSET_MASK ||
	    /* With an external data file offset 0 is a valid one. */
	    (h->external_data && entry & QCOW2_COPIED))
		return zero ? QCOW2_KIND_ZERO_ALLOC : QCOW2_KIND_DATA;
	return zero ? QCOW2_KIND_ZERO : QCOW2_KIND_HOLE;
}

/* Where a compressed cluster lies ("Compressed Clusters Descriptor"): `len` is
 * an upper bound, up to the end of its last 512-byte sector.
 */
static inline void qcow2_compressed(const struct qcow2_header *h, uint64_t entry,
				    uint64_t *offset, uint64_t *len)
{
	unsigned shift = 62 - (h->cluster_bits - 8);
	uint64_t sectors = ((entry & ~(QCOW2_COPIED | QCOW2_COMPRESSED)) >>
			    shift) + 1;

	*offset = entry & ((1ull << shift) - 1);
	*len = sectors * 512 - (*offset & 511);
}

/* Extended L2: 32 bits "allocated" (low) and 32 bits "reads as zeroes" (high),
 * subcluster 0 lowest.  Both set is invalid.
 */
static inline uint32_t qcow2_sub_alloc(uint64_t bitmap)
{
	return (uint32_t)bitmap;
}

static inline uint32_t qcow2_sub_zero(uint64_t bitmap)
{
	return (uint32_t)(bitmap >> 32);
}

/* The i-th refcount of a block in memory; `order` 0 to 6.  Widths below a byte
 * count from the least significant bit.
 */
uint64_t qcow2_refcount_get(const void *block, unsigned order, uint64_t i);
void qcow2_refcount_set(void *block, unsigned order, uint64_t i, uint64_t value);

/* Snapshots ("Snapshots" in the specification). */
struct qcow2_snapshot {
	uint64_t l1_offset;
	uint32_t l1_size;		/* entries */
	char *id, *name;		/* owned */
	uint32_t date_sec, date_nsec;
	uint64_t vm_clock_nsec;
	uint64_t vm_state_size;		/* bytes */
	uint64_t disk_size;		/* bytes; the image's own if not stated */
	uint64_t icount;		/* UINT64_MAX: not stated */
	uint32_t extra_len;		/* bytes of extra data in the file */
};

/* Read the whole table, checked: *list has h->n_snapshots elements and
 * *table_len is its length in the file.  Ends with qcow2_snapshots_free().
 */
int qcow2_snapshots_read(struct img *below, const struct qcow2_header *h,
			 struct qcow2_snapshot **list, uint64_t *table_len,
			 struct err *e);
void qcow2_snapshots_free(struct qcow2_snapshot *list, uint32_t n);

/* The driver's `check` call; check.c. */
int qcow2_check(struct img *img, struct img_check *check, struct err *e);

/* For check: forget every cached table and read header, L1, refcount table and
 * snapshots anew, after they were changed in the file.  Nothing is dirty then.
 */
int qcow2_reload(struct img *img, struct err *e);

#endif
