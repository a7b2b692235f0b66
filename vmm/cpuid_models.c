/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpuid_models.c - which features the levels x86-64-v1 to v3 consist of: those of
 * the psABI, and what operating systems of their time expect beside them.
 */
#include <errno.h>
#include <stdio.h>

#include "vmm/cpuid.h"

#define EXT 0x80000001u

static const struct feature {
	uint8_t level, reg, bit;
	uint32_t leaf;
	const char *name;
} features[] = {
	{ 1, CPUID_EDX, 0, 1, "FPU" }, { 1, CPUID_EDX, 1, 1, "VME" },
	{ 1, CPUID_EDX, 2, 1, "DE" }, { 1, CPUID_EDX, 3, 1, "PSE" },
	{ 1, CPUID_EDX, 4, 1, "TSC" }, { 1, CPUID_EDX, 5, 1, "MSR" },
	{ 1, CPUID_EDX, 6, 1, "PAE" }, { 1, CPUID_EDX, 7, 1, "MCE" },
	{ 1, CPUID_EDX, 8, 1, "CMPXCHG8B" }, { 1, CPUID_EDX, 9, 1, "APIC" },
	{ 1, CPUID_EDX, 11, 1, "SYSENTER" }, { 1, CPUID_EDX, 12, 1, "MTRR" },
	{ 1, CPUID_EDX, 13, 1, "PGE" }, { 1, CPUID_EDX, 14, 1, "MCA" },
	{ 1, CPUID_EDX, 15, 1, "CMOV" }, { 1, CPUID_EDX, 16, 1, "PAT" },
	{ 1, CPUID_EDX, 17, 1, "PSE36" }, { 1, CPUID_EDX, 19, 1, "CLFLUSH" },
	{ 1, CPUID_EDX, 23, 1, "MMX" }, { 1, CPUID_EDX, 24, 1, "FXSR" },
	{ 1, CPUID_EDX, 25, 1, "SSE" }, { 1, CPUID_EDX, 26, 1, "SSE2" },
	{ 1, CPUID_EDX, 11, EXT, "SYSCALL" }, { 1, CPUID_EDX, 20, EXT, "NX" },
	{ 1, CPUID_EDX, 29, EXT, "long mode" },

	{ 2, CPUID_ECX, 0, 1, "SSE3" }, { 2, CPUID_ECX, 9, 1, "SSSE3" },
	{ 2, CPUID_ECX, 13, 1, "CMPXCHG16B" },
	{ 2, CPUID_ECX, 19, 1, "SSE4.1" }, { 2, CPUID_ECX, 20, 1, "SSE4.2" },
	{ 2, CPUID_ECX, 23, 1, "POPCNT" }, { 2, CPUID_ECX, 0, EXT, "LAHF" },
	{ 2, CPUID_EDX, 27, EXT, "RDTSCP" },

	{ 3, CPUID_ECX, 12, 1, "FMA" }, { 3, CPUID_ECX, 22, 1, "MOVBE" },
	{ 3, CPUID_ECX, 26, 1, "XSAVE" }, { 3, CPUID_ECX, 28, 1, "AVX" },
	{ 3, CPUID_ECX, 29, 1, "F16C" }, { 3, CPUID_EBX, 3, 7, "BMI1" },
	{ 3, CPUID_EBX, 5, 7, "AVX2" }, { 3, CPUID_EBX, 8, 7, "BMI2" },
	{ 3, CPUID_ECX, 5, EXT, "LZCNT" },
};

int cpuid_add_features(unsigned level, const struct cpuid_table *host,
		       struct cpuid_table *out, struct err *e)
{
	char missing[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		const struct feature *f = &features[i];

		if (f->level > level)
			break;
		if (host && !cpuid_has(host, f->leaf, f->reg, f->bit)) {
			len += (size_t)snprintf(missing + len,
						sizeof(missing) - len, "%s%s",
						len ? ", " : "", f->name);
			continue;
		}
		cpuid_leaf(out, f->leaf, 0, f->leaf == 7)[f->reg] |=
			1u << f->bit;
	}
	if (len)
		return fail(e, ENOTSUP, "the CPU model x86-64-v%u needs what "
			    "this accelerator does not have: %s", level,
			    missing);
	return 0;
}
