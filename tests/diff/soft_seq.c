/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_seq.c - several instructions in a row, of 16, 32 and 64 bits, on the software
 * CPU and on the host's: flags that are computed late or not at all, jumps from
 * block to block, loops, faults in the middle, code that changes itself.  Ours runs
 * them as blocks, one by one, and without its fast forms.
 *
 * soft_seq [SECONDS [SEED]]; FIRST=1 ends at the first difference.
 *
 * time limit: 180 s
 */
#include <time.h>

#include "tests/check.h"
#include "tests/lib/insngen.h"
#include "vmm/accel/soft/flags.h"
#include "vmm/accel/soft/lower.h"

#define MAX_LEN		200	/* bytes */
#define STATES		12
#define MAX_REPORTS	5

/* Registers that are kept: the code, the data, the rounds of the loop.  16 and
 * 32-bit code has fewer, and finds its own bytes in ES.
 */
struct kept { uint8_t code, data, rounds; };

static const struct kept kept64 = { 13, 14, 15 };
static const struct kept kept32 = { CPU_RDI, CPU_RSI, CPU_RBX };

struct seq {
	enum code_size code;
	const struct kept *kept;
	uint8_t bytes[MAX_LEN];
	unsigned len, n;
	unsigned offset;
	unsigned undef;		/* F_*: undefined here */
	unsigned ever;		/* and anywhere */
	bool fpu, loop, changes;
	unsigned patch;		/* where an immediate lies that is changed, or 0 */
	unsigned jump;		/* an open forward jump: its displacement, or 0 */
	unsigned skip;		/* instructions until it lands */
	struct insn x87;	/* one of those that use the FPU */
};

static struct {
	struct twin twin;
	struct gen gen;
	uint16_t rows[1000];
	unsigned n_rows;
	uint64_t n_seqs, n, n_insns, n_faults, n_failed;
	uint64_t by_how[3], n_loops, n_changing, n_legacy;
} t;

static unsigned to_f(uint64_t efl)
{
	return (unsigned)(efl & (F_C | F_P | F_A | F_Z | F_S)) |
	       (efl & EFL_OF ? F_O : 0u);
}

static uint64_t to_efl(unsigned f)
{
	return (f & ~(unsigned)F_O) | (f & F_O ? EFL_OF : 0u);
}

/* Rows that go on behind themselves, and touch only what they name. */
static bool row_fits(const struct op_row *row)
{
	if (IS_SEG(row->op) || IS_SYS(row->op) || IS_STRING(row->op))
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (OPND_KIND(row->opnd[i]) == K_J ||
		    OPND_KIND(row->opnd[i]) == K_O ||
		    OPND_SIZE(row->opnd[i]) == S_BLOB)
			return false;
	switch (row->op) {
	case OP_RET: case OP_ENTER: case OP_LEAVE: case OP_XLAT:
	case OP_CALL_IND: case OP_JMP_IND: case OP_UD2: case OP_MASKMOVQ:
	case OP_MASKMOVDQU: case OP_LDMXCSR: case OP_STMXCSR: case OP_FLDCW:
	case OP_BOUND: case OP_DPPS: case OP_DPPD: case OP_POPA:
		return false;
	default:
		return true;
	}
}

static bool is_bit_string(const struct insn *in)
{
	return (in->op == OP_BT || in->op == OP_BTS || in->op == OP_BTR ||
		in->op == OP_BTC) && OPND_KIND(in->row->opnd[1]) == K_G;
}

static bool touches_kept(const struct kept *kept, const struct insn *in)
{
	for (unsigned i = 0; i < 3; i++) {
		enum opnd_kind k = OPND_KIND(in->row->opnd[i]);
		unsigned reg = insn_opnd_reg(in, i);

		if (reg >= 16)
			reg -= 16;	/* AH to BH */
		if ((k == K_G || k == K_R || k == K_Z ||
		     (k == K_E && !in->mem)) &&
		    (reg == CPU_RSP || reg == kept->code ||
		     reg == kept->data || reg == kept->rounds))
			return true;
	}
	return false;
}

static bool insn_fits(const struct seq *q, const struct gen_insn *gi)
{
	const struct insn *in = &gi->insn;

	if (gi->ud || gen_excluded(in) || touches_kept(q->kept, in) ||
	    insn_reads(in) & q->undef)
		return false;
	/* Behind the code each side has its own bytes. */
	if (in->mem && in->seg == CPU_CS && q->code != CODE_64)
		return false;
	if (in->mem && (is_bit_string(in) || in->base != q->kept->data))
		return false;
	if ((in->op == OP_SHLD || in->op == OP_SHRD) && in->osize == 2)
		return false;
	if (IS_X87(in->op))
		return x87_pick(in);
	return !IS_SSE(in->op) || sse_pick(in);
}

/* The flags behind it; what may be jumped over defines none. */
static void follow_flags(struct seq *q, const struct insn *in)
{
	struct native_state any = { .gpr = { [CPU_RCX] = 0xff } };

	if (!q->jump)
		q->undef &= ~insn_kills(in);
	q->undef |= to_f(gen_undefined(in, &any));
	q->ever |= q->undef;
}

static void put(struct seq *q, const void *bytes, unsigned n)
{
	memcpy(q->bytes + q->len, bytes, n);
	q->len += n;
}

static void put_insn(struct seq *q)
{
	struct gen_insn gi;

	for (;;) {
		uint64_t r = gen_random(&t.gen);
		struct gen_form f = { .code = q->code,
			.row = t.rows[(r >> 32) % t.n_rows],
			.size = (r & 0xff) % GS_N,
			.mem = !(r >> 8 & 3),
			.prefix = r >> 10 & 3 ? GP_NONE : r >> 12 & 1 ?
				GP_REX : (r >> 16 & 0xff) % GP_N };
		bool late = f.row > 200 && gen_uses_fpu(&(struct insn){
			.op = op_rows[f.row].op });

		/* Most of them integer ones. */
		if ((late && r >> 24 & 15) ||
		    !gen_make(&t.gen, &f, q->offset + q->len, &gi) ||
		    !insn_fits(q, &gi))
			continue;
		break;
	}
	put(q, gi.bytes, gi.len);
	follow_flags(q, &gi.insn);
	if (gen_uses_fpu(&gi.insn)) {
		q->fpu = true;
		q->x87 = gi.insn;
	}
}

/* A conditional jump forward, over instructions that are yet to come. */
static void put_jump(struct seq *q)
{
	struct gen_insn gi;
	uint8_t b[2] = { (uint8_t)(0x70 | (gen_random(&t.gen) & 15)), 0 };

	CHECK(insn_decode(&t.gen.index, b, 2, q->code, false, &gi.insn) ==
	      DECODE_OK);
	if (insn_reads(&gi.insn) & q->undef)
		b[0] = 0xeb;
	put(q, b, 2);
	q->jump = q->len - 1;
	q->skip = (unsigned)(1 + gen_random(&t.gen) % 3);
}

static void land_jump(struct seq *q)
{
	q->bytes[q->jump] = (uint8_t)(q->len - q->jump - 1);
	q->jump = 0;
}

/* add $imm32, %eax; a byte of the immediate will be changed. */
static void put_patched(struct seq *q)
{
	uint32_t v = (uint32_t)gen_value(&t.gen);
	uint8_t b[5] = { 5 };

	memcpy(b + 1, &v, 4);
	if (q->code == CODE_16)
		put(q, "\x66", 1);
	q->patch = q->len + 1 + gen_random(&t.gen) % 4;
	put(q, b, 5);
	if (!q->jump)
		q->undef &= ~(unsigned)F_ALL;
}

/* movb $imm8, disp32(%r13), or %es:disp32(%edi), for a place that is not yet known:
 * its own place.
 */
static unsigned put_patcher(struct seq *q)
{
	uint8_t b[8] = { 0x41, 0xc6, 0x85, 0, 0, 0, 0,
			 (uint8_t)gen_random(&t.gen) };

	if (q->code != CODE_64) {
		b[0] = 0x26;
		b[2] = 0x87;
	}
	if (q->code == CODE_16)
		put(q, "\x67", 1);
	put(q, b, 8);
	q->changes = true;
	return q->len - 5;
}

static void put_loop(struct seq *q, unsigned from)
{
	static const struct { uint8_t len, bytes[3]; } dec[] = {
		[CODE_16] = { 2, { 0x66, 0x4b } }, [CODE_32] = { 1, { 0x4b } },
		[CODE_64] = { 3, { 0x49, 0xff, 0xcf } } };
	uint8_t jnz[6] = { 0x0f, 0x85 };
	unsigned len = q->code == CODE_16 ? 4 : 6;
	int32_t disp;

	put(q, dec[q->code].bytes, dec[q->code].len);
	disp = (int32_t)from - (int32_t)q->len - (int32_t)len;
	memcpy(jnz + 2, &disp, len - 2);
	put(q, jnz, len);
}

static enum code_size any_code(uint64_t r)
{
	return r & 2 || !t.twin.has_segments ? CODE_64 :
	       r & 1 ? CODE_32 : CODE_16;
}

static void make_seq(struct seq *q)
{
	uint64_t r = gen_random(&t.gen);
	unsigned n = 2 + (unsigned)(r % 11), patcher = 0, disp, at;
	bool changes = !(r >> 8 & 7), before = r >> 11 & 1;

	*q = (struct seq){ .loop = r >> 12 & 1, .n = n,
			   .code = any_code(r >> 60) };
	q->kept = q->code == CODE_64 ? &kept64 : &kept32;
	q->offset = r >> 13 & 3 ? GEN_OFFSET + (r >> 16 & 15) :
				   (unsigned)(TWIN_PAGE - (r >> 16) % 40);
	/* In the second round the end's flags are the beginning's. */
	q->undef = q->ever = q->loop ? F_C | F_O | F_A : 0;
	at = (unsigned)(r >> 24) % n;
	for (unsigned i = 0; i < n; i++) {
		if (changes && i == at && before)
			patcher = put_patcher(q);
		if (changes && i == at)
			put_patched(q);
		if (changes && i == at && !before)
			patcher = put_patcher(q);
		if (!q->jump && !(gen_random(&t.gen) & 7) && i + 4 < n)
			put_jump(q);
		put_insn(q);
		if (q->jump && !--q->skip)
			land_jump(q);
	}
	if (q->jump)
		land_jump(q);
	if (patcher) {
		disp = q->patch;
		memcpy(q->bytes + patcher, &disp, 4);
	}
	if (q->loop) {
		put_loop(q, 0);
		q->undef = q->ever;
	}
}

/* Segments: in ES lies the code; in DS that data which 16-bit addresses reach, all
 * of it or up to a limit in its midst; the stack is flat or of 16 bits.
 */
static void set_segments(const struct seq *q, struct native_state *s, uint64_t r)
{
	uint16_t data = r & 7 ? NATIVE_SEL(NK_DATA16) : NATIVE_SEL(NK_SHORT16);

	s->seg[CPU_CS] = q->code == CODE_16 ? NATIVE_SEL(NK_CODE16) :
			 r & 8 ? NATIVE_CS32 : NATIVE_SEL(NK_CODE32);
	s->seg[CPU_DS] = q->code == CODE_32 && r & 16 ? NATIVE_SS64 : data;
	s->seg[CPU_SS] = r & 32 ? NATIVE_SS64 : NATIVE_SEL(NK_DATA16);
	s->seg[CPU_ES] = NATIVE_SS64;
	s->seg[CPU_FS] = r & 64 ? NATIVE_SEL(NK_RO16) : 0;
	s->seg[CPU_GS] = NATIVE_SEL(NK_DATA16);
	s->gpr[q->kept->data] -= native_ldt_base(s->seg[CPU_DS]);
	s->gpr[CPU_RSP] -= native_ldt_base(s->seg[CPU_SS]);
	for (unsigned i = 0; i < 16; i++)
		s->gpr[i] = (uint32_t)s->gpr[i];
}

static void make_state(const struct seq *q, struct native_state *s)
{
	bool legacy = q->code != CODE_64;
	uint64_t r = gen_random(&t.gen), v[4], data;

	native_init(s);
	for (unsigned i = 0; i < 16; i++)
		s->gpr[i] = gen_value(&t.gen);
	s->gpr[CPU_RSP] = (legacy ? TWIN_RO + TWIN_PAGE : TWIN_HIGH) + 0x800 +
			  (r & 0x3ff);
	data = TWIN_LOW + 0x200 + (r >> 10 & 0xfff);
	if (!(r >> 22 & 15))
		data = TWIN_RO + (r >> 26 & 1) * 2 * TWIN_PAGE -
		       (r >> 27 & 0x7f);
	s->gpr[q->kept->code] = NATIVE_CODE + q->offset;
	s->gpr[q->kept->data] = data;
	s->gpr[q->kept->rounds] = 1 + (r >> 34 & 3);
	s->rflags = r >> 40 & (EFL_STATUS | EFL_DF);
	for (unsigned i = 0; i < 4; i++)
		v[i] = gen_value(&t.gen);
	twin_poke(&t.twin, data + (r >> 56) - 128, v, sizeof(v));
	if (legacy)
		set_segments(q, s, gen_random(&t.gen));
	if (q->fpu)
		gen_fpu(&t.gen, &q->x87, s->fxsave);
}

static void run_seq(const struct seq *q)
{
	static const char *const names[] = { "blocks", "steps", "general" };
	enum twin_how how = gen_random(&t.gen) % 3;
	static struct native_state s;

	/* Where the general forms begin, all blocks are dropped: rarely. */
	if ((how == TWIN_GENERAL || t.twin.how == TWIN_GENERAL) &&
	    gen_random(&t.gen) & 63)
		how = t.twin.how;
	twin_set_how(&t.twin, how);
	t.n_seqs++;
	t.n_loops += q->loop;
	t.n_legacy += q->code != CODE_64;
	t.n_changing += q->changes;
	t.twin.code = q->code;
	twin_put(&t.twin, q->offset, q->bytes, q->len);
	for (unsigned i = 0; i < STATES; i++) {
		make_state(q, &s);
		if (q->changes && i)
			twin_put(&t.twin, q->offset, q->bytes, q->len);
		t.n++;
		t.n_insns += q->n;
		t.by_how[how]++;
		if (!twin_run(&t.twin, &s, to_efl(q->ever), q->fpu) &&
		    t.n_failed++ < MAX_REPORTS) {
			printf("as %s: ", names[how]);
			twin_report(&t.twin, &s);
		}
		if (t.n_failed && getenv("FIRST")) {
			printf("differs, the first after %" PRIu64
			       " executions\n", t.n);
			exit(1);
		}
		t.n_faults += !t.twin.host_end.ran_off;
	}
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) :
			 getenv("CHECK_ALL") ? 120 : 3;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) :
				   (uint64_t)time(NULL);
	double end;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %" PRIu64 "\n", seed);
	gen_init(&t.gen, &t.twin, seed);
	t.gen.plain = true;
	twin_new(&t.twin, true);
	t.twin.several = true;
	CHECK(n_op_rows < 1000);
	for (unsigned i = 0; i < n_op_rows; i++)
		if (row_fits(&op_rows[i]))
			t.rows[t.n_rows++] = (uint16_t)i;
	end = now() + seconds;
	while (now() < end)
		for (unsigned i = 0; i < 32; i++) {
			static struct seq q;

			make_seq(&q);
			run_seq(&q);
		}
	printf("%" PRIu64 " sequences (%" PRIu64 " in 16 or 32 bits, %" PRIu64
	       " loops, %" PRIu64 " change themselves), run %" PRIu64
	       " times (%" PRIu64 " as blocks, %" PRIu64 " by steps, %" PRIu64
	       " in general forms; %" PRIu64 " faults), %" PRIu64
	       " instructions; %" PRIu64 " differ\n",
	       t.n_seqs, t.n_legacy, t.n_loops, t.n_changing, t.n, t.by_how[0],
	       t.by_how[1], t.by_how[2], t.n_faults, t.n_insns, t.n_failed);
	twin_free(&t.twin);
	return t.n_failed != 0;
}
