/* SPDX-License-Identifier: GPL-2.0-or-later */
/* puller.h - threads that pull requests out of a device's queues and serve them
 * with blocking calls: the parallelism of a disk is its number of pullers.
 *
 * They take one request at a time, a few from each queue in turn, and sleep on
 * the device's doorbell when there is none.  A reset or a pause of the device waits
 * for what they have taken (virtio.h), and they get nothing more meanwhile.
 */
#ifndef VIRTIO_PULLER_H
#define VIRTIO_PULLER_H

#include <pthread.h>

#include "virtio.h"

struct pullers;

struct puller {
	struct pullers *pool;
	unsigned index;			/* 0 .. n - 1 */
	pthread_t thread;
	unsigned next;			/* the queue to look at first */
	bool woken;			/* by the bell, and has not looked round */
	void *scratch;			/* serve()'s; freed at the end */
	struct vq_chain chain;
};

struct pullers {
	struct virtio *v;
	/* Do the request; how many bytes were written into it?  Any number at
	 * once, each on a thread of its own.
	 */
	uint32_t (*serve)(struct virtio *v, struct puller *me,
			  struct vq_chain *c);
	unsigned n;
	struct puller *all;
	_Atomic unsigned sleepers;
	_Atomic bool stop;
};

/* Make the doorbell, before virtio_attach(). */
int pullers_init(struct pullers *p, struct virtio *v,
		 uint32_t (*serve)(struct virtio *v, struct puller *me,
				   struct vq_chain *c),
		 struct err *e);

int pullers_start(struct pullers *p, unsigned n, struct err *e);

/* End the threads, as far as there are any, and the doorbell. */
void pullers_fini(struct pullers *p);

#endif
