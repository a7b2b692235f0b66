/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga.c - the VGA's PCI function, its reset and its state.  See vga.h. */
#include "vmm/chip/vga.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define VENDOR		0x1234u
#define DEVICE		0x1111u
#define SUBSYSTEM_VENDOR 0x1af4u
#define SUBSYSTEM_ID	0x1100u
#define CLASS_VGA	0x0300u

#define BAR_MEMORY	0u
#define BAR_MMIO	2u
#define MMIO_LEN	0x1000u

#define NEWEST_ID	0xb0c5u

/* The frame buffer is memory where it can be, else answered access by access. */
static void bar_moved(struct pci_function *fn, unsigned i)
{
	const struct region *region = &fn->bars[i].region;

	if (i == BAR_MEMORY)
		mem_set_video(fn->dev->vm, region->on ? region->base : 0);
}

static void vga_reset(struct device *dev)
{
	struct vga *v = (struct vga *)dev;

	pci_function_reset(&v->fn);
	memset(&v->r, 0, sizeof(v->r));
	v->r.misc = MISC_COLOR;
	v->r.pel_mask = 0xff;
	v->r.vbe[VBE_ID] = NEWEST_ID;
}

static void vga_fini(struct device *dev)
{
	dev->vm->vga = NULL;
	free(dev);
}

static int vga_loaded(void *obj, struct err *e)
{
	struct vga *v = obj;

	(void)e;
	if (vbe_active(&v->r))
		vga_vbe_settle(&v->r);
	return 0;
}

static const struct state_field vga_fields[] = {
	STATE_OBJECT(struct vga, fn, &pci_function_state),
	STATE_NUMBER(struct vga, r.misc),
	STATE_NUMBER(struct vga, r.feature),
	STATE_NUMBER(struct vga, r.status1),
	STATE_NUMBER(struct vga, r.seq_index),
	STATE_NUMBER(struct vga, r.gfx_index),
	STATE_NUMBER(struct vga, r.crtc_index),
	STATE_NUMBER(struct vga, r.attr_index),
	STATE_NUMBER(struct vga, r.pel_mask),
	STATE_NUMBER(struct vga, r.dac_state),
	STATE_NUMBER(struct vga, r.dac_read),
	STATE_NUMBER(struct vga, r.dac_write),
	STATE_NUMBER(struct vga, r.vbe_index),
	STATE_NUMBER(struct vga, r.dac_sub, .max = 2),
	STATE_BOOL(struct vga, r.attr_data),
	STATE_BOOL(struct vga, r.set),
	STATE_BYTES(struct vga, r.seq),
	STATE_BYTES(struct vga, r.gfx),
	STATE_BYTES(struct vga, r.crtc),
	STATE_BYTES(struct vga, r.attr),
	STATE_BYTES(struct vga, r.latches),
	STATE_BYTES(struct vga, r.dac_new),
	STATE_BYTES(struct vga, r.dac),
	STATE_NUMBERS(struct vga, r.vbe),
};
STATE_TRANSIENT(struct vga, "how the machine was made", dev, ports, vbe_ports,
		window, font);
STATE_TRANSIENT(struct vga, "guest memory", mem);

static const struct state_table vga_state = {
	.version = 1, STATE_FIELDS(vga_fields), .loaded = vga_loaded,
};

static const struct device_ops vga_ops = {
	.name = "vga",
	.reset = vga_reset,
	.fini = vga_fini,
	.state = &vga_state,
};

int vga_new(struct vm *vm, struct vga **out, struct err *e)
{
	struct vga *v = calloc(1, sizeof(*v));
	uint8_t *config;
	int rc;

	if (!v)
		return fail(e, ENOMEM, "VGA: out of memory");
	v->mem = mem_video(&vm->mem);
	device_add(vm, &v->dev, &vga_ops);
	bus_add(vm, &v->ports, &v->dev, &vga_port_ops, BUS_PIO, 0x3b0, 0x30);
	/* The data port is one behind the index, and a word too. */
	bus_add(vm, &v->vbe_ports, &v->dev, &vga_vbe_port_ops, BUS_PIO, 0x1ce,
		3);
	bus_add(vm, &v->window, &v->dev, &vga_window_ops, BUS_MMIO, 0xa0000,
		0x20000);
	config = v->fn.config;
	put_le16(config + PCI_VENDOR_ID, VENDOR);
	put_le16(config + PCI_DEVICE_ID, DEVICE);
	config[PCI_REVISION] = 2;
	put_le16(config + PCI_CLASS, CLASS_VGA);
	put_le16(config + PCI_SUBSYSTEM_VENDOR, SUBSYSTEM_VENDOR);
	put_le16(config + PCI_SUBSYSTEM, SUBSYSTEM_ID);
	v->fn.bars[BAR_MEMORY].prefetch = true;
	v->fn.bar_moved = bar_moved;
	pci_bar_init(&v->fn, BAR_MEMORY, BUS_MMIO, MEM_VIDEO, false,
		     &vga_memory_ops);
	pci_bar_init(&v->fn, BAR_MMIO, BUS_MMIO, MMIO_LEN, false,
		     &vga_mmio_ops);
	rc = pci_add(vm, &v->fn, &v->dev, -1, e);
	if (!rc) {
		vga_reset(&v->dev);
		*out = v;
	}
	return rc;
}
