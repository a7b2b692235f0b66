/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci.c - virtio over PCI, modern (virtio 1.2, 4.1).
 *
 *	BAR 0	0x0000 common configuration	0x1000 ISR
 *		0x2000 device configuration	0x3000 doorbell of all queues
 *	BAR 1	MSI-X
 *
 * The capabilities say so, and one gives a window to BAR 0 through configuration
 * space for firmware that cannot map it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "imgfmt/base/bytes.h"
#include "vmm/chip/msix.h"
#include "vmm/state.h"
#include "vmm/virtio/virtio.h"
#include "vmm/vm.h"

#define BAR		0u
#define MSIX_BAR	1u
#define BAR_LEN		0x4000u
#define AREA_LEN	0x1000u
#define COMMON		0x0000u
#define ISR		0x1000u
#define DEVICE		0x2000u
#define NOTIFY		0x3000u
#define COMMON_LEN	0x38u

/* Common configuration (4.1.4.3). */
#define FEATURE_SELECT		0x00u
#define FEATURE			0x04u
#define DRIVER_SELECT		0x08u
#define DRIVER_FEATURE		0x0cu
#define CONFIG_VECTOR		0x10u
#define N_QUEUES		0x12u
#define STATUS			0x14u
#define GENERATION		0x15u
#define QUEUE_SELECT		0x16u
#define QUEUE_SIZE		0x18u
#define QUEUE_VECTOR		0x1au
#define QUEUE_ENABLE		0x1cu
#define QUEUE_NOTIFY_OFF	0x1eu
#define QUEUE_DESC		0x20u	/* desc, avail, used: 8 bytes each */

/* Capabilities (4.1.4): id, next, length, type, BAR, 3 bytes, offset, length. */
#define CAP_ID		0x09u
#define CAP_LEN		16u
#define CAP_BAR		4u
#define CAP_OFFSET	8u
#define CAP_LENGTH	12u
#define CAP_DATA	16u
#define CAP_COMMON	1u
#define CAP_NOTIFY	2u
#define CAP_ISR		3u
#define CAP_DEVICE	4u
#define CAP_PCI		5u

#define VENDOR		0x1af4u
#define DEVICE_BASE	0x1040u
#define SUBSYSTEM_ID	0x1100u

struct virtio_pci {
	struct pci_function fn;
	struct msix msix;
	unsigned window;		/* the PCI capability's offset */
	bool doorbell;			/* the accelerator rings it ... */
	uint64_t doorbell_addr;		/* ... here */
};

static struct virtio_pci *state(struct virtio *v)
{
	return v->transport_state;
}

/* Common configuration.  A register of 64 bits may be written in halves; other
 * accesses than a register's own width are ignored.
 */

static uint64_t queue_read(struct virtio *v, uint64_t offset)
{
	struct vq *q = virtio_queue(v);

	if (!q)
		return 0;
	switch (offset) {
	case QUEUE_SIZE:
		return q->size;
	case QUEUE_VECTOR:
		return atomic_load(&q->vector);
	case QUEUE_ENABLE:
		return q->enabled;
	}
	if (offset < QUEUE_DESC)
		return 0;
	switch ((offset - QUEUE_DESC) >> 3) {
	case VIRTIO_DESC:
		return q->desc;
	case VIRTIO_AVAIL:
		return q->avail;
	default:
		return q->used;
	}
}

static uint64_t common_read(struct virtio *v, uint64_t offset, unsigned size)
{
	uint64_t value;

	switch (offset) {
	case FEATURE_SELECT:
		return v->feature_select;
	case FEATURE:
		return virtio_offered_word(v);
	case DRIVER_SELECT:
		return v->driver_feature_select;
	case DRIVER_FEATURE:
		return virtio_driver_word(v);
	case CONFIG_VECTOR:
		return atomic_load(&v->config_vector);
	case N_QUEUES:
		return v->n_queues;
	case STATUS:
		return atomic_load(&v->status);
	case GENERATION:
		return (uint8_t)atomic_load(&v->generation);
	case QUEUE_SELECT:
		return v->queue_select;
	}
	if (offset < QUEUE_SELECT || !in_range(offset, size, COMMON_LEN))
		return 0;
	value = queue_read(v, offset);
	return offset >= QUEUE_DESC && offset % 8 == 4 ? value >> 32 : value;
}

/* A vector that there is not becomes none, which the driver reads back. */
static uint16_t valid_vector(struct virtio *v, uint64_t vector)
{
	return vector < state(v)->msix.n ? (uint16_t)vector : VQ_NO_VECTOR;
}

static void queue_write(struct virtio *v, uint64_t offset, unsigned size,
			uint64_t value)
{
	struct vq *q = virtio_queue(v);
	unsigned shift = offset % 8 == 4 ? 32 : 0;

	if (!q)
		return;
	switch (offset) {
	case QUEUE_SIZE:
		virtio_queue_set_size(v, value);
		return;
	case QUEUE_VECTOR:
		atomic_store(&q->vector, valid_vector(v, value));
		return;
	case QUEUE_ENABLE:
		if (value == 1)
			virtio_queue_enable(v);
		return;
	}
	if (offset >= QUEUE_DESC && offset < COMMON_LEN && offset % 4 == 0 &&
	    (size == 4 || (size == 8 && !shift)))
		virtio_queue_set_addr(v, (enum virtio_ring)((offset -
							     QUEUE_DESC) >> 3),
				      shift, 8 * size, value);
}

static void common_write(struct virtio *v, uint64_t offset, unsigned size,
			 uint64_t value)
{
	switch (offset) {
	case FEATURE_SELECT:
		v->feature_select = (uint32_t)value;
		break;
	case DRIVER_SELECT:
		v->driver_feature_select = (uint32_t)value;
		break;
	case DRIVER_FEATURE:
		if (size == 4)
			virtio_set_driver_word(v, (uint32_t)value);
		break;
	case CONFIG_VECTOR:
		atomic_store(&v->config_vector, valid_vector(v, value));
		break;
	case STATUS:
		virtio_set_status(v, (uint8_t)value);
		break;
	case QUEUE_SELECT:
		v->queue_select = (uint16_t)value;
		break;
	default:
		queue_write(v, offset, size, value);
	}
}

static uint64_t bar_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct virtio *v = (struct virtio *)dev;
	uint64_t value = 0;

	switch (offset & ~(uint64_t)(AREA_LEN - 1)) {
	case ISR:
		return offset == ISR ? virtio_isr(v, 0xff) : 0;
	case COMMON:
		pthread_mutex_lock(&v->lock);
		value = common_read(v, offset - COMMON, size);
		pthread_mutex_unlock(&v->lock);
		break;
	case DEVICE:
		pthread_mutex_lock(&v->lock);
		value = virtio_config_read(v, offset - DEVICE, size);
		pthread_mutex_unlock(&v->lock);
		break;
	}
	return value;
}

static void bar_write(struct device *dev, uint64_t offset, unsigned size,
		      uint64_t value)
{
	struct virtio *v = (struct virtio *)dev;

	if (offset == NOTIFY) {
		virtio_notify(v, (uint16_t)value);
		return;
	}
	pthread_mutex_lock(&v->lock);
	if (offset < ISR)
		common_write(v, offset - COMMON, size, value);
	else if (offset >= DEVICE && offset < NOTIFY)
		virtio_config_write(v, offset - DEVICE, size, value);
	pthread_mutex_unlock(&v->lock);
}

static const struct region_ops bar_ops = {
	.read = bar_read,
	.write = bar_write,
	.max_size = 8,
	.flags = REGION_UNLOCKED,
};

static uint64_t table_read(struct device *dev, uint64_t offset, unsigned size)
{
	return msix_read(&state((struct virtio *)dev)->msix, offset, size);
}

static void table_write(struct device *dev, uint64_t offset, unsigned size,
			uint64_t value)
{
	msix_write(&state((struct virtio *)dev)->msix, offset, size, value);
}

static const struct region_ops table_ops = {
	.read = table_read,
	.write = table_write,
	.max_size = 8,
};

/* The window into BAR 0 (4.1.4.9): an access to its data is one to the BAR.
 * A reset through it waits with the machine lock held; only firmware does that.
 */
static bool window(const struct virtio_pci *p, unsigned reg, unsigned size,
		   uint64_t *offset, unsigned *len)
{
	const uint8_t *cap = p->fn.config + p->window;

	*offset = get_le32(cap + CAP_OFFSET);
	*len = get_le32(cap + CAP_LENGTH);
	return reg + size > p->window + CAP_DATA &&
		reg < p->window + CAP_DATA + 4 && cap[CAP_BAR] == BAR &&
		(*len == 1 || *len == 2 || *len == 4) &&
		*offset % *len == 0 && in_range(*offset, *len, BAR_LEN);
}

static void config_read(struct pci_function *fn, unsigned reg, unsigned size)
{
	struct virtio_pci *p = (struct virtio_pci *)fn;
	uint64_t offset;
	unsigned len;

	if (window(p, reg, size, &offset, &len))
		put_le32(fn->config + p->window + CAP_DATA,
			 (uint32_t)bar_read(fn->dev, offset, len));
}

/* Let the accelerator ring the doorbell where BAR 0 is now. */
static void place_doorbell(struct virtio *v)
{
	struct virtio_pci *p = state(v);
	const struct region *r = &p->fn.bars[BAR].region;
	struct vm *vm = v->dev.vm;
	uint64_t addr = r->base + NOTIFY;

	if (v->doorbell < 0 || !vm->accel->doorbell)
		return;
	if (p->doorbell && (!r->on || addr != p->doorbell_addr)) {
		vm->accel->doorbell(vm, false, p->doorbell_addr, 0,
				    v->doorbell, false);
		p->doorbell = false;
	}
	if (r->on && !p->doorbell) {
		p->doorbell = !vm->accel->doorbell(vm, false, addr, 0,
						   v->doorbell, true);
		p->doorbell_addr = addr;
	}
}

static void config_written(struct pci_function *fn, unsigned reg, unsigned size)
{
	struct virtio_pci *p = (struct virtio_pci *)fn;
	const uint8_t *data = fn->config + p->window + CAP_DATA;
	uint64_t offset, value = get_le32(data);
	unsigned len;

	msix_config_written(&p->msix, reg, size);
	if (window(p, reg, size, &offset, &len))
		bar_write(fn->dev, offset, len,
			  len == 4 ? value : value & ((1u << 8 * len) - 1));
	place_doorbell((struct virtio *)fn->dev);
}

/* What virtio.c calls. */

static bool pci_message(struct virtio *v, uint16_t vector)
{
	if (!msix_enabled(&state(v)->msix))
		return false;
	msix_notify(&state(v)->msix, vector);
	return true;
}

static void pci_line(struct virtio *v, bool level)
{
	pci_set_intx(&state(v)->fn, level);
}

static void pci_reset(struct virtio *v)
{
	pci_function_reset(&state(v)->fn);
	msix_reset(&state(v)->msix);
	place_doorbell(v);
}

static void pci_fini(struct virtio *v)
{
	msix_fini(&state(v)->msix);
	free(state(v));
}

static void pci_boot_path(struct virtio *v, char *out, size_t size)
{
	snprintf(out, size, "/pci@i0cf8/*@%x", state(v)->fn.devfn >> 3);
}

static int pci_loaded(void *obj, struct err *e)
{
	struct virtio_pci *p = obj;

	(void)e;
	place_doorbell((struct virtio *)p->fn.dev);
	return 0;
}

static const struct state_field pci_fields[] = {
	STATE_OBJECT(struct virtio_pci, fn, &pci_function_state),
	STATE_OBJECT(struct virtio_pci, msix, &msix_state),
};
STATE_TRANSIENT(struct virtio_pci, "how the machine was made", window);
STATE_TRANSIENT(struct virtio_pci, "follows BAR and status",
		doorbell, doorbell_addr);

static const struct state_table pci_state = {
	.version = 1, STATE_FIELDS(pci_fields), .loaded = pci_loaded,
};

static const struct virtio_transport pci_transport = {
	.state = &pci_state,
	.message = pci_message,
	.line = pci_line,
	.reset = pci_reset,
	.fini = pci_fini,
	.boot_path = pci_boot_path,
};

/* Making. */

static unsigned add_cap(struct pci_function *fn, unsigned type, unsigned offset,
			unsigned length, unsigned extra)
{
	uint8_t cap[CAP_LEN + 4] = { CAP_ID, 0, (uint8_t)(CAP_LEN + extra),
				     (uint8_t)type, BAR };

	put_le32(cap + CAP_OFFSET, offset);
	put_le32(cap + CAP_LENGTH, length);
	return pci_add_capability(fn, cap, CAP_LEN + extra);
}

static void fill_header(struct virtio *v, struct pci_function *fn)
{
	uint8_t *c = fn->config;

	put_le16(c + PCI_VENDOR_ID, VENDOR);
	put_le16(c + PCI_DEVICE_ID, (uint16_t)(DEVICE_BASE + v->ops->id));
	c[PCI_REVISION] = 1;
	c[PCI_CLASS_PROG] = (uint8_t)v->ops->pci_class;
	put_le16(c + PCI_CLASS, (uint16_t)(v->ops->pci_class >> 8));
	put_le16(c + PCI_SUBSYSTEM_VENDOR, VENDOR);
	put_le16(c + PCI_SUBSYSTEM, SUBSYSTEM_ID);
	c[PCI_INTERRUPT_PIN] = 1;
}

int virtio_pci_attach(struct virtio *v, struct err *e)
{
	struct virtio_pci *p;
	int rc;

	if (!v->dev.vm->pci)
		return fail(e, ENODEV, "%s: the machine has no PCI bus",
			    v->ops->name);
	p = calloc(1, sizeof(*p));
	if (!p)
		return fail_rc(e, -ENOMEM, "%s", v->ops->name);
	fill_header(v, &p->fn);
	p->fn.dev = &v->dev;
	p->fn.config_read = config_read;
	p->fn.config_written = config_written;
	pci_bar_init(&p->fn, BAR, BUS_MMIO, BAR_LEN, false, &bar_ops);
	add_cap(&p->fn, CAP_COMMON, COMMON, COMMON_LEN, 0);
	/* The multiplier behind it is 0: the queues share one doorbell. */
	add_cap(&p->fn, CAP_NOTIFY, NOTIFY, AREA_LEN, 4);
	add_cap(&p->fn, CAP_ISR, ISR, 1, 0);
	if (v->config_len)
		add_cap(&p->fn, CAP_DEVICE, DEVICE, AREA_LEN, 0);
	p->window = add_cap(&p->fn, CAP_PCI, 0, 0, 4);
	p->fn.writable[p->window + CAP_BAR] = 0xff;
	memset(p->fn.writable + p->window + CAP_OFFSET, 0xff, 12);
	rc = msix_init(&p->msix, &p->fn, MSIX_BAR, v->n_queues + 1, &table_ops,
		       e);
	if (!rc)
		rc = pci_add(v->dev.vm, &p->fn, &v->dev, -1, e);
	if (rc) {
		msix_fini(&p->msix);
		free(p);
		return rc;
	}
	v->transport_state = p;
	v->transport = &pci_transport;
	return 0;
}
