/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registers.c - the registers of an x86-64 CPU as GDB wants them: its manual,
 * appendix G, "i386 Features"; their order is ours, which the description tells.
 *
 * Control registers can be read only: what follows from a change of theirs is not
 * for a debugger to make up.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/gdb/session.h"

/* Bytes of the FXSAVE area: SDM volume 1, 10.5.1. */
#define FX_FCW		0u
#define FX_FSW		2u
#define FX_FTW		4u
#define FX_FOP		6u
#define FX_FIP		8u
#define FX_FDP		16u
#define FX_MXCSR	24u
#define FX_ST		32u
#define FX_XMM		160u

#define MXCSR_VALID	0xffffu
#define RFLAGS_FREE	0x247fd5u	/* status flags, TF to NT, RF, AC, ID */

enum kind {
	R64,		/* a field of struct cpu_state */
	CANONICAL,	/* the same, an address */
	READ_ONLY,
	FLAGS,
	SELECTOR,	/* `at` is its number */
	FX,		/* bytes of the FXSAVE area, */
	FX16, FX32,	/* where there may be fewer than GDB has */
	FTW,
	MXCSR,
};

struct reg {
	const char *name, *type;
	uint8_t bytes, kind;
	uint16_t at;	/* bytes of struct cpu_state */
};

#define GPR(name, n, type) { name, type, 8, R64, \
	(uint16_t)(offsetof(struct cpu_state, gpr) + (n) * 8) }
#define FIELD(name, type, kind, field) { name, type, 8, kind, \
	(uint16_t)offsetof(struct cpu_state, field) }
#define SEG(name, n) { name, "int32", 4, SELECTOR, n }
#define IN_FX(at) (uint16_t)(offsetof(struct cpu_state, fxsave) + (at))
#define ST(n) { "st" #n, "i387_ext", 10, FX, IN_FX(FX_ST + 16 * n) }
#define XMM(n) { "xmm" #n, "xmm", 16, FX, IN_FX(FX_XMM + 16 * n) }
#define FPU(name, kind, at) { name, "int", 4, kind, IN_FX(at) }

static const struct reg core[] = {
	GPR("rax", CPU_RAX, "int64"), GPR("rbx", CPU_RBX, "int64"),
	GPR("rcx", CPU_RCX, "int64"), GPR("rdx", CPU_RDX, "int64"),
	GPR("rsi", CPU_RSI, "int64"), GPR("rdi", CPU_RDI, "int64"),
	GPR("rbp", CPU_RBP, "data_ptr"), GPR("rsp", CPU_RSP, "data_ptr"),
	GPR("r8", 8, "int64"), GPR("r9", 9, "int64"),
	GPR("r10", 10, "int64"), GPR("r11", 11, "int64"),
	GPR("r12", 12, "int64"), GPR("r13", 13, "int64"),
	GPR("r14", 14, "int64"), GPR("r15", 15, "int64"),
	FIELD("rip", "code_ptr", CANONICAL, rip),
	{ "eflags", "flags", 4, FLAGS, 0 },
	SEG("cs", CPU_CS), SEG("ss", CPU_SS), SEG("ds", CPU_DS),
	SEG("es", CPU_ES), SEG("fs", CPU_FS), SEG("gs", CPU_GS),
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7),
	FPU("fctrl", FX16, FX_FCW), FPU("fstat", FX16, FX_FSW),
	FPU("ftag", FTW, FX_FTW), FPU("fiseg", FX16, FX_FIP + 4),
	FPU("fioff", FX32, FX_FIP), FPU("foseg", FX16, FX_FDP + 4),
	FPU("fooff", FX32, FX_FDP), FPU("fop", FX16, FX_FOP),
};

static const struct reg sse[] = {
	XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7),
	XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15),
	FPU("mxcsr", MXCSR, FX_MXCSR),
};

static const struct reg segments[] = {
	FIELD("fs_base", "int64", CANONICAL, seg[CPU_FS].base),
	FIELD("gs_base", "int64", CANONICAL, seg[CPU_GS].base),
};

static const struct reg control[] = {
	FIELD("k_gs_base", "int64", CANONICAL, kernel_gs_base),
	FIELD("cr0", "int64", READ_ONLY, cr0),
	FIELD("cr2", "int64", READ_ONLY, cr2),
	FIELD("cr3", "int64", READ_ONLY, cr3),
	FIELD("cr4", "int64", READ_ONLY, cr4),
	FIELD("cr8", "int64", READ_ONLY, cr8),
	FIELD("efer", "int64", READ_ONLY, efer),
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct feature {
	const char *name;
	const struct reg *regs;
	unsigned n;
} features[] = {
	{ "org.gnu.gdb.i386.core", core, N(core) },
	{ "org.gnu.gdb.i386.sse", sse, N(sse) },
	{ "org.gnu.gdb.i386.segments", segments, N(segments) },
	{ "vmm.control", control, N(control) },
};

unsigned gdb_n_registers(void)
{
	return N(core) + N(sse) + N(segments) + N(control);
}

static const struct reg *find(unsigned i)
{
	const struct feature *f = features;

	while (i >= f->n)
		i -= f++->n;
	return &f->regs[i];
}

unsigned gdb_register_size(unsigned i)
{
	return find(i)->bytes;
}

/* The full tag word from the abridged one and what the registers hold: SDM volume
 * 1, 8.1.7.
 */
static uint16_t full_tags(const uint8_t fx[512])
{
	unsigned top = get_le16(fx + FX_FSW) >> 11 & 7, tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		const uint8_t *st = fx + FX_ST + 16 * ((i - top) & 7);
		unsigned exponent = get_le16(st + 8) & 0x7fff, tag;
		uint64_t mantissa = get_le64(st);

		if (!(fx[FX_FTW] >> i & 1))
			tag = 3;
		else if (!exponent && !mantissa)
			tag = 1;
		else if (!exponent || exponent == 0x7fff || !(mantissa >> 63))
			tag = 2;
		else
			tag = 0;
		tags |= tag << 2 * i;
	}
	return (uint16_t)tags;
}

static uint8_t abridged_tags(uint16_t tags)
{
	unsigned used = 0;

	for (unsigned i = 0; i < 8; i++)
		used |= (unsigned)((tags >> 2 * i & 3) != 3) << i;
	return (uint8_t)used;
}

unsigned gdb_register_get(const struct cpu_state *s, unsigned i,
			  uint8_t out[GDB_REGISTER])
{
	const struct reg *r = find(i);
	const uint8_t *field = (const uint8_t *)s + r->at;
	uint64_t v;

	switch ((enum kind)r->kind) {
	case R64:
	case CANONICAL:
	case READ_ONLY:
		memcpy(&v, field, 8);
		put_le64(out, v);
		break;
	case FLAGS:
		put_le32(out, (uint32_t)s->rflags);
		break;
	case SELECTOR:
		put_le32(out, s->seg[r->at].selector);
		break;
	case FX:
		memcpy(out, field, r->bytes);
		break;
	case FX16:
		put_le32(out, get_le16(field));
		break;
	case FX32:
	case MXCSR:
		put_le32(out, get_le32(field));
		break;
	case FTW:
		put_le32(out, full_tags(s->fxsave));
		break;
	}
	return r->bytes;
}

static bool is_canonical(uint64_t v)
{
	return (uint64_t)((int64_t)(v << 16) >> 16) == v;
}

bool gdb_register_set(struct cpu_state *s, unsigned i,
		      const uint8_t in[GDB_REGISTER])
{
	const struct reg *r = find(i);
	uint8_t *field = (uint8_t *)s + r->at;
	uint8_t now[GDB_REGISTER];
	uint64_t v;

	gdb_register_get(s, i, now);
	if (!memcmp(in, now, r->bytes))
		return true;
	switch ((enum kind)r->kind) {
	case READ_ONLY:
	case SELECTOR:
		return false;
	case CANONICAL:
		if (!is_canonical(get_le64(in)))
			return false;
		__attribute__((fallthrough));
	case R64:
		v = get_le64(in);
		memcpy(field, &v, 8);
		break;
	case FLAGS:
		s->rflags = (s->rflags & ~(uint64_t)RFLAGS_FREE) |
			    (get_le32(in) & RFLAGS_FREE);
		break;
	case FX:
		memcpy(field, in, r->bytes);
		break;
	case FX16:
		put_le16(field, get_le16(in));
		break;
	case FX32:
		put_le32(field, get_le32(in));
		break;
	case MXCSR:
		put_le32(field, get_le32(in) & MXCSR_VALID);
		break;
	case FTW:
		*field = abridged_tags(get_le16(in));
		break;
	}
	return true;
}

/* The types that GDB has no name for. */
static const char xmm_type[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16b\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v8w\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4l\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v2q\" type=\"int64\" count=\"2\"/>"
	"<union id=\"xmm\">"
	"<field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/>"
	"<field name=\"v16_int8\" type=\"v16b\"/>"
	"<field name=\"v8_int16\" type=\"v8w\"/>"
	"<field name=\"v4_int32\" type=\"v4l\"/>"
	"<field name=\"v2_int64\" type=\"v2q\"/>"
	"<field name=\"uint128\" type=\"uint128\"/></union>";

static const struct { const char *name; uint8_t first, last; } flags[] = {
	{ "CF", 0, 0 }, { "", 1, 1 }, { "PF", 2, 2 }, { "AF", 4, 4 },
	{ "ZF", 6, 6 }, { "SF", 7, 7 }, { "TF", 8, 8 }, { "IF", 9, 9 },
	{ "DF", 10, 10 }, { "OF", 11, 11 }, { "IOPL", 12, 13 },
	{ "NT", 14, 14 }, { "RF", 16, 16 }, { "VM", 17, 17 },
	{ "AC", 18, 18 }, { "VIF", 19, 19 }, { "VIP", 20, 20 },
	{ "ID", 21, 21 },
};

struct xml {
	char *text;
	size_t len;
};

static void say(struct xml *x, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct xml *x, const char *fmt, ...)
{
	size_t room = GDB_TARGET_XML - x->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(x->text + x->len, room, fmt, ap);
	va_end(ap);
	x->len += min_u64((uint64_t)(n > 0 ? n : 0), room - 1);
}

static void say_flags(struct xml *x)
{
	say(x, "<flags id=\"flags\" size=\"4\">");
	for (size_t i = 0; i < N(flags); i++)
		say(x, "<field name=\"%s\" start=\"%u\" end=\"%u\"/>",
		    flags[i].name, flags[i].first, flags[i].last);
	say(x, "</flags>");
}

size_t gdb_target_xml(char out[GDB_TARGET_XML])
{
	struct xml x = { .text = out };

	say(&x, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM "
	    "\"gdb-target.dtd\"><target>"
	    "<architecture>i386:x86-64</architecture>");
	for (size_t i = 0; i < N(features); i++) {
		const struct feature *f = &features[i];

		say(&x, "<feature name=\"%s\">", f->name);
		if (f->regs == core)
			say_flags(&x);
		if (f->regs == sse)
			say(&x, "%s", xmm_type);
		for (unsigned r = 0; r < f->n; r++)
			say(&x, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>",
			    f->regs[r].name, f->regs[r].bytes * 8u,
			    f->regs[r].type);
		say(&x, "</feature>");
	}
	say(&x, "</target>");
	return x.len;
}
