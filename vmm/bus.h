/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bus.h - who answers at a port or at an address that is not memory.
 *
 * Nobody there: reads give all ones and writes are ignored, as on a PC.  An
 * access wider than a region takes is split, lowest address first; one that
 * leaves its region at the end is split byte by byte.  Where two regions
 * overlap, the one that was added first answers.  Memory (mem.h) hides what
 * lies under it.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include "device.h"

enum bus_space { BUS_PIO, BUS_MMIO };

/* `offset` is inside the region; `size` is 1, 2, 4 or 8 bytes, at most
 * max_size; unaligned accesses are possible.
 */
struct region_ops {
	uint64_t (*read)(struct device *dev, uint64_t offset, unsigned size);
	void (*write)(struct device *dev, uint64_t offset, unsigned size,
		      uint64_t value);
	unsigned max_size;
	unsigned flags;		/* REGION_* */
};

/* The callbacks run without the machine lock: they lock what they touch. */
#define REGION_UNLOCKED 0x01u

/* A part of a device's struct; the bus links it. */
struct region {
	struct device *dev;
	const struct region_ops *ops;
	enum bus_space space;
	uint64_t base, len;	/* in the space, bytes; len > 0 */
	bool on;
	struct region *next;
};

/* Of a space: 32 slots of PCI with their BARs, and the chips. */
#define BUS_MAX_REGIONS 256u

/* The regions of one space.  Private to bus.c. */
struct bus {
	struct region *regions;		/* in the order they were added */
	size_t n_regions, n_segments;
	uint64_t edges[4 * BUS_MAX_REGIONS];	/* scratch */
	struct bus_segment {
		uint64_t start;
		const struct region *region;	/* NULL: nobody */
	} segments[4 * BUS_MAX_REGIONS];	/* sorted */
};

/* Let `dev` answer at [base, base + len).  Fill in nothing before; the region
 * must outlive the machine.  Only before the machine runs.
 */
void bus_add(struct vm *vm, struct region *region, struct device *dev,
	     const struct region_ops *ops, enum bus_space space, uint64_t base,
	     uint64_t len);

/* Move a region, or switch it off and on; any time, from any thread. */
void bus_move(struct vm *vm, struct region *region, uint64_t base, bool on);

/* What a CPU's access does.  `size` is 1 to 8 bytes.  Accelerators call these,
 * from any thread that does not hold the machine lock.
 */
uint64_t bus_read(struct vm *vm, enum bus_space space, uint64_t addr,
		  unsigned size);
void bus_write(struct vm *vm, enum bus_space space, uint64_t addr,
	       unsigned size, uint64_t value);

#endif
