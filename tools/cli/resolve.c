/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolve.c - which other files an image may pull in. */
#include <string.h>

#include "cli.h"

#define N_CONSENT (sizeof(((struct cli *)0)->consent) / sizeof(char *))

static bool has_consent(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < N_CONSENT && cli->consent[i]; i++)
		if (!strcmp(cli->consent[i], name))
			return true;
	return false;
}

static int resolve(void *arg, const char *referrer, const char *name,
		   const char *format, unsigned flags,
		   const struct img_resolver *self, struct img **out,
		   struct err *e)
{
	struct cli *cli = arg;
	const struct img_resolver *r = &cli->inside;

	if (has_consent(cli, name))
		r = &cli->anywhere;
	return r->open(r->arg, referrer, name, format, flags, self, out, e);
}

void cli_resolver_init(struct cli *cli)
{
	bool all = cli->dropin || (cli->allow_external && !cli->external_dir);

	cli->anywhere = img_resolve_anywhere();
	cli->inside = all ? cli->anywhere
			  : img_resolve_in_folder(cli->external_dir);
	cli->resolver = (struct img_resolver){ .open = resolve, .arg = cli };
}

void cli_consent(struct cli *cli, const char *name)
{
	for (size_t i = 0; name && i < N_CONSENT; i++)
		if (!cli->consent[i]) {
			cli->consent[i] = name;
			return;
		}
}
