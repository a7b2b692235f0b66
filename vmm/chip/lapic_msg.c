/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lapic_msg.c - messages to local APICs: who is meant, and what it does there.
 * Intel SDM volume 3, 11.6 (between CPUs), 11.11 (from devices).
 */
#include "vmm/chip/lapic_regs.h"

#define MSI_LOGICAL	0x4u
#define MSI_LOWEST	0x8u
#define MSI_LEVEL	0x8000u

#define ICR_LOGICAL	0x800u
#define ICR_ASSERT	0x4000u
#define ICR_LEVEL	0x8000u
#define ICR_SHORTHAND(v) ((v) >> 18 & 3)
enum { SH_NONE, SH_SELF, SH_ALL, SH_OTHERS };

static bool is_broadcast(const struct lapic_msg *m)
{
	return m->dest == (m->x2 ? UINT32_MAX : 0xff);
}

/* Logical destinations: in x2APIC mode cluster << 16 | bit, in xAPIC mode flat or
 * clusters of four, by DFR.
 */
static bool matches_logical(const struct lapic *l, const struct lapic_msg *m)
{
	uint32_t ldr = l->ldr >> 24, dest = m->dest & 0xff;

	if (lapic_is_x2(l)) {
		uint32_t cluster = l->apic_id >> 4, bit = 1u << (l->apic_id & 15);

		if (!m->x2)
			return !cluster && dest & bit;
		return m->dest >> 16 == cluster && m->dest & bit & 0xffff;
	}
	if (l->dfr >> 28 == 15)
		return dest & ldr;
	return dest >> 4 == ldr >> 4 && dest & ldr & 15;
}

static bool matches(const struct lapic *l, const struct lapic_msg *m)
{
	if (!(l->base & BASE_ENABLED))
		return m->mode == DM_INIT || m->mode == DM_SIPI ?
			is_broadcast(m) || m->dest == l->apic_id : false;
	if (is_broadcast(m))
		return true;
	if (m->logical)
		return matches_logical(l, m);
	return m->dest == (lapic_is_x2(l) ? l->apic_id : l->id >> 24);
}

static void tell(struct lapic *l, unsigned what)
{
	l->set->notify(l->set->vm, l->cpu, what);
}

void lapic_accept(struct lapic *l, unsigned mode, uint8_t vector, bool level)
{
	uint32_t bit = 1u << vector % 32;

	switch (mode) {
	case DM_FIXED:
	case DM_LOWEST:
		if (!lapic_is_on(l))
			return;
		if (vector < 16) {
			lapic_error(l, ESR_RECV_VECTOR);
			return;
		}
		l->irr[vector / 32] |= bit;
		if (level)
			l->tmr[vector / 32] |= bit;
		else
			l->tmr[vector / 32] &= ~bit;
		tell(l, LAPIC_INTR);
		break;
	case DM_NMI:
		l->signals |= LAPIC_NMI;
		tell(l, LAPIC_NMI);
		break;
	case DM_INIT:
		l->signals |= LAPIC_INIT;
		l->signals &= ~LAPIC_SIPI;
		tell(l, LAPIC_INIT);
		break;
	case DM_SIPI:
		l->signals |= LAPIC_SIPI;
		l->sipi = vector;
		tell(l, LAPIC_SIPI);
		break;
	case DM_EXTINT:
		l->ext_msg = true;
		tell(l, LAPIC_INTR);
		break;
	default:	/* SMI: this CPU has no system management mode */
		break;
	}
}

/* Of those that are meant, the one with the least to do. */
static struct lapic *find_lowest(struct lapics *ls, const struct lapic_msg *m)
{
	struct lapic *best = NULL;

	for (unsigned i = 0; i < ls->n; i++) {
		struct lapic *l = &ls->l[i];

		if (lapic_is_on(l) && matches(l, m) &&
		    (!best || lapic_ppr(l) < lapic_ppr(best)))
			best = l;
	}
	return best;
}

void lapic_send(struct lapics *ls, const struct lapic_msg *m)
{
	if (m->mode == DM_LOWEST) {
		struct lapic *l = find_lowest(ls, m);

		if (l)
			lapic_accept(l, m->mode, m->vector, m->level);
		return;
	}
	for (unsigned i = 0; i < ls->n; i++)
		if (matches(&ls->l[i], m))
			lapic_accept(&ls->l[i], m->mode, m->vector, m->level);
}

void lapics_message(struct lapics *ls, uint64_t addr, uint32_t data)
{
	struct lapic_msg m = {
		.dest = (uint32_t)(addr >> 12 & 0xff),
		.logical = addr & MSI_LOGICAL, .level = data & MSI_LEVEL,
		.mode = data >> 8 & 7, .vector = (uint8_t)data,
	};

	if (m.mode == DM_FIXED && m.logical && addr & MSI_LOWEST)
		m.mode = DM_LOWEST;
	pthread_mutex_lock(&ls->lock);
	lapic_send(ls, &m);
	pthread_mutex_unlock(&ls->lock);
}

void lapic_send_icr(struct lapic *from)
{
	struct lapics *ls = from->set;
	uint32_t low = from->icr[0];
	unsigned shorthand = ICR_SHORTHAND(low);
	struct lapic_msg m = {
		.dest = lapic_is_x2(from) ? from->icr[1] : from->icr[1] >> 24,
		.x2 = lapic_is_x2(from),
		.logical = low & ICR_LOGICAL, .mode = low >> 8 & 7,
		.vector = (uint8_t)low,
	};

	/* INIT with level de-assert only synchronises arbitration; ExtINT is
	 * nothing that CPUs send each other.
	 */
	if ((m.mode == DM_INIT && low & ICR_LEVEL && !(low & ICR_ASSERT)) ||
	    m.mode == DM_EXTINT)
		return;
	if ((m.mode == DM_FIXED || m.mode == DM_LOWEST) && m.vector < 16) {
		lapic_error(from, ESR_SEND_VECTOR);
		return;
	}
	if (shorthand == SH_NONE) {
		lapic_send(ls, &m);
		return;
	}
	for (unsigned i = 0; i < ls->n; i++) {
		bool self = &ls->l[i] == from;

		if (shorthand == SH_SELF ? self :
		    shorthand == SH_ALL || !self)
			lapic_accept(&ls->l[i], m.mode, m.vector, false);
	}
}
