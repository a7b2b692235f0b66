/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci.c - the PCI bus: configuration mechanism 1 and headers of type 0 (PCI
 * Local Bus 3.0, 3.2.2.3 and chapter 6).
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/bytes.h"
#include "vmm/chip/pci.h"
#include "vmm/chip/pci_host.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define N_DEVFN		256u
#define FIRST_SLOT	2u
#define N_SLOTS		32u

#define CACHE_LINE	0x0cu
#define LATENCY		0x0du
#define FIRST_CAP	0x40u	/* behind the header */

#define ADDRESS_ON	0x80000000u
#define ADDRESS_BITS	0x80fffffcu

/* PCI 3.0, 6.2.5.1 */
#define BAR_IO		0x1u
#define BAR_64		0x4u
#define BAR_PREFETCH	0x8u

struct pci_bus {
	struct device dev;
	struct region address_region, data_region;
	uint32_t address;		/* CONFIG_ADDRESS */
	struct pci_function *fns[N_DEVFN];

	/* Outside vm->irq_lock: the pins and the PIRQ wires. */
	pthread_mutex_t intx_lock;
	struct irq_line pirqs[PCI_N_PIRQS];
	unsigned asserted[PCI_N_PIRQS];	/* functions that pull the wire */
};

/* Base address registers. */

static unsigned bar_reg(unsigned i)
{
	return PCI_BAR0 + 4 * i;
}

void pci_bar_init(struct pci_function *fn, unsigned i, enum bus_space space,
		  uint64_t len, bool is_64, const struct region_ops *ops)
{
	struct pci_bar *bar = &fn->bars[i];
	uint64_t mask = ~(len - 1);
	uint32_t type = space == BUS_PIO ? BAR_IO : 0;

	bar->region.ops = ops;
	bar->region.space = space;
	bar->region.len = len;
	bar->is_64 = is_64;
	if (is_64)
		type |= BAR_64;
	if (bar->prefetch)
		type |= BAR_PREFETCH;
	put_le32(fn->config + bar_reg(i), type);
	mask &= space == BUS_PIO ? ~3ull : ~15ull;
	put_le32(fn->writable + bar_reg(i), (uint32_t)mask);
	if (is_64)
		put_le32(fn->writable + bar_reg(i + 1),
			 (uint32_t)(mask >> 32));
}

/* Where the register says the BAR is; false if nothing can be there.  Address 0
 * means "not assigned", and a BAR that ends at the end of its space is one that
 * is just being sized.
 */
static bool bar_base(const struct pci_function *fn, unsigned i, uint64_t *base)
{
	const struct pci_bar *bar = &fn->bars[i];
	uint64_t len = bar->region.len, end;

	*base = get_le32(fn->config + bar_reg(i)) &
		get_le32(fn->writable + bar_reg(i));
	if (bar->is_64)
		*base |= (uint64_t)get_le32(fn->config + bar_reg(i + 1)) << 32;
	if (!*base || !add_ok(*base, len, &end))
		return false;
	if (bar->region.space == BUS_PIO)
		return end <= 0x10000;
	return bar->is_64 || end <= UINT32_MAX;
}

static void bars_update(struct pci_function *fn)
{
	unsigned command = get_le16(fn->config + PCI_COMMAND);

	for (unsigned i = 0; i < PCI_N_BARS; i++) {
		struct region *r = &fn->bars[i].region;
		unsigned bit = r->space == BUS_PIO ? PCI_COMMAND_IO :
			       PCI_COMMAND_MEMORY;
		uint64_t base;
		bool on;

		if (!r->ops)
			continue;
		on = bar_base(fn, i, &base) && (command & bit);
		if (on == r->on && (!on || base == r->base))
			continue;
		bus_move(fn->dev->vm, r, on ? base : 0, on);
		if (fn->bar_moved)
			fn->bar_moved(fn, i);
	}
}

/* Interrupt pins. */

unsigned pci_pirq(unsigned devfn, unsigned pin)
{
	return ((devfn >> 3) + pin - 2) % PCI_N_PIRQS;
}

void pci_set_pirq_line(struct pci_bus *bus, unsigned pirq,
		       const struct irq_line *line)
{
	bus->pirqs[pirq] = *line;
}

/* The bus's interrupt lock is held. */
static void intx_update(struct pci_function *fn)
{
	unsigned pin = fn->initial[PCI_INTERRUPT_PIN];
	bool level = fn->intx && !fn->intx_off;
	struct pci_bus *bus = fn->bus;
	unsigned pirq;

	if (!pin || level == fn->intx_driven)
		return;
	pirq = pci_pirq(fn->devfn, pin);
	fn->intx_driven = level;
	bus->asserted[pirq] += level ? 1u : -1u;
	irq_set(&bus->pirqs[pirq], bus->asserted[pirq] > 0);
}

void pci_set_intx(struct pci_function *fn, bool level)
{
	pthread_mutex_lock(&fn->bus->intx_lock);
	fn->intx = level;
	intx_update(fn);
	pthread_mutex_unlock(&fn->bus->intx_lock);
}

static void intx_command(struct pci_function *fn)
{
	pthread_mutex_lock(&fn->bus->intx_lock);
	fn->intx_off = get_le16(fn->config + PCI_COMMAND) &
		       PCI_COMMAND_INTX_OFF;
	intx_update(fn);
	pthread_mutex_unlock(&fn->bus->intx_lock);
}

static void status_update(struct pci_function *fn)
{
	pthread_mutex_lock(&fn->bus->intx_lock);
	fn->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTERRUPT;
	if (fn->intx)
		fn->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	pthread_mutex_unlock(&fn->bus->intx_lock);
}

/* Configuration space. */

uint32_t pci_config_read(struct pci_function *fn, unsigned reg, unsigned size)
{
	uint32_t value = 0;

	if (reg / 4 == PCI_STATUS / 4)
		status_update(fn);
	if (fn->config_read)
		fn->config_read(fn, reg, size);
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)fn->config[reg + i] << 8 * i;
	return value;
}

void pci_config_write(struct pci_function *fn, unsigned reg, unsigned size,
		      uint32_t value)
{
	unsigned end = reg + size;

	for (unsigned i = reg; i < end; i++, value >>= 8)
		fn->config[i] = (uint8_t)((fn->config[i] & ~fn->writable[i]) |
					  (value & fn->writable[i]));
	if (reg / 4 == PCI_COMMAND / 4)
		intx_command(fn);
	if (reg / 4 == PCI_COMMAND / 4 ||
	    (reg >= PCI_BAR0 && reg < bar_reg(PCI_N_BARS)))
		bars_update(fn);
	if (fn->config_written)
		fn->config_written(fn, reg, size);
}

void pci_function_reset(struct pci_function *fn)
{
	pci_set_intx(fn, false);
	memcpy(fn->config, fn->initial, sizeof(fn->config));
	intx_command(fn);
	bars_update(fn);
}

/* The ports. */

static uint64_t address_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct pci_bus *bus = (struct pci_bus *)dev;

	return offset == 0 && size == 4 ? bus->address : UINT64_MAX;
}

/* Only whole dwords reach the register; narrower ones are other ports. */
static void address_write(struct device *dev, uint64_t offset, unsigned size,
			  uint64_t value)
{
	struct pci_bus *bus = (struct pci_bus *)dev;

	if (offset == 0 && size == 4)
		bus->address = (uint32_t)value & ADDRESS_BITS;
}

static struct pci_function *selected(struct pci_bus *bus)
{
	if (!(bus->address & ADDRESS_ON) || (bus->address >> 16 & 0xff))
		return NULL;
	return bus->fns[bus->address >> 8 & 0xff];
}

static uint64_t data_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct pci_bus *bus = (struct pci_bus *)dev;
	struct pci_function *fn = selected(bus);

	if (!fn || offset + size > 4)
		return UINT64_MAX;
	return pci_config_read(fn, (bus->address & 0xfc) + (unsigned)offset,
			       size);
}

static void data_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	struct pci_bus *bus = (struct pci_bus *)dev;
	struct pci_function *fn = selected(bus);

	if (fn && offset + size <= 4)
		pci_config_write(fn, (bus->address & 0xfc) + (unsigned)offset,
				 size, (uint32_t)value);
}

static const struct region_ops address_ops = {
	.read = address_read,
	.write = address_write,
	.max_size = 4,
};

static const struct region_ops data_ops = {
	.read = data_read,
	.write = data_write,
	.max_size = 4,
};

/* Making the bus. */

unsigned pci_add_capability(struct pci_function *fn, const void *cap,
			    unsigned len)
{
	unsigned at = fn->cap_end ? fn->cap_end : FIRST_CAP;
	unsigned last = PCI_CAP_POINTER;

	if (!in_range(at, len, PCI_CONFIG_SIZE) || len < 2)
		return 0;
	while (fn->config[last])
		last = fn->config[last] + 1u;
	memcpy(fn->config + at, cap, len);
	fn->config[at + 1] = 0;
	fn->config[last] = (uint8_t)at;
	fn->cap_end = (uint16_t)round_up(at + len, 4);
	fn->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	return at;
}

static int find_slot(const struct pci_bus *bus)
{
	for (unsigned slot = FIRST_SLOT; slot < N_SLOTS; slot++)
		if (!bus->fns[PCI_DEVFN(slot, 0)])
			return (int)PCI_DEVFN(slot, 0);
	return -1;
}

int pci_add(struct vm *vm, struct pci_function *fn, struct device *dev,
	    int devfn, struct err *e)
{
	struct pci_bus *bus = vm->pci;

	if (devfn < 0)
		devfn = find_slot(bus);
	if (devfn < 0)
		return fail(e, ENOSPC, "PCI: all %u slots are taken", N_SLOTS);
	fn->dev = dev;
	fn->bus = bus;
	fn->devfn = (uint8_t)devfn;
	bus->fns[fn->devfn] = fn;
	put_le16(fn->writable + PCI_COMMAND, PCI_COMMAND_IO |
		 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
		 PCI_COMMAND_INTX_OFF);
	fn->writable[CACHE_LINE] = 0xff;
	fn->writable[LATENCY] = 0xff;
	fn->writable[PCI_INTERRUPT_LINE] = 0xff;
	memcpy(fn->initial, fn->config, sizeof(fn->initial));
	for (unsigned i = 0; i < PCI_N_BARS; i++) {
		struct region *r = &fn->bars[i].region;

		if (!r->ops)
			continue;
		bus_add(vm, r, dev, r->ops, r->space, 0, r->len);
		bus_move(vm, r, 0, false);
	}
	return 0;
}

struct pci_function *pci_find(struct pci_bus *bus, unsigned devfn)
{
	return devfn < N_DEVFN ? bus->fns[devfn] : NULL;
}

static void bus_reset(struct device *dev)
{
	((struct pci_bus *)dev)->address = 0;
}

static void bus_fini(struct device *dev)
{
	struct pci_bus *bus = (struct pci_bus *)dev;

	pthread_mutex_destroy(&bus->intx_lock);
	free(bus);
}

/* What of the config space is fixed says which device this is. */
static int function_loaded(void *obj, struct err *e)
{
	struct pci_function *fn = obj;

	for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++) {
		unsigned changed = fn->config[i] ^ fn->initial[i];

		changed &= ~(unsigned)fn->writable[i];
		if (i == PCI_STATUS)
			changed &= ~PCI_STATUS_INTERRUPT;
		if (changed)
			return fail(e, EINVAL, "byte 0x%02x of the PCI "
				    "configuration is 0x%02x, and 0x%02x in "
				    "this machine", i, fn->config[i],
				    fn->initial[i]);
	}
	bars_update(fn);
	return 0;
}

static const struct state_field function_fields[] = {
	STATE_NUMBER(struct pci_function, devfn, .same = true),
	STATE_BYTES(struct pci_function, config),
	STATE_BOOL(struct pci_function, intx),
};
STATE_TRANSIENT(struct pci_function, "how the machine was made",
		dev, bus, initial, writable, cap_end, config_read,
		bar_moved,
		config_written);
STATE_TRANSIENT(struct pci_function, "what config says",
		bars, intx_off, intx_driven);

const struct state_table pci_function_state = {
	.version = 1, STATE_FIELDS(function_fields), .loaded = function_loaded,
};

/* Which wires are pulled follows from the functions. */
static int bus_loaded(void *obj, struct err *e)
{
	struct pci_bus *bus = obj;
	unsigned i;

	if (bus->address & ~ADDRESS_BITS)
		return fail(e, EINVAL, "address is 0x%x, must be within 0x%x",
			    bus->address, ADDRESS_BITS);
	pthread_mutex_lock(&bus->intx_lock);
	memset(bus->asserted, 0, sizeof(bus->asserted));
	for (i = 0; i < N_DEVFN; i++) {
		struct pci_function *fn = bus->fns[i];
		unsigned pin = fn ? fn->initial[PCI_INTERRUPT_PIN] : 0;

		if (!pin)
			continue;
		fn->intx_off = get_le16(fn->config + PCI_COMMAND) &
			       PCI_COMMAND_INTX_OFF;
		fn->intx_driven = fn->intx && !fn->intx_off;
		bus->asserted[pci_pirq(i, pin)] += fn->intx_driven;
	}
	pthread_mutex_unlock(&bus->intx_lock);
	return 0;
}

static const struct state_field bus_fields[] = {
	STATE_NUMBER(struct pci_bus, address),
};
STATE_TRANSIENT(struct pci_bus, "how the machine was made",
		dev, address_region, data_region, fns, intx_lock);
STATE_TRANSIENT(struct pci_bus, "what the functions drive; wires stay",
		pirqs, asserted);

static const struct state_table bus_state = {
	.version = 1, STATE_FIELDS(bus_fields), .loaded = bus_loaded,
};

static const struct device_ops bus_ops = {
	.name = "pci",
	.reset = bus_reset,
	.fini = bus_fini,
	.state = &bus_state,
};

int pci_bus_new(struct vm *vm, struct pci_bus **out, struct err *e)
{
	struct pci_bus *bus = calloc(1, sizeof(*bus));
	int rc;

	if (!bus)
		return fail(e, ENOMEM, "PCI: out of memory");
	pthread_mutex_init(&bus->intx_lock, NULL);
	device_add(vm, &bus->dev, &bus_ops);
	*out = vm->pci = bus;
	/* The bridge's port 0xcf9 lies inside the address register. */
	rc = i440fx_new(vm, e);
	if (!rc)
		rc = piix3_new(vm, e);
	bus_add(vm, &bus->address_region, &bus->dev, &address_ops, BUS_PIO,
		0xcf8, 4);
	bus_add(vm, &bus->data_region, &bus->dev, &data_ops, BUS_PIO, 0xcfc, 4);
	return rc;
}
