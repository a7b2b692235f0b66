/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_cpuid.c - CPUID tables in KVM's form (Linux, api.rst 4.46, 4.83). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/accel/kvm.h"

union table {
	struct kvm_cpuid2 list;
	uint8_t bytes[sizeof(struct kvm_cpuid2) +
		      CPUID_MAX_LEAVES * sizeof(struct kvm_cpuid_entry2)];
};

int kvm_get_supported(int dev, struct cpuid_table *out)
{
	union table *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->list.nent = CPUID_MAX_HOST;
	rc = kvm_ioctl(dev, KVM_GET_SUPPORTED_CPUID, t);
	out->n = 0;
	for (uint32_t i = 0; !rc && i < t->list.nent; i++) {
		const struct kvm_cpuid_entry2 *k = &t->list.entries[i];

		out->leaves[out->n++] = (struct cpuid_leaf){
			.leaf = k->function, .sub = k->index,
			.indexed = k->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.reg = { k->eax, k->ebx, k->ecx, k->edx },
		};
	}
	free(t);
	return rc;
}

static void to_kvm(const struct cpuid_table *table, struct kvm_cpuid2 *out)
{
	for (unsigned i = 0; i < table->n; i++) {
		const struct cpuid_leaf *l = &table->leaves[i];

		out->entries[out->nent++] = (struct kvm_cpuid_entry2){
			.function = l->leaf, .index = l->sub,
			.flags = l->indexed ?
				KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = l->reg[CPUID_EAX], .ebx = l->reg[CPUID_EBX],
			.ecx = l->reg[CPUID_ECX], .edx = l->reg[CPUID_EDX],
		};
	}
}

/* Where KVM emulates it lacks much of v2, and the software CPU, which helps it
 * (kvm_assist.c), what is beyond.
 */
static enum cpu_model model(const struct vm *vm)
{
	return vm->config.cpu == CPU_HOST && vm->config.emulated ?
		CPU_V1 : vm->config.cpu;
}

int kvm_set_cpuid(struct vcpu *cpu, struct err *e)
{
	struct cpuid_request want = {
		.model = model(cpu->vm),
		.topology = cpu->vm->config.topology,
		.vcpu = cpu->index, .host = &kvm_of(cpu->vm)->supported,
		.kvm = true,
	};
	struct cpuid_table *table = malloc(sizeof(*table));
	union table *t = calloc(1, sizeof(*t));
	uint32_t reg[4];
	int rc = 0;

	if (table && t)
		rc = cpuid_build(&want, table, e);
	else
		rc = fail(e, ENOMEM, "out of memory");
	if (rc)
		goto out;
	cpuid_lookup(table, 1, 0, reg);
	kvm_cpu_of(cpu)->signature = reg[CPUID_EAX];
	to_kvm(table, &t->list);
	rc = kvm_ioctl(kvm_cpu_of(cpu)->fd, KVM_SET_CPUID2, t);
	if (rc)
		fail_rc(e, rc, "KVM: the features of CPU %u", cpu->index);
out:
	free(table);
	free(t);
	return rc;
}
