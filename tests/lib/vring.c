/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vring.c - a virtio driver in the test's own process.  See vring.h. */
#include "tests/lib/vring.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "vmm/chip/pci.h"
#include "vmm/pc.h"

#define PCI_VIRTIO	0x1af4u

/* Registers of both transports by what they mean. */
enum reg {
	R_DEV_SELECT, R_DEV_FEATURES, R_DRV_SELECT, R_DRV_FEATURES, R_STATUS,
	R_QUEUE_SELECT, R_QUEUE_SIZE, R_QUEUE_ENABLE, R_DESC, R_AVAIL, R_USED,
};

static const struct { uint8_t mmio, pci, pci_size; } regs[] = {
	[R_DEV_SELECT] = { 0x14, 0x00, 4 },
	[R_DEV_FEATURES] = { 0x10, 0x04, 4 },
	[R_DRV_SELECT] = { 0x24, 0x08, 4 },
	[R_DRV_FEATURES] = { 0x20, 0x0c, 4 },
	[R_STATUS] = { 0x70, 0x14, 1 },
	[R_QUEUE_SELECT] = { 0x30, 0x16, 2 },
	[R_QUEUE_SIZE] = { 0x38, 0x18, 2 },
	[R_QUEUE_ENABLE] = { 0x44, 0x1c, 2 },
	[R_DESC] = { 0x80, 0x20, 4 },
	[R_AVAIL] = { 0x90, 0x28, 4 },
	[R_USED] = { 0xa0, 0x30, 4 },
};

static uint32_t get(struct vdev *d, enum reg reg)
{
	if (d->bus == VM_BUS_MMIO)
		return (uint32_t)bus_read(d->vm, BUS_MMIO,
					  d->base + regs[reg].mmio, 4);
	return (uint32_t)bus_read(d->vm, BUS_MMIO, d->common + regs[reg].pci,
				  regs[reg].pci_size);
}

static void set_at(struct vdev *d, enum reg reg, unsigned offset,
		   uint32_t value)
{
	if (d->bus == VM_BUS_MMIO)
		bus_write(d->vm, BUS_MMIO, d->base + regs[reg].mmio + offset, 4,
			  value);
	else
		bus_write(d->vm, BUS_MMIO, d->common + regs[reg].pci + offset,
			  regs[reg].pci_size, value);
}

static void set(struct vdev *d, enum reg reg, uint32_t value)
{
	set_at(d, reg, 0, value);
}

/* Finding it. */

static uint32_t cfg(struct vdev *d, unsigned reg, unsigned size)
{
	uint32_t value;

	vm_lock(d->vm);
	value = pci_config_read(pci_find(d->vm->pci, d->devfn), reg, size);
	vm_unlock(d->vm);
	return value;
}

static void set_cfg(struct vdev *d, unsigned reg, unsigned size, uint32_t value)
{
	vm_lock(d->vm);
	pci_config_write(pci_find(d->vm->pci, d->devfn), reg, size, value);
	vm_unlock(d->vm);
}

static void open_pci(struct vdev *d, unsigned n, uint64_t bar)
{
	unsigned cap, guard = 0;

	for (d->devfn = 0;; d->devfn += 8) {
		CHECK(d->devfn < 256);
		if (!pci_find(d->vm->pci, d->devfn) ||
		    cfg(d, PCI_VENDOR_ID, 2) != PCI_VIRTIO)
			continue;
		if (!n--)
			break;
	}
	set_cfg(d, PCI_BAR0, 4, (uint32_t)bar);
	set_cfg(d, PCI_BAR0 + 4, 4, (uint32_t)bar + (1u << 20));
	set_cfg(d, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	CHECK(cfg(d, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	for (cap = cfg(d, PCI_CAP_POINTER, 1); cap; cap = cfg(d, cap + 1, 1)) {
		uint64_t at = bar + cfg(d, cap + 8, 4);

		CHECK(guard++ < 48);
		if (cfg(d, cap, 1) != 0x09)
			continue;
		switch (cfg(d, cap + 3, 1)) {
		case 1:
			d->common = at;
			break;
		case 2:
			d->notify = at;
			d->notify_step = cfg(d, cap + 16, 4);
			break;
		case 3:
			d->isr = at;
			break;
		case 4:
			d->config = at;
			break;
		default:
			continue;
		}
		CHECK_EQ(cfg(d, cap + 4, 1), 0);	/* BAR 0 */
	}
	CHECK(d->common && d->notify && d->isr);
}

void vdev_open(struct vdev *d, struct vm *vm, enum vm_bus bus, unsigned n,
	       uint64_t bar)
{
	memset(d, 0, sizeof(*d));
	d->vm = vm;
	d->bus = bus;
	if (bus == VM_BUS_PCI) {
		open_pci(d, n, bar);
		return;
	}
	d->base = PC_MMIO_BASE + (uint64_t)n * PC_MMIO_LEN;
	d->config = d->base + 0x100;
	CHECK_EQ(bus_read(vm, BUS_MMIO, d->base, 4), 0x74726976);
	CHECK_EQ(bus_read(vm, BUS_MMIO, d->base + 4, 4), 2);
}

/* Registers. */

uint64_t vdev_features(struct vdev *d)
{
	uint64_t low;

	set(d, R_DEV_SELECT, 0);
	low = get(d, R_DEV_FEATURES);
	set(d, R_DEV_SELECT, 1);
	return low | (uint64_t)get(d, R_DEV_FEATURES) << 32;
}

uint8_t vdev_status(struct vdev *d)
{
	return (uint8_t)get(d, R_STATUS);
}

void vdev_set_status(struct vdev *d, uint8_t status)
{
	set(d, R_STATUS, status);
}

uint8_t vdev_isr(struct vdev *d)
{
	uint8_t isr;

	if (d->bus == VM_BUS_PCI)
		return (uint8_t)bus_read(d->vm, BUS_MMIO, d->isr, 1);
	isr = (uint8_t)bus_read(d->vm, BUS_MMIO, d->base + 0x60, 4);
	bus_write(d->vm, BUS_MMIO, d->base + 0x64, 4, isr);
	return isr;
}

uint64_t vdev_config(struct vdev *d, unsigned offset, unsigned size)
{
	return bus_read(d->vm, BUS_MMIO, d->config + offset, size);
}

void vdev_config_write(struct vdev *d, unsigned offset, unsigned size,
		       uint64_t value)
{
	bus_write(d->vm, BUS_MMIO, d->config + offset, size, value);
}

void vdev_notify(struct vdev *d, unsigned queue)
{
	if (d->bus == VM_BUS_MMIO) {
		bus_write(d->vm, BUS_MMIO, d->base + 0x50, 4, queue);
		return;
	}
	CHECK_EQ(d->notify_step, 0);	/* or queue_notify_off would matter */
	bus_write(d->vm, BUS_MMIO, d->notify, 2, queue);
}

unsigned vdev_max_size(struct vdev *d, unsigned queue)
{
	set(d, R_QUEUE_SELECT, queue);
	if (d->bus == VM_BUS_MMIO)
		return (unsigned)bus_read(d->vm, BUS_MMIO, d->base + 0x34, 4);
	return get(d, R_QUEUE_SIZE);
}

bool vdev_negotiate(struct vdev *d, uint64_t features)
{
	d->features = features & vdev_features(d);
	set(d, R_DRV_SELECT, 0);
	set(d, R_DRV_FEATURES, (uint32_t)d->features);
	set(d, R_DRV_SELECT, 1);
	set(d, R_DRV_FEATURES, (uint32_t)(d->features >> 32));
	vdev_set_status(d, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
			VIRTIO_STATUS_FEATURES_OK);
	d->event_idx = d->features & VIRTIO_F_RING_EVENT_IDX;
	d->indirect = d->features & VIRTIO_F_RING_INDIRECT_DESC;
	return vdev_status(d) & VIRTIO_STATUS_FEATURES_OK;
}

void vdev_queue_at(struct vdev *d, unsigned queue, unsigned size, uint64_t desc,
		   uint64_t avail, uint64_t used)
{
	set(d, R_QUEUE_SELECT, queue);
	set(d, R_QUEUE_SIZE, size);
	set_at(d, R_DESC, 0, (uint32_t)desc);
	set_at(d, R_DESC, 4, (uint32_t)(desc >> 32));
	set_at(d, R_AVAIL, 0, (uint32_t)avail);
	set_at(d, R_AVAIL, 4, (uint32_t)(avail >> 32));
	set_at(d, R_USED, 0, (uint32_t)used);
	set_at(d, R_USED, 4, (uint32_t)(used >> 32));
	if (d->bus == VM_BUS_PCI && get(d, R_QUEUE_ENABLE) == 0)
		bus_write(d->vm, BUS_MMIO, d->common + 0x1a, 2, queue + 1);
	set(d, R_QUEUE_ENABLE, 1);
	CHECK_EQ(get(d, R_QUEUE_ENABLE), 1);
}

void vdev_queue(struct vdev *d, unsigned queue, unsigned size)
{
	struct vring *r = &d->rings[queue];
	unsigned i;

	memset(r, 0, sizeof(*r));
	r->size = size ? size : vdev_max_size(d, queue);
	CHECK(r->size && r->size <= 256);
	r->gpa = VRING_RINGS + (uint64_t)queue * VRING_RING_LEN;
	r->desc = mem_ptr(d->vm, r->gpa, VRING_RING_LEN, MEM_READ | MEM_WRITE);
	CHECK(r->desc);
	r->avail = r->desc + 0x1000;
	r->used = r->desc + 0x2000;
	memset(r->desc, 0, VRING_RING_LEN);
	for (i = 0; i < r->size; i++)
		r->free[r->n_free++] = (uint16_t)(r->size - 1 - i);
	vdev_queue_at(d, queue, r->size, r->gpa, r->gpa + 0x1000,
		      r->gpa + 0x2000);
}

void vdev_start(struct vdev *d, uint64_t features, unsigned n, unsigned size)
{
	unsigned i;

	vdev_reset(d);
	CHECK(vdev_negotiate(d, features | VIRTIO_F_VERSION_1));
	CHECK(n <= VRING_MAX_QUEUES);
	for (i = 0; i < n; i++)
		vdev_queue(d, i, size);
	d->n_rings = n;
	vdev_set_status(d, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER |
			VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
}

void vdev_reset(struct vdev *d)
{
	vdev_set_status(d, 0);
	CHECK_EQ(vdev_status(d), 0);
}

void vdev_msix(struct vdev *d, unsigned n_queues)
{
	unsigned cap, i;

	for (cap = cfg(d, PCI_CAP_POINTER, 1); cfg(d, cap, 1) != 0x11;
	     cap = cfg(d, cap + 1, 1))
		CHECK(cap);
	for (i = 0; i <= n_queues; i++) {
		uint64_t entry = (cfg(d, PCI_BAR0 + 4, 4) & ~15u) + 16 * i;

		bus_write(d->vm, BUS_MMIO, entry, 4, 0xfee00000);
		bus_write(d->vm, BUS_MMIO, entry + 4, 4, 0);
		bus_write(d->vm, BUS_MMIO, entry + 8, 4, 0x40 + i);
		bus_write(d->vm, BUS_MMIO, entry + 12, 4, 0);
	}
	set_cfg(d, cap + 2, 2, 0x8000);
	bus_write(d->vm, BUS_MMIO, d->common + 0x10, 2, 0);
}

/* Rings. */

void vring_put_desc(struct vring *r, unsigned i, uint64_t gpa, uint32_t len,
		    unsigned flags, unsigned next)
{
	uint8_t *p = r->desc + 16 * (size_t)i;

	put_le64(p, gpa);
	put_le32(p + 8, len);
	put_le16(p + 12, (uint16_t)flags);
	put_le16(p + 14, (uint16_t)next);
}

void vring_put_avail(struct vring *r, unsigned head)
{
	put_le16(r->avail + 4 + 2 * (size_t)(r->avail_idx % r->size),
		 (uint16_t)head);
	r->avail_idx++;
}

void vring_set_avail_idx(struct vring *r, uint16_t idx)
{
	__atomic_store_n((uint16_t *)(r->avail + 2), idx, __ATOMIC_RELEASE);
}

uint16_t vring_used_idx(const struct vring *r)
{
	return __atomic_load_n((const uint16_t *)(r->used + 2),
			       __ATOMIC_ACQUIRE);
}

static int add_indirect(struct vdev *d, unsigned queue,
			const struct vbuf *bufs, unsigned n)
{
	struct vring *r = &d->rings[queue];
	unsigned head = r->free[--r->n_free], i;
	uint64_t gpa = VRING_TABLES + ((uint64_t)queue * 256 + head) * 4096;
	struct vring table;

	CHECK(n <= 256);
	/* As what a guest allocates: not all in the same few lines of a cache. */
	if (n <= 128)
		gpa += head % 32 * 64;
	table.desc = mem_ptr(d->vm, gpa, 16 * n, MEM_WRITE);
	CHECK(table.desc);
	for (i = 0; i < n; i++)
		vring_put_desc(&table, i, bufs[i].gpa, bufs[i].len,
			       (bufs[i].in ? VRING_WRITE : 0) |
			       (i + 1 < n ? VRING_NEXT : 0), i + 1);
	vring_put_desc(r, head, gpa, 16 * n, VRING_INDIRECT, 0);
	r->n_desc[head] = 0;
	return (int)head;
}

int vring_add(struct vdev *d, unsigned queue, const struct vbuf *bufs,
	      unsigned n)
{
	struct vring *r = &d->rings[queue];
	unsigned i, head, at, next;

	if (d->indirect && r->n_free && n > 1) {
		head = (unsigned)add_indirect(d, queue, bufs, n);
		vring_put_avail(r, head);
		return (int)head;
	}
	if (r->n_free < n)
		return -1;
	head = at = r->free[--r->n_free];
	for (i = 0; i < n; i++, at = next) {
		next = i + 1 < n ? r->free[--r->n_free] : 0;
		r->chain_next[at] = (uint16_t)next;
		vring_put_desc(r, at, bufs[i].gpa, bufs[i].len,
			       (bufs[i].in ? VRING_WRITE : 0) |
			       (i + 1 < n ? VRING_NEXT : 0), next);
	}
	r->n_desc[head] = (uint8_t)(n - 1);
	vring_put_avail(r, head);
	return (int)head;
}

void vring_kick(struct vdev *d, unsigned queue)
{
	struct vring *r = &d->rings[queue];
	uint16_t from = r->kicked, event;

	vring_set_avail_idx(r, r->avail_idx);
	__sync_synchronize();
	r->kicked = r->avail_idx;
	if (d->event_idx) {
		event = __atomic_load_n((uint16_t *)(r->used + 4 + 8 * r->size),
					__ATOMIC_RELAXED);
		if ((uint16_t)(r->avail_idx - event - 1) >=
		    (uint16_t)(r->avail_idx - from))
			return;
	} else if (__atomic_load_n((uint16_t *)r->used, __ATOMIC_RELAXED) & 1) {
		return;
	}
	r->kicks++;
	vdev_notify(d, queue);
}

int vring_poll(struct vdev *d, unsigned queue, uint32_t *len)
{
	struct vring *r = &d->rings[queue];
	const uint8_t *p = r->used + 4 + 8 * (size_t)(r->used_idx % r->size);
	unsigned at, n;
	uint32_t head;

	if (vring_used_idx(r) == r->used_idx)
		return -1;
	head = __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
	*len = __atomic_load_n((const uint32_t *)(p + 4), __ATOMIC_RELAXED);
	r->used_idx++;
	CHECK(head < r->size);
	n = r->n_desc[head] + 1u;
	for (at = head; n; n--, at = r->chain_next[at])
		r->free[r->n_free++] = (uint16_t)at;
	return (int)head;
}

int vring_wait(struct vdev *d, unsigned queue, uint32_t *len)
{
	time_t start = time(NULL);
	unsigned tries = 0;
	int head;

	while ((head = vring_poll(d, queue, len)) < 0) {
		if (++tries < 100)
			continue;
		CHECK(time(NULL) - start < 60);
		usleep(tries < 1000 ? 0 : 200);
	}
	return head;
}

void vring_want_interrupt(struct vdev *d, unsigned queue, bool want)
{
	struct vring *r = &d->rings[queue];

	if (d->event_idx)
		__atomic_store_n((uint16_t *)(r->avail + 4 + 2 * r->size),
				 (uint16_t)(want ? r->used_idx :
					    r->used_idx - 1), __ATOMIC_RELAXED);
	else
		__atomic_store_n((uint16_t *)r->avail, want ? 0 : 1,
				 __ATOMIC_RELAXED);
	__sync_synchronize();
}
