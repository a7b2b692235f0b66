/* SPDX-License-Identifier: GPL-2.0-or-later */
/* v2v.h - the subcommands of v2v, and what they share. */
#ifndef TOOLS_V2V_H
#define TOOLS_V2V_H

#include "tools/cli/machine.h"

/* Exit statuses besides 0, CLI_FAILED and 2 for wrong usage. */
#define V2V_REFUSED	3	/* the source must not be taken as it is */
#define V2V_UNPROVED	4	/* converted, but the boot test did not pass */

extern const struct cli_command cmd_inspect, cmd_plan, cmd_convert, cmd_undo;

/* What the user says of the source, and of the plan. */
struct v2v_args {
	struct cli_machine machine;
	struct linux_plan_args plan;
	const char *const *names;	/* of argv */
	size_t n_names;
};

enum {
	V2V_SERIAL = CLI_FIRST_MACHINE, V2V_KEEP_TOOLS, V2V_FIRST_OWN,
};
#define V2V_PLAN_OPTIONS						\
	{ "serial-console", no_argument, NULL, V2V_SERIAL },		\
	{ "keep-tools", no_argument, NULL, V2V_KEEP_TOOLS }

/* As cli_machine_option(), for these as well. */
int v2v_option(struct cli *cli, struct v2v_args *a, int c, char **argv);
/* The names behind the options: CLI_DONE, or the status. */
int v2v_names(struct cli *cli, struct v2v_args *a, int argc, char **argv);

/* Open; prints an error.  CLI_DONE also where there are refusals. */
int v2v_open(struct cli *cli, const struct v2v_args *a, unsigned flags,
	     struct source *s);
/* Print the refusals, if there are any: V2V_REFUSED, else CLI_DONE. */
int v2v_refused(struct cli *cli, const struct source *s);
/* { "machine", "disks", "guest", "refusals" }: a new reference. */
struct json_t *v2v_source_json(const struct source *s);
/* The edits, planned; prints an error, also for refusals.  CLI_DONE, or the status.
 * args->plan's network cards are set up here and freed by v2v_plan_fini().
 */
int v2v_plan(struct cli *cli, struct v2v_args *a, struct source *s,
	     struct edits **out);
void v2v_plan_fini(struct v2v_args *a, struct edits *ed);

#endif
