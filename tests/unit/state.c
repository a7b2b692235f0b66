/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - the state of devices, saved from one machine and loaded into another
 * that was made the same way: from then on nobody can tell them apart.
 *
 * STATE_SEED=n repeats one run; STATE_RUNS=n says how many there are.
 */
#include <errno.h>

#include "tests/check.h"
#include "tests/lib/statevm.h"
#include "vmm/state.h"

#define RUNS	40u
#define OPS	1500u

static void same_bytes(const void *a, size_t a_len, const void *b,
		       size_t b_len, const char *when)
{
	const uint8_t *x = a, *y = b;
	size_t i = 0;

	while (i < a_len && i < b_len && x[i] == y[i])
		i++;
	if (i == a_len && i == b_len)
		return;
	fprintf(stderr, "%s: states of %zu and %zu bytes differ at %zu, behind",
		when, a_len, b_len, i);
	for (size_t j = i < 60 ? 0 : i - 60; j < i; j++)
		fputc(x[j] >= ' ' && x[j] < 127 ? x[j] : '.', stderr);
	fputc('\n', stderr);
	exit(1);
}

static void compare_states(struct vm *a, struct vm *b, const char *when)
{
	size_t a_len, b_len;
	void *x, *y;
	struct err e;

	CHECK_OK(state_save(a, &x, &a_len, &e));
	CHECK_OK(state_save(b, &y, &b_len, &e));
	same_bytes(x, a_len, y, b_len, when);
	free(x);
	free(y);
}

static void compare_traces(const struct statevm_trace *a,
			   const struct statevm_trace *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (a->values[i] == b->values[i])
			continue;
		fprintf(stderr, "%s: 0x%llx, and 0x%llx in the copy\n",
			a->what[i], (unsigned long long)a->values[i],
			(unsigned long long)b->values[i]);
		exit(1);
	}
	CHECK_EQ(a->n, b->n);
}

/* Random operations; save and load; the same operations on both. */
static void one_run(uint64_t seed)
{
	struct vm *a = statevm_new(), *b = statevm_new();
	struct statevm_trace *x = calloc(1, sizeof(*x));
	struct statevm_trace *y = calloc(1, sizeof(*y));
	struct err e = { "" };
	void *state;
	size_t len;

	CHECK(x && y);
	statevm_operate(a, seed, OPS, x);
	/* What the copy has been through leaves no trace either. */
	statevm_operate(b, seed ^ 0x5555, OPS / 4, y);
	statevm_pause(a);
	statevm_pause(b);
	CHECK_OK(state_save(a, &state, &len, &e));
	statevm_copy_memory(b, a);
	CHECK_OK(state_load(b, state, len, &e));
	free(state);
	compare_states(a, b, "after loading");
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
	compare_traces(x, y);
	statevm_pause(a);
	statevm_pause(b);
	compare_states(a, b, "after more operations");
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
