/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registers.c - what both transports' registers mean: features, queue set-up
 * (virtio 1.2, 4.1.4.3 and 4.2.2) and config.  See virtio.h.
 */
#include <string.h>

#include "vmm/virtio/virtio.h"

static uint32_t word(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

uint32_t virtio_offered_word(const struct virtio *v)
{
	return word(v->offered, v->feature_select);
}

uint32_t virtio_driver_word(const struct virtio *v)
{
	return word(v->features, v->driver_feature_select);
}

void virtio_set_driver_word(struct virtio *v, uint32_t value)
{
	unsigned shift = 32 * v->driver_feature_select;

	/* Devices rely on what was agreed. */
	if (v->driver_feature_select > 1 ||
	    atomic_load(&v->status) & VIRTIO_STATUS_FEATURES_OK)
		return;
	v->features &= ~(0xffffffffull << shift);
	v->features |= (uint64_t)value << shift;
}

struct vq *virtio_queue(struct virtio *v)
{
	return v->queue_select < v->n_queues ? &v->queues[v->queue_select] :
		NULL;
}

void virtio_queue_set_size(struct virtio *v, uint64_t size)
{
	struct vq *q = virtio_queue(v);

	if (q && !q->enabled && is_pow2(size) && size <= q->max_size)
		q->size = (uint16_t)size;
}

void virtio_queue_set_addr(struct virtio *v, enum virtio_ring ring,
			   unsigned shift, unsigned bits, uint64_t value)
{
	struct vq *q = virtio_queue(v);
	uint64_t mask = bits >= 64 ? UINT64_MAX : (1ull << bits) - 1;
	uint64_t *addr;

	if (!q || q->enabled)
		return;
	addr = ring == VIRTIO_DESC ? &q->desc :
		ring == VIRTIO_AVAIL ? &q->avail : &q->used;
	*addr = (*addr & ~(mask << shift)) | (value & mask) << shift;
}

void virtio_queue_enable(struct virtio *v)
{
	struct vq *q = virtio_queue(v);

	if (!q || q->enabled)
		return;
	pthread_mutex_lock(&q->lock);
	if (vq_enable(q))
		virtio_break(v);
	pthread_mutex_unlock(&q->lock);
	virtio_queue_go(v, q);
}

void virtio_queue_disable(struct virtio *v)
{
	struct vq *q = virtio_queue(v);

	if (!q || !q->enabled)
		return;
	pthread_mutex_lock(&q->lock);
	q->live = false;
	vq_drain(q);
	vq_reset(q);
	pthread_mutex_unlock(&q->lock);
}

uint64_t virtio_config_read(struct virtio *v, uint64_t offset, unsigned size)
{
	uint64_t value = 0;
	unsigned i;

	for (i = 0; i < size && in_range(offset, i + 1, v->config_len); i++)
		value |= (uint64_t)v->config[offset + i] << (8 * i);
	return value;
}

void virtio_config_write(struct virtio *v, uint64_t offset, unsigned size,
			 uint64_t value)
{
	if (v->ops->config_write && in_range(offset, size, v->config_len))
		v->ops->config_write(v, (unsigned)offset, size, value);
}
