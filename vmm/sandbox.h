/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - shut the process in, once everything that it will need is open.
 *
 * A guest that finds a hole in us then has what we have: its own disks and
 * ports.  It cannot open or run anything, connect anywhere, start processes, or
 * make memory executable.  Three walls, and none trusts another:
 *
 *	seccomp		which system calls, and with which arguments
 *			(sandbox_calls.c)
 *	landlock	no file by name, no TCP, no signals and abstract sockets
 *			of others; goes without it on kernels that have none
 *	limits		no core file (with the guest's memory), few descriptors
 *
 * A call that libraries make and can do without, such as opening a table of
 * /proc, fails with EACCES.  Any other is not made either, and raises SIGSYS: the
 * program installs a handler that says so and ends it.  That is safer than an
 * error, which gives who tries another try, and tells more than a kill.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <linux/filter.h>

#include "imgfmt/base/base.h"

#define SANDBOX_MAX_INHERITED 1024u

struct sandbox {
	bool kvm;		/* the accelerator, else the CPU in software */
	unsigned more_fds;	/* how many it may open beside those it has */
	uint64_t inherited[SANDBOX_MAX_INHERITED / 64];	/* bits: close them */
	char text[256];		/* what it is made of, and what was missing */
};

/* Which descriptors beside 0, 1 and 2 has the program been started with?  They
 * are closed when the sandbox is entered.
 */
void sandbox_note_inherited(struct sandbox *s);

/* For this thread and those that it starts: there is no other one yet. */
int sandbox_enter(struct sandbox *s, struct err *e);

/* Its second wall alone, after no_new_privs: everything that this kernel's landlock
 * can forbid, and no exception.  Its ABI; 0: it has none.
 */
int sandbox_landlock(struct err *e);

/* sandbox_calls.c: the program of the filter; its length, at most `max`. */
#define SANDBOX_MAX_FILTER 1024u
unsigned sandbox_filter(bool kvm, struct sock_filter *out, unsigned max);

#endif
