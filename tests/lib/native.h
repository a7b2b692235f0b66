/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native.h - run a few user-mode instructions on the host's own CPU, in this
 * process, with a complete state in and out; faults are caught and reported as
 * the exceptions that they are.  The oracle of the software CPU's tests.
 *
 * Code is of 64 bits, or of 32 or 16 in segments of this process's LDT
 * (native_ldt.h).
 *
 *	native_open();
 *	native_put(0, bytes, len);	as often as wanted
 *	native_run(&state, &end);	as often as wanted, about 0.2 us each
 *
 * The instructions end by running off their last byte.  All else of the code
 * area is INT3: a jump into it ends the run there.  Endless loops end after a
 * while.  What is not caught: SYSCALL, and writes into this program's own memory; use absolute
 * addresses that native_map() gave, with guard pages around.
 *
 * The bases of FS and GS are the state's if native_has_bases(), else this
 * program's.  One thread; a process has one of these.
 */
#ifndef TESTS_NATIVE_H
#define TESTS_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where instructions run: low, so that 32-bit addresses reach it. */
#define NATIVE_CODE	0x20000000ul
#define NATIVE_CODE_LEN	0x2000u		/* two pages, so they may cross */
#define NATIVE_EXIT_LEN	8u		/* bytes behind the instructions */
#define NATIVE_LANDING	(NATIVE_CODE + 0x100000)	/* and their way back: a page */

/* RFLAGS that can be set: status, DF, NT, AC, ID. */
#define NATIVE_FLAGS	0x244cd5ul

struct native_state {
	uint64_t gpr[16];	/* numbered as in ModRM */
	uint64_t rflags;	/* out: with IF and bit 1 */
	/* As FXSAVE64 has it.  In: the MXCSR must be valid; on the way out FIP and
	 * FDP are the host's.
	 */
	uint8_t fxsave[512] __attribute__((aligned(16)));
	uint64_t fs_base, gs_base;
	/* Selectors, numbered as in ModRM.  CS 0: 64-bit code, and the others are
	 * let alone.  With CS of 16 or 32 bits the bases above do not count.
	 */
	uint16_t seg[6];
};

struct native_end {
	bool fault;
	bool cut;		/* it took too long: ended somewhere */
	int vector;		/* 0 #DE, 1 #DB, 3 INT3, 6 #UD, 13 #GP, 14 #PF ... */
	uint64_t error;		/* error code, 0 without */
	uint64_t cr2;		/* of a #PF */
	uint64_t rip;		/* where it ended, in CS; a fault: of the instruction */
};

/* Take the code area, the signals SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE and
 * SIGVTALRM, and the timer of that.
 */
void native_open(void);
void native_close(void);

/* Are the bases of FS and GS set? */
bool native_has_bases(void);

/* `size` bytes (whole pages) at `address`, with a page on each side that cannot be
 * touched.  Ends the test if the place is taken.
 */
uint8_t *native_map(uint64_t address, size_t size);

/* Put `len` bytes at NATIVE_CODE + `offset`; they run next.  -1: no room. */
int native_put(unsigned offset, const void *bytes, size_t len);
/* The same for code of 16, 32 or 64 `bits`. */
int native_put_code(unsigned offset, const void *bytes, size_t len,
		    unsigned bits);

/* A default state: all zero, FCW 0x37f, MXCSR 0x1f80. */
void native_init(struct native_state *s);

/* From NATIVE_CODE + `offset` of the last native_put(). */
void native_run(struct native_state *s, struct native_end *end);

#endif
