/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lapic.h - the CPUs' local APICs, for the accelerator that has none of its own
 * (Intel SDM volume 3, chapter 11): xAPIC registers in memory, x2APIC registers as
 * MSRs, timer, messages between CPUs and from devices.
 *
 * Threads: any may call these, also with the machine lock or the interrupt lock
 * held; they take a lock of their own, and never another one but the clock's.
 * Only lapic_mmio_write(), lapic_msr_write() and lapic_write_base() may end an
 * interrupt, and call irq_eoi(): they come without the interrupt lock.
 */
#ifndef CHIP_LAPIC_H
#define CHIP_LAPIC_H

#include "vmm/device.h"

struct lapic;
struct lapics;

/* What a CPU is told of. */
#define LAPIC_INTR	0x1u	/* an interrupt may wait: lapic_pending() */
#define LAPIC_NMI	0x2u
#define LAPIC_INIT	0x4u
#define LAPIC_SIPI	0x8u

/* `notify` is called with the lock held, from any thread: it only sets a flag and
 * wakes the CPU.
 */
typedef void lapic_notify_fn(struct vm *vm, unsigned cpu, unsigned what);

/* One for each vCPU of the machine.  -ENOMEM. */
int lapics_new(struct vm *vm, lapic_notify_fn *notify, struct lapics **out);
void lapics_free(struct lapics *ls);
struct lapic *lapics_at(struct lapics *ls, unsigned cpu);

/* RESET, or INIT (`warm`: the id and APIC_BASE stay). */
void lapic_reset(struct lapic *l, bool warm);

/* Where a message from outside goes: a write of `data` to `addr`. */
void lapics_message(struct lapics *ls, uint64_t addr, uint32_t data);
/* The 8259 pair's output, which is wired to the first CPU's LINT0. */
void lapics_ext_int(struct lapics *ls, bool level);

/* IA32_APIC_BASE.  False: not a value that it takes. */
uint64_t lapic_base(const struct lapic *l);
bool lapic_write_base(struct lapic *l, uint64_t v);

/* Does the CPU's access to physical address `gpa` reach its xAPIC? */
bool lapic_covers(const struct lapic *l, uint64_t gpa);
uint64_t lapic_mmio_read(struct lapic *l, uint64_t gpa, unsigned size);
void lapic_mmio_write(struct lapic *l, uint64_t gpa, unsigned size,
		      uint64_t value);

/* x2APIC: MSR `index` is 0x800 to 0x8ff.  False: #GP. */
bool lapic_msr_read(struct lapic *l, uint32_t index, uint64_t *v);
bool lapic_msr_write(struct lapic *l, uint32_t index, uint64_t v);

/* The task priority, also CR8's. */
uint8_t lapic_tpr(const struct lapic *l);
void lapic_set_tpr(struct lapic *l, uint8_t tpr);

/* IA32_TSC_DEADLINE: the value, and the clock's ns when it comes due. */
uint64_t lapic_deadline(const struct lapic *l);
void lapic_set_deadline(struct lapic *l, uint64_t tsc, uint64_t when);

/* Would lapic_ack() give a vector? */
bool lapic_pending(struct lapic *l);
/* The vector to deliver now, which becomes in service; -1: none.  *ext_int: it is
 * the 8259 pair's turn instead, irq_ack_pic().
 */
int lapic_ack(struct lapic *l, bool *ext_int);

/* NMI, INIT and SIPI (its vector in *vector) since the last call: LAPIC_*. */
unsigned lapic_take(struct lapic *l, unsigned which, uint8_t *vector);

#endif
