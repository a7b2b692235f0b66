/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.h - split virtqueues (virtio 1.2, 2.6 to 2.7): the only reader of
 * descriptors.
 *
 * The driver is hostile.  Whatever it breaks, pop says so once: the queue is
 * broken then, and does nothing more until it is reset.  What pop hands out is a
 * copy that the driver cannot change any more, but for the bytes in the buffers.
 *
 * Threads: all of these but those of chains are called with q->lock held.
 * Devices call virtio_pop() and its like (virtio.h), which take it.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include <pthread.h>
#include <sys/uio.h>

#include "imgfmt/base/base.h"

struct vm;

#define VQ_MAX_SIZE	256u	/* SeaBIOS takes no larger one */
#define VQ_MAX_IOV	(VQ_MAX_SIZE + 64u)
#define VQ_NO_VECTOR	0xffffu

struct vq {
	struct vm *vm;
	pthread_mutex_t lock;
	pthread_cond_t drained;		/* with lock: in_flight became 0 */
	uint16_t max_size;

	/* What the driver sets while the queue is not enabled; the device's
	 * lock, and `lock` once it is enabled.
	 */
	uint16_t size;			/* entries, a power of two */
	uint64_t desc, avail, used;	/* gpa */
	_Atomic uint16_t vector;	/* MSI-X */
	bool enabled;

	/* With lock. */
	bool live;			/* DRIVER_OK, and not paused */
	bool event_idx, indirect;	/* negotiated */
	uint16_t next_avail, next_used;
	uint16_t n_seen;		/* behind next_avail, known to be there */
	uint16_t signalled;		/* next_used at the last decision */
	bool signalled_valid;
	uint16_t used_flags;		/* what the ring's flags hold */
	unsigned in_flight;		/* popped and not pushed */
	unsigned draining;		/* who waits for `drained` */
	const char *broken;		/* which rule was broken, in words, or NULL */
	bool was_broken;		/* the same, for state.c */

	/* Where the rings are; valid while the memory map has this generation. */
	uint64_t generation;
	const uint8_t *host_desc, *host_avail;
	uint8_t *host_used;
};

/* A request.  iov[0 .. n_out) is what the device reads, the n_in behind it what
 * it writes; pieces are never empty and lie in memory.
 */
struct vq_chain {
	struct vq *q;
	uint16_t head;
	unsigned n_out, n_in;
	uint64_t out_len, in_len;	/* bytes; together below 4 GiB */
	struct iovec iov[VQ_MAX_IOV];
};

int vq_init(struct vq *q, struct vm *vm, uint16_t max_size);
void vq_fini(struct vq *q);

/* The state after a reset of the device: not enabled.  Nothing is in flight. */
void vq_reset(struct vq *q);

/* Start with what the driver has set.  0, or -EINVAL: a ring is misaligned or
 * not in memory; the queue is broken then.
 */
int vq_enable(struct vq *q);

/* The next request into *c.  1; 0 if there is none or the queue does not run;
 * -EPROTO if the driver broke a rule (once, then 0).
 */
int vq_pop(struct vq *q, struct vq_chain *c);

/* Complete a request; `written` bytes from the start of its writable part were
 * written at least.  The whole part counts as changed for mem_wrote().
 */
void vq_push(struct vq *q, const struct vq_chain *c, uint32_t written);

/* The writable part counts as changed now, for who pushes later and without it. */
void vq_wrote(const struct vq_chain *c);

/* Put back the request that was popped last, as if it had not been. */
void vq_unpop(struct vq *q, const struct vq_chain *c);

/* After one or more pushes: does the driver want an interrupt for them? */
bool vq_need_interrupt(struct vq *q);

/* Ask the driver to notify when it adds a request.  True: one is there already,
 * for which no notification may come.
 */
bool vq_arm(struct vq *q);

/* It need not notify. */
void vq_disarm(struct vq *q);

/* Wait until nothing is in flight.  q->lock is let go meanwhile; the queue must
 * not be live, or more would come.
 */
void vq_drain(struct vq *q);

/* Copy from the readable part, or into the writable part, at `offset`; returns
 * how many bytes there were, at most `len`.
 */
size_t vq_chain_read(const struct vq_chain *c, uint64_t offset, void *buf,
		     size_t len);
size_t vq_chain_write(const struct vq_chain *c, uint64_t offset,
		      const void *buf, size_t len);

#endif
