/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gdb.h - GDB debugs the guest, through its remote serial protocol (GDB's manual,
 * appendix E).
 *
 * The machine waits for the first client before the first instruction.  While a
 * client holds it, it stands still as by vm_pause(): the guest's time too.  When a
 * client goes, its breakpoints go with it, the machine goes on, and the next one
 * may come.
 *
 * Addresses are linear ones, translated by the page tables of the CPU that is
 * chosen; device memory is not there for a debugger.  A client is trusted with the
 * guest, not with the host: nothing that it sends is harmful to that.
 *
 *	server.c	the thread, the client, the machine's holding and going
 *	packet.c	packets; commands.c what they ask for
 *	registers.c, breaks.c, stop.c	the parts of that
 */
#ifndef VMM_GDB_H
#define VMM_GDB_H

#include "vmm/vmm.h"

struct gdb;

/* Listen at "unix:PATH" (mode 0600; the caller removes it afterwards), ":PORT",
 * "127.0.0.1:PORT", "localhost:PORT" or "[::1]:PORT".  *path is the socket's in
 * `host`, or NULL.
 */
int gdb_open(const char *host, struct gdb **out, const char **path,
	     struct err *e);
void gdb_close(struct gdb *g);

/* Serve on a thread.  Before vm_run(); stop after it, and before vm_free(). */
int gdb_start(struct gdb *g, struct vm *vm, struct err *e);
void gdb_stop(struct gdb *g);

/* listen.c: the listening socket; *path as above. */
int gdb_listen(const char *host, int *fd, const char **path, struct err *e);

#endif
