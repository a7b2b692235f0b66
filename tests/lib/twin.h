/* SPDX-License-Identifier: GPL-2.0-or-later */
/* twin.h - the same instructions on the host's CPU and on the software CPU, over
 * two copies of the same memory, and all that is defined compared.
 *
 *	twin_new() -> twin_put() -> twin_poke() ... twin_run() ...
 *
 * Both copies stay alike from run to run, so that nothing needs to be restored.
 * One thread; a process has one of these, for native.h has.
 */
#ifndef TESTS_TWIN_H
#define TESTS_TWIN_H

#include "native.h"
#include "native_ldt.h"
#include "vmm/accel/soft/soft.h"

/* The memory, the same for both: pages that can be written, but for one, and
 * nothing around them.
 */
#define TWIN_LOW	((uint64_t)NATIVE_DATA)	/* four pages */
#define TWIN_RO		0x30002000ull		/* its third, read-only */
#define TWIN_HIGH	0x7e0000000000ull	/* two pages */
#define TWIN_TOP32	0xfffff000ull		/* one page, to 4 GiB */
#define TWIN_PAGE	0x1000u

/* RFLAGS bits that are compared. */
#define TWIN_FLAGS	0x247fd5ull

/* How the instructions ended. */
struct twin_end {
	bool ran_off;		/* reached a byte of INT3 at rip */
	int vector;
	uint64_t error, cr2, rip;
};

/* How ours runs them: whole blocks, one instruction at a time, or whole blocks
 * of the general forms alone.
 */
enum twin_how { TWIN_BLOCKS, TWIN_STEPS, TWIN_GENERAL };

struct twin {
	enum twin_how how;		/* may be set */
	enum code_size code;		/* of what is put next; may be set */
	bool has_segments;		/* there are segments for 16 and 32 bits */
	bool several;			/* the same: faults come after others */
	bool loose_stack;		/* the same: a fault may come behind pushes */
	bool late;			/* the same: memory is compared by twin_settle() */
	bool code_writable;
	struct soft_test *soft;
	struct cpu *cpu;
	uint8_t *ram;			/* the software CPU's copy */
	uint8_t *read_only;		/* TWIN_RO, to be poked */
	struct native_state host, ours;	/* after twin_run() */
	struct twin_end host_end, our_end;
	unsigned code_at, code_len;
	bool with_fpu, cut;
	uint64_t n_dropped;		/* runs that say nothing: see twin_run() */
	uint64_t n_puts;
	struct cpu_segment segs[NK_N], flat, cs32, cs64;
	char why[160];			/* what differed */
};

/* `code_writable`: what runs may change its own bytes. */
void twin_new(struct twin *t, bool code_writable);
void twin_free(struct twin *t);

/* Put instructions at NATIVE_CODE + `offset`. */
void twin_put(struct twin *t, unsigned offset, const uint8_t *bytes,
	      unsigned len);

/* Both copies of memory get these bytes, TWIN_RO too; what lies elsewhere is left. */
void twin_poke(struct twin *t, uint64_t lin, const void *bytes, unsigned len);

/* What a selector loads: one of native_ldt.h, or null. */
struct cpu_segment twin_segment(const struct twin *t, uint16_t selector);

/* Choose how ours runs. */
void twin_set_how(struct twin *t, enum twin_how how);

/* Run both from `in`, whose CS is of the bits that the code was put with.  Flags in
 * `undefined` (RFLAGS bits) are not compared, unless a single instruction has not
 * run; the x87 and SSE state only if `with_fpu`.  False: t->why says what differs,
 * and the copies of memory are made alike again.  (True as well if the host took too
 * long, or jumped into what is behind the code there.)
 */
bool twin_run(struct twin *t, const struct native_state *in,
	      uint64_t undefined, bool with_fpu);

/* Does one instruction lead from `in` to its own second byte or a later one? */
bool twin_jumps_into_itself(struct twin *t, const struct native_state *in);

/* Does it come to something else where other bytes follow the code?  The host has its
 * way out there.
 */
bool twin_reads_behind(struct twin *t, const struct native_state *in);

/* With `late`: compare the memory, as twin_run() does. */
bool twin_settle(struct twin *t);

/* To standard output: the code, the state before and both after. */
void twin_report(const struct twin *t, const struct native_state *in);

#endif
