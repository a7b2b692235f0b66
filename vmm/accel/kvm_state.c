/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_state.c - the state of a vCPU in KVM's forms (Linux, api.rst 4.11 to 4.14,
 * 4.18, 4.31, 4.38, 4.42; Intel SDM volume 4 for MSRs).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/accel/kvm.h"

#define FXSAVE_LEN	512u
#define XSTATE_BV	512u		/* offset of the header's first field */
#define XSTATE_X87_SSE	3u
#define BOOT_CPU	0x100u		/* in IA32_APIC_BASE */

#define MSR_TSC		0x010u

/* Fields of struct cpu_state that are MSRs. */
#define MSR(n, field) { n, offsetof(struct cpu_state, field) }
static const struct { uint32_t index; size_t field; } state_msrs[] = {
	MSR(MSR_TSC, tsc),
	MSR(0x174, sysenter_cs), MSR(0x175, sysenter_esp),
	MSR(0x176, sysenter_eip), MSR(0x277, pat),
	MSR(0xc0000081, star), MSR(0xc0000082, lstar), MSR(0xc0000083, cstar),
	MSR(0xc0000084, fmask), MSR(0xc0000102, kernel_gs_base),
	MSR(0xc0000103, tsc_aux),
};
#define N_STATE_MSRS (sizeof(state_msrs) / sizeof(state_msrs[0]))

union msrs {
	struct kvm_msrs list;
	uint8_t bytes[sizeof(struct kvm_msrs) +
		      N_STATE_MSRS * sizeof(struct kvm_msr_entry)];
};

static uint64_t *msr_field(struct cpu_state *s, size_t i)
{
	return (uint64_t *)((uint8_t *)s + state_msrs[i].field);
}

static void name_msrs(union msrs *m)
{
	memset(m, 0, sizeof(*m));
	m->list.nmsrs = N_STATE_MSRS;
	for (size_t i = 0; i < N_STATE_MSRS; i++)
		m->list.entries[i].index = state_msrs[i].index;
}

static int get_msrs(int fd, struct cpu_state *s)
{
	union msrs m;
	int n;

	name_msrs(&m);
	n = kvm_ioctl(fd, KVM_GET_MSRS, &m);
	if (n < 0)
		return n;
	/* A CPU without RDTSCP has no TSC_AUX, which is the last. */
	if ((size_t)n < N_STATE_MSRS - 1)
		return -EIO;
	for (size_t i = 0; i < (size_t)n; i++)
		*msr_field(s, i) = m.list.entries[i].data;
	return 0;
}

/* `tsc`: that too, which else goes on as it does. */
static int set_msrs(int fd, const struct cpu_state *s, bool tsc)
{
	struct cpu_state copy = *s;
	union msrs m;
	int n;

	name_msrs(&m);
	for (size_t i = 0; i < N_STATE_MSRS; i++)
		m.list.entries[i].data = *msr_field(&copy, i);
	if (!tsc)	/* the first one: the second in its place */
		m.list.entries[0] = m.list.entries[1];
	n = kvm_ioctl(fd, KVM_SET_MSRS, &m);
	if (n < 0)
		return n;
	if ((size_t)n == N_STATE_MSRS ||
	    ((size_t)n == N_STATE_MSRS - 1 && !s->tsc_aux))
		return 0;
	return -EIO;
}

static struct cpu_segment from_kvm(const struct kvm_segment *k)
{
	return (struct cpu_segment){
		.base = k->base, .limit = k->limit, .selector = k->selector,
		.attr = k->type | (uint32_t)k->s << 4 | (uint32_t)k->dpl << 5 |
			(uint32_t)k->present << 7 | (uint32_t)k->avl << 12 |
			(uint32_t)k->l << 13 | (uint32_t)k->db << 14 |
			(uint32_t)k->g << 15 |
			(k->unusable ? CPU_SEG_UNUSABLE : 0),
	};
}

static struct kvm_segment to_kvm(const struct cpu_segment *s)
{
	return (struct kvm_segment){
		.base = s->base, .limit = s->limit, .selector = s->selector,
		.type = s->attr & 0xf, .s = s->attr >> 4 & 1,
		.dpl = s->attr >> 5 & 3, .present = s->attr >> 7 & 1,
		.avl = s->attr >> 12 & 1, .l = s->attr >> 13 & 1,
		.db = s->attr >> 14 & 1, .g = s->attr >> 15 & 1,
		.unusable = !!(s->attr & CPU_SEG_UNUSABLE),
	};
}

/* KVM's segments by enum CPU_ES... */
static struct kvm_segment *kvm_seg(struct kvm_sregs *r, unsigned i)
{
	struct kvm_segment *const segs[CPU_N_SEG] = {
		[CPU_ES] = &r->es, [CPU_CS] = &r->cs, [CPU_SS] = &r->ss,
		[CPU_DS] = &r->ds, [CPU_FS] = &r->fs, [CPU_GS] = &r->gs,
	};

	return segs[i];
}

static int get_sregs(int fd, struct cpu_state *s)
{
	struct kvm_sregs r;
	int rc = kvm_ioctl(fd, KVM_GET_SREGS, &r);

	if (rc)
		return rc;
	for (unsigned i = 0; i < CPU_N_SEG; i++)
		s->seg[i] = from_kvm(kvm_seg(&r, i));
	s->ldtr = from_kvm(&r.ldt);
	s->tr = from_kvm(&r.tr);
	s->gdtr.base = r.gdt.base;
	s->gdtr.limit = r.gdt.limit;
	s->idtr.base = r.idt.base;
	s->idtr.limit = r.idt.limit;
	s->cr0 = r.cr0;
	s->cr2 = r.cr2;
	s->cr3 = r.cr3;
	s->cr4 = r.cr4;
	s->cr8 = r.cr8;
	s->efer = r.efer;
	s->apic_base = r.apic_base;
	return 0;
}

static int set_sregs(struct kvm_vcpu *k, const struct cpu_state *s)
{
	struct kvm_sregs r = { .cr0 = s->cr0 };

	for (unsigned i = 0; i < CPU_N_SEG; i++)
		*kvm_seg(&r, i) = to_kvm(&s->seg[i]);
	r.ldt = to_kvm(&s->ldtr);
	r.tr = to_kvm(&s->tr);
	r.gdt.base = s->gdtr.base;
	r.gdt.limit = s->gdtr.limit;
	r.idt.base = s->idtr.base;
	r.idt.limit = s->idtr.limit;
	r.cr2 = s->cr2;
	r.cr3 = s->cr3;
	r.cr4 = s->cr4;
	r.cr8 = s->cr8;
	r.efer = s->efer;
	r.apic_base = s->apic_base;
	/* KVM_RUN takes these two from here again. */
	k->run->cr8 = s->cr8;
	k->run->apic_base = s->apic_base;
	return kvm_ioctl(k->fd, KVM_SET_SREGS, &r);
}

/* KVM's order of general registers is its own. */
static const uint8_t kvm_gpr[CPU_N_GPR] = {
	[CPU_RAX] = 0, [CPU_RBX] = 1, [CPU_RCX] = 2, [CPU_RDX] = 3,
	[CPU_RSI] = 4, [CPU_RDI] = 5, [CPU_RSP] = 6, [CPU_RBP] = 7,
	[8] = 8, [9] = 9, [10] = 10, [11] = 11, [12] = 12, [13] = 13,
	[14] = 14, [15] = 15,
};

union regs {
	struct kvm_regs kvm;
	uint64_t gpr[CPU_N_GPR];
};

static int get_regs(int fd, struct cpu_state *s)
{
	union regs r;
	int rc = kvm_ioctl(fd, KVM_GET_REGS, &r);

	if (rc)
		return rc;
	for (unsigned i = 0; i < CPU_N_GPR; i++)
		s->gpr[i] = r.gpr[kvm_gpr[i]];
	s->rip = r.kvm.rip;
	s->rflags = r.kvm.rflags;
	return 0;
}

static int set_regs(int fd, const struct cpu_state *s)
{
	union regs r = { .kvm = { .rip = s->rip, .rflags = s->rflags } };

	for (unsigned i = 0; i < CPU_N_GPR; i++)
		r.gpr[kvm_gpr[i]] = s->gpr[i];
	return kvm_ioctl(fd, KVM_SET_REGS, &r);
}

static int get_debug(int fd, struct cpu_state *s)
{
	struct kvm_debugregs r;
	int rc = kvm_ioctl(fd, KVM_GET_DEBUGREGS, &r);

	if (rc)
		return rc;
	memset(s->dr, 0, sizeof(s->dr));
	for (unsigned i = 0; i < 4; i++)
		s->dr[i] = r.db[i];
	s->dr[6] = r.dr6;
	s->dr[7] = r.dr7;
	return 0;
}

static int set_debug(int fd, const struct cpu_state *s)
{
	struct kvm_debugregs r = { .dr6 = s->dr[6], .dr7 = s->dr[7] };

	for (unsigned i = 0; i < 4; i++)
		r.db[i] = s->dr[i];
	return kvm_ioctl(fd, KVM_SET_DEBUGREGS, &r);
}

static int get_fpu(int fd, struct cpu_state *s)
{
	struct kvm_xsave x;
	int rc = kvm_ioctl(fd, KVM_GET_XSAVE, &x);

	if (!rc)
		memcpy(s->fxsave, x.region, FXSAVE_LEN);
	return rc;
}

/* `keep`: the registers beyond SSE stay as they are; else they are zero. */
static int set_fpu(int fd, const struct cpu_state *s, bool keep)
{
	struct kvm_xsave x;
	uint8_t *bytes = (uint8_t *)x.region;
	int rc = 0;

	memset(&x, 0, sizeof(x));
	if (keep)
		rc = kvm_ioctl(fd, KVM_GET_XSAVE, &x);
	if (rc)
		return rc;
	memcpy(bytes, s->fxsave, FXSAVE_LEN);
	put_le64(bytes + XSTATE_BV, get_le64(bytes + XSTATE_BV) |
		 XSTATE_X87_SSE);
	return kvm_ioctl(fd, KVM_SET_XSAVE, &x);
}

int kvm_get_state(struct vcpu *cpu, struct cpu_state *s)
{
	int fd = kvm_cpu_of(cpu)->fd;
	int rc = get_regs(fd, s);

	if (!rc)
		rc = get_sregs(fd, s);
	if (!rc)
		rc = get_debug(fd, s);
	if (!rc)
		rc = get_msrs(fd, s);
	if (!rc)
		rc = get_fpu(fd, s);
	return rc;
}

/* Modes first: they say which values the others may have. */
static int set_state(struct kvm_vcpu *k, const struct cpu_state *s,
		     bool keep_vectors)
{
	int rc = set_sregs(k, s);

	/* KVM's last word on this was about another state. */
	k->run->ready_for_interrupt_injection = 0;
	if (!rc)
		rc = set_regs(k->fd, s);
	if (!rc)
		rc = set_debug(k->fd, s);
	if (!rc)
		rc = set_msrs(k->fd, s, true);
	if (!rc)
		rc = set_fpu(k->fd, s, keep_vectors);
	return rc;
}

int kvm_set_state(struct vcpu *cpu, const struct cpu_state *s)
{
	return set_state(kvm_cpu_of(cpu), s, true);
}

/* Do the bytes of [from, to) differ?  Holes do not matter: at worst they tell of
 * a change that is none.
 */
#define DIFFERS(from, to) \
	memcmp((const uint8_t *)old + offsetof(struct cpu_state, from), \
	       (const uint8_t *)s + offsetof(struct cpu_state, from), \
	       offsetof(struct cpu_state, to) - \
	       offsetof(struct cpu_state, from))

int kvm_change_state(struct vcpu *cpu, const struct cpu_state *old,
		     const struct cpu_state *s)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);
	int rc = 0;

	k->run->ready_for_interrupt_injection = 0;
	if (DIFFERS(seg, dr))
		rc = set_sregs(k, s);
	if (!rc && DIFFERS(gpr, seg))
		rc = set_regs(k->fd, s);
	if (!rc && DIFFERS(dr, apic_base))
		rc = set_debug(k->fd, s);
	if (!rc && (DIFFERS(star, tsc) || DIFFERS(tsc_aux, fxsave)))
		rc = set_msrs(k->fd, s, false);
	if (!rc && memcmp(old->fxsave, s->fxsave, sizeof(s->fxsave)))
		rc = set_fpu(k->fd, s, true);
	return rc;
}

union one_msr {
	struct kvm_msrs list;
	uint8_t bytes[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
};

/* Those that KVM has and does not list: the MTRRs. */
static const uint32_t unlisted[] = {
	0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209,
	0x20a, 0x20b, 0x20c, 0x20d, 0x20e, 0x20f, 0x250, 0x258, 0x259, 0x268,
	0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f, 0x2ff,
};
#define N_UNLISTED (sizeof(unlisted) / sizeof(unlisted[0]))

/* One at a time: KVM lists MSRs that this CPU does not have. */
static void keep_msr(struct kvm_vcpu *k, uint32_t index)
{
	union one_msr m = { .list.nmsrs = 1 };

	m.list.entries[0].index = index;
	if (index != MSR_TSC && kvm_ioctl(k->fd, KVM_GET_MSRS, &m) == 1)
		k->msrs0->entries[k->msrs0->nmsrs++] = m.list.entries[0];
}

int kvm_keep_initial(struct vcpu *cpu, struct err *e)
{
	const struct kvm_msr_list *all = kvm_of(cpu->vm)->msr_list;
	struct kvm_vcpu *k = kvm_cpu_of(cpu);
	int rc;

	k->msrs0 = calloc(1, sizeof(*k->msrs0) + (all->nmsrs + N_UNLISTED) *
			  sizeof(k->msrs0->entries[0]));
	if (!k->msrs0)
		return fail(e, ENOMEM, "out of memory");
	for (uint32_t i = 0; i < all->nmsrs; i++)
		keep_msr(k, all->indices[i]);
	for (size_t i = 0; i < N_UNLISTED; i++)
		keep_msr(k, unlisted[i]);
	rc = kvm_ioctl(k->fd, KVM_GET_LAPIC, &k->lapic0);
	if (rc)
		return fail_rc(e, rc, "KVM: reading the LAPIC of CPU %u",
			       cpu->index);
	return 0;
}

/* Some of what was read cannot be written; that never changes either. */
static void restore_msrs(const struct kvm_vcpu *k)
{
	for (uint32_t i = 0; i < k->msrs0->nmsrs; i++) {
		union one_msr m = { .list.nmsrs = 1 };

		m.list.entries[0] = k->msrs0->entries[i];
		kvm_ioctl(k->fd, KVM_SET_MSRS, &m);
	}
}

static int reset_xcr0(int fd)
{
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs = { { .value = 1 } } };
	int rc = kvm_ioctl(fd, KVM_SET_XCRS, &x);

	return rc == -EINVAL ? 0 : rc;	/* a CPU without XSAVE */
}

int kvm_vcpu_reset(struct vcpu *cpu)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);
	struct kvm_mp_state mp = { .mp_state = cpu->index ?
		KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE };
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
			KVM_VCPUEVENT_VALID_SHADOW };
	struct cpu_state s;
	int rc;

	/* The TSC begins anew: a resume must not set it back. */
	kvm_of(cpu->vm)->paused_tsc = 0;
	cpu_reset_state(&s);
	s.gpr[CPU_RDX] = k->signature;
	if (cpu->index)
		s.apic_base &= ~(uint64_t)BOOT_CPU;
	restore_msrs(k);
	rc = reset_xcr0(k->fd);
	if (!rc)
		rc = set_state(k, &s, false);
	if (!rc)
		rc = kvm_ioctl(k->fd, KVM_SET_LAPIC, &k->lapic0);
	if (!rc)
		rc = kvm_ioctl(k->fd, KVM_SET_VCPU_EVENTS, &events);
	if (!rc)
		rc = kvm_ioctl(k->fd, KVM_SET_MP_STATE, &mp);
	return rc;
}
