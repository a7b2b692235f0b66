/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft.c - any bytes as code in any mode: the software CPU comes back from them,
 * and its fast forms leave the same state and memory as the general ones.
 *
 * Byte 0: mode; then 16 bytes of register values; the rest is the code.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/accel/soft/soft_test.h"

#define PAGE	0x1000u
#define CODE_AT	0x8000u
#define DATA_AT	0x6000u		/* two pages, which the code follows */
#define INSNS	500u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct soft_test *cpus[2];

static void make(int general)
{
	if (soft_test_new(&cpus[general], 4 * PAGE) ||
	    soft_test_map(cpus[general], DATA_AT, 0, 4 * PAGE, SOFT_TEST_R |
			  SOFT_TEST_W | SOFT_TEST_X))
		abort();
	soft_test_general(cpus[general], general);
}

static void run(int general, const uint8_t *data, size_t size,
		struct cpu_state *s, struct soft_test_end *end)
{
	uint8_t *m = soft_test_memory(cpus[general]);

	memset(m, 0, 4 * PAGE);
	memcpy(m + 2 * PAGE, data + 17, size - 17);
	soft_test_wrote(cpus[general], 0, 4 * PAGE);
	if (data[0] % 3 == 0)
		soft_test_state64(s);
	else if (data[0] % 3 == 1)
		soft_test_state32(s);
	else
		soft_test_state16(s);
	for (unsigned i = 0; i < CPU_N_GPR; i++)
		s->gpr[i] = data[1 + i] & 1 ? DATA_AT + data[1 + i] * 32u :
					      data[1 + i];
	s->rip = CODE_AT;
	soft_test_run(cpus[general], s, INSNS, end);
}

struct result {
	struct cpu_state s;
	struct soft_test_end end;
	uint8_t memory[4 * PAGE];
};

static bool same(const struct result *a, const struct result *b)
{
	return !memcmp(&a->s, &b->s, sizeof(a->s)) &&
	       !memcmp(a->memory, b->memory, sizeof(a->memory)) &&
	       a->end.insns == b->end.insns && a->end.fault == b->end.fault &&
	       a->end.vector == b->end.vector && a->end.cr2 == b->end.cr2;
}

static void run_into(int general, const uint8_t *data, size_t size,
		     struct result *r)
{
	if (!cpus[general])
		make(general);
	run(general, data, size, &r->s, &r->end);
	memcpy(r->memory, soft_test_memory(cpus[general]), sizeof(r->memory));
	if (r->end.insns > INSNS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct result fast, general, again;

	if (size < 18 || size - 17 > 2 * PAGE)
		return 0;
	run_into(0, data, size, &fast);
	run_into(1, data, size, &general);
	if (same(&fast, &general))
		return 0;
	/* It may have asked for the time or for random numbers. */
	run_into(1, data, size, &again);
	if (same(&general, &again))
		abort();
	return 0;
}
