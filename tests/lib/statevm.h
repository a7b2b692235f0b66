/* SPDX-License-Identifier: GPL-2.0-or-later */
/* statevm.h - a machine with every device there is, and random operations on it
 * which repeat: for tests of the saved state.
 */
#ifndef TESTS_STATEVM_H
#define TESTS_STATEVM_H

#include "tests/lib/fakevm.h"

#define STATEVM_TRACE 65536u

/* What was read, and what arrived at the CPU. */
struct statevm_trace {
	size_t n;
	uint64_t values[STATEVM_TRACE];
	char what[STATEVM_TRACE][48];
};

/* With all devices, after power-on. */
struct vm *statevm_new(void);

/* `n` operations that follow from `seed` alone. */
void statevm_operate(struct vm *vm, uint64_t seed, unsigned n,
		     struct statevm_trace *trace);

/* Read every register, some of them twice. */
void statevm_sweep(struct vm *vm, struct statevm_trace *trace);

/* As vm_pause() and vm_resume() without threads. */
void statevm_pause(struct vm *vm);
void statevm_resume(struct vm *vm);

/* Forget which interrupts came. */
void statevm_forget(struct vm *vm);

/* What `from` is, `to` becomes: memory, disk, and the state of all devices.  Both
 * are paused.
 */
void statevm_load(struct vm *to, struct vm *from);
/* The same into a new machine; both go on. */
struct vm *statevm_twin(struct vm *vm);

/* End the test unless these machines, their memory, their disks and what was read
 * from them are the same.  Pauses both.
 */
void statevm_same(struct vm *a, struct vm *b, const struct statevm_trace *x,
		  const struct statevm_trace *y, const char *when);

#endif
