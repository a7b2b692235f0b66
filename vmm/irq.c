/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq.c - lines and messages to the interrupt controllers.  See irq.h. */
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pic.h"
#include "vmm/vm.h"

/* Messages go to 0xfeexxxxx (SDM volume 3, 11.11.1). */
#define MSI_BASE 0xfee00000u

#define PIC_PIN	0u

/* The PIT's line is at the IOAPIC's pin 2, and the ACPI tables say so. */
static unsigned ioapic_pin(unsigned isa)
{
	return isa == 0 ? 2 : isa;
}

static void isa_set(void *chip, unsigned n, bool level)
{
	struct vm *vm = chip;

	pthread_mutex_lock(&vm->irq_lock);
	if (vm->pic)
		pic_set(vm->pic, n, level);
	if (vm->ioapic && n != 2)
		ioapic_set(vm->ioapic, ioapic_pin(n), level);
	pthread_mutex_unlock(&vm->irq_lock);
}

struct irq_line irq_isa(struct vm *vm, unsigned n)
{
	return (struct irq_line){ isa_set, vm, n };
}

static void ioapic_only_set(void *chip, unsigned n, bool level)
{
	struct vm *vm = chip;

	pthread_mutex_lock(&vm->irq_lock);
	if (vm->ioapic)
		ioapic_set(vm->ioapic, n, level);
	pthread_mutex_unlock(&vm->irq_lock);
}

struct irq_line irq_ioapic(struct vm *vm, unsigned n)
{
	return (struct irq_line){ ioapic_only_set, vm, n };
}

void msi_send(struct vm *vm, uint64_t addr, uint32_t data)
{
	if ((addr >> 20) == MSI_BASE >> 20)
		vm->accel->msi(vm, addr, data);
}

/* It is wired to the first CPU's LINT0, and to the IOAPIC's pin 0, which a kernel
 * may let send ExtINT messages.
 */
void irq_pic_out(struct vm *vm, bool level)
{
	vm->accel->ext_int(vm, level);
	if (vm->ioapic)
		ioapic_set(vm->ioapic, PIC_PIN, level);
}

int irq_ack_pic(struct vm *vm)
{
	int vector = -1;

	pthread_mutex_lock(&vm->irq_lock);
	if (vm->pic)
		vector = pic_ack(vm->pic);
	/* INTR falls at each INTA: what waits behind it is a new edge. */
	if (vm->pic && vm->ioapic && pic_pending(vm->pic)) {
		ioapic_set(vm->ioapic, PIC_PIN, false);
		ioapic_set(vm->ioapic, PIC_PIN, true);
	}
	pthread_mutex_unlock(&vm->irq_lock);
	return vector;
}

bool irq_pic_pending(struct vm *vm)
{
	bool pending;

	pthread_mutex_lock(&vm->irq_lock);
	pending = vm->pic && pic_pending(vm->pic);
	pthread_mutex_unlock(&vm->irq_lock);
	return pending;
}

void irq_eoi(struct vm *vm, uint8_t vector)
{
	pthread_mutex_lock(&vm->irq_lock);
	if (vm->ioapic)
		ioapic_eoi(vm->ioapic, vector);
	pthread_mutex_unlock(&vm->irq_lock);
}
