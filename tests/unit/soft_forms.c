/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_forms.c - random instructions in every mode, by the fast forms, by the
 * general ones, and one at a time: state, memory, counts and faults must agree.
 */
#include <time.h>

#include "tests/check.h"
#include "vmm/accel/soft/decode.h"
#include "vmm/accel/soft/soft_test.h"

#define N_INSNS	8u
#define MAX_RUNS	1000u
#define PAGE	0x1000u
#define CODE_AT	0x8000u
#define DATA_AT	0x4000u		/* two pages, then a hole, then the code */
#define MEMORY	(4 * PAGE)

static uint64_t seed;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1du >> 8;
}

/* A row's encoding with random prefixes, ModRM and immediates; its length. */
static unsigned encode(uint8_t *b, const struct op_row *row, bool wide)
{
	static const uint8_t prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x64,
					    0x26, 0x66, 0x2e, 0xf3 };
	unsigned n = 0;

	while (rnd() % 4 == 0 && n < 3)
		b[n++] = prefixes[rnd() % sizeof(prefixes)];
	if (row->prefix == PX_F2 || row->prefix == PX_F3)
		b[n++] = row->prefix == PX_F2 ? 0xf2 : 0xf3;
	if (wide && rnd() & 1)
		b[n++] = (uint8_t)(0x40 | (rnd() & 15));
	if (row->opcode >= MAP_0F)
		b[n++] = 0x0f;
	if (row->opcode >= MAP_0F38)
		b[n++] = row->opcode >= MAP_0F3A ? 0x3a : 0x38;
	b[n] = (uint8_t)row->opcode;
	if (row->attr & A_REG8)
		b[n] |= rnd() & 7;
	if (row->attr & A_CC)
		b[n] |= rnd() & 15;
	n++;
	b[n] = (uint8_t)rnd();
	if (row->ext < 8)
		b[n] = (uint8_t)((b[n] & 0xc7) | row->ext << 3);
	/* No index more often than not, small displacements and numbers. */
	b[n + 1] = (uint8_t)(rnd() & 1 ? rnd() : 0x20 | (rnd() & 7));
	memset(b + n + 2, 0, 12);
	for (unsigned i = n + 2; i < n + 12; i++)
		if (rnd() % 4 == 0)
			b[i] = (uint8_t)(rnd() & 15);
	if (rnd() % 4 == 0)
		memcpy(b + n + 2, &(uint64_t){ rnd() }, 8);
	return n;
}

/* Is FNSTENV or FNSAVE in there, wherever a jump may lead?  They store the
 * selectors of x87's pointers, which a state that is read and set between two
 * instructions does not hold (nor does FXSAVE64).
 */
static bool stores_environment(const uint8_t *b, unsigned len)
{
	for (unsigned i = 0; i + 1 < len; i++)
		if ((b[i] & ~4u) == 0xd9 && (b[i + 1] >> 3 & 7) == 6)
			return true;
	return false;
}

/* Instructions one behind the other, as long as the decoder says. */
static unsigned make_some(const struct op_index *index, uint8_t *b,
			  enum code_size code, bool old)
{
	unsigned pos = 0, n = 0;

	while (n < N_INSNS) {
		const struct op_row *row = &op_rows[rnd() % n_op_rows];
		struct insn in;

		if (IS_X87(row->op) || IS_SSE(row->op) || IS_SYS(row->op) ||
		    IS_SEG(row->op))
			continue;
		encode(b + pos, row, code == CODE_64);
		if (insn_decode(index, b + pos, 15, code, old, &in) !=
		    DECODE_OK)
			continue;
		pos += in.len;
		n++;
	}
	return pos;
}

static unsigned make_code(const struct op_index *index, uint8_t *b,
			  enum code_size code, bool old)
{
	unsigned len;

	do {
		len = make_some(index, b, code, old);
	} while (stores_environment(b, len));
	return len;
}

static void random_state(struct cpu_state *s, enum code_size code)
{
	if (code == CODE_64)
		soft_test_state64(s);
	else if (code == CODE_32)
		soft_test_state32(s);
	else
		soft_test_state16(s);
	for (unsigned i = 0; i < CPU_N_GPR; i++) {
		s->gpr[i] = rnd();
		switch (rnd() % 12) {
		case 0: break;
		case 1: s->gpr[i] &= 31; break;
		case 2: s->gpr[i] = -(s->gpr[i] & 31); break;
		default:
			/* Often a place near the end of a page of data. */
			s->gpr[i] = DATA_AT + 2 * PAGE - rnd() % 80;
			if (rnd() & 1)
				s->gpr[i] -= PAGE;
		}
		if (code != CODE_64)
			s->gpr[i] = (uint32_t)s->gpr[i];
	}
	s->gpr[CPU_RSP] = DATA_AT + PAGE + (rnd() % 64) * 8;
	s->seg[CPU_FS].base = rnd() % 64;
	s->rflags |= rnd() & 0xcd5;
	/* Sometimes a segment whose offsets are not addresses. */
	if (code == CODE_32 && rnd() % 4 == 0)
		s->seg[CPU_ES].base = rnd() % 256;
	if (code != CODE_64 && rnd() % 8 == 0)
		s->seg[CPU_DS].limit = DATA_AT + PAGE + 16;
	s->rip = CODE_AT;
}

struct result {
	struct cpu_state s;
	struct soft_test_end end;
	uint8_t memory[MEMORY];
};

enum how { FAST, GENERAL, SINGLE };

static void run(struct soft_test *t, const uint8_t *memory,
		const struct cpu_state *s, enum how how, struct result *r)
{
	uint8_t *m = soft_test_memory(t);
	uint64_t total = 0;

	memcpy(m, memory, MEMORY);
	soft_test_wrote(t, 0, MEMORY);
	r->s = *s;
	/* A long REP comes back before it is done. */
	for (unsigned i = 0; i < MAX_RUNS && total < N_INSNS; i++) {
		soft_test_run(t, &r->s, how == SINGLE ? 1 : N_INSNS - total,
			      &r->end);
		total += r->end.insns;
		if (r->end.fault || r->end.halted)
			break;
	}
	r->end.insns = total;
	memcpy(r->memory, m, MEMORY);
}

static void compare(const struct result *a, const struct result *b,
		    const uint8_t *code, unsigned len, const char *what)
{
	if (!memcmp(&a->s, &b->s, sizeof(a->s)) &&
	    !memcmp(a->memory, b->memory, MEMORY) &&
	    a->end.fault == b->end.fault && a->end.insns == b->end.insns &&
	    (!a->end.fault || (a->end.vector == b->end.vector &&
			       a->end.error == b->end.error &&
			       a->end.cr2 == b->end.cr2)))
		return;
	fprintf(stderr, "%s:", what);
	for (unsigned i = 0; i < len; i++)
		fprintf(stderr, " %02x", code[i]);
	for (int k = 0; k < 2; k++) {
		const struct result *r = k ? b : a;

		fprintf(stderr, "\n rip %" PRIx64 " flags %" PRIx64 " insns %"
			PRIu64 " fault %d %u %x %" PRIx64, r->s.rip,
			r->s.rflags, r->end.insns, r->end.fault, r->end.vector,
			r->end.error, r->end.cr2);
		for (unsigned i = 0; i < CPU_N_GPR; i++)
			fprintf(stderr, " %" PRIx64, r->s.gpr[i]);
	}
	fputc('\n', stderr);
	for (size_t i = 0; i < sizeof(a->s); i++)
		if (((const uint8_t *)&a->s)[i] != ((const uint8_t *)&b->s)[i])
			fprintf(stderr, " state byte %zu (fxsave at %zu)\n", i,
				offsetof(struct cpu_state, fxsave));
	for (size_t i = 0; i < MEMORY; i++)
		if (a->memory[i] != b->memory[i])
			fprintf(stderr, " memory byte %#zx\n", i);
	exit(1);
}

static struct soft_test *make(bool general)
{
	struct soft_test *t;

	CHECK_EQ(soft_test_new(&t, MEMORY), 0);
	CHECK_EQ(soft_test_map(t, DATA_AT, 0, 2 * PAGE, SOFT_TEST_R |
			       SOFT_TEST_W), 0);
	/* Code that may be written, and code that may not. */
	CHECK_EQ(soft_test_map(t, CODE_AT, 2 * PAGE, PAGE, SOFT_TEST_R |
			       SOFT_TEST_W | SOFT_TEST_X), 0);
	CHECK_EQ(soft_test_map(t, CODE_AT + PAGE, 3 * PAGE, PAGE,
			       SOFT_TEST_R | SOFT_TEST_X), 0);
	soft_test_general(t, general);
	return t;
}

int main(void)
{
	unsigned n = getenv("CHECK_ALL") ? 3000000 : 100000;
	const char *given = getenv("SEED");
	static struct result r[3];
	static uint8_t memory[MEMORY];
	struct soft_test *fast = make(false), *general = make(true);
	struct op_index index;

	seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) | 1;
	printf("SEED=%" PRIu64 "\n", seed);
	op_index_init(&index);
	for (unsigned i = 0; i < n; i++) {
		enum code_size code = (enum code_size)(rnd() % 3);
		uint8_t bytes[160] = { 0 };
		unsigned len = make_code(&index, bytes, code, code == CODE_16);
		/* Sometimes across the end of the page. */
		unsigned at = rnd() % 4 ? 0 : PAGE - (unsigned)(rnd() % len);
		struct cpu_state s;

		random_state(&s, code);
		s.rip += at;
		for (unsigned k = 0; k < 2 * PAGE; k += 8)
			*(uint64_t *)(memory + k) = rnd();
		memset(memory + 2 * PAGE, 0xcc, 2 * PAGE);
		memcpy(memory + 2 * PAGE + at, bytes, len);
		run(fast, memory, &s, FAST, &r[0]);
		run(general, memory, &s, GENERAL, &r[1]);
		run(fast, memory, &s, SINGLE, &r[2]);
		compare(&r[0], &r[1], bytes, len, "fast and general");
		compare(&r[0], &r[2], bytes, len, "together and one by one");
	}
	soft_test_free(fast);
	soft_test_free(general);
	return 0;
}
