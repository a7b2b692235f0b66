/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_vcpu.c - run a vCPU, and answer why it came out (Linux, api.rst 4.10 and
 * 5, "The kvm_run structure").
 *
 * Kicks: the kick signal is blocked in the thread and open only inside KVM_RUN,
 * which it interrupts without being delivered to anybody; immediate_exit closes
 * the gap before KVM_RUN looks at signals.  Who kicks writes what he wants first,
 * then immediate_exit, then looks whether the vCPU is inside; who runs clears
 * immediate_exit first, then looks what is wanted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/accel/kvm.h"
#include "vmm/accel/soft/assist.h"

#define KERNEL_SIGSET_LEN 8u

int kvm_kick_signal(void)
{
	return SIGRTMIN + 1;
}

int kvm_allow_kick(int vcpu_fd)
{
	union {
		struct kvm_signal_mask mask;
		uint8_t bytes[sizeof(struct kvm_signal_mask) +
			      KERNEL_SIGSET_LEN];
	} u = { .mask.len = KERNEL_SIGSET_LEN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, kvm_kick_signal());
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	sigdelset(&set, kvm_kick_signal());
	memcpy(u.mask.sigset, &set, KERNEL_SIGSET_LEN);
	return kvm_ioctl(vcpu_fd, KVM_SET_SIGNAL_MASK, &u);
}

void kvm_poke(struct kvm_vcpu *k)
{
	*(volatile uint8_t *)&k->run->immediate_exit = 1;
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&k->inside))
		syscall(SYS_tgkill, getpid(), atomic_load(&k->tid),
			kvm_kick_signal());
}

void kvm_kick(struct vcpu *cpu)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);

	atomic_store(&k->kicked, true);
	kvm_poke(k);
}

void kvm_vcpu_fini(struct vcpu *cpu)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);

	if (!k)
		return;
	if (k->run)
		munmap(k->run, kvm_of(cpu->vm)->run_len);
	if (k->fd >= 0)
		close(k->fd);
	free(k->msrs0);
	assist_free(k->assist);
	free(k);
	cpu->accel_state = NULL;
}

static int set_up_vcpu(struct vcpu *cpu, struct kvm_vcpu *k)
{
	struct kvm_vm *vm = kvm_of(cpu->vm);
	int rc = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)cpu->apic_id);

	if (rc < 0)
		return -errno;
	k->fd = rc;
	k->run = mmap(NULL, vm->run_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      k->fd, 0);
	if (k->run == MAP_FAILED) {
		k->run = NULL;
		return -errno;
	}
	return 0;
}

int kvm_vcpu_init(struct vcpu *cpu, struct err *e)
{
	struct kvm_vcpu *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return fail(e, ENOMEM, "out of memory");
	k->fd = -1;
	cpu->accel_state = k;
	rc = set_up_vcpu(cpu, k);
	if (rc)
		fail_rc(e, rc, "KVM: making CPU %u", cpu->index);
	else
		rc = kvm_set_cpuid(cpu, e);
	if (!rc)
		rc = kvm_keep_initial(cpu, e);
	if (rc)
		kvm_vcpu_fini(cpu);
	return rc;
}

/* String instructions come as `count` accesses at once.  Nothing is coalesced: a
 * UART's data register must raise its interrupt now, and a guest that halts in
 * the kernel would not come out to have its last character printed.
 */
static void do_pio(struct vm *vm, struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned size = run->io.size;

	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		uint64_t value = 0;

		if (run->io.direction == KVM_EXIT_IO_OUT) {
			memcpy(&value, data, size);
			bus_write(vm, BUS_PIO, run->io.port, size, value);
		} else {
			value = bus_read(vm, BUS_PIO, run->io.port, size);
			memcpy(data, &value, size);
		}
	}
}

static void do_mmio(struct vm *vm, struct kvm_run *run)
{
	uint64_t value = 0;

	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, run->mmio.len);
		bus_write(vm, BUS_MMIO, run->mmio.phys_addr, run->mmio.len,
			  value);
	} else {
		value = bus_read(vm, BUS_MMIO, run->mmio.phys_addr,
				 run->mmio.len);
		memcpy(run->mmio.data, &value, sizeof(value));
	}
}

enum { GO_ON = 1 };	/* beside 0 (leave, *why is set) and negative errno */

static int leave(enum vcpu_exit *why, enum vcpu_exit what)
{
	*why = what;
	return 0;
}

static int internal_error(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	struct kvm_run *run = kvm_cpu_of(cpu)->run;
	int rc;

	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION)
		return fail(e, EIO, "KVM failed on CPU %u: internal error %u",
			    cpu->index, run->internal.suberror);
	if (kvm_failed_at_int3(cpu))
		return leave(why, VCPU_DEBUG);
	rc = kvm_assist(cpu, e);
	if (rc < 0)
		return rc;
	if (rc == ASSIST_SHUTDOWN)
		return leave(why, VCPU_SHUTDOWN);
	return rc == ASSIST_DEBUG ? leave(why, VCPU_DEBUG) : GO_ON;
}

static enum vm_exit exit_kind(uint32_t reason)
{
	switch (reason) {
	case KVM_EXIT_IO:
		return VM_EXIT_PIO;
	case KVM_EXIT_MMIO:
		return VM_EXIT_MMIO;
	case KVM_EXIT_IOAPIC_EOI:
		return VM_EXIT_EOI;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return VM_EXIT_WINDOW;
	case KVM_EXIT_INTERNAL_ERROR:
		return VM_EXIT_EMULATE;
	}
	return VM_EXIT_OTHER;
}

static int handle_exit(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);

	vcpu_count(cpu, exit_kind(k->run->exit_reason));
	switch (k->run->exit_reason) {
	case KVM_EXIT_IO:
		k->unfinished = true;
		do_pio(cpu->vm, k->run);
		return GO_ON;
	case KVM_EXIT_MMIO:
		k->unfinished = true;
		do_mmio(cpu->vm, k->run);
		return GO_ON;
	case KVM_EXIT_IOAPIC_EOI:
		irq_eoi(cpu->vm, k->run->eoi.vector);
		return GO_ON;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_INTR:
		return GO_ON;
	case KVM_EXIT_SHUTDOWN:
		return leave(why, VCPU_SHUTDOWN);
	case KVM_EXIT_DEBUG:
		kvm_note_debug(cpu);
		return leave(why, VCPU_DEBUG);
	case KVM_EXIT_INTERNAL_ERROR:
		return internal_error(cpu, why, e);
	case KVM_EXIT_FAIL_ENTRY:
		return fail(e, EIO, "KVM cannot enter the guest on CPU %u: "
			    "hardware reason %#llx", cpu->index,
			    (unsigned long long)k->run->fail_entry.
			    hardware_entry_failure_reason);
	}
	return fail(e, EIO, "KVM left the guest on CPU %u for an unknown reason, "
		    "%u", cpu->index, k->run->exit_reason);
}

/* What a kick finds: halted for good, or not.  NMIs go through; a CPU that waits
 * for INIT or SIPI needs another one.
 */
static enum vcpu_exit kicked_how(const struct kvm_vcpu *k)
{
	struct kvm_mp_state mp;
	struct kvm_vcpu_events events;

	if (kvm_ioctl(k->fd, KVM_GET_MP_STATE, &mp))
		return VCPU_KICKED;
	if (mp.mp_state == KVM_MP_STATE_UNINITIALIZED ||
	    mp.mp_state == KVM_MP_STATE_INIT_RECEIVED)
		return VCPU_DEAD;
	if (mp.mp_state != KVM_MP_STATE_HALTED || k->run->if_flag ||
	    kvm_ioctl(k->fd, KVM_GET_VCPU_EVENTS, &events) ||
	    events.nmi.pending || events.nmi.injected)
		return VCPU_KICKED;
	return VCPU_DEAD;
}

/* Which program was it that runs? */
static void look_at_program(struct vcpu *cpu, const struct kvm_vcpu *k)
{
	struct vm *vm = cpu->vm;
	struct kvm_translation t;
	struct kvm_regs r;
	const uint8_t *p;

	if (kvm_ioctl(k->fd, KVM_GET_REGS, &r))
		return;
	t = (struct kvm_translation){ .linear_address = r.rip };
	if (kvm_ioctl(k->fd, KVM_TRANSLATE, &t) || !t.valid)
		return;
	p = mem_ptr(vm, t.physical_address, 1, MEM_READ);
	if (p)
		watch_program(vm, &cpu->seen, (uint64_t)(p - vm->mem.base));
}

/* A watcher hears of the mode, as far as kicks find it. */
static void look(struct vcpu *cpu, const struct kvm_vcpu *k)
{
	struct kvm_sregs s;
	unsigned seen = 0;

	if (!cpu->vm->config.watch || kvm_ioctl(k->fd, KVM_GET_SREGS, &s))
		return;
	if (s.cr0 & CPU_CR0_PE)
		seen |= WATCH_PROTECTED;
	if (s.cr0 & CPU_CR0_PG)
		seen |= WATCH_PAGING | (s.cs.dpl == 3 ? WATCH_USER : 0);
	if (s.efer & CPU_EFER_LMA)
		seen |= WATCH_LONG;
	watch_mode(cpu->vm, &cpu->seen, seen);
	if (seen & WATCH_USER)
		look_at_program(cpu, k);
}

/* This thread runs it now. */
static int take_thread(struct kvm_vcpu *k)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	if (atomic_load(&k->tid) == tid)
		return 0;
	atomic_store(&k->tid, tid);
	return kvm_allow_kick(k->fd);
}

void kvm_swallow_kick(void)
{
	const struct timespec now = { .tv_sec = 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, kvm_kick_signal());
	while (sigtimedwait(&set, NULL, &now) >= 0)
		;
}

/* KVM_RUN once; 0, or -EINTR or -EAGAIN when there is no exit to handle. */
static int enter(struct kvm_vcpu *k)
{
	int rc;

	atomic_store(&k->inside, true);
	rc = kvm_ioctl(k->fd, KVM_RUN, NULL);
	atomic_store(&k->inside, false);
	k->unfinished = false;
	if (rc == -EINTR)
		kvm_swallow_kick();
	return rc;
}

int kvm_run_vcpu(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);
	bool stop = false;
	int rc;

	rc = take_thread(k);
	if (rc)
		return fail_rc(e, rc, "KVM: signals of CPU %u", cpu->index);
	rc = kvm_set_debug(cpu);
	if (rc)
		return fail_rc(e, rc, "KVM: debugging CPU %u", cpu->index);
	do {
		*(volatile uint8_t *)&k->run->immediate_exit = 0;
		atomic_thread_fence(memory_order_seq_cst);
		stop = atomic_exchange(&k->kicked, false) || stop;
		if (stop && !k->unfinished)
			look(cpu, k);
		if (stop && !k->unfinished)
			return leave(why, kicked_how(k));
		if (stop)
			k->run->immediate_exit = 1;
		else if (cpu->index == 0 && (rc = kvm_inject_ext_int(cpu)))
			return fail_rc(e, rc, "KVM: an interrupt of the 8259");
		rc = enter(k);
		if (rc == -EINTR)
			vcpu_count(cpu, VM_EXIT_KICK);
		if (rc == -EINTR || rc == -EAGAIN)
			rc = GO_ON;
		else if (rc)
			fail_rc(e, rc, "KVM: running CPU %u", cpu->index);
		else
			rc = handle_exit(cpu, why, e);
	} while (rc == GO_ON);
	return rc;
}
