/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci.h - one PCI bus with configuration mechanism 1 (PCI Local Bus 3.0, 3.2.2
 * and chapter 6), behind the ports 0xcf8 to 0xcff of the i440FX.
 *
 * Single-function devices of our own sit at slots 2 and above; slot 0 is the
 * host bridge, slot 1 the PIIX3 with its power management function.  All calls
 * hold the machine lock, or come before the machine runs, but for pci_set_intx().
 */
#ifndef CHIP_PCI_H
#define CHIP_PCI_H

#include "vmm/bus.h"
#include "vmm/irq.h"

#define PCI_N_BARS	6u
#define PCI_N_PIRQS	4u
#define PCI_CONFIG_SIZE	256u
#define PCI_DEVFN(slot, fn) ((slot) << 3 | (fn))

/* Registers of a header of type 0 (PCI 3.0, 6.1). */
#define PCI_VENDOR_ID		0x00u
#define PCI_DEVICE_ID		0x02u
#define PCI_COMMAND		0x04u
#define PCI_STATUS		0x06u
#define PCI_REVISION		0x08u
#define PCI_CLASS_PROG		0x09u
#define PCI_CLASS		0x0au
#define PCI_HEADER_TYPE		0x0eu
#define PCI_BAR0		0x10u
#define PCI_SUBSYSTEM_VENDOR	0x2cu
#define PCI_SUBSYSTEM		0x2eu
#define PCI_CAP_POINTER		0x34u
#define PCI_INTERRUPT_LINE	0x3cu
#define PCI_INTERRUPT_PIN	0x3du

#define PCI_COMMAND_IO		0x0001u
#define PCI_COMMAND_MEMORY	0x0002u
#define PCI_COMMAND_MASTER	0x0004u
#define PCI_COMMAND_INTX_OFF	0x0400u
#define PCI_STATUS_INTERRUPT	0x0008u
#define PCI_STATUS_CAP_LIST	0x0010u

struct pci_bus;
struct state_table;

struct pci_bar {
	struct region region;	/* ops NULL: no such register */
	bool is_64;		/* uses the next register too */
	bool prefetch;		/* set before pci_bar_init() */
};

/* A part of a device's struct.  Fill in config (ids, class, capabilities) and
 * writable, then pci_add().
 */
struct pci_function {
	struct device *dev;
	struct pci_bus *bus;
	uint8_t devfn;
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t initial[PCI_CONFIG_SIZE];	/* config after a reset */
	uint8_t writable[PCI_CONFIG_SIZE];	/* bits that software may change */
	uint16_t cap_end;			/* pci_add_capability()'s */
	struct pci_bar bars[PCI_N_BARS];

	/* The INTx pin, under the bus's interrupt lock: what pci_set_intx() last
	 * said, COMMAND.INTX_OFF, and what the wire got.
	 */
	bool intx, intx_off, intx_driven;

	/* Called before a read and after a write of config bytes [reg, reg +
	 * size), size 1, 2 or 4, within one dword.  Optional.
	 */
	void (*config_read)(struct pci_function *fn, unsigned reg,
			    unsigned size);
	void (*config_written)(struct pci_function *fn, unsigned reg,
			       unsigned size);

	/* BAR `i` has moved, or was switched on or off.  Optional. */
	void (*bar_moved)(struct pci_function *fn, unsigned i);
};

/* What of a function is saved, as a part of its device. */
extern const struct state_table pci_function_state;

/* Let BAR `i` be `len` bytes (a power of two) of `space`, answered by `ops`. */
void pci_bar_init(struct pci_function *fn, unsigned i, enum bus_space space,
		  uint64_t len, bool is_64, const struct region_ops *ops);

/* Append a capability of `len` bytes (with its id, next pointer set by this) and
 * return its offset; 0: no room.
 */
unsigned pci_add_capability(struct pci_function *fn, const void *cap,
			    unsigned len);

/* At the next free slot (devfn < 0), or at `devfn`.  -ENOSPC: the bus is full. */
int pci_add(struct vm *vm, struct pci_function *fn, struct device *dev,
	    int devfn, struct err *e);

/* Back to `initial`, BARs off; called by the device's reset. */
void pci_function_reset(struct pci_function *fn);

/* Drive the function's INTx pin; any thread. */
void pci_set_intx(struct pci_function *fn, bool level);

/* The PIRQ (0 to 3 for A to D) that the INTx pin (1 to 4) of `devfn` is wired
 * to, and where the PIRQs go: set by the PIIX3.
 */
unsigned pci_pirq(unsigned devfn, unsigned pin);
void pci_set_pirq_line(struct pci_bus *bus, unsigned pirq,
		       const struct irq_line *line);

/* Read or write config bytes [reg, reg + size) as the guest's accesses do: size
 * 1, 2 or 4, within one dword.
 */
uint32_t pci_config_read(struct pci_function *fn, unsigned reg, unsigned size);
void pci_config_write(struct pci_function *fn, unsigned reg, unsigned size,
		      uint32_t value);

/* The bus with the i440FX at slot 0 (PAM, 0xcf8, 0xcf9) and the PIIX3 at slot 1
 * (PIRQ routing): chip/i440fx.c and chip/piix.c.
 */
int pci_bus_new(struct vm *vm, struct pci_bus **out, struct err *e);

/* What firmware does, for kernels that are booted without one: ports and
 * addresses for all BARs, decoding on, interrupt routing and lines, the PIIX4's
 * ports.  After each reset; the machine lock is held.
 */
void pci_assign_resources(struct vm *vm);

/* The function at `devfn`, or NULL. */
struct pci_function *pci_find(struct pci_bus *bus, unsigned devfn);

#endif
