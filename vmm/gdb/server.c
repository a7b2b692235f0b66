/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.c - the GDB server's thread and its client.  See gdb.h.
 *
 * What the client sends is looked at when the last answer has left, so that memory
 * is bounded; while the machine runs, only Ctrl-C counts.
 */
#include "vmm/gdb/gdb.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "vmm/gdb/session.h"

#define SIGNAL_INT	2u
#define SIGNAL_TRAP	5u
#define ACK		1u		/* '+' before a packet */

struct gdb {
	int listener, client;		/* client -1: none */
	int stop, event;		/* eventfds: ours, the machine's */
	pthread_t thread;
	bool running;			/* the thread */
	enum {
		BEFORE,			/* the machine has not begun */
		HELD,
		RUNS,
	} state;
	bool owes_stop;			/* the client waits for s.stopped */

	struct gdb_session s;
	struct gdb_parser parser;
	uint8_t in[4096];
	size_t in_at, in_len;
	struct gdb_reply reply;
	char out[ACK + GDB_PACKET + GDB_FRAME];
	size_t out_at, out_len;		/* to be sent: from .. to */
	size_t last;			/* bytes of the packet at out + ACK */
};

/* The machine goes on: as the client said in vcpu.debug. */
static void release(struct gdb *g)
{
	g->state = RUNS;
	vm_resume(g->s.vm);
}

static void set_debugging(struct gdb *g, bool on)
{
	for (unsigned i = 0; i < g->s.vm->config.topology.cpus; i++)
		g->s.vm->vcpus[i].debug.on = on;
}

/* Hold it, if it runs.  What it met in that moment waits to be met again. */
static void hold(struct gdb *g)
{
	bool reset;

	if (g->state != RUNS)
		return;
	vm_debug_hold(g->s.vm, &reset);
	g->state = HELD;
}

static void halt(struct gdb *g)
{
	gdb_breaks_disarm(&g->s);
	gdb_let_all_go(&g->s);
	g->state = HELD;
}

static void hang_up(struct gdb *g)
{
	close(g->client);
	g->client = -1;
	g->owes_stop = false;
	if (g->state == BEFORE || g->s.killed)
		return;
	hold(g);
	gdb_find_reason(&g->s);		/* exceptions that the guest is owed */
	halt(g);
	g->s.n_breaks = 0;
	gdb_breaks_arm(&g->s);
	set_debugging(g, false);
	release(g);
}

/* Send what the socket takes. */
static void flush(struct gdb *g)
{
	ssize_t n;

	if (g->client < 0 || g->out_at == g->out_len)
		return;
	n = send(g->client, g->out + g->out_at, g->out_len - g->out_at,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0)
		g->out_at += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		hang_up(g);
}

static bool out_is_empty(const struct gdb *g)
{
	return g->out_at == g->out_len;
}

static void send_byte(struct gdb *g, char byte)
{
	g->out[0] = byte;
	g->out_at = 0;
	g->out_len = 1;
	g->last = 0;
	flush(g);
}

/* With '+' before it, where that is wanted. */
static void send_reply(struct gdb *g, const struct gdb_reply *r, bool ack)
{
	g->out[0] = '+';
	g->last = gdb_frame(r, g->out + ACK);
	g->out_at = ack ? 0 : ACK;
	g->out_len = ACK + g->last;
	flush(g);
}

static void do_packet(struct gdb *g)
{
	bool ack = !g->s.no_acks;
	enum gdb_do what;

	if (g->state == RUNS) {
		if (ack)
			send_byte(g, '+');
		return;
	}
	g->reply.len = 0;
	what = gdb_command(&g->s, g->parser.data, g->parser.len, &g->reply);
	if (what == GDB_GO) {
		if (ack)
			send_byte(g, '+');
		if (g->client >= 0)
			release(g);
		return;
	}
	send_reply(g, &g->reply, ack);
	if (what == GDB_KILL) {
		g->s.killed = true;
		vm_stop(g->s.vm);
	}
	if (what != GDB_ANSWER && g->client >= 0)
		hang_up(g);
}

/* Ctrl-C. */
static void interrupt(struct gdb *g)
{
	if (g->state != RUNS)
		return;
	hold(g);
	if (!gdb_find_reason(&g->s))
		gdb_stopped_by(&g->s, SIGNAL_INT);
	halt(g);
	g->owes_stop = true;
}

static void do_byte(struct gdb *g, uint8_t byte)
{
	switch (gdb_parse(&g->parser, byte)) {
	case GDB_PACKET_CAME:
		do_packet(g);
		break;
	case GDB_PACKET_BAD:
	case GDB_PACKET_LONG:
		if (!g->s.no_acks)
			send_byte(g, '-');
		break;
	case GDB_NAK:
		g->out_at = ACK;
		g->out_len = ACK + g->last;
		flush(g);
		break;
	case GDB_INTERRUPT:
		interrupt(g);
		break;
	case GDB_ACK:
	case GDB_NOTHING:
		break;
	}
}

static void take_input(struct gdb *g)
{
	ssize_t n = recv(g->client, g->in, sizeof(g->in), MSG_DONTWAIT);

	g->in_at = g->in_len = 0;
	if (n > 0)
		g->in_len = (size_t)n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		hang_up(g);
}

static void serve(struct gdb *g, short revents)
{
	flush(g);
	if (g->client >= 0 && out_is_empty(g) && g->in_at == g->in_len &&
	    revents)
		take_input(g);
	while (g->client >= 0 && out_is_empty(g)) {
		if (g->owes_stop) {
			g->owes_stop = false;
			send_reply(g, &g->s.stopped, false);
		} else if (g->in_at < g->in_len) {
			do_byte(g, g->in[g->in_at++]);
		} else {
			break;
		}
	}
}

static void accept_client(struct gdb *g)
{
	g->client = accept4(g->listener, NULL, NULL,
			    SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (g->client < 0)
		return;
	hold(g);
	gdb_session_begin(&g->s);
	gdb_stopped_by(&g->s, SIGNAL_TRAP);
	g->parser.state = GDB_IDLE;
	g->in_at = g->in_len = g->out_at = g->out_len = g->last = 0;
	g->owes_stop = false;
	set_debugging(g, true);
}

/* The machine's CPUs are parked until somebody comes. */
static void come(struct gdb *g)
{
	bool begins = g->state == BEFORE, reset;

	if (g->state == HELD)
		return;
	vm_debug_hold(g->s.vm, &reset);
	if (begins) {
		g->state = HELD;
	} else if (gdb_find_reason(&g->s) && g->client >= 0) {
		halt(g);
		g->owes_stop = true;
	} else {
		if (reset)
			gdb_breaks_replant(&g->s);
		release(g);
	}
}

/* There are vCPUs to look at, which remain while debugger.lock is held. */
static void work(struct gdb *g, const struct pollfd *p)
{
	eventfd_t n;

	if (p[1].revents && !eventfd_read(g->event, &n))
		come(g);
	if (p[2].revents && g->client < 0)
		accept_client(g);
	else if (g->client >= 0)
		serve(g, p[3].revents);
}

static short wanted(const struct gdb *g)
{
	if (!out_is_empty(g))
		return POLLOUT;
	return POLLIN;
}

/* The machine is over. */
static void say_end(struct gdb *g)
{
	if (g->client < 0)
		return;
	if (g->state == RUNS && out_is_empty(g)) {
		g->reply.len = 0;
		gdb_put(&g->reply, "W00");
		send_reply(g, &g->reply, false);
	}
	if (g->client >= 0)
		close(g->client);
	g->client = -1;
}

static void *server_main(void *arg)
{
	struct gdb *g = arg;
	struct vm *vm = g->s.vm;
	bool over = false;

	for (;;) {
		bool serves = !over && g->state != BEFORE;
		struct pollfd p[] = {
			{ .fd = g->stop, .events = POLLIN },
			{ .fd = over ? -1 : g->event, .events = POLLIN },
			{ .fd = serves && g->client < 0 ? g->listener : -1,
			  .events = POLLIN },
			{ .fd = serves ? g->client : -1, .events = wanted(g) },
		};

		if (poll(p, 4, -1) < 0)
			continue;
		if (p[0].revents)
			return NULL;
		pthread_mutex_lock(&vm->debugger.lock);
		over = !vm->debugger.live;
		if (!over)
			work(g, p);
		pthread_mutex_unlock(&vm->debugger.lock);
	}
}

int gdb_open(const char *host, struct gdb **out, const char **path,
	     struct err *e)
{
	struct gdb *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return fail(e, ENOMEM, "out of memory");
	g->listener = g->client = -1;
	g->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = g->stop < 0 || g->event < 0 ?
		fail_rc(e, -errno, "the debugger's socket") : 0;
	if (!rc)
		rc = gdb_listen(host, &g->listener, path, e);
	if (rc)
		gdb_close(g);
	else
		*out = g;
	return rc;
}

int gdb_start(struct gdb *g, struct vm *vm, struct err *e)
{
	int rc;

	if (!vm->accel->debugs)
		return fail(e, ENOTSUP, "the accelerator '%s' cannot be "
			    "debugged", vm->accel->name);
	g->s.vm = vm;
	g->state = BEFORE;
	vm_debug_attach(vm, g->event);
	rc = thread_start(&g->thread, "gdb", server_main, g);
	if (rc) {
		vm_debug_detach(vm);
		return fail_rc(e, rc, "the debugger's thread");
	}
	g->running = true;
	return 0;
}

void gdb_stop(struct gdb *g)
{
	if (!g || !g->running)
		return;
	eventfd_write(g->stop, 1);
	pthread_join(g->thread, NULL);
	g->running = false;
	say_end(g);
	vm_debug_detach(g->s.vm);
	if (g->state == HELD)
		vm_resume(g->s.vm);
}

void gdb_close(struct gdb *g)
{
	if (!g)
		return;
	gdb_stop(g);
	if (g->listener >= 0)
		close(g->listener);
	if (g->stop >= 0)
		close(g->stop);
	if (g->event >= 0)
		close(g->event);
	free(g);
}
