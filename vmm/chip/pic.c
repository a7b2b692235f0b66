/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pic.c - the pair of 8259A interrupt controllers.  Intel 8259A data sheet
 * (231468); the edge/level registers are the PIIX3's (290550, 2.5.3).
 *
 * Where we leave the data sheet, knowingly: a rising edge is remembered even if
 * the line falls again before the CPU takes the interrupt, because our CPUs can
 * be late by more than a timer's period; the slave sits at the master's input 2
 * whatever ICW3 says, as on every PC.  The slave's own output is not remembered,
 * so that a request withdrawn there is none at the master either.
 */
#include <errno.h>
#include <stdlib.h>

#include "pic.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define CASCADE		2u

#define ICW1_IC4	0x01u
#define ICW1_SNGL	0x02u
#define ICW1		0x10u
#define ICW4_AEOI	0x02u
#define ICW4_SFNM	0x10u
#define OCW3		0x08u
#define OCW3_RIS	0x01u
#define OCW3_RR		0x02u
#define OCW3_POLL	0x04u
#define OCW3_SMM	0x20u
#define OCW3_ESMM	0x40u

/* Which ICW comes next. */
enum pic_init { PIC_READY, PIC_ICW2, PIC_ICW3, PIC_ICW4 };

struct pic_half {
	uint8_t lines;		/* the inputs as they are */
	uint8_t irr, isr, imr;
	uint8_t elcr;		/* 1: level-triggered */
	uint8_t elcr_mask;	/* which of them can be */
	uint8_t base;		/* ICW2: vector of input 0 */
	uint8_t first;		/* the input with the highest priority */
	enum pic_init init;
	uint8_t icw1;
	bool read_isr, poll, special_mask;
	bool auto_eoi, rotate_auto_eoi, special_nested;
};

struct pic {
	struct device dev;
	struct region region[3];
	struct pic_half master, slave;
	bool out;		/* what ext_int() was last told */
};

/* How far is the most urgent of `bits` from the top?  8: there is none. */
static unsigned distance(const struct pic_half *h, uint8_t bits)
{
	for (unsigned i = 0; i < 8; i++)
		if (bits & 1u << ((h->first + i) & 7))
			return i;
	return 8;
}

static unsigned input_at(const struct pic_half *h, unsigned dist)
{
	return (h->first + dist) & 7;
}

/* The input that wants to interrupt, or -1. */
static int wanted(const struct pic_half *h, bool is_master)
{
	uint8_t busy = h->isr;
	unsigned now, next;

	/* In special mask mode a masked input in service holds up nobody. */
	if (h->special_mask)
		busy &= (uint8_t)~h->imr;
	now = distance(h, busy);
	next = distance(h, h->irr & (uint8_t)~h->imr);
	if (next < now)
		return (int)input_at(h, next);
	/* Special fully nested: the slave may interrupt its own service. */
	if (is_master && h->special_nested && next < 8 && next == now &&
	    input_at(h, next) == CASCADE)
		return CASCADE;
	return -1;
}

static void set_input(struct pic_half *h, unsigned n, bool level)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (level && !(h->lines & bit))
		h->irr |= bit;
	else if (!level && (h->elcr & bit))
		h->irr &= (uint8_t)~bit;
	if (level)
		h->lines |= bit;
	else
		h->lines &= (uint8_t)~bit;
}

static void set_cascade(struct pic_half *master, bool level)
{
	set_input(master, CASCADE, level);
	if (!level)
		master->irr &= (uint8_t)~(1u << CASCADE);
}

static void update(struct pic *pic)
{
	struct vm *vm = pic->dev.vm;
	bool out;

	set_cascade(&pic->master, wanted(&pic->slave, false) >= 0);
	out = pic_pending(pic);
	if (out != pic->out) {
		pic->out = out;
		irq_pic_out(vm, out);
	}
}

bool pic_pending(const struct pic *pic)
{
	return wanted(&pic->master, true) >= 0;
}

void pic_set(struct pic *pic, unsigned line, bool level)
{
	if (line == CASCADE || line > 15)
		return;
	set_input(line < 8 ? &pic->master : &pic->slave, line & 7, level);
	update(pic);
}

/* The CPU or a poll took input `n`. */
static void take(struct pic_half *h, unsigned n)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (!h->auto_eoi)
		h->isr |= bit;
	else if (h->rotate_auto_eoi)
		h->first = (n + 1) & 7;
	if (!(h->elcr & bit))
		h->irr &= (uint8_t)~bit;
}

int pic_ack(struct pic *pic)
{
	int n = wanted(&pic->master, true), m;
	int vector;

	if (n < 0)
		return -1;
	vector = pic->master.base + n;
	take(&pic->master, (unsigned)n);
	if (n == CASCADE) {
		/* The slave's request stands as long as the master's does. */
		m = wanted(&pic->slave, false);
		vector = pic->slave.base + m;
		take(&pic->slave, (unsigned)m);
		/* INTA lowers its output; what else waits raises it anew. */
		set_cascade(&pic->master, false);
	}
	update(pic);
	return vector;
}

/* ICW1 starts the chip afresh: edges before it are forgotten. */
static void start_init(struct pic_half *h, uint8_t icw1)
{
	h->irr = h->lines & h->elcr;
	h->isr = h->imr = 0;
	h->first = 0;
	h->read_isr = h->poll = h->special_mask = false;
	h->auto_eoi = h->rotate_auto_eoi = h->special_nested = false;
	h->icw1 = icw1;
	h->init = PIC_ICW2;
}

/* OCW2: bit 7 rotates, bit 6 names an input, bit 5 ends an interrupt. */
static void write_ocw2(struct pic_half *h, uint8_t value)
{
	bool rotate = value & 0x80, specific = value & 0x40;
	uint8_t busy = h->isr;
	unsigned n = value & 7, dist;

	if (!(value & 0x20)) {
		if (!specific)
			h->rotate_auto_eoi = rotate;
		else if (rotate)
			h->first = (n + 1) & 7;
		return;
	}
	if (!specific) {
		/* Special mask mode hides masked ones from it. */
		if (h->special_mask)
			busy &= (uint8_t)~h->imr;
		dist = distance(h, busy);
		if (dist == 8)
			return;
		n = input_at(h, dist);
	}
	h->isr &= (uint8_t)~(1u << n);
	if (rotate)
		h->first = (n + 1) & 7;
}

static void write_ocw3(struct pic_half *h, uint8_t value)
{
	if (value & OCW3_POLL)
		h->poll = true;
	if (value & OCW3_RR)
		h->read_isr = value & OCW3_RIS;
	if (value & OCW3_ESMM)
		h->special_mask = value & OCW3_SMM;
}

static void write_data(struct pic_half *h, uint8_t value)
{
	enum pic_init after_icw3 = h->icw1 & ICW1_IC4 ? PIC_ICW4 : PIC_READY;

	switch (h->init) {
	case PIC_READY:
		h->imr = value;
		break;
	case PIC_ICW2:
		h->base = value & 0xf8;
		h->init = h->icw1 & ICW1_SNGL ? after_icw3 : PIC_ICW3;
		break;
	case PIC_ICW3:
		h->init = after_icw3;
		break;
	case PIC_ICW4:
		h->auto_eoi = value & ICW4_AEOI;
		h->special_nested = value & ICW4_SFNM;
		h->init = PIC_READY;
		break;
	}
}

static void half_write(struct device *dev, struct pic_half *h, uint64_t offset,
		       uint8_t value)
{
	struct pic *pic = (struct pic *)dev;

	pthread_mutex_lock(&dev->vm->irq_lock);
	if (offset)
		write_data(h, value);
	else if (value & ICW1)
		start_init(h, value);
	else if (value & OCW3)
		write_ocw3(h, value);
	else
		write_ocw2(h, value);
	update(pic);
	pthread_mutex_unlock(&dev->vm->irq_lock);
}

static uint8_t poll(struct pic *pic, struct pic_half *h)
{
	int n = wanted(h, h == &pic->master);

	h->poll = false;
	if (n < 0)
		return 0;
	take(h, (unsigned)n);
	update(pic);
	return (uint8_t)(0x80 | n);
}

static uint8_t half_read(struct device *dev, struct pic_half *h,
			 uint64_t offset)
{
	struct pic *pic = (struct pic *)dev;
	uint8_t value;

	pthread_mutex_lock(&dev->vm->irq_lock);
	if (h->poll)
		value = poll(pic, h);
	else if (offset)
		value = h->imr;
	else
		value = h->read_isr ? h->isr : h->irr;
	pthread_mutex_unlock(&dev->vm->irq_lock);
	return value;
}

static uint64_t master_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return half_read(dev, &((struct pic *)dev)->master, offset);
}

static void master_write(struct device *dev, uint64_t offset, unsigned size,
			 uint64_t value)
{
	(void)size;
	half_write(dev, &((struct pic *)dev)->master, offset, (uint8_t)value);
}

static uint64_t slave_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)size;
	return half_read(dev, &((struct pic *)dev)->slave, offset);
}

static void slave_write(struct device *dev, uint64_t offset, unsigned size,
			uint64_t value)
{
	(void)size;
	half_write(dev, &((struct pic *)dev)->slave, offset, (uint8_t)value);
}

static uint64_t elcr_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct pic *pic = (struct pic *)dev;
	uint8_t value;

	(void)size;
	pthread_mutex_lock(&dev->vm->irq_lock);
	value = offset ? pic->slave.elcr : pic->master.elcr;
	pthread_mutex_unlock(&dev->vm->irq_lock);
	return value;
}

static void elcr_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	struct pic *pic = (struct pic *)dev;
	struct pic_half *h = offset ? &pic->slave : &pic->master;

	(void)size;
	pthread_mutex_lock(&dev->vm->irq_lock);
	h->elcr = (uint8_t)value & h->elcr_mask;
	/* Level-triggered inputs request as long as they are high. */
	h->irr = (uint8_t)((h->irr & ~h->elcr) | (h->lines & h->elcr));
	update(pic);
	pthread_mutex_unlock(&dev->vm->irq_lock);
}

static const struct region_ops master_ops = {
	.read = master_read, .write = master_write, .max_size = 1,
	.flags = REGION_UNLOCKED,
};
static const struct region_ops slave_ops = {
	.read = slave_read, .write = slave_write, .max_size = 1,
	.flags = REGION_UNLOCKED,
};
static const struct region_ops elcr_ops = {
	.read = elcr_read, .write = elcr_write, .max_size = 1,
	.flags = REGION_UNLOCKED,
};

static void half_reset(struct pic_half *h)
{
	h->elcr = 0;
	start_init(h, 0);
	h->base = 0;
	h->init = PIC_READY;
}

static void pic_reset(struct device *dev)
{
	struct pic *pic = (struct pic *)dev;

	pthread_mutex_lock(&dev->vm->irq_lock);
	half_reset(&pic->master);
	half_reset(&pic->slave);
	update(pic);
	pthread_mutex_unlock(&dev->vm->irq_lock);
}

static void pic_fini(struct device *dev)
{
	dev->vm->pic = NULL;
	free(dev);
}

static int half_loaded(void *obj, struct err *e)
{
	const struct pic_half *h = obj;

	if (h->elcr & ~h->elcr_mask)
		return fail(e, EINVAL, "elcr is 0x%x, must be within 0x%x",
			    h->elcr, h->elcr_mask);
	if (h->base & 7)
		return fail(e, EINVAL, "base is 0x%x, must be a multiple of 8",
			    h->base);
	return 0;
}

static int pic_loaded(void *obj, struct err *e)
{
	struct pic *pic = obj;
	struct vm *vm = pic->dev.vm;

	(void)e;
	pthread_mutex_lock(&vm->irq_lock);
	update(pic);
	irq_pic_out(vm, pic->out);
	pthread_mutex_unlock(&vm->irq_lock);
	return 0;
}

static const struct state_field half_fields[] = {
	STATE_NUMBER(struct pic_half, lines),
	STATE_NUMBER(struct pic_half, irr),
	STATE_NUMBER(struct pic_half, isr),
	STATE_NUMBER(struct pic_half, imr),
	STATE_NUMBER(struct pic_half, elcr),
	STATE_NUMBER(struct pic_half, base),
	STATE_NUMBER(struct pic_half, first, .max = 7),
	STATE_NUMBER(struct pic_half, init, .max = PIC_ICW4),
	STATE_NUMBER(struct pic_half, icw1),
	STATE_BOOL(struct pic_half, read_isr),
	STATE_BOOL(struct pic_half, poll),
	STATE_BOOL(struct pic_half, special_mask),
	STATE_BOOL(struct pic_half, auto_eoi),
	STATE_BOOL(struct pic_half, rotate_auto_eoi),
	STATE_BOOL(struct pic_half, special_nested),
};
STATE_TRANSIENT(struct pic_half, "which chip of the two it is", elcr_mask);

static const struct state_table half_state = {
	.version = 1, STATE_FIELDS(half_fields), .loaded = half_loaded,
};

static const struct state_field pic_fields[] = {
	STATE_OBJECT(struct pic, master, &half_state),
	STATE_OBJECT(struct pic, slave, &half_state),
};
STATE_TRANSIENT(struct pic, "how the machine was made", dev, region);
STATE_TRANSIENT(struct pic, "follows the halves", out);

static const struct state_table pic_state = {
	.version = 1, STATE_FIELDS(pic_fields), .loaded = pic_loaded,
};

static const struct device_ops pic_device_ops = {
	.name = "8259A", .reset = pic_reset, .fini = pic_fini,
	.state = &pic_state,
};

int pic_new(struct vm *vm, struct pic **out, struct err *e)
{
	struct pic *pic = calloc(1, sizeof(*pic));

	if (!pic)
		return fail_rc(e, -ENOMEM, "8259A");
	/* The timer, keyboard, cascade, RTC and FPU lines are edges always. */
	pic->master.elcr_mask = 0xf8;
	pic->slave.elcr_mask = 0xde;
	device_add(vm, &pic->dev, &pic_device_ops);
	bus_add(vm, &pic->region[0], &pic->dev, &master_ops, BUS_PIO, 0x20, 2);
	bus_add(vm, &pic->region[1], &pic->dev, &slave_ops, BUS_PIO, 0xa0, 2);
	bus_add(vm, &pic->region[2], &pic->dev, &elcr_ops, BUS_PIO, 0x4d0, 2);
	*out = pic;
	return 0;
}
