/* SPDX-License-Identifier: GPL-2.0-or-later */
/* twin.c - the same instructions on the host's CPU and on the software CPU. */
#include "twin.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/check.h"
#include "vmm/accel/soft/flags.h"
#include "vmm/accel/soft/soft_test.h"

#define CODE_SIZE	(NATIVE_CODE_LEN + TWIN_PAGE)
#define MAX_INSNS	20000
#define INT3		0xcc
#define PUSHED		32u		/* bytes of the longest far call's */
#define PUTS		64u		/* until no INT3 has a block */
#define CR4_FSGSBASE	0x10000u

/* Memory: where it is, and where in the software CPU's copy. */
struct piece {
	uint64_t lin;
	unsigned offset, len;
	bool writable;
};

static const struct piece pieces[] = {
	{ TWIN_LOW, 0x3000, 0x2000, true },
	{ TWIN_RO, 0x5000, 0x1000, false },
	{ TWIN_RO + 0x1000, 0x6000, 0x1000, true },
	{ TWIN_HIGH, 0x7000, 0x2000, true },
	{ TWIN_TOP32, 0x9000, 0x1000, true },
};
#define N_PIECES (sizeof(pieces) / sizeof(pieces[0]))
#define TABLES		0xa000u		/* ours alone: GDT, LDT */
#define TABLES_LIN	0xfffffe0000001000ull
#define LDT_AT		0x100u
#define LANDING		0xb000u		/* what of the host's can be read, by chance */
#define RAM_SIZE	0xc000u

static uint8_t *host_at(uint64_t lin)
{
	return (uint8_t *)(uintptr_t)lin;
}

/* The page that what runs cannot write is here as well, where it can be poked: what
 * an instruction finds there must be as well chosen as elsewhere (a selector may be
 * good in the host's GDT, which has more than ours).
 */
static uint8_t *map_read_only(void)
{
	int fd = memfd_create("twin", MFD_CLOEXEC);
	uint8_t *p;

	CHECK(fd >= 0 && !ftruncate(fd, TWIN_PAGE));
	p = mmap(NULL, TWIN_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK(mmap(host_at(TWIN_RO), TWIN_PAGE, PROT_READ,
		   MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) != MAP_FAILED);
	close(fd);
	return p;
}

/* Where the test writes what the host has at `lin` of this piece. */
static uint8_t *poke_at(const struct twin *t, const struct piece *p,
			uint64_t lin)
{
	return p->writable ? host_at(lin) : t->read_only + (lin - p->lin);
}

/* A descriptor for both tables and what its selector loads. */
static void add_segment(struct twin *t, uint16_t selector,
			struct cpu_segment *s)
{
	uint64_t d = native_ldt_descriptor(selector);
	uint32_t limit = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));

	memcpy(t->ram + TABLES + (selector & 4 ? LDT_AT : 0) +
	       (selector & 0xfff8), &d, 8);
	*s = (struct cpu_segment){ .selector = selector,
		.base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000),
		.limit = d >> 55 & 1 ? limit << 12 | 0xfff : limit,
		.attr = (uint32_t)(d >> 40 & 0xf0ff) };
}

static void add_segments(struct twin *t)
{
	memset(t->ram + TABLES, 0, TWIN_PAGE);
	add_segment(t, NATIVE_CS64, &t->cs64);
	add_segment(t, NATIVE_CS32, &t->cs32);
	add_segment(t, NATIVE_SS64, &t->flat);
	t->has_segments = native_ldt_open();
	for (unsigned i = 1; t->has_segments && i < NK_N; i++)
		add_segment(t, NATIVE_SEL(i), &t->segs[i]);
	CHECK_EQ(soft_test_map(t->soft, TABLES_LIN, TABLES, TWIN_PAGE,
			       SOFT_TEST_R | SOFT_TEST_SYSTEM), 0);
}

struct cpu_segment twin_segment(const struct twin *t, uint16_t selector)
{
	if (selector == NATIVE_SS64)
		return t->flat;
	if (selector == NATIVE_CS32)
		return t->cs32;
	if (selector == NATIVE_CS64)
		return t->cs64;
	if (selector & 4 && selector >> 3 < NK_N)
		return t->segs[selector >> 3];
	return (struct cpu_segment){ .selector = selector,
				     .attr = CPU_SEG_UNUSABLE };
}

static void set_state(struct twin *t)
{
	struct soft_test_end end;
	struct cpu_state s;

	soft_test_state64(&s);
	s.cr0 |= CPU_CR0_AM;
	s.cr4 |= CR4_FSGSBASE;
	/* Null, for 16 and 32-bit code too. */
	for (unsigned i = 0; i < 6; i++)
		if (i != CPU_CS && i != CPU_SS)
			s.seg[i] = twin_segment(t, 0);
	s.gdtr.base = TABLES_LIN;
	s.gdtr.limit = LDT_AT - 1;
	s.ldtr = (struct cpu_segment){ .base = TABLES_LIN + LDT_AT,
		.limit = NK_N * 8 - 1, .attr = 0x82, .selector = 0x88 };
	s.rip = NATIVE_CODE;
	soft_test_run(t->soft, &s, 1, &end);
}

void twin_new(struct twin *t, bool code_writable)
{
	memset(t, 0, sizeof(*t));
	t->code_writable = code_writable;
	CHECK_EQ(soft_test_new(&t->soft, RAM_SIZE), 0);
	t->cpu = soft_test_cpu(t->soft);
	t->ram = soft_test_memory(t->soft);
	native_open();
	native_map(TWIN_LOW, 4 * TWIN_PAGE);
	native_map(TWIN_HIGH, 2 * TWIN_PAGE);
	native_map(TWIN_TOP32, TWIN_PAGE);
	t->read_only = map_read_only();
	t->code = CODE_64;
	for (unsigned i = 3 * TWIN_PAGE; i < TABLES; i++)
		t->ram[i] = (uint8_t)(i * 2654435761u >> 11);
	memcpy(t->ram, host_at(NATIVE_CODE), CODE_SIZE);
	CHECK_EQ(soft_test_map(t->soft, NATIVE_CODE, 0, CODE_SIZE,
			       SOFT_TEST_R | SOFT_TEST_X |
			       (code_writable ? SOFT_TEST_W : 0)), 0);
	for (unsigned i = 0; i < N_PIECES; i++) {
		const struct piece *p = &pieces[i];

		memcpy(poke_at(t, p, p->lin), t->ram + p->offset, p->len);
		CHECK_EQ(soft_test_map(t->soft, p->lin, p->offset, p->len,
				       SOFT_TEST_R |
				       (p->writable ? SOFT_TEST_W : 0)), 0);
	}
	memcpy(t->ram + LANDING, host_at(NATIVE_LANDING), TWIN_PAGE);
	CHECK_EQ(soft_test_map(t->soft, NATIVE_LANDING, LANDING, TWIN_PAGE,
			       SOFT_TEST_R), 0);
	add_segments(t);
	set_state(t);
}

void twin_free(struct twin *t)
{
	native_close();
	munmap(t->read_only, TWIN_PAGE);
	soft_test_free(t->soft);
}

/* What runs must not change the INT3s. */
static void protect_code(const struct twin *t, int prot)
{
	if (t->code_writable)
		return;
	CHECK(!mprotect(host_at(NATIVE_CODE), CODE_SIZE, prot));
}

void twin_put(struct twin *t, unsigned offset, const uint8_t *bytes,
	      unsigned len)
{
	memset(t->ram + t->code_at, INT3, t->code_len);
	/* Each INT3 that was jumped to is a block, and a write looks at all that its
	 * page has.
	 */
	if (t->n_puts++ % PUTS)
		soft_test_wrote(t->soft, t->code_at, t->code_len);
	else
		soft_test_wrote(t->soft, 0, CODE_SIZE);
	protect_code(t, PROT_READ | PROT_WRITE);
	CHECK_EQ(native_put_code(offset, bytes, len, 16u << t->code), 0);
	protect_code(t, PROT_READ | PROT_EXEC);
	memcpy(t->ram + offset, bytes, len);
	soft_test_wrote(t->soft, offset, len);
	t->code_at = offset;
	t->code_len = len;
}

void twin_poke(struct twin *t, uint64_t lin, const void *bytes, unsigned len)
{
	for (unsigned i = 0; i < N_PIECES; i++) {
		const struct piece *p = &pieces[i];
		uint64_t from = max_u64(lin, p->lin);
		uint64_t to = min_u64(lin + len, p->lin + p->len);

		if (from >= to || lin + len < lin)
			continue;
		memcpy(poke_at(t, p, from),
		       (const uint8_t *)bytes + (from - lin), to - from);
		memcpy(t->ram + p->offset + (from - p->lin),
		       (const uint8_t *)bytes + (from - lin), to - from);
	}
}

void twin_set_how(struct twin *t, enum twin_how how)
{
	if ((how == TWIN_GENERAL) != (t->how == TWIN_GENERAL))
		soft_test_general(t->soft, how == TWIN_GENERAL);
	t->how = how;
}

static enum stop run_on(struct twin *t)
{
	enum stop stop = STOP_BUDGET;

	if (t->how != TWIN_STEPS)
		return cpu_run(t->cpu, MAX_INSNS);
	for (unsigned i = 0; i < MAX_INSNS && stop == STOP_BUDGET; i++)
		stop = cpu_run(t->cpu, 1);
	return stop;
}

/* The selectors; 64-bit code without: those that it has. */
static void set_segments(struct twin *t, const struct native_state *in)
{
	struct cpu *cpu = t->cpu;
	bool changed = false;

	for (unsigned i = 0; i < 6; i++) {
		uint16_t now = cpu->seg[i].selector, to = in->seg[i];

		if (!in->seg[CPU_CS])
			to = i == CPU_CS ? NATIVE_CS64 : i == CPU_SS ?
				NATIVE_SS64 : 0;
		if (now != to || i >= CPU_FS)
			cpu->seg[i] = twin_segment(t, to);
		changed |= now != to;
	}
	if (!in->seg[CPU_CS] || in->seg[CPU_CS] == NATIVE_CS64) {
		cpu->seg[CPU_FS].base = in->fs_base;
		cpu->seg[CPU_GS].base = in->gs_base;
	}
	cpu->rip = NATIVE_CODE + t->code_at - cpu->seg[CPU_CS].base;
	if (changed)
		cpu_mode_changed(cpu);
}

static bool is_int3(const struct twin *t)
{
	uint64_t at = t->cpu->rip + t->cpu->seg[CPU_CS].base - NATIVE_CODE;

	return at < CODE_SIZE && t->ram[at] == INT3;
}

static void load_ours(struct twin *t, const struct native_state *in)
{
	struct cpu *cpu = t->cpu;

	memcpy(cpu->gpr, in->gpr, sizeof(cpu->gpr));
	set_segments(t, in);
	eflags_set(cpu, (in->rflags & NATIVE_FLAGS) | 0x202);
	if (!(cpu->mode & MODE_AC) != !(cpu->eflags & EFL_AC))
		cpu_mode_changed(cpu);
	if (t->with_fpu)
		fpu_set(&cpu->fpu, in->fxsave);
}

static void run_ours(struct twin *t, const struct native_state *in)
{
	struct twin_end *end = &t->our_end;
	struct cpu *cpu = t->cpu;
	enum stop stop;

	load_ours(t, in);
	stop = run_on(t);
	memcpy(t->ours.gpr, cpu->gpr, sizeof(cpu->gpr));
	t->ours.rflags = eflags_get(cpu);
	t->ours.fs_base = cpu->seg[CPU_FS].base;
	t->ours.gs_base = cpu->seg[CPU_GS].base;
	for (unsigned i = 0; i < 6; i++)
		t->ours.seg[i] = cpu->seg[i].selector;
	if (t->with_fpu)
		fpu_get(&cpu->fpu, t->ours.fxsave);
	*end = (struct twin_end){ .rip = cpu->rip, .vector = -(int)stop - 1 };
	if (stop != STOP_FAULT)
		return;
	end->vector = cpu->fault.vector;
	end->error = cpu->fault.has_error ? cpu->fault.error : 0;
	end->cr2 = end->vector == EXC_PF ? cpu->fault.cr2 : 0;
	/* A trap, which nobody delivers here. */
	if (end->vector == EXC_OF)
		end->rip += t->cpu->u->len;
	end->ran_off = end->vector == EXC_BP;
	/* Until there is an INT3. */
	if (end->vector == EXC_UD && is_int3(t))
		end->ran_off = true;
	if (end->ran_off)
		end->vector = EXC_BP;
}

static void run_host(struct twin *t, const struct native_state *in)
{
	struct native_end end;

	t->host = *in;
	native_run(&t->host, &end);
	t->host_end = (struct twin_end){ .vector = end.vector, .rip = end.rip,
					 .error = end.error, .cr2 = end.cr2 };
	t->cut = end.cut;
	if (!end.fault || end.vector == EXC_BP) {
		t->host_end.ran_off = true;
		t->host_end.vector = EXC_BP;
	}
}

/* Of a page fault where no process has memory Linux hides one bit. */
#define TASK_END 0x7ffffffff000ull

static uint64_t error_mask(const struct twin_end *end)
{
	return end->vector == EXC_PF && end->cr2 >= TASK_END ? ~1ull : ~0ull;
}

static bool same_end(struct twin *t)
{
	const struct twin_end *h = &t->host_end, *o = &t->our_end;

	if (h->vector == o->vector && h->rip == o->rip && h->cr2 == o->cr2 &&
	    !((h->error ^ o->error) & error_mask(h)))
		return true;
	snprintf(t->why, sizeof(t->why), "end: host vector %d error %" PRIx64
		 " cr2 %" PRIx64 " rip %" PRIx64 ", ours %d %" PRIx64 " %"
		 PRIx64 " %" PRIx64, h->vector, h->error, h->cr2, h->rip,
		 o->vector, o->error, o->cr2, o->rip);
	return false;
}

/* Upper halves are undefined outside of 64-bit code, and for who comes from there
 * (SDM 1, 3.4.1.1; Linux's way back to a 16-bit stack changes RSP's).
 */
static bool same_gpr(struct twin *t, bool legacy)
{
	uint16_t cs = t->host.seg[CPU_CS];
	uint64_t mask = legacy || (cs && cs != NATIVE_CS64) ? UINT32_MAX :
								UINT64_MAX;

	for (unsigned i = 0; i < (legacy ? 8 : 16); i++)
		if ((t->host.gpr[i] ^ t->ours.gpr[i]) & mask) {
			snprintf(t->why, sizeof(t->why), "register %u: host %"
				 PRIx64 ", ours %" PRIx64, i, t->host.gpr[i],
				 t->ours.gpr[i]);
			return false;
		}
	return true;
}

/* A null selector's lowest bits do not survive an interrupt. */
static bool same_selector(uint16_t a, uint16_t b)
{
	return a == b || (a < 4 && b < 4);
}

static bool same_segments(struct twin *t, bool legacy)
{
	if (!legacy && native_has_bases() &&
	    (t->host.fs_base != t->ours.fs_base ||
	     t->host.gs_base != t->ours.gs_base)) {
		snprintf(t->why, sizeof(t->why), "base of FS or GS");
		return false;
	}
	for (unsigned i = 0; t->host.seg[CPU_CS] && i < 6; i++)
		if (!same_selector(t->host.seg[i], t->ours.seg[i])) {
			snprintf(t->why, sizeof(t->why), "segment register %u"
				 ": host %x, ours %x", i, t->host.seg[i],
				 t->ours.seg[i]);
			return false;
		}
	return true;
}

static bool same_general(struct twin *t, uint64_t undefined)
{
	uint64_t flags = (t->host.rflags ^ t->ours.rflags) & TWIN_FLAGS &
			 ~undefined;
	bool legacy = t->code != CODE_64;

	if (flags) {
		snprintf(t->why, sizeof(t->why), "flags %" PRIx64 ": host %"
			 PRIx64 ", ours %" PRIx64, flags, t->host.rflags,
			 t->ours.rflags);
		return false;
	}
	return same_gpr(t, legacy) && same_segments(t, legacy);
}

/* FCW, FSW, FTW, MXCSR, the registers; not FOP, FIP and FDP, which the host
 * does not always keep, nor what is reserved.
 */
static bool same_fpu(struct twin *t)
{
	const uint8_t *h = t->host.fxsave, *o = t->ours.fxsave;
	unsigned at = 0;

	if (memcmp(h, o, 5))
		at = 1;
	else if (memcmp(h + 24, o + 24, 4))
		at = 24;
	for (unsigned i = 0; i < 8 && !at; i++)
		if (memcmp(h + 32 + 16 * i, o + 32 + 16 * i, 10))
			at = 32 + 16 * i;
	for (unsigned i = 160; i < 416 && !at; i += 16)
		if (memcmp(h + i, o + i, 16))
			at = i;
	if (!at)
		return true;
	at &= ~15u;
	snprintf(t->why, sizeof(t->why), "FXSAVE %u: host", at);
	for (unsigned side = 0; side < 2; side++) {
		size_t n = strlen(t->why);

		for (int i = 15; i >= 0; i--, n += 2)
			snprintf(t->why + n, sizeof(t->why) - n, "%02x",
				 (side ? o : h)[at + (unsigned)i]);
		if (!side)
			snprintf(t->why + n, sizeof(t->why) - n, ", ours ");
	}
	return false;
}

static bool same_memory(struct twin *t)
{
	for (unsigned i = 0; i < N_PIECES; i++) {
		const struct piece *p = &pieces[i];
		const uint8_t *h = host_at(p->lin), *o = t->ram + p->offset;
		unsigned at = 0;

		if (!memcmp(h, o, p->len))
			continue;
		while (h[at] == o[at])
			at++;
		snprintf(t->why, sizeof(t->why), "memory at %" PRIx64
			 ": host %02x, ours %02x", p->lin + at, h[at], o[at]);
		return false;
	}
	return true;
}

/* What lies below the stack pointer is as the host has it. */
static void forget_pushes(struct twin *t, const struct native_state *in)
{
	struct cpu_segment ss = twin_segment(t, in->seg[CPU_SS]);
	uint64_t sp = in->gpr[CPU_RSP];

	if (t->code != CODE_64)
		sp = (uint32_t)(ss.base + (ss.attr >> 14 & 1 ? sp : (uint16_t)sp));
	for (unsigned i = 0; i < N_PIECES; i++) {
		uint64_t from = max_u64(sp - PUSHED, pieces[i].lin);
		uint64_t to = min_u64(sp, pieces[i].lin + pieces[i].len);

		if (from < to)
			memcpy(t->ram + pieces[i].offset + (from - pieces[i].lin),
			       host_at(from), to - from);
	}
}

static void make_alike(struct twin *t)
{
	for (unsigned i = 0; i < N_PIECES; i++)
		memcpy(t->ram + pieces[i].offset, host_at(pieces[i].lin),
		       pieces[i].len);
	set_state(t);
}

static bool says_nothing(const struct twin *t)
{
	uint64_t at = t->cpu->rip + t->cpu->seg[CPU_CS].base - NATIVE_CODE;

	return t->cut || (t->our_end.ran_off && at - t->code_at - t->code_len - 1
			  < NATIVE_EXIT_LEN - 1);
}

bool twin_jumps_into_itself(struct twin *t, const struct native_state *in)
{
	uint64_t at;

	load_ours(t, in);
	cpu_run(t->cpu, 1);
	at = t->cpu->rip + t->cpu->seg[CPU_CS].base - NATIVE_CODE;
	make_alike(t);
	return at - t->code_at - 1 < t->code_len - 1;
}

/* Other bytes behind the INT3 that the code ends with. */
static void put_behind(struct twin *t, int byte)
{
	unsigned at = t->code_at + t->code_len + 1;

	memset(t->ram + at, byte, NATIVE_EXIT_LEN - 1);
	soft_test_wrote(t->soft, at, NATIVE_EXIT_LEN - 1);
}

bool twin_reads_behind(struct twin *t, const struct native_state *in)
{
	struct native_state ours = t->ours, first;
	struct twin_end end = t->our_end, first_end;
	bool same;

	/* Twice from the same memory, which is not that of the run before. */
	run_ours(t, in);
	first = t->ours;
	first_end = t->our_end;
	make_alike(t);
	put_behind(t, ~INT3);
	run_ours(t, in);
	same = !memcmp(&t->ours, &first, sizeof(first)) &&
	       !memcmp(&t->our_end, &first_end, sizeof(first_end));
	put_behind(t, INT3);
	make_alike(t);
	t->ours = ours;
	t->our_end = end;
	return !same;
}

bool twin_run(struct twin *t, const struct native_state *in,
	      uint64_t undefined, bool with_fpu)
{
	bool same;

	t->with_fpu = with_fpu;
	t->why[0] = 0;
	run_host(t, in);
	run_ours(t, in);
	if (says_nothing(t)) {
		t->n_dropped++;
		make_alike(t);
		return true;
	}
	if (!t->host_end.ran_off && t->loose_stack)
		forget_pushes(t, in);
	if (!t->host_end.ran_off && !t->several)
		undefined = 0;	/* as if it had not run */
	same = same_end(t) && same_general(t, undefined) &&
	       (!with_fpu || same_fpu(t)) && (t->late || same_memory(t));
	if (!same)
		make_alike(t);
	return same;
}

bool twin_settle(struct twin *t)
{
	if (same_memory(t))
		return true;
	make_alike(t);
	return false;
}

static void print_state(const char *name, const struct native_state *s)
{
	printf("  %s:", name);
	for (unsigned i = 0; i < 16; i++)
		printf("%s%s=%" PRIx64, i % 4 ? " " : "\n    ",
		       (const char *[]){ "ax", "cx", "dx", "bx", "sp", "bp",
			"si", "di", "8", "9", "10", "11", "12", "13", "14",
			"15" }[i], s->gpr[i]);
	printf("\n    flags=%" PRIx64 " fs=%" PRIx64 " gs=%" PRIx64
	       " selectors", s->rflags, s->fs_base, s->gs_base);
	for (unsigned i = 0; i < 6; i++)
		printf(" %x", s->seg[i]);
	printf("\n");
}

void twin_report(const struct twin *t, const struct native_state *in)
{
	printf("%s\n  %u bits, at %" PRIx64 ":", t->why, 16u << t->code,
	       (uint64_t)NATIVE_CODE + t->code_at);
	for (unsigned i = 0; i < t->code_len; i++)
		printf(" %02x", t->ram[t->code_at + i]);
	printf("\n");
	print_state("before", in);
	print_state("host", &t->host);
	print_state("ours", &t->ours);
	if (!t->with_fpu)
		return;
	printf("  fxsave before:");
	for (unsigned i = 0; i < 416; i++)
		printf("%s%02x", i % 16 ? "" : "\n    ", in->fxsave[i]);
	printf("\n");
}
