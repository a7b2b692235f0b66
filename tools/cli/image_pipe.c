/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_pipe.c - images that come through a pipe. */
#include "tools/cli/image_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli/progress.h"

static bool is_stdin(const char *name)
{
	return !strcmp(name, "-") || !strcmp(name, "/dev/stdin");
}

bool image_is_pipe(const char *name)
{
	struct stat st;

	return is_stdin(name) || (!stat(name, &st) && S_ISFIFO(st.st_mode));
}

static bool stop(void *arg)
{
	(void)arg;
	return atomic_load(progress_cancelled());
}

static int open_descriptor(const char *name, int *fd, struct err *e)
{
	if (is_stdin(name) && isatty(STDIN_FILENO))
		return fail(e, EINVAL, "an image cannot be read from a "
			    "terminal; './-' is a file of this name");
	do
		*fd = is_stdin(name)
			? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			: open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (*fd < 0 && errno == EINTR && !stop(NULL));
	if (*fd < 0)
		return fail_rc(e, stop(NULL) ? -ECANCELED : -errno,
			       "Could not open '%s'", name);
	return 0;
}

/* Standard input may be a file, and is one as long as nothing was read. */
static bool is_file(int fd)
{
	struct stat st;

	return !fstat(fd, &st) &&
	       (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) &&
	       !lseek(fd, 0, SEEK_CUR);
}

int image_open_pipe(const char *name, const struct img_open_args *args,
		    struct img **out, struct err *e)
{
	const char *shown = is_stdin(name) ? "standard input" : name;
	struct img *layer;
	int fd = -1, rc;

	rc = open_descriptor(name, &fd, e);
	if (rc)
		return rc;
	rc = is_file(fd) ? img_file_fd(fd, shown, args->flags, &layer, e)
			 : img_pipe_fd(fd, shown, stop, NULL, &layer, e);
	if (rc) {
		close(fd);
		return rc;
	}
	rc = img_stack(layer, args, out, e);
	if (rc)
		img_close(layer, NULL);
	return rc;
}
