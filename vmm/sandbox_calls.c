/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox_calls.c - which system calls the sandbox allows, and why, as a program
 * for seccomp (Linux, Documentation/userspace-api/seccomp_filter.rst).
 *
 * The program loads the call's number and compares it with one rule after the
 * other, the frequent ones first.  Each rule is a block that ends in a verdict:
 *
 *	jump over the block unless the number is the rule's
 *	load an argument, compare, ...
 *	return the verdict
 *
 * Arguments are pairs of 32-bit words.  The kernel itself takes 32 bits of those
 * that are compared here but for pointers, of which both words are.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/sandbox.h"

#define X32_BIT 0x40000000u

/* What a call must be like to be allowed. */
enum check {
	ANY,
	IOCTL,		/* argument 1 is in a list below */
	FCNTL, PRCTL,	/* argument 1, argument 0 */
	NOT_EXEC,	/* argument 2 has no PROT_EXEC */
	A_THREAD,	/* argument 0: clone's flags */
	OURSELVES,	/* argument 0 is this process */
	NO_ADDRESS,	/* argument 4 is NULL */
	NO_PATH,	/* argument 3 has AT_EMPTY_PATH */
	NO_STATX_PATH,	/* argument 2 has */
	/* And calls that are not allowed, but that their callers can miss. */
	DENY, NOT_THERE,
};

struct rule {
	unsigned call;
	enum check check;
};

static const struct rule rules[] = {
	/* The machine at work. */
	{ SYS_ioctl, IOCTL },		/* KVM_RUN, above all */
	{ SYS_futex, ANY },		/* locks and conditions */
	{ SYS_read, ANY },		/* eventfds, timers, serial ports */
	{ SYS_write, ANY },		/* the same, and messages */
	{ SYS_epoll_wait, ANY },	/* the loop */
	{ SYS_epoll_pwait, ANY },	/* the same in other C libraries */
	{ SYS_epoll_ctl, ANY },		/* what it waits for */
	{ SYS_eventfd2, ANY },		/* doorbells of devices */
	{ SYS_signalfd4, ANY },		/* Ctrl-C */
	{ SYS_timerfd_settime, ANY },	/* the guest's next timer */
	{ SYS_poll, ANY },		/* serial ports, control, the end */
	{ SYS_ppoll, ANY },
	{ SYS_tgkill, OURSELVES },	/* take a vCPU out of KVM_RUN */
	{ SYS_rt_sigtimedwait, ANY },	/* forget that signal afterwards */
	{ SYS_clock_gettime, ANY },	/* where the vDSO cannot */
	{ SYS_gettimeofday, ANY },
	{ SYS_clock_nanosleep, ANY },	/* short waits */
	{ SYS_nanosleep, ANY },
	{ SYS_getrandom, ANY },		/* virtio-rng; names of images */
	{ SYS_sched_yield, ANY },	/* who waits for another thread */

	/* Disks, all by descriptor. */
	{ SYS_pread64, ANY }, { SYS_pwrite64, ANY },
	{ SYS_preadv, ANY }, { SYS_pwritev, ANY },
	{ SYS_readv, ANY }, { SYS_writev, ANY },
	{ SYS_fdatasync, ANY }, { SYS_fsync, ANY },
	{ SYS_fallocate, ANY },		/* discard, zero; the balloon */
	{ SYS_ftruncate, ANY },		/* images that grow */
	{ SYS_lseek, ANY },		/* their holes */
	{ SYS_fstat, ANY },		/* their length; memory in use */
	{ SYS_newfstatat, NO_PATH },	/* the C library's fstat() */
	{ SYS_statx, NO_STATX_PATH },	/* alignment */
	{ SYS_fcntl, FCNTL },		/* locks; flags of descriptors */
	{ SYS_flock, ANY },
	{ SYS_close, ANY },

	/* Clients of serial ports and of the control socket. */
	{ SYS_accept4, ANY },
	{ SYS_recvfrom, ANY },
	{ SYS_sendto, NO_ADDRESS },
	{ SYS_shutdown, ANY },

	/* Memory: nothing of it becomes code. */
	{ SYS_mmap, NOT_EXEC },		/* malloc(), stacks, struct kvm_run */
	{ SYS_mprotect, NOT_EXEC },	/* a stack's guard page */
	{ SYS_munmap, ANY },
	{ SYS_mremap, ANY },		/* realloc() */
	{ SYS_madvise, ANY },		/* stacks and heaps that are done with */
	{ SYS_brk, ANY },		/* malloc() */

	/* Threads. */
	{ SYS_clone, A_THREAD },
	{ SYS_clone3, NOT_THERE },	/* its flags cannot be seen: use clone */
	{ SYS_set_robust_list, ANY },	/* how a thread begins */
	{ SYS_rseq, ANY },
	{ SYS_prctl, PRCTL },		/* its name */
	{ SYS_sched_getaffinity, ANY },	/* how many heaps are worth it */
	{ SYS_gettid, ANY }, { SYS_getpid, ANY }, { SYS_getppid, ANY },
	{ SYS_getpgrp, ANY },		/* is the terminal ours */
	{ SYS_membarrier, ANY },	/* code caches, C libraries */
	{ SYS_exit, ANY },
	{ SYS_exit_group, ANY },
	{ SYS_wait4, ANY },		/* the process that removes sockets */

	/* Signals. */
	{ SYS_rt_sigprocmask, ANY },
	{ SYS_rt_sigaction, ANY },
	{ SYS_rt_sigreturn, ANY },
	{ SYS_sigaltstack, ANY },
	{ SYS_restart_syscall, ANY },	/* the kernel, after SIGSTOP */

	/* Asked by libraries that can live with a no. */
	{ SYS_open, DENY }, { SYS_openat, DENY },	/* tables of /proc, */
	{ SYS_readlink, DENY }, { SYS_readlinkat, DENY }, /* /sys, locales */
	{ SYS_access, DENY }, { SYS_faccessat, DENY },
	{ SYS_stat, DENY }, { SYS_lstat, DENY },
	{ SYS_sysinfo, DENY },		/* qsort() */
};

static const uint32_t ioctls[] = {
	TCGETS, TCSETS, TCSETSW,	/* is it a terminal; raw, and back */
	TIOCGPGRP,			/* is it ours */
	BLKZEROOUT, BLKDISCARD,		/* disks on block devices */
	BLKGETSIZE64, BLKSSZGET,
};

static const uint32_t kvm_ioctls[] = {
	KVM_RUN,
	KVM_INTERRUPT, KVM_SIGNAL_MSI,	/* interrupts */
	KVM_SET_GSI_ROUTING, KVM_IOEVENTFD,
	KVM_SET_USER_MEMORY_REGION,	/* PAM */
	KVM_GET_DIRTY_LOG,
	KVM_GET_CLOCK, KVM_SET_CLOCK,	/* pause */
	KVM_GET_DEVICE_ATTR, KVM_SET_DEVICE_ATTR, KVM_HAS_DEVICE_ATTR,
	KVM_CHECK_EXTENSION,		/* vCPUs begin when the machine runs */
	KVM_CREATE_VCPU,
	KVM_SET_SIGNAL_MASK, KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2,
	KVM_GET_MSR_INDEX_LIST, KVM_GET_VCPU_MMAP_SIZE,
	KVM_GET_REGS, KVM_SET_REGS,	/* and their state is set and read */
	KVM_GET_SREGS, KVM_SET_SREGS,
	KVM_GET_MSRS, KVM_SET_MSRS,
	KVM_GET_LAPIC, KVM_SET_LAPIC,
	KVM_GET_XSAVE, KVM_SET_XSAVE, KVM_GET_XCRS, KVM_SET_XCRS,
	KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
	KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
	KVM_GET_MP_STATE, KVM_SET_MP_STATE,
	KVM_SET_GUEST_DEBUG, KVM_TRANSLATE,
};

static const uint32_t fcntls[] = {
	F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC,
	F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW,
};

/* The last: an allocator names its mappings. */
static const uint32_t prctls[] = { PR_SET_NAME, PR_GET_NAME, 0x53564d41 };

struct program {
	struct sock_filter *code;
	unsigned n, max;
};

static void emit(struct program *p, struct sock_filter code)
{
	if (p->n < p->max)
		p->code[p->n] = code;
	p->n++;
}

#define LOAD(p, what)							\
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,	\
		(uint32_t)(what)))
#define JUMP(p, how, k, yes, no)					\
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | (how) | BPF_K,	\
		(uint32_t)(k), (uint8_t)(yes), (uint8_t)(no)))

static void verdict(struct program *p, uint32_t what)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* The low word of an argument; x86 is little endian. */
static void load_arg(struct program *p, unsigned i)
{
	LOAD(p, offsetof(struct seccomp_data, args) + 8 * i);
}

static void allow_one_of(struct program *p, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		JUMP(p, BPF_JEQ, list[i], 0, 1);
		verdict(p, SECCOMP_RET_ALLOW);
	}
	verdict(p, SECCOMP_RET_TRAP);
}
#define ALLOW_ONE_OF(p, list)						\
	allow_one_of(p, list, sizeof(list) / sizeof((list)[0]))

/* Allow if the word has (or has not) one of these bits. */
static void allow_bits(struct program *p, uint32_t bits, bool set)
{
	JUMP(p, BPF_JSET, bits, set ? 0 : 1, set ? 1 : 0);
	verdict(p, SECCOMP_RET_ALLOW);
	verdict(p, SECCOMP_RET_TRAP);
}

/* A thread shares everything with us and starts no name space. */
static void allow_thread(struct program *p)
{
	const uint32_t shared = CLONE_VM | CLONE_FS | CLONE_FILES |
				CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
	const uint32_t with = CLONE_SETTLS | CLONE_PARENT_SETTID |
			      CLONE_CHILD_CLEARTID | CLONE_DETACHED;

	emit(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K,
					     ~with));
	JUMP(p, BPF_JEQ, shared, 0, 1);
	verdict(p, SECCOMP_RET_ALLOW);
	verdict(p, SECCOMP_RET_TRAP);
}

static void allow_null(struct program *p)
{
	JUMP(p, BPF_JEQ, 0, 0, 3);
	LOAD(p, offsetof(struct seccomp_data, args) + 8 * 4 + 4);
	JUMP(p, BPF_JEQ, 0, 0, 1);
	verdict(p, SECCOMP_RET_ALLOW);
	verdict(p, SECCOMP_RET_TRAP);
}

static void ioctl_rule(struct program *p, bool kvm)
{
	if (kvm)
		for (size_t i = 0; i < sizeof(kvm_ioctls) / 4; i++) {
			JUMP(p, BPF_JEQ, kvm_ioctls[i], 0, 1);
			verdict(p, SECCOMP_RET_ALLOW);
		}
	ALLOW_ONE_OF(p, ioctls);
}

static void judge(struct program *p, enum check check, bool kvm)
{
	static const unsigned char arg[] = {
		[IOCTL] = 1, [FCNTL] = 1, [PRCTL] = 0, [NOT_EXEC] = 2,
		[A_THREAD] = 0, [OURSELVES] = 0, [NO_ADDRESS] = 4,
		[NO_PATH] = 3, [NO_STATX_PATH] = 2,
	};

	if (check == ANY) {
		verdict(p, SECCOMP_RET_ALLOW);
		return;
	}
	if (check == DENY || check == NOT_THERE) {
		verdict(p, SECCOMP_RET_ERRNO |
			(check == DENY ? EACCES : ENOSYS));
		return;
	}
	load_arg(p, arg[check]);
	switch (check) {
	case IOCTL:
		ioctl_rule(p, kvm);
		break;
	case FCNTL:
		ALLOW_ONE_OF(p, fcntls);
		break;
	case PRCTL:
		ALLOW_ONE_OF(p, prctls);
		break;
	case NOT_EXEC:
		allow_bits(p, PROT_EXEC, false);
		break;
	case A_THREAD:
		allow_thread(p);
		break;
	case OURSELVES:
		allow_one_of(p, (const uint32_t[]){ (uint32_t)getpid() }, 1);
		break;
	case NO_ADDRESS:
		allow_null(p);
		break;
	default:
		allow_bits(p, AT_EMPTY_PATH, true);
	}
}

unsigned sandbox_filter(bool kvm, struct sock_filter *out, unsigned max)
{
	struct program p = { out, 0, max };

	/* Numbers mean something else in other instruction sets. */
	LOAD(&p, offsetof(struct seccomp_data, arch));
	JUMP(&p, BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	verdict(&p, SECCOMP_RET_KILL_PROCESS);
	LOAD(&p, offsetof(struct seccomp_data, nr));
	JUMP(&p, BPF_JGE, X32_BIT, 0, 1);
	verdict(&p, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		unsigned at = p.n;

		JUMP(&p, BPF_JEQ, rules[i].call, 0, 0);
		judge(&p, rules[i].check, kvm);
		if (at < max)
			p.code[at].jf = (uint8_t)(p.n - at - 1);
	}
	verdict(&p, SECCOMP_RET_TRAP);
	return p.n;
}
