/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys_msr.c - MSRs, and the instructions that read counters, CPUID and random
 * numbers: Intel SDM volume 2; volume 4; volume 3, 12.11 (MTRRs), 12.12 (PAT).
 */
#include "sys.h"
#include "sys_cr.h"

#include "vmm/chip/lapic.h"
#include "vmm/vm.h"

enum {
	MSR_TSC = 0x10, MSR_PLATFORM_ID = 0x17, MSR_APIC_BASE = 0x1b,
	MSR_FEATURE_CONTROL = 0x3a, MSR_UCODE_WRITE = 0x79,
	MSR_UCODE_REV = 0x8b, MSR_MTRRCAP = 0xfe, MSR_ARCH_CAP = 0x10a,
	MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
	MSR_MCG_CAP = 0x179, MSR_MCG_STATUS = 0x17a, MSR_PERF_STATUS = 0x198,
	MSR_PERF_CTL = 0x199, MSR_MISC_ENABLE = 0x1a0, MSR_DEBUGCTL = 0x1d9,
	MSR_MTRR_VAR = 0x200, MSR_MTRR_FIX64K = 0x250, MSR_MTRR_FIX16K = 0x258,
	MSR_MTRR_FIX4K = 0x268, MSR_PAT = 0x277, MSR_MTRR_DEF = 0x2ff,
	MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC = 0x800,
};

#define MSR_EFER	0xc0000080u
#define MSR_STAR	0xc0000081u
#define MSR_LSTAR	0xc0000082u
#define MSR_CSTAR	0xc0000083u
#define MSR_FMASK	0xc0000084u
#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_KERNEL_GS	0xc0000102u
#define MSR_TSC_AUX	0xc0000103u

#define MTRRCAP		0x508u		/* 8 variable ones, fixed ones, WC */
#define UCODE_REV	(1ull << 32)
#define MISC_FAST_STRINGS 0x1u
#define MISC_NO_BTS_PEBS 0x1800u
#define MISC_READ_ONLY	(MISC_NO_BTS_PEBS | 0x80u)
#define MISC_CPUID_LIMIT 0x400000u	/* basic leaves up to 3 alone */
#define MISC_XD_DISABLE	(1ull << 34)
#define FEATURE_LOCKED	1u

void msr_reset(struct cpu *cpu)
{
	memset(&cpu->msr, 0, sizeof(cpu->msr));
	cpu->msr.misc_enable = MISC_FAST_STRINGS | MISC_NO_BTS_PEBS;
}

/* A memory type that MTRRs know; PAT also has UC-. */
static bool is_type(unsigned t, bool pat)
{
	return t == 0 || t == 1 || t == 4 || t == 5 || t == 6 || (pat && t == 7);
}

static bool are_types(uint64_t v, bool pat)
{
	for (unsigned i = 0; i < 64; i += 8)
		if (!is_type(v >> i & 0xff, pat))
			return false;
	return true;
}

/* The MTRR's place, or NULL. */
static uint64_t *mtrr_at(struct cpu *cpu, uint32_t index)
{
	if (index >= MSR_MTRR_VAR && index < MSR_MTRR_VAR + 16)
		return &cpu->msr.mtrr_var[index - MSR_MTRR_VAR];
	if (index == MSR_MTRR_FIX64K)
		return &cpu->msr.mtrr_fixed[0];
	if (index == MSR_MTRR_FIX16K || index == MSR_MTRR_FIX16K + 1)
		return &cpu->msr.mtrr_fixed[1 + index - MSR_MTRR_FIX16K];
	if (index >= MSR_MTRR_FIX4K && index < MSR_MTRR_FIX4K + 8)
		return &cpu->msr.mtrr_fixed[3 + index - MSR_MTRR_FIX4K];
	return index == MSR_MTRR_DEF ? &cpu->msr.mtrr_def : NULL;
}

static bool mtrr_takes(const struct cpu *cpu, uint32_t index, uint64_t v)
{
	uint64_t above = ~((1ull << cpu->phys_bits) - 1);

	if (index == MSR_MTRR_DEF)
		return !(v & ~0xcffull) && is_type(v & 0xff, false);
	if (index >= MSR_MTRR_FIX64K)
		return are_types(v, false);
	if (index & 1)
		return !(v & (above | 0x7ff));
	return !(v & (above | 0xf00)) && is_type(v & 0xff, false);
}

/* Plain 64-bit ones that hold addresses. */
static uint64_t *address_at(struct cpu *cpu, uint32_t index)
{
	switch (index) {
	case MSR_SYSENTER_ESP: return &cpu->sysenter_esp;
	case MSR_SYSENTER_EIP: return &cpu->sysenter_eip;
	case MSR_LSTAR: return &cpu->lstar;
	case MSR_CSTAR: return &cpu->cstar;
	case MSR_FS_BASE: return &cpu->seg[CPU_FS].base;
	case MSR_GS_BASE: return &cpu->seg[CPU_GS].base;
	case MSR_KERNEL_GS: return &cpu->kernel_gs_base;
	default: return NULL;
	}
}

bool msr_read(struct cpu *cpu, uint32_t index, uint64_t *v)
{
	uint64_t *at = address_at(cpu, index);

	if (!at)
		at = mtrr_at(cpu, index);
	if (at) {
		*v = *at;
		return true;
	}
	if (index >> 8 == MSR_X2APIC >> 8)
		return cpu->lapic && lapic_msr_read(cpu->lapic, index, v);
	switch (index) {
	case MSR_TSC: *v = cpu_tsc(cpu); break;
	case MSR_APIC_BASE:
		*v = cpu->lapic ? lapic_base(cpu->lapic) : cpu->apic_base;
		break;
	case MSR_PLATFORM_ID: case MSR_MCG_CAP: case MSR_PERF_STATUS:
	case MSR_PERF_CTL:
		*v = 0;
		break;
	case MSR_FEATURE_CONTROL: *v = FEATURE_LOCKED; break;
	case MSR_UCODE_REV: *v = UCODE_REV; break;
	case MSR_MTRRCAP: *v = MTRRCAP; break;
	case MSR_ARCH_CAP:
		*v = CPUID_ARCH_CAPABILITIES_IMMUNE;
		return cpu_has(cpu, 7, CPUID_EDX, 29);
	case MSR_SYSENTER_CS: *v = cpu->sysenter_cs; break;
	case MSR_MCG_STATUS: *v = cpu->msr.mcg_status; break;
	case MSR_MISC_ENABLE: *v = cpu->msr.misc_enable; break;
	case MSR_DEBUGCTL: *v = 0; break;
	case MSR_PAT: *v = cpu->pat; break;
	case MSR_TSC_DEADLINE:
		*v = cpu->lapic ? lapic_deadline(cpu->lapic) : 0;
		return cpu_has(cpu, 1, CPUID_ECX, 24);
	case MSR_EFER: *v = cpu->efer; break;
	case MSR_STAR: *v = cpu->star; break;
	case MSR_FMASK: *v = cpu->fmask; break;
	case MSR_TSC_AUX:
		*v = cpu->tsc_aux;
		return cpu_has(cpu, 0x80000001, CPUID_EDX, 27);
	default: return false;
	}
	return true;
}

static bool efer_write(struct cpu *cpu, uint64_t v)
{
	uint64_t mask = CPU_EFER_SCE | CPU_EFER_LME | CPU_EFER_NX;
	uint64_t changed = (v ^ cpu->efer) & mask;

	if (cpu->msr.misc_enable & MISC_XD_DISABLE)
		mask &= ~(uint64_t)CPU_EFER_NX | (cpu->efer & CPU_EFER_NX);
	if (v & ~(mask | CPU_EFER_LMA) ||
	    (changed & CPU_EFER_LME && cpu->cr0 & CPU_CR0_PG))
		return false;
	cpu->efer = (v & mask) | (cpu->efer & CPU_EFER_LMA);
	if (changed & CPU_EFER_NX)
		mmu_flush_all(cpu);
	cpu_mode_changed(cpu);
	return true;
}

static bool deadline_write(struct cpu *cpu, uint64_t v)
{
	if (!cpu_has(cpu, 1, CPUID_ECX, 24))
		return false;
	if (cpu->lapic)
		lapic_set_deadline(cpu->lapic, v, cpu_tsc_when(cpu, v));
	return true;
}

bool msr_write(struct cpu *cpu, uint32_t index, uint64_t v)
{
	uint64_t *at = address_at(cpu, index);

	if (at) {
		if (canonical(v))
			*at = v;
		return canonical(v);
	}
	at = mtrr_at(cpu, index);
	if (at) {
		if (!mtrr_takes(cpu, index, v))
			return false;
		*at = v;
		return true;
	}
	if (index >> 8 == MSR_X2APIC >> 8)
		return cpu->lapic && lapic_msr_write(cpu->lapic, index, v);
	switch (index) {
	case MSR_TSC: cpu_set_tsc(cpu, v); return true;
	case MSR_APIC_BASE:
		cpu->apic_base = v;
		if (!cpu->lapic)
			return true;
		mmu_flush_all(cpu);
		return lapic_write_base(cpu->lapic, v);
	case MSR_UCODE_WRITE: case MSR_UCODE_REV: case MSR_PERF_CTL:
		return true;
	case MSR_SYSENTER_CS: cpu->sysenter_cs = (uint32_t)v; return true;
	case MSR_MCG_STATUS: cpu->msr.mcg_status = 0; return !v;
	case MSR_MISC_ENABLE:
		cpu->msr.misc_enable = (v & ~(uint64_t)MISC_READ_ONLY) |
			MISC_NO_BTS_PEBS;
		return true;
	case MSR_DEBUGCTL: return !v;
	case MSR_PAT:
		if (!are_types(v, true))
			return false;
		cpu->pat = v;
		return true;
	case MSR_TSC_DEADLINE: return deadline_write(cpu, v);
	case MSR_EFER: return efer_write(cpu, v);
	case MSR_STAR: cpu->star = v; return true;
	case MSR_FMASK: cpu->fmask = (uint32_t)v; return true;
	case MSR_TSC_AUX:
		if (v >> 32 || !cpu_has(cpu, 0x80000001, CPUID_EDX, 27))
			return false;
		cpu->tsc_aux = v;
		return true;
	default: return false;
	}
}

static void set_pair(struct cpu *cpu, uint64_t v)
{
	cpu->gpr[CPU_RAX] = (uint32_t)v;
	cpu->gpr[CPU_RDX] = v >> 32;
}

static enum done op_rdmsr(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = 0;

	if (!need_cpl0(cpu))
		return DONE_FAULT;
	cpu_sync(cpu, u);
	if (!msr_read(cpu, (uint32_t)cpu->gpr[CPU_RCX], &v))
		return raise_gp(cpu, 0);
	set_pair(cpu, v);
	return DONE;
}

static enum done op_wrmsr(struct cpu *cpu, const struct uop *u)
{
	uint64_t v = (cpu->gpr[CPU_RDX] << 32) |
		(uint32_t)cpu->gpr[CPU_RAX];

	if (!need_cpl0(cpu))
		return DONE_FAULT;
	cpu_sync(cpu, u);
	cpu_time(cpu);
	if (!msr_write(cpu, (uint32_t)cpu->gpr[CPU_RCX], v))
		return raise_gp(cpu, 0);
	if (cpu->soft->vm)
		cpu_bus_done(cpu);
	return DONE_LEAVE;
}

static bool may_read_tsc(struct cpu *cpu)
{
	if (!(cpu->cr4 & CR4_TSD) || !cpu_cpl(cpu))
		return true;
	raise_gp(cpu, 0);
	return false;
}

static enum done op_rdtsc(struct cpu *cpu, const struct uop *u)
{
	if (!may_read_tsc(cpu))
		return DONE_FAULT;
	cpu_sync(cpu, u);
	set_pair(cpu, cpu_tsc(cpu));
	return DONE;
}

static enum done op_rdtscp(struct cpu *cpu, const struct uop *u)
{
	if (!cpu_has(cpu, 0x80000001, CPUID_EDX, 27))
		return raise_ud(cpu);
	if (!may_read_tsc(cpu))
		return DONE_FAULT;
	cpu_sync(cpu, u);
	set_pair(cpu, cpu_tsc(cpu));
	cpu->gpr[CPU_RCX] = (uint32_t)cpu->tsc_aux;
	return DONE;
}

/* No counters are there. */
static enum done op_rdpmc(struct cpu *cpu, const struct uop *u)
{
	(void)u;
	return raise_gp(cpu, 0);
}

/* What software has hidden with MISC_ENABLE. */
static void hide(const struct cpu *cpu, uint32_t leaf, uint32_t reg[4])
{
	if (cpu->msr.misc_enable & MISC_CPUID_LIMIT) {
		if (!leaf && reg[CPUID_EAX] > 3)
			reg[CPUID_EAX] = 3;
		else if (leaf > 3 && leaf < 0x80000000)
			memset(reg, 0, 4 * sizeof(reg[0]));
	}
	if (cpu->msr.misc_enable & MISC_XD_DISABLE && leaf == 0x80000001)
		reg[CPUID_EDX] &= ~(1u << 20);
}

static enum done op_cpuid(struct cpu *cpu, const struct uop *u)
{
	uint32_t reg[4] = { 0 }, leaf = (uint32_t)cpu->gpr[CPU_RAX];

	(void)u;
	if (cpu->cpuid)
		cpuid_lookup(cpu->cpuid, leaf, (uint32_t)cpu->gpr[CPU_RCX],
			     reg);
	hide(cpu, leaf, reg);
	/* The APIC is there while it is enabled. */
	if (leaf == 1 && cpu->lapic && lapic_base(cpu->lapic) & 0x800)
		reg[CPUID_EDX] |= 1u << 9;
	else if (leaf == 1)
		reg[CPUID_EDX] &= ~(1u << 9);
	cpu->gpr[CPU_RAX] = reg[CPUID_EAX];
	cpu->gpr[CPU_RBX] = reg[CPUID_EBX];
	cpu->gpr[CPU_RCX] = reg[CPUID_ECX];
	cpu->gpr[CPU_RDX] = reg[CPUID_EDX];
	return DONE;
}

static enum done random_to(struct cpu *cpu, const struct uop *u, bool offered)
{
	uint64_t v = cpu->icount * 0x9e3779b97f4a7c15u;

	if (!offered)
		return raise_ud(cpu);
	if (cpu->soft->vm)
		vm_random(cpu->soft->vm, &v, sizeof(v));
	reg_set(cpu, u->dst, u->osize, v);
	flags_set(cpu, EFL_CF);
	return DONE;
}

static enum done op_rdrand(struct cpu *cpu, const struct uop *u)
{
	return random_to(cpu, u, cpu_has(cpu, 1, CPUID_ECX, 30));
}

static enum done op_rdseed(struct cpu *cpu, const struct uop *u)
{
	return random_to(cpu, u, cpu_has(cpu, 7, CPUID_EBX, 18));
}

op_fn *msr_pick(const struct insn *insn)
{
	switch (insn->op) {
	case OP_RDMSR: return op_rdmsr;
	case OP_WRMSR: return op_wrmsr;
	case OP_RDTSC: return op_rdtsc;
	case OP_RDTSCP: return op_rdtscp;
	case OP_RDPMC: return op_rdpmc;
	case OP_CPUID: return op_cpuid;
	case OP_RDRAND: return op_rdrand;
	case OP_RDSEED: return op_rdseed;
	default: return NULL;
	}
}
