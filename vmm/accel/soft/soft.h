/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft.h - the CPU in software, from inside: its state, what the decoder makes
 * of an instruction, and what the files of this folder promise each other.
 *
 *	bytes --decode.c--> struct insn --lower.c--> struct uop --exec.c--> effect
 *	            (optable.c)           (block.c keeps them)   (int_*, sse*, ...)
 *
 * One thread runs a CPU at a time (those of a machine pass a baton), so nothing
 * here locks; what others may do to a running CPU is cpu_kick(), alone.
 *
 * How an instruction is executed
 * ------------------------------
 * Rare and large ones are an op_fn, an ordinary function; NAME_pick() of the
 * file that owns the family chooses it when the instruction is decoded, so that
 * nothing of the encoding needs to be looked at again:
 *
 *	op_fn *sse_pick(const struct insn *insn);	NULL: #UD
 *
 * The op_fn gets the CPU and the uop:
 *
 *	u->dst, u->src	operands 0 and 1 of the row, if registers: for general
 *			ones what REG8() to REG64() take, for others (XMM, MMX,
 *			ST(i), segment, CR, DR) their number
 *			SRC_IMM: an immediate
 *	u->mem		MEM_DST, MEM_SRC: operand 0 or 1 is memory, and op_load(),
 *			op_store() and their kin below work on it; 0: none is
 *	u->imm		the immediate, sign-extended from 32 bits (ENTER: size |
 *			level << 16; far pointer: offset, u->disp is the selector);
 *			SETcc, CMOVcc: the condition; x87: (opcode & 7) << 8 |
 *			ModRM
 *	u->osize	operand size, u->asize address size: log2 of the bytes
 *	u->rep		0, 2 (F2) or 3 (F3)
 *
 * and returns an enum done.  The rule that makes exceptions precise: it changes
 * no register, flag or memory before the last thing that can fail, or undoes it.
 * Every 32-bit write to a general register clears its upper half: SET_REG32().
 *
 * Frequent ones also have fast forms, uop_fn (exec.h), which go on to the next
 * uop by themselves; whatever is not plain (a TLB miss, device memory, an operand
 * across pages) they leave to the op_fn, u->call, which stays the reference.
 *
 * Whether CR0.EM, CR0.TS and CR4.OSFXSR allow an x87, MMX or SSE instruction is
 * part of the block's mode, and lower.c sees to it: an op_fn only runs if they
 * do.  Pending x87 exceptions (FSW.ES) are x87.c's business, also for MMX.
 */
#ifndef SOFT_H
#define SOFT_H

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "vmm/cpu.h"

struct block;
struct blocks;
struct cpu;
struct cpuid_table;
struct lapic;
struct soft;
struct uop;
struct vm;

/* How an op_fn ended. */
enum done {
	DONE,		/* go on behind it, in the same block */
	DONE_LEAVE,	/* the same, but the block may no longer hold: the mode,
			 * the address space or the interrupt flag changed */
	DONE_JUMP,	/* cpu->rip says where to go on; it counts as executed */
	DONE_AGAIN,	/* a part of a repeated one is done: it runs again, if no
			 * interrupt comes before; it does not count yet */
	DONE_FAULT,	/* not executed: cpu_raise() recorded why */
};

typedef enum done op_fn(struct cpu *cpu, const struct uop *u);
typedef const struct uop *uop_fn(struct cpu *cpu, const struct uop *u);

/* A decoded instruction, or a step of one: half a cache line. */
struct uop {
	uop_fn *fn;
	union {
		op_fn *call;		/* the general form; uop_call runs it */
		struct block *link;	/* jumps: the block there, or NULL */
		uint64_t imm64;
	};
	int32_t disp;		/* of the memory operand; jumps: from block_rip */
	int32_t imm;
	uint8_t dst, src;	/* REG*() */
	uint8_t base, index;	/* SLOT() */
	uint32_t next : 9;	/* the next instruction is at block_rip + next */
	uint32_t ix : 5;	/* how many instructions of the block come before */
	uint32_t len : 4;	/* bytes of the instruction */
	uint32_t seg : 3;	/* of the memory operand, of a string's source */
	uint32_t asize : 2, osize : 2;	/* log2 of bytes */
	uint32_t rep : 2;
	uint32_t lock : 1;
	uint32_t mem : 2;	/* MEM_DST, MEM_SRC: the operand that is memory */
	uint32_t scale : 2;
};

#define MEM_DST	1u		/* operand 0 */
#define MEM_SRC	2u		/* operand 1 */

#define SRC_IMM	0xffu

#define BLOCK_INSNS	32u	/* at most, in a block; u->ix */

/* A page's worth of translation.  A tag is the page's linear address if this
 * access needs no more checks (TLB_NONE: it does), `addend` plus a linear
 * address is the host's.  RAM only; not writable here: pages with code, pages
 * whose dirty bit is clear, ROM.
 */
struct tlb_slot {
	uint64_t read, write, exec;
	uintptr_t addend;
};

#define TLB_NONE	1u		/* no page's address */
#define TLB_SLOTS	4096u
#define PAGE_MASK	0xfffull

struct tlb {
	struct tlb_slot slot[TLB_SLOTS];
};

/* x87 and SSE.  ST registers by number of the physical register (not relative
 * to TOP, which is in sw), 80 bits each; MMn is the low 64 bits of register n.
 */
struct fpu {
	uint8_t xmm[16][16] __attribute__((aligned(16)));
	uint8_t st[8][16] __attribute__((aligned(16)));
	uint32_t mxcsr;
	uint16_t cw, sw;
	uint8_t used;		/* bit n: register n is not empty (abridged tag) */
	uint16_t opcode;	/* last instruction: FOP, */
	uint16_t cs, ds;	/* selectors, */
	uint64_t ip, dp;	/* and offsets */
};

/* An exception or a software interrupt that fault.c delivers. */
struct fault {
	uint8_t vector;
	bool has_error;
	bool in_place;		/* cpu->rip is right: a trap, or a task's first
				 * instruction */
	uint32_t error;
	uint64_t cr2;		/* #PF: goes to CR2 on delivery */
	uint64_t dr6;		/* #DB: bits to set on delivery */
};

enum { EXC_DE, EXC_DB, EXC_NMI, EXC_BP, EXC_OF, EXC_BR, EXC_UD, EXC_NM, EXC_DF,
       EXC_TS = 10, EXC_NP, EXC_SS, EXC_GP, EXC_PF, EXC_MF = 16, EXC_AC, EXC_MC,
       EXC_XM };

/* What decoded code depends on, beside its bytes: the second half of a block's
 * key, kept in cpu->mode by cpu_mode_changed().
 */
#define MODE_CODE	0x0003u	/* enum code_size */
#define MODE_STACK32	0x0004u	/* SS.B; 64-bit mode has neither */
#define MODE_CPL	0x0018u
#define MODE_CPL_SHIFT	3
#define MODE_REAL	0x0020u	/* CR0.PE is clear */
#define MODE_VM86	0x0040u
#define MODE_LONG	0x0080u	/* EFER.LMA: 64-bit or compatibility */
#define MODE_PAGING	0x0100u
#define MODE_FLAT	0x0200u	/* CS, DS, ES, SS have base 0, limit 4 GiB, and
				 * allow what they should: offsets are linear */
#define MODE_EM		0x0400u	/* CR0.EM, .TS, .MP */
#define MODE_TS		0x0800u
#define MODE_MP		0x1000u
#define MODE_OSFXSR	0x2000u
#define MODE_AC		0x4000u	/* alignment is checked: CR0.AM, AC, CPL 3 */
#define MODE_STEP	0x8000u	/* TF or data or code breakpoints: one instruction
				 * a block, with all checks */

/* What may stop the loop; bits of cpu->events. */
#define EVENT_KICK	0x01u	/* return */
#define EVENT_IRQ	0x02u	/* an interrupt waits: when IF and shadows allow */
#define EVENT_NMI	0x04u	/* so does INIT, SMI or NMI */
#define EVENT_CLOCK	0x10u	/* return, and look at the timers */
#define EVENT_YIELD	0x20u	/* return, and let another CPU execute */
#define EVENT_WROTE	0x08u	/* a device wrote to code, or memory was remapped */

struct cpu {
	/* SLOT() reaches the first 2 KiB, REG*() the first 256 bytes. */
	uint64_t gpr[CPU_N_GPR];
	uint64_t zero;		/* always 0: no base, no index */
	uint64_t block_rip;	/* where the running block begins, in CS */
	struct cpu_segment seg[CPU_N_SEG];
	uint64_t scratch;

	/* Hot. */
	uint64_t ea_mask;	/* MODE_FLAT, 64-bit: what an offset is cut to */
	uint64_t flag_res, flag_aux;	/* the status flags: flags.h */
	struct tlb *tlb;	/* of the address space and privilege */
	struct block *block;	/* running */
	int64_t budget;		/* of icount: left until the loop returns */
	_Atomic int64_t floor;	/* and when: budget < floor; raised by a kick */
	uint32_t mode;		/* MODE_* */
	_Atomic uint32_t events;

	/* Between blocks, and whenever cpu_sync() was called. */
	uint64_t rip;
	uint64_t icount;	/* instructions executed since the start, and ... */
	uint64_t rep_ticks;	/* ... that long REPs took the time of (string.c) */

	uint64_t eflags;	/* all but the status flags (and bit 1): DF, IF ... */
	uint64_t icount_base;	/* icount is this minus the budget, at block edges */
	const struct uop *u;	/* whose op_fn runs */
	struct block *single;	/* room for a block of device memory */
	uint8_t left;		/* enum left (exec.h): why the last block ended */
	bool bus_used;		/* the op_fn asked a device */
	bool yields;		/* PAUSE: others may go on */

	/* Shadows: until the next instruction has ended. */
	bool block_irq;		/* after STI, MOV SS, POP SS */
	bool block_db;		/* after MOV SS, POP SS */
	bool halted;
	bool block_nmi;		/* until IRET */
	bool hold_irq;		/* a debugger steps: no interrupts in between */
	bool debugged;		/* one is there */
	bool watch;		/* data breakpoints are on: debug_data() is told */
	bool no_step;		/* the instruction was an interrupt: no single step */
	uint32_t dr6_pending;	/* breakpoints that the instruction has met */
	uint8_t ext;		/* 1: delivering what no instruction asked for */
	struct fault fault;

	struct fpu fpu;

	/* System. */
	struct cpu_segment ldtr, tr;
	struct { uint64_t base; uint16_t limit; } gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
	uint64_t dr[8];
	uint64_t apic_base;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t tsc_offset, tsc_aux, pat;

	struct {
		uint64_t misc_enable, mcg_status;
		uint64_t mtrr_def, mtrr_var[16], mtrr_fixed[11];
	} msr;

	const struct cpuid_table *cpuid;	/* NULL in tests: all is there */
	struct lapic *lapic;			/* NULL in tests */

	/* What CPUID says of paging. */
	uint8_t phys_bits;
	bool has_gb_pages;

	struct soft *soft;
	struct vcpu *vcpu;	/* NULL in tests without a machine */
	struct mmu *mmu;	/* mmu.h: the TLBs */
	struct {
		uint64_t built, dropped, tlb_misses;
	} stats;
};

/* Pages of RAM that may have been written. */
#define WROTE_PAGES	32u
struct wrote_pages {
	unsigned n;		/* more than there is room for: any */
	uint64_t page[WROTE_PAGES];
};

/* What the CPUs of a machine share. */
struct soft {
	struct vm *vm;		/* NULL in tests without a machine */
	uint8_t *ram;		/* vm->mem's block */
	uint64_t ram_size;	/* bytes, whole pages */
	struct op_index index;
	struct blocks *blocks;
	FILE *trace;		/* blocks are written here; NULL: not */
	bool no_fast_forms;	/* tests: general forms alone */
	struct soft_test *test;	/* tests: its memory map instead of paging */
	/* assist.c: somebody else runs the guest, and wants to know of these; no
	 * code is kept.  NULL: not so.
	 */
	struct wrote_pages *wrote;
	struct cpu **cpus;
	unsigned n_cpus;
	/* A virtual clock was at slice_start when the running CPU had executed
	 * slice_icount.
	 */
	uint64_t slice_start, slice_icount;
	uint64_t slice_timer;	/* and this was its next timer */
};

/* Parts of registers are written that are read as whole ones elsewhere. */
typedef uint8_t reg_uint8_t __attribute__((may_alias));
typedef uint16_t reg_uint16_t __attribute__((may_alias));
typedef uint32_t reg_uint32_t __attribute__((may_alias));
typedef uint64_t reg_uint64_t __attribute__((may_alias));

/* Registers.  `off` is u->dst or u->src. */
#define REG_OFF(n)	((uint8_t)((n) < 16 ? (n) * 8 : ((n) - 16) * 8 + 1))
#define REG_AT(cpu, off, type) \
	(*(reg_##type *)((uint8_t *)(cpu) + (off)))
#define REG8(cpu, off)	REG_AT(cpu, off, uint8_t)
#define REG16(cpu, off)	REG_AT(cpu, off, uint16_t)
#define REG32(cpu, off)	REG_AT(cpu, off, uint32_t)
#define REG64(cpu, off)	REG_AT(cpu, off, uint64_t)
#define SET_REG32(cpu, off, v)	(REG64(cpu, off) = (uint32_t)(v))

#define SLOT(cpu, n)	(((uint64_t *)(cpu))[n])
#define SLOT_OF(field)	((uint8_t)(offsetof(struct cpu, field) / 8))
#define SLOT_ZERO	SLOT_OF(zero)
#define SLOT_SEG(s)	((uint8_t)(SLOT_OF(seg) + (s) * sizeof(struct cpu_segment) / 8))

static inline unsigned cpu_cpl(const struct cpu *cpu)
{
	return (cpu->mode & MODE_CPL) >> MODE_CPL_SHIFT;
}

static inline enum code_size cpu_code(const struct cpu *cpu)
{
	return (enum code_size)(cpu->mode & MODE_CODE);
}

/* Read or write `1 << size_log2` bytes of a general register. */
static inline uint64_t reg_get(struct cpu *cpu, unsigned off, unsigned osize)
{
	uint64_t v;

	memcpy(&v, (uint8_t *)cpu + off, sizeof(v));
	return osize == 3 ? v : v & ((1ull << (8u << osize)) - 1);
}

static inline void reg_set(struct cpu *cpu, unsigned off, unsigned osize,
			   uint64_t v)
{
	switch (osize) {
	case 0: REG8(cpu, off) = (uint8_t)v; break;
	case 1: REG16(cpu, off) = (uint16_t)v; break;
	case 2: SET_REG32(cpu, off, v); break;
	default: REG64(cpu, off) = v; break;
	}
}

/* Exceptions (exec.c).  `return cpu_raise(...)`. */
enum done cpu_raise(struct cpu *cpu, unsigned vector);
enum done raise_error(struct cpu *cpu, unsigned vector, uint32_t error);
static inline enum done raise_ud(struct cpu *cpu)
{
	return cpu_raise(cpu, EXC_UD);
}

static inline enum done raise_gp(struct cpu *cpu, uint32_t error)
{
	return raise_error(cpu, EXC_GP, error);
}

/* Instructions executed; icount also has the time that long REPs took. */
static inline uint64_t cpu_instructions(const struct cpu *cpu)
{
	return cpu->icount - cpu->rep_ticks;
}

/* Bring cpu->rip to the instruction of `u`, and cpu->icount to what ran before
 * it.  For whoever looks at the CPU's state from inside a block, or asks vm_now():
 * ports, RDTSC.  The rest of the state is always right.
 */
void cpu_sync(struct cpu *cpu, const struct uop *u);
/* Where the instruction is, and where the next one is; in CS. */
uint64_t rip_this(const struct cpu *cpu, const struct uop *u);
uint64_t rip_next(const struct cpu *cpu, const struct uop *u);

/* Anything changed that cpu->mode holds: CR0, CR4.OSFXSR, EFER, CS, SS, DS, ES,
 * CPL, VM, TF, AC, DR7.  The op_fn returns DONE_LEAVE or DONE_JUMP afterwards.
 */
void cpu_mode_changed(struct cpu *cpu);

/* Memory (access.h, access.c).  Linear addresses; any alignment, any length up
 * to a page, across pages too.  False: a fault was raised; nothing was written.
 * The device behind an address without memory is asked through the bus, in
 * pieces of at most 8 bytes.
 */
enum access {
	ACCESS_READ = 0, ACCESS_WRITE = 1, ACCESS_EXEC = 2,
	ACCESS_KIND = 3,
	ACCESS_SYSTEM = 4,	/* descriptor tables, TSS: privileged at any CPL */
};

bool mem_load(struct cpu *cpu, uint64_t lin, void *buf, unsigned len,
	      enum access how);
bool mem_store(struct cpu *cpu, uint64_t lin, const void *buf, unsigned len,
	       enum access how);
/* Would mem_load() or mem_store() work?  Faults as that would; a read-modify-write
 * calls it before it reads (its faults are those of a write).
 */
bool mem_check(struct cpu *cpu, uint64_t lin, unsigned len, enum access how);

/* The linear address of the memory operand, or of `offset` in a segment, checked
 * against the segment for `len` bytes (not against paging).  False: #GP or #SS
 * was raised.
 */
bool op_lin(struct cpu *cpu, const struct uop *u, unsigned len, enum access how,
	    uint64_t *lin);
/* Of 16 bytes that must be aligned: of two faults that #GP(0) is the first. */
bool op_lin_16(struct cpu *cpu, const struct uop *u, enum access how,
	       uint64_t *lin);
bool seg_lin(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len,
	     enum access how, uint64_t *lin);
/* The memory operand's offset in its segment: what LEA gives. */
uint64_t op_offset(const struct cpu *cpu, const struct uop *u);

/* The memory operand itself. */
bool op_load(struct cpu *cpu, const struct uop *u, void *buf, unsigned len);
bool op_store(struct cpu *cpu, const struct uop *u, const void *buf,
	      unsigned len);
/* One of several parts, far pointers and bounds, whose alignment is checked as
 * that of `align` bytes.
 */
bool op_load_parts(struct cpu *cpu, const struct uop *u, void *buf,
		   unsigned len, unsigned align);

/* Push and pop by the stack's address size (SS.B, 64-bit mode); `osize` is log2
 * of bytes.  False: a fault, and rSP is as it was.
 */
bool push(struct cpu *cpu, unsigned osize, uint64_t v);
bool pop(struct cpu *cpu, unsigned osize, uint64_t *v);

/* MMU (mmu.c): what access.c, block.c and the system instructions call. */

int mmu_init(struct cpu *cpu);
void mmu_fini(struct cpu *cpu);

/* Translate and check one access that lies in a page, also when the TLB has it;
 * sets accessed and dirty bits, calls tlb_fill(), and gives the guest physical
 * address.  False: #PF was raised, with `lin` in fault.cr2.  `lin` is canonical.
 */
bool mmu_translate(struct cpu *cpu, uint64_t lin, enum access how,
		   uint64_t *gpa);

/* access.c: the TLB of now may answer accesses of these kinds (TLB_*) to the page
 * of `lin` without asking; keeps out what is no plain RAM, and code from writing.
 * TLB_W only if the page is dirty already.
 */
#define TLB_R	1u
#define TLB_W	2u
#define TLB_X	4u
void tlb_fill(struct cpu *cpu, uint64_t lin, uint64_t gpa, unsigned kinds);

/* Where in the block of RAM is it (access.c)?  False: device memory, or not
 * memory for this kind of access.
 */
bool mem_ram(struct cpu *cpu, uint64_t gpa, enum access how, uint64_t *offset);

void mmu_flush_all(struct cpu *cpu);		/* CR0.PG, CR4.PGE ...: globals too */
void mmu_flush_page(struct cpu *cpu, uint64_t lin);	/* INVLPG */
/* CR3, CR0, CR4, EFER or CPL changed: choose cpu->tlb; what a write to CR3
 * flushes is flushed.  cpu_mode_changed() calls mmu_select().
 */
void mmu_load_cr3(struct cpu *cpu, uint64_t cr3);
void mmu_select(struct cpu *cpu);
/* A page of RAM got its first code, its writes must be seen: forget its write
 * translations in every CPU of the machine.
 */
void mmu_protect(struct soft *soft, uint64_t ram_page);

/* Segments, exceptions, system (seg.c, fault.c, sys.c). */

op_fn *seg_pick(const struct insn *insn);	/* IS_SEG() */
op_fn *sys_pick(const struct insn *insn);	/* IS_SYS() */

/* Deliver cpu->fault through the IDT, with cpu->rip on the instruction; double
 * faults are made of faults on the way.  False: triple fault.
 */
bool fault_deliver(struct cpu *cpu);
/* An external interrupt or NMI between instructions. */
bool fault_interrupt(struct cpu *cpu, uint8_t vector);

/* Breakpoints and single step (debug.c), where the mode has MODE_STEP: before an
 * instruction, and after one that began with those EFLAGS.  False: #DB was raised.
 */
bool debug_before(struct cpu *cpu);
bool debug_after(struct cpu *cpu, uint64_t eflags);
/* DR0 to DR3 or DR7 changed; forgets all translations. */
void debug_changed(struct cpu *cpu);
/* Any of these is on: the mode has MODE_STEP. */
bool debug_is_on(const struct cpu *cpu);
/* A debugger (struct vcpu_debug): before running, with the CPU's turn; false: triple
 * fault.  Does it step?  Does it get this exception, #DB or #BP, in the guest's
 * place?  One step is done: tell it.
 */
bool debug_begin(struct cpu *cpu);
bool debug_steps(const struct cpu *cpu);
bool debug_takes(struct cpu *cpu, unsigned exception);
void debug_stepped(struct cpu *cpu);
/* With cpu->watch: memory is accessed; must its page stay out of the TLB? */
void debug_data(struct cpu *cpu, uint64_t lin, unsigned len, bool write);
bool debug_watches_page(const struct cpu *cpu, uint64_t lin);

/* Let the machine's clock follow cpu->icount, where instructions move it: after
 * cpu_sync(), before anybody looks at the clock (time.c).
 */
void cpu_time(struct cpu *cpu);
/* A device was asked: it may have armed a timer. */
void cpu_bus_done(struct cpu *cpu);

/* x87, MMX and SSE (x87.c, sse*.c). */

op_fn *x87_pick(const struct insn *insn);	/* IS_X87() */
op_fn *sse_pick(const struct insn *insn);	/* IS_SSE() */
void fpu_reset(struct fpu *fpu);
/* As FXSAVE64 and FXRSTOR64 have it. */
void fpu_get(const struct fpu *fpu, uint8_t fxsave[512]);
void fpu_set(struct fpu *fpu, const uint8_t fxsave[512]);

/* trace.c: write the block that is about to run, and the registers. */
void trace_block(const struct cpu *cpu, const struct block *b);

/* Running (exec.c). */

enum stop {
	STOP_BUDGET = 0, /* the instructions are used up */
	STOP_KICK,	/* cpu->events */
	STOP_HALT,
	STOP_FAULT,	/* tests only: cpu->fault was not delivered */
	STOP_SHUTDOWN,	/* triple fault */
	STOP_DEBUG,	/* struct vcpu_debug says why */
};

/* Run at most about `insns` instructions, and not more than those if they are
 * few: never beyond, but for a `rep` under way.
 */
enum stop cpu_run(struct cpu *cpu, int64_t insns);

/* Any thread: let the block that runs be the last. */
void cpu_kick(struct cpu *cpu, uint32_t events);

int cpu_init(struct cpu *cpu, struct soft *soft);
void cpu_fini(struct cpu *cpu);
void cpu_set_state(struct cpu *cpu, const struct cpu_state *s);
void cpu_get_state(const struct cpu *cpu, struct cpu_state *s);

#endif
