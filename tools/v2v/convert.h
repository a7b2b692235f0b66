/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert.h - one conversion: what was asked for, and how far it is. */
#ifndef TOOLS_V2V_CONVERT_H
#define TOOLS_V2V_CONVERT_H

#include "convert/copy/image_file.h"
#include "convert/copy/staging.h"
#include "imgfmt/base/json.h"
#include "tools/cli/progress.h"
#include "tools/v2v/v2v.h"

struct convert {
	struct v2v_args source;
	const char *dir, *to, *name;	/* -o, --to, --name */
	const char *format;		/* of the disks: "qcow2", "raw", "vmdk" */
	bool compress, no_copy, no_boot_test, keep_unproved, replace;
	unsigned boot_timeout;		/* seconds; 0: vmm's default */
	struct machine_write_args target;
	enum progress_mode progress;
};

/* While it runs. */
struct job {
	struct cli *cli;
	struct convert *c;
	struct source source;
	struct edits *edits;
	struct machine machine;		/* as it will be */
	struct machine_notes losses;
	struct machine_output output;	/* the descriptions */
	struct staging *staging;
	char *stem;			/* heads the names of all files */
	char **disks;			/* their names, source.n_disks */
	char **undos;			/* of the undo files; NULL where nothing
					 * was edited */
	uint64_t copied, total;		/* bytes */
	json_t *verdict;		/* NULL: no boot test */
	json_t *plan;			/* the edits as JSON */
	struct progress bar;
	struct err e;
};

/* Everything from the open source to the files in their place; prints errors.
 * The exit status.
 */
int convert_run(struct cli *cli, struct convert *c);

/* outputs.c: the disks, the description and the report, made in the staging folder.
 * 0, or -errno with job->e.  In this order:
 */
int outputs_name(struct job *job);	/* names of disks; the description */
int outputs_check(struct job *job);	/* would anything be overwritten? */
int outputs_disks(struct job *job);
int outputs_describe(struct job *job);	/* from here on they are to appear */
int outputs_report(struct job *job, const char *result);

#endif
