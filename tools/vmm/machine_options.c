/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_options.c - the options of every command that runs a machine. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmm/run.h"
#include "tools/vmm/vmm.h"
#include "vmm/mem.h"

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
static int parse_cpus(struct cli *cli, const char *text, struct cpu_topology *t)
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

static int parse_timeout(struct cli *cli, const char *text, uint64_t *ns)
{
	char *end;
	double s = strtod(text, &end);

	if (end == text || *end || !(s > 0 && s <= MAX_TIMEOUT))
		return cli_bad(cli, "--timeout is '%s', must be seconds: a "
			       "number above 0, up to %.0f", text, MAX_TIMEOUT);
	*ns = (uint64_t)ceil(s * 1e9);
	return CLI_DONE;
}

static int parse_memory(struct cli *cli, const char *text, uint64_t *bytes)
{
	if (!cli_size(cli, "memory size", text, MEM_MIN, MEM_MAX, bytes))
		return VMM_USAGE;
	if (*bytes % MEM_PAGE)
		return cli_bad(cli, "--memory is %llu bytes, must be whole "
			       "pages of %u", (unsigned long long)*bytes,
			       MEM_PAGE);
	return CLI_DONE;
}

static int parse_disk(struct cli *cli, struct run *run, const char *text)
{
	if (run->n_disks == RUN_MAX_DISKS)
		return cli_bad(cli, "--disk is possible %u times",
			       RUN_MAX_DISKS);
	return disk_parse(cli, text, &run->disks[run->n_disks++]);
}

static int parse_accel(struct cli *cli, struct run *run, const char *text)
{
	if (strcmp(text, "auto") && strcmp(text, "kvm") && strcmp(text, "soft"))
		return cli_bad(cli, "--accel is '%s', must be auto, kvm or "
			       "soft", text);
	run->accel = text;
	return CLI_DONE;
}

static int parse_clock(struct cli *cli, struct vm_config *config, const char *text)
{
	if (strcmp(text, "host") && strcmp(text, "virtual"))
		return cli_bad(cli, "--clock is '%s', must be host or virtual",
			       text);
	config->virtual_clock = !strcmp(text, "virtual");
	return CLI_DONE;
}

static int parse_screen(struct cli *cli, struct run *run, const char *text)
{
	if (strcmp(text, "none") && strcmp(text, "vga"))
		return cli_bad(cli, "--screen is '%s', must be vga or none",
			       text);
	run->screen = text;
	return CLI_DONE;
}

int run_option(struct cli *cli, struct run *run, int c, char **argv)
{
	struct vm_config *config = &run->config;

	switch (c) {
	case RUN_FIRMWARE:
		config->boot.firmware = optarg;
		return CLI_DONE;
	case RUN_MEMORY:
		return parse_memory(cli, optarg, &config->memory);
	case RUN_CPUS:
		return parse_cpus(cli, optarg, &config->topology);
	case RUN_DISK:
		return parse_disk(cli, run, optarg);
	case RUN_ACCEL:
		return parse_accel(cli, run, optarg);
	case RUN_TIMEOUT:
		return parse_timeout(cli, optarg, &config->timeout);
	case RUN_NET:
		return net_parse_next(cli, optarg, run->nets, &run->n_nets);
	case RUN_NO_SANDBOX:
		run->no_sandbox = true;
		return CLI_DONE;
	case RUN_CLOCK:
		return parse_clock(cli, config, optarg);
	case RUN_SCREEN:
		return parse_screen(cli, run, optarg);
	default:
		return cli_option(cli, c, argv);
	}
}
