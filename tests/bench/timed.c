/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timed.c - run a command and say what it took: timed OUT COMMAND...
 *
 * Appends "wall cpu rss" to the file OUT: seconds, seconds of all its threads,
 * KiB of memory at the peak.  Exits as the command does.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage used;
	double start = now();
	int status;
	pid_t pid;
	FILE *out;

	if (argc < 3)
		return 2;
	pid = fork();
	if (!pid) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &used) != pid)
		return 1;
	start = now() - start;
	out = fopen(argv[1], "a");
	if (!out)
		return 1;
	fprintf(out, "%.4f %.4f %ld\n", start,
		seconds(used.ru_utime) + seconds(used.ru_stime),
		used.ru_maxrss);
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
