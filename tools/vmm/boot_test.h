/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_test.h - vmm boot-test, between its files.
 *
 * Each image is tested by a process of its own, in a sandbox, which writes the
 * result as JSON to a pipe; the first process prints it.
 */
#ifndef TOOLS_BOOT_TEST_H
#define TOOLS_BOOT_TEST_H

#include <limits.h>
#include <sys/stat.h>

#include "imgfmt/base/json.h"
#include "tools/vmm/output.h"
#include "tools/vmm/run.h"
#include "vmm/boottest/boottest.h"

struct boot_run {
	struct run run;			/* what both commands have */
	struct boot_test_config test;
	const char *format;		/* NULL: guess */
	const char *log;		/* of the serial port; NULL: none */
	const char *junit;		/* NULL: none */
	const char *screenshot;		/* a PNG file; NULL: none */
	bool clock_given;
	int log_fd;			/* these are open before the first test */
	struct output junit_file, shot_file;
	unsigned jobs;			/* at once */
	char *const *names;
	unsigned n;
};

/* An image's test, while it runs and afterwards. */
struct boot_job {
	int pid;
	int fd;				/* its result comes here; -1: it has */
	char *text;			/* so far */
	size_t len, cap;
	uint64_t start_ms, ms;		/* of the host's time */
	json_t *result;			/* NULL: not yet */
	bool failed;			/* it did not do all that it should */
};

/* boot_test_one.c: in a process of its own, its result to `fd`; the status to exit
 * with.
 */
int boot_test_one(struct cli *cli, struct boot_run *b, const char *name,
		  int fd);

/* boot_test_files.c: the files that were opened for a test, also those that images
 * name, and how they were then: as JSON, for the other process.
 */
struct boot_files {
	struct img_resolver inner;
	json_t *list;
};
/* From here on, what cli->resolver opens is noted; `f` stays where it is. */
void boot_files_begin(struct boot_files *f, struct cli *cli);
void boot_files_add(struct boot_files *f, const char *name);
void boot_files_add_image(struct boot_files *f, const struct img *img);
/* Is one of them not as it was? */
bool boot_files_changed(const json_t *list, char name[PATH_MAX]);

/* boot_test_all.c: call `done` for each image in their order, as soon as it can be. */
int boot_test_all(struct cli *cli, struct boot_run *b, struct boot_job *jobs,
		  void (*done)(struct cli *cli, const struct boot_run *b,
			       unsigned i, const struct boot_job *job));

/* boot_test_report.c */
json_t *boot_verdict_json(const struct boot_run *b, const char *name,
			  const char *format, const struct boot_verdict *v);
/* A test that came to no verdict, or to another one. */
json_t *boot_error_json(const char *name, const char *cause, const char *text);
void boot_test_print(struct cli *cli, const struct boot_run *b, unsigned i,
		     const struct boot_job *job);
bool boot_test_passed(const json_t *result);
/* Writes and closes b->junit_file. */
int boot_test_junit(struct boot_run *b, const struct boot_job *jobs,
		    struct err *e);

#endif
