/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm.h - what the files of the KVM accelerator share (Linux,
 * Documentation/virt/kvm/api.rst).
 *
 * PIC, IOAPIC and PIT are ours, the LAPICs are KVM's ("split irqchip").
 */
#ifndef ACCEL_KVM_H
#define ACCEL_KVM_H

#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "vmm/cpuid.h"
#include "vmm/vm.h"

#define KVM_PINS	24u	/* of the IOAPIC */

/* What KVM knows of a memory slot. */
struct kvm_map {
	uint64_t gpa, len, host;	/* len 0: not mapped */
	uint32_t flags;			/* KVM_MEM_* */
};

/* The message that an IOAPIC pin sends, if it is level-triggered. */
struct kvm_pin {
	bool on;
	uint32_t addr, data;
};

struct kvm_vm {
	int dev, fd;
	size_t run_len;			/* of a vCPU's struct kvm_run */
	pthread_mutex_t maps_lock;	/* innermost; around these: */
	struct kvm_map maps[MEM_MAX_SLOTS];
	uint64_t *log;			/* room for KVM's log of any map */
	_Atomic bool logging;
	_Atomic uint64_t *dirty;	/* pages of the block; any thread */

	uint64_t paused_tsc;		/* the host's; 0: not paused */
	struct kvm_clock_data paused_clock;
	struct kvm_pin pins[KVM_PINS];	/* interrupt lock */
	_Atomic bool ext_int;		/* the 8259 pair asks */
	struct cpuid_table supported;
	struct kvm_msr_list *msr_list;
	uint32_t debug_flags;		/* KVM_GUESTDBG_* there are */
};

struct assist;

struct kvm_vcpu {
	int fd;
	struct kvm_run *run;
	_Atomic bool kicked;		/* run() shall return */
	_Atomic bool inside;		/* in KVM_RUN, or about to be */
	_Atomic pid_t tid;		/* who runs it */
	bool unfinished;		/* KVM_RUN must complete an access */
	bool debugged;			/* KVM_SET_GUEST_DEBUG was told of it */

	/* The state that KVM gave it, to which a reset leads back. */
	uint32_t signature;		/* CPUID 1, EAX */
	struct kvm_lapic_state lapic0;
	struct kvm_msrs *msrs0;

	struct assist *assist;		/* made when it is needed first */
};

static inline struct kvm_vm *kvm_of(const struct vm *vm)
{
	return vm->accel_state;
}

static inline struct kvm_vcpu *kvm_cpu_of(const struct vcpu *cpu)
{
	return cpu->accel_state;
}

/* ioctl(2) that returns its result or -errno. */
int kvm_ioctl(int fd, unsigned long request, void *arg);

/* Does it have this KVM_CAP_*?  Its value; 0: no. */
int kvm_cap(int dev, unsigned cap);

/* /dev/kvm, and whether it can do all that we need; each thing that is missing is
 * in the sentence.
 */
int kvm_open(int *dev, struct err *e);
/* A virtual machine with split interrupt chips. */
int kvm_create_vm(int dev, int *fd, struct err *e);

/* The signal that takes a thread out of KVM_RUN.  It stays blocked otherwise, and
 * nobody handles it, so that the program's own handlers are left alone.
 */
int kvm_kick_signal(void);
/* Let that signal interrupt KVM_RUN of this vCPU, and otherwise be blocked in the
 * calling thread, which is going to run it.  Other signals stay as they are.
 */
int kvm_allow_kick(int vcpu_fd);
/* Forget such signals that are pending at this thread. */
void kvm_swallow_kick(void);
/* Leave KVM_RUN and look what there is to do; run() goes on unless kicked. */
void kvm_poke(struct kvm_vcpu *k);

/* kvm_cpuid.c */

/* What KVM can show. */
int kvm_get_supported(int dev, struct cpuid_table *out);
/* Give a new vCPU what the machine's CPU model shows. */
int kvm_set_cpuid(struct vcpu *cpu, struct err *e);

/* kvm_mem.c */
int kvm_mem_changed(struct vm *vm);
void kvm_mem_wrote(struct vm *vm, uint64_t offset, uint64_t len);
int kvm_log_dirty(struct vm *vm, bool on);
int kvm_take_dirty(struct vm *vm, uint64_t *bitmap, size_t words);

/* kvm_clock.c */
void kvm_pause(struct vm *vm);
void kvm_resume(struct vm *vm);

/* kvm_probe.c */
void kvm_probe(struct accel_report *report);

/* kvm_vcpu.c */
int kvm_vcpu_init(struct vcpu *cpu, struct err *e);
void kvm_vcpu_fini(struct vcpu *cpu);
int kvm_run_vcpu(struct vcpu *cpu, enum vcpu_exit *why, struct err *e);
void kvm_kick(struct vcpu *cpu);

/* kvm_assist.c */

/* KVM cannot emulate an instruction: let the software CPU execute it.  An enum
 * assist_end, or negative errno and a sentence.
 */
int kvm_assist(struct vcpu *cpu, struct err *e);

/* kvm_debug.c */

/* Before KVM_RUN: tell KVM what the debugger wants. */
int kvm_set_debug(struct vcpu *cpu);
/* KVM_EXIT_DEBUG: say in cpu->debug what it was. */
void kvm_note_debug(struct vcpu *cpu);
/* Can KVM not execute an instruction because it is the debugger's INT3?  Then the
 * same as for KVM_EXIT_DEBUG.
 */
bool kvm_failed_at_int3(struct vcpu *cpu);

/* kvm_state.c */
int kvm_vcpu_reset(struct vcpu *cpu);
int kvm_get_state(struct vcpu *cpu, struct cpu_state *s);
int kvm_set_state(struct vcpu *cpu, const struct cpu_state *s);
/* The same for what differs from `old`, which is what it has; never the TSC.  Not
 * for changes by others: KVM's LAPIC is left alone.
 */
int kvm_change_state(struct vcpu *cpu, const struct cpu_state *old,
		     const struct cpu_state *s);
/* Keep the state of a new vCPU for kvm_vcpu_reset(). */
int kvm_keep_initial(struct vcpu *cpu, struct err *e);

/* kvm_irq.c */
void kvm_msi(struct vm *vm, uint64_t addr, uint32_t data);
void kvm_ext_int(struct vm *vm, bool level);
void kvm_route(struct vm *vm, unsigned pin, bool masked, uint64_t addr,
	       uint32_t data);
int kvm_doorbell(struct vm *vm, bool pio, uint64_t addr, unsigned len,
		 int eventfd, bool on);
/* Before entering the guest on vCPU 0: hand over what the 8259 pair has, or ask
 * to be told when the guest takes interrupts.
 */
int kvm_inject_ext_int(struct vcpu *cpu);

#endif
