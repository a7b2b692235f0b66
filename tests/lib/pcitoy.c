/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcitoy.c - a PCI device for tests of the bus.  See pcitoy.h. */
#include "tests/lib/pcitoy.h"

#include <stdlib.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"

static void config_written(struct pci_function *fn, unsigned reg, unsigned size)
{
	msix_config_written(&((struct pcitoy *)fn->dev)->msix, reg, size);
}

void pcitoy_reset(struct device *dev)
{
	struct pcitoy *toy = (struct pcitoy *)dev;

	pci_function_reset(&toy->fn);
	msix_reset(&toy->msix);
}

static void toy_fini(struct device *dev)
{
	msix_fini(&((struct pcitoy *)dev)->msix);
	free(dev);
}

static const struct device_ops toy_ops = {
	.name = "toy", .reset = pcitoy_reset, .fini = toy_fini,
};

struct pcitoy *pcitoy_new(struct vm *vm, unsigned vectors, bool capability,
			  const struct region_ops *bar,
			  const struct region_ops *msix)
{
	static const uint8_t cap[5] = { 0x09, 0xff, 5, 1, 2 };
	struct pcitoy *toy = calloc(1, sizeof(*toy));
	struct err e = { "" };

	CHECK(toy);
	device_add(vm, &toy->dev, &toy_ops);
	put_le16(toy->fn.config + PCI_VENDOR_ID, 0x1af4);
	put_le16(toy->fn.config + PCI_DEVICE_ID, 0x1042);
	toy->fn.config[PCI_INTERRUPT_PIN] = 1;
	toy->fn.config_written = config_written;
	pci_bar_init(&toy->fn, 0, BUS_PIO, 64, false, bar);
	pci_bar_init(&toy->fn, 1, BUS_MMIO, 4096, false, bar);
	pci_bar_init(&toy->fn, 2, BUS_MMIO, 1 << 16, true, bar);
	if (capability)
		CHECK_EQ(pci_add_capability(&toy->fn, cap, sizeof(cap)), 0x40);
	CHECK_OK(msix_init(&toy->msix, &toy->fn, 4, vectors, msix, &e));
	CHECK_OK(pci_add(vm, &toy->fn, &toy->dev, -1, &e));
	return toy;
}
