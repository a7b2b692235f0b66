/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk.h - virtio-blk (virtio 1.2, 5.2), between its two files: blk.c is the
 * device, blk_io.c its requests.
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "puller.h"

#define BLK_F_SIZE_MAX		(1ull << 1)
#define BLK_F_SEG_MAX		(1ull << 2)
#define BLK_F_RO		(1ull << 5)
#define BLK_F_BLK_SIZE		(1ull << 6)
#define BLK_F_FLUSH		(1ull << 9)
#define BLK_F_TOPOLOGY		(1ull << 10)
#define BLK_F_CONFIG_WCE	(1ull << 11)
#define BLK_F_MQ		(1ull << 12)
#define BLK_F_DISCARD		(1ull << 13)
#define BLK_F_WRITE_ZEROES	(1ull << 14)

#define BLK_SECTOR	512u
#define BLK_ID_LEN	20u

/* Limits of one request.  Clearing may mean writing zeroes: a reset waits for
 * what is in flight, so that is kept to what a slow disk does in seconds.
 */
#define BLK_MAX_DISCARD_SEG	16u
#define BLK_MAX_DISCARD		(1u << 21)	/* sectors: 1 GiB */
#define BLK_MAX_ZEROES_SEG	1u
#define BLK_MAX_ZEROES		(1u << 18)	/* sectors: 128 MiB */

/* One puller's; written by it alone. */
struct blk_counts {
	_Atomic uint64_t reads, writes, flushes, clears;
	_Atomic uint64_t read_bytes, written_bytes;
} __attribute__((aligned(64)));

struct blk_virtual;

struct blk {
	struct virtio v;		/* first */
	struct img *img;
	bool readonly, scratch;
	unsigned index;			/* of the machine's disks */
	uint64_t capacity;		/* sectors */
	uint8_t id[BLK_ID_LEN];
	bool reads_pieces, writes_pieces;	/* img_reads_pieces() */
	_Atomic bool writethrough;
	struct pullers pullers;
	struct blk_virtual *virtual;	/* instead of pullers, or NULL */
	unsigned n_counts;
	struct blk_counts *counts;	/* one for each puller */
	pthread_mutex_t error_lock;
	uint64_t errors;
	int last_error;			/* -errno */
	uint64_t last_error_sector;
};

/* Where firmware finds the i-th disk; false: there is none. */
bool blk_boot_path(struct vm *vm, unsigned i, char *out, size_t size);

/* blk_virtual.c */
int blk_virtual_init(struct blk *b, struct vm *vm, unsigned queues);
void blk_virtual_fini(struct blk *b);
void blk_virtual_notify(struct virtio *v, unsigned i);
void blk_virtual_settle(struct virtio *v);

uint32_t blk_serve(struct virtio *v, struct puller *me, struct vq_chain *c);

#endif
