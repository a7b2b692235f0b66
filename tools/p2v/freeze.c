/* SPDX-License-Identifier: GPL-2.0-or-later */
/* freeze.c - freezing, and who thaws in any case.
 *
 * The child is there before anything is frozen.  It holds the descriptors, writes
 * nothing, allocates nothing, has its memory locked, and waits for the end of a
 * pipe whose other end only this process has: that end comes with our own, whatever
 * it is.  Then it thaws.  Only who kills it, too, leaves them frozen.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "tools/p2v/freeze.h"

#define EXIT_TIMEOUT 3

struct freezer {
	int *fds;			/* of mount points, each file system once */
	const char **names;		/* the mounts', for messages */
	size_t n;
	int pipe;			/* its end is the child's sign */
	pid_t child;
};

static bool is_there(const struct freezer *f, dev_t fs)
{
	struct stat st;

	for (size_t i = 0; i < f->n; i++)
		if (!fstat(f->fds[i], &st) && st.st_dev == fs)
			return true;
	return false;
}

/* Would we write to it while it stands still? */
static int check_own(const struct mount *m, const char *folder, struct err *e)
{
	struct stat st;

	if (stat(folder, &st))
		return fail_rc(e, -errno, "'%s'", folder);
	if (st.st_dev == m->fs)
		return fail(e, EBUSY, "'%s', where the result goes, lies on %s, "
			    "which is to be frozen: choose a folder elsewhere",
			    folder, m->point);
	for (int fd = 0; fd < 3; fd++)
		if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
		    st.st_dev == m->fs)
			return fail(e, EBUSY, "%s lies on %s, which is to be "
				    "frozen: send it elsewhere",
				    fd ? "what is printed goes to a file that" :
				    "standard input", m->point);
	return 0;
}

static int open_all(struct freezer *f, const struct mounts *m,
		    const char *folder, struct err *e)
{
	int rc = 0;

	f->fds = array_alloc((uint64_t)m->n + 1, sizeof(*f->fds));
	f->names = array_alloc((uint64_t)m->n + 1, sizeof(*f->names));
	if (!f->fds || !f->names)
		return fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < m->n && !rc; i++) {
		const struct mount *one = &m->list[i];
		int fd;

		if (one->swap || is_there(f, one->fs))
			continue;
		rc = check_own(one, folder, e);
		if (rc)
			break;
		fd = open(one->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return fail_rc(e, -errno, "cannot open '%s'",
				       one->point);
		f->names[f->n] = one->point;
		f->fds[f->n++] = fd;
	}
	return rc;
}

/* The child's: wait for the end of the pipe, but not for ever. */
static void guard(const struct freezer *f, int fd, unsigned timeout_s)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int ms = timeout_s < 2000000 ? (int)timeout_s * 1000 : -1, n;

	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_IGN);
	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	for (size_t i = f->n; i > 0; i--)
		ioctl(f->fds[i - 1], FITHAW, 0);
	_exit(n ? 0 : EXIT_TIMEOUT);
}

static int start_guard(struct freezer *f, unsigned timeout_s, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return fail_rc(e, -errno, "a pipe");
	f->child = fork();
	if (f->child < 0) {
		close(fds[0]);
		close(fds[1]);
		return fail_rc(e, -errno, "a process that thaws");
	}
	if (!f->child) {
		close(fds[1]);
		/* Who kills our process group does not mean it. */
		setsid();
		mlockall(MCL_CURRENT);
		guard(f, fds[0], timeout_s);
	}
	close(fds[0]);
	f->pipe = fds[1];
	return 0;
}

/* 0, or how the child ended otherwise. */
static int end_guard(struct freezer *f)
{
	int status = 0;

	if (f->child <= 0)
		return 0;
	close(f->pipe);
	while (waitpid(f->child, &status, 0) < 0 && errno == EINTR)
		;
	f->child = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void freezer_free(struct freezer *f)
{
	end_guard(f);
	for (size_t i = 0; i < f->n; i++)
		close(f->fds[i]);
	free(f->fds);
	free(f->names);
	free(f);
}

int freezer_freeze(const struct mounts *m, const char *folder,
		   unsigned timeout_s, struct freezer **out, struct err *e)
{
	struct freezer *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return fail(e, ENOMEM, "out of memory");
	rc = open_all(f, m, folder, e);
	if (!rc)
		rc = start_guard(f, timeout_s, e);
	/* Those that are read-only stand still anyway; asking does no harm. */
	for (size_t i = 0; i < f->n && !rc; i++)
		if (ioctl(f->fds[i], FIFREEZE, 0))
			rc = fail_rc(e, -errno, "'%s' cannot be frozen",
				     f->names[i]);
	if (rc) {
		freezer_free(f);
		return rc;
	}
	*out = f;
	return 0;
}

int freezer_thaw(struct freezer *f, struct err *e)
{
	int status = end_guard(f);

	freezer_free(f);
	if (!status)
		return 0;
	return fail(e, ETIMEDOUT, "the file systems were thawed before the copy "
		    "was complete: allow more time, or copy while nothing is "
		    "mounted");
}
