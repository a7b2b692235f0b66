/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_debug.c - breakpoints and single step for a debugger (Linux, api.rst 4.87,
 * KVM_SET_GUEST_DEBUG, and KVM_EXIT_DEBUG).
 */
#include "vmm/accel/kvm.h"
#include "vmm/walk.h"

#define DR7_ENABLES	0xffu
#define INT3		0xccu

static uint32_t wanted(const struct vcpu_debug *d, uint32_t has)
{
	uint32_t control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;

	if (!d->on)
		return 0;
	/* An interrupt would be what is stepped into, for time has passed. */
	if (d->step)
		control |= KVM_GUESTDBG_SINGLESTEP |
			   (has & KVM_GUESTDBG_BLOCKIRQ);
	if (d->dr7 & DR7_ENABLES)
		control |= KVM_GUESTDBG_USE_HW_BP;
	return control;
}

int kvm_set_debug(struct vcpu *cpu)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);
	struct vcpu_debug *d = &cpu->debug;
	struct kvm_guest_debug debug = {
		.control = wanted(d, kvm_of(cpu->vm)->debug_flags) };

	if (!debug.control && !k->debugged && !d->inject)
		return 0;
	k->debugged = debug.control;
	for (unsigned i = 0; i < 4; i++)
		debug.arch.debugreg[i] = d->dr[i];
	debug.arch.debugreg[7] = d->dr7;
	if (d->inject) {
		debug.control |= KVM_GUESTDBG_ENABLE |
			(d->inject == DEBUG_INJECT_DB ?
			 KVM_GUESTDBG_INJECT_DB : KVM_GUESTDBG_INJECT_BP);
		d->inject = DEBUG_INJECT_NONE;
		k->debugged = true;
	}
	return kvm_ioctl(k->fd, KVM_SET_GUEST_DEBUG, &debug);
}

void kvm_note_debug(struct vcpu *cpu)
{
	const struct kvm_debug_exit_arch *arch =
		&kvm_cpu_of(cpu)->run->debug.arch;

	cpu->debug.exception = arch->exception;
	cpu->debug.dr6 = arch->dr6;
}

bool kvm_failed_at_int3(struct vcpu *cpu)
{
	struct kvm_run *run = kvm_cpu_of(cpu)->run;
	struct cpu_state s;
	uint64_t gpa, left;
	uint8_t byte;

	if (!cpu->debug.on ||
	    run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION ||
	    kvm_get_state(cpu, &s) ||
	    !walk(cpu->vm, &s, s.seg[CPU_CS].base + s.rip, &gpa, &left) ||
	    mem_read(cpu->vm, gpa, &byte, 1) || byte != INT3)
		return false;
	cpu->debug.exception = 3;
	cpu->debug.dr6 = 0;
	return true;
}
