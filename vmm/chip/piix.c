/* SPDX-License-Identifier: GPL-2.0-or-later */
/* piix.c - the PIIX3's ISA bridge (Intel 82371SB data sheet, 290550): it routes
 * PCI's interrupt wires, PIRQA to PIRQD, to ISA lines.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/bytes.h"
#include "vmm/chip/pci_host.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define N_ISA		16u
/* Lines 0, 1, 2, 8 and 13 cannot be chosen (2.3.6). */
#define ROUTABLE	0xdef8u

struct piix3 {
	struct device dev;
	struct pci_function fn;

	/* Inside the PCI bus's interrupt lock, outside vm->irq_lock. */
	pthread_mutex_t lock;
	uint8_t route[PCI_N_PIRQS];
	bool pirqs[PCI_N_PIRQS];
	bool others[N_ISA];		/* piix3_irq() */
	bool out[N_ISA];
};

/* The lock is held. */
static void update(struct piix3 *p)
{
	bool level[N_ISA];

	memcpy(level, p->others, sizeof(level));
	for (unsigned i = 0; i < PCI_N_PIRQS; i++) {
		unsigned n = p->route[i];

		if (n < N_ISA && (ROUTABLE >> n & 1))
			level[n] = level[n] || p->pirqs[i];
	}
	for (unsigned n = 0; n < N_ISA; n++) {
		struct irq_line line = irq_isa(p->dev.vm, n);

		if (level[n] != p->out[n])
			irq_set(&line, level[n]);
		p->out[n] = level[n];
	}
}

static void set_pirq(void *chip, unsigned pirq, bool level)
{
	struct piix3 *p = chip;

	pthread_mutex_lock(&p->lock);
	p->pirqs[pirq] = level;
	update(p);
	pthread_mutex_unlock(&p->lock);
}

static void set_other(void *chip, unsigned n, bool level)
{
	struct piix3 *p = chip;

	pthread_mutex_lock(&p->lock);
	p->others[n] = level;
	update(p);
	pthread_mutex_unlock(&p->lock);
}

struct irq_line piix3_irq(struct vm *vm, unsigned n)
{
	struct pci_function *fn = pci_find(vm->pci, PIIX3_DEVFN);

	return (struct irq_line){ set_other, fn->dev, n };
}

static void update_route(struct piix3 *p)
{
	pthread_mutex_lock(&p->lock);
	memcpy(p->route, p->fn.config + PIIX3_PIRQ_ROUTE, sizeof(p->route));
	update(p);
	pthread_mutex_unlock(&p->lock);
}

static void config_written(struct pci_function *fn, unsigned reg, unsigned size)
{
	(void)size;
	if (reg / 4 == PIIX3_PIRQ_ROUTE / 4)
		update_route((struct piix3 *)fn->dev);
}

static void piix3_reset(struct device *dev)
{
	struct piix3 *p = (struct piix3 *)dev;

	pci_function_reset(&p->fn);
	update_route(p);
}

static void piix3_fini(struct device *dev)
{
	struct piix3 *p = (struct piix3 *)dev;

	pthread_mutex_destroy(&p->lock);
	free(p);
}

static int piix3_loaded(void *obj, struct err *e)
{
	struct piix3 *p = obj;

	(void)e;
	pthread_mutex_lock(&p->lock);
	memcpy(p->route, p->fn.config + PIIX3_PIRQ_ROUTE, sizeof(p->route));
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static const struct state_field piix3_fields[] = {
	STATE_OBJECT(struct piix3, fn, &pci_function_state),
	STATE_BOOLS(struct piix3, pirqs),
	STATE_BOOLS(struct piix3, others),
	STATE_BOOLS(struct piix3, out),
};
STATE_TRANSIENT(struct piix3, "how the machine was made", dev, lock);
STATE_TRANSIENT(struct piix3, "registers in fn", route);

static const struct state_table piix3_state = {
	.version = 1, STATE_FIELDS(piix3_fields), .loaded = piix3_loaded,
};

static const struct device_ops piix3_ops = {
	.name = "piix3",
	.reset = piix3_reset,
	.fini = piix3_fini,
	.state = &piix3_state,
};

/* Registers that software writes, and whose effect we have not: they keep what
 * was written (data sheet, 2.3).
 */
static void init_config(struct pci_function *fn)
{
	static const struct { uint8_t reg, value, writable; } regs[] = {
		{ PCI_HEADER_TYPE, 0x80, 0 },	/* several functions */
		{ 0x4c, 0x4d, 0x7f },		/* I/O recovery */
		{ 0x4e, 0x03, 0xff },		/* X-bus chip selects */
		{ 0x4f, 0x00, 0x01 },
		{ 0x69, 0x02, 0xfe },		/* top of memory */
		{ 0x6a, 0x00, 0x10 },
		{ 0x70, 0x80, 0xef },		/* motherboard IRQ */
		{ 0x76, 0x0c, 0x8f },		/* motherboard DMA */
		{ 0x77, 0x0c, 0x8f },
		{ 0x78, 0x02, 0xff },		/* chip select */
		{ 0xa0, 0x08, 0x1f },		/* SMI, which we never send */
	};

	put_le16(fn->config + PCI_VENDOR_ID, 0x8086);
	put_le16(fn->config + PCI_DEVICE_ID, 0x7000);
	put_le16(fn->config + PCI_COMMAND, PCI_COMMAND_IO |
		 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	put_le16(fn->config + PCI_STATUS, 0x0280);	/* medium DEVSEL */
	put_le16(fn->config + PCI_CLASS, 0x0601);
	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		fn->config[regs[i].reg] = regs[i].value;
		fn->writable[regs[i].reg] = regs[i].writable;
	}
	memset(fn->config + PIIX3_PIRQ_ROUTE, PIIX3_PIRQ_OFF, PCI_N_PIRQS);
	memset(fn->writable + PIIX3_PIRQ_ROUTE, 0x8f, PCI_N_PIRQS);
}

int piix3_new(struct vm *vm, struct err *e)
{
	struct piix3 *p = calloc(1, sizeof(*p));

	if (!p)
		return fail(e, ENOMEM, "PIIX3: out of memory");
	pthread_mutex_init(&p->lock, NULL);
	device_add(vm, &p->dev, &piix3_ops);
	init_config(&p->fn);
	memcpy(p->route, p->fn.config + PIIX3_PIRQ_ROUTE, sizeof(p->route));
	p->fn.config_written = config_written;
	for (unsigned i = 0; i < PCI_N_PIRQS; i++) {
		struct irq_line line = { set_pirq, p, i };

		pci_set_pirq_line(vm->pci, i, &line);
	}
	return pci_add(vm, &p->fn, &p->dev, PIIX3_DEVFN, e);
}
