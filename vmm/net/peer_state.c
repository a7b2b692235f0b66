/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer_state.c - what is saved of the neighbour at a cable.  See vmm/state.h. */
#include <errno.h>

#include "vmm/net/peer.h"
#include "vmm/state.h"

static const struct state_field host_fields[] = {
	STATE_BYTES(struct peer_host, known.addr),
	STATE_BOOL(struct peer_host, known.learnt),
	STATE_BOOL(struct peer_host, known.answered),
	STATE_BOOL(struct peer_host, known.echoed),
	STATE_BYTES(struct peer_host, known.by),
	STATE_NUMBER(struct peer_host, known.at_ns),
	STATE_NUMBER(struct peer_host, next),
	STATE_NUMBER(struct peer_host, seq),
};
STATE_TRANSIENT(struct vm_net_host, "how the machine was made", asked);

static const struct state_table host_state = {
	.version = 1, STATE_FIELDS(host_fields),
};

static const struct state_field frame_fields[] = {
	STATE_NUMBER(struct peer_frame, when),
	STATE_NUMBER(struct peer_frame, len, .max = NET_FRAME_MAX),
	STATE_BYTES(struct peer_frame, bytes),
};

static const struct state_table frame_state = {
	.version = 1, STATE_FIELDS(frame_fields),
};

static int peer_loaded(void *obj, struct err *e)
{
	struct peer *p = obj;

	if (p->n_hosts < p->n_asks)
		return fail(e, EINVAL, "the peer knows %u addresses, must be "
			    "%u at least", p->n_hosts, p->n_asks);
	for (unsigned i = 0; i < VM_NET_HOSTS; i++)
		p->hosts[i].known.asked = i < p->n_asks;
	return 0;
}

static const struct state_field peer_fields[] = {
	STATE_BOOL(struct peer, running),
	STATE_NUMBER(struct peer, n_asks, .same = true),
	STATE_NUMBER(struct peer, n_hosts, .max = VM_NET_HOSTS),
	STATE_OBJECTS(struct peer, hosts, &host_state),
	STATE_NUMBER(struct peer, head, .max = PEER_FRAMES - 1),
	STATE_NUMBER(struct peer, n_frames, .max = PEER_FRAMES),
	STATE_OBJECTS(struct peer, frames, &frame_state),
	STATE_NUMBER(struct peer, dropped),
};
STATE_TRANSIENT(struct peer, "how the machine was made",
		mac, have_gateway, gateway, tell, arg);

const struct state_table peer_state = {
	.version = 1, STATE_FIELDS(peer_fields), .loaded = peer_loaded,
};
