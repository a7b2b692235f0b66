/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpuid.c - build the table that CPUID shows.  See cpuid.h. */
#include <assert.h>
#include <string.h>

#include "vmm/cpuid.h"

#define BIT(n) (1u << (n))

/* Leaves. */
#define FEATURES	0x1u
#define CACHES		0x4u
#define POWER		0x6u
#define FEATURES7	0x7u
#define TOPOLOGY	0xbu
#define XSAVE		0xdu
#define TOPOLOGY2	0x1fu
#define KVM_SIGNATURE	0x40000000u
#define KVM_FEATURES	0x40000001u
#define EXT_MAX		0x80000000u
#define EXT_FEATURES	0x80000001u
#define BRAND		0x80000002u	/* three of them */
#define EXT_POWER	0x80000007u
#define ADDRESSES	0x80000008u
#define AMD_CACHES	0x8000001du
#define AMD_TOPOLOGY	0x8000001eu

/* Bits. */
#define VMX_SMX		(BIT(5) | BIT(6))	/* 1, ECX */
#define X2APIC		BIT(21)
#define TSC_DEADLINE	BIT(24)
#define HYPERVISOR	BIT(31)
#define HTT		BIT(28)			/* 1, EDX */
#define ARAT		BIT(2)			/* 6, EAX */
#define ARCH_CAP	BIT(29)			/* 7, EDX */
#define CMP_LEGACY	BIT(1)			/* 0x80000001, ECX */
#define SVM		BIT(2)
#define TOPOEXT		BIT(22)
#define CONSTANT_TSC	BIT(8)			/* 0x80000007, EDX */

/* How the host guards against speculation: MD_CLEAR, SPEC_CTRL, STIBP, L1D flush,
 * ARCH_CAPABILITIES, SSBD in 7, EDX; IBPB, IBRS, STIBP and their like, and SSBD
 * in 0x80000008, EBX.
 */
#define GUARDS_7_EDX	(BIT(10) | BIT(26) | BIT(27) | BIT(28) | ARCH_CAP | \
			 BIT(31))
#define GUARDS_AMD_EBX	(BIT(12) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | \
			 BIT(18) | BIT(19) | BIT(24) | BIT(25) | BIT(26) | \
			 BIT(28))

/* KVM's features (Linux, Documentation/virt/kvm/x86/cpuid.rst) that need nothing
 * from us: the clocks and that they are stable, no I/O delay, EOI and IPIs and
 * waking without exits, yielding, polling.  Stolen time and asynchronous page
 * faults are left out, so that a paused guest cannot tell, and MSI addresses with
 * 15 bits, which our IOAPIC does not make.
 */
#define KVM_OFFERED	(BIT(0) | BIT(1) | BIT(3) | BIT(6) | BIT(7) | \
			 BIT(11) | BIT(12) | BIT(13) | BIT(24))

#define PHYS_BITS	46u
#define LINEAR_BITS	48u

/* Families and models.  One that executes in order (an early Atom) is what guests
 * know not to speculate; the others are old ones about which they assume the
 * worst.
 */
#define SIGNATURE_IN_ORDER	0x000106cau
#define SIGNATURE_INTEL		0x000006fbu
#define SIGNATURE_AMD		0x00830f10u

uint32_t *cpuid_leaf(struct cpuid_table *table, uint32_t leaf, uint32_t sub,
		     bool indexed)
{
	struct cpuid_leaf *l;

	for (unsigned i = 0; i < table->n; i++) {
		l = &table->leaves[i];
		if (l->leaf == leaf && (!l->indexed || l->sub == sub))
			return l->reg;
	}
	assert(table->n < CPUID_MAX_LEAVES);
	l = &table->leaves[table->n++];
	*l = (struct cpuid_leaf){ .leaf = leaf, .sub = sub,
				  .indexed = indexed };
	return l->reg;
}

static const uint32_t *find(const struct cpuid_table *table, uint32_t leaf,
			    uint32_t sub)
{
	for (unsigned i = 0; table && i < table->n; i++) {
		const struct cpuid_leaf *l = &table->leaves[i];

		if (l->leaf == leaf && (!l->indexed || l->sub == sub))
			return l->reg;
	}
	return NULL;
}

static uint32_t reg_of(const struct cpuid_table *table, uint32_t leaf,
		       unsigned reg)
{
	const uint32_t *regs = find(table, leaf, 0);

	return regs ? regs[reg] : 0;
}

bool cpuid_has(const struct cpuid_table *table, uint32_t leaf, unsigned reg,
	       unsigned bit)
{
	return reg_of(table, leaf, reg) >> bit & 1;
}

static bool is_amd(const struct cpuid_table *table)
{
	return reg_of(table, 0, CPUID_EBX) == 0x68747541;	/* "Auth" */
}

void cpuid_lookup(const struct cpuid_table *table, uint32_t leaf, uint32_t sub,
		  uint32_t reg[4])
{
	uint32_t range = leaf & 0xffff0000;
	uint32_t last = reg_of(table, 0, CPUID_EAX);
	const uint32_t *found;

	if (!is_amd(table) && leaf > reg_of(table, range, CPUID_EAX))
		leaf = last;
	found = find(table, leaf, sub);
	memset(reg, 0, 4 * sizeof(reg[0]));
	if (found)
		memcpy(reg, found, 4 * sizeof(reg[0]));
	/* Beyond the last level these still say whose they are. */
	else if (leaf == TOPOLOGY || leaf == TOPOLOGY2) {
		reg[CPUID_ECX] = sub & 0xff;
		reg[CPUID_EDX] = find(table, leaf, 0) ?
			find(table, leaf, 0)[CPUID_EDX] : 0;
	}
}

/* Bits of leaf `leaf` that the host has and `mask` allows. */
static void copy_bits(const struct cpuid_table *host, struct cpuid_table *out,
		      uint32_t leaf, unsigned reg, uint32_t mask)
{
	cpuid_leaf(out, leaf, 0, leaf == FEATURES7)[reg] |=
		reg_of(host, leaf, reg) & mask;
}

static void set_vendor(struct cpuid_table *out, const char *vendor,
		       uint32_t signature)
{
	uint32_t *basic = cpuid_leaf(out, 0, 0, false);

	basic[CPUID_EAX] = TOPOLOGY2;
	memcpy(&basic[CPUID_EBX], vendor, 4);
	memcpy(&basic[CPUID_EDX], vendor + 4, 4);
	memcpy(&basic[CPUID_ECX], vendor + 8, 4);
	cpuid_leaf(out, EXT_MAX, 0, false)[CPUID_EAX] = ADDRESSES;
	cpuid_leaf(out, FEATURES, 0, false)[CPUID_EAX] = signature;
	cpuid_leaf(out, EXT_FEATURES, 0, false)[CPUID_EAX] = signature;
}

/* "Virtual x86-64-v2 CPU", 48 bytes in three leaves. */
static void set_brand(struct cpuid_table *out, enum cpu_model model)
{
	char brand[48] = "Virtual ";
	size_t len = strlen(brand);

	for (const char *p = cpu_model_name(model); *p; p++)
		brand[len++] = *p;
	memcpy(brand + len, " CPU", 4);
	for (uint32_t i = 0; i < 3; i++)
		memcpy(cpuid_leaf(out, BRAND + i, 0, false), brand + 16 * i,
		       16);
}

/* x87, SSE and AVX; sizes as XSAVE lays them out (SDM volume 1, 13.4). */
static void set_xsave(struct cpuid_table *out)
{
	memcpy(cpuid_leaf(out, XSAVE, 0, true),
	       (uint32_t[4]){ 7, 0x340, 0x340, 0 }, 16);
	memcpy(cpuid_leaf(out, XSAVE, 2, true),
	       (uint32_t[4]){ 0x100, 0x240, 0, 0 }, 16);
}

/* Intel's leaf 4: L1D and L1I of 32 KiB, L2 of 1 MiB, L3 of 16 MiB, 64-byte lines;
 * who shares them is filled in later.
 */
static void set_caches(struct cpuid_table *out)
{
	static const struct { uint32_t type, level, ways, sets; } caches[] = {
		{ 1, 1, 8, 64 }, { 2, 1, 8, 64 }, { 3, 2, 16, 1024 },
		{ 3, 3, 16, 16384 },
	};

	for (uint32_t i = 0; i < 4; i++)
		memcpy(cpuid_leaf(out, CACHES, i, true),
		       (uint32_t[4]){ caches[i].type | caches[i].level << 5 |
				      BIT(8), (caches[i].ways - 1) << 22 | 63,
				      caches[i].sets - 1, 0 }, 16);
}

static int build_model(const struct cpuid_request *want,
		       struct cpuid_table *out, struct err *e)
{
	const struct cpuid_table *host = want->host;
	enum cpu_model model = want->model == CPU_HOST ? CPU_V3 : want->model;
	uint32_t phys = reg_of(host, ADDRESSES, CPUID_EAX) & 0xff;
	int rc;

	if (!host)
		set_vendor(out, "GenuineIntel", SIGNATURE_IN_ORDER);
	else if (is_amd(host))
		set_vendor(out, "AuthenticAMD", SIGNATURE_AMD);
	else
		set_vendor(out, "GenuineIntel", SIGNATURE_INTEL);
	rc = cpuid_add_features(model - CPU_V1 + 1, host, out, e);
	if (rc)
		return rc;
	if (host) {
		copy_bits(host, out, FEATURES, CPUID_ECX,
			  X2APIC | TSC_DEADLINE);
		copy_bits(host, out, FEATURES7, CPUID_EDX, GUARDS_7_EDX);
		copy_bits(host, out, ADDRESSES, CPUID_EBX, GUARDS_AMD_EBX);
		copy_bits(host, out, EXT_POWER, CPUID_EDX, CONSTANT_TSC);
	} else {
		cpuid_leaf(out, FEATURES7, 0, true)[CPUID_EDX] = ARCH_CAP;
		cpuid_leaf(out, EXT_POWER, 0, false)[CPUID_EDX] = CONSTANT_TSC;
	}
	cpuid_leaf(out, FEATURES, 0, false)[CPUID_EBX] = 8 << 8; /* CLFLUSH */
	cpuid_leaf(out, POWER, 0, false)[CPUID_EAX] = ARAT;
	cpuid_leaf(out, ADDRESSES, 0, false)[CPUID_EAX] = LINEAR_BITS << 8 |
		(phys && phys < PHYS_BITS ? phys : PHYS_BITS);
	if (model >= CPU_V3)
		set_xsave(out);
	if (!is_amd(out))
		set_caches(out);
	set_brand(out, model);
	return 0;
}

static void copy_host(const struct cpuid_table *host, struct cpuid_table *out)
{
	*out = *host;
	cpuid_leaf(out, FEATURES, 0, false)[CPUID_ECX] &= ~VMX_SMX;
	cpuid_leaf(out, EXT_FEATURES, 0, false)[CPUID_ECX] &= ~SVM;
}

static unsigned thread_bits(const struct cpuid_request *want)
{
	return cpu_id_bits(want->topology.threads);
}

static unsigned package_bits(const struct cpuid_request *want)
{
	return thread_bits(want) + cpu_id_bits(want->topology.cores);
}

/* Leaves 0xb and 0x1f: threads of a core, then of the package. */
static void set_levels(const struct cpuid_request *want,
		       struct cpuid_table *out, uint32_t leaf)
{
	const struct cpu_topology *t = &want->topology;
	uint32_t id = cpu_apic_id(t, want->vcpu);

	memcpy(cpuid_leaf(out, leaf, 0, true),
	       (uint32_t[4]){ thread_bits(want), t->threads, 0 | 1 << 8, id },
	       16);
	memcpy(cpuid_leaf(out, leaf, 1, true),
	       (uint32_t[4]){ package_bits(want), t->threads * t->cores,
			      1 | 2 << 8, id }, 16);
	memcpy(cpuid_leaf(out, leaf, 2, true), (uint32_t[4]){ 0, 0, 2, id },
	       16);
}

/* Who shares each cache: the threads of a core, but all the package the third
 * level.  AMD counts threads, Intel ids.
 */
static void share_caches(const struct cpuid_request *want,
			 struct cpuid_table *out, uint32_t leaf)
{
	const struct cpu_topology *t = &want->topology;
	bool amd = leaf == AMD_CACHES;
	uint32_t core = amd ? t->threads : 1u << thread_bits(want);
	uint32_t all = amd ? t->threads * t->cores : 1u << package_bits(want);
	uint32_t cores = amd ? 0 : (1u << cpu_id_bits(t->cores)) - 1;

	for (unsigned i = 0; i < out->n; i++) {
		uint32_t *eax = &out->leaves[i].reg[CPUID_EAX];

		if (out->leaves[i].leaf != leaf || !(*eax & 0x1f))
			continue;
		*eax &= 0x3fff;
		*eax |= ((*eax >> 5 & 7) == 3 ? all - 1 : core - 1) << 14;
		*eax |= (cores < 63 ? cores : 63) << 26;
	}
}

static void set_amd_topology(const struct cpuid_request *want,
			     struct cpuid_table *out)
{
	const struct cpu_topology *t = &want->topology;
	uint32_t id = cpu_apic_id(t, want->vcpu);
	uint32_t *ext = cpuid_leaf(out, EXT_FEATURES, 0, false);

	cpuid_leaf(out, ADDRESSES, 0, false)[CPUID_ECX] =
		(t->threads * t->cores - 1) | package_bits(want) << 12;
	ext[CPUID_ECX] &= ~CMP_LEGACY;
	if (t->threads * t->cores > 1)
		ext[CPUID_ECX] |= CMP_LEGACY;
	if (!(ext[CPUID_ECX] & TOPOEXT))
		return;
	share_caches(want, out, AMD_CACHES);
	memcpy(cpuid_leaf(out, AMD_TOPOLOGY, 0, false),
	       (uint32_t[4]){ id, (id & ((1u << package_bits(want)) - 1)) >>
			      thread_bits(want) | (t->threads - 1) << 8,
			      id >> package_bits(want), 0 }, 16);
}

static void set_topology(const struct cpuid_request *want,
			 struct cpuid_table *out)
{
	const struct cpu_topology *t = &want->topology;
	uint32_t id = cpu_apic_id(t, want->vcpu);
	uint32_t ids = 1u << package_bits(want);
	uint32_t *f = cpuid_leaf(out, FEATURES, 0, false);
	uint32_t *last = cpuid_leaf(out, 0, 0, false);

	f[CPUID_EBX] = (f[CPUID_EBX] & 0xff00) | id << 24 |
		(ids < 255 ? ids : 255) << 16;
	f[CPUID_EDX] &= ~HTT;
	if (t->threads * t->cores > 1)
		f[CPUID_EDX] |= HTT;
	share_caches(want, out, CACHES);
	if (last[CPUID_EAX] < TOPOLOGY)
		last[CPUID_EAX] = TOPOLOGY;
	set_levels(want, out, TOPOLOGY);
	if (last[CPUID_EAX] >= TOPOLOGY2)
		set_levels(want, out, TOPOLOGY2);
	if (is_amd(out))
		set_amd_topology(want, out);
}

static void set_kvm(const struct cpuid_request *want, struct cpuid_table *out)
{
	uint32_t features = reg_of(want->host, KVM_FEATURES, CPUID_EAX);

	memcpy(cpuid_leaf(out, KVM_SIGNATURE, 0, false),
	       (uint32_t[4]){ KVM_FEATURES, 0x4b4d564b, 0x564b4d56, 0x4d },
	       16);
	memcpy(cpuid_leaf(out, KVM_FEATURES, 0, false),
	       (uint32_t[4]){ features & KVM_OFFERED, 0, 0, 0 }, 16);
}

int cpuid_build(const struct cpuid_request *want, struct cpuid_table *out,
		struct err *e)
{
	int rc = 0;

	out->n = 0;
	if (want->host && want->model == CPU_HOST)
		copy_host(want->host, out);
	else
		rc = build_model(want, out, e);
	if (rc)
		return rc;
	cpuid_leaf(out, FEATURES, 0, false)[CPUID_ECX] |= HYPERVISOR;
	if (want->kvm)
		set_kvm(want, out);
	set_topology(want, out);
	return 0;
}
