/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.h - what all virtio devices share, whatever the transport (virtio 1.2,
 * chapters 2 and 3).  Modern only: a driver without VERSION_1 is refused.
 *
 * A device is a struct allocated with calloc() whose first member is a struct
 * virtio:
 *
 *	virtio_init(&d->v, vm, &ops, features, n_queues, config_len)
 *	put its fields into d->v.config
 *	virtio_attach(&d->v, bus)	(on failure: virtio_free())
 *
 * From then on the machine owns it.  notify() says that a queue has requests:
 *
 *	while (virtio_pop(v, i, &chain) > 0) {
 *		...
 *		virtio_push(v, &chain, written);
 *	}
 *
 * A device whose work is done on other threads (disks: puller.h; or the machine's
 * loop) sets v->doorbell to an eventfd, which is written instead of a call of
 * notify(), by the kernel where the accelerator can.
 *
 * Locks: v->lock covers registers and config; it lies below the machine lock, so
 * a callback must not take that.  Each queue's own lies below v->lock.  Popping
 * and pushing needs no lock, and what happens between the two on a thread must
 * not take v->lock or the machine lock if it did not hold them before: a reset
 * waits with both held until what was popped is pushed.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdatomic.h>

#include "queue.h"
#include "vmm/device.h"
#include "vmm/vmm.h"

#define VIRTIO_F_RING_INDIRECT_DESC	(1ull << 28)
#define VIRTIO_F_RING_EVENT_IDX		(1ull << 29)
#define VIRTIO_F_VERSION_1		(1ull << 32)

/* Device status (2.1). */
#define VIRTIO_STATUS_ACKNOWLEDGE	0x01u
#define VIRTIO_STATUS_DRIVER		0x02u
#define VIRTIO_STATUS_DRIVER_OK		0x04u
#define VIRTIO_STATUS_FEATURES_OK	0x08u
#define VIRTIO_STATUS_NEEDS_RESET	0x40u
#define VIRTIO_STATUS_FAILED		0x80u

/* ISR status (4.1.4.5, 4.2.2). */
#define VIRTIO_ISR_QUEUE	0x01u
#define VIRTIO_ISR_CONFIG	0x02u

#define VIRTIO_CONFIG_MAX	256u	/* bytes */
#define VIRTIO_MAX_QUEUES	64u

/* Device types (chapter 5). */
#define VIRTIO_ID_NET		1u
#define VIRTIO_ID_BLOCK		2u
#define VIRTIO_ID_CONSOLE	3u
#define VIRTIO_ID_RNG		4u
#define VIRTIO_ID_BALLOON	5u

struct virtio;

/* Callbacks hold v->lock, and all are optional. */
struct virtio_ops {
	const char *name;	/* "virtio-blk" */
	uint16_t id;		/* VIRTIO_ID_* */
	uint32_t pci_class;	/* class, subclass, interface: 0x010000 */

	/* Queue `i` may have requests, and the driver is ready.  Not called if
	 * v->doorbell is set.
	 */
	void (*notify)(struct virtio *v, unsigned i);

	/* The driver writes `size` bytes of config at `offset`, which is within
	 * config_len; store what is allowed in v->config.
	 */
	void (*config_write)(struct virtio *v, unsigned offset, unsigned size,
			     uint64_t value);

	/* The driver is ready (DRIVER_OK): v->features are final. */
	void (*start)(struct virtio *v);

	/* Push what was popped and done: a reset or a pause waits for it. */
	void (*settle)(struct virtio *v);

	/* Back to the state after power-on; nothing is in flight. */
	void (*reset)(struct virtio *v);

	/* What of its struct is saved besides struct virtio (state.h). */
	const struct state_table *state;

	/* Release what the device has: threads first.  Without v->lock.  The
	 * struct is freed by the caller.
	 */
	void (*fini)(struct virtio *v);
};

/* How interrupts reach the guest: pci.c, mmio.c. */
struct virtio_transport {
	/* Send the message of this MSI-X vector, if the guest uses messages;
	 * otherwise false.  Optional.  Any thread, also with a queue's lock.
	 */
	bool (*message)(struct virtio *v, uint16_t vector);
	/* Drive the interrupt line: is any bit of v->isr set?  v->isr_lock. */
	void (*line)(struct virtio *v, bool level);
	/* Power-on, after the device's own reset.  The machine lock is held. */
	void (*reset)(struct virtio *v);
	void (*fini)(struct virtio *v);
	/* Where firmware finds the device, as its bootorder spells it. */
	void (*boot_path)(struct virtio *v, char *out, size_t size);
	const struct state_table *state;	/* of transport_state */
};

/* state.c: what is saved of all of them. */
extern const struct state_table virtio_state;

struct virtio {
	struct device dev;		/* first */
	struct device_ops dev_ops;
	const struct virtio_ops *ops;
	const struct virtio_transport *transport;
	void *transport_state;
	pthread_mutex_t lock;
	int doorbell;			/* eventfd, the device's; -1: none */

	uint64_t offered;		/* features */
	uint64_t features;		/* what the driver has accepted */
	uint32_t feature_select, driver_feature_select, queue_select;
	_Atomic uint8_t status;
	_Atomic bool broken;		/* NEEDS_RESET: no queue runs */
	bool paused;
	pthread_mutex_t isr_lock;	/* lies just outside the interrupt lock */
	uint8_t isr;			/* VIRTIO_ISR_* */

	uint8_t config[VIRTIO_CONFIG_MAX];	/* little-endian */
	unsigned config_len;
	_Atomic uint32_t generation;	/* of config */
	_Atomic uint16_t config_vector;

	unsigned n_queues;
	struct vq *queues;
};

/* `features` without those of the rings and VERSION_1, which are added.  On failure
 * too the caller calls virtio_free(), so ops->fini takes a device that is all zero
 * behind *v.
 */
int virtio_init(struct virtio *v, struct vm *vm, const struct virtio_ops *ops,
		uint64_t features, unsigned n_queues, unsigned config_len,
		struct err *e);

/* Put the device on a bus; the machine owns it from then on, not on failure. */
int virtio_attach(struct virtio *v, enum vm_bus bus, struct err *e);
void virtio_free(struct virtio *v);	/* calls ops->fini */

/* The transports: mmio.c and pci.c. */
int virtio_mmio_attach(struct virtio *v, struct err *e);
int virtio_pci_attach(struct virtio *v, struct err *e);

/* For devices. */

/* As vq_pop(); a broken rule is reported to the driver here. */
int virtio_pop(struct virtio *v, unsigned i, struct vq_chain *c);

/* Complete a request, and interrupt the driver if it wants that. */
void virtio_push(struct virtio *v, struct vq_chain *c, uint32_t written);
void virtio_unpop(struct virtio *v, struct vq_chain *c);

/* For threads that share the queues of a device.  virtio_take() is virtio_pop(),
 * and with the same lock held virtio_disarm() if none of them sleeps.
 * virtio_swap() is virtio_push(), and then virtio_take() from the same queue into
 * the same *c.
 */
int virtio_take(struct virtio *v, unsigned i, struct vq_chain *c,
		const _Atomic unsigned *sleepers);
int virtio_swap(struct virtio *v, struct vq_chain *c, uint32_t written,
		const _Atomic unsigned *sleepers);

/* As vq_arm() and vq_disarm(): notifications of queue `i` are on at the start. */
bool virtio_arm(struct virtio *v, unsigned i);
void virtio_disarm(struct virtio *v, unsigned i);

/* The request that was popped breaks the device's own rules so that it cannot be
 * answered: it needs a reset.  Push it nevertheless.  Any thread.
 */
void virtio_break(struct virtio *v);

/* v->config was changed by the device, with v->lock held. */
void virtio_config_changed(struct virtio *v);

static inline bool virtio_has(const struct virtio *v, uint64_t feature)
{
	return v->features & feature;
}

/* For transports: registers, v->lock held. */

void virtio_set_status(struct virtio *v, uint8_t status);
uint32_t virtio_offered_word(const struct virtio *v);	/* by feature_select */
uint32_t virtio_driver_word(const struct virtio *v);
void virtio_set_driver_word(struct virtio *v, uint32_t word);

/* The selected queue, or NULL. */
struct vq *virtio_queue(struct virtio *v);
void virtio_queue_set_size(struct virtio *v, uint64_t size);
/* Replace the low (shift 0) or high (shift 32) half of an address of the
 * selected queue, or all of it.
 */
enum virtio_ring { VIRTIO_DESC, VIRTIO_AVAIL, VIRTIO_USED };
void virtio_queue_set_addr(struct virtio *v, enum virtio_ring ring,
			   unsigned shift, unsigned bits, uint64_t value);
void virtio_queue_enable(struct virtio *v);
void virtio_queue_go(struct virtio *v, struct vq *q);	/* virtio.c's */
void virtio_queue_disable(struct virtio *v);	/* waits for its requests */

/* Config of any width and alignment; what lies beyond is 0 and ignored. */
uint64_t virtio_config_read(struct virtio *v, uint64_t offset, unsigned size);
void virtio_config_write(struct virtio *v, uint64_t offset, unsigned size,
			 uint64_t value);

/* The driver wrote a doorbell.  Without v->lock. */
void virtio_notify(struct virtio *v, uint32_t queue);

/* The ISR status, and clear these bits.  Without v->lock. */
uint8_t virtio_isr(struct virtio *v, uint8_t clear);

/* The state after power-on but for what the transport keeps; waits for requests
 * in flight.
 */
void virtio_reset(struct virtio *v);

#endif
