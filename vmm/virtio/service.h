/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service.h - for devices that serve a request at once, on the thread that
 * notifies (so that a run with a virtual clock repeats): rng, balloon, console.
 */
#ifndef VIRTIO_SERVICE_H
#define VIRTIO_SERVICE_H

#include "vmm/clock.h"
#include "vmm/virtio/virtio.h"

/* A part of the device's struct. */
struct service {
	struct virtio *v;
	struct vm_timer later;
	uint32_t waiting;	/* queues, by bit, that later serves */

	/* Serve *c of queue `i` and set *written; false: not now, put it back,
	 * and service_run() will be called when it can go on.  v->lock is held.
	 */
	bool (*serve)(struct virtio *v, unsigned i, const struct vq_chain *c,
		      uint32_t *written);
};

extern const struct state_table service_state;

void service_init(struct service *s, struct virtio *v,
		  bool (*serve)(struct virtio *v, unsigned i,
				const struct vq_chain *c, uint32_t *written));

/* Serve what queue `i` has: so many, that a driver which goes on adding requests
 * does not keep this thread; the others a little later.  v->lock is held.
 */
void service_run(struct service *s, unsigned i);

/* Serve queue `i` a little later, for a serve() that has had enough for now and
 * returns false.  v->lock is held.
 */
void service_later(struct service *s, unsigned i);

/* The device is reset: nothing waits.  v->lock is held. */
void service_reset(struct service *s);

#endif
