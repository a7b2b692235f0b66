/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.h - what vmm run was asked for, and how to say how it went. */
#ifndef TOOLS_VMM_RUN_H
#define TOOLS_VMM_RUN_H

#include "tools/vmm/chardev.h"
#include "tools/vmm/disk.h"
#include "tools/vmm/net.h"
#include "tools/vmm/sweeper.h"
#include "vmm/control.h"
#include "vmm/gdb/gdb.h"
#include "vmm/sandbox.h"

#define RUN_MAX_DISKS 16u
#define RUN_MAX_SERIALS 4u
#define RUN_MAX_MODULES 64u

struct run {
	struct vm_config config;
	const char *modules[RUN_MAX_MODULES];	/* --initrd, after the first */
	unsigned n_initrds;
	const char *accel;		/* auto, kvm, soft */
	struct disk disks[RUN_MAX_DISKS];
	unsigned n_disks;
	struct vm_net nets[VM_NET_MAX];
	unsigned n_nets;
	json_t *network;		/* when the machine had ended; owned */
	const char *serials[RUN_MAX_SERIALS];
	unsigned n_serials;
	const char *console;		/* NULL: none */
	bool rng, balloon;
	const char *control_path;	/* NULL: none */
	struct control *control;
	const char *trace_path;		/* NULL: none */
	char *firmware;			/* found; owned */
	const char *firmware_log;	/* NULL: none */
	const char *screen;		/* vga, none; NULL: as it boots */
	char *vgabios;			/* found; owned */
	const char *gdb_host;		/* NULL: none */
	struct gdb *gdb;
	struct sweeper sweeper;
	bool no_sandbox;
	struct sandbox sandbox;
	struct chardev *ports[RUN_MAX_SERIALS + 1];	/* the last: console */
	struct img *images[RUN_MAX_DISKS];	/* until they are the machine's */
	struct chardevs chardevs;
};

/* run_options.c: prints errors; CLI_DONE, or the exit status. */
int run_parse(struct cli *cli, struct run *run, int argc, char **argv);

/* machine_options.c: those of every command that runs a machine. */
enum {
	RUN_FIRMWARE = CLI_FIRST_OWN, RUN_MEMORY, RUN_CPUS, RUN_DISK, RUN_ACCEL,
	RUN_TIMEOUT, RUN_NET, RUN_NO_SANDBOX, RUN_CLOCK, RUN_SCREEN,
	RUN_FIRST_OWN,
};
#define RUN_OPTIONS							\
	{ "help", no_argument, NULL, 'h' },				\
	{ "quiet", no_argument, NULL, 'q' },				\
	{ "output", required_argument, NULL, CLI_OUTPUT },		\
	{ "allow-external", optional_argument, NULL, CLI_ALLOW_EXTERNAL }, \
	{ "probe-backing", no_argument, NULL, CLI_PROBE_BACKING },	\
	{ "firmware", required_argument, NULL, RUN_FIRMWARE },		\
	{ "memory", required_argument, NULL, RUN_MEMORY },		\
	{ "cpus", required_argument, NULL, RUN_CPUS },			\
	{ "disk", required_argument, NULL, RUN_DISK },			\
	{ "accel", required_argument, NULL, RUN_ACCEL },		\
	{ "timeout", required_argument, NULL, RUN_TIMEOUT },		\
	{ "net", required_argument, NULL, RUN_NET },			\
	{ "no-sandbox", no_argument, NULL, RUN_NO_SANDBOX },		\
	{ "clock", required_argument, NULL, RUN_CLOCK },		\
	{ "screen", required_argument, NULL, RUN_SCREEN }

/* As cli_option(), for these as well. */
int run_option(struct cli *cli, struct run *run, int c, char **argv);

/* run.c: the disks of run->disks; print errors; CLI_DONE, or the exit status. */
int run_open_disks(struct cli *cli, struct run *run);
int run_add_disks(struct cli *cli, struct run *run, struct vm *vm);
int run_add_nets(struct run *run, struct vm *vm, struct err *e);

/* run->accel to run->config.accel; prints errors; CLI_DONE, or the exit status. */
int run_choose_accel(struct cli *cli, struct run *run);

/* jail.c: nothing can be opened afterwards.  Prints errors; CLI_DONE, or the exit
 * status.
 */
int jail_enter(struct cli *cli, struct run *run);

/* run_result.c: say how the guest ended; the exit status. */
int run_report(const struct cli *cli, const struct run *run,
	       const struct vm_result *result, int rc, const struct err *e);

#endif
