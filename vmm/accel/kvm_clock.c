/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_clock.c - the guest's TSC and KVM's clock stand still while the machine is
 * paused (Linux, api.rst 4.29, 4.30; devices/vcpu.rst, KVM_VCPU_TSC_CTRL).
 *
 * All TSCs are set back by the same difference, so that they stay synchronous.
 */
#include <x86intrin.h>

#include "vmm/accel/kvm.h"

void kvm_pause(struct vm *vm)
{
	struct kvm_vm *k = kvm_of(vm);

	if (k->paused_tsc)
		return;
	if (kvm_ioctl(k->fd, KVM_GET_CLOCK, &k->paused_clock))
		return;			/* no such clock: all runs on */
	k->paused_tsc = __rdtsc();
}

/* A KVM that cannot do this lets the TSC run on; guests take that for a halt. */
static void set_back_tsc(int fd, uint64_t ticks)
{
	uint64_t offset;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};

	if (kvm_ioctl(fd, KVM_GET_DEVICE_ATTR, &attr))
		return;
	offset -= ticks;
	kvm_ioctl(fd, KVM_SET_DEVICE_ATTR, &attr);
}

void kvm_resume(struct vm *vm)
{
	struct kvm_vm *k = kvm_of(vm);
	struct kvm_clock_data clock = { .clock = k->paused_clock.clock };
	uint64_t ticks;

	if (!k->paused_tsc)
		return;
	ticks = __rdtsc() - k->paused_tsc;
	k->paused_tsc = 0;
	for (unsigned i = 0; i < vm->config.topology.cpus; i++)
		if (vm->vcpus[i].accel_state)
			set_back_tsc(kvm_cpu_of(&vm->vcpus[i])->fd, ticks);
	kvm_ioctl(k->fd, KVM_SET_CLOCK, &clock);
}
