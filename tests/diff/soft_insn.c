/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_insn.c - every instruction that user mode has, in all its forms, on the
 * software CPU and on the host's: registers, flags, memory and faults are the same.
 *
 * soft_insn [SECONDS [SEED [ROW]]]: forms at random for so long; with CHECK_ALL=1
 * one after the other until each has passed 10000 times, or for so long.  FIRST=1
 * ends at the first difference, BITS=16, 32 or 64 runs such code alone, WALL=SECONDS
 * ends after so long by the clock, TABLE=1 prints what passed in each row, PART=1/3
 * does every third row alone, from the second.
 *
 * time limit: 480 s
 */
#include <sys/mman.h>
#include <time.h>

#include "tests/check.h"
#include "tests/lib/insngen.h"
#include "vmm/accel/soft/mmu.h"

#define STATES		40	/* for one instruction */
#define ENOUGH		10000
#define MAX_TRIES	2000	/* of a form before the next one's turn */
#define FEW_TRIES	8	/* to see whether there is such a form */
#define MAX_REPORTS	40
#define N_CODES		3	/* enum code_size */
#define N_FORMS		(N_CODES * GS_N * 2 * GP_N)	/* of a row */

enum { FORM_UNKNOWN, FORM_OK, FORM_NONE, FORM_EXCLUDED, N_FORM_STATES };

/* What is known of a row in all its forms. */
struct row_seen {
	uint32_t passed[N_CODES][GS_N][2][GP_N];
	uint8_t is[N_CODES][GS_N][2][GP_N];
	unsigned failed;
	const char *why;	/* an excluded form is so */
};

static struct {
	struct twin twin;
	struct gen gen;
	struct row_seen *rows;
	uint64_t n, n_faults;
	bool one_is_enough;
	double wall;		/* when to end at the latest */
	unsigned only_code;	/* or N_CODES */
	unsigned part, parts;	/* rows that are `part` modulo `parts` */
	unsigned n_reports, n_failed_rows;
} t;

static void report(const struct gen_form *f, const struct native_state *s)
{
	struct row_seen *seen = &t.rows[f->row];
	const struct op_row *row = &op_rows[f->row];

	if (t.one_is_enough) {
		printf("%s differs, the first after %" PRIu64 " executions\n",
		       op_names[row->op], t.n);
		exit(1);
	}
	/* From now on it is said at once where memory differs. */
	t.twin.late = false;
	if (!seen->failed++)
		t.n_failed_rows++;
	if (seen->failed > 2 || t.n_reports++ >= MAX_REPORTS)
		return;
	printf("row %u: %s %03x /%x, %u bits, size %u prefix %u %s: ", f->row,
	       op_names[row->op], row->opcode, row->ext, 16u << f->code,
	       f->size, f->prefix, f->mem ? "memory" : "register");
	twin_report(&t.twin, s);
}

/* Did ours find nothing, or no code, where the host's process happens to have
 * something?
 */
static bool saw_the_host(void)
{
	const struct twin_end *end = &t.twin.our_end;
	uint64_t page = end->cr2 & ~(uint64_t)(TWIN_PAGE - 1);
	unsigned char in_core;

	return end->vector == EXC_PF && (end->error & (PF_P | PF_I)) != PF_P &&
	       !mincore((void *)(uintptr_t)page, 1, &in_core);
}

static bool is_canonical(uint64_t v)
{
	return (v + (1ull << 47)) >> 48 == 0;
}

/* Is an address canonical only with the base of FS or GS added to it?  Intel's CPUs
 * look at the sum alone (SDM 1, 3.3.7.1), as ours does, and some of AMD's at both.
 */
static bool canonical_by_base(const struct gen_insn *gi,
			      const struct native_state *s)
{
	const struct twin_end *end = &t.twin.our_end;
	uint64_t base = gi->insn.seg == CPU_FS ? s->fs_base :
			gi->insn.seg == CPU_GS ? s->gs_base : 0;

	return base && end->vector == EXC_PF &&
	       t.twin.host_end.vector == EXC_GP && is_canonical(end->cr2) &&
	       !is_canonical(end->cr2 - base);
}

/* Did it jump into its own bytes?  What they mean there has no rule that says which
 * of two faults comes first, or which flags are undefined, and they may go on with
 * those behind the code, where the two differ.
 */
static bool jumped_into_itself(const struct gen_insn *gi,
			       const struct native_state *s)
{
	switch (gi->insn.op) {
	case OP_JMP_IND: case OP_CALL_IND: case OP_RET:
		return twin_jumps_into_itself(&t.twin, s);
	default:
		return false;
	}
}

/* An instruction that is there, from `n` states; how many passed. */
static unsigned run_states(const struct gen_form *f, const struct gen_insn *gi,
			   unsigned n)
{
	bool fpu = gen_uses_fpu(&gi->insn);
	static struct native_state s;
	unsigned passed = 0;

	native_init(&s);
	t.twin.code = f->code;
	t.twin.loose_stack = gi->insn.op == OP_CALL_FAR;
	twin_put(&t.twin, gi->offset, gi->bytes, gi->len);
	for (unsigned i = 0; i < n; i++) {
		gen_state(&t.gen, &t.twin, gi, &s);
		t.n++;
		if (twin_run(&t.twin, &s, gen_undefined(&gi->insn, &s), fpu))
			passed++;
		else if (!saw_the_host() && !canonical_by_base(gi, &s) &&
			 !jumped_into_itself(gi, &s) &&
			 !twin_reads_behind(&t.twin, &s))
			report(f, &s);
		t.n_faults += !t.twin.host_end.ran_off;
	}
	if (!twin_settle(&t.twin)) {
		printf("memory differs after one of %u runs\n", n);
		report(f, &s);
		passed = 0;
	}
	return passed;
}

/* Where a difference once was. */
static const char *const found[] = {
	"\x0f\xb1\xca",		/* cmpxchg %ecx, %edx: upper half if not equal */
	"\x0f\xb1\xc2",
	"\xf3\x41\x90",		/* xchg %rax, %r8: no pause */
	"\xa4",			/* movsb: the source's fault is first */
	"\xf3\x48\xa5",
	"\x0f\xae\x0f",		/* fxrstor (%rdi): reserved bits, ES */
	"\xf3\x6c",			/* rep insb: #GP also if there is none */
	"\xf3\x6f",
	"\xdb\x2f",			/* fld tbyte (%rdi): alignment of 8 */
	"\x0f\x15\x44\x24\x01",	/* unpckhps 1(%rsp): #GP or #SS */
	"\x48\x0f\xc7\x4c\x24\x01",	/* cmpxchg16b 1(%rsp): the same */
};

static void run_found(void)
{
	for (unsigned i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		struct gen_insn gi = { .len = (unsigned)strlen(found[i]),
				       .offset = GEN_OFFSET };
		struct gen_form f = { .code = CODE_64 };

		memcpy(gi.bytes, found[i], gi.len);
		CHECK(insn_decode(&t.gen.index, gi.bytes, gi.len, CODE_64,
				  false, &gi.insn) == DECODE_OK);
		f.row = (unsigned)(gi.insn.row - op_rows);
		f.mem = gi.insn.mem;
		run_states(&f, &gi, 1000);
	}
}

static const char *why_excluded(const struct insn *in)
{
	if (!t.twin.has_segments && gen_uses_segments(in))
		return "the kernel has no modify_ldt";
	return gen_excluded(in);
}

/* One instruction from `n` states. */
static void run_form(const struct gen_form *f, unsigned n)
{
	struct row_seen *seen = &t.rows[f->row];
	uint8_t *is = &seen->is[f->code][f->size][f->mem][f->prefix];
	uint64_t r = gen_random(&t.gen);
	unsigned offset = r & 7 ? GEN_OFFSET + (r >> 8 & 15) :
			  (unsigned)(TWIN_PAGE - 1 - (r >> 8) % 12);
	struct gen_insn gi;

	if (!gen_make(&t.gen, f, offset, &gi)) {
		if (*is == FORM_UNKNOWN)
			*is = FORM_NONE;
		return;
	}
	if (why_excluded(&gi.insn)) {
		if (*is != FORM_OK)
			*is = FORM_EXCLUDED;
		seen->why = why_excluded(&gi.insn);
		return;
	}
	*is = FORM_OK;
	seen->passed[f->code][f->size][f->mem][f->prefix] +=
		run_states(f, &gi, gi.ud ? n / 4 : n);
}

static double seconds_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double now(void)
{
	return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* Is it over, by this CPU time, or by the clock on the wall? */
static bool is_over(double end)
{
	return now() >= end || seconds_of(CLOCK_MONOTONIC) >= t.wall;
}

static enum code_size any_code(uint64_t r)
{
	if (t.only_code < N_CODES)
		return t.only_code;
	return r & 2 || !t.twin.has_segments ? CODE_64 : r & 1;
}

static void run_random(double seconds, unsigned only)
{
	double end = now() + seconds;

	while (!is_over(end))
		for (unsigned i = 0; i < 64; i++) {
			uint64_t r = gen_random(&t.gen);
			struct gen_form f = {
				.code = any_code(r >> 60),
				.row = (unsigned)(r >> 16) % n_op_rows,
				.size = (r & 0xff) % GS_N,
				.prefix = (r >> 8 & 0xff) % GP_N,
				.mem = r >> 59 & 1 };

			if (only < n_op_rows)
				f.row = only;
			if (t.rows[f.row].is[f.code][f.size][f.mem][f.prefix]
			    != FORM_NONE)
				run_form(&f, STATES);
		}
}

/* One form until it has passed `goal` times.  Is there more to do? */
static bool run_until(const struct gen_form *f, unsigned goal)
{
	struct row_seen *seen = &t.rows[f->row];
	uint8_t *is = &seen->is[f->code][f->size][f->mem][f->prefix];
	uint32_t *passed = &seen->passed[f->code][f->size][f->mem][f->prefix];
	bool first = *is == FORM_UNKNOWN;

	if (seen->failed >= 10)
		return false;
	for (unsigned i = 0; i < MAX_TRIES && *passed < goal; i++) {
		/* Perhaps only these registers were not to be had. */
		if (*is > FORM_OK && (!first || i >= FEW_TRIES))
			return false;
		run_form(f, STATES);
	}
	return *passed < ENOUGH;
}

static bool all_forms(unsigned row, unsigned goal)
{
	bool more = false;

	for (unsigned k = 0; k < N_FORMS; k++) {
		struct gen_form f = { .row = row, .prefix = k % GP_N,
				      .mem = k / GP_N & 1,
				      .size = k / GP_N / 2 % GS_N,
				      .code = k / GP_N / 2 / GS_N };

		if (f.code == CODE_64 || t.twin.has_segments)
			more |= run_until(&f, goal);
	}
	return more;
}

/* Until every form that there is has passed often enough; all of them somewhat
 * first, so that an early end has seen each.
 */
static void run_all(double seconds)
{
	double end = now() + seconds;
	bool more = true;

	for (unsigned goal = 0; more && !is_over(end);) {
		more = false;
		goal = goal ? ENOUGH : ENOUGH / 16;
		for (unsigned row = t.part; row < n_op_rows && !is_over(end);
		     row += t.parts)
			more |= all_forms(row, goal);
	}
}

static void set_part(const char *part)
{
	t.parts = 1;
	if (part)
		CHECK(sscanf(part, "%u/%u", &t.part, &t.parts) == 2 &&
		      t.part < t.parts);
}

/* Rows, each with what passed least and most. */
static void print_table(bool all)
{
	unsigned n_forms[N_FORM_STATES] = { 0 }, n_enough = 0, n_seen = 0;

	for (unsigned row = 0; row < n_op_rows; row++) {
		const struct row_seen *s = &t.rows[row];
		uint64_t least = UINT64_MAX, sum = 0;
		unsigned n = 0, forms[N_FORM_STATES] = { 0 };

		for (unsigned k = 0; k < N_FORMS; k++) {
			unsigned is = (&s->is[0][0][0][0])[k];
			uint64_t v = (&s->passed[0][0][0][0])[k];

			forms[is]++;
			n_forms[is]++;
			if (is != FORM_OK)
				continue;
			n++;
			least = v < least ? v : least;
			sum += v;
			n_enough += v >= ENOUGH;
			n_seen += v > 0;
		}
		if (all)
			printf("%4u %03x /%x %-10s %2u forms, passed %" PRIu64
			       " (least %" PRIu64 "), excluded %u%s%s\n",
			       row, op_rows[row].opcode,
			       op_rows[row].ext, op_names[op_rows[row].op], n,
			       sum, n ? least : 0, forms[FORM_EXCLUDED],
			       s->why ? ": " : "", s->why ? s->why : "");
	}
	printf("forms (row x size x register or memory x prefix): %u, of them %u "
	       "passed, %u at least %u times; excluded %u\n",
	       n_forms[FORM_OK], n_seen, n_enough, ENOUGH,
	       n_forms[FORM_EXCLUDED]);
}

int main(int argc, char **argv)
{
	bool all = getenv("CHECK_ALL");
	double seconds = argc > 1 ? atof(argv[1]) : all ? 4500 : 4;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) :
				   (uint64_t)time(NULL);
	double began;

	t.one_is_enough = getenv("FIRST");
	set_part(getenv("PART"));
	t.wall = seconds_of(CLOCK_MONOTONIC) +
		 (getenv("WALL") ? atof(getenv("WALL")) : 1e9);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %" PRIu64 "\n", seed);
	gen_init(&t.gen, &t.twin, seed);
	twin_new(&t.twin, false);
	t.twin.late = true;
	t.only_code = getenv("BITS") ? (unsigned)atoi(getenv("BITS")) / 32 :
				       N_CODES;
	if (!t.twin.has_segments)
		printf("64-bit code alone: the kernel has no modify_ldt\n");
	t.rows = calloc(n_op_rows, sizeof(*t.rows));
	CHECK(t.rows);
	began = now();
	run_found();
	if (all)
		run_all(seconds);
	else
		run_random(seconds, argc > 3 ? (unsigned)atoi(argv[3]) : ~0u);
	began = now() - began;
	print_table(all || getenv("TABLE"));
	printf("%" PRIu64 " executions (%" PRIu64 " faults) in %.1f s, %.0f a "
	       "second; %" PRIu64 " say nothing; %u rows differ\n", t.n,
	       t.n_faults, began, (double)t.n / began, t.twin.n_dropped,
	       t.n_failed_rows);
	twin_free(&t.twin);
	free(t.rows);
	return t.n_failed_rows != 0;
}
