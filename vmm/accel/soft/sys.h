/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys.h - what the files of segments, exceptions and system instructions share:
 * names of bits, descriptors, stacks, transfers of control.  Intel SDM volume 3,
 * chapters 2, 3, 5, 6 and 7.
 *
 * Functions that return false have raised an exception.  What they changed by
 * then, `struct snapshot` brings back.
 */
#ifndef SOFT_SYS_H
#define SOFT_SYS_H

#include "flags.h"
#include "mmu.h"
#include "soft.h"

#define CR4_VME		0x00000001u
#define CR4_PVI		0x00000002u
#define CR4_TSD		0x00000004u
#define CR4_DE		0x00000008u
#define CR4_MCE		0x00000040u
#define CR4_PCE		0x00000100u
#define CR4_OSFXSR	0x00000200u
#define CR4_OSXMMEXCPT	0x00000400u
#define CR4_UMIP	0x00000800u
#define CR4_FSGSBASE	0x00010000u

#define DR6_BS		0x4000u
#define DR6_BD		0x2000u
#define DR7_GD		0x2000u
#define DR7_ENABLED	0x00ffu
#define DR6_FIXED	0xffff0ff0u	/* always 1 */
#define DR7_FIXED	0x0400u

/* Attributes of a segment: cpu.h. */
#define ATTR_TYPE	0x000fu
#define ATTR_ACCESSED	0x0001u
#define ATTR_RW		0x0002u		/* code: readable; data: writable */
#define ATTR_CONFORMING	0x0004u
#define ATTR_CODE	0x0008u
#define ATTR_S		0x0010u		/* code or data */
#define ATTR_P		0x0080u
#define ATTR_L		0x2000u
#define ATTR_DB		0x4000u
#define ATTR_G		0x8000u
#define ATTR_DPL(attr)	((attr) >> 5 & 3)

/* Types of system descriptors. */
enum {
	SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4,
	SYS_TASK = 5, SYS_INT16 = 6, SYS_TRAP16 = 7, SYS_TSS32 = 9,
	SYS_TSS32_BUSY = 11, SYS_CALL32 = 12, SYS_INT32 = 14, SYS_TRAP32 = 15
};
#define SYS_BUSY	2u

#define SEL_RPL(sel)	((sel) & 3u)
#define SEL_TI		4u

/* A descriptor in memory. */
struct desc {
	uint32_t low, high;	/* its first 8 bytes */
	uint32_t high_base;	/* long mode, system: the base's upper half */
	uint32_t attr;		/* as in struct cpu_segment */
	uint64_t lin;		/* where it lies */
	uint16_t selector;
};

static inline bool desc_is_code(const struct desc *d)
{
	return (d->attr & (ATTR_S | ATTR_CODE)) == (ATTR_S | ATTR_CODE);
}

static inline bool desc_is_writable(const struct desc *d)
{
	return (d->attr & (ATTR_S | ATTR_CODE | ATTR_RW)) == (ATTR_S | ATTR_RW);
}

/* A system descriptor's type; those of code and data give 16 and more. */
static inline unsigned desc_type(const struct desc *d)
{
	return d->attr & (ATTR_S | ATTR_TYPE);
}

static inline bool is_long(const struct cpu *cpu)
{
	return cpu->efer & CPU_EFER_LMA;
}

/* Selectors are loaded as in real mode: base = selector * 16. */
static inline bool is_old(const struct cpu *cpu)
{
	return cpu->mode & (MODE_REAL | MODE_VM86);
}

static inline unsigned iopl(const struct cpu *cpu)
{
	return (unsigned)cpu->eflags >> 12 & 3;
}

static inline bool canonical(uint64_t v)
{
	return (uint64_t)((int64_t)(v << 16) >> 16) == v;
}

static inline bool is_null(uint16_t selector)
{
	return !(selector & ~3u);
}

/* desc.c: raise `vector` with the selector as error code (and EXT). */
bool raise_sel(struct cpu *cpu, unsigned vector, unsigned selector);
/* The same with error code 0 or EXT. */
bool raise_ext(struct cpu *cpu, unsigned vector);

/* Read the descriptor; outside its table: `vector`(selector).  `wide`: 16 bytes in
 * long mode if it is a system descriptor.
 */
bool desc_read(struct cpu *cpu, uint16_t selector, unsigned vector, bool wide,
	       struct desc *d);
/* The same, but without exceptions for what LAR and its kin only ask: false and
 * *faulted, or false.
 */
bool desc_probe(struct cpu *cpu, uint16_t selector, struct desc *d,
		bool *faulted);
void desc_segment(const struct desc *d, struct cpu_segment *s);
uint32_t desc_limit(const struct desc *d);
/* Set the accessed bit in memory, if it is not. */
bool desc_mark_accessed(struct cpu *cpu, struct desc *d);
/* Set or clear a TSS's busy bit in memory. */
bool desc_set_busy(struct cpu *cpu, const struct desc *d, bool busy);

/* As real and virtual-8086 mode load a selector. */
void seg_load_old(struct cpu *cpu, unsigned seg, uint16_t selector);
/* A null selector in a data segment register, or in SS of `cpl` (64-bit). */
void seg_set_null(struct cpu_segment *s, uint16_t selector, unsigned cpl);
/* Load ES, DS, FS, GS or SS, with all checks.  `vector`: #GP, or #TS when a task
 * switch does it.
 */
bool seg_load(struct cpu *cpu, unsigned seg, uint16_t selector, unsigned cpl,
	      unsigned vector);
/* A stack segment that is to hold `cpl`: #TS or #GP, #SS; marked accessed. */
bool seg_check_stack(struct cpu *cpu, uint16_t selector, unsigned cpl,
		     unsigned vector, struct cpu_segment *s);
/* After a return to an outer ring: what it may not use becomes null. */
void seg_drop_inner(struct cpu *cpu);

/* The running CPU's privilege, for accesses that come before CS and SS change. */
void set_cpl(struct cpu *cpu, unsigned cpl);

/* State that a failed transfer brings back. */
struct snapshot {
	uint64_t rsp, rip, eflags, flag_res, flag_aux;
	struct cpu_segment seg[CPU_N_SEG];
	uint32_t mode;
};
void snapshot_take(const struct cpu *cpu, struct snapshot *s);
void snapshot_restore(struct cpu *cpu, const struct snapshot *s);

/* A stack to push to, all at once, or to pop from: stack.c. */
#define STACK_MAX 48u
struct stack {
	struct cpu *cpu;
	struct cpu_segment ss;
	uint64_t sp, mask;
	bool wide;		/* 64-bit: no segment */
	unsigned cpl;		/* who uses it */
	uint16_t error;		/* selector for #SS: 0 if it was loaded before */
	unsigned n;
	struct { uint64_t lin, value; uint8_t size; } items[STACK_MAX];
};

/* The stack as it is now; `wide`: of 64-bit mode. */
void stack_now(struct cpu *cpu, struct stack *st, bool wide);
/* Another one.  `cpl` is that of its user. */
void stack_other(struct cpu *cpu, struct stack *st, const struct cpu_segment *ss,
		 uint64_t sp, bool wide, unsigned cpl);
/* `osize` is log2 of bytes.  stack_push() only remembers, stack_commit() writes. */
bool stack_push(struct stack *st, unsigned osize, uint64_t v);
bool stack_commit(struct stack *st);
bool stack_pop(struct stack *st, unsigned osize, uint64_t *v);
void stack_add(struct stack *st, uint64_t bytes);
/* rSP gets the stack's pointer, as wide as it is. */
void stack_set_sp(struct cpu *cpu, const struct stack *st);

/* The TSS's stack for ring `cpl` (tss.c): #TS. */
bool tss_stack(struct cpu *cpu, unsigned cpl, uint16_t *ss, uint64_t *sp);
/* Long mode: RSP0 to RSP2, or an IST slot (1 to 7). */
bool tss_rsp(struct cpu *cpu, unsigned cpl, unsigned ist, uint64_t *sp);
/* May ports [port, port + len) be used?  Raises #GP(0). */
bool io_allowed(struct cpu *cpu, uint16_t port, unsigned len);
/* Is INT `vector` redirected to the virtual-8086 program (VME)? */
bool vme_redirects(struct cpu *cpu, uint8_t vector, bool *yes);

/* Task switches (task.c).  rip is where the old task goes on. */
enum task_how { TASK_JMP, TASK_CALL, TASK_IRET, TASK_GATE };
bool task_switch(struct cpu *cpu, const struct desc *tss, enum task_how how,
		 uint64_t rip);

/* Code segments: check the target of a transfer without change of privilege, and
 * go there.  far.c.
 */
bool code_check_target(struct cpu *cpu, const struct cpu_segment *cs,
		       uint64_t rip);
void code_set(struct cpu *cpu, struct desc *d, unsigned cpl, uint64_t rip);
/* CS of a return: #GP or #NP, or its descriptor. */
bool ret_check_code(struct cpu *cpu, uint16_t selector, struct desc *d);
/* SS of a return to ring `cpl`; null may do in 64-bit mode. */
bool ret_stack(struct cpu *cpu, uint16_t selector, const struct desc *cs,
	       unsigned cpl, struct cpu_segment *ss);

/* EFLAGS from memory: bits in `mask` change, the others stay (flagops.c). */
void eflags_replace(struct cpu *cpu, uint64_t v, uint64_t mask);

/* Interrupts by instruction (fault.c): INT3 and INTO, INT n, INT1. */
enum done int_software(struct cpu *cpu, const struct uop *u, uint8_t vector);
enum done int_vm86(struct cpu *cpu, const struct uop *u, uint8_t vector);
enum done int_icebp(struct cpu *cpu, const struct uop *u);
op_fn op_iret;

/* Where an instruction is found: the files behind seg_pick() and sys_pick(). */
op_fn *far_pick(const struct insn *insn);
op_fn *flagop_pick(const struct insn *insn);
op_fn *io_pick(const struct insn *insn);
op_fn *table_pick(const struct insn *insn);
op_fn *msr_pick(const struct insn *insn);
op_fn *call_pick(const struct insn *insn);
op_fn *cr_pick(const struct insn *insn);

/* `#GP(0)` unless CPL is 0. */
static inline bool need_cpl0(struct cpu *cpu)
{
	if (!cpu_cpl(cpu))
		return true;
	raise_gp(cpu, 0);
	return false;
}

/* The time-stamp counter, after cpu_sync() (time.c). */
uint64_t cpu_tsc(struct cpu *cpu);
void cpu_set_tsc(struct cpu *cpu, uint64_t tsc);
/* The clock's ns when it has this value. */
uint64_t cpu_tsc_when(const struct cpu *cpu, uint64_t tsc);

/* Ports are watched as memory is. */
void debug_port(struct cpu *cpu, uint16_t port, unsigned len);

#endif
