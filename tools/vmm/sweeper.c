/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sweeper.c - a process that removes our sockets at the end.  It hears nothing of
 * anybody but the end of a pipe, so that it needs no sandbox.
 */
#include "tools/vmm/sweeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void sweeper_add(struct sweeper *s, const char *path)
{
	if (s->n < SWEEPER_MAX && !lstat(path, &s->files[s->n]))
		s->paths[s->n++] = path;
}

static void sweep(const struct sweeper *s)
{
	struct stat st;

	for (unsigned i = 0; i < s->n; i++)
		if (!lstat(s->paths[i], &st) &&
		    st.st_dev == s->files[i].st_dev &&
		    st.st_ino == s->files[i].st_ino)
			unlink(s->paths[i]);
}

static void serve(const struct sweeper *s, int fd)
{
	sigset_t all;
	char byte;

	/* What ends the machine from the terminal is not for this one. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_NAME, "vmm-sweeper");
	dup2(fd, 0);
	syscall(SYS_close_range, 1u, ~0u, 0u);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	sweep(s);
	_exit(0);
}

int sweeper_start(struct sweeper *s, struct err *e)
{
	int fds[2];
	pid_t pid;

	if (!s->n)
		return 0;
	if (pipe2(fds, O_CLOEXEC))
		return fail_rc(e, -errno, "cannot make a pipe");
	pid = fork();
	if (!pid) {
		close(fds[1]);
		serve(s, fds[0]);
	}
	close(fds[0]);
	if (pid < 0) {
		close(fds[1]);
		return fail_rc(e, -errno, "cannot start a process");
	}
	s->fd = fds[1];
	s->pid = pid;
	return 0;
}

void sweeper_finish(struct sweeper *s)
{
	if (!s->pid) {
		sweep(s);	/* it has not come to a process */
		return;
	}
	close(s->fd);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
}
