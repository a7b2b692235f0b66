/* SPDX-License-Identifier: GPL-2.0-or-later */
/* native.c - instructions on the host's own CPU: a trampoline that loads and saves
 * all registers, and signal handlers that turn a fault into its end.
 *
 * The trampoline reaches its data relative to RIP, for no register is free.
 */
#include "native.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#include "native_ldt.h"
#include "tests/check.h"

#define PAGE		4096u
#define TICK_US		100000	/* of CPU time: ten thousands of runs */
#define HAS_FSGSBASE	2u	/* of AT_HWCAP2 */

#define N_SIGNALS	6u

/* One for the process, as its signal handlers are. */
struct native_ctx {
	struct native_state s;
	uint64_t entry, host_rsp;
	uint64_t host_fs;
	uint32_t host_mxcsr;
	bool with_bases;	/* this CPU and kernel have WRFSBASE */
	bool set_bases;		/* and this run's FS and GS have bases */
	bool with_segs;		/* this run has selectors */
	bool running;
	uint64_t go;		/* `entry`, or native_far */
	struct {
		uint32_t offset;
		uint16_t selector;
	} far;
	uint64_t n_runs, tick_run;	/* the run that the last tick met */
	struct native_end end;
	uint8_t *code;		/* the pages, then one without code */
	uint8_t *landing;	/* where it ends: a jump to native_exit */
	unsigned offset, len;	/* what was put there last */
	void *stack;
	struct sigaction old[N_SIGNALS];
	struct itimerval old_timer;
	stack_t old_stack;
};

struct native_ctx native_ctx __attribute__((visibility("hidden")));
void native_enter(void) __attribute__((visibility("hidden")));
extern const char native_far[] __attribute__((visibility("hidden")));
extern const char native_exit[] __attribute__((visibility("hidden")));
extern const char native_leave[] __attribute__((visibility("hidden")));

#define GPR(n)	"native_ctx+" #n "*8(%rip)"
#define RFLAGS	"native_ctx+128(%rip)"
#define FXSAVE	"native_ctx+144(%rip)"
#define FS_BASE	"native_ctx+656(%rip)"
#define GS_BASE	"native_ctx+664(%rip)"
#define SEG(n)	"native_ctx+672+2*" #n "(%rip)"
#define RSP	"native_ctx+696(%rip)"
#define HOST_FS	"native_ctx+704(%rip)"
#define MXCSR	"native_ctx+712(%rip)"
#define BASES	"native_ctx+716(%rip)"
#define SETS	"native_ctx+717(%rip)"
#define SEGS	"native_ctx+718(%rip)"
#define GO	"native_ctx+720(%rip)"
#define FAR	"native_ctx+728(%rip)"
#define EACH(X) X(rax, 0) X(rcx, 1) X(rdx, 2) X(rbx, 3) X(rbp, 5) X(rsi, 6) \
	X(rdi, 7) X(r8, 8) X(r9, 9) X(r10, 10) X(r11, 11) X(r12, 12) \
	X(r13, 13) X(r14, 14) X(r15, 15)
#define LOAD(reg, n)	"mov " GPR(n) ", %" #reg "\n"
#define SAVE(reg, n)	"mov %" #reg ", " GPR(n) "\n"

_Static_assert(offsetof(struct native_ctx, s.rflags) == 128, "RFLAGS");
_Static_assert(offsetof(struct native_ctx, s.fxsave) == 144, "FXSAVE");
_Static_assert(offsetof(struct native_ctx, s.fs_base) == 656, "FS_BASE");
_Static_assert(offsetof(struct native_ctx, s.gs_base) == 664, "GS_BASE");
_Static_assert(offsetof(struct native_ctx, s.seg) == 672, "SEG");
_Static_assert(offsetof(struct native_ctx, host_rsp) == 696, "RSP");
_Static_assert(offsetof(struct native_ctx, host_fs) == 704, "HOST_FS");
_Static_assert(offsetof(struct native_ctx, host_mxcsr) == 712, "MXCSR");
_Static_assert(offsetof(struct native_ctx, with_bases) == 716, "BASES");
_Static_assert(offsetof(struct native_ctx, set_bases) == 717, "SETS");
_Static_assert(offsetof(struct native_ctx, with_segs) == 718, "SEGS");
_Static_assert(offsetof(struct native_ctx, go) == 720, "GO");
_Static_assert(offsetof(struct native_ctx, far) == 728, "FAR");

__asm__(".pushsection .text\n"
	".hidden native_enter\n"
	".hidden native_far\n"
	".hidden native_exit\n"
	".hidden native_leave\n"
	"native_enter:\n"
	"push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n"
	"push %r15\n"
	"stmxcsr " MXCSR "\n"
	"mov %rsp, " RSP "\n"
	"cmpb $0, " BASES "\n"
	"je 1f\n"
	"rdfsbase %rax\n"
	"mov %rax, " HOST_FS "\n"
	"1:\n"
	"cmpb $0, " SEGS "\n"
	"je 1f\n"
	"mov " SEG(0) ", %es\n mov " SEG(3) ", %ds\n"
	"mov " SEG(4) ", %fs\n mov " SEG(5) ", %gs\n"
	"mov " SEG(2) ", %ss\n"
	"1:\n"
	"cmpb $0, " SETS "\n"
	"je 1f\n"
	"mov " FS_BASE ", %rax\n"
	"wrfsbase %rax\n"
	"mov " GS_BASE ", %rax\n"
	"wrgsbase %rax\n"
	"1:\n"
	"fxrstor64 " FXSAVE "\n"
	"push " RFLAGS "\n"
	EACH(LOAD)
	"popfq\n"
	"mov " GPR(4) ", %rsp\n"
	"jmp *" GO "\n"
	"native_far:\n"
	"ljmp *" FAR "\n"
	"native_exit:\n"
	"mov %rsp, " GPR(4) "\n"
	"mov " RSP ", %rsp\n"
	"pushfq\n"
	"pop " RFLAGS "\n"
	"push $0x202\n"
	"popfq\n"
	EACH(SAVE)
	"cmpb $0, " SEGS "\n"
	"je 1f\n"
	"mov %es, " SEG(0) "\n mov %ss, " SEG(2) "\n mov %ds, " SEG(3) "\n"
	"mov %fs, " SEG(4) "\n mov %gs, " SEG(5) "\n"
	"1:\n"
	"cmpb $0, " SETS "\n"
	"je 1f\n"
	"rdfsbase %rax\n"
	"mov %rax, " FS_BASE "\n"
	"rdgsbase %rax\n"
	"mov %rax, " GS_BASE "\n"
	"1:\n"
	"fxsave64 " FXSAVE "\n"
	"native_leave:\n"
	"cmpb $0, " SEGS "\n"
	"je 1f\n"
	"xor %eax, %eax\n"
	"mov %eax, %es\n mov %eax, %ds\n mov %eax, %fs\n mov %eax, %gs\n"
	"mov $0x2b, %eax\n"
	"mov %eax, %ss\n"
	"1:\n"
	"cmpb $0, " BASES "\n"
	"je 1f\n"
	"mov " HOST_FS ", %rax\n"
	"wrfsbase %rax\n"
	"1:\n"
	"fninit\n"
	"ldmxcsr " MXCSR "\n"
	"pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
	"ret\n"
	".popsection\n");

static const int signals[] = { SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE,
				    SIGVTALRM };

static const uint8_t greg_of[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX,
	REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11,
	REG_R12, REG_R13, REG_R14, REG_R15 };

/* The kernel calls a handler with the segment registers but CS, and the AC flag, as
 * they were.
 */
__attribute__((no_stack_protector, no_sanitize("all")))
static inline void take_back_fs(struct native_ctx *c)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n"
			 "andl $~0x40000, (%%rsp)\n popfq\n"
			 "lea 128(%%rsp), %%rsp"
			 ::: "cc", "memory");
	if (!c->running || !c->with_bases)
		return;
	__asm__ volatile("rdfsbase %0\n rdgsbase %1\n wrfsbase %2"
			 : "=&r"(c->s.fs_base), "=&r"(c->s.gs_base)
			 : "r"(c->host_fs));
	if (!c->with_segs)
		return;
	__asm__ volatile("mov %%es, %0\n mov %%ds, %1\n mov %%fs, %2\n"
			 "mov %%gs, %3"
			 : "=m"(c->s.seg[0]), "=m"(c->s.seg[3]),
			   "=m"(c->s.seg[4]), "=m"(c->s.seg[5]));
}

/* Does the timer meet the same run again?  Not in what leads there and back, where
 * the state is neither's.
 */
__attribute__((no_stack_protector, no_sanitize("all")))
static bool takes_long(struct native_ctx *c, const greg_t *r)
{
	bool again = c->tick_run == c->n_runs;

	c->tick_run = c->n_runs;
	return again && c->running &&
	       ((uint16_t)r[REG_CSGSFS] != NATIVE_CS64 ||
		(uint64_t)r[REG_RIP] - NATIVE_CODE < NATIVE_CODE_LEN + PAGE);
}

/* A fault of the instructions: keep the state, and go on at native_leave. */
__attribute__((no_stack_protector, no_sanitize("all")))
static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *r = uc->uc_mcontext.gregs;
	struct native_ctx *c = &native_ctx;

	if (sig == SIGVTALRM && !takes_long(c, r))
		return;
	take_back_fs(c);
	(void)info;
	if (!c->running) {
		signal(sig, SIG_DFL);
		return;
	}
	c->end.cut = sig == SIGVTALRM;
	for (unsigned i = 0; i < 16; i++)
		c->s.gpr[i] = (uint64_t)r[greg_of[i]];
	c->s.rflags = (uint64_t)r[REG_EFL];
	if (uc->uc_mcontext.fpregs)
		memcpy(c->s.fxsave, uc->uc_mcontext.fpregs, 416);
	c->end.fault = true;
	c->end.vector = (int)r[REG_TRAPNO];
	c->end.rip = (uint64_t)r[REG_RIP];
	/* The kernel leaves the last ones' there: only some have them. */
	if (c->end.vector == 8 || (c->end.vector >= 10 && c->end.vector <= 14)
	    || c->end.vector == 17)
		c->end.error = (uint64_t)r[REG_ERR];
	if (c->end.vector == 14)
		c->end.cr2 = (uint64_t)r[REG_CR2];
	if (c->end.vector == 3)
		c->end.rip--;
	/* CS, GS, FS, SS, 16 bits each. */
	if (c->with_segs) {
		c->s.seg[1] = (uint16_t)r[REG_CSGSFS];
		c->s.seg[2] = (uint16_t)(r[REG_CSGSFS] >> 48);
	}
	r[REG_CSGSFS] = (greg_t)((uint64_t)NATIVE_SS64 << 48 | NATIVE_CS64);
	r[REG_RIP] = (greg_t)(uintptr_t)native_leave;
	r[REG_RSP] = (greg_t)c->host_rsp;
	r[REG_EFL] = 0x202;
}

static void *map_at(uint64_t address, size_t size, int prot)
{
	void *p = mmap((void *)(uintptr_t)address, size, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
		       MAP_NORESERVE, -1, 0);

	CHECK(p == (void *)(uintptr_t)address);
	return p;
}

uint8_t *native_map(uint64_t address, size_t size)
{
	uint8_t *p = map_at(address - PAGE, size + 2 * PAGE, PROT_NONE);

	CHECK(!mprotect(p + PAGE, size, PROT_READ | PROT_WRITE));
	return p + PAGE;
}

/* jmp *2(%rip), and where to, aligned. */
static void map_landing(struct native_ctx *c)
{
	static const uint8_t jump[] = { 0xff, 0x25, 2, 0, 0, 0 };
	uint64_t target = (uint64_t)(uintptr_t)native_exit;

	c->landing = map_at(NATIVE_LANDING, PAGE,
			    PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(c->landing, jump, sizeof(jump));
	memcpy(c->landing + 8, &target, sizeof(target));
	CHECK(!mprotect(c->landing, PAGE, PROT_READ | PROT_EXEC));
}

void native_open(void)
{
	struct native_ctx *c = &native_ctx;
	struct sigaction sa = { .sa_sigaction = on_signal,
				.sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_size = 1 << 16 };
	struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };

	c->with_bases = getauxval(AT_HWCAP2) & HAS_FSGSBASE;
	c->code = map_at(NATIVE_CODE, NATIVE_CODE_LEN + PAGE,
			 PROT_READ | PROT_WRITE | PROT_EXEC);
	memset(c->code, 0xcc, NATIVE_CODE_LEN + PAGE);
	map_landing(c);
	c->stack = malloc(stack.ss_size);
	CHECK(c->stack);
	stack.ss_sp = c->stack;
	CHECK(!sigaltstack(&stack, &c->old_stack));
	for (unsigned i = 0; i < N_SIGNALS; i++)
		CHECK(!sigaction(signals[i], &sa, &c->old[i]));
	CHECK(!setitimer(ITIMER_VIRTUAL, &tick, &c->old_timer));
}

void native_close(void)
{
	struct native_ctx *c = &native_ctx;

	CHECK(!setitimer(ITIMER_VIRTUAL, &c->old_timer, NULL));
	for (unsigned i = 0; i < N_SIGNALS; i++)
		CHECK(!sigaction(signals[i], &c->old[i], NULL));
	c->old_stack.ss_flags &= SS_DISABLE;
	CHECK(!sigaltstack(&c->old_stack, NULL));
	free(c->stack);
	CHECK(!munmap(c->code, NATIVE_CODE_LEN + PAGE));
	CHECK(!munmap(c->landing, PAGE));
}

/* The jump to NATIVE_LANDING, which is 64-bit code: jmp rel32, or a far one. */
static void put_exit(uint8_t *at, unsigned offset, unsigned bits)
{
	uint32_t to = NATIVE_LANDING;
	uint16_t cs = NATIVE_CS64;
	unsigned n = 0;

	if (bits == 64)
		to -= (uint32_t)NATIVE_CODE + offset + 5;
	if (bits == 16)
		at[n++] = 0x66;
	at[n] = bits == 64 ? 0xe9 : 0xea;
	memcpy(at + n + 1, &to, 4);
	if (bits < 64)
		memcpy(at + n + 5, &cs, 2);
}

int native_put_code(unsigned offset, const void *bytes, size_t len,
		    unsigned bits)
{
	struct native_ctx *c = &native_ctx;
	uint8_t *at = c->code + offset;

	if (offset > NATIVE_CODE_LEN ||
	    len > NATIVE_CODE_LEN - NATIVE_EXIT_LEN - offset)
		return -1;
	memset(c->code + c->offset, 0xcc, c->len);
	memcpy(at, bytes, len);
	put_exit(at + len, offset + (unsigned)len, bits);
	c->offset = offset;
	c->len = (unsigned)len + NATIVE_EXIT_LEN;
	return 0;
}

int native_put(unsigned offset, const void *bytes, size_t len)
{
	return native_put_code(offset, bytes, len, 64);
}

bool native_has_bases(void)
{
	return native_ctx.with_bases;
}

void native_init(struct native_state *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->fxsave, &(uint16_t){ 0x37f }, 2);
	memcpy(s->fxsave + 24, &(uint32_t){ 0x1f80 }, 4);
}

void native_run(struct native_state *s, struct native_end *end)
{
	struct native_ctx *c = &native_ctx;

	uint16_t cs = s->seg[1];

	c->s = *s;
	c->s.rflags = (s->rflags & NATIVE_FLAGS) | 0x202;
	c->with_segs = cs;
	c->set_bases = c->with_bases && (!cs || cs == NATIVE_CS64);
	c->entry = NATIVE_CODE + c->offset - native_ldt_base(cs);
	c->go = c->entry;
	if (cs) {
		c->go = (uint64_t)(uintptr_t)native_far;
		c->far.offset = (uint32_t)c->entry;
		c->far.selector = cs;
	}
	c->end = (struct native_end){
		.rip = c->entry + c->len - NATIVE_EXIT_LEN };
	c->n_runs++;
	c->running = true;
	__asm__ volatile("" ::: "memory");
	native_enter();
	__asm__ volatile("" ::: "memory");
	c->running = false;
	*s = c->s;
	*end = c->end;
}
