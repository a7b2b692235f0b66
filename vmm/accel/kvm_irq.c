/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_irq.c - interrupts for KVM's LAPICs: messages, the 8259 pair's, which EOIs
 * the IOAPIC wants to hear of; and doorbells (Linux, api.rst 4.16, 4.52, 4.59,
 * 4.71).
 *
 * There are no irqfds: our devices raise interrupts from threads of this process,
 * and there KVM_SIGNAL_MSI is no slower than to write to one (0.47 and 0.52 us
 * measured).  They would pay for a device in another process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/accel/kvm.h"

#define MSI_DATA_LEVEL 0x8000u	/* level-triggered (SDM volume 3, 11.11.2) */

void kvm_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct kvm_msi msi = { .address_lo = (uint32_t)addr, .data = data };

	/* Nobody may be addressed: as on a PC, the message is lost. */
	kvm_ioctl(kvm_of(vm)->fd, KVM_SIGNAL_MSI, &msi);
}

void kvm_ext_int(struct vm *vm, bool level)
{
	atomic_store(&kvm_of(vm)->ext_int, level);
	if (level && vm->vcpus[0].accel_state)
		kvm_poke(kvm_cpu_of(&vm->vcpus[0]));
}

int kvm_inject_ext_int(struct vcpu *cpu)
{
	struct kvm_vcpu *k = kvm_cpu_of(cpu);
	struct kvm_interrupt irq;
	int vector;

	k->run->request_interrupt_window = 0;
	if (!atomic_load(&kvm_of(cpu->vm)->ext_int))
		return 0;
	if (!k->run->ready_for_interrupt_injection || !k->run->if_flag) {
		k->run->request_interrupt_window = 1;
		return 0;
	}
	vector = irq_ack_pic(cpu->vm);
	if (vector < 0)
		return 0;
	irq.irq = (uint32_t)vector;
	k->run->ready_for_interrupt_injection = 0;
	/* There may be another one behind it. */
	k->run->request_interrupt_window =
		atomic_load(&kvm_of(cpu->vm)->ext_int);
	return kvm_ioctl(k->fd, KVM_INTERRUPT, &irq);
}

/* KVM looks at these routes only to learn which vectors' EOIs leave the guest. */
static void set_routes(const struct kvm_vm *k)
{
	union {
		struct kvm_irq_routing table;
		uint8_t bytes[sizeof(struct kvm_irq_routing) +
			      KVM_PINS * sizeof(struct kvm_irq_routing_entry)];
	} u;

	memset(&u, 0, sizeof(u));
	for (unsigned i = 0; i < KVM_PINS; i++) {
		if (!k->pins[i].on)
			continue;
		u.table.entries[u.table.nr++] =
			(struct kvm_irq_routing_entry){
			.gsi = i, .type = KVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = k->pins[i].addr,
				   .data = k->pins[i].data },
		};
	}
	kvm_ioctl(k->fd, KVM_SET_GSI_ROUTING, &u);
}

/* A masked pin keeps its route: the EOI of an interrupt that it sent before must
 * still arrive.
 */
void kvm_route(struct vm *vm, unsigned pin, bool masked, uint64_t addr,
	       uint32_t data)
{
	struct kvm_vm *k = kvm_of(vm);
	struct kvm_pin want = { .on = false }, *have;

	if (masked || pin >= KVM_PINS)
		return;
	if (data & MSI_DATA_LEVEL)
		want = (struct kvm_pin){ .on = true, .addr = (uint32_t)addr,
					 .data = data };
	have = &k->pins[pin];
	if (want.on == have->on && want.addr == have->addr &&
	    want.data == have->data)
		return;
	*have = want;
	set_routes(k);
}

int kvm_doorbell(struct vm *vm, bool pio, uint64_t addr, unsigned len,
		 int eventfd, bool on)
{
	struct kvm_vm *k = kvm_of(vm);
	struct kvm_ioeventfd bell = {
		.addr = addr, .len = len, .fd = eventfd,
		.flags = (pio ? KVM_IOEVENTFD_FLAG_PIO : 0u) |
			(on ? 0u : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	if (!kvm_cap(k->dev, len ? KVM_CAP_IOEVENTFD :
		     KVM_CAP_IOEVENTFD_ANY_LENGTH))
		return -ENOTSUP;
	return kvm_ioctl(k->fd, KVM_IOEVENTFD, &bell);
}
