/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chardev.h - the host's end of a serial port or console: bytes to and from two
 * file descriptors, without ever blocking a CPU or losing a byte.
 *
 * What the host does not take at once waits in a bounded buffer; when that is
 * full the device must wait (`room` says when it may go on).  Input is read only
 * while the device asks for it.
 *
 * Any thread may call these.  The callbacks run on the loop, or from a timer,
 * with the machine lock held.
 */
#ifndef VMM_CHARDEV_H
#define VMM_CHARDEV_H

#include <pthread.h>

#include "vmm/clock.h"
#include "vmm/loop.h"
#include "vmm/vmm.h"

#define CHARDEV_BUFFER 4096u	/* bytes */

/* A part of the device's struct. */
struct chardev {
	struct vm *vm;
	struct loop_fd in, out;
	struct vm_timer read_later;	/* for files that epoll refuses */
	void (*input)(void *arg);	/* there is something to read */
	void (*room)(void *arg);	/* there is room again */
	void *arg;
	pthread_mutex_t lock;		/* around what follows */
	bool in_ended;			/* end of file, or an error */
	bool out_ended;			/* nobody reads: output is thrown away */
	bool was_full;
	bool out_is_socket, own_out;
	size_t piece;			/* bytes for one write() */
	size_t head, len;		/* the buffer is a ring */
	uint8_t buffer[CHARDEV_BUFFER];
};

/* 0, or -errno if the host has no descriptor left. */
int chardev_init(struct chardev *c, struct vm *vm,
		 const struct vm_chardev *host, void (*input)(void *arg),
		 void (*room)(void *arg), void *arg);

/* Write up to `len` bytes; returns how many were taken.  Fewer: wait for
 * room().
 */
size_t chardev_write(struct chardev *c, const void *buf, size_t len);
bool chardev_has_room(struct chardev *c);

/* Call input() when there is something to read, or not. */
void chardev_want_input(struct chardev *c, bool want);

/* Read up to `len` bytes, as many as there are; 0: none. */
size_t chardev_read(struct chardev *c, void *buf, size_t len);

/* Let the buffer's rest go out, waiting for the host for at most `timeout_ms`.
 * When the machine has ended.
 */
void chardev_finish(struct chardev *c, int timeout_ms);

void chardev_fini(struct chardev *c);

#endif
