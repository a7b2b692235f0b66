/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pump.c - the thread that moves bytes between the machine and the host's ends
 * of its serial ports, and hears of signals.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "imgfmt/base/thread.h"
#include "tools/vmm/chardev.h"
#include "tools/vmm/terminal.h"

#define CTRL_A 0x01u
/* A pipe that polls as writable takes that much without blocking. */
#define MAX_WRITE 4096u
/* A client that does not read is not waited for longer at the end. */
#define LAST_WAIT_MS 1000

/* The descriptors of one poll(): signals, stop, then these of each device. */
enum { PORT_OURS, PORT_IN, PORT_OUT, PORT_LISTENER, PORT_POLLS };
#define N_POLLS (2 + PORT_POLLS * CHARDEV_MAX)

static void stop_machine(struct chardevs *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->vm)
		vm_stop(c->vm);
	pthread_mutex_unlock(&c->lock);
}

void chardevs_forget(struct chardevs *c)
{
	pthread_mutex_lock(&c->lock);
	c->vm = NULL;
	pthread_mutex_unlock(&c->lock);
}

static void read_signal(struct chardevs *c)
{
	struct signalfd_siginfo info;

	if (read(c->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (c->caught) {
		/* Asked twice: whatever holds it up is not waited for. */
		terminal_restore();
		_exit(128 + (int)info.ssi_signo);
	}
	c->caught = (int)info.ssi_signo;
	stop_machine(c);
}

/* Take out what Ctrl-A begins. */
static size_t find_escapes(struct chardevs *c, struct chardev *dev,
			   uint8_t *buf, size_t len)
{
	size_t kept = 0;

	if (!dev->escape)
		return len;
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = buf[i];

		if (!dev->escaped && byte == CTRL_A) {
			dev->escaped = true;
			continue;
		}
		if (dev->escaped && (byte == 'x' || byte == 'X')) {
			c->quit = true;
			stop_machine(c);
		} else if (dev->escaped && byte != CTRL_A) {
			fprintf(stderr, "\nCtrl-A X ends the machine, Ctrl-A "
				"Ctrl-A sends Ctrl-A\n");
		} else {
			buf[kept++] = byte;
		}
		dev->escaped = false;
	}
	return kept;
}

static void lose_client(struct chardev *dev)
{
	if (dev->listener >= 0) {
		close(dev->in);
		dev->out = -1;
	}
	dev->in = -1;
}

static void read_host(struct chardevs *c, struct chardev *dev)
{
	ssize_t n = read(dev->in, dev->input, sizeof(dev->input));

	if (n > 0)
		dev->in_len = find_escapes(c, dev, dev->input, (size_t)n);
	else if (!n || (errno != EINTR && errno != EAGAIN))
		lose_client(dev);
}

static void write_machine(struct chardev *dev)
{
	ssize_t n = send(dev->ours, dev->input, dev->in_len, MSG_NOSIGNAL);

	if (n > 0) {
		dev->in_len -= (size_t)n;
		memmove(dev->input, dev->input + n, dev->in_len);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		dev->in_len = 0;
	}
}

/* False at the end of what the machine sends. */
static bool read_machine(struct chardev *dev)
{
	size_t end = (dev->out_start + dev->out_len) % CHARDEV_KEEP;
	ssize_t n = read(dev->ours, dev->output + end,
			 min_u64(CHARDEV_KEEP - end, MAX_WRITE));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	dev->out_len += (size_t)n;
	if (dev->out_len > CHARDEV_KEEP) {
		dev->out_start = (end + (size_t)n) % CHARDEV_KEEP;
		dev->out_len = CHARDEV_KEEP;
	}
	return n > 0;
}

static void write_host(struct chardev *dev)
{
	size_t len = min_u64(dev->out_len, CHARDEV_KEEP - dev->out_start);
	ssize_t n = write(dev->out, dev->output + dev->out_start,
			  min_u64(len, MAX_WRITE));

	if (n > 0) {
		dev->out_start = (dev->out_start + (size_t)n) % CHARDEV_KEEP;
		dev->out_len -= (size_t)n;
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		if (dev->listener >= 0)
			lose_client(dev);
		dev->out_len = 0;	/* a closed pipe reads nothing */
	}
}

static void accept_client(struct chardev *dev)
{
	int fd = accept4(dev->listener, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		dev->in = dev->out = fd;
}

static void watch(struct pollfd *p, int fd, int events)
{
	*p = (struct pollfd){ .fd = events ? fd : -1,
			      .events = (short)events };
}

/* Who may go on?  With nobody to write to, what the machine says is taken all
 * the same and the oldest bytes go; a slow reader shows to the machine as a full
 * socket.
 */
static void watch_dev(const struct chardev *dev, struct pollfd p[PORT_POLLS])
{
	/* A read must not run over what waits. */
	bool room = dev->out < 0 ||
		    dev->out_len <= CHARDEV_KEEP - MAX_WRITE;

	watch(&p[PORT_OURS], dev->ours,
	      (room ? POLLIN : 0) | (dev->in_len ? POLLOUT : 0));
	watch(&p[PORT_IN], dev->in, dev->in_len ? 0 : POLLIN);
	watch(&p[PORT_OUT], dev->out, dev->out_len ? POLLOUT : 0);
	watch(&p[PORT_LISTENER], dev->listener, dev->in < 0 ? POLLIN : 0);
}

static void serve(struct chardevs *c, struct chardev *dev,
		  const struct pollfd p[PORT_POLLS])
{
	int client = dev->out;

	if (p[PORT_OURS].revents & (POLLIN | POLLHUP | POLLERR) &&
	    p[PORT_OURS].events & POLLIN && !read_machine(dev)) {
		close(dev->ours);
		dev->ours = -1;
	}
	if (dev->ours >= 0 && dev->in_len && p[PORT_OURS].revents & POLLOUT)
		write_machine(dev);
	if (p[PORT_IN].revents)
		read_host(c, dev);
	if (dev->out >= 0 && dev->out == client && p[PORT_OUT].revents)
		write_host(dev);
	if (p[PORT_LISTENER].revents)
		accept_client(dev);
}

/* At the end: is there something left to deliver, and somebody to take it? */
static bool is_idle(const struct chardev *dev)
{
	return dev->ours < 0 && (!dev->out_len || dev->out < 0);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* How long may poll() wait at the end?  Standard output is waited for. */
static int last_wait(const struct chardevs *c, int64_t deadline)
{
	bool waits_for_client = false, busy = false;

	for (unsigned i = 0; i < c->n; i++) {
		if (is_idle(&c->devs[i]))
			continue;
		busy = true;
		waits_for_client |= c->devs[i].listener >= 0;
	}
	if (!busy)
		return 0;
	return waits_for_client ? (int)(deadline - now_ms()) : INT32_MAX;
}

static void *pump(void *arg)
{
	struct chardevs *c = arg;
	struct pollfd p[N_POLLS];
	int64_t deadline = 0;
	int wait = -1;

	for (;;) {
		watch(&p[0], c->signals, POLLIN);
		watch(&p[1], c->stop, deadline ? 0 : POLLIN);
		for (unsigned i = 0; i < c->n; i++)
			watch_dev(&c->devs[i], &p[2 + i * PORT_POLLS]);
		if (deadline) {
			wait = last_wait(c, deadline);
			if (wait <= 0)
				break;
		}
		if (poll(p, 2 + c->n * PORT_POLLS, wait) < 0)
			continue;
		if (p[0].revents)
			read_signal(c);
		if (p[1].revents)
			deadline = now_ms() + LAST_WAIT_MS;
		for (unsigned i = 0; i < c->n; i++)
			serve(c, &c->devs[i], &p[2 + i * PORT_POLLS]);
	}
	return NULL;
}

/* A terminal that belongs to another program just now is left alone: reading it
 * would stop this one.
 */
static void use_stdin(struct chardev *dev)
{
	dev->escape = terminal_make_raw();
	if (!dev->escape && isatty(STDIN_FILENO))
		dev->in = -1;
}

int chardevs_start(struct chardevs *c, struct vm *vm, struct err *e)
{
	sigset_t set;
	int rc;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	c->vm = vm;
	c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	c->stop = eventfd(0, EFD_CLOEXEC);
	if (c->signals < 0 || c->stop < 0)
		return fail_rc(e, -errno, "cannot wait for signals");
	for (unsigned i = 0; i < c->n; i++)
		if (c->devs[i].in == STDIN_FILENO)
			use_stdin(&c->devs[i]);
	rc = thread_start(&c->thread, "chardev", pump, c);
	if (rc)
		return fail_rc(e, rc, "cannot start a thread");
	c->running = true;
	return 0;
}

void chardevs_stop(struct chardevs *c)
{
	if (c->running) {
		/* Our ends of the pairs then say when all has been read. */
		for (unsigned i = 0; i < c->n; i++)
			if (c->devs[i].ours >= 0)
				shutdown(c->devs[i].machine.out, SHUT_RDWR);
		eventfd_write(c->stop, 1);
		pthread_join(c->thread, NULL);
	}
	c->running = false;
	terminal_restore();
}
