/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debugport.c - the POST port 0x80 and the debug port 0x402 (SeaBIOS,
 * docs/Debugging.md; QEMU's isa-debugcon).
 *
 * What the host does not take is dropped: it is for people who look for a fault.
 * Only the CPU that writes waits for the host, as no lock is held.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "board.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define DEBUG_PRESENT 0xe9u

struct debugport {
	struct device dev;
	struct region post_region, region;
	_Atomic uint8_t post;
};

static uint64_t post_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)offset;
	(void)size;
	return ((struct debugport *)dev)->post;
}

static void post_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	(void)offset;
	(void)size;
	((struct debugport *)dev)->post = (uint8_t)value;
}

static uint64_t debug_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)offset;
	(void)size;
	return DEBUG_PRESENT;
}

static void debug_write(struct device *dev, uint64_t offset, unsigned size,
			uint64_t value)
{
	uint8_t byte = (uint8_t)value;

	(void)offset;
	(void)size;
	watch_text(dev->vm, WATCH_DEBUG, byte);
	if (dev->vm->config.debug_fd >= 0 &&
	    write(dev->vm->config.debug_fd, &byte, 1) != 1)
		return;		/* dropped */
}

/* Kernels write to port 0x80 to pass the time: it takes no lock. */
static const struct region_ops post_ops = {
	.read = post_read, .write = post_write, .max_size = 1,
	.flags = REGION_UNLOCKED,
};
static const struct region_ops debug_ops = {
	.read = debug_read, .write = debug_write, .max_size = 1,
	.flags = REGION_UNLOCKED,
};

static void debugport_fini(struct device *dev)
{
	free(dev);
}

static const struct state_field debugport_fields[] = {
	STATE_NUMBER(struct debugport, post),
};
STATE_TRANSIENT(struct debugport, "how the machine was made",
		dev, post_region, region);

static const struct state_table debugport_state = {
	.version = 1, STATE_FIELDS(debugport_fields),
};

static const struct device_ops debugport_ops = {
	.name = "debug ports", .fini = debugport_fini,
	.state = &debugport_state,
};

int debugport_new(struct vm *vm, struct err *e)
{
	struct debugport *d = calloc(1, sizeof(*d));

	if (!d)
		return fail_rc(e, -ENOMEM, "debug ports");
	device_add(vm, &d->dev, &debugport_ops);
	bus_add(vm, &d->post_region, &d->dev, &post_ops, BUS_PIO, 0x80, 1);
	bus_add(vm, &d->region, &d->dev, &debug_ops, BUS_PIO, 0x402, 1);
	return 0;
}
