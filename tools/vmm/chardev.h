/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev.h - the host's ends of a guest's serial ports and consoles.
 *
 *	stdio		standard input and output; Ctrl-A is the escape key
 *	file:PATH	written from its start
 *	unix:PATH	a socket that waits for one client at a time
 *	null		nowhere
 *
 * One thread moves bytes between the machine and standard input and output or
 * the clients, so that none of them can hold up the machine.  While a socket has
 * no client, the last CHARDEV_KEEP bytes wait for one.
 */
#ifndef TOOLS_CHARDEV_H
#define TOOLS_CHARDEV_H

#include <pthread.h>

#include "vmm/vmm.h"

#define CHARDEV_KEEP (64u << 10)
#define CHARDEV_INPUT 4096u
#define CHARDEV_MAX 6u

struct chardev {
	struct vm_chardev machine;	/* what the machine gets */
	int ours;		/* the other end of it, or -1 */
	int in, out;		/* host: standard input and output, or a client */
	int listener;		/* or -1 */
	bool escape, escaped;	/* Ctrl-A is looked for; was the last byte */
	const char *path;	/* of the socket, which the caller removes */
	uint8_t *output;	/* CHARDEV_KEEP bytes, a ring */
	size_t out_start, out_len;
	uint8_t input[CHARDEV_INPUT];
	size_t in_len;
};

struct chardevs {
	struct chardev devs[CHARDEV_MAX];
	unsigned n;
	bool has_stdio;
	pthread_mutex_t lock;	/* around vm */
	struct vm *vm;		/* stopped by signals and by Ctrl-A X */
	int signals;		/* signalfd */
	int stop;		/* eventfd: drain, then end */
	int caught;		/* the signal that stopped it, or 0 */
	bool quit;		/* Ctrl-A X */
	pthread_t thread;
	bool running;
};

void chardevs_init(struct chardevs *c);

/* Open what `text`, which stays the caller's, says; *dev is valid until
 * chardevs_fini().
 */
int chardevs_add(struct chardevs *c, const char *text, struct chardev **dev,
		 struct err *e);

/* Begin to move bytes, and let SIGINT, SIGTERM and SIGHUP stop `vm`; a second
 * one ends the process.  Call it before the machine's threads start.
 */
int chardevs_start(struct chardevs *c, struct vm *vm, struct err *e);

/* The machine is about to go: no signal stops it from here on. */
void chardevs_forget(struct chardevs *c);

/* The machine is gone: deliver what it left, and stop. */
void chardevs_stop(struct chardevs *c);
void chardevs_fini(struct chardevs *c);

#endif
