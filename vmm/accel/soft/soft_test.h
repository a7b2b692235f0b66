/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_test.h - the software CPU alone: instructions over memory that the test
 * gives it, without a machine, devices or page tables.
 *
 *	soft_test_new() -> soft_test_map() ... -> soft_test_run() ...
 *
 * Linear addresses are what soft_test_map() makes of them, in every mode (CR0.PG
 * of the state is taken as it is, but no page tables are walked); an access
 * elsewhere, or without the right, raises #PF with the error code of a CPU that
 * finds a page absent or protected.  Nothing is delivered: the first exception
 * ends the run.
 *
 * The bytes behind a mapping may be changed between runs by the test itself if it
 * calls soft_test_wrote() afterwards.
 */
#ifndef SOFT_TEST_H
#define SOFT_TEST_H

#include "vmm/cpu.h"

struct cpu;
struct soft_test;

struct soft_test_end {
	bool fault;		/* else all instructions ran, or it halted */
	bool halted;
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint64_t cr2;		/* of a #PF */
	uint64_t insns;		/* executed; the faulting one is not counted */
};

/* `size` bytes (whole pages) of zeroed memory to map pieces of. */
int soft_test_new(struct soft_test **out, uint64_t size);
void soft_test_free(struct soft_test *t);
uint8_t *soft_test_memory(struct soft_test *t);

#define SOFT_TEST_R	1u
#define SOFT_TEST_W	2u
#define SOFT_TEST_X	4u
#define SOFT_TEST_SYSTEM 8u	/* descriptor tables: for the CPU itself alone */

/* Let [lin, lin + len) show the memory from `offset`; whole pages, at most 16
 * pieces that do not overlap.  -EINVAL, -ENOSPC.
 */
int soft_test_map(struct soft_test *t, uint64_t lin, uint64_t offset,
		  uint64_t len, unsigned access);

/* The test itself changed bytes of the memory in which code may lie. */
void soft_test_wrote(struct soft_test *t, uint64_t offset, uint64_t len);

/* Without the fast forms of int_fast.c, which must give the same. */
void soft_test_general(struct soft_test *t, bool general_only);

/* The CPU itself, for tests that look inside (soft.h). */
struct cpu *soft_test_cpu(struct soft_test *t);

/* 64-bit, CPL 3 (selectors 0x33 and 0x2b), all else as a Linux process sees it. */
void soft_test_state64(struct cpu_state *s);
/* The same for 32-bit protected mode, flat segments. */
void soft_test_state32(struct cpu_state *s);
/* Real mode: all bases 0. */
void soft_test_state16(struct cpu_state *s);

/* Load the state, run up to `insns` instructions from its RIP, and give the
 * state back.  A conditional jump, call or return may be the last one.
 */
void soft_test_run(struct soft_test *t, struct cpu_state *s, uint64_t insns,
		   struct soft_test_end *end);

#endif
