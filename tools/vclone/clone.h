/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone.h - one run of vclone: what was asked for. */
#ifndef TOOLS_VCLONE_CLONE_H
#define TOOLS_VCLONE_CLONE_H

#include "clone/clone.h"
#include "tools/cli/progress.h"
#include "tools/vclone/vclone.h"

struct clone_job {
	struct cli_machine how;
	struct clone_args args;
	struct reset_wishes wishes;
	bool full;
	enum progress_mode progress;
	const char *const *names;	/* of argv */
	size_t n_names;
};

/* Do it and print what came of it: the exit status. */
int clone_job_run(struct cli *cli, struct clone_job *job);
/* --list-operations */
int clone_list_operations(struct cli *cli);

#endif
