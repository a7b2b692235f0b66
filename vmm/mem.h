/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem.h - guest memory: what lies where, and the only way to it.
 *
 * One block of host memory (a memfd, reserved lazily) holds the guest's RAM
 * and, behind it, its ROM and its video memory; a place in the block is an
 * offset.  The map from guest physical addresses to offsets is a sorted array
 * that never changes, but for the access that each slot allows: the chipset's
 * PAM registers switch those between 0xc0000 and 0xfffff.  No slot, or no access:
 * the bus answers.  Video memory alone moves, with a PCI BAR.
 *
 *	0		640 KiB of RAM
 *	0xa0000		nothing (VGA)
 *	0xc0000		12 slots of 16 KiB, one of 64 KiB: RAM or ROM (PAM)
 *	1 MiB		RAM up to MEM_LOW_MAX
 *	4 GiB - ROM	the ROM, read only
 *	4 GiB		the rest of the RAM
 *
 * Any thread may call all of these.  A host pointer stays valid while the
 * machine exists, so that a change of the map needs not wait for requests in
 * flight; what it reached may then be elsewhere for the guest: keep none beyond
 * a request.
 */
#ifndef VMM_MEM_H
#define VMM_MEM_H

#include <stdatomic.h>

#include "imgfmt/base/base.h"

struct vm;

#define MEM_LOW_MAX	0xc0000000u	/* bytes of RAM below 4 GiB */
#define MEM_MIN		(1u << 20)
#define MEM_MAX		(1ull << 40)	/* bytes; our CPUs have 46 address bits */
#define MEM_ROM_MAX	(16u << 20)
#define MEM_ROM_UNIT	(64u << 10)
#define MEM_PAGE	4096u
#define MEM_VIDEO	(16u << 20)	/* bytes of video memory, if there is a screen */

/* What a slot allows; what it does not is the bus's. */
#define MEM_READ	0x01u
#define MEM_WRITE	0x02u
#define MEM_FROM_ROM	0x04u	/* reads come from rom_offset */

struct mem_slot {
	uint64_t gpa, len;		/* bytes, whole pages */
	uint64_t offset;		/* in the block: the RAM */
	uint64_t rom_offset;		/* in the block, or MEM_NO_ROM */
	_Atomic unsigned access;	/* MEM_* */
};

#define MEM_NO_ROM	UINT64_MAX
#define MEM_N_PAM	13u		/* PAM slots */
#define MEM_MAX_SLOTS	20u

struct mem {
	uint8_t *base;			/* the block, size bytes */
	uint64_t size;			/* all of it, bytes */
	uint64_t ram;			/* bytes of RAM, from offset 0 */
	uint64_t rom;			/* bytes of ROM, from offset `ram` */
	uint64_t video;			/* bytes of video memory, behind the ROM */
	uint64_t low;			/* RAM below 4 GiB ends here */
	int fd;				/* the memfd */
	unsigned n_slots;
	unsigned first_pam;		/* index of the slot at 0xc0000 */
	struct mem_slot slots[MEM_MAX_SLOTS];	/* sorted by gpa */
	/* The largest slot that is RAM for good, and its place in the block. */
	uint64_t main_gpa, main_len, main_offset;
	_Atomic uint64_t video_gpa;	/* 0: nowhere */
	_Atomic uint64_t generation;	/* grows with each change of the map */
};

/* `rom` may be NULL; else it is copied to the top of the first 4 GiB and its
 * last 128 KiB are what the PAM slots show at first.  Without a ROM those are
 * RAM.  Sizes are bytes; RAM and video memory are whole pages.
 */
int mem_init(struct mem *mem, uint64_t ram, const void *rom, size_t rom_len,
	     uint64_t video, struct err *e);
void mem_fini(struct mem *mem);

/* The state after power-on of the PAM slots and of the ROM. */
void mem_reset(struct vm *vm);

/* Let PAM slot `i` (0 is 0xc0000, 12 is 0xf0000) read from and write to RAM;
 * without `read` it shows the ROM, without `write` writes are dropped.
 */
void mem_set_pam(struct vm *vm, unsigned i, bool read, bool write);

/* Let video memory be at `gpa`, or nowhere (0).  False: it is nowhere, for it can
 * only be where PCI's memory is, in whole pages and not over RAM.
 */
bool mem_set_video(struct vm *vm, uint64_t gpa);

/* Video memory itself, mem.video bytes of the host's, wherever it is mapped. */
static inline uint8_t *mem_video(const struct mem *mem)
{
	return mem->base + mem->ram + mem->rom;
}

/* The host's address of [gpa, gpa + len) if all of it is in the main RAM, which
 * allows every access; else NULL, and mem_ptr() knows more.  For who asks very
 * often.
 */
static inline uint8_t *mem_main_ptr(const struct mem *mem, uint64_t gpa,
				    uint64_t len)
{
	uint64_t at = gpa - mem->main_gpa;

	return in_range(at, len, mem->main_len) ?
		mem->base + mem->main_offset + at : NULL;
}

/* The host's address of [gpa, gpa + len), or NULL unless all of it is memory
 * that allows `access` (MEM_READ, MEM_WRITE or both) and is contiguous.  For
 * writing call mem_wrote() afterwards, before anything tells the guest.
 */
void *mem_ptr(struct vm *vm, uint64_t gpa, uint64_t len, unsigned access);

/* As mem_ptr() for as much as is contiguous: *len is cut to that, at least 1
 * where the result is not NULL.
 */
void *mem_ptr_some(struct vm *vm, uint64_t gpa, uint64_t *len, unsigned access);

/* Bytes in the guest's RAM changed behind the CPU's back (a device, fw_cfg, a
 * loader): code that was decoded from there is void.  `host` is from mem_ptr().
 */
void mem_wrote(struct vm *vm, const void *host, uint64_t len);

/* Copy, across slots too.  -EFAULT if some of it is not memory; what comes
 * before that may have been copied.
 */
int mem_read(struct vm *vm, uint64_t gpa, void *buf, uint64_t len);
int mem_write(struct vm *vm, uint64_t gpa, const void *buf, uint64_t len);

/* Which RAM the guest has, for e820 and its like: call with i = 0, 1, ... until
 * false.  The holes of a PC (0xa0000 to 0xfffff) are left out.
 */
bool mem_ram_range(const struct vm *vm, unsigned i, uint64_t *gpa,
		   uint64_t *len);

/* Give the host back what holds [gpa, gpa + len): whole pages of RAM, which
 * read as zeroes afterwards.
 */
int mem_release(struct vm *vm, uint64_t gpa, uint64_t len);

/* The same for the whole pages in [host, host + len), which came from mem_ptr();
 * returns how many bytes those are, 0 if it failed.
 */
uint64_t mem_release_host(struct vm *vm, void *host, uint64_t len);

#endif
