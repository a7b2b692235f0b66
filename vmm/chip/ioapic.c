/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ioapic.c - the I/O APIC.  Intel 82093AA data sheet (290566); the EOI register
 * and the form of the messages are the ICH9's (316972, 13.5 and 5.8.5).
 *
 * irq_set() says whether a line is asserted, so the polarity bit of an entry is
 * kept for who reads it and changes nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "ioapic.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define IOAPIC_LEN	0x1000u
#define IOREGSEL	0x00u
#define IOWIN		0x10u
#define EOI		0x40u

#define REG_ID		0x00u
#define REG_VERSION	0x01u
#define REG_ARB		0x02u
#define REG_RTE		0x10u	/* two for each pin */

#define VERSION_VALUE	((IOAPIC_PINS - 1) << 16 | 0x20u)

/* The low dword of an entry. */
#define RTE_VECTOR	0x000ffu
#define RTE_MODE	0x00700u
#define RTE_LOGICAL	0x00800u
#define RTE_REMOTE_IRR	0x04000u
#define RTE_LEVEL	0x08000u
#define RTE_MASKED	0x10000u
#define RTE_WRITABLE	0x1afffu

#define MODE_LOWEST	0x00100u

#define MSI_ASSERT	0x04000u
#define MSI_LOGICAL	0x4u
#define MSI_REDIRECT	0x8u

struct rte {
	uint32_t low, high;
};

struct ioapic {
	struct device dev;
	struct region region;
	uint32_t select, id;
	uint32_t lines;			/* the inputs as they are */
	struct rte rte[IOAPIC_PINS];
};

/* Only fixed and lowest priority can be level-triggered: nobody ends an NMI. */
static bool is_level(const struct rte *r)
{
	return (r->low & RTE_LEVEL) && (r->low & RTE_MODE) <= MODE_LOWEST;
}

static void message(const struct rte *r, uint64_t *addr, uint32_t *data)
{
	*addr = 0xfee00000u | (r->high >> 24) << 12;
	if (r->low & RTE_LOGICAL)
		*addr |= MSI_LOGICAL;
	if ((r->low & RTE_MODE) == MODE_LOWEST)
		*addr |= MSI_REDIRECT;
	*data = r->low & (RTE_VECTOR | RTE_MODE);
	if (is_level(r))
		*data |= RTE_LEVEL | MSI_ASSERT;
}

static void deliver(struct ioapic *io, struct rte *r)
{
	struct vm *vm = io->dev.vm;
	uint64_t addr;
	uint32_t data;

	if (is_level(r))
		r->low |= RTE_REMOTE_IRR;
	message(r, &addr, &data);
	vm->accel->msi(vm, addr, data);
}

/* A level-triggered pin that is asserted, and not being served. */
static void deliver_level(struct ioapic *io, unsigned pin)
{
	struct rte *r = &io->rte[pin];

	if (is_level(r) && !(r->low & (RTE_MASKED | RTE_REMOTE_IRR)) &&
	    (io->lines & 1u << pin))
		deliver(io, r);
}

void ioapic_set(struct ioapic *io, unsigned pin, bool level)
{
	struct rte *r;
	bool rose;

	if (pin >= IOAPIC_PINS)
		return;
	r = &io->rte[pin];
	rose = level && !(io->lines & 1u << pin);
	if (level)
		io->lines |= 1u << pin;
	else
		io->lines &= ~(1u << pin);
	if (is_level(r))
		deliver_level(io, pin);
	else if (rose && !(r->low & RTE_MASKED))
		deliver(io, r);		/* an edge while masked is lost */
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		struct rte *r = &io->rte[pin];

		if (!(r->low & RTE_REMOTE_IRR) ||
		    (r->low & RTE_VECTOR) != vector)
			continue;
		r->low &= ~RTE_REMOTE_IRR;
		deliver_level(io, pin);
	}
}

static void tell_route(struct ioapic *io, unsigned pin)
{
	struct vm *vm = io->dev.vm;
	const struct rte *r = &io->rte[pin];
	uint64_t addr;
	uint32_t data;

	if (!vm->accel->route)
		return;
	message(r, &addr, &data);
	vm->accel->route(vm, pin, r->low & RTE_MASKED, addr, data);
}

static void rte_write(struct ioapic *io, unsigned pin, bool high,
		      uint32_t value)
{
	struct rte *r = &io->rte[pin];

	if (high)
		r->high = value & 0xff000000u;
	else
		r->low = (value & RTE_WRITABLE) | (r->low & RTE_REMOTE_IRR);
	/* Software ends an interrupt so where there is no EOI register. */
	if (!is_level(r))
		r->low &= ~RTE_REMOTE_IRR;
	tell_route(io, pin);
	deliver_level(io, pin);
}

static uint32_t reg_read(const struct ioapic *io, uint32_t reg)
{
	const struct rte *r;

	switch (reg) {
	case REG_ID:
	case REG_ARB:
		return io->id;
	case REG_VERSION:
		return VERSION_VALUE;
	}
	if (reg < REG_RTE || reg >= REG_RTE + 2 * IOAPIC_PINS)
		return 0;
	r = &io->rte[(reg - REG_RTE) / 2];
	return reg & 1 ? r->high : r->low;
}

static void reg_write(struct ioapic *io, uint32_t reg, uint32_t value)
{
	if (reg == REG_ID)
		io->id = value & 0x0f000000u;
	else if (reg >= REG_RTE && reg < REG_RTE + 2 * IOAPIC_PINS)
		rte_write(io, (reg - REG_RTE) / 2, reg & 1, value);
}

static uint64_t mmio_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct ioapic *io = (struct ioapic *)dev;
	uint64_t value = 0;

	pthread_mutex_lock(&dev->vm->irq_lock);
	if (offset == IOREGSEL)
		value = io->select;
	else if (offset == IOWIN && size == 4)
		value = reg_read(io, io->select);
	pthread_mutex_unlock(&dev->vm->irq_lock);
	return value;
}

static void mmio_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	struct ioapic *io = (struct ioapic *)dev;

	pthread_mutex_lock(&dev->vm->irq_lock);
	if (offset == IOREGSEL)
		io->select = value & 0xff;
	else if (offset == IOWIN && size == 4)
		reg_write(io, io->select, (uint32_t)value);
	else if (offset == EOI)
		ioapic_eoi(io, (uint8_t)value);
	pthread_mutex_unlock(&dev->vm->irq_lock);
}

static const struct region_ops mmio_ops = {
	.read = mmio_read, .write = mmio_write, .max_size = 4,
	.flags = REGION_UNLOCKED,
};

static void ioapic_reset(struct device *dev)
{
	struct ioapic *io = (struct ioapic *)dev;

	pthread_mutex_lock(&dev->vm->irq_lock);
	io->select = io->id = 0;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		io->rte[pin] = (struct rte){ .low = RTE_MASKED };
		tell_route(io, pin);
	}
	pthread_mutex_unlock(&dev->vm->irq_lock);
}

static void ioapic_fini(struct device *dev)
{
	dev->vm->ioapic = NULL;
	free(dev);
}

static int ioapic_loaded(void *obj, struct err *e)
{
	struct ioapic *io = obj;
	unsigned pin;

	for (pin = 0; pin < IOAPIC_PINS; pin++) {
		const struct rte *r = &io->rte[pin];

		if ((r->low & ~(RTE_WRITABLE | RTE_REMOTE_IRR)) ||
		    (r->high & 0xffffffu))
			return fail(e, EINVAL, "the entry of pin %u is "
				    "0x%08x%08x, which sets bits that are "
				    "always 0", pin, r->high, r->low);
	}
	pthread_mutex_lock(&io->dev.vm->irq_lock);
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		tell_route(io, pin);
	pthread_mutex_unlock(&io->dev.vm->irq_lock);
	return 0;
}

static const struct state_field rte_fields[] = {
	STATE_NUMBER(struct rte, low),
	STATE_NUMBER(struct rte, high),
};

static const struct state_table rte_state = {
	.version = 1, STATE_FIELDS(rte_fields),
};

static const struct state_field ioapic_fields[] = {
	STATE_NUMBER(struct ioapic, select, .max = 0xff),
	STATE_NUMBER(struct ioapic, id),
	STATE_NUMBER(struct ioapic, lines, .max = (1u << IOAPIC_PINS) - 1),
	STATE_OBJECTS(struct ioapic, rte, &rte_state),
};
STATE_TRANSIENT(struct ioapic, "how the machine was made", dev, region);

static const struct state_table ioapic_state = {
	.version = 1, STATE_FIELDS(ioapic_fields), .loaded = ioapic_loaded,
};

static const struct device_ops ioapic_ops = {
	.name = "I/O APIC", .reset = ioapic_reset, .fini = ioapic_fini,
	.state = &ioapic_state,
};

int ioapic_new(struct vm *vm, struct ioapic **out, struct err *e)
{
	struct ioapic *io = calloc(1, sizeof(*io));

	if (!io)
		return fail_rc(e, -ENOMEM, "I/O APIC");
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		io->rte[pin].low = RTE_MASKED;
	device_add(vm, &io->dev, &ioapic_ops);
	bus_add(vm, &io->region, &io->dev, &mmio_ops, BUS_MMIO, IOAPIC_BASE,
		IOAPIC_LEN);
	*out = io;
	return 0;
}
