/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_decode.c - our decoder beside Zydis: validity, length, operand size,
 * address and immediates of every opcode with many prefixes, ModRM bytes and
 * modes, and of random bytes.
 */
#include "tests/check.h"

#if __has_include(<Zydis/Zydis.h>)

#include <Zydis/Zydis.h>
#include <dlfcn.h>
#include <time.h>

#include "vmm/accel/soft/decode.h"
#include "vmm/cpu.h"

static struct {
	ZyanStatus (*init)(ZydisDecoder *d, ZydisMachineMode m,
			   ZydisStackWidth w);
	ZyanStatus (*decode)(const ZydisDecoder *d, const void *bytes,
			     ZyanUSize len, ZydisDecodedInstruction *in,
			     ZydisDecodedOperand *o);
	const char *(*name)(ZydisMnemonic m);
	ZydisDecoder mode[3];
	struct op_index index;
	uint64_t seed, n_both, n_none, n_diff;
	bool row_seen[2000];
} t;

static uint64_t rnd(void)
{
	t.seed ^= t.seed << 13;
	t.seed ^= t.seed >> 7;
	t.seed ^= t.seed << 17;
	return t.seed;
}

/* Extensions that our CPU does not have. */
static bool is_offered(const ZydisDecodedInstruction *z)
{
	if (z->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return false;
	switch (z->meta.isa_set) {
	case ZYDIS_ISA_SET_I86: case ZYDIS_ISA_SET_X87:
	case ZYDIS_ISA_SET_I186: case ZYDIS_ISA_SET_I286PROTECTED:
	case ZYDIS_ISA_SET_I286REAL:
	case ZYDIS_ISA_SET_I386: case ZYDIS_ISA_SET_I486:
	case ZYDIS_ISA_SET_I486REAL: case ZYDIS_ISA_SET_PENTIUMREAL:
	case ZYDIS_ISA_SET_PENTIUMMMX: case ZYDIS_ISA_SET_PPRO:
	case ZYDIS_ISA_SET_CMOV: case ZYDIS_ISA_SET_FAT_NOP:
	case ZYDIS_ISA_SET_FCMOV:
	case ZYDIS_ISA_SET_FXSAVE: case ZYDIS_ISA_SET_FXSAVE64:
	case ZYDIS_ISA_SET_LONGMODE: case ZYDIS_ISA_SET_LAHF:
	case ZYDIS_ISA_SET_SSE: case ZYDIS_ISA_SET_SSEMXCSR:
	case ZYDIS_ISA_SET_SSE2: case ZYDIS_ISA_SET_SSE2MMX:
	case ZYDIS_ISA_SET_SSE3: case ZYDIS_ISA_SET_SSE3X87:
	case ZYDIS_ISA_SET_SSSE3: case ZYDIS_ISA_SET_SSSE3MMX:
	case ZYDIS_ISA_SET_SSE4: case ZYDIS_ISA_SET_SSE42:
	case ZYDIS_ISA_SET_POPCNT: case ZYDIS_ISA_SET_CMPXCHG16B:
	case ZYDIS_ISA_SET_RDTSCP: case ZYDIS_ISA_SET_RDWRFSGS:
	case ZYDIS_ISA_SET_RDRAND: case ZYDIS_ISA_SET_RDSEED:
	case ZYDIS_ISA_SET_INVPCID: case ZYDIS_ISA_SET_CLFSH:
	case ZYDIS_ISA_SET_PAUSE: case ZYDIS_ISA_SET_SMAP:
	case ZYDIS_ISA_SET_RDPMC: case ZYDIS_ISA_SET_PREFETCH_NOP: case ZYDIS_ISA_SET_SSE_PREFETCH:
		/* These only say #UD. */
		return z->mnemonic != ZYDIS_MNEMONIC_UD0 &&
		       z->mnemonic != ZYDIS_MNEMONIC_UD1;
	default:
		return false;
	}
}

/* Bits of a number that count with this address size. */
static int64_t cut(int64_t v, unsigned asize)
{
	unsigned shift = 64 - 8 * asize;

	return (int64_t)((uint64_t)v << shift) >> shift;
}

static bool same_memory(const struct insn *in, const ZydisDecodedOperand *o)
{
	const ZydisDecodedOperandMem *m = &o->mem;

	if (cut(in->disp, in->asize) != cut(m->disp.value, in->asize) ||
	    in->scale != (m->scale ? __builtin_ctz(m->scale) : 0) ||
	    (in->index == REG_NONE) != (m->index == ZYDIS_REGISTER_NONE) ||
	    (in->base == REG_NONE) != (m->base == ZYDIS_REGISTER_NONE))
		return false;
	return in->op == OP_LEA ||
	       in->seg == m->segment - ZYDIS_REGISTER_ES;
}

static bool same_operands(const struct insn *in,
			  const ZydisDecodedInstruction *z,
			  const ZydisDecodedOperand *o)
{
	unsigned n_imm = 0;

	for (unsigned i = 0; i < z->operand_count; i++) {
		if (o[i].visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
			continue;
		if (o[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    o[i].mem.type == ZYDIS_MEMOP_TYPE_MEM && in->mem &&
		    !same_memory(in, &o[i]))
			return false;
		if (o[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		    cut((int64_t)(n_imm++ ? in->imm2 : in->imm), 1) !=
		    cut(o[i].imm.value.s, 1))
			return false;
	}
	return true;
}

/* What is right though Zydis differs, where both say that it is valid. */
static bool is_justified(const uint8_t *b, const struct insn *in,
			 const ZydisDecodedInstruction *z)
{
	unsigned sib = z->raw.sib.offset;

	/* 3E only says "do not track" there, if the CPU has that; it is a
	 * segment prefix as well.
	 */
	if (z->attributes & ZYDIS_ATTRIB_HAS_NOTRACK)
		return true;
	/* MPX: we have only the NOPs in its place. */
	if (z->meta.isa_set == ZYDIS_ISA_SET_MPX)
		return true;
	/* Zydis 4.0 takes R13D for a base where there is none. */
	return in->mem && in->asize == 4 && in->code == CODE_64 && sib &&
	       z->raw.modrm.mod == 0 && (b[sib] & 7) == 5 && in->rex & 1;
}

static void compare(const uint8_t *b, enum code_size code)
{
	ZydisDecodedOperand o[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	struct insn in;
	bool theirs = ZYAN_SUCCESS(t.decode(&t.mode[code], b, 15, &z, o));
	bool ours = insn_decode(&t.index, b, 15, code, false, &in) == DECODE_OK;
	bool same = ours == theirs;

	if (theirs && ours) {
		t.n_both++;
		t.row_seen[in.row - op_rows] = true;
		same = (z.length == in.len &&
			(!in.mem || z.address_width == in.asize * 8) &&
			same_operands(&in, &z, o)) || is_justified(b, &in, &z);
	} else if (theirs) {
		same = !is_offered(&z);
	} else if (ours) {
		/* MPX has no 16-bit addresses; for us these are NOPs. */
		same = in.op == OP_NOP && (in.opcode & 0xfe) == 0x1a;
	} else {
		t.n_none++;
	}
	if (same)
		return;
	fprintf(stderr, "%d-bit:", 16 << code);
	for (unsigned i = 0; i < 15; i++)
		fprintf(stderr, " %02x", b[i]);
	fprintf(stderr, ": ours %d %u bytes %s, theirs %d %d bytes %s\n", ours,
		in.len, ours ? op_names[in.op] : "", theirs, theirs ? z.length :
		0, theirs ? t.name(z.mnemonic) : "");
	if (++t.n_diff == 40)
		exit(1);
}

static void fill_random(uint8_t *b, unsigned from)
{
	for (unsigned i = from; i < 16; i++)
		b[i] = (uint8_t)rnd();
}

/* Each opcode of each map, with each set of prefixes and each ModRM byte. */
static void enumerate_all(void)
{
	static const char *const prefixes[] = { "", "\x66", "\xf3", "\xf2",
		"\x67", "\xf0", "\x66\xf2", "\x66\xf3", "\xf0\x66", "\x2e",
		"\x64", "\x48", "\x41", "\x44", "\x66\x48", "\x66\x47",
		"\xf3\x48", "\xf2\x4f", "\x48\x66", "\x65\x67\x4f", "\xf3\xf2",
		"\xf2\xf3", "\xf0\x48", "\x36\x42" };
	static const char *const maps[] = { "", "\x0f", "\x0f\x38", "\x0f\x3a" };

	for (unsigned p = 0; p < 24; p++)
		for (unsigned m = 0; m < 4; m++)
			for (unsigned i = 0; i < 0x10000; i++) {
				uint8_t b[16];
				unsigned n = (unsigned)strlen(prefixes[p]);
				unsigned k = (unsigned)strlen(maps[m]);

				memcpy(b, prefixes[p], n);
				memcpy(b + n, maps[m], k);
				fill_random(b, n + k);
				b[n + k] = (uint8_t)(i >> 8);
				b[n + k + 1] = (uint8_t)i;
				for (enum code_size c = 0; c <= CODE_64; c++)
					compare(b, c);
			}
}

static void run_random(uint64_t count)
{
	static const uint8_t common[] = { 0x66, 0xf2, 0xf3, 0x67, 0xf0, 0x48,
					  0x0f, 0x2e, 0x64, 0x41, 0x0f, 0x0f };

	while (count--) {
		uint8_t b[16];

		fill_random(b, 0);
		for (unsigned i = 0; i < 13 && rnd() & 1; i++)
			b[i] = common[rnd() % sizeof(common)];
		compare(b, (enum code_size)(rnd() % 3));
	}
}

int main(void)
{
	void *lib = dlopen("libZydis.so.4.0", RTLD_NOW);
	const char *seed = getenv("SEED");

	if (!lib) {
		puts("skipped: no libZydis.so.4.0");
		return 77;
	}
	*(void **)&t.init = dlsym(lib, "ZydisDecoderInit");
	*(void **)&t.decode = dlsym(lib, "ZydisDecoderDecodeFull");
	*(void **)&t.name = dlsym(lib, "ZydisMnemonicGetString");
	CHECK(t.init && t.decode && t.name);
	t.init(&t.mode[CODE_16], ZYDIS_MACHINE_MODE_LEGACY_16,
	       ZYDIS_STACK_WIDTH_16);
	t.init(&t.mode[CODE_32], ZYDIS_MACHINE_MODE_LEGACY_32,
	       ZYDIS_STACK_WIDTH_32);
	t.init(&t.mode[CODE_64], ZYDIS_MACHINE_MODE_LONG_64,
	       ZYDIS_STACK_WIDTH_64);
	op_index_init(&t.index);
	t.seed = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) | 1;
	printf("seed %" PRIu64 "\n", t.seed);
	enumerate_all();
	run_random(getenv("CHECK_ALL") ? 50000000 : 2000000);
	printf("%" PRIu64 " valid, %" PRIu64 " invalid in both, %" PRIu64
	       " differ\n", t.n_both, t.n_none, t.n_diff);
	for (unsigned i = 0; i < n_op_rows; i++)
		if (!t.row_seen[i])
			printf("row %u, %s, was never seen\n", i,
			       op_names[op_rows[i].op]);
	CHECK_EQ(t.n_diff, 0);
	return 0;
}

#else

int main(void)
{
	puts("skipped: no Zydis headers (libzydis-dev)");
	return 77;
}

#endif
