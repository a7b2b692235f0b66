/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_test_all.c - a process for each image, some at a time. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"
#include "tools/vmm/boot_test.h"
#include "tools/vmm/vmm.h"

#define MAX_RESULT (1u << 20)	/* a verdict has a few KiB */

static uint64_t host_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int start(struct cli *cli, struct boot_run *b, unsigned i,
		 struct boot_job *job)
{
	int ends[2], parent = getpid();

	job->start_ms = host_ms();
	if (pipe2(ends, O_CLOEXEC)) {
		cli_error(cli, "a pipe: %s", strerror(errno));
		return VMM_ERROR;
	}
	fflush(NULL);
	job->pid = fork();
	if (!job->pid) {
		/* Whoever ends us ends our tests. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(VMM_ERROR);
		close(ends[0]);
		_exit(boot_test_one(cli, b, b->names[i], ends[1]));
	}
	close(ends[1]);
	job->fd = ends[0];
	if (job->pid > 0)
		return CLI_DONE;
	close(ends[0]);
	cli_error(cli, "a process for '%s': %s", b->names[i], strerror(errno));
	return VMM_ERROR;
}

/* False: that was the end. */
static bool receive(struct boot_job *job)
{
	ssize_t n;

	if (job->len > MAX_RESULT ||
	    array_grow(&job->text, &job->cap, job->len + 4096, 1))
		return false;
	n = read(job->fd, job->text + job->len, 4096);
	if (n > 0)
		job->len += (size_t)n;
	return n > 0 || (n < 0 && errno == EINTR);
}

/* Somebody else wrote to its files meanwhile: the verdict is about something else. */
static void check_files(struct boot_job *job, const char *name)
{
	char file[PATH_MAX], text[PATH_MAX + 64];

	if (boot_files_changed(json_object_get(job->result, "files"), file)) {
		snprintf(text, sizeof(text), "'%s' changed while it was tested",
			 file);
		json_decref(job->result);
		job->result = boot_error_json(name, boot_cause_name(
						      CAUSE_IMAGE_CHANGED),
					      text);
	}
	json_object_del(job->result, "files");
}

static void finish(struct boot_run *b, unsigned i, struct boot_job *job)
{
	const char *name = b->names[i];
	json_error_t e;
	char text[80];
	int status;

	close(job->fd);
	job->fd = -1;
	while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR)
		;
	job->ms = host_ms() - job->start_ms;
	job->failed = !WIFEXITED(status) || WEXITSTATUS(status);
	if (WIFEXITED(status))
		job->result = json_loadb(job->text, job->len, 0, &e);
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "the test died of signal %d",
			 WTERMSIG(status));
	else
		snprintf(text, sizeof(text), "the image could not be tested");
	if (!job->result)
		job->result = boot_error_json(name, "vmm", text);
	check_files(job, name);
}

/* Wait until one of those from `from` to `to` has something to tell. */
static void await(struct boot_run *b, struct boot_job *jobs, unsigned from,
		  unsigned to, struct pollfd *fds)
{
	for (unsigned i = from; i < to; i++)
		fds[i - from] = (struct pollfd){ .fd = jobs[i].fd,
						 .events = POLLIN };
	if (poll(fds, to - from, -1) <= 0)
		return;
	for (unsigned i = from; i < to; i++)
		if (fds[i - from].revents && !receive(&jobs[i]))
			finish(b, i, &jobs[i]);
}

static unsigned running(const struct boot_job *jobs, unsigned n)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += jobs[i].pid > 0 && !jobs[i].result;
	return sum;
}

int boot_test_all(struct cli *cli, struct boot_run *b, struct boot_job *jobs,
		  void (*done)(struct cli *cli, const struct boot_run *b,
			       unsigned i, const struct boot_job *job))
{
	struct pollfd *fds = array_alloc(b->n, sizeof(*fds));
	unsigned started = 0, told = 0;
	int rc = CLI_DONE;

	if (!fds) {
		cli_error(cli, "out of memory");
		return VMM_ERROR;
	}
	for (unsigned i = 0; i < b->n; i++)
		jobs[i].fd = -1;
	while (told < started || (started < b->n && rc == CLI_DONE)) {
		while (started < b->n && rc == CLI_DONE &&
		       running(jobs, started) < b->jobs) {
			rc = start(cli, b, started, &jobs[started]);
			if (rc == CLI_DONE)
				started++;
		}
		if (running(jobs, started))
			await(b, jobs, told, started, fds);
		for (; told < started && jobs[told].result; told++)
			done(cli, b, told, &jobs[told]);
	}
	free(fds);
	return rc;
}
