/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testdev.c - devices for test suites: isa-debug-exit at port 0xf4, and what
 * kvm-unit-tests expects of QEMU's pc-testdev.
 *
 *	0xe0-0xe3	four bytes that keep what is written to them
 *	0xe4-0xe7	flush of a page's mapping: nothing to do, nobody there
 *	0xe8-0xeb	the same four bytes, accessed one by one
 *	0x2000-0x2017	level of the interrupt controllers' inputs 0 to 23
 *	0xff000000	64 KiB that keep what is written to them
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "imgfmt/base/bytes.h"
#include "ioapic.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define SCRATCH_ADDR	0xff000000u
#define SCRATCH_LEN	0x10000u
#define N_ISA		16u

struct testdev {
	struct device dev;
	struct region exit, word, bytes, lines, scratch;
	uint8_t port_bytes[4];
	uint8_t memory[SCRATCH_LEN];
};

static void exit_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	(void)offset;
	(void)size;
	vm_request_end(dev->vm, VM_DEBUG_EXIT, (unsigned)value << 1 | 1,
		       "isa-debug-exit");
}

static uint64_t bytes_read(const uint8_t *bytes, unsigned size)
{
	uint8_t le[8] = { 0 };

	memcpy(le, bytes, size);
	return get_le64(le);
}

static void bytes_write(uint8_t *bytes, unsigned size, uint64_t value)
{
	uint8_t le[8];

	put_le64(le, value);
	memcpy(bytes, le, size);
}

static uint64_t word_read(struct device *dev, uint64_t offset, unsigned size)
{
	return bytes_read(((struct testdev *)dev)->port_bytes + offset, size);
}

static void word_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	bytes_write(((struct testdev *)dev)->port_bytes + offset, size, value);
}

static void lines_write(struct device *dev, uint64_t offset, unsigned size,
			uint64_t value)
{
	struct vm *vm = dev->vm;
	struct irq_line irq;

	(void)size;
	if (offset < N_ISA) {
		irq = irq_isa(vm, (unsigned)offset);
		irq_set(&irq, value != 0);
		return;
	}
	pthread_mutex_lock(&vm->irq_lock);
	if (vm->ioapic)
		ioapic_set(vm->ioapic, (unsigned)offset, value != 0);
	pthread_mutex_unlock(&vm->irq_lock);
}

static uint64_t scratch_read(struct device *dev, uint64_t offset, unsigned size)
{
	return bytes_read(((struct testdev *)dev)->memory + offset, size);
}

static void scratch_write(struct device *dev, uint64_t offset, unsigned size,
			  uint64_t value)
{
	bytes_write(((struct testdev *)dev)->memory + offset, size, value);
}

static const struct region_ops exit_ops = {
	.write = exit_write, .max_size = 4,
};
static const struct region_ops word_ops = {
	.read = word_read, .write = word_write, .max_size = 4,
};
static const struct region_ops bytes_ops = {
	.read = word_read, .write = word_write, .max_size = 1,
};
static const struct region_ops lines_ops = {
	.write = lines_write, .max_size = 1,
};
static const struct region_ops scratch_ops = {
	.read = scratch_read, .write = scratch_write, .max_size = 8,
};

static void testdev_reset(struct device *dev)
{
	struct testdev *t = (struct testdev *)dev;

	memset(t->port_bytes, 0, sizeof(t->port_bytes));
	memset(t->memory, 0, sizeof(t->memory));
	for (unsigned line = 0; line < IOAPIC_PINS; line++)
		lines_write(dev, line, 1, 0);
}

static void testdev_fini(struct device *dev)
{
	free(dev);
}

static const struct state_field testdev_fields[] = {
	STATE_BYTES(struct testdev, port_bytes),
	STATE_BYTES(struct testdev, memory),
};
STATE_TRANSIENT(struct testdev, "how the machine was made",
		dev, exit, word, bytes, lines, scratch);

static const struct state_table testdev_state = {
	.version = 1, STATE_FIELDS(testdev_fields),
};

static const struct device_ops testdev_ops = {
	.name = "test devices", .reset = testdev_reset, .fini = testdev_fini,
	.state = &testdev_state,
};

int testdev_new(struct vm *vm, struct err *e)
{
	struct testdev *t = calloc(1, sizeof(*t));
	struct device *dev;

	if (!t)
		return fail_rc(e, -ENOMEM, "test devices");
	dev = &t->dev;
	device_add(vm, dev, &testdev_ops);
	bus_add(vm, &t->exit, dev, &exit_ops, BUS_PIO, 0xf4, 4);
	bus_add(vm, &t->word, dev, &word_ops, BUS_PIO, 0xe0, 4);
	bus_add(vm, &t->bytes, dev, &bytes_ops, BUS_PIO, 0xe8, 4);
	bus_add(vm, &t->lines, dev, &lines_ops, BUS_PIO, 0x2000, IOAPIC_PINS);
	bus_add(vm, &t->scratch, dev, &scratch_ops, BUS_MMIO, SCRATCH_ADDR,
		SCRATCH_LEN);
	return 0;
}
