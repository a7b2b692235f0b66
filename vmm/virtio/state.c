/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.c - what is saved of a virtio device and its queues: what the driver has
 * set, and how far they are.  See vmm/state.h.
 *
 * The device is paused: nothing is in flight.
 */
#include <errno.h>

#include "vmm/state.h"
#include "vmm/virtio/virtio.h"

static int queue_prepare(void *obj)
{
	struct vq *q = obj;

	q->was_broken = q->broken;
	return 0;
}

static int queue_loaded(void *obj, struct err *e)
{
	struct vq *q = obj;

	if (!is_pow2(q->size) || q->size > q->max_size)
		return fail(e, EINVAL, "a queue has %u entries, must be a "
			    "power of two up to %u", q->size, q->max_size);
	if (q->enabled && !q->was_broken &&
	    (q->desc % 16 || q->avail % 2 || q->used % 4))
		return fail(e, EINVAL, "a ring of an enabled queue is "
			    "misaligned");
	q->broken = q->was_broken ? "it was broken before it was saved" : NULL;
	q->n_seen = 0;
	return 0;
}

static const struct state_field queue_fields[] = {
	STATE_NUMBER(struct vq, size),
	STATE_NUMBER(struct vq, desc),
	STATE_NUMBER(struct vq, avail),
	STATE_NUMBER(struct vq, used),
	STATE_NUMBER(struct vq, vector),
	STATE_BOOL(struct vq, enabled),
	STATE_NUMBER(struct vq, next_avail),
	STATE_NUMBER(struct vq, next_used),
	STATE_NUMBER(struct vq, signalled),
	STATE_BOOL(struct vq, signalled_valid),
	STATE_NUMBER(struct vq, used_flags),
	STATE_BOOL(struct vq, was_broken),
};
STATE_TRANSIENT(struct vq, "how the machine was made",
		vm, lock, drained, max_size);
STATE_TRANSIENT(struct vq, "what status and features say",
		live, event_idx, indirect);
STATE_TRANSIENT(struct vq, "nothing is in flight", in_flight, draining);
STATE_TRANSIENT(struct vq, "is in was_broken", broken);
STATE_TRANSIENT(struct vq, "found again in memory",
		n_seen, generation, host_desc, host_avail, host_used);

static const struct state_table queue_state = {
	.version = 1, STATE_FIELDS(queue_fields), .prepare = queue_prepare,
	.loaded = queue_loaded,
};

static void *find_device(void *obj, const struct state_table **table)
{
	struct virtio *v = obj;

	*table = v->ops->state;
	return v;
}

static void *find_transport(void *obj, const struct state_table **table)
{
	struct virtio *v = obj;

	*table = v->transport->state;
	return v->transport_state;
}

/* Devices rely on what was agreed. */
static int virtio_loaded(void *obj, struct err *e)
{
	struct virtio *v = obj;
	uint8_t status = atomic_load(&v->status);
	uint8_t agreed = VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK;
	unsigned i;

	if ((status & agreed) == VIRTIO_STATUS_DRIVER_OK)
		return fail(e, EINVAL, "the status 0x%x has DRIVER_OK without "
			    "FEATURES_OK", status);
	if ((status & agreed) && (!virtio_has(v, VIRTIO_F_VERSION_1) ||
				  (v->features & ~v->offered)))
		return fail(e, EINVAL, "the features 0x%llx were not agreed on",
			    (unsigned long long)v->features);
	for (i = 0; i < v->n_queues; i++)
		virtio_queue_go(v, &v->queues[i]);
	return 0;
}

static const struct state_field virtio_fields[] = {
	STATE_NUMBER(struct virtio, offered, .same = true),
	STATE_NUMBER(struct virtio, features),
	STATE_NUMBER(struct virtio, feature_select),
	STATE_NUMBER(struct virtio, driver_feature_select),
	STATE_NUMBER(struct virtio, queue_select),
	STATE_NUMBER(struct virtio, status),
	STATE_BOOL(struct virtio, broken),
	STATE_NUMBER(struct virtio, isr),
	STATE_MEMBER(struct virtio, config, STATE_KIND_NUMBER, .size = 1,
		     .count_at = offsetof(struct virtio, config_len)),
	STATE_NUMBER(struct virtio, generation),
	STATE_NUMBER(struct virtio, config_vector),
	STATE_MEMBER(struct virtio, queues, STATE_KIND_OBJECT,
		     .size = sizeof(struct vq), .is_pointer = true,
		     .count_at = offsetof(struct virtio, n_queues),
		     .table = &queue_state),
	{ .name = "device", .kind = STATE_KIND_OBJECT, .find = find_device },
	{ .name = "transport", .kind = STATE_KIND_OBJECT,
	  .find = find_transport },
};
STATE_TRANSIENT(struct virtio, "how the machine was made",
		dev, dev_ops, ops, transport, transport_state, lock, doorbell,
		isr_lock, config_len, n_queues);
STATE_TRANSIENT(struct virtio, "it is, while it is saved and loaded", paused);

const struct state_table virtio_state = {
	.version = 1, STATE_FIELDS(virtio_fields), .loaded = virtio_loaded,
};
