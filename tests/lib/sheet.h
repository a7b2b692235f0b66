/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sheet.h - an image in plain arrays whose every sector a test can look at:
 * what it holds, how it is stored, whether it can be read.
 *
 * It claims to be a format that allocates ("sheet") and can store compressed
 * units, by a codec that knows runs of one byte.
 */
#ifndef TESTS_SHEET_H
#define TESTS_SHEET_H

#include <pthread.h>

#include "imgfmt/imgfmt.h"

#define SHEET_SECTOR 512u

enum sheet_state { SHEET_HOLE, SHEET_ZERO, SHEET_DATA, SHEET_COMPRESSED };

struct sheet {
	uint64_t size;
	uint8_t *bytes;
	uint8_t *state;		/* enum sheet_state of each sector */
	uint8_t *bad;		/* sectors whose reading gives -EIO */
	uint32_t block_size, unit;	/* unit 0: no compression */
	/* What happened; under `lock`. */
	pthread_mutex_t lock;
	uint64_t reads, writes, zeroes;	/* calls */
	uint64_t last;		/* end of the last write */
	bool in_order;		/* no write began before the end of the last */
	/* What shall happen. */
	uint64_t room;		/* bytes to be written before ENOSPC */
	bool jitter;		/* yield at random in reads */
	void (*on_write)(void *arg, uint64_t offset);	/* NULL: nothing */
	void *arg;
};

/* All holes; ends the program when out of memory. */
void sheet_init(struct sheet *s, uint64_t size);
void sheet_fini(struct sheet *s);

/* The image; the sheet must outlive it.  `backing` becomes its own, or NULL. */
struct img *sheet_open(struct sheet *s, struct img *backing);

/* Runs of data, zeroes stored as data, zero marks and holes at random; runs
 * begin and end at multiples of `align`, a multiple of 512.
 */
void sheet_fill(struct sheet *s, uint64_t *seed, uint32_t align);

/* Data in [offset, offset + len): `byte`, or random ones if that is -1. */
void sheet_data(struct sheet *s, uint64_t offset, uint64_t len, int byte,
		uint64_t *seed);

uint64_t sheet_random(uint64_t *seed);

#endif
