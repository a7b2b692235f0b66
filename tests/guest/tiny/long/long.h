/* SPDX-License-Identifier: GPL-2.0-or-later */
/* long.h - what the 64-bit guests share: they test the CPU itself, run in ring 0
 * of 64-bit mode with 4 GiB mapped one to one, and speak through COM1.
 */
#ifndef LONG_H
#define LONG_H

#include "../io.h"

/* Registers as an interrupt finds them. */
struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

enum { DE, DB, NMI, BP, OF, BR, UD, NM, DF, TS = 10, NP, SS, GP, PF,
       MF = 16, AC, MC, XM };

/* start.S */
extern uint64_t gdt[], pml4[512], pd[2048], user_back;
extern uint8_t tss[104], ap_start[], ap_end[], last_iret[];
extern uint32_t boot_info;
extern const char *args;	/* the command line without the file's name */
uint64_t user_run(uint64_t (*fn)(uint64_t), uint64_t arg, uint64_t rflags);

/* What a guest defines; ap_main where it starts other CPUs. */
void guest_main(void);
void ap_main(void) __attribute__((weak));

/* The exception that TRY() or user_try() met. */
#define NONE 256u
struct caught {
	uint32_t vector, error;
	uint64_t cr2, rip, rflags;
};
extern volatile struct caught caught;
extern uint64_t resume;

/* Execute assembler text; which exception came, or NONE.  The operands are
 * inputs alone; %%r11 is not theirs.
 */
#define TRY(text, ...) (caught.vector = NONE, ({ \
	__asm__ volatile("leaq 99f(%%rip), %%r11\n\t" \
			 "movq %%r11, resume(%%rip)\n\t" text "\n" \
			 "99: movq $0, resume(%%rip)" \
			 : : __VA_ARGS__ : "r11", "memory", "cc"); \
	}), caught.vector)

/* Call fn(arg) in ring 3 with these flags; which exception came, or NONE. */
uint32_t user_try(uint64_t (*fn)(uint64_t), uint64_t arg, uint64_t rflags);
extern uint64_t user_result;

/* Which exception came, or NONE. */
uint32_t rdmsr_try(uint32_t index, uint64_t *v);
uint32_t wrmsr_try(uint32_t index, uint64_t v);

void on(uint8_t vector, void (*handler)(struct frame *f));
void gate_set(uint8_t vector, const void *entry, uint32_t type_dpl);
void tss_rsp0(uint64_t rsp);

/* Says something only if it is wrong; all are counted. */
void expect(const char *what, uint64_t got, uint64_t want);
/* "what: N checks". */
void done(const char *what);
void *memset(void *to, int byte, uint64_t len);
void *memcpy(void *to, const void *from, uint64_t len);
/* Start the other CPUs: ap_main() on each.  Returns when `n` have said so. */
void start_others(uint32_t n);
extern volatile uint32_t n_started;

static inline void sti(void)
{
	__asm__ volatile("sti; nop" : : : "memory");
}

static inline void pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | (uint64_t)high << 32;
}

static inline uint64_t rdmsr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) :
			 "memory");
	return low | (uint64_t)high << 32;
}

static inline void wrmsr(uint32_t index, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)v),
			 "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]),
			 "=d"(r[3]) : "a"(leaf), "c"(sub));
}

#define REGISTER(name) \
static inline uint64_t read_##name(void) \
{ \
	uint64_t v; \
	__asm__ volatile("mov %%" #name ", %0" : "=r"(v) : : "memory"); \
	return v; \
} \
static inline void write_##name(uint64_t v) \
{ \
	__asm__ volatile("mov %0, %%" #name : : "r"(v) : "memory"); \
}
REGISTER(cr0) REGISTER(cr2) REGISTER(cr3) REGISTER(cr4) REGISTER(cr8)
REGISTER(dr0) REGISTER(dr1) REGISTER(dr2) REGISTER(dr3)
REGISTER(dr6) REGISTER(dr7)

static inline void invlpg(uint64_t lin)
{
	__asm__ volatile("invlpg (%0)" : : "r"(lin) : "memory");
}

/* Has CPUID this bit?  reg: 0 EAX to 3 EDX. */
static inline int has(uint32_t leaf, unsigned reg, unsigned bit)
{
	uint32_t r[4];

	cpuid(leaf, 0, r);
	return r[reg] >> bit & 1;
}

/* Send an interrupt to the CPU with this id. */
static inline void send(uint32_t id, uint32_t command)
{
	lapic_write(0x310, id << 24);
	lapic_write(0x300, command);
}

#endif
