/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qtest.h - QEMU as an oracle for devices: a machine whose CPU stands still, and
 * accesses to it by QEMU's qtest protocol.
 */
#ifndef TESTS_QTEST_H
#define TESTS_QTEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct qtest {
	FILE *to, *from;
	pid_t pid;
};

/* Is QEMU there? */
bool qtest_possible(void);

/* A `-M pc` with 64 MiB and no other devices than those of `args` (NULL at the
 * end); it keeps the descriptor keep_fd (-1: none).  Leaves hlt.rom in the
 * current folder.  Ends the test on failure.
 */
void qtest_start(struct qtest *q, const char *const *args, int keep_fd);
void qtest_stop(struct qtest *q);

/* A command with up to two numbers ("outb 0x%lx 0x%lx\n"), and its answer's. */
uint64_t qtest_ask(struct qtest *q, const char *fmt, unsigned long a,
		   unsigned long b);

#endif
