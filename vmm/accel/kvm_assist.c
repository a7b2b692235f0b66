/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_assist.c - an instruction that KVM cannot emulate (Linux, api.rst, 5,
 * KVM_EXIT_INTERNAL_ERROR; 7.31, KVM_CAP_EXIT_ON_EMULATION_FAILURE): the software
 * CPU executes it on the vCPU's state, and KVM goes on.
 *
 * Such an instruction works on device memory in a way that KVM does not know; or
 * this KVM has no CPU below it and emulates all of the guest's kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/accel/kvm.h"
#include "vmm/accel/soft/assist.h"

#define EXC_UD		6u
#define ADDRESS_SIZES	0x80000008u

/* The instruction's bytes in hexadecimal: KVM's, or those in memory. */
static void hex_instruction(struct vcpu *cpu, const struct cpu_state *s,
			    char *out, size_t len)
{
	struct kvm_run *run = kvm_cpu_of(cpu)->run;
	struct kvm_translation t = {
		.linear_address = s->seg[CPU_CS].base + s->rip };
	uint8_t bytes[15];
	size_t n = 0, used = 0;

	if (run->emulation_failure.ndata >= 3 &&
	    (run->emulation_failure.flags &
	     KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
		n = run->emulation_failure.insn_size;
		n = n < sizeof(bytes) ? n : sizeof(bytes);
		memcpy(bytes, run->emulation_failure.insn_bytes, n);
	} else if (!kvm_ioctl(kvm_cpu_of(cpu)->fd, KVM_TRANSLATE, &t) &&
		   t.valid && !mem_read(cpu->vm, t.physical_address, bytes, 8)) {
		n = 8;
	}
	snprintf(out, len, "%s", n ? "" : "not known");
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(out + used, len - used, "%s%02x",
					 i ? " " : "", bytes[i]);
}

static int cannot(struct vcpu *cpu, const struct cpu_state *s, struct err *e)
{
	char bytes[64];

	hex_instruction(cpu, s, bytes, sizeof(bytes));
	return fail(e, EOPNOTSUPP, "neither this host's KVM nor the software "
		    "CPU can execute an instruction of CPU %u at 0x%x:0x%llx "
		    "(bytes %s)", cpu->index, s->seg[CPU_CS].selector,
		    (unsigned long long)s->rip, bytes);
}

static int make_assist(struct vcpu *cpu, struct err *e)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);
	uint32_t reg[4];
	int rc;

	if (k->assist)
		return 0;
	cpuid_lookup(&kvm_of(cpu->vm)->supported, ADDRESS_SIZES, 0, reg);
	rc = assist_new(cpu, reg[CPUID_EAX] & 0xff, &k->assist);
	return rc ? fail_rc(e, rc, "the software CPU, to help KVM") : 0;
}

/* Only what needs it is written: NMIs may come in meanwhile.  KVM raised #UD when
 * it gave up.
 */
static int put_events(int fd, struct kvm_vcpu_events *events,
		      const struct assist_extra *extra)
{
	events->flags = KVM_VCPUEVENT_VALID_SHADOW;
	events->interrupt.shadow = extra->shadow ?
		KVM_X86_SHADOW_INT_STI | KVM_X86_SHADOW_INT_MOV_SS : 0;
	events->nmi.masked = extra->nmi_masked;
	if (events->exception.nr == EXC_UD)
		events->exception.injected = events->exception.pending = 0;
	return kvm_ioctl(fd, KVM_SET_VCPU_EVENTS, events);
}

static int state_failed(struct vcpu *cpu, int rc, struct err *e)
{
	return fail_rc(e, rc, "KVM: the state of CPU %u", cpu->index);
}

int kvm_assist(struct vcpu *cpu, struct err *e)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);
	struct kvm_vcpu_events events;
	struct assist_extra extra;
	struct cpu_state before, s;
	enum assist_end end;
	int rc;

	rc = make_assist(cpu, e);
	if (rc)
		return rc;
	rc = kvm_get_state(cpu, &s);
	if (!rc)
		rc = kvm_ioctl(k->fd, KVM_GET_VCPU_EVENTS, &events);
	if (rc)
		return state_failed(cpu, rc, e);
	extra.shadow = events.interrupt.shadow;
	extra.nmi_masked = events.nmi.masked;
	assist_load(k->assist, &s, &extra);
	before = s;
	end = assist_step(k->assist);
	if (end == ASSIST_CANNOT)
		return cannot(cpu, &before, e);
	assist_done(k->assist, &s, &extra);
	rc = put_events(k->fd, &events, &extra);
	if (!rc)
		rc = kvm_change_state(cpu, &before, &s);
	return rc ? state_failed(cpu, rc, e) : (int)end;
}
