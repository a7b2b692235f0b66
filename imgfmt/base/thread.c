/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thread.c - named threads. */
#include "thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>

int thread_start(pthread_t *thread, const char *name, void *(*fn)(void *),
		 void *arg)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return -err;
	pthread_setname_np(*thread, name);
	return 0;
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
