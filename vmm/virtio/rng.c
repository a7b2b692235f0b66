/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rng.c - the entropy device (virtio 1.2, 5.4): one queue, whose requests are
 * filled with random bytes.
 */
#include <errno.h>
#include <stdlib.h>

#include "vmm/random.h"
#include "vmm/state.h"
#include "vmm/virtio/service.h"
#include "vmm/vm.h"

/* What one request gets; the driver comes again for more. */
#define MAX_BYTES 4096u

struct rng {
	struct virtio v;		/* first */
	struct service service;
};

static bool serve(struct virtio *v, unsigned i, const struct vq_chain *c,
		  uint32_t *written)
{
	uint8_t bytes[MAX_BYTES];
	size_t n = (size_t)min_u64(sizeof(bytes), c->in_len);

	(void)i;
	vm_random(v->dev.vm, bytes, n);
	*written = (uint32_t)vq_chain_write(c, 0, bytes, n);
	return true;
}

static void notify(struct virtio *v, unsigned i)
{
	service_run(&((struct rng *)v)->service, i);
}

static void reset(struct virtio *v)
{
	service_reset(&((struct rng *)v)->service);
}

static const struct state_field rng_fields[] = {
	STATE_OBJECT(struct rng, service, &service_state),
};
STATE_TRANSIENT(struct rng, "has a table of its own", v);

static const struct state_table rng_state = {
	.version = 1, STATE_FIELDS(rng_fields),
};

static const struct virtio_ops rng_ops = {
	.state = &rng_state,
	.name = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.pci_class = 0x00ff00,
	.notify = notify,
	.reset = reset,
};

int vm_add_rng(struct vm *vm, enum vm_bus bus, struct err *e)
{
	struct rng *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return fail_rc(e, -ENOMEM, "virtio-rng");
	rc = virtio_init(&r->v, vm, &rng_ops, 0, 1, 0, e);
	if (!rc) {
		service_init(&r->service, &r->v, serve);
		rc = virtio_attach(&r->v, bus, e);
	}
	if (rc)
		virtio_free(&r->v);
	return rc;
}
