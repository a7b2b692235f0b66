/* SPDX-License-Identifier: GPL-2.0-or-later */
/* insns.c - instructions that a kernel uses and CPUID names: exchanges of 8 and 16
 * bytes with their faults, the time-stamp counter and who may read it, random
 * numbers; and what is not there raises #UD, or #GP where it is switched on.
 * Intel SDM volumes 2 and 3.
 */
#include "long.h"

#define CR4_TSD		0x4u
#define CR4_VMXE	0x2000u
#define CR4_OSXSAVE	0x40000u
#define CR4_UMIP	0x800u
#define CR0_WP		0x10000u
#define EFER		0xc0000080u
#define EFER_SVME	0x1000u
#define TSC		0x10u
#define TSC_ADJUST	0x3bu
#define TSC_AUX		0xc0000103u
#define STATUS		0x8d5u		/* CF PF AF ZF SF OF */
#define ZF		0x40u
#define PRESENT		0x81u		/* and large; without writable */
#define MIB2		0x200000u

static uint8_t mem[2 * 4096] __attribute__((aligned(4096)));
/* In a large page of its own that may not be written. */
static uint64_t *const read_only = (uint64_t *)(16ull * MIB2);

struct pair { uint64_t low, high; };

/* Where it can be looked at; it is counted everywhere. */
#define WHERE(there, what, got, want) \
	expect(what, (there) ? (got) : (want), want)

/* Both: what is there is compared with `old`, which is then what was there; the
 * flags behind it.
 */
static uint64_t exchange8(void *at, struct pair *old, struct pair new)
{
	uint64_t flags;

	__asm__ volatile("pushq $0x8d7; popfq; lock cmpxchg8b (%2); pushfq; "
			 "popq %3"
			 : "+a"(old->low), "+d"(old->high), "+r"(at),
			   "=r"(flags) : "b"(new.low), "c"(new.high) :
			 "memory", "cc");
	return flags & STATUS;
}

static uint64_t exchange16(void *at, struct pair *old, struct pair new)
{
	uint64_t flags;

	__asm__ volatile("pushq $0x8d7; popfq; lock cmpxchg16b (%2); pushfq; "
			 "popq %3"
			 : "+a"(old->low), "+d"(old->high), "+r"(at),
			   "=r"(flags) : "b"(new.low), "c"(new.high) :
			 "memory", "cc");
	return flags & STATUS;
}

static uint64_t word(uint32_t at)
{
	uint64_t v;

	memcpy(&v, mem + at, 8);
	return v;
}

static void test_exchange8(void)
{
	static const uint16_t places[] = { 0, 3, 61, 4092 };

	for (uint32_t i = 0; i < 4; i++) {
		struct pair old = { 0xffffffff11111111, 0xffffffff22222222 };
		uint8_t *at = mem + places[i];
		uint64_t v = 0x2222222211111111;

		memcpy(at, &v, 8);
		expect("CMPXCHG8B, equal", exchange8(at, &old, (struct pair){
			0xaaaaaaaa33333333, 0xaaaaaaaa44444444 }), STATUS);
		expect("what is there", word(places[i]), 0x4444444433333333);
		expect("EAX stays", old.low, 0xffffffff11111111);
		expect("CMPXCHG8B, not equal", exchange8(at, &old,
			(struct pair){ 5, 6 }), STATUS & ~ZF);
		expect("it stays", word(places[i]), 0x4444444433333333);
		expect("EAX", old.low, 0x33333333);
		expect("EDX", old.high, 0x44444444);
	}
	expect("CMPXCHG8B of a register",
	       TRY(".byte 0x0f, 0xc7, 0xc8", "a"(0)), UD);
}

static void test_exchange16(void)
{
	struct pair old = { 1, 2 };
	uint64_t v[2] = { 1, 2 };

	expect("it is there", has(1, 2, 13), 1);
	memcpy(mem + 16, v, 16);
	expect("CMPXCHG16B, equal", exchange16(mem + 16, &old,
		(struct pair){ ~3ull, ~4ull }), STATUS);
	expect("what is there", word(16), ~3ull);
	expect("what is there, above", word(24), ~4ull);
	old.low = ~3ull;
	expect("CMPXCHG16B, not equal", exchange16(mem + 16, &old,
		(struct pair){ 5, 6 }), STATUS & ~ZF);
	expect("it stays", word(24), ~4ull);
	expect("RAX", old.low, ~3ull);
	expect("RDX", old.high, ~4ull);
	expect("CMPXCHG16B, not aligned",
	       TRY("lock cmpxchg16b (%0)", "D"(mem + 8)), GP);
	expect("CMPXCHG16B of a register",
	       TRY(".byte 0x48, 0x0f, 0xc7, 0xc8", "a"(0)), UD);
}

/* It writes whatever comes out: the page must let it. */
static void test_exchange_fault(void)
{
	uint64_t *entry = &pd[(uint64_t)read_only / MIB2], before = *entry;

	read_only[0] = 1;
	*entry = (uint64_t)read_only | PRESENT;
	invlpg((uint64_t)read_only);
	write_cr0(read_cr0() | CR0_WP);
	expect("CMPXCHG8B, read-only", TRY("cmpxchg8b (%0)", "D"(read_only),
					   "a"(7)), PF);
	expect("a write", caught.error, 3);
	expect("CMPXCHG, read-only", TRY("cmpxchg %%rcx, (%0)",
					 "D"(read_only), "a"(7)), PF);
	expect("a write", caught.error, 3);
	expect("its address", caught.cr2, (uint64_t)read_only);
	expect("CMPXCHG16B, read-only",
	       TRY("lock cmpxchg16b (%0)", "D"(read_only), "a"(7)), PF);
	expect("a write", caught.error, 3);
	write_cr0(read_cr0() & ~(uint64_t)CR0_WP);
	expect("without WP", TRY("cmpxchg8b (%0)", "D"(read_only), "a"(7)),
	       NONE);
	*entry = before;
	invlpg((uint64_t)read_only);
}

/* Time. */

static uint64_t user_rdtsc(uint64_t arg)
{
	return rdtsc() - arg;
}

static uint64_t user_rdtscp(uint64_t arg)
{
	uint32_t aux;

	__asm__ volatile("rdtscp" : "=c"(aux) : : "eax", "edx");
	return aux + arg;
}

static void test_tsc(void)
{
	int adjust = has(7, 1, 1), rdtscp = has(0x80000001, 3, 27);
	uint64_t last = rdtsc(), now, v;

	for (uint32_t i = 0; i < 1000; i++, last = now) {
		now = rdtsc();
		if (now < last)
			expect("the TSC goes on", now, last);
	}
	wrmsr(TSC, 1ull << 50);
	expect("it was set", rdtsc() - (1ull << 50) < 1ull << 38, 1);
	expect("RDMSR says the same", rdmsr(TSC) - (1ull << 50) < 1ull << 38,
	       1);
	v = adjust ? rdmsr(TSC_ADJUST) : 0;
	wrmsr(TSC, rdtsc() + (1ull << 40));
	WHERE(adjust, "TSC_ADJUST follows",
	      rdmsr(TSC_ADJUST) - v - (1ull << 39) < 1ull << 40, 1);
	if (adjust)
		wrmsr(TSC_ADJUST, 0);
	WHERE(adjust, "and leads", rdtsc() < 1ull << 49, 1);
	expect("RDTSC in ring 3", user_try(user_rdtsc, rdtsc(), 0), NONE);
	expect("it goes on there", user_result < 1ull << 38, 1);
	write_cr4(read_cr4() | CR4_TSD);
	expect("RDTSC with TSD", user_try(user_rdtsc, 0, 0), GP);
	expect("its error code", caught.error, 0);
	expect("RDTSC with TSD in ring 0", TRY("rdtsc; xor %%eax, %%eax; "
					       "xor %%edx, %%edx", "a"(0), "d"(0)),
	       NONE);
	WHERE(rdtscp, "RDTSCP with TSD", user_try(user_rdtscp, 0, 0), GP);
	write_cr4(read_cr4() & ~(uint64_t)CR4_TSD);
	if (rdtscp)
		wrmsr(TSC_AUX, 0x12345678);
	WHERE(rdtscp, "RDTSCP", user_try(user_rdtscp, 1, 0), NONE);
	WHERE(rdtscp, "TSC_AUX", user_result, 0x12345679);
}

/* CF alone, and not always the same. */
#define RANDOM(name) \
static uint64_t name(uint64_t *flags) \
{ \
	uint64_t v; \
	__asm__ volatile("pushq $0x8d7; popfq; " #name " %0; pushfq; popq %1" \
			 : "=r"(v), "=r"(*flags) : : "cc"); \
	return v; \
}
RANDOM(rdrand) RANDOM(rdseed)

static void test_random(const char *what, int there,
			uint64_t (*fn)(uint64_t *flags))
{
	uint64_t flags, ones = 0, zeroes = 0, others = 0;

	for (uint32_t i = 0; there && i < 64; i++) {
		uint64_t v = fn(&flags);

		if (flags & 1) {
			ones |= v;
			zeroes |= ~v;
		}
		others |= flags & STATUS & ~1ull;
	}
	WHERE(there, what, ones & zeroes, ~0ull);
	WHERE(there, what, others, 0);
}

/* What is not there. */

#define ABSENT(what, there, text, want, ...) \
	WHERE(!(there), what, TRY(text, __VA_ARGS__), want)

static void test_absent(void)
{
	uint64_t cr4 = read_cr4(), efer = rdmsr(EFER), v;
	int xsave = has(1, 2, 26), vmx = has(1, 2, 5);
	int svm = has(0x80000001, 2, 2);
	uint32_t r[4];

	ABSENT("XSAVE", xsave, "xsave (%0)", UD, "D"(mem), "a"(3), "d"(0));
	ABSENT("XRSTOR", xsave, "xrstor (%0)", UD, "D"(mem), "a"(3), "d"(0));
	ABSENT("XSAVEOPT", xsave, "xsaveopt (%0)", UD, "D"(mem), "a"(3),
	       "d"(0));
	ABSENT("XGETBV", xsave, "xgetbv", UD, "c"(0));
	ABSENT("OSXSAVE", xsave, "mov %0, %%cr4", GP, "r"(cr4 | CR4_OSXSAVE));
	ABSENT("VEX", xsave, ".byte 0xc5, 0xf8, 0x77", UD, "a"(0));
	ABSENT("UMIP", has(7, 2, 2), "mov %0, %%cr4", GP,
	       "r"(cr4 | CR4_UMIP));
	ABSENT("MONITOR", has(1, 2, 3), "monitor", UD, "a"(mem), "c"(0),
	       "d"(0));
	ABSENT("MWAIT", has(1, 2, 3), "mwait", UD, "a"(0), "c"(0));
	ABSENT("VMXE", vmx, "mov %0, %%cr4", GP, "r"(cr4 | CR4_VMXE));
	ABSENT("VMXON", vmx, "vmxon (%0)", UD, "D"(mem));
	ABSENT("VMREAD", vmx, "vmread %%rax, %%rcx", UD, "a"(0));
	expect("RSM", TRY("rsm", "a"(0)), UD);
	WHERE(!svm, "SVME", wrmsr_try(EFER, efer | EFER_SVME), GP);
	ABSENT("VMRUN", svm, ".byte 0x0f, 0x01, 0xd8", UD, "a"(0));
	ABSENT("STGI", svm, ".byte 0x0f, 0x01, 0xdc", UD, "a"(0));
	expect("OSXSAVE in CPUID", has(1, 2, 27), 0);
	cpuid(13, 0, r);
	WHERE(!xsave, "no state components", r[0] | r[1] | r[2] | r[3], 0);
	WHERE(!xsave, "AVX", has(1, 2, 28), 0);
	WHERE(!xsave, "XSS", rdmsr_try(0xda0, &v), GP);
	expect("CR4 is as it was", read_cr4(), cr4);
}

void guest_main(void)
{
	test_exchange8();
	test_exchange16();
	test_exchange_fault();
	test_tsc();
	test_random("RDRAND", has(1, 2, 30), rdrand);
	test_random("RDSEED", has(7, 1, 18), rdseed);
	test_absent();
	done("insns");
}
