/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_options.c - the options of vmm run. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmm/run.h"
#include "tools/vmm/vmm.h"
#include "vmm/mem.h"

enum {
	OPT_KERNEL = CLI_FIRST_OWN, OPT_INITRD, OPT_APPEND, OPT_MEMORY,
	OPT_CPUS, OPT_DISK, OPT_ACCEL, OPT_CPU, OPT_SERIAL, OPT_RNG,
	OPT_BALLOON, OPT_CONSOLE, OPT_TIMEOUT, OPT_NO_REBOOT, OPT_TEST_DEVICES,
	OPT_CONTROL, OPT_NO_SANDBOX, OPT_GDB, OPT_CLOCK, OPT_TRACE,
	OPT_FIRMWARE, OPT_FIRMWARE_LOG, OPT_SCREEN, OPT_NET,
};

#define MAX_TIMEOUT 1e9	/* seconds: three decades, and it fits in ns */

/* A factor of the topology; 0: not given. */
static int parse_factor(struct cli *cli, struct options *o, const char *key,
			unsigned *out)
{
	const char *text = options_get(o, key);
	unsigned long n;
	char *end;

	*out = 0;
	if (!text)
		return CLI_DONE;
	n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || !n || n > 255)
		return cli_bad(cli, "--cpus: %s is '%s', must be 1 to 255",
			       key, text);
	*out = (unsigned)n;
	options_remove(o, key);
	return CLI_DONE;
}

/* What was not given follows: cores first, for that is what guests know best. */
static int complete_topology(struct cli *cli, struct cpu_topology *t)
{
	unsigned given = (t->sockets ? t->sockets : 1) *
			 (t->cores ? t->cores : 1) *
			 (t->threads ? t->threads : 1);
	unsigned rest;

	if (!t->cpus)
		t->cpus = given;
	rest = t->cpus / given;
	if (!t->cores)
		t->cores = rest;
	else if (!t->sockets)
		t->sockets = rest;
	else if (!t->threads)
		t->threads = rest;
	t->sockets = t->sockets ? t->sockets : 1;
	t->threads = t->threads ? t->threads : 1;
	if ((uint64_t)t->sockets * t->cores * t->threads != t->cpus)
		return cli_bad(cli, "--cpus: %u sockets of %u cores of %u "
			       "threads are not %u CPUs", t->sockets, t->cores,
			       t->threads, t->cpus);
	return CLI_DONE;
}

/* N[,sockets=,cores=,threads=] */
int run_parse_cpus(struct cli *cli, const char *text, struct cpu_topology *t)
{
	size_t len = strcspn(text, ",=");
	struct options o = { 0 };
	struct err e = { "" };
	char *full = malloc(strlen(text) + sizeof("cpus="));
	int rc;

	if (!full) {
		cli_error(cli, "out of memory");
		return VMM_ERROR;
	}
	strcpy(full, text[len] == '=' ? "" : "cpus=");
	strcat(full, text);
	rc = options_parse(&o, full, &e) ?
		cli_bad(cli, "--cpus: %s", e.text) : CLI_DONE;
	if (rc == CLI_DONE)
		rc = parse_factor(cli, &o, "cpus", &t->cpus);
	if (rc == CLI_DONE)
		rc = parse_factor(cli, &o, "sockets", &t->sockets);
	if (rc == CLI_DONE)
		rc = parse_factor(cli, &o, "cores", &t->cores);
	if (rc == CLI_DONE)
		rc = parse_factor(cli, &o, "threads", &t->threads);
	if (rc == CLI_DONE && o.n)
		rc = cli_bad(cli, "--cpus: no option '%s'; they are sockets=, "
			     "cores= and threads=", o.kv[0].key);
	options_fini(&o);
	free(full);
	return rc == CLI_DONE ? complete_topology(cli, t) : rc;
}

int run_parse_timeout(struct cli *cli, const char *text, uint64_t *ns)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s > 0 && s <= MAX_TIMEOUT))
		return cli_bad(cli, "--timeout is '%s', must be seconds: a "
			       "number above 0, up to %.0f", text, MAX_TIMEOUT);
	*ns = (uint64_t)ceil(s * 1e9);
	return CLI_DONE;
}

int run_parse_memory(struct cli *cli, const char *text, uint64_t *bytes)
{
	if (!cli_size(cli, "memory size", text, MEM_MIN, MEM_MAX, bytes))
		return VMM_USAGE;
	if (*bytes % MEM_PAGE)
		return cli_bad(cli, "--memory is %llu bytes, must be whole "
			       "pages of %u", (unsigned long long)*bytes,
			       MEM_PAGE);
	return CLI_DONE;
}

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

int run_parse_disk(struct cli *cli, struct run *run, const char *text)
{
	if (run->n_disks == RUN_MAX_DISKS)
		return cli_bad(cli, "--disk is possible %u times",
			       RUN_MAX_DISKS);
	return disk_parse(cli, text, &run->disks[run->n_disks++]);
}

int run_parse_accel(struct cli *cli, struct run *run, const char *text)
{
	if (strcmp(text, "auto") && strcmp(text, "kvm") && strcmp(text, "soft"))
		return cli_bad(cli, "--accel is '%s', must be auto, kvm or "
			       "soft", text);
	run->accel = text;
	return CLI_DONE;
}

static int parse_cpu(struct cli *cli, struct run *run, const char *text)
{
	if (cpu_model_parse(text, &run->config.cpu))
		return cli_bad(cli, "--cpu is '%s', must be host, x86-64-v1, "
			       "x86-64-v2 or x86-64-v3", text);
	return CLI_DONE;
}

int run_parse_clock(struct cli *cli, struct vm_config *config, const char *text)
{
	if (strcmp(text, "host") && strcmp(text, "virtual"))
		return cli_bad(cli, "--clock is '%s', must be host or virtual",
			       text);
	config->virtual_clock = !strcmp(text, "virtual");
	return CLI_DONE;
}

int run_parse_screen(struct cli *cli, struct run *run, const char *text)
{
	if (strcmp(text, "none") && strcmp(text, "vga"))
		return cli_bad(cli, "--screen is '%s', must be vga or none",
			       text);
	run->screen = text;
	return CLI_DONE;
}

static int take_option(struct cli *cli, struct run *run, int c, char **argv)
{
	struct vm_config *config = &run->config;

	switch (c) {
	case OPT_KERNEL:
		config->boot.kernel = optarg;
		return CLI_DONE;
	case OPT_FIRMWARE:
		config->boot.firmware = optarg;
		return CLI_DONE;
	case OPT_FIRMWARE_LOG:
		run->firmware_log = optarg;
		return CLI_DONE;
	case OPT_INITRD:
		return add_initrd(cli, run, optarg);
	case OPT_APPEND:
		config->boot.append = optarg;
		return CLI_DONE;
	case OPT_MEMORY:
		return run_parse_memory(cli, optarg, &config->memory);
	case OPT_CPUS:
		return run_parse_cpus(cli, optarg, &config->topology);
	case OPT_DISK:
		return run_parse_disk(cli, run, optarg);
	case OPT_ACCEL:
		return run_parse_accel(cli, run, optarg);
	case OPT_CPU:
		return parse_cpu(cli, run, optarg);
	case OPT_SERIAL:
		return add_serial(cli, run, optarg);
	case OPT_CONSOLE:
		run->console = optarg;
		return CLI_DONE;
	case OPT_TIMEOUT:
		return run_parse_timeout(cli, optarg, &config->timeout);
	case OPT_NET:
		return net_parse_next(cli, optarg, run->nets, &run->n_nets);
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
	case OPT_NO_SANDBOX:
		run->no_sandbox = true;
		return CLI_DONE;
	case OPT_GDB:
		run->gdb_host = optarg;
		return CLI_DONE;
	case OPT_CLOCK:
		return run_parse_clock(cli, config, optarg);
	case OPT_SCREEN:
		return run_parse_screen(cli, run, optarg);
	case OPT_TRACE:
		run->trace_path = optarg;
		return CLI_DONE;
	case OPT_TEST_DEVICES:
		config->test_devices = true;
		return CLI_DONE;
	default:
		return cli_option(cli, c, argv);
	}
}

int run_parse(struct cli *cli, struct run *run, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "output", required_argument, NULL, CLI_OUTPUT },
		{ "allow-external", optional_argument, NULL,
		  CLI_ALLOW_EXTERNAL },
		{ "probe-backing", no_argument, NULL, CLI_PROBE_BACKING },
		{ "kernel", required_argument, NULL, OPT_KERNEL },
		{ "firmware", required_argument, NULL, OPT_FIRMWARE },
		{ "firmware-log", required_argument, NULL, OPT_FIRMWARE_LOG },
		{ "initrd", required_argument, NULL, OPT_INITRD },
		{ "append", required_argument, NULL, OPT_APPEND },
		{ "memory", required_argument, NULL, OPT_MEMORY },
		{ "cpus", required_argument, NULL, OPT_CPUS },
		{ "disk", required_argument, NULL, OPT_DISK },
		{ "accel", required_argument, NULL, OPT_ACCEL },
		{ "cpu", required_argument, NULL, OPT_CPU },
		{ "serial", required_argument, NULL, OPT_SERIAL },
		{ "net", required_argument, NULL, OPT_NET },
		{ "rng", no_argument, NULL, OPT_RNG },
		{ "balloon", no_argument, NULL, OPT_BALLOON },
		{ "console", required_argument, NULL, OPT_CONSOLE },
		{ "control", required_argument, NULL, OPT_CONTROL },
		{ "screen", required_argument, NULL, OPT_SCREEN },
		{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
		{ "gdb", required_argument, NULL, OPT_GDB },
		{ "clock", required_argument, NULL, OPT_CLOCK },
		{ "trace", required_argument, NULL, OPT_TRACE },
		{ "timeout", required_argument, NULL, OPT_TIMEOUT },
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
