/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jail.c - enter the sandbox, and say what ended the machine if it leaves it. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tools/vmm/run.h"
#include "tools/vmm/terminal.h"
#include "tools/vmm/vmm.h"

/* The call was not made.  On the thread that tried, which may be anywhere. */
static void on_violation(int sig, siginfo_t *info, void *context)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "vmm: the sandbox stopped system "
			 "call %d: vmm has a bug, or a guest has got into it. "
			 "The machine ends\n", info->si_syscall);

	(void)sig, (void)context;
	terminal_restore();
	if (write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(VMM_ERROR);
	_exit(VMM_ERROR);
}

int jail_enter(struct cli *cli, struct run *run)
{
	struct sigaction sa = { .sa_sigaction = on_violation,
				.sa_flags = SA_SIGINFO };
	struct sandbox *s = &run->sandbox;
	struct err e = { "" };

	if (run->no_sandbox) {
		snprintf(s->text, sizeof(s->text), "off");
		return CLI_DONE;
	}
	s->kvm = run->config.accel == &accel_kvm;
	/* vCPUs, clients, and what the C library wants for a moment. */
	s->more_fds = run->config.topology.cpus + CONTROL_CLIENTS +
		      CHARDEV_MAX + 32;
	sigaction(SIGSYS, &sa, NULL);
	if (!sandbox_enter(s, &e))
		return CLI_DONE;
	cli_error(cli, "%s; --no-sandbox runs without it", e.text);
	return VMM_ERROR;
}
