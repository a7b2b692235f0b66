/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - show how far a long command is, and let signals end it cleanly.
 *
 * SIGINT, SIGTERM and SIGHUP set `*progress_cancelled()`, which the engines
 * look at; the program cleans up and then dies of that signal.  SIGUSR1 asks for
 * one line of progress on standard error.
 */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdatomic.h>

#include "tools/cli/cli.h"

enum progress_mode { PROGRESS_NONE, PROGRESS_HUMAN, PROGRESS_JSON };

struct progress {
	enum progress_mode mode;
	uint64_t done, total;		/* bytes */
	double started, shown;		/* seconds of the monotonic clock */
	double shown_percent;
	bool complete;
	bool shown_last;	/* the JSON line that says all is done */
};

/* -p, or --progress human|json in optarg.  CLI_DONE, or prints what is wrong and
 * returns the exit status.
 */
int progress_option(struct cli *cli, int opt, enum progress_mode *mode);

void progress_start(struct progress *p, enum progress_mode mode);
void progress_update(struct progress *p, uint64_t done, uint64_t total);
void progress_end(struct progress *p, bool complete);

/* For the engines: `arg` is the struct progress. */
void progress_callback(void *arg, uint64_t done, uint64_t total);

/* Install the handlers (once). */
void progress_signals(void);
const atomic_int *progress_cancelled(void);
/* Cancelled: die of the signal, so that a shell sees it. */
int progress_die(void);

#endif
