/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lapic.c - registers, priorities and timer of the local APICs.  Intel SDM volume
 * 3, 11.4 (registers), 11.5 (local sources, timer), 11.8 (priorities), 11.12
 * (x2APIC).
 *
 *	0x020 ID	0x080 TPR	0x0a0 PPR	0x0b0 EOI	0x0d0 LDR
 *	0x0e0 DFR	0x0f0 SVR	0x100 ISR	0x180 TMR	0x200 IRR
 *	0x280 ESR	0x300 ICR	0x320 LVT	0x380 timer
 */
#include <errno.h>
#include <stdlib.h>

#include "vmm/chip/lapic_regs.h"

enum {
	R_ID = 0x02, R_VERSION = 0x03, R_TPR = 0x08, R_APR = 0x09, R_PPR = 0x0a,
	R_EOI = 0x0b, R_RRD = 0x0c, R_LDR = 0x0d, R_DFR = 0x0e, R_SVR = 0x0f,
	R_ISR = 0x10, R_TMR = 0x18, R_IRR = 0x20, R_ESR = 0x28, R_ICR = 0x30,
	R_ICR2 = 0x31, R_LVT = 0x32, R_INITIAL = 0x38, R_CURRENT = 0x39,
	R_DIVIDE = 0x3e, R_SELF = 0x3f,
};

#define VERSION_VALUE	(0x14u | (N_LVT - 1) << 16)
#define BASE_DEFAULT	0xfee00000u
#define NS_PER_TICK	1u		/* the timer's clock is 1 GHz */

enum { TIMER_ONCE, TIMER_PERIODIC, TIMER_DEADLINE };

/* Vectors. */

static int highest(const uint32_t bits[8])
{
	for (int i = 8; i-- > 0;)
		if (bits[i])
			return i * 32 + 31 - __builtin_clz(bits[i]);
	return -1;
}

unsigned lapic_ppr(const struct lapic *l)
{
	int served = highest(l->isr);
	unsigned class = served < 0 ? 0 : (unsigned)served & 0xf0;

	return (l->tpr & 0xf0) >= class ? l->tpr : class;
}

/* The vector that may be delivered, or -1. */
static int deliverable(const struct lapic *l)
{
	int vector = lapic_is_on(l) ? highest(l->irr) : -1;

	if (vector < 0 || ((unsigned)vector & 0xf0) <= (lapic_ppr(l) & 0xf0))
		return -1;
	return vector;
}

/* LINT0 is the 8259 pair's way in; without an APIC it is the CPU's INTR pin.  A
 * message brings one interrupt of theirs too.
 */
static bool ext_int_waits(const struct lapic *l)
{
	if (l->ext_msg)
		return true;
	if (!l->ext_line)
		return false;
	return !(l->base & BASE_ENABLED) ||
	       (!(l->lvt[LVT_LINT0] & LVT_MASKED) &&
		LVT_MODE(l->lvt[LVT_LINT0]) == DM_EXTINT);
}

static bool is_pending(const struct lapic *l)
{
	return ext_int_waits(l) || deliverable(l) >= 0;
}

/* After a change that may let something through. */
static void look_again(struct lapic *l)
{
	if (is_pending(l))
		l->set->notify(l->set->vm, l->cpu, LAPIC_INTR);
}

bool lapic_pending(struct lapic *l)
{
	bool pending;

	pthread_mutex_lock(&l->set->lock);
	pending = is_pending(l);
	pthread_mutex_unlock(&l->set->lock);
	return pending;
}

int lapic_ack(struct lapic *l, bool *ext_int)
{
	int vector = -1;

	pthread_mutex_lock(&l->set->lock);
	*ext_int = ext_int_waits(l);
	l->ext_msg = false;
	if (!*ext_int)
		vector = deliverable(l);
	if (vector >= 0) {
		l->irr[vector / 32] &= ~(1u << vector % 32);
		l->isr[vector / 32] |= 1u << vector % 32;
	}
	pthread_mutex_unlock(&l->set->lock);
	return vector;
}

unsigned lapic_take(struct lapic *l, unsigned which, uint8_t *vector)
{
	unsigned got;

	pthread_mutex_lock(&l->set->lock);
	got = l->signals & which;
	l->signals &= ~which;
	*vector = l->sipi;
	pthread_mutex_unlock(&l->set->lock);
	return got;
}

/* End the highest one in service; the vector whose EOI the IOAPIC must hear, or
 * -1.
 */
static int end_interrupt(struct lapic *l)
{
	int vector = highest(l->isr);
	uint32_t bit;

	if (vector < 0)
		return -1;
	bit = 1u << vector % 32;
	l->isr[vector / 32] &= ~bit;
	look_again(l);
	return l->tmr[vector / 32] & bit ? vector : -1;
}

void lapic_local(struct lapic *l, unsigned lvt)
{
	uint32_t v = l->lvt[lvt];
	unsigned mode = lvt == LVT_TIMER || lvt == LVT_ERROR ? DM_FIXED :
							      LVT_MODE(v);

	if (!(v & LVT_MASKED) && l->base & BASE_ENABLED)
		lapic_accept(l, mode, (uint8_t)v, false);
}

void lapic_error(struct lapic *l, uint32_t bits)
{
	if (l->esr_new & bits)
		return;
	l->esr_new |= bits;
	/* An error LVT with a bad vector would be one again. */
	if ((l->lvt[LVT_ERROR] & 0xff) >= 16)
		lapic_local(l, LVT_ERROR);
}

/* Timer. */

static unsigned timer_mode(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] >> 17 & 3;
}

/* ns that one count takes. */
static uint64_t tick_ns(const struct lapic *l)
{
	unsigned code = (l->divide & 3) | (l->divide >> 1 & 4);

	return NS_PER_TICK * (code == 7 ? 1ull : 2ull << code);
}

static void timer_start(struct lapic *l)
{
	vm_timer_cancel(&l->timer);
	l->when = 0;
	if (!l->initial || timer_mode(l) == TIMER_DEADLINE)
		return;
	l->started = vm_now(l->set->vm);
	l->when = l->started + l->initial * tick_ns(l);
	vm_timer_arm(&l->timer, l->when);
}

static uint32_t timer_count(const struct lapic *l)
{
	uint64_t now = vm_now(l->set->vm);

	if (!l->when || now >= l->when)
		return 0;
	return (uint32_t)((l->when - now + tick_ns(l) - 1) / tick_ns(l));
}

/* On the loop's thread, or the CPU's. */
static void timer_fire(void *arg)
{
	struct lapic *l = arg;
	uint64_t period, now = vm_now(l->set->vm);

	pthread_mutex_lock(&l->set->lock);
	if (timer_mode(l) == TIMER_DEADLINE) {
		if (!l->deadline)
			goto out;
		l->deadline = 0;
	} else if (!l->when) {
		goto out;
	} else if (timer_mode(l) == TIMER_PERIODIC) {
		period = l->initial * tick_ns(l);
		/* Periods that nobody could see are lost. */
		if (now - l->when >= period)
			l->when += (now - l->when) / period * period;
		l->when += period;
		vm_timer_arm(&l->timer, l->when);
	} else {
		l->when = 0;
	}
	lapic_local(l, LVT_TIMER);
out:
	pthread_mutex_unlock(&l->set->lock);
}

uint64_t lapic_deadline(const struct lapic *l)
{
	uint64_t v;

	pthread_mutex_lock(&l->set->lock);
	v = timer_mode(l) == TIMER_DEADLINE ? l->deadline : 0;
	pthread_mutex_unlock(&l->set->lock);
	return v;
}

void lapic_set_deadline(struct lapic *l, uint64_t tsc, uint64_t when)
{
	pthread_mutex_lock(&l->set->lock);
	if (timer_mode(l) == TIMER_DEADLINE) {
		l->deadline = tsc;
		vm_timer_cancel(&l->timer);
		if (tsc && when > vm_now(l->set->vm)) {
			vm_timer_arm(&l->timer, when);
		} else if (tsc) {
			l->deadline = 0;
			lapic_local(l, LVT_TIMER);
		}
	}
	pthread_mutex_unlock(&l->set->lock);
}

/* Registers, by number. */

static uint32_t x2_ldr(const struct lapic *l)
{
	return (l->apic_id >> 4) << 16 | 1u << (l->apic_id & 15);
}

/* False: there is no such register. */
static bool reg_read(struct lapic *l, unsigned reg, uint32_t *v)
{
	*v = 0;
	if (reg >= R_ISR && reg < R_ESR) {
		const uint32_t *bits = reg < R_TMR ? l->isr :
				       reg < R_IRR ? l->tmr : l->irr;

		*v = bits[reg & 7];
		return true;
	}
	if (reg >= R_LVT && reg < R_LVT + N_LVT) {
		*v = l->lvt[reg - R_LVT];
		return true;
	}
	switch (reg) {
	case R_ID: *v = lapic_is_x2(l) ? l->apic_id : l->id; break;
	case R_VERSION: *v = VERSION_VALUE; break;
	case R_TPR: *v = l->tpr; break;
	case R_APR: case R_RRD: return !lapic_is_x2(l);
	case R_PPR: *v = lapic_ppr(l); break;
	case R_EOI: return !lapic_is_x2(l);
	case R_LDR: *v = lapic_is_x2(l) ? x2_ldr(l) : l->ldr; break;
	case R_DFR: *v = l->dfr; return !lapic_is_x2(l);
	case R_SVR: *v = l->svr; break;
	case R_ESR: *v = l->esr; break;
	case R_ICR: *v = l->icr[0]; break;
	case R_ICR2: *v = l->icr[1]; return !lapic_is_x2(l);
	case R_INITIAL: *v = l->initial; break;
	case R_CURRENT: *v = timer_count(l); break;
	case R_DIVIDE: *v = l->divide; break;
	default: return false;
	}
	return true;
}

static void lvt_write(struct lapic *l, unsigned i, uint32_t v)
{
	/* Vector, mode, polarity, trigger, mask; the timer's modes. */
	static const uint32_t writable[N_LVT] = { 0x700ff, 0x107ff, 0x107ff,
						  0x1a7ff, 0x1a7ff, 0x100ff };
	uint32_t old = l->lvt[i];

	v &= writable[i];
	if (!(l->svr & SVR_ENABLED))
		v |= LVT_MASKED;
	l->lvt[i] = v;
	if (i == LVT_TIMER && (old ^ v) & 0x60000) {
		/* Between one-shot and periodic it counts on. */
		if ((old ^ v) & 0x40000) {
			vm_timer_cancel(&l->timer);
			l->when = l->deadline = 0;
			l->initial = 0;
		}
	}
	if (i == LVT_LINT0)
		look_again(l);
}

static void svr_write(struct lapic *l, uint32_t v)
{
	l->svr = v & 0x1ff;
	if (!(v & SVR_ENABLED))
		for (unsigned i = 0; i < N_LVT; i++)
			l->lvt[i] |= LVT_MASKED;
	look_again(l);
}

/* *eoi: a vector whose end the IOAPIC must hear of. */
static bool reg_write(struct lapic *l, unsigned reg, uint32_t v, int *eoi)
{
	bool x2 = lapic_is_x2(l);

	if (reg >= R_LVT && reg < R_LVT + N_LVT) {
		lvt_write(l, reg - R_LVT, v);
		return true;
	}
	switch (reg) {
	case R_ID:
		if (x2)
			return false;
		l->id = v & 0xff000000;
		break;
	case R_TPR:
		l->tpr = v & 0xff;
		look_again(l);
		break;
	case R_EOI:
		*eoi = end_interrupt(l);
		return !x2 || !v;
	case R_LDR:
		if (x2)
			return false;
		l->ldr = v & 0xff000000;
		break;
	case R_DFR:
		if (x2)
			return false;
		l->dfr = v | 0x0fffffff;
		break;
	case R_SVR: svr_write(l, v); break;
	case R_ESR:
		l->esr = l->esr_new;
		l->esr_new = 0;
		return !x2 || !v;
	case R_ICR:
		l->icr[0] = v & 0xccfff;
		lapic_send_icr(l);
		break;
	case R_ICR2:
		if (x2)
			return false;
		l->icr[1] = v & 0xff000000;
		break;
	case R_INITIAL:
		if (timer_mode(l) == TIMER_DEADLINE)
			break;
		l->initial = v;
		timer_start(l);
		break;
	case R_DIVIDE: l->divide = v & 0xb; break;
	case R_SELF:
		if (!x2)
			return false;
		if ((v & 0xff) < 16)
			lapic_error(l, ESR_SEND_VECTOR);
		else
			lapic_accept(l, DM_FIXED, (uint8_t)v, false);
		break;
	default:
		return false;
	}
	return true;
}

bool lapic_covers(const struct lapic *l, uint64_t gpa)
{
	return (l->base & (BASE_ENABLED | BASE_X2)) == BASE_ENABLED &&
	       (gpa & ~0xfffull) == (l->base & ~0xfffull);
}

uint64_t lapic_mmio_read(struct lapic *l, uint64_t gpa, unsigned size)
{
	unsigned reg = gpa >> 4 & 0xff, shift = (gpa & 15) * 8;
	uint32_t v;

	if ((gpa & 15) + size > 4)
		return 0;
	pthread_mutex_lock(&l->set->lock);
	if (!reg_read(l, reg, &v))
		lapic_error(l, ESR_REGISTER);
	pthread_mutex_unlock(&l->set->lock);
	return v >> shift;
}

void lapic_mmio_write(struct lapic *l, uint64_t gpa, unsigned size,
		      uint64_t value)
{
	struct vm *vm = l->set->vm;
	unsigned reg = gpa >> 4 & 0xff;
	int eoi = -1;

	if (gpa & 15 || size < 4)
		return;
	pthread_mutex_lock(&l->set->lock);
	if (!reg_write(l, reg, (uint32_t)value, &eoi) && reg != R_APR)
		lapic_error(l, ESR_REGISTER);
	pthread_mutex_unlock(&l->set->lock);
	if (eoi >= 0)
		irq_eoi(vm, (uint8_t)eoi);
}

bool lapic_msr_read(struct lapic *l, uint32_t index, uint64_t *v)
{
	unsigned reg = index & 0xff;
	uint32_t low = 0;
	bool ok;

	pthread_mutex_lock(&l->set->lock);
	ok = lapic_is_x2(l) && reg != R_EOI && reg != R_SELF &&
	     reg_read(l, reg, &low);
	*v = low;
	if (reg == R_ICR)
		*v |= (uint64_t)l->icr[1] << 32;
	pthread_mutex_unlock(&l->set->lock);
	return ok;
}

bool lapic_msr_write(struct lapic *l, uint32_t index, uint64_t v)
{
	struct vm *vm = l->set->vm;
	unsigned reg = index & 0xff;
	int eoi = -1;
	bool ok;

	pthread_mutex_lock(&l->set->lock);
	ok = lapic_is_x2(l) && (reg == R_ICR || !(v >> 32));
	if (ok && reg == R_ICR)
		l->icr[1] = (uint32_t)(v >> 32);
	ok = ok && reg_write(l, reg, (uint32_t)v, &eoi);
	pthread_mutex_unlock(&l->set->lock);
	if (eoi >= 0)
		irq_eoi(vm, (uint8_t)eoi);
	return ok;
}

uint8_t lapic_tpr(const struct lapic *l)
{
	uint32_t v;

	pthread_mutex_lock(&l->set->lock);
	v = l->tpr;
	pthread_mutex_unlock(&l->set->lock);
	return (uint8_t)v;
}

void lapic_set_tpr(struct lapic *l, uint8_t tpr)
{
	pthread_mutex_lock(&l->set->lock);
	l->tpr = tpr;
	look_again(l);
	pthread_mutex_unlock(&l->set->lock);
}

/* Whole machines. */

static void reset_registers(struct lapic *l)
{
	l->tpr = l->ldr = l->esr = l->esr_new = 0;
	l->dfr = UINT32_MAX;
	l->svr = 0xff;
	l->icr[0] = l->icr[1] = 0;
	l->initial = l->divide = 0;
	l->when = l->deadline = 0;
	l->ext_msg = false;
	vm_timer_cancel(&l->timer);
	for (unsigned i = 0; i < 8; i++)
		l->irr[i] = l->isr[i] = l->tmr[i] = 0;
	for (unsigned i = 0; i < N_LVT; i++)
		l->lvt[i] = LVT_MASKED;
}

/* The first CPU's LINT0 is open for the 8259 pair, as firmware would leave it:
 * kernels that are started without one count on that.
 */
void lapic_reset(struct lapic *l, bool warm)
{
	pthread_mutex_lock(&l->set->lock);
	reset_registers(l);
	if (!warm) {
		l->base = BASE_DEFAULT | BASE_ENABLED |
			(l->cpu ? 0 : BASE_BSP);
		l->id = l->apic_id << 24;
		l->signals = 0;
		if (!l->cpu)
			l->lvt[LVT_LINT0] = DM_EXTINT << 8;
	}
	pthread_mutex_unlock(&l->set->lock);
}

uint64_t lapic_base(const struct lapic *l)
{
	return l->base;
}

/* Modes: figure 11-27; x2APIC is left only by switching off. */
bool lapic_write_base(struct lapic *l, uint64_t v)
{
	uint64_t old = l->base, reserved = ~((1ull << 46) - 1) | 0x2ff;

	if (v & reserved ||
	    (v & (BASE_ENABLED | BASE_X2)) == BASE_X2 ||
	    (lapic_is_x2(l) && (v & (BASE_ENABLED | BASE_X2)) ==
	     BASE_ENABLED) ||
	    (!(old & BASE_ENABLED) && v & BASE_X2))
		return false;
	pthread_mutex_lock(&l->set->lock);
	l->base = v;
	if (!(v & BASE_ENABLED)) {
		reset_registers(l);
		l->id = l->apic_id << 24;
	}
	look_again(l);
	pthread_mutex_unlock(&l->set->lock);
	return true;
}

void lapics_ext_int(struct lapics *ls, bool level)
{
	struct lapic *l = &ls->l[0];

	pthread_mutex_lock(&ls->lock);
	if (level && !l->ext_line &&
	    LVT_MODE(l->lvt[LVT_LINT0]) != DM_EXTINT)
		lapic_local(l, LVT_LINT0);
	l->ext_line = level;
	look_again(l);
	pthread_mutex_unlock(&ls->lock);
}

int lapics_new(struct vm *vm, lapic_notify_fn *notify, struct lapics **out)
{
	unsigned n = vm->config.topology.cpus;
	struct lapics *ls = calloc(1, sizeof(*ls) + n * sizeof(ls->l[0]));

	if (!ls)
		return -ENOMEM;
	ls->vm = vm;
	ls->notify = notify;
	ls->n = n;
	pthread_mutex_init(&ls->lock, NULL);
	for (unsigned i = 0; i < n; i++) {
		struct lapic *l = &ls->l[i];

		l->set = ls;
		l->cpu = i;
		l->apic_id = vm->vcpus[i].apic_id;
		vm_timer_init(&l->timer, vm, timer_fire, l);
		lapic_reset(l, false);
	}
	*out = ls;
	return 0;
}

void lapics_free(struct lapics *ls)
{
	if (!ls)
		return;
	for (unsigned i = 0; i < ls->n; i++)
		vm_timer_cancel(&ls->l[i].timer);
	pthread_mutex_destroy(&ls->lock);
	free(ls);
}

struct lapic *lapics_at(struct lapics *ls, unsigned cpu)
{
	return &ls->l[cpu];
}
