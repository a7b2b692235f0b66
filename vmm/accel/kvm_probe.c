/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_probe.c - how good is this host's KVM?  Some offer a /dev/kvm that emulates
 * each instruction of the guest's kernel, some thousand times slower than the CPU,
 * and not all of them.
 *
 * A guest of a few instructions shows it: a loop in ring 0, whose length the host
 * says, CMPXCHG16B, and a system call from ring 3.  All is measured in this thread's
 * own time, because the host may be busy, and a timer cuts it off.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "vmm/accel/kvm.h"

#define LIMIT_NS	3000000u	/* of 5 ms: the rest is making the machine */
#define USABLE_MIPS	20.0
#define FIRST_LOOPS	200u		/* 0.8 ms where KVM emulates */
#define LONG_LOOPS	100000u		/* where 200 were too quick to time */
#define TOO_QUICK_NS	20000u
#define LOOP_INSNS	2u

/* Guest memory. */
#define GUEST_LEN	0x10000u
#define PML4		0x1000u
#define PDPT		0x2000u
#define PD		0x3000u
#define GDT		0x4000u
#define CODE		0x5000u
#define BEHIND_CMPXCHG	0x501bu
#define RING3		0x5040u
#define SYSCALL_ENTRY	0x5050u
#define STACK		0x8000u

/* Selectors 0x8 and 0x10 are ring 0's code and data, 0x23 and 0x2b ring 3's data
 * and code.
 */
static const uint64_t gdt[] = {
	0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0, 0x00cff3000000ffff,
	0x00affb000000ffff,
};

static const uint8_t code[] = {
	0xba, 0x80, 0x00, 0x00, 0x00,	/* mov $0x80, %edx */
	0xed,				/* next: in %dx, %eax */
	0x85, 0xc0,			/* test %eax, %eax */
	0x74, 0x08,			/* jz 2f */
	0x89, 0xc1,			/* mov %eax, %ecx */
	0xff, 0xc9,			/* 1: dec %ecx */
	0x75, 0xfc,			/* jnz 1b */
	0xeb, 0xf3,			/* jmp next */
	0xbf, 0x00, 0x90, 0x00, 0x00,	/* 2: mov $0x9000, %edi */
	0x48, 0x0f, 0xc7, 0x0f,		/* cmpxchg16b (%rdi) */
	0xee,				/* BEHIND_CMPXCHG: out %al, %dx */
	0x6a, 0x23,			/* push $0x23: SS */
	0x68, 0x00, 0x80, 0x00, 0x00,	/* push $STACK */
	0x6a, 0x02,			/* push $2: flags */
	0x6a, 0x2b,			/* push $0x2b: CS */
	0x68, 0x40, 0x50, 0x00, 0x00,	/* push $RING3 */
	0x48, 0xcf,			/* iretq */
};
static const uint8_t ring3_code[] = { 0x0f, 0x05 };	/* syscall */
static const uint8_t entry_code[] = { 0xee, 0xf4 };	/* out %al, %dx; hlt */

struct probe {
	struct vm vm;
	struct vcpu cpu;
	struct kvm_vcpu *k;
	uint64_t limit;			/* of thread_ns() */
	timer_t timer;
	bool has_timer, cut_off;
	double mips;
	const char *missing[16];
	unsigned n_missing;
};

static uint64_t thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void lacks(struct probe *p, const char *what)
{
	if (p->n_missing < sizeof(p->missing) / sizeof(p->missing[0]))
		p->missing[p->n_missing++] = what;
}

/* What a machine can do without, but not as well. */
static void check_optional(struct probe *p)
{
	static const struct { unsigned cap; const char *name; } optional[] = {
		{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "doorbells" },
		{ KVM_CAP_IRQFD, "interrupts from descriptors" },
		{ KVM_CAP_ADJUST_CLOCK, "a clock that can be set" },
		{ KVM_CAP_TSC_DEADLINE_TIMER, "the TSC deadline timer" },
		{ KVM_CAP_SET_GUEST_DEBUG, "debugging of guests" },
	};

	for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
		if (!kvm_cap(kvm_of(&p->vm)->dev, optional[i].cap))
			lacks(p, optional[i].name);
}

static void fill_memory(uint8_t *m)
{
	put_le64(m + PML4, PDPT | 7);
	put_le64(m + PDPT, PD | 7);
	put_le64(m + PD, 0x87);		/* 2 MiB from 0, for ring 3 too */
	for (size_t i = 0; i < sizeof(gdt) / sizeof(gdt[0]); i++)
		put_le64(m + GDT + 8 * i, gdt[i]);
	memcpy(m + CODE, code, sizeof(code));
	memcpy(m + RING3, ring3_code, sizeof(ring3_code));
	memcpy(m + SYSCALL_ENTRY, entry_code, sizeof(entry_code));
}

static int set_up_guest(struct probe *p)
{
	struct cpu_state s;

	cpu_reset_state(&s);
	cpu_set_flat64(&s, PML4);
	s.rip = CODE;
	s.gpr[CPU_RSP] = STACK;
	s.gdtr.base = GDT;
	s.gdtr.limit = sizeof(gdt) - 1;
	s.efer |= CPU_EFER_SCE;
	s.star = 0x8ull << 32;
	s.lstar = SYSCALL_ENTRY;
	return kvm_set_state(&p->cpu, &s);
}

static int make_machine(struct probe *p, struct err *e)
{
	struct mem *mem = &p->vm.mem;
	int rc;

	p->vm.config.topology = (struct cpu_topology){ 1, 1, 1, 1 };
	p->vm.config.cpu = CPU_HOST;
	p->cpu.vm = &p->vm;
	mem->base = mmap(NULL, GUEST_LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem->base == MAP_FAILED) {
		mem->base = NULL;
		return fail(e, ENOMEM, "out of memory");
	}
	fill_memory(mem->base);
	mem->n_slots = 1;
	mem->slots[0].len = GUEST_LEN;
	mem->slots[0].access = MEM_READ | MEM_WRITE;
	rc = accel_kvm.vm_init(&p->vm, e);
	if (rc)
		return rc;
	rc = accel_kvm.mem_changed(&p->vm);
	if (rc)
		return fail_rc(e, rc, "KVM: memory for the guest");
	rc = kvm_vcpu_init(&p->cpu, e);
	if (rc)
		return rc;
	p->k = kvm_cpu_of(&p->cpu);
	rc = kvm_allow_kick(p->k->fd);
	if (!rc)
		rc = set_up_guest(p);
	return rc ? fail_rc(e, rc, "KVM: the state of a CPU") : 0;
}

static int arm_timer(const struct probe *p)
{
	const struct itimerspec when = { .it_value.tv_nsec = LIMIT_NS };

	return timer_settime(p->timer, 0, &when, NULL) ? -errno : 0;
}

/* It sends the signal that interrupts KVM_RUN to this thread. */
static int start_timer(struct probe *p, struct err *e)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = kvm_kick_signal() };
	int rc;

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	p->limit = thread_ns() + LIMIT_NS;
	if (timer_create(CLOCK_MONOTONIC, &event, &p->timer))
		return fail_rc(e, -errno, "a timer");
	p->has_timer = true;
	rc = arm_timer(p);
	return rc ? fail_rc(e, rc, "a timer") : 0;
}

/* The exit's reason; 0 (KVM_EXIT_UNKNOWN) when cut off or failed. */
static uint32_t step(struct probe *p)
{
	int rc;

	while ((rc = kvm_ioctl(p->k->fd, KVM_RUN, NULL)) == -EINTR) {
		kvm_swallow_kick();
		if (thread_ns() >= p->limit || arm_timer(p)) {
			p->cut_off = true;
			break;
		}
	}
	return rc ? KVM_EXIT_UNKNOWN : p->k->run->exit_reason;
}

/* Answer the guest's `in` with `loops`, and time it until the next one. */
static uint64_t time_loop(struct probe *p, uint32_t loops)
{
	uint64_t start = thread_ns();

	memcpy((uint8_t *)p->k->run + p->k->run->io.data_offset, &loops,
	       sizeof(loops));
	if (step(p) != KVM_EXIT_IO)
		lacks(p, p->cut_off ? "time to run a short loop" :
		      "running a short loop");
	return thread_ns() - start;
}

static void measure_ring0(struct probe *p)
{
	uint32_t loops = FIRST_LOOPS;
	uint64_t ns;

	if (step(p) != KVM_EXIT_IO) {
		lacks(p, "running a guest");
		return;
	}
	ns = time_loop(p, loops);
	if (!p->n_missing && ns < TOO_QUICK_NS) {
		loops = LONG_LOOPS;
		ns = time_loop(p, loops);
	}
	p->mips = (double)loops * LOOP_INSNS * 1000 / (double)(ns ? ns : 1);
}

static void try_instructions(struct probe *p)
{
	const uint32_t none = 0;
	struct cpu_state s;
	bool syscalls;

	memcpy((uint8_t *)p->k->run + p->k->run->io.data_offset, &none,
	       sizeof(none));
	if (step(p) != KVM_EXIT_IO && !p->cut_off) {
		lacks(p, "CMPXCHG16B in ring 0");
		if (kvm_get_state(&p->cpu, &s))
			return;
		s.rip = BEHIND_CMPXCHG;
		if (kvm_set_state(&p->cpu, &s) || step(p) != KVM_EXIT_IO)
			return;
	}
	/* Some arrive there, but still in ring 3. */
	syscalls = step(p) == KVM_EXIT_IO && !kvm_get_state(&p->cpu, &s) &&
		s.seg[CPU_CS].selector == 0x8;
	if (p->cut_off)
		lacks(p, "time to try a system call");
	else if (!syscalls)
		lacks(p, "system calls from ring 3");
}

static void say(const struct probe *p, struct accel_report *report)
{
	char missing[512] = "";
	size_t len = 0;

	for (unsigned i = 0; i < p->n_missing; i++)
		len += (size_t)snprintf(missing + len, sizeof(missing) - len,
					"%s%s", i ? ", " : "; it lacks ",
					p->missing[i]);
	report->mips = p->mips;
	if (report->quality == ACCEL_USABLE)
		fail(&report->text, 0, "guests run on the CPU itself, at %.0f "
		     "million instructions a second%s", p->mips, missing);
	else
		fail(&report->text, 0, "this host's KVM does not run guests on "
		     "the CPU itself: %.2g million instructions a second in "
		     "ring 0%s", p->mips, missing);
}

static void judge(struct probe *p, struct accel_report *report)
{
	unsigned essential;

	measure_ring0(p);
	if (!p->n_missing)
		try_instructions(p);
	essential = p->n_missing;
	check_optional(p);
	report->quality = !essential && p->mips >= USABLE_MIPS ?
		ACCEL_USABLE : ACCEL_EMULATED;
	say(p, report);
}

static void clean_up(struct probe *p, const sigset_t *kick, bool unblock)
{
	if (p->has_timer)
		timer_delete(p->timer);
	kvm_swallow_kick();
	if (unblock)
		pthread_sigmask(SIG_UNBLOCK, kick, NULL);
	kvm_vcpu_fini(&p->cpu);
	accel_kvm.vm_fini(&p->vm);
	if (p->vm.mem.base)
		munmap(p->vm.mem.base, GUEST_LEN);
}

void kvm_probe(struct accel_report *report)
{
	struct probe *p = calloc(1, sizeof(*p));
	sigset_t kick, before;
	int rc;

	*report = (struct accel_report){ .quality = ACCEL_ABSENT };
	if (!p) {
		fail(&report->text, ENOMEM, "out of memory");
		return;
	}
	sigemptyset(&kick);
	sigaddset(&kick, kvm_kick_signal());
	pthread_sigmask(SIG_BLOCK, &kick, &before);
	rc = make_machine(p, &report->text);
	if (!rc)
		rc = start_timer(p, &report->text);
	if (!rc)
		judge(p, report);
	clean_up(p, &kick, !sigismember(&before, kvm_kick_signal()));
	free(p);
}
