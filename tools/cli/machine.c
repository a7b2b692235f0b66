/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.c - the machine that a command line names. */
#include "tools/cli/machine.h"

#include <stdlib.h>
#include <string.h>

int cli_number(struct cli *cli, const char *option, unsigned min, unsigned max,
	       unsigned *out)
{
	char *end;
	unsigned long n = strtoul(optarg, &end, 10);

	if (*optarg < '0' || *optarg > '9' || *end || n < min || n > max)
		return cli_bad(cli, "%s is '%s', must be a number from %u to "
			       "%u", option, optarg, min, max);
	*out = (unsigned)n;
	return CLI_DONE;
}

int cli_choice(struct cli *cli, const char *option, const char *const *allowed,
	       const char *what, const char **out)
{
	for (; *allowed; allowed++)
		if (!strcmp(*allowed, optarg)) {
			*out = *allowed;
			return CLI_DONE;
		}
	return cli_bad(cli, "%s is '%s', must be %s", option, optarg, what);
}

int cli_machine_option(struct cli *cli, struct cli_machine *m, int c,
		       char **argv)
{
	static const char *const inputs[] = {
		"vmx", "ovf", "ova", "libvirt", "json", "disk", NULL,
	};

	switch (c) {
	case CLI_INPUT:
		return cli_choice(cli, "--input", inputs, "vmx, ovf, ova, "
				  "libvirt, json or disk", &m->input);
	case 'f':
		m->format = optarg;
		return CLI_DONE;
	case CLI_SYSTEM:
		m->system = optarg;
		return CLI_DONE;
	default:
		return cli_option(cli, c, argv);
	}
}

int cli_machine_open(struct cli *cli, const struct cli_machine *m,
		     const char *const *names, size_t n, unsigned flags,
		     struct source *out)
{
	struct source_args args = {
		.input = m->input, .format = m->format, .system = m->system,
		.resolver = &cli->resolver,
		.flags = flags | (cli->share ? SOURCE_SHARE : 0),
	};
	struct err e = { "" };

	cli_resolver_init(cli);
	if (!source_open(names, n, &args, out, &e))
		return CLI_DONE;
	cli_error(cli, "%s: %s", names[0], e.text);
	source_close(out);
	return CLI_FAILED;
}
