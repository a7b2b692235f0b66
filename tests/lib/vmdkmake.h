/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdkmake.h - small VMDK files of every kind, written from the technote alone:
 * no code of the driver is in them.
 *
 * All hold the same disk of VMDKMAKE_SECTORS sectors.  Of each three units of
 * 4 KiB the first is not stored, the second holds one byte repeated, the third
 * reads as zeroes (by an entry where the kind has one, else stored).
 */
#ifndef TESTS_VMDKMAKE_H
#define TESTS_VMDKMAKE_H

#include "imgfmt/imgfmt.h"

#define VMDKMAKE_SECTORS 83u		/* the last unit is not whole */
#define VMDKMAKE_SIZE (VMDKMAKE_SECTORS * 512u)
#define VMDKMAKE_UNIT 4096u

enum vmdkmake_kind {
	VMDKMAKE_SPARSE,	/* both directories, zeroed-grain entries */
	VMDKMAKE_STREAM,	/* directory at the footer */
	VMDKMAKE_STREAM_FRONT,	/* directory in front, no footer */
	VMDKMAKE_STREAM_BOTH,
	VMDKMAKE_STREAM_BARE,	/* in front, no markers */
	VMDKMAKE_COWD,
	VMDKMAKE_SESPARSE,
	VMDKMAKE_N,
};

/* Where things are in the kinds that tests damage; sectors. */
#define VMDKMAKE_DESC	1u
#define VMDKMAKE_RGD	3u		/* SPARSE */
#define VMDKMAKE_RGT	4u
#define VMDKMAKE_GD	7u		/* SPARSE, STREAM_FRONT, _BOTH, _BARE */
#define VMDKMAKE_GT	8u
#define VMDKMAKE_GRAINS	16u

/* The file as a memory layer; ends the program when out of memory. */
struct img *vmdkmake(enum vmdkmake_kind kind);

/* What byte is at this offset of the disk? */
uint8_t vmdkmake_byte(uint64_t offset);

#endif
