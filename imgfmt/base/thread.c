/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thread.c - named threads. */
#include "thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

/* All but those that say that the thread itself has gone wrong: blocked, they
 * would end the process without the handler that puts the terminal in order.
 */
static void fill_mask(sigset_t *set)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
				   SIGSYS, SIGTRAP };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(set, own[i]);
}

int thread_start(pthread_t *thread, const char *name, void *(*fn)(void *),
		 void *arg)
{
	char own_name[16];
	sigset_t all, old;
	int err;

	/* A thread inherits its name: naming another one takes /proc, which a
	 * sandbox has not.
	 */
	prctl(PR_GET_NAME, own_name);
	prctl(PR_SET_NAME, name);
	fill_mask(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	prctl(PR_SET_NAME, own_name);
	return -err;
}

unsigned thread_cpus(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	n = CPU_COUNT(&set);
	return n > 0 ? (unsigned)n : 1;
}
