/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.c - standard input as a guest's terminal. */
#include "tools/vmm/terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

/* What a handler of a crash needs to know, which gets no argument. */
static struct termios before;
static volatile sig_atomic_t is_raw;

void terminal_restore(void)
{
	if (!is_raw)
		return;
	is_raw = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* SA_RESETHAND: the signal then ends the process as it would have. */
static void on_crash(int sig)
{
	terminal_restore();
	raise(sig);
}

bool terminal_make_raw(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
				       SIGABRT };
	struct sigaction sa = { .sa_handler = on_crash,
				.sa_flags = (int)SA_RESETHAND | SA_NODEFER };
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &before) ||
	    tcgetpgrp(STDIN_FILENO) != getpgrp())
		return false;
	for (size_t i = 0; i < sizeof(crashes) / sizeof(int); i++)
		sigaction(crashes[i], &sa, NULL);
	atexit(terminal_restore);
	raw = before;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;	/* the program's own messages too */
	is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw)) {
		is_raw = 0;
		return false;
	}
	return true;
}
