/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_fpu.c - every x87, MMX and SSE row of the opcode table, in its register and
 * its memory form, with random and boundary operands, rounding, precision and
 * masks: the software CPU beside the host's own.
 *
 * SEED=n repeats a run, ONLY=NAME runs one operation, RUNS=n each row n times.
 */
#include <time.h>

#include "tests/check.h"
#include "tests/lib/native.h"
#include "vmm/accel/soft/decode.h"
#include "vmm/accel/soft/soft_test.h"
#include "vmm/accel/soft/sse_host.h"

#define DATA		0x30000000ul
#define DATA_LEN	0x2000u
#define SOFT_CODE	0u		/* offsets in the test's memory */
#define SOFT_DATA	NATIVE_CODE_LEN
#define STATES		16u		/* runs of each encoding */
#define WINDOW		32u		/* compared around a memory operand */

static struct {
	struct soft_test *soft;
	uint8_t *soft_mem, *native_mem;
	struct op_index index;
	uint64_t seed;
	uint64_t runs, faults;
	unsigned errors;
} t;

/* What runs now. */
struct trial {
	const struct op_row *row;
	bool mem;
	uint8_t bytes[16];
	unsigned len;
	unsigned at, operand;	/* the memory operand: offset in DATA, bytes */
	struct native_state before, native, soft;
	struct native_end native_end;
	struct soft_test_end soft_end;
};

static uint64_t rnd(void)
{
	uint64_t z = t.seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (unsigned)(rnd() % n);
}

static bool one_in(unsigned n)
{
	return !below(n);
}

/* Operands. */

static uint32_t random_single(void)
{
	static const uint32_t edge[] = {
		0, 0x80000000, 1, 0x80000001, 0x7fffff, 0x800000, 0x800001,
		0x807fffff, 0x3f800000, 0xbf800000, 0x3f7fffff, 0x3f800001,
		0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
		0xffc00000, 0x7f800001, 0xff812345, 0x7fffffff, 0x4f000000,
		0xcf000000, 0x4effffff, 0x5f000000, 0xdf000000, 0x5effffff,
		0x3f000000, 0xbf000000, 0x3fc00000, 0x1e000000, 0x20000000,
		0x60000000, 0x4b000001, 0x40490fdb,
	};
	uint32_t v = (uint32_t)rnd();

	switch (below(5)) {
	case 0: return v;
	case 1: return edge[v % (sizeof(edge) / sizeof(edge[0]))];
	case 2: return (v & 0x80ffffff) | 0x3f000000;	/* near 1 */
	case 3: return v & 0x80ffffff;			/* denormal or small */
	default: return (v & 0x81ffffff) | 0x4a000000;
	}
}

static uint64_t random_double(void)
{
	static const uint64_t edge[] = {
		0, 0x8000000000000000, 1, 0xfffffffffffff, 0x10000000000000,
		0x3ff0000000000000, 0xbff0000000000000, 0x3fefffffffffffff,
		0x7fefffffffffffff, 0xffefffffffffffff, 0x7ff0000000000000,
		0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000000,
		0x7ff0000000000001, 0xfff4567812345678, 0x41dfffffffc00000,
		0x41e0000000000000, 0xc1e0000000000000, 0xc1e0000000200000,
		0x43e0000000000000, 0xc3e0000000000000, 0x43dfffffffffffff,
		0x3fe0000000000000, 0x3ff8000000000000, 0x36a0000000000000,
		0x380fffffe0000000, 0x3690000000000000, 0x47efffffefffffff,
		0x47effffff0000000, 0x3810000000000000, 0x1ff0000000000000,
		0x6000000000000000, 0x400921fb54442d18,
	};
	uint64_t v = rnd();

	switch (below(6)) {
	case 0: return v;
	case 1: return edge[v % (sizeof(edge) / sizeof(edge[0]))];
	case 2: return (v & 0x801fffffffffffff) | 0x3fe0000000000000;
	case 3: return v & 0x801fffffffffffff;
	case 4: return (v & 0x80ffffffffffffff) | 0x3700000000000000;
	default: return (v & 0x803fffffffffffff) | 0x41c0000000000000;
	}
}

/* 80 bits: sign and exponent, significand. */
static void random_extended(uint8_t out[10])
{
	static const uint16_t exps[] = { 0, 0, 1, 2, 0x3fff, 0x3ffe, 0x4000,
		0x7ffe, 0x7fff, 0x7fff, 0x3f80, 0x3f81, 0x3f69, 0x3c00, 0x3c01,
		0x3bcc, 0x407e, 0x407f, 0x43fe, 0x43ff, 0x401e, 0x403e, 0x400e,
		0x3fbf, 0x3fdf, 0x5ffe, 0x2000, 0x403d };
	static const uint64_t sigs[] = { 0, 1, 1ull << 63, ~0ull, 3ull << 62,
		(1ull << 63) + 1, 1ull << 62, 0xc90fdaa22168c235,
		0xffffff7fffffffff, 0xffffff8000000000, 0xfffffffffffffc00,
		0xfffffffffffffbff, 0x8000000000000400, 0xbfffffffffffffff };
	uint64_t sig = rnd() | (one_in(12) ? 0 : 1ull << 63);
	uint16_t exp = (uint16_t)rnd();

	switch (below(4)) {
	case 0:
		break;
	case 1:
		exp = exps[below(sizeof(exps) / sizeof(exps[0]))];
		sig = sigs[below(sizeof(sigs) / sizeof(sigs[0]))];
		exp |= (uint16_t)(rnd() & 0x8000);
		break;
	case 2:
		exp = (uint16_t)((rnd() & 0x8000) |
				 exps[below(sizeof(exps) / sizeof(exps[0]))]);
		break;
	default:
		exp = (uint16_t)((rnd() & 0x8000) + 0x3fff - 70 + below(140));
	}
	memcpy(out, &sig, 8);
	memcpy(out + 8, &exp, 2);
}

/* `len` bytes of one kind of numbers. */
static void random_numbers(uint8_t *p, unsigned len)
{
	unsigned kind = below(6);

	for (unsigned i = 0; i + 16 <= len; i += 16) {
		for (unsigned j = 0; j < 16; j += 4) {
			uint32_t v = random_single();

			memcpy(p + i + j, &v, 4);
		}
		for (unsigned j = 0; kind >= 2 && j < 16; j += 8) {
			uint64_t v = kind < 4 ? random_double() : rnd();

			/* Bytes with many zeroes, for the string instructions. */
			if (kind == 5)
				v &= 0x0303030303030303ull & rnd();
			memcpy(p + i + j, &v, 8);
		}
	}
}

static void random_packed_bcd(uint8_t out[10])
{
	for (unsigned i = 0; i < 9; i++)
		out[i] = (uint8_t)(below(10) << 4 | below(10));
	out[9] = (uint8_t)(rnd() & 0x80);
}

static uint16_t random_fcw(void)
{
	uint16_t v = (uint16_t)(0x40 | (rnd() & 0xf00) | 0x3f);

	if (one_in(3))
		v = (uint16_t)(v & ~(1u << below(6)));
	if (one_in(12))
		v = (uint16_t)(v & (rnd() | ~0x3full));
	if (one_in(2))
		v = (uint16_t)((v & ~0xf00u) | 0x300);
	return v;
}

static uint32_t random_mxcsr(void)
{
	uint32_t v = 0x1f80;

	if (one_in(2))
		v |= (uint32_t)rnd() & 0xe040;
	if (one_in(2))
		v |= (uint32_t)rnd() & 0x3f;
	if (one_in(3))
		v &= ~(0x80u << below(6));
	if (one_in(12))
		v &= (uint32_t)rnd() | ~0x1f80u;
	return v;
}

/* ES and B as the flags and masks have it. */
static uint16_t with_es(uint16_t sw, uint16_t cw)
{
	sw &= 0x7f7f;
	return sw & ~cw & 0x3f ? sw | 0x8080 : sw;
}

static void random_fxsave(uint8_t fx[512])
{
	uint16_t cw = random_fcw();
	uint16_t sw = (uint16_t)(rnd() & 0x7f00);
	uint32_t mxcsr = random_mxcsr();

	if (one_in(4))
		sw |= (uint16_t)(rnd() & (one_in(4) ? 0x7f : cw & 0x3f));
	sw = with_es(sw, cw);
	memset(fx, 0, 512);
	memcpy(fx, &cw, 2);
	memcpy(fx + 2, &sw, 2);
	fx[4] = (uint8_t)(one_in(3) ? rnd() : one_in(2) ? 0x7f : 0x3f);
	/* Mostly, ST(0) to ST(5) are there and ST(6) and ST(7) are free. */
	if (fx[4] == 0x7f || fx[4] == 0x3f) {
		unsigned top = sw >> 11 & 7;

		fx[4] = (uint8_t)((unsigned)fx[4] << top |
				  (unsigned)fx[4] >> (8 - top));
	}
	memcpy(fx + 24, &mxcsr, 4);
	for (unsigned i = 0; i < 8; i++)
		random_extended(fx + 32 + 16 * i);
	for (unsigned i = 0; i < 16; i++)
		random_numbers(fx + 160 + 16 * i, 16);
}

static void random_state(struct native_state *s, uint64_t address)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < 16; i++) {
		s->gpr[i] = rnd();
		if (one_in(4))
			s->gpr[i] = (uint64_t)(int64_t)(int8_t)rnd();
		if (one_in(8))
			s->gpr[i] = one_in(2) ? 0x7fffffff : 1ull << 31;
	}
	s->gpr[3] = s->gpr[11] = address;
	s->gpr[7] = address;			/* MASKMOV */
	s->rflags = (rnd() & 0x8d5) | 0x202;
	random_fxsave(s->fxsave);
}

/* Encodings. */

static bool allows(const struct op_row *row, bool mem)
{
	bool any = false;

	if (row->ext != EXT_NONE && row->ext >= 0xc0)
		return !mem;
	for (unsigned i = 0; i < 3; i++)
		switch (OPND_KIND(row->opnd[i])) {
		case K_M:
			return mem;
		case K_R: case K_U: case K_N: case K_T:
			return !mem;
		case K_E: case K_W: case K_Q:
			any = true;
			break;
		default:
			break;
		}
	return any || !mem;
}

static bool has_modrm(const struct op_row *row)
{
	return row->op != OP_FWAIT && row->op != OP_EMMS;
}

static void put(struct trial *tr, unsigned byte)
{
	tr->bytes[tr->len++] = (uint8_t)byte;
}

static void encode(struct trial *tr, const struct op_row *row, bool mem)
{
	unsigned rex = one_in(2) ? 0x40 | below(16) : 0;
	unsigned reg = row->ext < 8 ? row->ext : below(8);

	tr->len = 0;
	tr->row = row;
	tr->mem = mem;
	if (row->prefix == PX_66)
		put(tr, 0x66);
	else if (row->prefix == PX_F3)
		put(tr, 0xf3);
	else if (row->prefix == PX_F2)
		put(tr, 0xf2);
	if (rex)
		put(tr, rex);
	if (row->opcode >= MAP_0F)
		put(tr, 0x0f);
	if (row->opcode >= MAP_0F38)
		put(tr, row->opcode >= MAP_0F3A ? 0x3a : 0x38);
	put(tr, row->opcode & 0xff);
	if (has_modrm(row)) {
		if (row->ext >= 0xc0)
			put(tr, row->ext);
		else if (mem)
			put(tr, reg << 3 | 3);
		else
			put(tr, 0xc0 | reg << 3 | below(8));
	}
	for (unsigned i = 0; i < 3; i++)
		if (OPND_KIND(row->opnd[i]) == K_I)
			put(tr, (unsigned)rnd() & 0xff);
}

/* Bytes of the memory operand. */
static unsigned operand_bytes(const struct trial *tr)
{
	struct insn in;

	CHECK_EQ(insn_decode(&t.index, tr->bytes, tr->len, CODE_64, false, &in),
		 DECODE_OK);
	CHECK_EQ(in.op, tr->row->op);
	CHECK_EQ(in.len, tr->len);
	for (unsigned i = 0; i < 3; i++)
		if (tr->mem && insn_opnd_mem(&in, i))
			return insn_opnd_bytes(&in, i) ? : 512;
	return 16;
}

static unsigned place(unsigned bytes)
{
	unsigned room = DATA_LEN - WINDOW - 512;

	switch (below(16)) {
	case 0: return WINDOW + below(room);
	case 1: return 4096 - below(bytes);
	case 2: return one_in(4) ? DATA_LEN - below(bytes) : 64;
	default: return WINDOW + (below(room) & ~15u);
	}
}

/* What the operand holds before. */
static void fill_operand(struct trial *tr)
{
	uint8_t buf[512 + 2 * WINDOW];
	unsigned len = tr->operand + 2 * WINDOW, from = tr->at - WINDOW;
	uint8_t *op = buf + WINDOW;
	uint32_t v;

	random_numbers(buf, len & ~15u);
	switch (tr->row->op) {
	case OP_FXRSTOR:
		random_fxsave(op);
		if (one_in(4))
			random_numbers(op, 16);
		if (one_in(8))
			op[26] = 1;
		break;
	case OP_FLDENV: case OP_FRSTOR:
		for (unsigned i = 0; i < 7; i++) {
			v = (uint32_t)rnd();
			memcpy(op + 4 * i, &v, 4);
		}
		v = one_in(4) ? (uint32_t)rnd() : random_fcw();
		memcpy(op, &v, 2);
		for (unsigned i = 0; tr->row->op == OP_FRSTOR && i < 8; i++)
			random_extended(op + 28 + 10 * i);
		break;
	case OP_FLDCW:
		v = one_in(4) ? (uint32_t)rnd() : random_fcw();
		memcpy(op, &v, 2);
		break;
	case OP_LDMXCSR:
		v = random_mxcsr();
		if (one_in(8))
			v |= 0x40000u << below(14);
		memcpy(op, &v, 4);
		break;
	case OP_FBLD:
		random_packed_bcd(op);
		break;
	default:
		if (tr->operand == 10)
			random_extended(op);
	}
	if (from + len > DATA_LEN)
		len = DATA_LEN - from;
	memcpy(t.native_mem + from, buf, len);
	memcpy(t.soft_mem + SOFT_DATA + from, buf, len);
}

/* Runs. */

static void run_soft(struct trial *tr)
{
	static struct cpu_state s;

	soft_test_state64(&s);
	memcpy(s.gpr, tr->before.gpr, sizeof(s.gpr));
	s.rip = NATIVE_CODE;
	s.rflags = tr->before.rflags;
	memcpy(s.fxsave, tr->before.fxsave, 512);
	soft_test_run(t.soft, &s, 1, &tr->soft_end);
	memcpy(tr->soft.gpr, s.gpr, sizeof(s.gpr));
	tr->soft.rflags = s.rflags;
	memcpy(tr->soft.fxsave, s.fxsave, 512);
}

static bool same_operand(const struct trial *tr)
{
	unsigned from = tr->at - WINDOW, len = tr->operand + 2 * WINDOW;
	const uint8_t *a = t.native_mem + from;
	const uint8_t *b = t.soft_mem + SOFT_DATA + from;

	if (from + len > DATA_LEN)
		len = DATA_LEN - from;
	if (tr->native_end.fault)
		return !memcmp(a, b, len);
	if (tr->row->op == OP_FXSAVE) {
		/* Pointers are the host's, and what is reserved differs. */
		return !memcmp(a, b, WINDOW + 5) &&
		       !memcmp(a + WINDOW + 24, b + WINDOW + 24, 4) &&
		       !memcmp(a + WINDOW + 160, b + WINDOW + 160, 256);
	}
	if (tr->row->op == OP_FNSTENV || tr->row->op == OP_FNSAVE)
		return !memcmp(a, b, WINDOW + 12) &&
		       !memcmp(a + WINDOW + 28, b + WINDOW + 28,
			       len - WINDOW - 28);
	return !memcmp(a, b, len);
}

/* What hosts do not agree on, or the architecture leaves open. */
static bool ignores_x87(const struct trial *tr)
{
	/* Does memory as the source leave x87 mode?  Does a fault? */
	return (tr->row->op == OP_CVTPI2PS && tr->mem) ||
	       (tr->row->op == OP_MASKMOVQ && tr->native_end.fault);
}

static const char *difference(const struct trial *tr)
{
	const uint8_t *a = tr->native.fxsave, *b = tr->soft.fxsave;

	if (tr->native_end.fault != tr->soft_end.fault)
		return "fault";
	if (tr->native_end.fault) {
		if (tr->native_end.vector != tr->soft_end.vector)
			return "vector";
		/* A long operand is read in parts, in the host's own order. */
		if (tr->soft_end.vector == 14 &&
		    (tr->native_end.error != tr->soft_end.error ||
		     (tr->native_end.cr2 ^ tr->soft_end.cr2) &
		     (tr->operand > 16 ? ~0xffful : ~0ul)))
			return "page fault";
	}
	if (memcmp(tr->native.gpr, tr->soft.gpr, sizeof(tr->soft.gpr)))
		return "general registers";
	if ((tr->native.rflags ^ tr->soft.rflags) & 0x8d5)
		return "flags";
	if (memcmp(a + 24, b + 24, 4))
		return "MXCSR";
	if (ignores_x87(tr))
		return NULL;
	if (memcmp(a, b, 2))
		return "FCW";
	if (memcmp(a + 2, b + 2, 2))
		return "FSW";
	if (a[4] != b[4])
		return "tags";
	/* Some hosts keep the pointers of the last exception only, and make
	 * those that are loaded canonical.
	 */
	if (tr->row->op != OP_FXRSTOR && b[2] & ~tr->before.fxsave[2] & 0x80 &&
	    (memcmp(a + 6, b + 6, 10) ||
	     (tr->mem && memcmp(a + 16, b + 16, 8))))
		return "pointers";
	for (unsigned i = 0; i < 8; i++)
		if (memcmp(a + 32 + 16 * i, b + 32 + 16 * i, 10))
			return "ST";
	if (memcmp(a + 160, b + 160, 256))
		return "XMM";
	return same_operand(tr) ? NULL : "memory";
}

static void show_bytes(const char *name, const uint8_t *p, unsigned n)
{
	fprintf(stderr, " %s", name);
	while (n--)
		fprintf(stderr, "%02x", p[n]);
}

static void show_state(const char *name, const struct native_state *s)
{
	const uint8_t *fx = s->fxsave;

	fprintf(stderr, "  %s: rflags %" PRIx64, name, s->rflags);
	show_bytes("fcw ", fx, 2);
	show_bytes("fsw ", fx + 2, 2);
	show_bytes("tags ", fx + 4, 1);
	show_bytes("mxcsr ", fx + 24, 4);
	show_bytes("fop ", fx + 6, 2);
	show_bytes("fip ", fx + 8, 8);
	show_bytes("fdp ", fx + 16, 8);
	for (unsigned i = 0; i < 8; i++)
		show_bytes(i % 4 ? "" : "\n    st ", fx + 32 + 16 * i, 10);
	for (unsigned i = 0; i < 16; i++)
		show_bytes(i % 4 ? "" : "\n    xmm ", fx + 160 + 16 * i, 16);
	for (unsigned i = 0; i < 16; i++)
		fprintf(stderr, "%s %" PRIx64, i % 8 ? "" : "\n   ", s->gpr[i]);
	fprintf(stderr, "\n");
}

static void report(const struct trial *tr, const char *what)
{
	fprintf(stderr, "%s (%s): %s differ, code", op_names[tr->row->op],
		tr->mem ? "memory" : "register", what);
	for (unsigned i = 0; i < tr->len; i++)
		fprintf(stderr, " %02x", tr->bytes[i]);
	fprintf(stderr, "\n  native fault %d vector %d, soft %d %d\n",
		tr->native_end.fault, tr->native_end.vector,
		tr->soft_end.fault, tr->soft_end.vector);
	show_state("before", &tr->before);
	show_state("native", &tr->native);
	show_state("soft", &tr->soft);
	if (tr->mem) {
		unsigned n = tr->operand < 16 ? tr->operand : 16;

		if (n > DATA_LEN - tr->at)
			n = DATA_LEN - tr->at;
		fprintf(stderr, "  cr2 %" PRIx64, tr->soft_end.cr2);
		show_bytes("memory: native ", t.native_mem + tr->at, n);
		show_bytes("soft ", t.soft_mem + SOFT_DATA + tr->at, n);
	}
	fprintf(stderr, "\n");
	if (++t.errors == 20)
		exit(1);
}

/* One encoding, in some states; false: they differ. */
static bool run_encoding(const struct op_row *row, bool mem)
{
	static struct trial tr;
	const char *what;

	encode(&tr, row, mem);
	tr.operand = operand_bytes(&tr);
	CHECK_EQ(native_put(0, tr.bytes, tr.len), 0);
	memcpy(t.soft_mem + SOFT_CODE, tr.bytes, tr.len);
	soft_test_wrote(t.soft, SOFT_CODE, 16);
	for (unsigned i = 0; i < STATES; i++) {
		tr.at = place(tr.operand);
		fill_operand(&tr);
		random_state(&tr.before, DATA + tr.at);
		tr.native = tr.before;
		native_run(&tr.native, &tr.native_end);
		run_soft(&tr);
		t.runs++;
		t.faults += tr.native_end.fault;
		what = difference(&tr);
		if (!what)
			continue;
		report(&tr, what);
		return false;
	}
	return true;
}

/* Nothing was written beside the operands. */
static void check_all_memory(const struct op_row *row)
{
	uint8_t *soft = t.soft_mem + SOFT_DATA;

	if (row->op != OP_FXSAVE && row->op != OP_FNSTENV &&
	    row->op != OP_FNSAVE && memcmp(soft, t.native_mem, DATA_LEN)) {
		fprintf(stderr, "%s: memory beside the operand differs\n",
			op_names[row->op]);
		t.errors++;
	}
	memcpy(soft, t.native_mem, DATA_LEN);
}

static void run_row(const struct op_row *row, bool mem, unsigned runs)
{
	uint64_t runs_before = t.runs, faults_before = t.faults;

	for (unsigned n = 0; n < runs / STATES; n++)
		if (!run_encoding(row, mem))
			break;
	check_all_memory(row);
	printf("%03x %x/%02x %-10s %-8s %7" PRIu64 " runs, %" PRIu64
	       " faults\n", row->opcode, row->prefix, row->ext,
	       op_names[row->op], mem ? "memory" : "register",
	       t.runs - runs_before, t.faults - faults_before);
}

static void run_rows(unsigned runs)
{
	const char *only = getenv("ONLY");

	for (unsigned i = 0; i < n_op_rows; i++) {
		const struct op_row *row = &op_rows[i];

		if (!IS_X87(row->op) && !IS_SSE(row->op))
			continue;
		if (only && strcmp(only, op_names[row->op]))
			continue;
		if (allows(row, false))
			run_row(row, false, runs);
		if (allows(row, true))
			run_row(row, true, runs);
	}
}

int main(void)
{
	const char *seed = getenv("SEED"), *runs = getenv("RUNS");

	t.seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL);
	printf("SEED=%" PRIu64 "\n", t.seed);
	if (sse_host_lacks()) {
		printf("the host lacks %s\n", sse_host_lacks());
		return 77;
	}
	native_open();
	op_index_init(&t.index);
	t.native_mem = native_map(DATA, DATA_LEN);
	CHECK_EQ(soft_test_new(&t.soft, NATIVE_CODE_LEN + DATA_LEN), 0);
	t.soft_mem = soft_test_memory(t.soft);
	CHECK_EQ(soft_test_map(t.soft, NATIVE_CODE, SOFT_CODE, NATIVE_CODE_LEN,
			       SOFT_TEST_R | SOFT_TEST_X), 0);
	CHECK_EQ(soft_test_map(t.soft, DATA, SOFT_DATA, DATA_LEN,
			       SOFT_TEST_R | SOFT_TEST_W), 0);
	run_rows(runs ? (unsigned)strtoul(runs, NULL, 0) :
		 getenv("CHECK_ALL") ? 200000 : 2048);
	printf("%" PRIu64 " runs, %" PRIu64 " faults\n", t.runs, t.faults);
	soft_test_free(t.soft);
	native_close();
	return t.errors != 0;
}
