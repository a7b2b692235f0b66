/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.c - progress on the terminal or as JSON lines, and signals. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli/progress.h"

/* A signal handler reaches nothing but these. */
static atomic_int cancelled;		/* the signal's number */
static volatile sig_atomic_t asked;

#define JSON_INTERVAL 0.5		/* seconds; a line each second is due */

static void on_cancel(int sig)
{
	atomic_store(&cancelled, sig);
}

static void on_ask(int sig)
{
	(void)sig;
	asked = 1;
}

void progress_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_cancel }, old;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		/* nohup and background jobs ignore some of them: so do we. */
		if (sigaction(ends[i], NULL, &old) ||
		    old.sa_handler == SIG_IGN)
			continue;
		sigaction(ends[i], &sa, NULL);
	}
	sa.sa_handler = on_ask;
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
}

const atomic_int *progress_cancelled(void)
{
	return &cancelled;
}

int progress_die(void)
{
	int sig = atomic_load(&cancelled);

	if (!sig)
		return CLI_FAILED;
	fflush(stdout);
	signal(sig, SIG_DFL);
	raise(sig);
	return 128 + sig;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int progress_option(struct cli *cli, int opt, enum progress_mode *mode)
{
	if (opt == 'p' || !strcmp(optarg, "human"))
		*mode = PROGRESS_HUMAN;
	else if (!strcmp(optarg, "json"))
		*mode = PROGRESS_JSON;
	else
		return cli_bad(cli, "--progress must be used with human or "
			       "json as argument.");
	return CLI_DONE;
}

static double percent(const struct progress *p)
{
	if (p->total)
		return 100.0 * (double)p->done / (double)p->total;
	return p->complete ? 100 : 0;
}

static void show_human(struct progress *p)
{
	p->shown_percent = percent(p);
	printf("    (%.2f/100%%)\r", p->shown_percent);
	fflush(stdout);
}

static void show_json(struct progress *p)
{
	double seconds = now() - p->started;
	double rate = seconds > 0 ? (double)p->done / seconds : 0;

	printf("{\"done\": %llu, \"total\": %llu, \"rate\": %.0f, "
	       "\"seconds-left\": ", (unsigned long long)p->done,
	       (unsigned long long)p->total, rate);
	if (p->done >= p->total)
		printf("0}\n");
	else if (rate > 0)
		printf("%.1f}\n", (double)(p->total - p->done) / rate);
	else
		printf("null}\n");
	fflush(stdout);
	p->shown = now();
	p->shown_last = p->done >= p->total;
}

void progress_start(struct progress *p, enum progress_mode mode)
{
	*p = (struct progress){ .mode = mode, .started = now() };
	if (mode == PROGRESS_HUMAN)
		show_human(p);
}

void progress_update(struct progress *p, uint64_t done, uint64_t total)
{
	p->done = done;
	p->total = total;
	if (asked) {
		asked = 0;
		if (p->mode != PROGRESS_HUMAN)
			fprintf(stderr, "    (%.2f/100%%)\n", percent(p));
		else
			show_human(p);
	}
	if (p->mode == PROGRESS_HUMAN &&
	    (percent(p) - p->shown_percent >= 1 || done == total))
		show_human(p);
	if (p->mode == PROGRESS_JSON && now() - p->shown >= JSON_INTERVAL)
		show_json(p);
}

void progress_end(struct progress *p, bool complete)
{
	p->complete = complete;
	if (complete)
		p->done = p->total;
	if (p->mode == PROGRESS_HUMAN) {
		if (complete && p->shown_percent < 100)
			show_human(p);
		printf("\n");
	} else if (p->mode == PROGRESS_JSON && !p->shown_last) {
		show_json(p);
	}
}

void progress_callback(void *arg, uint64_t done, uint64_t total)
{
	progress_update(arg, done, total);
}
