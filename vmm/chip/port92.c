/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port92.c - system control port A, 0x92.  PIIX3 (290550), 2.6.3.
 *
 * Address line 20 is never masked here; the bit is kept for who reads it.
 */
#include <errno.h>
#include <stdlib.h>

#include "board.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define FAST_RESET	0x01u
#define A20		0x02u

struct port92 {
	struct device dev;
	struct region region;
	uint8_t value;
};

static uint64_t port92_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)offset;
	(void)size;
	return ((struct port92 *)dev)->value;
}

static void port92_write(struct device *dev, uint64_t offset, unsigned size,
			 uint64_t value)
{
	struct port92 *p = (struct port92 *)dev;
	bool rises = (value & FAST_RESET) && !(p->value & FAST_RESET);

	(void)offset;
	(void)size;
	p->value = value & (FAST_RESET | A20);
	if (rises)
		vm_request_reset(dev->vm, "port 0x92");
}

static const struct region_ops port92_region_ops = {
	.read = port92_read, .write = port92_write, .max_size = 1,
};

static void port92_reset(struct device *dev)
{
	((struct port92 *)dev)->value = A20;
}

static void port92_fini(struct device *dev)
{
	free(dev);
}

static const struct state_field port92_fields[] = {
	STATE_NUMBER(struct port92, value, .max = FAST_RESET | A20),
};
STATE_TRANSIENT(struct port92, "how the machine was made", dev, region);

static const struct state_table port92_state = {
	.version = 1, STATE_FIELDS(port92_fields),
};

static const struct device_ops port92_ops = {
	.name = "port 0x92", .reset = port92_reset, .fini = port92_fini,
	.state = &port92_state,
};

int port92_new(struct vm *vm, struct err *e)
{
	struct port92 *p = calloc(1, sizeof(*p));

	if (!p)
		return fail_rc(e, -ENOMEM, "port 0x92");
	p->value = A20;
	device_add(vm, &p->dev, &port92_ops);
	bus_add(vm, &p->region, &p->dev, &port92_region_ops, BUS_PIO, 0x92, 1);
	return 0;
}
