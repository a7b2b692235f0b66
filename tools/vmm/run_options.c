/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_options.c - the options of vmm run. */
#include <string.h>

#include "tools/vmm/run.h"
#include "tools/vmm/vmm.h"

enum {
	OPT_KERNEL = RUN_FIRST_OWN, OPT_INITRD, OPT_APPEND, OPT_CPU, OPT_SERIAL,
	OPT_RNG, OPT_BALLOON, OPT_CONSOLE, OPT_NO_REBOOT, OPT_TEST_DEVICES,
	OPT_CONTROL, OPT_GDB, OPT_TRACE, OPT_FIRMWARE_LOG,
};

static int add_initrd(struct cli *cli, struct run *run, const char *text)
{
	if (run->n_initrds == RUN_MAX_MODULES)
		return cli_bad(cli, "--initrd is possible %u times",
			       RUN_MAX_MODULES);
	/* The last place stays NULL. */
	if (run->n_initrds++)
		run->modules[run->n_initrds - 2] = text;
	else
		run->config.boot.initrd = text;
	return CLI_DONE;
}

static int add_serial(struct cli *cli, struct run *run, const char *text)
{
	if (run->n_serials == RUN_MAX_SERIALS)
		return cli_bad(cli, "--serial is possible %u times",
			       RUN_MAX_SERIALS);
	run->serials[run->n_serials++] = text;
	return CLI_DONE;
}

static int parse_cpu(struct cli *cli, struct run *run, const char *text)
{
	if (cpu_model_parse(text, &run->config.cpu))
		return cli_bad(cli, "--cpu is '%s', must be host, x86-64-v1, "
			       "x86-64-v2 or x86-64-v3", text);
	return CLI_DONE;
}

static int take_option(struct cli *cli, struct run *run, int c, char **argv)
{
	struct vm_config *config = &run->config;

	switch (c) {
	case OPT_KERNEL:
		config->boot.kernel = optarg;
		return CLI_DONE;
	case OPT_FIRMWARE_LOG:
		run->firmware_log = optarg;
		return CLI_DONE;
	case OPT_INITRD:
		return add_initrd(cli, run, optarg);
	case OPT_APPEND:
		config->boot.append = optarg;
		return CLI_DONE;
	case OPT_CPU:
		return parse_cpu(cli, run, optarg);
	case OPT_SERIAL:
		return add_serial(cli, run, optarg);
	case OPT_CONSOLE:
		run->console = optarg;
		return CLI_DONE;
	case OPT_RNG:
		run->rng = true;
		return CLI_DONE;
	case OPT_BALLOON:
		run->balloon = true;
		return CLI_DONE;
	case OPT_NO_REBOOT:
		config->no_reboot = true;
		return CLI_DONE;
	case OPT_CONTROL:
		run->control_path = optarg;
		return CLI_DONE;
	case OPT_GDB:
		run->gdb_host = optarg;
		return CLI_DONE;
	case OPT_TRACE:
		run->trace_path = optarg;
		return CLI_DONE;
	case OPT_TEST_DEVICES:
		config->test_devices = true;
		return CLI_DONE;
	default:
		return run_option(cli, run, c, argv);
	}
}

int run_parse(struct cli *cli, struct run *run, int argc, char **argv)
{
	static const struct option longs[] = {
		RUN_OPTIONS,
		{ "kernel", required_argument, NULL, OPT_KERNEL },
		{ "firmware-log", required_argument, NULL, OPT_FIRMWARE_LOG },
		{ "initrd", required_argument, NULL, OPT_INITRD },
		{ "append", required_argument, NULL, OPT_APPEND },
		{ "cpu", required_argument, NULL, OPT_CPU },
		{ "serial", required_argument, NULL, OPT_SERIAL },
		{ "rng", no_argument, NULL, OPT_RNG },
		{ "balloon", no_argument, NULL, OPT_BALLOON },
		{ "console", required_argument, NULL, OPT_CONSOLE },
		{ "control", required_argument, NULL, OPT_CONTROL },
		{ "gdb", required_argument, NULL, OPT_GDB },
		{ "trace", required_argument, NULL, OPT_TRACE },
		{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
		{ "test-devices", no_argument, NULL, OPT_TEST_DEVICES },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":hq", longs, NULL)) != -1) {
		rc = take_option(cli, run, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind < argc)
		return cli_usage(cli, "unexpected argument '%s'; a disk is "
				 "given with --disk FILE", argv[optind]);
	if (!run->config.boot.kernel && !run->config.boot.firmware &&
	    !run->n_disks)
		return cli_usage(cli, "nothing to boot: --disk FILE or --kernel "
				 "FILE is missing");
	if (run->config.boot.kernel && run->config.boot.firmware)
		return cli_usage(cli, "--kernel and --firmware exclude each "
				 "other: a kernel is started without firmware");
	if (!run->config.boot.kernel &&
	    (run->n_initrds || run->config.boot.append))
		return cli_usage(cli, "--initrd and --append need --kernel: "
				 "what is on a disk has its own");
	/* A disk's loader and system may know nothing else. */
	if (run->screen ? !strcmp(run->screen, "vga") :
	    !run->config.boot.kernel)
		run->config.screen = VM_SCREEN_VGA;
	if (run->n_initrds > 1)
		run->config.boot.modules = run->modules;
	/* The first serial port is the terminal, unless that is in use. */
	if (!run->n_serials)
		run->serials[run->n_serials++] = run->console &&
			!strcmp(run->console, "stdio") ? "null" : "stdio";
	return CLI_DONE;
}
