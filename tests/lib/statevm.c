/* SPDX-License-Identifier: GPL-2.0-or-later */
/* statevm.c - a machine with every device there is.  See statevm.h. */
#include "tests/lib/statevm.h"

#include <string.h>

#include "tests/check.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pic.h"
#include "vmm/chip/pit.h"

#define MEMORY (20u << 20)

static const uint16_t ports[] = {
	0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61,
};
static const uint32_t memory[] = {
	0xfec00000, 0xfec00010, 0xfec00040,
};

struct vm *statevm_new(void)
{
	struct vm *vm = fakevm_bare(MEMORY, 2);
	struct err e = { "" };

	CHECK_OK(pic_new(vm, &vm->pic, &e));
	CHECK_OK(ioapic_new(vm, &vm->ioapic, &e));
	CHECK_OK(pit_new(vm, &e));
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->reset)
			dev->ops->reset(dev);
	return vm;
}

static uint64_t roll(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void note(struct statevm_trace *t, uint64_t value, const char *what,
		 uint64_t where)
{
	CHECK(t->n < STATEVM_TRACE);
	snprintf(t->what[t->n], sizeof(t->what[0]), "%s 0x%llx", what,
		 (unsigned long long)where);
	t->values[t->n++] = value;
}

static void touch(struct vm *vm, enum bus_space space, uint64_t at,
		  uint64_t *random, struct statevm_trace *t)
{
	uint64_t r = roll(random);
	unsigned size = 1u << (r % (space == BUS_PIO ? 3 : 4));

	if (r >> 8 & 1)
		bus_write(vm, space, at, size, roll(random));
	else
		note(t, bus_read(vm, space, at, size),
		     space == BUS_PIO ? "port" : "memory", at);
}

static void one(struct vm *vm, uint64_t *random, struct statevm_trace *t)
{
	uint64_t r = roll(random), what = r % 16;
	struct irq_line line;

	r >>= 8;
	if (what < 8) {
		touch(vm, BUS_PIO, ports[r % (sizeof(ports) /
					      sizeof(ports[0]))], random, t);
	} else if (what < 11) {
		touch(vm, BUS_MMIO, memory[r % (sizeof(memory) /
						sizeof(memory[0]))], random, t);
	} else if (what == 11) {
		note(t, (uint64_t)irq_ack_pic(vm), "INTA", 0);
	} else if (what == 12) {
		irq_eoi(vm, (uint8_t)r);
	} else if (what == 13) {
		line = irq_isa(vm, r % 16);
		irq_set(&line, r >> 8 & 1);
	} else {
		fakevm_pass(vm, r % (what == 14 ? 100000 : 10000000));
	}
}

void statevm_operate(struct vm *vm, uint64_t seed, unsigned n,
		     struct statevm_trace *t)
{
	struct fakevm *f = fakevm_of(vm);
	uint64_t random = seed * 0x9e3779b97f4a7c15u | 1;

	for (unsigned i = 0; i < n; i++) {
		unsigned before = f->n_msi;

		one(vm, &random, t);
		note(t, f->ext_int, "ext_int at", i);
		for (; before < f->n_msi && before < FAKE_MAX_MSI; before++)
			note(t, f->msi[before].addr ^
			     (uint64_t)f->msi[before].data << 32,
			     "message", i);
		f->n_msi = 0;
		note(t, clock_next(vm), "next timer at", i);
	}
	for (unsigned pin = 0; pin < 24; pin++)
		note(t, f->routes[pin].addr ^
		     (uint64_t)f->routes[pin].data << 32 ^
		     f->routes[pin].masked, "route", pin);
}

void statevm_pause(struct vm *vm)
{
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->pause)
			dev->ops->pause(dev);
}

void statevm_resume(struct vm *vm)
{
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->resume)
			dev->ops->resume(dev);
}

void statevm_forget(struct vm *vm)
{
	fakevm_of(vm)->n_msi = 0;
}

void statevm_copy_memory(struct vm *to, struct vm *from)
{
	CHECK(to->mem.size == from->mem.size);
	memcpy(to->mem.base, from->mem.base, from->mem.size);
}
