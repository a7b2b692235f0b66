/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmio.c - virtio over memory-mapped registers, version 2 (virtio 1.2, 4.2).
 *
 * Device n is at PC_MMIO_BASE + n * PC_MMIO_LEN and drives the IOAPIC's pin
 * PC_MMIO_GSI + n; the guest learns of it from the DSDT or the command line.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/pc.h"
#include "vmm/state.h"
#include "vmm/virtio/virtio.h"
#include "vmm/vm.h"

#define MAGIC			0x000u
#define VERSION_REG		0x004u
#define DEVICE_ID		0x008u
#define VENDOR_ID		0x00cu
#define DEVICE_FEATURES		0x010u
#define DEVICE_FEATURES_SEL	0x014u
#define DRIVER_FEATURES		0x020u
#define DRIVER_FEATURES_SEL	0x024u
#define QUEUE_SEL		0x030u
#define QUEUE_SIZE_MAX		0x034u
#define QUEUE_SIZE		0x038u
#define QUEUE_READY		0x044u
#define QUEUE_NOTIFY		0x050u
#define INTERRUPT_STATUS	0x060u
#define INTERRUPT_ACK		0x064u
#define STATUS			0x070u
#define QUEUE_DESC		0x080u
#define QUEUE_AVAIL		0x090u
#define QUEUE_USED		0x0a0u
#define SHM_LEN			0x0b0u	/* to 0x0bf: length, base */
#define SHM_END			0x0c0u
#define CONFIG_GENERATION	0x0fcu
#define CONFIG			0x100u

#define MAGIC_VALUE	0x74726976u	/* "virt" */
#define VENDOR		0x1af4u

struct mmio {
	struct region region;
	struct irq_line irq;
};

static uint64_t queue_read(struct virtio *v, uint64_t offset)
{
	const struct vq *q = virtio_queue(v);

	if (!q)
		return 0;
	switch (offset) {
	case QUEUE_SIZE_MAX:
		return q->max_size;
	case QUEUE_SIZE:
		return q->size;
	case QUEUE_READY:
		return q->enabled;
	case QUEUE_DESC:
		return (uint32_t)q->desc;
	case QUEUE_DESC + 4:
		return q->desc >> 32;
	case QUEUE_AVAIL:
		return (uint32_t)q->avail;
	case QUEUE_AVAIL + 4:
		return q->avail >> 32;
	case QUEUE_USED:
		return (uint32_t)q->used;
	default:
		return q->used >> 32;
	}
}

/* A register of 32 bits; v->lock is held. */
static uint64_t register_read(struct virtio *v, uint64_t offset)
{
	switch (offset) {
	case MAGIC:
		return MAGIC_VALUE;
	case VERSION_REG:
		return 2;
	case DEVICE_ID:
		return v->ops->id;
	case VENDOR_ID:
		return VENDOR;
	case DEVICE_FEATURES:
		return virtio_offered_word(v);
	case INTERRUPT_STATUS:
		return virtio_isr(v, 0);
	case STATUS:
		return atomic_load(&v->status);
	case CONFIG_GENERATION:
		return atomic_load(&v->generation);
	case QUEUE_SIZE_MAX:
	case QUEUE_SIZE:
	case QUEUE_READY:
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
	case QUEUE_AVAIL:
	case QUEUE_AVAIL + 4:
	case QUEUE_USED:
	case QUEUE_USED + 4:
		return queue_read(v, offset);
	}
	/* There is no shared memory: its length is -1. */
	return offset >= SHM_LEN && offset < SHM_END ? UINT32_MAX : 0;
}

static void register_write(struct virtio *v, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case DEVICE_FEATURES_SEL:
		v->feature_select = value;
		break;
	case DRIVER_FEATURES:
		virtio_set_driver_word(v, value);
		break;
	case DRIVER_FEATURES_SEL:
		v->driver_feature_select = value;
		break;
	case QUEUE_SEL:
		v->queue_select = value;
		break;
	case QUEUE_SIZE:
		virtio_queue_set_size(v, value);
		break;
	case QUEUE_READY:
		if (value & 1)
			virtio_queue_enable(v);
		else
			virtio_queue_disable(v);
		break;
	case INTERRUPT_ACK:
		virtio_isr(v, (uint8_t)value);
		break;
	case STATUS:
		virtio_set_status(v, (uint8_t)value);
		break;
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
	case QUEUE_AVAIL:
	case QUEUE_AVAIL + 4:
	case QUEUE_USED:
	case QUEUE_USED + 4:
		virtio_queue_set_addr(v, (enum virtio_ring)((offset -
							     QUEUE_DESC) >> 4),
				      offset & 4 ? 32 : 0, 32, value);
		break;
	}
}

static uint64_t mmio_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct virtio *v = (struct virtio *)dev;
	uint64_t value = 0;

	pthread_mutex_lock(&v->lock);
	if (offset >= CONFIG)
		value = virtio_config_read(v, offset - CONFIG, size);
	else if (size == 4)
		value = register_read(v, offset);
	pthread_mutex_unlock(&v->lock);
	return value;
}

static void mmio_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	struct virtio *v = (struct virtio *)dev;

	if (offset == QUEUE_NOTIFY && size == 4) {
		virtio_notify(v, (uint32_t)value);
		return;
	}
	pthread_mutex_lock(&v->lock);
	if (offset >= CONFIG)
		virtio_config_write(v, offset - CONFIG, size, value);
	else if (size == 4)
		register_write(v, offset, (uint32_t)value);
	pthread_mutex_unlock(&v->lock);
}

static const struct region_ops mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
	.max_size = 8,
	.flags = REGION_UNLOCKED,
};

static void mmio_line(struct virtio *v, bool level)
{
	struct mmio *m = v->transport_state;

	irq_set(&m->irq, level);
}

/* The registers stay where they are, and so does the doorbell. */
static void mmio_reset(struct virtio *v)
{
	(void)v;
}

static void mmio_fini(struct virtio *v)
{
	free(v->transport_state);
}

static void mmio_boot_path(struct virtio *v, char *out, size_t size)
{
	const struct mmio *m = v->transport_state;

	snprintf(out, size, "/virtio-mmio@%016" PRIx64 "/*", m->region.base);
}

static const struct virtio_transport mmio_transport = {
	.state = &state_none,
	.line = mmio_line,
	.reset = mmio_reset,
	.fini = mmio_fini,
	.boot_path = mmio_boot_path,
};

int virtio_mmio_attach(struct virtio *v, struct err *e)
{
	struct vm *vm = v->dev.vm;
	unsigned n = vm->n_mmio;
	uint64_t base = PC_MMIO_BASE + (uint64_t)n * PC_MMIO_LEN;
	struct mmio *m;

	if (n >= PC_MMIO_MAX)
		return fail(e, ENOSPC, "%s: all %u places for virtio-mmio are "
			    "taken", v->ops->name, PC_MMIO_MAX);
	m = calloc(1, sizeof(*m));
	if (!m)
		return fail_rc(e, -ENOMEM, "%s", v->ops->name);
	m->irq = irq_ioapic(vm, PC_MMIO_GSI + n);
	bus_add(vm, &m->region, &v->dev, &mmio_ops, BUS_MMIO, base, PC_MMIO_LEN);
	if (v->doorbell >= 0 && vm->accel->doorbell)
		vm->accel->doorbell(vm, false, base + QUEUE_NOTIFY, 4,
				    v->doorbell, true);
	v->transport_state = m;
	v->transport = &mmio_transport;
	vm->n_mmio++;
	return 0;
}
