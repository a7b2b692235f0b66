/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layout.h - what lies where in the guest's RAM before it starts: every part of
 * a kernel and every structure made for it has a range of its own.
 *
 * Parts whose place the kernel dictates are taken first; the others are placed
 * into what is free, small structures as high as possible below 640 KiB, or as
 * low as possible (layout_low_first()).
 */
#ifndef BOOT_LAYOUT_H
#define BOOT_LAYOUT_H

#include "vmm/boot/boot.h"

#define LAYOUT_MAX_RANGES 320u	/* program headers, modules, structures */

struct layout_range {
	uint64_t gpa, len;
	const char *what;	/* "command line" */
};

enum layout_end { LAYOUT_LOWEST, LAYOUT_HIGHEST };

struct layout {
	struct vm *vm;
	const struct boot_machine *machine;
	enum layout_end low_end;	/* where small structures go */
	unsigned n;
	struct layout_range ranges[LAYOUT_MAX_RANGES];
};

/* The real-mode interrupt table and the BIOS data area stay free, and what lies
 * below LAYOUT_LOW_END is what 16-bit code and old loaders expect to reach.  What
 * is put low begins behind where boot sectors live.
 */
#define LAYOUT_LOW_START 0x1000u
#define LAYOUT_LOW_FIRST 0x9000u
#define LAYOUT_LOW_END 0x9f000u

void layout_init(struct layout *l, struct vm *vm,
		 const struct boot_machine *machine);

/* From now on small structures go as low as possible: for kernels that take the
 * top of conventional memory for themselves before they have read them.
 */
void layout_low_first(struct layout *l);

/* [gpa, gpa + len) is dictated: it must be RAM, and nothing else's. */
int layout_take(struct layout *l, uint64_t gpa, uint64_t len, const char *what,
		struct err *e);

/* Find a place in [min, max) that is RAM and free, and take it.  `align` is a
 * power of two.  -ENOSPC: there is none.
 */
int layout_place(struct layout *l, uint64_t len, uint64_t align, uint64_t min,
		 uint64_t max, enum layout_end end, const char *what,
		 uint64_t *gpa, struct err *e);

/* Place `len` bytes below 640 KiB and write `data` there. */
int layout_put_low(struct layout *l, const void *data, uint64_t len,
		   uint64_t align, const char *what, uint64_t *gpa,
		   struct err *e);

/* Let [gpa, gpa + len) read as zeroes, touching as little as possible. */
int layout_zero(struct layout *l, uint64_t gpa, uint64_t len, struct err *e);

/* Where the RAM that begins at or contains `gpa` ends; `gpa` if it is none. */
uint64_t layout_ram_end(const struct layout *l, uint64_t gpa);

#endif
