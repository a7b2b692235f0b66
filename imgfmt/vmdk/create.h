/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* create.h - what create, measure, resize and the writers share. */
#ifndef VMDK_CREATE_H
#define VMDK_CREATE_H

#include "state.h"

#define VMDK_GRAIN		65536u		/* bytes, of new images */
#define VMDK_GTES		512u		/* of new images */
#define VMDK_DESC_SECTORS	20u		/* embedded descriptor */
#define VMDK_STREAM_OVERHEAD	128u		/* sectors */
/* One extent of a split disk: 2047 MiB, as VMware splits. */
#define VMDK_SPLIT		4192256u	/* sectors */
/* VMware stops at 62 TiB; the tables of larger sparse disks only cost. */
#define VMDK_MAX_SPARSE		(64ull << 40)	/* bytes */

struct vmdk_new {
	const char *create_type;	/* as in the descriptor */
	bool stream, flat, split;
	uint64_t size;			/* bytes, whole sectors */
	const char *adapter;
	const char *hwversion, *toolsversion;
	bool zeroed_grain;
	const char *backing;		/* or NULL */
	const char *preallocation;	/* of flat extents, or NULL */
	bool flush;			/* extents are durable when made */
};

extern const struct img_option vmdk_options[];

/* options.c: the -o options, checked.  The strings are the caller's. */
int vmdk_new_parse(const struct img_create_args *args, struct vmdk_new *n,
		   struct err *e);

/* Cylinders, heads and sectors that VMware gives to a disk of this size. */
struct vmdk_geometry {
	uint64_t cylinders;
	unsigned heads, sectors;
};
void vmdk_geometry(const char *adapter, uint64_t sectors,
		   struct vmdk_geometry *g);
int vmdk_set_geometry(struct vmdk_descriptor *d, const char *adapter,
		      uint64_t sectors);

/* layout.c: where things lie in a new sparse extent. */
struct vmdk_layout {
	struct vmdk_header h;
	uint64_t n_gdes, gd_sectors, gt_sectors;
};
void vmdk_layout(const struct vmdk_new *n, uint64_t sectors, bool embedded,
		 struct vmdk_layout *l);
/* How many sectors has extent `i`?  0: there are not so many. */
uint64_t vmdk_extent_sectors(const struct vmdk_new *n, uint64_t i);

/* ids.c: random, from getrandom(2). */
int vmdk_random_cid(uint32_t old, uint32_t *cid);
/* 24 random hexadecimal digits, then the CID. */
int vmdk_random_content_id(uint32_t cid, char out[33]);
int vmdk_random_uuid(char out[48]);

/* resize.c */
int vmdk_resize(struct img *img, uint64_t size, const char *preallocation,
		struct err *e);
/* Make one extent longer: no descriptor says so yet. */
int vmdk_extent_grow(struct vmdk *s, struct vmdk_extent *x, uint64_t len,
		     const char *preallocation, struct err *e);
/* The text anew into its place. */
int vmdk_descriptor_rewrite(struct vmdk *s, struct err *e);
/* The same, with the size that `x` has. */
int vmdk_descriptor_correct(struct vmdk *s, struct vmdk_extent *x,
			    struct err *e);

/* resize_split.c: a disk of files of 2 GiB gets more of them.  What is cached
 * of the extents is gone afterwards.
 */
bool vmdk_is_split(const struct vmdk *s);
int vmdk_grow_split(struct vmdk *s, uint64_t size, const char *preallocation,
		    struct err *e);

/* create.c */
int vmdk_create(struct img *below, const struct img_create_args *args,
		struct err *e);
/* Bytes of the separate descriptor of a new disk at `path`. */
int vmdk_descriptor_len(const struct vmdk_new *n, const char *path,
			uint64_t *len, struct err *e);
/* "disk.vmdk" -> "disk-flat.vmdk", "disk-s001.vmdk", "disk-f001.vmdk"; to be
 * freed, NULL when out of memory.
 */
char *vmdk_extent_name(const struct vmdk_new *n, const char *path, uint64_t i);
/* An extent in a file of its own, empty and complete. */
int vmdk_extent_make(const struct img_resolver *r, const char *referrer,
		     const struct vmdk_new *n, uint64_t sectors,
		     const char *name, struct err *e);
/* Name it in the descriptor. */
int vmdk_extent_line(struct vmdk_descriptor *d, const struct vmdk_new *n,
		     uint64_t sectors, const char *name);
/* measure.c */
int vmdk_measure(const struct img_create_args *args, struct img *src,
		 struct img_measure *out, struct err *e);

#endif
