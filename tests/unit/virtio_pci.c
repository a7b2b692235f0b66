/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_pci.c - the PCI transport: what firmware and drivers look for, the
 * registers in every width, both kinds of interrupt, the window in configuration
 * space, and doorbells that the accelerator rings.
 */
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/vring.h"
#include "vmm/chip/pci.h"

#define BAR 0xc1000000u

static const struct virtio_ops ops = {
	.name = "test", .id = 42, .pci_class = 0x018003,
};

static struct vm *vm;
static struct virtio *dev;
static struct vdev drv;
static struct pci_function *fn;

/* The accelerator's doorbells, as the test sees them. */
static struct { unsigned calls; bool on; uint64_t addr; int fd; } bell;

static int fake_doorbell(struct vm *machine, bool pio, uint64_t addr,
			 unsigned len, int fd, bool on)
{
	(void)machine;
	CHECK(!pio);
	CHECK_EQ(len, 0);
	if (on)
		CHECK(!bell.on);
	else
		CHECK(bell.on && bell.addr == addr && bell.fd == fd);
	bell.calls++;
	bell.on = on;
	bell.addr = addr;
	bell.fd = fd;
	return 0;
}

static struct virtio *add(unsigned n_queues, int doorbell)
{
	struct virtio *v = calloc(1, sizeof(*v));
	struct err e;

	CHECK_OK(virtio_init(v, vm, &ops, 1, n_queues, 6, &e));
	memcpy(v->config, "\1\2\3\4\5\6", 6);
	v->doorbell = doorbell;
	CHECK_OK(virtio_attach(v, VM_BUS_PCI, &e));
	return v;
}

static uint32_t cfg(unsigned reg, unsigned size)
{
	uint32_t value;

	vm_lock(vm);
	value = pci_config_read(fn, reg, size);
	vm_unlock(vm);
	return value;
}

static void set_cfg(unsigned reg, unsigned size, uint32_t value)
{
	vm_lock(vm);
	pci_config_write(fn, reg, size, value);
	vm_unlock(vm);
}

static uint64_t rd(uint64_t offset, unsigned size)
{
	return bus_read(vm, BUS_MMIO, BAR + offset, size);
}

static void wr(uint64_t offset, unsigned size, uint64_t value)
{
	bus_write(vm, BUS_MMIO, BAR + offset, size, value);
}

static void check_header(void)
{
	CHECK_EQ(cfg(PCI_VENDOR_ID, 2), 0x1af4);
	CHECK_EQ(cfg(PCI_DEVICE_ID, 2), 0x1040 + 42);
	CHECK(cfg(PCI_REVISION, 1) >= 1);
	CHECK_EQ(cfg(PCI_CLASS_PROG, 1), 0x03);
	CHECK_EQ(cfg(PCI_CLASS, 2), 0x0180);
	CHECK_EQ(cfg(PCI_INTERRUPT_PIN, 1), 1);
	CHECK(cfg(PCI_SUBSYSTEM, 2) >= 0x40);
}

static void check_negotiation(void)
{
	vdev_reset(&drv);
	CHECK_EQ(vdev_features(&drv), 1 | VIRTIO_F_VERSION_1 |
		 VIRTIO_F_RING_INDIRECT_DESC | VIRTIO_F_RING_EVENT_IDX);
	wr(0x00, 4, 2);
	CHECK_EQ(rd(0x04, 4), 0);
	/* Without VERSION_1, or with what is not offered: no. */
	CHECK(!vdev_negotiate(&drv, 1));
	vdev_set_status(&drv, 0x0f);
	CHECK(!(vdev_status(&drv) & VIRTIO_STATUS_DRIVER_OK));
	vdev_reset(&drv);
	wr(0x08, 4, 0);
	wr(0x0c, 4, 2);
	wr(0x08, 4, 1);
	wr(0x0c, 4, 1);
	vdev_set_status(&drv, 0x0b);
	CHECK_EQ(vdev_status(&drv), 0x03);
	wr(0x08, 4, 0);
	wr(0x0c, 4, 1);
	vdev_set_status(&drv, 0x0b);
	CHECK_EQ(vdev_status(&drv), 0x0b);
	/* Agreed: no change any more, and no bit of the status goes away. */
	wr(0x0c, 4, 0);
	CHECK_EQ(rd(0x0c, 4), 1);
	vdev_set_status(&drv, 0x84);
	CHECK_EQ(vdev_status(&drv), 0x8f);
	vdev_set_status(&drv, 0x40);
	CHECK_EQ(vdev_status(&drv), 0x8f);
	vdev_reset(&drv);
	CHECK_EQ(rd(0x0c, 4), 0);
}

static void check_queue_registers(void)
{
	unsigned i;

	vdev_reset(&drv);
	CHECK_EQ(rd(0x12, 2), 3);
	wr(0x16, 2, 1);
	CHECK_EQ(rd(0x18, 2), 256);
	CHECK_EQ(rd(0x1a, 2), 0xffff);
	for (i = 0; i < 5; i++) {
		static const uint16_t bad[] = { 0, 3, 257, 512, 0xffff };

		wr(0x18, 2, bad[i]);
		CHECK_EQ(rd(0x18, 2), 256);
	}
	wr(0x18, 2, 64);
	wr(0x1a, 2, 3);
	CHECK_EQ(rd(0x1a, 2), 3);
	wr(0x1a, 2, 4);			/* there are 4: 0 to 3 */
	CHECK_EQ(rd(0x1a, 2), 0xffff);
	wr(0x20, 8, 0x1122334455667788);
	CHECK_EQ(rd(0x20, 8), 0x1122334455667788);
	CHECK_EQ(rd(0x24, 4), 0x11223344);
	wr(0x24, 4, 0);
	wr(0x20, 4, 0x100000);
	CHECK_EQ(rd(0x20, 8), 0x100000);
	wr(0x28, 8, 0x101000);
	wr(0x30, 8, 0x102000);
	wr(0x1c, 2, 2);
	CHECK_EQ(rd(0x1c, 2), 0);
	wr(0x1c, 2, 1);
	CHECK_EQ(rd(0x1c, 2), 1);
	/* Enabled: it stays as it is. */
	wr(0x18, 2, 128);
	wr(0x20, 8, 0x200000);
	wr(0x28, 4, 0x200000);
	wr(0x1c, 2, 0);
	CHECK_EQ(rd(0x18, 2), 64);
	CHECK_EQ(rd(0x20, 8), 0x100000);
	CHECK_EQ(rd(0x28, 8), 0x101000);
	CHECK_EQ(rd(0x1c, 2), 1);
	/* No such queue. */
	wr(0x16, 2, 3);
	CHECK_EQ(rd(0x18, 2), 0);
	wr(0x1c, 2, 1);
	CHECK_EQ(rd(0x1c, 2), 0);
	vdev_reset(&drv);
	wr(0x16, 2, 1);
	CHECK_EQ(rd(0x1c, 2), 0);
	CHECK_EQ(rd(0x18, 2), 256);
}

static void check_config(void)
{
	uint8_t generation = (uint8_t)rd(0x15, 1);

	CHECK_EQ(vdev_config(&drv, 0, 4), 0x04030201);
	CHECK_EQ(vdev_config(&drv, 5, 1), 6);
	CHECK_EQ(vdev_config(&drv, 4, 4), 0x0605);
	CHECK_EQ(vdev_config(&drv, 6, 8), 0);
	CHECK_EQ(vdev_config(&drv, 0xff8, 8), 0);
	vdev_start(&drv, 0, 1, 8);
	pthread_mutex_lock(&dev->lock);
	dev->config[0] = 9;
	virtio_config_changed(dev);
	pthread_mutex_unlock(&dev->lock);
	CHECK(rd(0x15, 1) != generation);
	CHECK_EQ(vdev_isr(&drv), VIRTIO_ISR_CONFIG);
	CHECK_EQ(vdev_config(&drv, 0, 1), 9);
}

static void complete_one(unsigned queue)
{
	struct vbuf b = { VRING_DATA, 8, true };
	struct vq_chain c;
	uint32_t len;

	CHECK(vring_add(&drv, queue, &b, 1) >= 0);
	vring_kick(&drv, queue);
	CHECK_EQ(virtio_pop(dev, queue, &c), 1);
	virtio_push(dev, &c, 8);
	CHECK(vring_poll(&drv, queue, &len) >= 0);
}

static void check_intx(void)
{
	vdev_start(&drv, 0, 2, 8);
	CHECK(!fn->intx);
	complete_one(1);
	CHECK(fn->intx);
	CHECK(cfg(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	CHECK_EQ(vdev_isr(&drv), VIRTIO_ISR_QUEUE);
	CHECK(!fn->intx);
	complete_one(0);
	CHECK(fn->intx);
	vdev_reset(&drv);
	CHECK(!fn->intx);
}

static void check_msix(void)
{
	struct fakevm *f = fakevm_of(vm);
	unsigned n;

	vdev_msix(&drv, 3);
	vdev_start(&drv, 0, 3, 8);
	wr(0x10, 2, 0);
	n = f->n_msi;
	complete_one(2);
	CHECK_EQ(f->n_msi, n + 1);
	CHECK_EQ(f->msi[n].data, 0x43);
	CHECK_EQ(f->msi[n].addr, 0xfee00000);
	CHECK(!fn->intx);
	CHECK_EQ(vdev_isr(&drv), 0);
	complete_one(0);
	CHECK_EQ(f->msi[n + 1].data, 0x41);
	pthread_mutex_lock(&dev->lock);
	virtio_config_changed(dev);
	pthread_mutex_unlock(&dev->lock);
	CHECK_EQ(f->msi[n + 2].data, 0x40);
	/* A queue without a vector says nothing. */
	wr(0x16, 2, 0);
	wr(0x1a, 2, 0xffff);
	complete_one(0);
	CHECK_EQ(f->n_msi, n + 3);
	CHECK(!fn->intx);
}

/* The capability of type 5. */
static unsigned window(void)
{
	unsigned cap;

	for (cap = cfg(PCI_CAP_POINTER, 1);
	     cfg(cap, 1) != 9 || cfg(cap + 3, 1) != 5; cap = cfg(cap + 1, 1))
		CHECK(cap);
	return cap;
}

static void check_window(void)
{
	unsigned cap = window(), len;

	vdev_reset(&drv);
	set_cfg(cap + 4, 1, 0);
	for (len = 1; len <= 4; len *= 2) {
		set_cfg(cap + 8, 4, 0x2000);
		set_cfg(cap + 12, 4, len);
		CHECK_EQ(cfg(cap + 16, len),
			 0x04030209u & (uint32_t)((1ull << 8 * len) - 1));
	}
	/* Status by the window. */
	set_cfg(cap + 8, 4, 0x14);
	set_cfg(cap + 12, 4, 1);
	set_cfg(cap + 16, 1, 3);
	CHECK_EQ(vdev_status(&drv), 3);
	CHECK_EQ(cfg(cap + 16, 1), 3);
	set_cfg(cap + 16, 1, 0);
	CHECK_EQ(vdev_status(&drv), 0);
	/* Nowhere, misaligned, another BAR, odd lengths: nothing happens. */
	set_cfg(cap + 12, 4, 4);
	set_cfg(cap + 8, 4, 0x3ffe);
	set_cfg(cap + 16, 4, 0xffffffff);
	set_cfg(cap + 8, 4, 0xfffffffc);
	set_cfg(cap + 16, 4, 0xffffffff);
	set_cfg(cap + 8, 4, 0x14);
	set_cfg(cap + 12, 4, 3);
	set_cfg(cap + 16, 4, 0xffffffff);
	set_cfg(cap + 12, 4, 1);
	set_cfg(cap + 4, 1, 1);
	set_cfg(cap + 16, 4, 0xffffffff);
	CHECK_EQ(vdev_status(&drv), 0);
}

static void check_doorbell(void)
{
	struct accel accel = accel_fake;
	struct pci_function *first = fn;
	struct vdev d;
	struct virtio *v;
	int fd = 77;		/* never used */

	accel.doorbell = fake_doorbell;
	vm->accel = &accel;
	v = add(1, fd);
	CHECK(!bell.calls);
	vdev_open(&d, vm, VM_BUS_PCI, 1, 0xc2000000);
	CHECK(bell.on);
	CHECK_EQ(bell.addr, d.notify);
	CHECK_EQ(bell.calls, 1);
	fn = pci_find(vm->pci, d.devfn);
	set_cfg(PCI_BAR0, 4, 0xc3000000);
	CHECK_EQ(bell.calls, 3);
	CHECK_EQ(bell.addr, 0xc3000000 + (d.notify - 0xc2000000));
	set_cfg(PCI_COMMAND, 2, 0);
	CHECK(!bell.on);
	set_cfg(PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK(bell.on);
	v->doorbell = fd;
	vm_lock(vm);
	v->dev.ops->reset(&v->dev);
	vm_unlock(vm);
	CHECK(!bell.on);
	fn = first;
	vm->accel = &accel_fake;
}

/* Every register in every width, also across areas. */
static void check_every_width(void)
{
	unsigned size, step;
	uint64_t at;

	for (size = 1; size <= 8; size++) {
		for (at = 0; at < 0x4000; at += step) {
			step = at % 0x1000 < 0x60 || at % 0x1000 > 0xff0 ? 1 : 7;
			if (at == 0x14)
				continue;	/* would start it */
			wr(at, size, at * 0x0101010101010101u);
			rd(at, size);
		}
	}
	vdev_reset(&drv);
}

int main(void)
{
	struct err e;

	vm = fakevm_pc(32u << 20, 1);
	if (!vm->pci)
		CHECK_OK(pci_bus_new(vm, &vm->pci, &e));
	dev = add(3, -1);
	vdev_open(&drv, vm, VM_BUS_PCI, 0, BAR);
	fn = pci_find(vm->pci, drv.devfn);
	check_header();
	check_negotiation();
	check_queue_registers();
	check_config();
	check_intx();
	check_window();
	check_every_width();
	check_doorbell();
	check_msix();
	vm_lock(vm);
	dev->dev.ops->reset(&dev->dev);
	vm_unlock(vm);
	CHECK_EQ(cfg(PCI_BAR0, 4), 0);
	vm_free(vm);
	return 0;
}
