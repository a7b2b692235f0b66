/* SPDX-License-Identifier: GPL-2.0-or-later */
/* net.c - virtio-net (virtio 1.2, 5.1) with the peer of net/peer.h at its cable: one
 * pair of queues, no offloads.
 *
 * config	0	6	mac, with F_MAC
 *		6	2	status, with F_STATUS: bit 0 link is up
 *		8	2	max_virtqueue_pairs, with F_MQ
 *		10	2	mtu, with F_MTU
 *
 * Before each frame stands a header (5.1.6):
 *		0	1	flags		1	1	gso_type
 *		2	8	lengths of offloads
 *		10	2	num_buffers
 *
 * A frame for which the driver has no room is lost, as on any card.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/net/peer.h"
#include "vmm/state.h"
#include "vmm/virtio/service.h"
#include "vmm/vm.h"

#define F_MTU		(1ull << 3)
#define F_MAC		(1ull << 5)
#define F_STATUS	(1ull << 16)

#define CONFIG_MAC	0u
#define CONFIG_STATUS	6u
#define CONFIG_PAIRS	8u
#define CONFIG_MTU	10u
#define CONFIG_LEN	12u
#define LINK_UP		1u
#define MTU		1500u

#define HEADER_LEN	12u
#define NUM_BUFFERS	10u

enum { RECEIVE, TRANSMIT, N_QUEUES };

struct net {
	struct virtio v;		/* first */
	unsigned index;			/* among the cards */
	struct service service;		/* of TRANSMIT */
	struct vm_timer timer;		/* what the peer does next; v->lock, */
	struct peer peer;		/* as all of this */
	struct vq_chain chain;		/* scratch */
	bool started;			/* a driver has set it up, ever */
	uint64_t sent, received, dropped;
};

static void arm(struct net *n)
{
	uint64_t next = peer_next(&n->peer);

	if (next == UINT64_MAX)
		vm_timer_cancel(&n->timer);
	else
		vm_timer_arm(&n->timer, next);
}

static bool deliver(struct net *n, const struct peer_frame *f)
{
	static const uint8_t header[HEADER_LEN] = { [NUM_BUFFERS] = 1 };
	struct vq_chain *c = &n->chain;

	if (virtio_pop(&n->v, RECEIVE, c) <= 0)
		return false;
	if (c->in_len < HEADER_LEN + (uint64_t)f->len) {
		virtio_unpop(&n->v, c);
		return false;
	}
	vq_chain_write(c, 0, header, HEADER_LEN);
	vq_chain_write(c, HEADER_LEN, f->bytes, f->len);
	virtio_push(&n->v, c, HEADER_LEN + f->len);
	return true;
}

static void peer_due(void *arg)
{
	struct net *n = arg;
	const struct peer_frame *f;
	uint64_t now;

	pthread_mutex_lock(&n->v.lock);
	now = vm_now(n->v.dev.vm);
	peer_run(&n->peer, now);
	while ((f = peer_frame(&n->peer, now))) {
		if (deliver(n, f))
			n->received++;
		else
			n->dropped++;
		peer_frame_done(&n->peer);
	}
	arm(n);
	pthread_mutex_unlock(&n->v.lock);
}

/* The guest sends; what is no frame goes nowhere. */
static bool transmit(struct virtio *v, unsigned i, const struct vq_chain *c,
		     uint32_t *written)
{
	struct net *n = (struct net *)v;
	uint8_t frame[NET_FRAME_MAX];
	size_t len;

	(void)i, (void)written;
	if (c->out_len <= HEADER_LEN ||
	    c->out_len > HEADER_LEN + sizeof(frame))
		return true;
	len = vq_chain_read(c, HEADER_LEN, frame, sizeof(frame));
	n->sent++;
	peer_take(&n->peer, vm_now(v->dev.vm), frame, len);
	return true;
}

static void notify(struct virtio *v, unsigned i)
{
	struct net *n = (struct net *)v;

	if (i != TRANSMIT)
		return;
	service_run(&n->service, TRANSMIT);
	arm(n);
}

/* The peer learns of something. */
static void told(void *arg, const struct vm_net_host *host)
{
	struct net *n = arg;
	const struct vm_watch *w = n->v.dev.vm->config.watch;

	if (w && w->network)
		w->network(w->arg, n->index, host);
}

static void start(struct virtio *v)
{
	const struct vm_watch *w = v->dev.vm->config.watch;
	struct net *n = (struct net *)v;

	n->started = true;
	if (w && w->network)
		w->network(w->arg, n->index, NULL);
	/* Room for frames is looked for when one comes. */
	virtio_disarm(v, RECEIVE);
	peer_start(&n->peer, vm_now(v->dev.vm));
	arm(n);
}

static void reset(struct virtio *v)
{
	struct net *n = (struct net *)v;

	peer_stop(&n->peer);
	vm_timer_cancel(&n->timer);
	service_reset(&n->service);
}

static const struct state_field net_fields[] = {
	STATE_OBJECT(struct net, service, &service_state),
	STATE_TIMER(struct net, timer),
	STATE_OBJECT(struct net, peer, &peer_state),
	STATE_BOOL(struct net, started),
	STATE_NUMBER(struct net, sent),
	STATE_NUMBER(struct net, received),
	STATE_NUMBER(struct net, dropped),
};
STATE_TRANSIENT(struct net, "has a table of its own", v);
STATE_TRANSIENT(struct net, "how the machine was made", index);
STATE_TRANSIENT(struct net, "between a pop and a push alone", chain);

static const struct state_table net_state = {
	.version = 1, STATE_FIELDS(net_fields),
};

static const struct virtio_ops net_ops = {
	.state = &net_state,
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.pci_class = 0x020000,		/* Ethernet */
	.notify = notify,
	.start = start,
	.reset = reset,
};

/* The i-th card, or NULL. */
static struct net *find(struct vm *vm, unsigned i)
{
	struct device *dev;

	for (dev = vm->devices; dev; dev = dev->next) {
		if (dev->ops->name == net_ops.name && !i--)
			return (struct net *)dev;
	}
	return NULL;
}

static void choose_mac(struct net *n, const struct vm_net *net)
{
	static const uint8_t first[NET_MAC] = {
		0x52, 0x54, 0x00, 0x76, 0x6d, 0x01,
	};
	uint8_t *mac = n->v.config + CONFIG_MAC;

	memcpy(mac, net->mac, NET_MAC);
	if (!bytes_are_zero(mac, NET_MAC))
		return;
	memcpy(mac, first, NET_MAC);
	mac[5] = (uint8_t)(mac[5] + n->index);
}

static int check(const struct vm_net *net, struct err *e)
{
	if (net->mac[0] & 1)
		return fail(e, EINVAL, "a MAC address that begins with %02x is "
			    "a group's, must be even", net->mac[0]);
	if (net->n_asks > VM_NET_ASKS)
		return fail(e, EINVAL, "%u addresses, at most %u are possible",
			    net->n_asks, VM_NET_ASKS);
	return 0;
}

int vm_add_net(struct vm *vm, const struct vm_net *net, struct err *e)
{
	int rc = check(net, e);
	struct net *n;

	if (rc)
		return rc;
	n = calloc(1, sizeof(*n));
	if (!n)
		return fail_rc(e, -ENOMEM, "virtio-net");
	while (find(vm, n->index))
		n->index++;
	rc = virtio_init(&n->v, vm, &net_ops, F_MTU | F_MAC | F_STATUS,
			 N_QUEUES, CONFIG_LEN, e);
	if (rc)
		goto out;
	choose_mac(n, net);
	put_le16(n->v.config + CONFIG_STATUS, LINK_UP);
	put_le16(n->v.config + CONFIG_PAIRS, 1);
	put_le16(n->v.config + CONFIG_MTU, MTU);
	service_init(&n->service, &n->v, transmit);
	vm_timer_init(&n->timer, vm, peer_due, n);
	peer_init(&n->peer, net, n->v.config + CONFIG_MAC);
	n->peer.tell = told;
	n->peer.arg = n;
	rc = n->index == VM_NET_MAX ?
		fail(e, ENOSPC, "%u network cards are possible", VM_NET_MAX) :
		virtio_attach(&n->v, net->bus, e);
out:
	if (rc)
		virtio_free(&n->v);
	return rc;
}

unsigned vm_net_hosts(struct vm *vm, unsigned i,
		      struct vm_net_host hosts[VM_NET_HOSTS])
{
	struct net *n = find(vm, i);
	unsigned k, count;

	if (!n)
		return 0;
	pthread_mutex_lock(&n->v.lock);
	count = n->peer.n_hosts;
	for (k = 0; k < count; k++)
		hosts[k] = n->peer.hosts[k].known;
	pthread_mutex_unlock(&n->v.lock);
	return count;
}

/* How many virtio devices its bus has before it. */
static unsigned number(const struct net *n)
{
	struct device *dev = n->v.dev.vm->devices;
	unsigned k = 0;

	for (; dev != &n->v.dev; dev = dev->next)
		k += dev->ops->state == &virtio_state &&
			((struct virtio *)dev)->transport == n->v.transport;
	return k;
}

bool vm_net_info(struct vm *vm, unsigned i, struct vm_net_info *info)
{
	struct net *n = find(vm, i);

	if (!n)
		return false;
	pthread_mutex_lock(&n->v.lock);
	*info = (struct vm_net_info){
		.number = number(n), .driver = n->started,
		.sent = n->sent, .received = n->received,
		.dropped = n->dropped + n->peer.dropped,
	};
	memcpy(info->mac, n->v.config + CONFIG_MAC, NET_MAC);
	pthread_mutex_unlock(&n->v.lock);
	return true;
}
