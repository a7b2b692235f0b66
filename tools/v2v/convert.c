/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert.c - v2v convert: what the command line asks for. */
#include <stdlib.h>
#include <string.h>

#include "tools/v2v/convert.h"

enum {
	OPT_TO = V2V_FIRST_OWN, OPT_NAME, OPT_NO_COPY, OPT_NO_BOOT_TEST,
	OPT_KEEP, OPT_REPLACE, OPT_TIMEOUT, OPT_VMID, OPT_STORAGE, OPT_BRIDGE,
	OPT_FORMAT,
};

#define MAX_SECONDS 1000000u

static int option_own(struct cli *cli, struct convert *c, int opt, char **argv)
{
	static const char *const targets[] = {
		"libvirt", "proxmox", "ova", "vmm", NULL,
	};
	static const char *const formats[] = { "qcow2", "raw", NULL };

	switch (opt) {
	case 'o':
		c->dir = optarg;
		return CLI_DONE;
	case 'c':
		c->compress = true;
		return CLI_DONE;
	case 'p':
	case CLI_PROGRESS:
		return progress_option(cli, opt, &c->progress);
	case OPT_TO:
		return cli_choice(cli, "--to", targets,
				  "libvirt, proxmox, ova or vmm", &c->to);
	case OPT_FORMAT:
		return cli_choice(cli, "--output-format", formats,
				  "qcow2 or raw", &c->format);
	case OPT_NAME:
		c->name = optarg;
		return CLI_DONE;
	case OPT_NO_COPY:
		c->no_copy = true;
		return CLI_DONE;
	case OPT_NO_BOOT_TEST:
		c->no_boot_test = true;
		return CLI_DONE;
	case OPT_KEEP:
		c->keep_unproved = true;
		return CLI_DONE;
	case OPT_REPLACE:
		c->replace = true;
		return CLI_DONE;
	case OPT_TIMEOUT:
		return cli_number(cli, "--boot-timeout", 1, MAX_SECONDS,
				  &c->boot_timeout);
	case OPT_VMID:
		return cli_number(cli, "--vmid", 100, 999999999,
				  &c->target.vmid);
	case OPT_STORAGE:
		c->target.storage = optarg;
		return CLI_DONE;
	case OPT_BRIDGE:
		c->target.bridge = optarg;
		return CLI_DONE;
	default:
		return v2v_option(cli, &c->source, opt, argv);
	}
}

static int check(struct cli *cli, struct convert *c)
{
	if (!c->dir)
		return cli_usage(cli, "where to? Name a folder with -o");
	if (!c->to)
		return cli_usage(cli, "--to is missing: libvirt, proxmox, ova "
				 "or vmm");
	if (!strcmp(c->to, "ova") && (c->format || c->no_copy || c->compress))
		return cli_bad(cli, "the disks of an OVA are stream-optimized "
			       "VMDKs: --to ova goes without --output-format, "
			       "--no-copy and -c");
	if (c->no_copy && (c->format || c->compress))
		return cli_bad(cli, "--no-copy leaves a qcow2 overlay on the "
			       "source: it goes without --output-format and "
			       "-c");
	if (c->compress && c->format && !strcmp(c->format, "raw"))
		return cli_bad(cli, "raw images cannot be compressed: -c goes "
			       "with qcow2");
	if (c->name && (!*c->name || strchr(c->name, '/')))
		return cli_bad(cli, "--name is '%s', must be a name without a "
			       "slash", c->name);
	if (!c->format)
		c->format = !strcmp(c->to, "ova") ? "vmdk" : "qcow2";
	if (cli->quiet && c->progress == PROGRESS_HUMAN)
		c->progress = PROGRESS_NONE;
	return CLI_DONE;
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG_OPTIONS, CLI_MACHINE_OPTIONS, V2V_PLAN_OPTIONS,
		{ "out", required_argument, NULL, 'o' },
		{ "to", required_argument, NULL, OPT_TO },
		{ "name", required_argument, NULL, OPT_NAME },
		{ "output-format", required_argument, NULL, OPT_FORMAT },
		{ "no-copy", no_argument, NULL, OPT_NO_COPY },
		{ "no-boot-test", no_argument, NULL, OPT_NO_BOOT_TEST },
		{ "keep-unproved", no_argument, NULL, OPT_KEEP },
		{ "replace", no_argument, NULL, OPT_REPLACE },
		{ "boot-timeout", required_argument, NULL, OPT_TIMEOUT },
		{ "vmid", required_argument, NULL, OPT_VMID },
		{ "storage", required_argument, NULL, OPT_STORAGE },
		{ "bridge", required_argument, NULL, OPT_BRIDGE },
		{ "progress", required_argument, NULL, CLI_PROGRESS },
		{ 0 },
	};
	struct convert c = { 0 };
	int opt, status;

	while ((opt = getopt_long(argc, argv, ":hqUf:o:cp", options, NULL)) !=
	       -1) {
		status = option_own(cli, &c, opt, argv);
		if (status != CLI_DONE)
			return status;
	}
	status = check(cli, &c);
	if (status == CLI_DONE)
		status = v2v_names(cli, &c.source, argc, argv);
	return status == CLI_DONE ? convert_run(cli, &c) : status;
}

const struct cli_command cmd_convert = {
	.name = "convert",
	.run = run,
	.synopsis = "convert -o DIR --to libvirt|proxmox|ova|vmm [OPTIONS] "
		    "SOURCE",
	.help =
"Make a machine for KVM of one from elsewhere: its disks with what the guest needs\n"
"to find them on virtio, its description for the target, and the proof that it\n"
"boots.  The source is never written, and nothing of the guest is run but in the\n"
"proof.  All files appear in DIR together, when they are complete.\n\n"
"  -o, --out DIR          where to; made if it is missing\n"
"  --to TARGET            whose description: libvirt, proxmox, ova or vmm\n"
"  --name NAME            the machine's new name (default: as it is)\n"
"  --output-format qcow2|raw\n"
"                         of the disks (default qcow2; vmdk in an OVA)\n"
"  -c                     compress the disks\n"
"  --no-copy              leave an overlay on the source, which must stay as it is\n"
"  --serial-console       add a console on the serial port where there is none\n"
"  --keep-tools           leave the services of other hypervisors on\n"
"  --no-boot-test         do not prove that it boots\n"
"  --boot-timeout SECONDS give up the boot test after that time (default 600)\n"
"  --keep-unproved        put the files in their place even if it does not boot\n"
"  --replace              files in DIR may be replaced\n"
"  --vmid N, --storage NAME, --bridge NAME\n"
"                         for proxmox (default 100, local-lvm, vmbr0)\n"
"  --input KIND           what SOURCE is: vmx, ovf, ova, libvirt, json or disk\n"
"                         (default: by its name)\n"
"  -f, --format FMT       of disk images, instead of guessing\n"
"  --system NAME          which machine of a package of several\n"
"  --allow-external[=DIR] a description's disks may lie in DIR, or anywhere\n"
"  -U, --force-share      also if another process has the disks open\n"
"  -p, --progress human|json\n"
"                         show how far it is (-p: human)\n"
"  --output human|json    json: the report, which also is in NAME.report.json\n"
"  -q, --quiet            say nothing but errors\n\n"
"Exit status: 0 converted, and seen to boot; 1 failed; 2 wrong usage; 3 the machine\n"
"must not be converted as it is (the reason and what to do are said); 4 it does not\n"
"boot (NAME.report.json, NAME.boot.log and NAME.png in DIR tell why).\n\n"
"Examples:\n"
"  v2v convert -p guest.ova -o converted --to libvirt\n"
"  v2v convert sda.vmdk sdb.vmdk -o /srv/vm --to proxmox --vmid 120\n",
};
