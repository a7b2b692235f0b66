/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softsample.h - functions of the test program itself, made to run on the
 * software CPU: their results must be the host's, and their speed is measured.
 */
#ifndef TESTS_SOFTSAMPLE_H
#define TESTS_SOFTSAMPLE_H

#include "vmm/accel/soft/soft_test.h"

#define SAMPLE_DATA	(1u << 20)	/* bytes that each may use */
#define SAMPLE_RETURN	0x666000u	/* not mapped: where they return to */

struct sample {
	const char *name;
	uint64_t (*fn)(uint8_t *data, uint64_t n);
	uint64_t len;			/* its argument */
};

extern const struct sample samples[];
extern const unsigned n_samples;

/* What the data are at first. */
void sample_fill(uint8_t *data);

/* A software CPU with the function's code, filled data (at offset 0 of its
 * memory) and a stack.
 */
int sample_load(const struct sample *sample, struct soft_test **out);

/* Call it; it ends with a #PF at SAMPLE_RETURN. */
void sample_run(struct soft_test *t, const struct sample *sample,
		struct cpu_state *s, struct soft_test_end *end);

#endif
