/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i440fx.c - the host bridge (Intel 82441FX data sheet, 290549): which of
 * 0xc0000 to 0xfffff is RAM, and the reset control register at port 0xcf9.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/bytes.h"
#include "vmm/chip/pci_host.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define PAM0		0x59u	/* 0xf0000 in its upper half; 7 registers */
#define N_PAM_REGS	7u
#define PAM_READ	0x1u
#define PAM_WRITE	0x2u
#define PAM_BITS	0x7u	/* and cacheable */
#define SMRAM		0x72u

/* Port 0xcf9 (82371SB, 2.6.1): a reset when RESET is written. */
#define RCR_HARD	0x02u
#define RCR_RESET	0x04u

struct i440fx {
	struct device dev;
	struct pci_function fn;
	struct region rcr_region;
	uint8_t rcr;
};

static void set_pam(struct i440fx *b, unsigned slot, unsigned bits)
{
	mem_set_pam(b->dev.vm, slot, bits & PAM_READ, bits & PAM_WRITE);
}

/* Each register has two slots of 16 KiB, but the first, with one of 64 KiB. */
static void pam_written(struct pci_function *fn, unsigned reg, unsigned size)
{
	struct i440fx *b = (struct i440fx *)fn->dev;

	for (unsigned r = reg; r < reg + size; r++) {
		unsigned bits = fn->config[r], slot = 2 * (r - PAM0) - 2;

		if (r < PAM0 || r >= PAM0 + N_PAM_REGS)
			continue;
		if (r == PAM0) {
			set_pam(b, MEM_N_PAM - 1, bits >> 4);
		} else {
			set_pam(b, slot, bits);
			set_pam(b, slot + 1, bits >> 4);
		}
	}
}

static uint64_t rcr_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)offset;
	(void)size;
	return ((struct i440fx *)dev)->rcr;
}

static void rcr_write(struct device *dev, uint64_t offset, unsigned size,
		      uint64_t value)
{
	struct i440fx *b = (struct i440fx *)dev;

	(void)offset;
	(void)size;
	b->rcr = value & RCR_HARD;
	if (value & RCR_RESET)
		vm_request_reset(dev->vm, "port 0xcf9");
}

static const struct region_ops rcr_ops = {
	.read = rcr_read,
	.write = rcr_write,
	.max_size = 1,
};

/* The memory itself is reset by mem_reset(). */
static void i440fx_reset(struct device *dev)
{
	struct i440fx *b = (struct i440fx *)dev;

	b->rcr = 0;
	pci_function_reset(&b->fn);
	/* Without a ROM all of it is RAM from the start. */
	if (!dev->vm->mem.rom)
		for (unsigned i = 0; i < N_PAM_REGS; i++)
			b->fn.config[PAM0 + i] = i ? 0x33 : 0x30;
}

static void i440fx_fini(struct device *dev)
{
	free(dev);
}

static int i440fx_loaded(void *obj, struct err *e)
{
	struct i440fx *b = obj;

	(void)e;
	pam_written(&b->fn, PAM0, N_PAM_REGS);
	return 0;
}

static const struct state_field i440fx_fields[] = {
	STATE_OBJECT(struct i440fx, fn, &pci_function_state),
	STATE_NUMBER(struct i440fx, rcr, .max = RCR_HARD),
};
STATE_TRANSIENT(struct i440fx, "how the machine was made", dev, rcr_region);

static const struct state_table i440fx_state = {
	.version = 1, STATE_FIELDS(i440fx_fields), .loaded = i440fx_loaded,
};

static const struct device_ops i440fx_ops = {
	.name = "i440fx",
	.reset = i440fx_reset,
	.fini = i440fx_fini,
	.state = &i440fx_state,
};

int i440fx_new(struct vm *vm, struct err *e)
{
	struct i440fx *b = calloc(1, sizeof(*b));
	uint8_t *config;

	if (!b)
		return fail(e, ENOMEM, "i440FX: out of memory");
	device_add(vm, &b->dev, &i440fx_ops);
	config = b->fn.config;
	put_le16(config + PCI_VENDOR_ID, 0x8086);
	put_le16(config + PCI_DEVICE_ID, 0x1237);
	put_le16(config + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	put_le16(config + PCI_STATUS, 0x0280);	/* medium DEVSEL */
	config[PCI_REVISION] = 2;
	put_le16(config + PCI_CLASS, 0x0600);
	config[SMRAM] = 0x02;
	b->fn.writable[PAM0] = PAM_BITS << 4;
	for (unsigned i = 1; i < N_PAM_REGS; i++)
		b->fn.writable[PAM0 + i] = PAM_BITS << 4 | PAM_BITS;
	b->fn.config_written = pam_written;
	bus_add(vm, &b->rcr_region, &b->dev, &rcr_ops, BUS_PIO, 0xcf9, 1);
	return pci_add(vm, &b->fn, &b->dev, I440FX_DEVFN, e);
}
