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

/* create.c */
int vmdk_create(struct img *below, const struct img_create_args *args,
		struct err *e);
/* measure.c */
int vmdk_measure(const struct img_create_args *args, struct img *src,
		 struct img_measure *out, struct err *e);

#endif
