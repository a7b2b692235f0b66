/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft.c - millions of instructions a second of the software CPU, for each of the
 * functions of softsample.h: CPU time, the median of five.
 */
#include <stdlib.h>
#include <time.h>

#include "tests/check.h"
#include "tests/lib/softsample.h"

#define TURNS 5

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double measure(const struct sample *sample)
{
	double mips[TURNS];

	for (unsigned i = 0; i < TURNS; i++) {
		double start, used;
		uint64_t insns = 0;
		struct soft_test *t;

		CHECK_EQ(sample_load(sample, &t), 0);
		start = cpu_seconds();
		do {
			struct soft_test_end end;
			struct cpu_state s;

			sample_run(t, sample, &s, &end);
			insns += end.insns;
			used = cpu_seconds() - start;
		} while (used < 0.2);
		mips[i] = (double)insns / used * 1e-6;
		soft_test_free(t);
	}
	qsort(mips, TURNS, sizeof(mips[0]), by_size);
	return mips[TURNS / 2];
}

int main(void)
{
	double inverse = 0;

	for (unsigned i = 0; i < n_samples; i++) {
		double mips = measure(&samples[i]);

		printf("%-8s %6.0f million instructions/s\n", samples[i].name,
		       mips);
		inverse += 1 / mips;
	}
	printf("%-8s %6.0f (harmonic mean)\n", "all", n_samples / inverse);
	return 0;
}
