/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - a state of a machine in which the fuzzer changes bytes: it is refused
 * with a sentence, or the machine goes on whatever it is in.
 *
 * Input: seed of the machine's state (1); changes of 4 bytes: where (3; the
 * highest bit: from the state's beginning, cut it there), the byte.  Or a state,
 * if it begins as one.
 */
#include "tests/check.h"
#include "tests/lib/fuzzvm.h"
#include "tests/lib/statevm.h"
#include "vmm/state.h"

#define SEEDS	8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct statevm_trace trace;

/* Saved states, to change. */
static void make_state(unsigned seed, void **out, size_t *len)
{
	struct vm *vm = statevm_new();
	struct err e = { "" };

	trace.n = 0;
	statevm_operate(vm, seed, 100 + 50 * seed, &trace);
	CHECK_OK(state_save(vm, out, len, &e));
	vm_free(vm);
}

static uint8_t *change(struct fuzz_in *in, size_t *len)
{
	static struct { void *p; size_t len; } states[SEEDS];
	unsigned seed = (unsigned)fuzz_take(in, 1) % SEEDS;
	uint8_t *copy;

	if (!states[seed].p)
		make_state(seed, &states[seed].p, &states[seed].len);
	*len = states[seed].len;
	copy = malloc(*len + 1);
	CHECK(copy);
	memcpy(copy, states[seed].p, *len);
	while (in->left >= 4) {
		size_t at = fuzz_take(in, 3);

		if (at & 0x800000)
			*len = (at & 0x7fffff) % (*len + 1);
		else if (*len)
			copy[at % *len] = (uint8_t)fuzz_take(in, 1);
		else
			break;
	}
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct vm *vm;
	struct fuzz_in in = { data, len };
	struct err e = { "" };
	uint8_t *state = NULL;

	if (!vm)
		vm = statevm_new();
	if (len < 8 || memcmp(data, STATE_MAGIC, 8))
		data = state = change(&in, &len);
	if (state_load(vm, data, len, &e)) {
		CHECK(e.text[0]);
	} else {
		trace.n = 0;
		statevm_operate(vm, len, 40, &trace);
	}
	free(state);
	return 0;
}
