/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service.c - requests that are served where the driver notifies.  See
 * service.h.
 */
#include "vmm/virtio/service.h"

#include "vmm/state.h"
#include "vmm/vm.h"

#define AT_ONCE	 VQ_MAX_SIZE
#define LATER_NS 100000u

static void run_waiting(void *arg)
{
	struct service *s = arg;
	struct virtio *v = s->v;
	uint32_t waiting;
	unsigned i;

	pthread_mutex_lock(&v->lock);
	waiting = s->waiting;
	s->waiting = 0;
	for (i = 0; i < v->n_queues; i++) {
		if (waiting & 1u << i)
			service_run(s, i);
	}
	pthread_mutex_unlock(&v->lock);
}

void service_init(struct service *s, struct virtio *v,
		  bool (*serve)(struct virtio *v, unsigned i,
				const struct vq_chain *c, uint32_t *written))
{
	s->v = v;
	s->serve = serve;
	vm_timer_init(&s->later, v->dev.vm, run_waiting, s);
}

/* 1: a request was served, 0: there is none, negative: it has to wait. */
static int serve_one(struct service *s, unsigned i, struct vq_chain *c)
{
	uint32_t written = 0;

	if (virtio_pop(s->v, i, c) <= 0)
		return 0;
	if (!s->serve(s->v, i, c, &written)) {
		virtio_unpop(s->v, c);
		return -1;
	}
	virtio_push(s->v, c, written);
	return 1;
}

void service_run(struct service *s, unsigned i)
{
	struct vq_chain c;
	unsigned n;
	int rc;

	virtio_disarm(s->v, i);
	for (n = 0; n < AT_ONCE; n++) {
		rc = serve_one(s, i, &c);
		if (rc < 0 || (rc == 0 && !virtio_arm(s->v, i)))
			return;
	}
	service_later(s, i);
}

void service_later(struct service *s, unsigned i)
{
	s->waiting |= 1u << i;
	vm_timer_arm(&s->later, vm_now(s->v->dev.vm) + LATER_NS);
}

void service_reset(struct service *s)
{
	s->waiting = 0;
}

static const struct state_field fields[] = {
	STATE_TIMER(struct service, later),
	STATE_NUMBER(struct service, waiting),
};
STATE_TRANSIENT(struct service, "how the machine was made", v, serve);

const struct state_table service_state = {
	.version = 1, STATE_FIELDS(fields),
};
