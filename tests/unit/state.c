/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - the state of devices, saved from one machine and loaded into another
 * that was made the same way: from then on nobody can tell them apart.
 *
 * STATE_SEED=n repeats one run; STATE_RUNS=n says how many there are.
 */
#include "tests/check.h"
#include "tests/lib/statevm.h"

#define RUNS	40u
#define OPS	1500u

/* Random operations; save and load; the same operations on both. */
static void one_run(uint64_t seed)
{
	struct vm *a = statevm_new(), *b = statevm_new();
	struct statevm_trace *x = calloc(1, sizeof(*x));
	struct statevm_trace *y = calloc(1, sizeof(*y));

	CHECK(x && y);
	statevm_operate(a, seed, OPS, x);
	/* What the copy has been through leaves no trace either. */
	statevm_operate(b, seed ^ 0x5555, OPS / 4, y);
	statevm_pause(a);
	statevm_pause(b);
	statevm_load(b, a);
	statevm_resume(a);
	statevm_resume(b);
	x->n = y->n = 0;
	statevm_forget(a);
	statevm_forget(b);
	if (seed % 2) {
		statevm_sweep(a, x);
		statevm_sweep(b, y);
	}
	statevm_operate(a, ~seed, OPS, x);
	statevm_operate(b, ~seed, OPS, y);
	statevm_same(a, b, x, y, "after more operations");
	vm_free(a);
	vm_free(b);
	free(x);
	free(y);
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : otherwise;
}

int main(void)
{
	uint64_t first = setting("STATE_SEED", 1);
	uint64_t n = setting("STATE_RUNS", getenv("STATE_SEED") ? 1 : RUNS);

	for (uint64_t seed = first; seed < first + n; seed++) {
		printf("seed %llu\n", (unsigned long long)seed);
		fflush(stdout);
		one_run(seed);
	}
	return 0;
}
