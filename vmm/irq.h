/* SPDX-License-Identifier: GPL-2.0-or-later */
/* irq.h - how a device interrupts: lines, and messages.
 *
 * The 16 ISA lines reach both controllers, the 8259 pair (chip/pic.h) and the
 * IOAPIC (chip/ioapic.h; line 0 at its pin 2).  PCI's INTx lines go through
 * PIIX3's routing to an ISA line (chip/pci.h).  Devices with a line call
 * irq_set(); virtio-pci and others with MSI call msi_send().
 *
 * Any thread may call these, also with the machine lock or a queue's lock held:
 * they take the interrupt lock, the innermost of all.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include "imgfmt/base/base.h"

struct vm;

struct irq_line {
	void (*set)(void *chip, unsigned pin, bool level);
	void *chip;
	unsigned pin;
};

/* Drive the line; repeating a level changes nothing. */
static inline void irq_set(const struct irq_line *irq, bool level)
{
	if (irq->set)
		irq->set(irq->chip, irq->pin, level);
}

/* ISA line `n` (0 to 15), with one driver. */
struct irq_line irq_isa(struct vm *vm, unsigned n);

/* The IOAPIC's pin `n` (16 to 23), which the 8259 pair does not have. */
struct irq_line irq_ioapic(struct vm *vm, unsigned n);

/* A message-signalled interrupt: a write of `data` to `addr`.  Ignored if
 * `addr` is not a LAPIC's.
 */
void msi_send(struct vm *vm, uint64_t addr, uint32_t data);

/* The 8259 pair's output changed.  The interrupt lock is held. */
void irq_pic_out(struct vm *vm, bool level);

/* What accelerators call. */

/* The vector that the 8259 pair wants served, and tell it so (INTA).  Negative:
 * none any more.
 */
int irq_ack_pic(struct vm *vm);

/* Does the 8259 pair want to interrupt? */
bool irq_pic_pending(struct vm *vm);

/* A LAPIC ended `vector`; level-triggered pins of the IOAPIC go on from here. */
void irq_eoi(struct vm *vm, uint8_t vector);

#endif
