/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_exec.c - the software CPU's blocks: code that changes itself, crosses
 * pages or shows at two addresses; counts, budgets, kicks; repeated strings.
 */
#include <pthread.h>

#include "tests/check.h"
#include "vmm/accel/soft/block.h"
#include "vmm/accel/soft/soft_test.h"

#define PAGE	0x1000u
#define CODE	0x100000u
#define DATA	0x200000u
#define N_PAGES	8u

static struct soft_test *t;
static uint8_t *code, *data;
static struct cpu_state s;
static struct soft_test_end end;

static void begin(void)
{
	CHECK_EQ(soft_test_new(&t, 2 * N_PAGES * PAGE), 0);
	CHECK_EQ(soft_test_map(t, CODE, 0, N_PAGES * PAGE, SOFT_TEST_R |
			       SOFT_TEST_W | SOFT_TEST_X), 0);
	CHECK_EQ(soft_test_map(t, DATA, N_PAGES * PAGE, N_PAGES * PAGE,
			       SOFT_TEST_R | SOFT_TEST_W), 0);
	code = soft_test_memory(t);
	data = code + N_PAGES * PAGE;
	soft_test_state64(&s);
	s.rip = CODE;
	s.gpr[CPU_RSP] = DATA + N_PAGES * PAGE;
}

static void finish(void)
{
	soft_test_free(t);
}

#define PUT(at, ...)							\
	do {								\
		static const uint8_t bytes_[] = { __VA_ARGS__ };	\
		memcpy((at), bytes_, sizeof(bytes_));			\
	} while (0)

/* The instruction after a store sees what it wrote, in the same block too. */
static void test_next_instruction(void)
{
	begin();
	/* mov byte [rip+1], 0x77; mov eax, 0x11; hlt's place: ud2 */
	PUT(code, 0xc6, 0x05, 0x01, 0, 0, 0, 0x77, 0xb8, 0x11, 0, 0, 0, 0x0f,
	    0x0b);
	for (int i = 0; i < 3; i++) {
		s.rip = CODE;
		soft_test_run(t, &s, 100, &end);
		CHECK_EQ(end.vector, 6);
		CHECK_EQ(end.insns, 2);
		CHECK_EQ(s.gpr[CPU_RAX], 0x77);
		code[8] = 0x11;
		soft_test_wrote(t, 8, 1);
	}
	finish();
}

/* A loop that counts with an immediate which it increments itself; the jump back
 * is linked to a block that gets stale each time.
 */
static void test_loop_that_changes(void)
{
	begin();
	/* add eax, imm32; inc dword [rip-10]; dec ecx; jnz -15; ud2 */
	PUT(code, 0x05, 1, 0, 0, 0, 0xff, 0x05, 0xf6, 0xff, 0xff, 0xff, 0xff,
	    0xc9, 0x75, 0xf1, 0x0f, 0x0b);
	s.gpr[CPU_RCX] = 100;
	soft_test_run(t, &s, 1000, &end);
	CHECK_EQ(end.vector, 6);
	CHECK_EQ(end.insns, 400);
	CHECK_EQ(s.gpr[CPU_RAX], 5050);
	finish();
}

/* A write by the host, and one beside the code in its page. */
static void test_writes_around(void)
{
	struct cpu *cpu;

	begin();
	cpu = soft_test_cpu(t);
	/* mov [rip+0x100], eax; dec ecx; jnz; ud2 */
	PUT(code, 0x89, 0x05, 0, 1, 0, 0, 0xff, 0xc9, 0x75, 0xf6, 0x0f, 0x0b);
	s.gpr[CPU_RCX] = 50;
	s.gpr[CPU_RAX] = 0x1234;
	soft_test_run(t, &s, 1000, &end);
	CHECK_EQ(end.insns, 150);
	CHECK_EQ(code[0x106], 0x34);
	/* Data in the code's page does not cost the code. */
	CHECK(cpu->stats.built <= 4);
	finish();
}

static void test_two_pages(void)
{
	unsigned n = 0;

	begin();
	/* mov rax, imm64 with each number of bytes in the first page; ud2 */
	for (unsigned k = 1; k < 10; k++) {
		uint8_t *at = code + PAGE - k;

		PUT(at, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 0x0f, 0x0b);
		soft_test_wrote(t, 0, 2 * PAGE);
		for (int i = 0; i < 2; i++, n++) {
			s.rip = CODE + PAGE - k;
			soft_test_run(t, &s, 10, &end);
			CHECK_EQ(end.insns, 1);
			CHECK_EQ(s.gpr[CPU_RAX], 0x0807060504030201);
			CHECK_EQ(s.rip, CODE + PAGE - k + 10);
			/* A change in the second page counts. */
			at[9] = 9;
			soft_test_wrote(t, PAGE - k + 9, 1);
			s.rip = CODE + PAGE - k;
			soft_test_run(t, &s, 1, &end);
			CHECK_EQ(s.gpr[CPU_RAX], 0x0907060504030201);
			at[9] = 8;
			soft_test_wrote(t, PAGE - k + 9, 1);
		}
	}
	/* The second page is not there. */
	PUT(code + N_PAGES * PAGE - 1, 0x48);
	soft_test_wrote(t, 0, N_PAGES * PAGE);
	s.rip = CODE + N_PAGES * PAGE - 1;
	soft_test_run(t, &s, 10, &end);
	CHECK_EQ(end.vector, 14);
	CHECK_EQ(end.error, 0x14);
	CHECK_EQ(end.cr2, CODE + N_PAGES * PAGE);
	CHECK_EQ(s.rip, CODE + N_PAGES * PAGE - 1);
	CHECK_EQ(end.insns, 0);
	finish();
}

/* The same bytes at two addresses: blocks are shared, RIP is not. */
static void test_alias(void)
{
	begin();
	CHECK_EQ(soft_test_map(t, 2 * CODE + 0x800000, 0, PAGE, SOFT_TEST_R |
			       SOFT_TEST_X), 0);
	/* lea rax, [rip]; call +0 (pushes); pop rbx; ud2 */
	PUT(code, 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x5b, 0x0f,
	    0x0b);
	for (unsigned i = 0; i < 6; i++) {
		uint64_t at = i & 1 ? 2 * CODE + 0x800000 : CODE;

		s.rip = at;
		soft_test_run(t, &s, 10, &end);
		CHECK_EQ(end.insns, 3);
		CHECK_EQ(s.gpr[CPU_RAX], at + 7);
		CHECK_EQ(s.gpr[CPU_RBX], at + 12);
		CHECK_EQ(s.rip, at + 13);
	}
	finish();
}

/* Any number of instructions can be asked for, and is run. */
static void test_budget(void)
{
	begin();
	/* add rax, 1 (20 times); jmp back */
	for (unsigned i = 0; i < 20; i++)
		PUT(code + 4 * i, 0x48, 0x83, 0xc0, 1);
	PUT(code + 80, 0xeb, 0xae);
	for (unsigned n = 0; n < 200; n++) {
		s.rip = CODE;
		s.gpr[CPU_RAX] = 0;
		soft_test_run(t, &s, n, &end);
		CHECK(!end.fault);
		CHECK_EQ(end.insns, n);
		CHECK_EQ(s.gpr[CPU_RAX], n - n / 21);
		CHECK_EQ(s.rip, CODE + (n % 21) * 4);
	}
	s.rip = CODE;
	soft_test_run(t, &s, 2100007, &end);
	CHECK_EQ(end.insns, 2100007);
	CHECK_EQ(s.rip, CODE + 28);
	finish();
}

/* What came before a fault counts, and its flags are seen. */
static void test_fault_in_block(void)
{
	begin();
	/* mov al, 0xff; add al, 1; mov rbx, [rdi]; cmp eax, eax; ud2 */
	PUT(code, 0xb0, 0xff, 0x04, 1, 0x48, 0x8b, 0x1f, 0x39, 0xc0, 0x0f,
	    0x0b);
	s.gpr[CPU_RDI] = DATA - 4;
	soft_test_run(t, &s, 10, &end);
	CHECK_EQ(end.vector, 14);
	CHECK_EQ(end.error, 4);
	CHECK_EQ(end.insns, 2);
	CHECK_EQ(end.cr2, DATA - 4);
	CHECK_EQ(s.rip, CODE + 4);
	CHECK_EQ(s.rflags & 0x8d5, 0x55);	/* CF PF AF ZF */
	finish();
}

/* Of two pages that are not there an x87 area's first is named, an SSE area's last:
 * frstor, fxsave and fxrstor [rdi].
 */
static void test_two_faults(void)
{
	static const uint8_t insns[][3] = {
		{ 0xdd, 0x27 }, { 0x0f, 0xae, 0x07 }, { 0x0f, 0xae, 0x0f },
	};

	begin();
	s.gpr[CPU_RDI] = DATA + (N_PAGES + 1) * PAGE - 16;
	for (unsigned i = 0; i < 3; i++) {
		memcpy(code, insns[i], 3);
		soft_test_wrote(t, 0, 3);
		s.rip = CODE;
		soft_test_run(t, &s, 10, &end);
		CHECK_EQ(end.vector, 14);
		CHECK_EQ(end.error, i == 1 ? 6 : 4);
		CHECK_EQ(end.cr2, s.gpr[CPU_RDI] + (i ? 511 : 0));
	}
	finish();
}

/* Strings stop at the page that is not there, with the registers in step. */
static void test_rep(void)
{
	begin();
	PUT(code, 0xf3, 0x48, 0xab, 0xf3, 0xa4, 0x0f, 0x0b);
	/* stosq to the end, and beyond */
	s.gpr[CPU_RAX] = 0x1122334455667788;
	s.gpr[CPU_RDI] = DATA + 8;
	s.gpr[CPU_RCX] = N_PAGES * PAGE / 8 + 5;
	soft_test_run(t, &s, 10000, &end);
	CHECK_EQ(end.vector, 14);
	CHECK_EQ(end.error, 6);
	CHECK_EQ(s.gpr[CPU_RDI], DATA + N_PAGES * PAGE);
	CHECK_EQ(s.gpr[CPU_RCX], 6);
	CHECK_EQ(s.rip, CODE);
	CHECK_EQ(end.insns, 0);
	CHECK_EQ(data[N_PAGES * PAGE - 1], 0x11);
	CHECK_EQ(data[7], 0);
	/* One instruction, however many pages, but not in no time */
	s.rip = CODE;
	s.gpr[CPU_RDI] = DATA;
	s.gpr[CPU_RCX] = N_PAGES * PAGE / 8;
	soft_test_run(t, &s, 1, &end);
	CHECK_EQ(s.gpr[CPU_RDI], DATA + PAGE);
	CHECK_EQ(s.rip, CODE);
	CHECK_EQ(end.insns, 0);
	soft_test_run(t, &s, 10000, &end);
	CHECK_EQ(end.vector, 6);
	CHECK_EQ(end.insns, 2);
	CHECK_EQ(s.gpr[CPU_RCX], 0);
	/* movsb that repeats itself */
	s.rip = CODE + 3;
	memcpy(data + PAGE - 3, "abc", 3);
	s.gpr[CPU_RSI] = DATA + PAGE - 3;
	s.gpr[CPU_RDI] = DATA + PAGE;
	s.gpr[CPU_RCX] = 10;
	soft_test_run(t, &s, 10, &end);
	CHECK_EQ(end.vector, 6);
	CHECK(!memcmp(data + PAGE - 3, "abcabcabcabca", 13));
	/* rCX of 0: nothing happens, not even a look at memory */
	s.rip = CODE;
	s.gpr[CPU_RDI] = s.gpr[CPU_RSI] = 0;
	s.gpr[CPU_RCX] = 0;
	soft_test_run(t, &s, 10, &end);
	CHECK_EQ(end.vector, 6);
	CHECK_EQ(end.insns, 2);
	finish();
}

/* Two pages that have but one place in the TLB. */
static void test_rep_clash(void)
{
	const uint64_t far = DATA + (uint64_t)(TLB_SLOTS + 4) * PAGE;
	uint64_t misses;

	begin();
	CHECK_EQ(soft_test_map(t, far, N_PAGES * PAGE, 4 * PAGE,
			       SOFT_TEST_R | SOFT_TEST_W), 0);
	PUT(code, 0xf3, 0xa4, 0x0f, 0x0b);
	for (unsigned i = 0; i < 4 * PAGE; i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	s.gpr[CPU_RSI] = far + 1;
	s.gpr[CPU_RDI] = DATA + 4 * PAGE + 1;
	s.gpr[CPU_RCX] = 4 * PAGE - 2;
	misses = soft_test_cpu(t)->stats.tlb_misses;
	soft_test_run(t, &s, 10000, &end);
	CHECK_EQ(end.vector, 6);
	CHECK(!memcmp(data + 4 * PAGE + 1, data + 1, 4 * PAGE - 2));
	CHECK(soft_test_cpu(t)->stats.tlb_misses - misses < 100);
	finish();
}

/* More code than the cache holds. */
static void test_full_cache(void)
{
	struct soft_test *big;
	uint64_t size = 1 << 20;
	uint8_t *m;

	CHECK_EQ(soft_test_new(&big, size), 0);
	CHECK_EQ(soft_test_map(big, CODE, 0, size, SOFT_TEST_R | SOFT_TEST_X),
		 0);
	m = soft_test_memory(big);
	for (uint64_t i = 0; i < size; i += 2)
		PUT(m + i, 0xeb, 0x00);		/* jmp +0 */
	PUT(m + size - 2, 0x0f, 0x0b);
	for (int i = 0; i < 3; i++) {
		soft_test_state64(&s);
		s.rip = CODE;
		soft_test_run(big, &s, 1u << 30, &end);
		CHECK_EQ(end.vector, 6);
		CHECK_EQ(end.insns, size / 2 - 1);
	}
	CHECK(soft_test_cpu(big)->stats.dropped > 0);
	soft_test_free(big);
}

static void *kicker(void *arg)
{
	for (int i = 0; i < 10; i++)
		sched_yield();
	cpu_kick(arg, EVENT_KICK);
	return NULL;
}

/* A kick ends the tightest loop. */
static void test_kick(void)
{
	struct cpu *cpu;
	pthread_t thread;

	begin();
	cpu = soft_test_cpu(t);
	PUT(code, 0xeb, 0xfe);
	for (int i = 0; i < 10; i++) {
		cpu_set_state(cpu, &s);
		CHECK_EQ(pthread_create(&thread, NULL, kicker, cpu), 0);
		CHECK_EQ(cpu_run(cpu, INT64_MAX / 2), STOP_KICK);
		pthread_join(thread, NULL);
		cpu->events = 0;
	}
	finish();
}

int main(void)
{
	test_next_instruction();
	test_loop_that_changes();
	test_writes_around();
	test_two_pages();
	test_alias();
	test_budget();
	test_fault_in_block();
	test_two_faults();
	test_rep();
	test_rep_clash();
	test_full_cache();
	test_kick();
	return 0;
}
