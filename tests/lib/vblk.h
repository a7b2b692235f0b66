/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vblk.h - requests of virtio-blk, cut into descriptors in any way.
 *
 * One of these is for one thread and one queue of a device that vdev_start() has
 * started.
 */
#ifndef TESTS_VBLK_H
#define TESTS_VBLK_H

#include "tests/lib/vring.h"

#define VBLK_SLOTS	8u
#define VBLK_MAX_LEN	(256u << 10)	/* bytes of data of a request */
#define VBLK_SLOT_LEN	(768u << 10)	/* guest memory that one takes */
#define VBLK_MAX_PIECES	60u

#define VBLK_IN		0u
#define VBLK_OUT	1u
#define VBLK_FLUSH	4u
#define VBLK_GET_ID	8u
#define VBLK_DISCARD	11u
#define VBLK_ZEROES	13u

#define VBLK_OK		0u
#define VBLK_IOERR	1u
#define VBLK_UNSUPP	2u

struct vblk_slot {
	bool busy;
	uint32_t type;
	uint64_t sector;
	size_t len;			/* of the data */
	int head;
	uint8_t status;			/* once it is done */
	uint32_t used_len;
	unsigned n;			/* pieces: header, data, status */
	struct vbuf bufs[VBLK_MAX_PIECES];
};

struct vblk {
	struct vdev *d;
	unsigned queue;
	uint64_t memory;		/* gpa of VBLK_SLOTS * VBLK_SLOT_LEN */
	uint64_t random;
	unsigned max_pieces;		/* 0: header, data, status */
	struct vblk_slot slots[VBLK_SLOTS];
};

/* Queue `i` uses its own part of the memory behind VRING_DATA. */
void vblk_init(struct vblk *b, struct vdev *d, unsigned queue,
	       uint64_t random, unsigned max_pieces);

/* Start a request; `data` is what goes to the disk (NULL for VBLK_IN and
 * VBLK_GET_ID), `len` its bytes or how many to read.  The slot, -1: none is free
 * or the ring is full.
 */
int vblk_submit(struct vblk *b, uint32_t type, uint64_t sector,
		const void *data, size_t len);

/* Wait until one is done; its slot, no longer busy.  -1: none is in flight. */
int vblk_reap(struct vblk *b);

/* What a request has read. */
void vblk_data(struct vblk *b, unsigned slot, void *data);

/* All that at once: its status. */
uint8_t vblk_do(struct vblk *b, uint32_t type, uint64_t sector, void *data,
		size_t len);

/* One segment of discard or write zeroes, as 16 bytes. */
void vblk_segment(uint8_t out[16], uint64_t sector, uint32_t n, uint32_t flags);

#endif
