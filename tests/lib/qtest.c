/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qtest.c - QEMU as an oracle for devices.  See qtest.h. */
#include "tests/lib/qtest.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/check.h"

#define MAX_ARGS 64u

bool qtest_possible(void)
{
	return !system("command -v qemu-system-x86_64 >/dev/null");
}

/* A ROM of HLT instructions: the CPU never touches a thing. */
static void write_rom(const char *path)
{
	FILE *f = fopen(path, "w");

	CHECK(f);
	for (unsigned i = 0; i < 65536; i++)
		fputc(0xf4, f);
	CHECK(!fclose(f));
}

static void run_qemu(int in, int out, const char *const *args, int keep_fd)
{
	static const char *const first[] = {
		"qemu-system-x86_64", "-M", "pc,accel=tcg", "-m", "64",
		"-nodefaults", "-display", "none", "-S", "-bios", "hlt.rom",
		"-qtest", "stdio", "-qtest-log", "/dev/null",
	};
	const char *all[MAX_ARGS];
	unsigned n = sizeof(first) / sizeof(first[0]);

	memcpy(all, first, sizeof(first));
	while (*args && n + 1 < MAX_ARGS)
		all[n++] = *args++;
	all[n] = NULL;
	/* A failed test ends without qtest_stop(). */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, 0);
	dup2(out, 1);
	for (int fd = 3; fd < 64; fd++)
		if (fd != keep_fd)
			close(fd);
	execvp(all[0], (char *const *)(uintptr_t)all);
	_exit(127);
}

void qtest_start(struct qtest *q, const char *const *args, int keep_fd)
{
	int in[2], out[2];

	write_rom("hlt.rom");
	CHECK(!pipe(in) && !pipe(out));
	q->pid = fork();
	CHECK(q->pid >= 0);
	if (!q->pid)
		run_qemu(in[0], out[1], args, keep_fd);
	close(in[0]);
	close(out[1]);
	q->to = fdopen(in[1], "w");
	q->from = fdopen(out[0], "r");
	CHECK(q->to && q->from);
}

void qtest_stop(struct qtest *q)
{
	fclose(q->to);
	fclose(q->from);
	kill(q->pid, SIGTERM);
	waitpid(q->pid, NULL, 0);
}

uint64_t qtest_ask(struct qtest *q, const char *fmt, unsigned long a,
		   unsigned long b)
{
	char line[256];

	fprintf(q->to, fmt, a, b);
	fflush(q->to);
	do {
		CHECK(fgets(line, sizeof(line), q->from));
	} while (strncmp(line, "OK", 2));
	return line[2] == ' ' ? strtoull(line + 3, NULL, 0) : 0;
}
