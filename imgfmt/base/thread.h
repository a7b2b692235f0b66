/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* thread.h - named threads. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base.h"

/* Start a thread that runs fn(arg).  `name` shows in ps and gdb: at most 15
 * characters.  Signals stay with the caller's thread, but for those of faults of
 * its own.  0 or a negative errno; join with pthread_join().
 */
int thread_start(pthread_t *thread, const char *name, void *(*fn)(void *),
		 void *arg);

/* How many CPUs this process may use; at least 1. */
unsigned thread_cpus(void);

#endif
