/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - shut the process in.  See sandbox.h.
 *
 * Linux: Documentation/userspace-api/landlock.rst and seccomp_filter.rst.
 */
#include "vmm/sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Landlock's interface up to ABI 7, of which older headers know less. */
#define LANDLOCK_VERSION	1u	/* flag: ask for the ABI */
struct landlock_rules {
	uint64_t fs, net, scoped;
};

static long landlock_create(const struct landlock_rules *rules, size_t len,
			    unsigned flags)
{
	return syscall(SYS_landlock_create_ruleset, rules, len, flags);
}

int sandbox_landlock(struct err *e)
{
	long abi = landlock_create(NULL, 0, LANDLOCK_VERSION), fd;
	struct landlock_rules rules = {
		.fs = abi >= 5 ? 0xffff : abi >= 3 ? 0x7fff :
		      abi == 2 ? 0x3fff : 0x1fff,
		.net = abi >= 4 ? 0x3 : 0,	/* bind, connect: TCP */
		.scoped = abi >= 6 ? 0x3 : 0,	/* abstract sockets, signals */
	};
	size_t len = abi >= 6 ? sizeof(rules) : abi >= 4 ? 16 : 8;
	int rc = 0;

	if (abi < 1)
		return 0;
	fd = landlock_create(&rules, len, 0);
	if (fd < 0)
		return fail_rc(e, -errno, "the sandbox: landlock");
	if (syscall(SYS_landlock_restrict_self, (int)fd, 0u))
		rc = fail_rc(e, -errno, "the sandbox: landlock");
	close((int)fd);
	return rc ? rc : (int)abi;
}

static int enter_seccomp(bool kvm, struct err *e)
{
	struct sock_filter filter[SANDBOX_MAX_FILTER];
	unsigned n = sandbox_filter(kvm, filter, SANDBOX_MAX_FILTER);
	struct sock_fprog program = { (unsigned short)n, filter };

	if (n > SANDBOX_MAX_FILTER)
		return fail(e, E2BIG, "the sandbox: its filter is too long");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_TSYNC, &program))
		return fail_rc(e, -errno, "the sandbox: seccomp");
	return 0;
}

void sandbox_note_inherited(struct sandbox *s)
{
	struct pollfd p[SANDBOX_MAX_INHERITED];
	struct rlimit limit = { .rlim_cur = 0 };
	unsigned i, n = SANDBOX_MAX_INHERITED;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (n > limit.rlim_cur)
		n = (unsigned)limit.rlim_cur;
	for (i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = (int)i };
	if (poll(p, n, 0) < 0)
		return;
	for (i = 3; i < n; i++)
		if (!(p[i].revents & POLLNVAL))
			s->inherited[i / 64] |= 1ull << (i % 64);
}

static void close_inherited(const struct sandbox *s)
{
	for (unsigned i = 3; i < SANDBOX_MAX_INHERITED; i++)
		if (s->inherited[i / 64] >> (i % 64) & 1)
			close((int)i);
}

static int set_limit(int which, rlim_t n, struct err *e)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)which, &limit))
		return fail_rc(e, -errno, "the sandbox: a limit");
	if (limit.rlim_max < n)
		n = limit.rlim_max;
	limit = (struct rlimit){ n, n };
	if (setrlimit((__rlimit_resource_t)which, &limit))
		return fail_rc(e, -errno, "the sandbox: a limit");
	return 0;
}

/* A descriptor is the lowest free number, so that this one is above the others,
 * but for gaps.
 */
static int set_limits(const struct sandbox *s, struct err *e)
{
	int last = eventfd(0, EFD_CLOEXEC), rc;

	if (last >= 0)
		close(last);
	last = last < 256 ? 256 : last;
	rc = set_limit(RLIMIT_NOFILE, (rlim_t)last + s->more_fds, e);
	return rc ? rc : set_limit(RLIMIT_CORE, 0, e);
}

#ifdef INSTRUMENTED
static const bool fits = false;
#else
static const bool fits = true;
#endif

int sandbox_enter(struct sandbox *s, struct err *e)
{
	int abi, rc;

	close_inherited(s);
	/* A sanitizer and its like make system calls of their own. */
	if (!fits) {
		snprintf(s->text, sizeof(s->text), "off: this is a build for "
			 "tests");
		return 0;
	}
	rc = set_limits(s, e);
	if (!rc && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		rc = fail_rc(e, -errno, "the sandbox: no_new_privs");
	if (rc)
		return rc;
	abi = sandbox_landlock(e);
	if (abi < 0)
		return abi;
	if (abi)
		snprintf(s->text, sizeof(s->text), "seccomp, landlock %d%s",
			 abi, abi < 6 ? " (this kernel's has not all)" : "");
	else
		snprintf(s->text, sizeof(s->text), "seccomp; this kernel has "
			 "no landlock");
	return enter_seccomp(s->kvm, e);
}
