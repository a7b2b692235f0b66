/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.h - p2v capture, between its files. */
#ifndef TOOLS_P2V_CAPTURE_H
#define TOOLS_P2V_CAPTURE_H

#include "convert/capture/manifest.h"
#include "tools/cli/progress.h"
#include "tools/p2v/p2v.h"

struct p2v_capture {
	char *const *names;
	size_t n;
	const char *folder;
	const char *format;		/* of the disks; NULL: raw, unless a file
					 * looks like something else */
	bool verify, live, freeze, direct;
	unsigned freeze_s;
	enum progress_mode progress;
	struct capture_args how;	/* options alone */
};

/* The exit status. */
int p2v_capture_run(struct cli *cli, struct p2v_capture *c);

#endif
