/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcitoy.h - a PCI device for tests of the bus: a BAR of each kind, MSI-X in a
 * BAR of its own, INTA.
 */
#ifndef TESTS_PCITOY_H
#define TESTS_PCITOY_H

#include "vmm/chip/msix.h"
#include "vmm/chip/pci.h"

struct pcitoy {
	struct device dev;
	struct pci_function fn;
	struct msix msix;
	uint64_t written;		/* for the test's region_ops */
};

/* BAR 0 is 64 ports, BAR 1 4 KiB, BAR 2 64 KiB with a 64-bit address, where `bar`
 * answers; BAR 4 has MSI-X of this many vectors, where `msix` does.
 * `capability`: a vendor's own of 5 bytes comes before MSI-X's.  The machine frees
 * it.
 */
struct pcitoy *pcitoy_new(struct vm *vm, unsigned vectors, bool capability,
			  const struct region_ops *bar,
			  const struct region_ops *msix);
void pcitoy_reset(struct device *dev);

#endif
