/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.c - the console device with one port (virtio 1.2, 5.3).
 *
 * config	0	2	columns, with F_SIZE
 *		2	2	rows
 *		4	4	max_nr_ports, with F_MULTIPORT
 *		8	4	emerg_wr: a character written here is printed
 */
#include <errno.h>
#include <stdlib.h>

#include "vmm/chardev.h"
#include "vmm/state.h"
#include "vmm/virtio/service.h"
#include "vmm/vm.h"

#define F_EMERG_WRITE	(1ull << 2)
#define CONFIG_EMERG	8u
#define CONFIG_LEN	12u

/* Of one request at a time: they may be gigabytes long. */
#define AT_ONCE		65536u

/* How long the end of the machine waits for a reader of its last output. */
#define FINISH_MS	1000

enum { RECEIVE, TRANSMIT, N_QUEUES };

struct console {
	struct virtio v;		/* first */
	struct service service;
	struct chardev host;
	uint64_t sent;			/* of TRANSMIT's first request, bytes */
};

static bool receive(struct console *con, const struct vq_chain *c,
		    uint32_t *written)
{
	uint8_t bytes[4096];
	size_t n = (size_t)min_u64(sizeof(bytes), c->in_len);

	if (!n)
		return true;
	n = chardev_read(&con->host, bytes, n);
	if (!n) {
		chardev_want_input(&con->host, true);
		return false;
	}
	*written = (uint32_t)vq_chain_write(c, 0, bytes, n);
	return true;
}

static bool transmit(struct console *con, const struct vq_chain *c)
{
	uint64_t stop = con->sent + AT_ONCE;
	uint8_t bytes[4096];
	size_t n, taken;

	while ((n = vq_chain_read(c, con->sent, bytes, sizeof(bytes)))) {
		taken = chardev_write(&con->host, bytes, n);
		con->sent += taken;
		if (taken < n)
			return false;	/* until host_room() */
		if (con->sent >= stop) {
			service_later(&con->service, TRANSMIT);
			return false;
		}
	}
	con->sent = 0;
	return true;
}

static bool serve(struct virtio *v, unsigned i, const struct vq_chain *c,
		  uint32_t *written)
{
	struct console *con = (struct console *)v;

	return i == RECEIVE ? receive(con, c, written) : transmit(con, c);
}

static void notify(struct virtio *v, unsigned i)
{
	service_run(&((struct console *)v)->service, i);
}

static void host_input(void *arg)
{
	struct console *con = arg;

	pthread_mutex_lock(&con->v.lock);
	/* Until a request finds that there is nothing more to read. */
	chardev_want_input(&con->host, false);
	service_run(&con->service, RECEIVE);
	pthread_mutex_unlock(&con->v.lock);
}

static void host_room(void *arg)
{
	struct console *con = arg;

	pthread_mutex_lock(&con->v.lock);
	service_run(&con->service, TRANSMIT);
	pthread_mutex_unlock(&con->v.lock);
}

static void config_write(struct virtio *v, unsigned offset, unsigned size,
			 uint64_t value)
{
	struct console *con = (struct console *)v;
	uint8_t byte = (uint8_t)value;

	(void)size;
	if (offset == CONFIG_EMERG)
		chardev_write(&con->host, &byte, 1);
}

static void reset(struct virtio *v)
{
	struct console *con = (struct console *)v;

	con->sent = 0;
	chardev_want_input(&con->host, false);
	service_reset(&con->service);
}

static void fini(struct virtio *v)
{
	struct console *con = (struct console *)v;

	if (!con->host.vm)
		return;		/* it was never opened */
	chardev_finish(&con->host, FINISH_MS);
	chardev_fini(&con->host);
}

static const struct state_field console_fields[] = {
	STATE_OBJECT(struct console, service, &service_state),
	STATE_NUMBER(struct console, sent),
};
STATE_TRANSIENT(struct console, "has a table of its own", v);
STATE_TRANSIENT(struct console, "the host's end, whose buffer it has", host);

static const struct state_table console_state = {
	.version = 1, STATE_FIELDS(console_fields),
};

static const struct virtio_ops console_ops = {
	.state = &console_state,
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.pci_class = 0x078000,
	.notify = notify,
	.config_write = config_write,
	.reset = reset,
	.fini = fini,
};

int vm_add_console(struct vm *vm, enum vm_bus bus,
		   const struct vm_chardev *host, struct err *e)
{
	struct console *con = calloc(1, sizeof(*con));
	int rc;

	if (!con)
		return fail_rc(e, -ENOMEM, "virtio-console");
	rc = virtio_init(&con->v, vm, &console_ops, F_EMERG_WRITE, N_QUEUES,
			 CONFIG_LEN, e);
	if (rc)
		goto out;
	service_init(&con->service, &con->v, serve);
	rc = chardev_init(&con->host, vm, host, host_input, host_room, con);
	rc = rc ? fail_rc(e, rc, "virtio-console") :
		virtio_attach(&con->v, bus, e);
out:
	if (rc)
		virtio_free(&con->v);
	return rc;
}
