/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone.c - vclone clone: what the command line asks for. */
#include <stdlib.h>
#include <string.h>

#include "tools/vclone/clone.h"

enum {
	OPT_NAME = CLI_FIRST_MACHINE, OPT_HOSTNAME, OPT_LINKED, OPT_FULL, OPT_TO,
	OPT_FORMAT, OPT_START, OPT_SSH_KEY, OPT_USER, OPT_STATIC_IP,
	OPT_COPY_IN, OPT_ENABLE, OPT_DISABLE, OPT_LIST, OPT_RSA, OPT_REPLACE,
	OPT_VMID, OPT_STORAGE, OPT_BRIDGE,
};

/* What the library has a sentence for. */
static int told(struct cli *cli, int rc, const struct err *e)
{
	return rc ? cli_bad(cli, "%s", e->text) : CLI_DONE;
}

static int option_reset(struct cli *cli, struct clone_job *job, int opt)
{
	struct reset_wishes *w = &job->wishes;
	struct err e = { "" };

	switch (opt) {
	case OPT_SSH_KEY:
		return told(cli, reset_load_keys(w, optarg, &e), &e);
	case OPT_COPY_IN:
		return told(cli, reset_load_files(w, optarg, &e), &e);
	case OPT_STATIC_IP:
		w->has_address = true;
		return told(cli, address_wish_parse(optarg, &w->address, &e),
			    &e);
	case OPT_ENABLE:
	case OPT_DISABLE:
		return told(cli, reset_ops_change(&w->ops, optarg,
						  opt == OPT_ENABLE, &e), &e);
	case OPT_USER:
		w->user = optarg;
		return CLI_DONE;
	default:
		w->rsa = true;
		return CLI_DONE;
	}
}

static int option_target(struct cli *cli, struct clone_args *a, int opt)
{
	static const char *const targets[] = {
		"json", "libvirt", "proxmox", "vmm", NULL,
	};
	static const char *const formats[] = { "qcow2", "raw", NULL };

	switch (opt) {
	case OPT_TO:
		return cli_choice(cli, "--to", targets,
				  "json, libvirt, proxmox or vmm", &a->to);
	case OPT_FORMAT:
		return cli_choice(cli, "--output-format", formats,
				  "qcow2 or raw", &a->format);
	case OPT_VMID:
		return cli_number(cli, "--vmid", 100, 999999999,
				  &a->target.vmid);
	case OPT_STORAGE:
		a->target.storage = optarg;
		return CLI_DONE;
	default:
		a->target.bridge = optarg;
		return CLI_DONE;
	}
}

static int option_own(struct cli *cli, struct clone_job *job, int opt,
		      char **argv)
{
	struct clone_args *a = &job->args;

	switch (opt) {
	case 'o':
		a->dir = optarg;
		return CLI_DONE;
	case 'n':
		return cli_number(cli, "-n", 1, CLONE_MAX, &a->n);
	case OPT_START:
		return cli_number(cli, "--start", 0, 999999999, &a->first);
	case 'c':
		a->compress = true;
		return CLI_DONE;
	case 'p':
	case CLI_PROGRESS:
		return progress_option(cli, opt, &job->progress);
	case OPT_NAME:
		a->name = optarg;
		return CLI_DONE;
	case OPT_HOSTNAME:
		a->hostname = optarg;
		return CLI_DONE;
	case OPT_LINKED:
		a->linked = true;
		return CLI_DONE;
	case OPT_FULL:
		job->full = true;
		return CLI_DONE;
	case OPT_REPLACE:
		a->replace = true;
		return CLI_DONE;
	case OPT_TO:
	case OPT_FORMAT:
	case OPT_VMID:
	case OPT_STORAGE:
	case OPT_BRIDGE:
		return option_target(cli, a, opt);
	case OPT_SSH_KEY:
	case OPT_COPY_IN:
	case OPT_STATIC_IP:
	case OPT_ENABLE:
	case OPT_DISABLE:
	case OPT_USER:
	case OPT_RSA:
		return option_reset(cli, job, opt);
	default:
		return cli_machine_option(cli, &job->how, opt, argv);
	}
}

static int check(struct cli *cli, struct clone_job *job, int argc, char **argv)
{
	struct clone_args *a = &job->args;

	if (optind >= argc)
		return cli_usage(cli, "which machine? Name a description or "
				 "disk images");
	if (!a->dir)
		return cli_usage(cli, "where to? Name a folder with -o");
	if (a->linked && job->full)
		return cli_bad(cli, "--linked and --full exclude each other");
	if (a->linked && (a->format || a->compress))
		return cli_bad(cli, "--linked makes qcow2 overlays: it goes "
			       "without --output-format and -c");
	if (a->linked && cli->share)
		return cli_bad(cli, "linked clones need a base that nobody "
			       "writes: --linked goes without -U");
	if (a->compress && a->format && !strcmp(a->format, "raw"))
		return cli_bad(cli, "raw images cannot be compressed: -c goes "
			       "with qcow2");
	if (job->wishes.user && !job->wishes.authorized_keys)
		return cli_bad(cli, "--user says whose --ssh-key it is, which "
			       "is missing");
	if (!a->format)
		a->format = "qcow2";
	if (cli->quiet && job->progress == PROGRESS_HUMAN)
		job->progress = PROGRESS_NONE;
	a->wishes = &job->wishes;
	job->names = (const char *const *)argv + optind;
	job->n_names = (size_t)(argc - optind);
	return CLI_DONE;
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG_OPTIONS, CLI_MACHINE_OPTIONS,
		{ "out", required_argument, NULL, 'o' },
		{ "number", required_argument, NULL, 'n' },
		{ "start", required_argument, NULL, OPT_START },
		{ "name", required_argument, NULL, OPT_NAME },
		{ "hostname", required_argument, NULL, OPT_HOSTNAME },
		{ "linked", no_argument, NULL, OPT_LINKED },
		{ "full", no_argument, NULL, OPT_FULL },
		{ "to", required_argument, NULL, OPT_TO },
		{ "output-format", required_argument, NULL, OPT_FORMAT },
		{ "ssh-key", required_argument, NULL, OPT_SSH_KEY },
		{ "user", required_argument, NULL, OPT_USER },
		{ "static-ip", required_argument, NULL, OPT_STATIC_IP },
		{ "copy-in", required_argument, NULL, OPT_COPY_IN },
		{ "enable", required_argument, NULL, OPT_ENABLE },
		{ "disable", required_argument, NULL, OPT_DISABLE },
		{ "list-operations", no_argument, NULL, OPT_LIST },
		{ "rsa-host-key", no_argument, NULL, OPT_RSA },
		{ "replace", no_argument, NULL, OPT_REPLACE },
		{ "vmid", required_argument, NULL, OPT_VMID },
		{ "storage", required_argument, NULL, OPT_STORAGE },
		{ "bridge", required_argument, NULL, OPT_BRIDGE },
		{ "progress", required_argument, NULL, CLI_PROGRESS },
		{ 0 },
	};
	struct clone_job job = {
		.args = { .n = 1, .first = 1, .to = "json" },
		.wishes.ops = reset_ops_default(),
	};
	int opt, status = CLI_DONE;
	bool list = false;

	while (status == CLI_DONE &&
	       (opt = getopt_long(argc, argv, ":hqUf:o:n:cp", options, NULL)) !=
	       -1) {
		if (opt == OPT_LIST)
			list = true;
		else
			status = option_own(cli, &job, opt, argv);
	}
	if (status == CLI_DONE && list)
		status = clone_list_operations(cli);
	else if (status == CLI_DONE)
		status = check(cli, &job, argc, argv);
	if (status == CLI_DONE)
		status = clone_job_run(cli, &job);
	reset_wishes_fini(&job.wishes);
	return status;
}

const struct cli_command cmd_clone = {
	.name = "clone",
	.run = run,
	.synopsis = "clone -o DIR [-n N] [--linked|--full] [OPTIONS] SOURCE",
	.help =
"Make clones of a machine that is switched off: disks of their own, new MACs and\n"
"UUIDs, and an identity of their own in the guest, which is not run.  All files\n"
"appear in DIR together, when they are complete.  The source is not written.\n\n"
"  -o, --out DIR          where to; made if it is missing\n"
"  -n, --number N         how many (default 1)\n"
"  --name TEMPLATE        the clones' names, with %d or %02d for the number\n"
"                         (default NAME-clone, NAME-%d)\n"
"  --start N              the first number (default 1)\n"
"  --linked               overlays on the source's disks, which become read-only\n"
"                         and must stay as they are ('vclone rm-check')\n"
"  --full                 disks that stand alone (default)\n"
"  --output-format qcow2|raw, -c\n"
"                         of --full: the format; compressed\n"
"  --to json|libvirt|proxmox|vmm\n"
"                         whose description (default json)\n"
"  --hostname TEMPLATE    host names (default: made of the clone's name)\n"
"  --ssh-key FILE         public keys that may log in as root or --user\n"
"  --user NAME            ... as this user of the guest\n"
"  --static-ip ADDR[/LEN][,gw=ADDR][,if=NAME]\n"
"                         in place of the guest's static address; counts up\n"
"  --copy-in LOCAL:PATH   put a file or folder into the guest\n"
"  --rsa-host-key         make an RSA host key besides Ed25519 and ECDSA\n"
"  --enable OP,..., --disable OP,...\n"
"                         operations ('all': each of them), in this order\n"
"  --list-operations      which there are, and which are on\n"
"  --replace              files in DIR may be replaced\n"
"  --vmid N, --storage NAME, --bridge NAME\n"
"                         for proxmox (default 100, local-lvm, vmbr0)\n"
"  --input KIND           what SOURCE is: vmx, ovf, ova, libvirt, json or disk\n"
"                         (default: by its name)\n"
"  -f, --format FMT       of disk images, instead of guessing\n"
"  --system NAME          which machine of a package of several\n"
"  --allow-external[=DIR] a description's disks may lie in DIR, or anywhere\n"
"  -U, --force-share      of --full: also if another process has the disks open\n"
"  -p, --progress human|json\n"
"                         show how far it is (-p: human)\n"
"  --output human|json    json: what was made, with all edits\n"
"  -q, --quiet            say nothing but errors\n\n"
"Exit status: 0 done, 1 failed, 2 wrong usage, 3 the machine must not be cloned as\n"
"it is (the reason and what to do are said).\n\n"
"Examples:\n"
"  vclone golden.qcow2 -o clones -n 10 --linked --name web-%02d\n"
"  vclone guest.xml -o copy --to libvirt --static-ip 192.0.2.20/24 \\\n"
"        --ssh-key ~/.ssh/id_ed25519.pub\n",
};
