/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verify.c - p2v verify: are captured disks still what was captured? */
#include <errno.h>
#include <stdlib.h>

#include "convert/capture/manifest.h"
#include "imgfmt/base/buf.h"
#include "tools/cli/progress.h"
#include "tools/p2v/p2v.h"

static int verify_all(struct cli *cli, const struct manifest *m,
		      const char *folder, bool show)
{
	int status = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct progress progress = { 0 };
		struct checksum_args how = {
			.progress = progress_callback, .arg = &progress,
			.cancel = progress_cancelled(),
		};
		struct err e = { "" };
		int rc;

		progress_start(&progress, show ? PROGRESS_HUMAN : PROGRESS_NONE);
		rc = manifest_verify(&m->list[i], folder, &how, &e);
		progress_end(&progress, !rc);
		if (rc == -ECANCELED)
			return progress_die();
		if (rc) {
			cli_error(cli, "%s", e.text);
			status = rc == -EUCLEAN ? P2V_CHECK : CLI_FAILED;
		} else {
			cli_say(cli, "%s/%s is what was captured\n", folder,
				m->list[i].file);
		}
	}
	return status;
}

int p2v_verify(struct cli *cli, const char *folder, bool progress)
{
	char *path = str_printf("%s/%s", folder, MANIFEST_NAME);
	struct manifest m = { 0 };
	struct err e = { "out of memory" };
	int status = CLI_FAILED;

	if (path && !manifest_read(path, &m, &e))
		status = verify_all(cli, &m, folder, progress);
	else
		cli_error(cli, "%s", e.text);
	manifest_fini(&m);
	free(path);
	return status;
}

static int verify_run(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	bool progress = false;
	int c, rc;

	while ((c = getopt_long(argc, argv, ":hqp", longs, NULL)) != -1) {
		if (c == 'p') {
			progress = true;
			continue;
		}
		rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind + 1 != argc)
		return cli_usage(cli, "one folder is wanted, where a capture "
				 "went");
	progress_signals();
	return cli_finish(cli, p2v_verify(cli, argv[optind], progress));
}

const struct cli_command cmd_verify = {
	.name = "verify",
	.run = verify_run,
	.synopsis = "verify [-p] DIR",
	.help =
"Read the captured disks in DIR and compare their content with the manifest.\n\n"
"  -p                     show the progress\n"
"  -q, --quiet            say nothing of disks that are right\n\n"
"Exit status: 0 all are right, 1 something could not be read, 2 wrong usage, 3\n"
"some disk is not what was captured.\n\n"
"Example:\n"
"  p2v verify /mnt/backup/web\n",
};
