/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmdk.h - VMware's disk format: layouts, decoded forms, and what the files of
 * this folder offer each other without an open image.
 *
 * Specification: VMware, Virtual Disk Format 5.0 ("technote"); seSparse is not
 * in it.  All numbers are little-endian; in the files most offsets count
 * sectors of 512 bytes, in the decoded forms all are bytes unless the name says
 * otherwise.
 *
 * A disk is a descriptor (text) and extents.  An extent is FLAT (plain bytes),
 * ZERO, or sparse; sparse ones consist of grains that a grain directory (GD)
 * finds through grain tables (GT).
 */
#ifndef VMDK_H
#define VMDK_H

#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"

#define VMDK_SECTOR	512u

/* Hosted sparse extent header ("Hosted Sparse Extent Header"), and the footer
 * of a stream ("Header and Footer"):
 *
 *   offset size
 *      0    4   magic "KDMV"
 *      4    4   version, 1 to 3
 *      8    4   flags
 *     12    8   capacity, sectors
 *     20    8   grain size, sectors; a power of two
 *     28    8   descriptor, sector; 0: none
 *     36    8   descriptor, sectors
 *     44    4   entries of a grain table; 512
 *     48    8   redundant grain directory, sector
 *     56    8   grain directory, sector; all ones: see the footer
 *     64    8   overhead: sectors before the first grain
 *     72    1   unclean shutdown
 *     73    4   "\n \r\n": shows damage by text-mode transfers
 *     77    2   compression: 0 none, 1 deflate (RFC 1950)
 */
#define VMDK_HEADER_LEN		512u
#define VMDK_MAGIC		0x564d444bu	/* "KDMV" in the file */
#define VMDK_H_VERSION		4
#define VMDK_H_FLAGS		8
#define VMDK_H_CAPACITY		12
#define VMDK_H_GRAIN		20
#define VMDK_H_DESC_OFFSET	28
#define VMDK_H_DESC_SIZE	36
#define VMDK_H_GTES		44
#define VMDK_H_RGD		48
#define VMDK_H_GD		56
#define VMDK_H_OVERHEAD		64
#define VMDK_H_UNCLEAN		72
#define VMDK_H_NEWLINES		73
#define VMDK_H_COMPRESSION	77

#define VMDK_FLAG_NEWLINES	(1u << 0)	/* the test bytes are valid */
#define VMDK_FLAG_RGD		(1u << 1)	/* a redundant directory */
#define VMDK_FLAG_ZERO_GTE	(1u << 2)	/* entry 1: reads as zeroes */
#define VMDK_FLAG_COMPRESSED	(1u << 16)
#define VMDK_FLAG_MARKERS	(1u << 17)

#define VMDK_GD_AT_END		UINT64_MAX	/* of the field, sectors */

/* Entries of directories and tables: 4 bytes, a sector, 0: none. */
#define VMDK_GTE_NONE		0u
#define VMDK_GTE_ZERO		1u

/* Markers ("Compressed Grain Marker", "Metadata Markers"), each at the start of
 * a sector:
 *
 *   grain:     0  8  guest sector        metadata:  0  8  sectors that follow
 *              8  4  length, not 0                  8  4  0
 *             12     data, padded                  12  4  type
 */
#define VMDK_MARKER_LEN		12u	/* of a grain's, before the data */
#define VMDK_MARKER_VALUE	0
#define VMDK_MARKER_SIZE	8
#define VMDK_MARKER_TYPE	12
#define VMDK_MARKER_EOS		0u
#define VMDK_MARKER_GT		1u
#define VMDK_MARKER_GD		2u
#define VMDK_MARKER_FOOTER	3u

/* ESXi host sparse extent header, COWD ("ESXi Host Sparse Extent Header"), of
 * 2048 bytes; a grain table has 4096 entries of 4 bytes:
 *
 *   offset size
 *      0    4   magic "COWD"
 *      4    4   version, 1
 *      8    4   flags, 3
 *     12    4   capacity, sectors
 *     16    4   grain size, sectors
 *     20    4   grain directory, sector
 *     24    4   entries of the grain directory
 *     28    4   next free sector
 *     32 1024   name of the parent, of a delta
 *   1648    4   unclean shutdown
 */
#define VMDK_COWD_CAPACITY	12
#define VMDK_COWD_GRAIN		16
#define VMDK_COWD_GD		20
#define VMDK_COWD_N_GDES	24
#define VMDK_COWD_FREE		28
#define VMDK_COWD_UNCLEAN	1648
#define VMDK_COWD_LEN		2048u
#define VMDK_COWD_MAGIC		0x44574f43u	/* "COWD" in the file */
#define VMDK_COWD_GTES		4096u

/* seSparse constant header, at 0; every number has 8 bytes:
 *
 *      0  magic               80  volatile header, sector and sectors
 *      8  version            96  journal header, sector and sectors
 *     16  capacity, sectors 112  journal, sector and sectors
 *     24  grain size, sectors 128  grain directory, sector and sectors
 *     32  grain table, sectors 144  grain tables, sector and sectors
 *     40  flags             160  free bitmap, sector and sectors
 *                           176  back map, sector and sectors
 *                           192  grains, sector and sectors
 * Volatile header: magic, number of a free table, next transaction, and whether
 * the journal must be replayed first.
 *
 * A directory entry is 0, or 0x1 in the top four bits and the number of a table
 * in the lower 32.  A table entry has a type in its top four bits; the number
 * of an allocated grain has its low 12 bits in bits 48 to 59 of the entry and
 * the rest in bits 0 to 47.
 */
#define VMDK_SE_H_VERSION	8
#define VMDK_SE_H_CAPACITY	16
#define VMDK_SE_H_GRAIN		24
#define VMDK_SE_H_GT		32
#define VMDK_SE_H_VOLATILE	80
#define VMDK_SE_H_GD		128
#define VMDK_SE_H_TABLES	144
#define VMDK_SE_H_GRAINS	192
#define VMDK_SE_V_REPLAY	24	/* of the volatile header */
#define VMDK_SE_MAGIC		0xcafebabeull
#define VMDK_SE_VOLATILE_MAGIC	0xcafecafeull
#define VMDK_SE_VERSION		0x0000000200000001ull
#define VMDK_SE_TYPE_SHIFT	60
#define VMDK_SE_NONE		0u
#define VMDK_SE_UNMAPPED	1u	/* the guest gave it back: zeroes */
#define VMDK_SE_ZERO		2u
#define VMDK_SE_DATA		3u

/* Limits.  What is larger no product makes, and it would cost memory. */
#define VMDK_MAX_DESCRIPTOR	(1u << 20)	/* bytes */
#define VMDK_MAX_EXTENTS	65536u
#define VMDK_MAX_GRAIN		(16u << 20)	/* bytes */
#define VMDK_MAX_GTES		16384u		/* entries of a table */

#define VMDK_CID_NONE		0xffffffffu

/* The hosted header as it stands in the file, in its own units. */
struct vmdk_header {
	uint32_t version, flags;
	uint64_t capacity, grain;		/* sectors */
	uint64_t desc_offset, desc_size;	/* sectors */
	uint32_t n_gtes;
	uint64_t rgd, gd, overhead;		/* sectors */
	bool unclean;
	uint16_t compression;
};

/* What all kinds of sparse extents come down to. */
enum vmdk_sparse_kind { VMDK_HOSTED, VMDK_COWD, VMDK_SESPARSE };

struct vmdk_tables {
	enum vmdk_sparse_kind kind;
	uint64_t capacity;
	uint32_t grain;			/* bytes; a power of two */
	unsigned entry_size;		/* 4, or 8 (seSparse) */
	uint32_t n_gtes;		/* entries of a grain table */
	uint64_t n_gdes;		/* entries of the directory */
	uint64_t gt_covers;		/* guest bytes of one grain table */
	uint64_t gd, rgd;		/* host offsets; rgd 0: there is none */
	uint64_t gt_base, grain_base;	/* seSparse: what numbers count from */
	bool compressed, markers, zero_gte;
	/* Of a hosted extent, with the directories of the footer where the
	 * stream has one.
	 */
	struct vmdk_header h;
	uint64_t footer;		/* host offset, 0: none */
	bool making;			/* it has no end yet, or no tables */
};

/* header.c.  Decoding checks only the magic and the version; vmdk_hosted_read()
 * checks all and finds a stream's footer.  `name` starts the sentences.
 */
int vmdk_header_decode(const uint8_t buf[VMDK_HEADER_LEN],
		       struct vmdk_header *h, const char *name, struct err *e);
void vmdk_header_encode(const struct vmdk_header *h,
			uint8_t buf[VMDK_HEADER_LEN]);
int vmdk_hosted_read(struct img *file, const char *name, struct vmdk_tables *t,
		     struct err *e);
/* Check t->h and fill in what follows from it.  `file_len` is the length of the
 * extent's file, UINT64_MAX while it is being made.
 */
int vmdk_hosted_derive(struct vmdk_tables *t, uint64_t file_len,
		       const char *name, struct err *e);

/* esx.c */
int vmdk_cowd_read(struct img *file, const char *name, struct vmdk_tables *t,
		   struct err *e);
int vmdk_sesparse_read(struct img *file, const char *name,
		       struct vmdk_tables *t, struct err *e);

/* Which kind does a file begin like?  Needs 8 bytes; false: none. */
bool vmdk_sparse_probe(const uint8_t *head, size_t len,
		       enum vmdk_sparse_kind *kind);
/* Read whichever kind `file` holds; -EMEDIUMTYPE when none of them. */
int vmdk_sparse_read(struct img *file, const char *name,
		     struct vmdk_tables *t, struct err *e);

/* stream.c: walk the markers of a stream from its beginning.  For streams whose
 * footer is not at the end of the file, and to say how much of a cut one is
 * whole.
 */
struct vmdk_walk {
	uint64_t end;			/* host: behind the last whole item */
	uint64_t guest_end;		/* behind the last whole grain */
	uint64_t n_grains;		/* whole ones */
	uint64_t footer;		/* host: of the footer, 0: none */
	bool eos;			/* an end-of-stream marker was met */
};
int vmdk_stream_walk(struct img *file, const struct vmdk_header *h,
		     struct vmdk_walk *walk);

/* header.c: say so; returns -EUCLEAN. */
int vmdk_cut_off(struct img *file, const char *name,
		 const struct vmdk_header *h, const struct vmdk_walk *w,
		 struct err *e);

/* Descriptor ("The Descriptor File"). */
enum vmdk_access { VMDK_RW, VMDK_RDONLY, VMDK_NOACCESS };

enum vmdk_extent_type {
	VMDK_EXT_FLAT, VMDK_EXT_VMFS, VMDK_EXT_VMFSTHIN,	/* plain */
	VMDK_EXT_ZERO,
	VMDK_EXT_SPARSE, VMDK_EXT_VMFSSPARSE, VMDK_EXT_SESPARSE,
	VMDK_EXT_VMFSRDM, VMDK_EXT_VMFSRAW,			/* devices */
};

struct vmdk_extent_line {
	enum vmdk_access access;
	uint64_t sectors;
	enum vmdk_extent_type type;
	char *name;			/* UTF-8; NULL for ZERO */
	bool has_offset;
	uint64_t offset_sectors;	/* in the file */
};

struct vmdk_key {
	char *key, *value;		/* as spelled; value without quotes */
};

/* All strings are UTF-8, NUL-terminated and owned by the descriptor. */
struct vmdk_descriptor {
	uint32_t version;		/* 1 where not stated */
	uint32_t cid, parent_cid;	/* VMDK_CID_NONE where not stated */
	char *create_type;		/* as spelled, NULL: not stated */
	char *parent_hint;		/* parentFileNameHint, or NULL */
	char *encoding;			/* as stated, or NULL */
	struct vmdk_extent_line *extents;
	size_t n_extents, extents_cap;
	/* What has no field above, ddb.* among it, in the file's order. */
	struct vmdk_key *keys;
	size_t n_keys, keys_cap;
	/* Where the value of CID stands in the text: for patching it in place.
	 * 0 digits: it cannot be.
	 */
	size_t cid_at, cid_digits;
};

/* Does this text begin like a descriptor? */
bool vmdk_descriptor_probe(const uint8_t *text, size_t len);
/* `text` ends at `len` or at the first NUL.  Ends with vmdk_descriptor_free()
 * also after a failure.  `name` starts the sentences.
 */
int vmdk_descriptor_parse(const uint8_t *text, size_t len, const char *name,
			  struct vmdk_descriptor *d, struct err *e);
void vmdk_descriptor_free(struct vmdk_descriptor *d);

/* The text as VMware's products write it, NUL-terminated, which the caller
 * frees; NULL when out of memory.  Keys that begin with "ddb." go behind the
 * extents, others in front.
 */
char *vmdk_descriptor_text(const struct vmdk_descriptor *d);

/* Look up or set one of d->keys; case does not matter. */
const char *vmdk_key_get(const struct vmdk_descriptor *d, const char *key);
int vmdk_key_set(struct vmdk_descriptor *d, const char *key,
		 const char *value);
/* Append an extent line; `name` is copied, NULL for ZERO. */
int vmdk_extent_add(struct vmdk_descriptor *d, enum vmdk_access access,
		    uint64_t sectors, enum vmdk_extent_type type,
		    const char *name);
const char *vmdk_extent_type_name(enum vmdk_extent_type type);
/* createType, whatever its case and old spellings. */
bool vmdk_create_type_is(const struct vmdk_descriptor *d, const char *type);

/* encoding.c: `len` bytes in `encoding` (NULL: not stated) as UTF-8, which the
 * caller frees.  What is valid UTF-8 stays as it is; what cannot be converted
 * is taken for windows-1252.
 */
char *vmdk_to_utf8(const char *text, size_t len, const char *encoding);

#endif
