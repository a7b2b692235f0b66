/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.c - the machine that the command line names. */
#include <string.h>

#include "tools/vclone/vclone.h"

static bool is_input(const char *text)
{
	static const char *const inputs[] = {
		"vmx", "ovf", "ova", "libvirt", "json", "disk",
	};

	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
		if (!strcmp(inputs[i], text))
			return true;
	return false;
}

int vclone_source_option(struct cli *cli, struct vclone_source *s, int c,
			 char **argv)
{
	switch (c) {
	case VCLONE_INPUT:
		if (!is_input(optarg))
			return cli_bad(cli, "--input is '%s', must be vmx, "
				       "ovf, ova, libvirt, json or disk",
				       optarg);
		s->input = optarg;
		return CLI_DONE;
	case 'f':
		s->format = optarg;
		return CLI_DONE;
	case VCLONE_SYSTEM:
		s->system = optarg;
		return CLI_DONE;
	default:
		return cli_option(cli, c, argv);
	}
}

int vclone_open(struct cli *cli, const struct vclone_source *how,
		const char *const *names, size_t n, struct source *out)
{
	struct source_args args = {
		.input = how->input, .format = how->format,
		.system = how->system, .resolver = &cli->resolver,
		.flags = cli->share ? SOURCE_SHARE : 0,
	};
	struct err e = { "" };

	cli_resolver_init(cli);
	if (!source_open(names, n, &args, out, &e))
		return CLI_DONE;
	cli_error(cli, "%s: %s", names[0], e.text);
	source_close(out);
	return CLI_FAILED;
}
