/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_samples.c - functions of this very program, executed by the software CPU
 * and by the host: the results must be the same.
 */
#include "tests/check.h"
#include "tests/lib/softsample.h"

static void run(const struct sample *sample, bool general)
{
	static uint8_t want[SAMPLE_DATA] __attribute__((aligned(16)));
	struct soft_test_end end;
	struct soft_test *t;
	struct cpu_state s;
	uint64_t r;

	CHECK_EQ(sample_load(sample, &t), 0);
	soft_test_general(t, general);
	sample_run(t, sample, &s, &end);
	sample_fill(want);
	r = sample->fn(want, sample->len);
	printf("%s: %" PRIu64 " instructions\n", sample->name, end.insns);
	CHECK(end.fault);
	CHECK_EQ(end.cr2, SAMPLE_RETURN);
	CHECK_EQ(s.rip, SAMPLE_RETURN);
	CHECK_EQ(s.gpr[CPU_RAX], r);
	CHECK(!memcmp(soft_test_memory(t), want, SAMPLE_DATA));
	soft_test_free(t);
}

int main(void)
{
	for (unsigned i = 0; i < n_samples; i++) {
		run(&samples[i], false);
		run(&samples[i], true);
	}
	return 0;
}
