/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.c - how long `vmm run` takes from fork() to its guest's first instruction,
 * which speaks (start.S), and what memory it has then beside the guest's.
 *
 *	start VMM KERNEL [ARGUMENT...]	microseconds, those of CPU, KiB, KiB
 *
 * CPU time is what other load on the machine does not change.  The first KiB are
 * its resident memory, libraries that others use too included; the second what
 * it alone has.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* The sum of a field over all mappings, or over those of the guest's memory. */
static long kib(pid_t pid, const char *field, int of_guest)
{
	char path[64], line[512];
	int guest = 0;
	long sum = 0, n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid,
		 of_guest ? "smaps" : "smaps_rollup");
	f = fopen(path, "r");
	if (!f)
		give_up(path);
	while (fgets(line, sizeof(line), f)) {
		/* "START-END PERMS ..." begins a mapping, "Field: N kB" not. */
		if (strcspn(line, "-") < strcspn(line, " "))
			guest = strstr(line, "memfd:guest-memory") != NULL;
		else if (!strncmp(line, field, strlen(field)) &&
			 sscanf(line + strlen(field), ": %ld", &n) == 1)
			sum += guest || !of_guest ? n : 0;
	}
	fclose(f);
	return sum;
}

/* What its threads have taken so far, microseconds. */
static double cpu_us(pid_t pid)
{
	unsigned long long ns;
	double sum = 0;
	char path[300];
	struct dirent *d;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%ld/task/%s/schedstat",
			 (long)pid, d->d_name);
		f = *d->d_name == '.' ? NULL : fopen(path, "r");
		if (f && fscanf(f, "%llu", &ns) == 1)
			sum += (double)ns / 1e3;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static long own(pid_t pid, const char *field)
{
	return kib(pid, field, 0) - kib(pid, field, 1);
}

int main(int argc, char **argv)
{
	char *run[32] = { argv[1], "run", "--kernel", argv[2] }, c;
	double start, spoke, cpu;
	int ends[2], i;
	pid_t pid;

	if (argc < 3 || argc > 30)
		return 2;
	for (i = 3; i < argc; i++)
		run[i + 1] = argv[i];
	if (pipe(ends))
		give_up("pipe");
	start = now_us();
	pid = fork();
	if (pid < 0)
		give_up("fork");
	if (!pid) {
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		execv(run[0], run);
		give_up(run[0]);
	}
	close(ends[1]);
	if (read(ends[0], &c, 1) != 1 || c != '!') {
		fprintf(stderr, "the guest did not speak\n");
		return 1;
	}
	spoke = now_us();
	cpu = cpu_us(pid);
	printf("%.0f %.0f %ld %ld\n", spoke - start, cpu, own(pid, "Rss"),
	       own(pid, "Private_Clean") + own(pid, "Private_Dirty"));
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	return 0;
}
