/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lapic_regs.h - a local APIC from inside: lapic.c has its registers and timer,
 * lapic_msg.c how messages find and reach it.
 */
#ifndef CHIP_LAPIC_REGS_H
#define CHIP_LAPIC_REGS_H

#include "vmm/chip/lapic.h"
#include "vmm/vm.h"

enum { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR,
       N_LVT };

#define LVT_MASKED	0x10000u
#define LVT_MODE(v)	((v) >> 8 & 7)

/* Delivery modes. */
enum { DM_FIXED, DM_LOWEST, DM_SMI, DM_NMI = 4, DM_INIT, DM_SIPI, DM_EXTINT };

#define BASE_BSP	0x100u
#define BASE_X2		0x400u
#define BASE_ENABLED	0x800u
#define SVR_ENABLED	0x100u

#define ESR_SEND_VECTOR	0x20u
#define ESR_RECV_VECTOR	0x40u
#define ESR_REGISTER	0x80u

struct lapic {
	struct lapics *set;
	unsigned cpu;
	uint32_t apic_id;	/* as the machine gave it */

	uint64_t base;		/* IA32_APIC_BASE */
	uint32_t id;		/* xAPIC's register: id << 24 */
	uint32_t tpr, ldr, dfr, svr, esr, esr_new;
	uint32_t icr[2];
	uint32_t lvt[N_LVT];
	uint32_t irr[8], isr[8], tmr[8];

	uint32_t initial, divide;	/* timer: count, divide register */
	uint64_t started, when;		/* ns: when the count began; its end */
	uint64_t deadline;		/* TSC deadline mode; 0: none */
	struct vm_timer timer;

	unsigned signals;		/* LAPIC_NMI, INIT, SIPI */
	uint8_t sipi;
	bool ext_line;			/* LINT0's level */
	bool ext_msg;			/* an ExtINT message came */
};

struct lapics {
	struct vm *vm;
	lapic_notify_fn *notify;
	pthread_mutex_t lock;		/* around all of this */
	unsigned n;
	struct lapic l[];
};

struct lapic_msg {
	uint32_t dest;
	bool logical, level, x2;	/* x2: 32-bit destination */
	unsigned mode;
	uint8_t vector;
};

/* With the lock held. */
void lapic_send(struct lapics *ls, const struct lapic_msg *m);
void lapic_send_icr(struct lapic *from);
/* This message is for `l`. */
void lapic_accept(struct lapic *l, unsigned mode, uint8_t vector, bool level);
/* A local interrupt source asks. */
void lapic_local(struct lapic *l, unsigned lvt);
void lapic_error(struct lapic *l, uint32_t bits);
unsigned lapic_ppr(const struct lapic *l);

static inline bool lapic_is_x2(const struct lapic *l)
{
	return (l->base & (BASE_ENABLED | BASE_X2)) ==
	       (BASE_ENABLED | BASE_X2);
}

static inline bool lapic_is_on(const struct lapic *l)
{
	return l->base & BASE_ENABLED && l->svr & SVR_ENABLED;
}

#endif
