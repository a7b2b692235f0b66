/* SPDX-License-Identifier: GPL-2.0-or-later */
/* audit.c - vclone audit: what do two machines share? */
#include "clone/audit.h"

#include <stdio.h>

#include "tools/cli/json.h"
#include "tools/vclone/vclone.h"

static int print(struct cli *cli, const struct audit_facts *a,
		 const struct audit_facts *b)
{
	json_t *root = json_object(), *list = json_array();
	const struct audit_fact *f;
	unsigned bad = 0, kept = 0;

	for (size_t at = 0; (f = audit_shared(a, b, &at));) {
		const char *name = audit_kind_name(f->kind);
		bool is_kept = f->kind >= AUDIT_FIRST_KEPT;
		json_t *o;

		bad += !is_kept;
		kept += is_kept;
		if (!cli->json) {
			cli_line("%s %s: %s (%s): %s", is_kept ? "  " : "! ",
				 name, f->value, f->where,
				 audit_kind_harm(f->kind));
			continue;
		}
		o = json_object();
		json_put_string(o, "kind", name);
		json_put_bool(o, "must-differ", !is_kept);
		json_put_string(o, "value", f->value);
		json_put_string(o, "where", f->where);
		json_put_string(o, "harm", audit_kind_harm(f->kind));
		json_array_append_new(list, o);
	}
	json_object_set_new(root, "shared", list);
	json_put_size(root, "must-differ", bad);
	json_put_size(root, "kept", kept);
	if (cli->json)
		return json_print(cli, root, bad ? VCLONE_REFUSED : 0);
	json_decref(root);
	cli_line("%u shared that must differ, %u that clones keep.", bad, kept);
	return cli_finish(cli, bad ? VCLONE_REFUSED : 0);
}

static int gather(struct cli *cli, const struct cli_machine *how,
		  const char *name, struct audit_facts *out)
{
	struct err e = { "" };
	struct source s;
	int status = cli_machine_open(cli, how, &name, 1, 0, &s);

	if (status != CLI_DONE)
		return status;
	if (!s.guest || !s.guest->tree)
		cli_error(cli, "%s: no guest that could be read: only the "
			  "description and the disks are compared", name);
	if (audit_gather(&s, out, &e)) {
		cli_error(cli, "%s: %s", name, e.text);
		status = CLI_FAILED;
	}
	source_close(&s);
	return status;
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG_OPTIONS, CLI_MACHINE_OPTIONS, { 0 },
	};
	struct audit_facts a = { 0 }, b = { 0 };
	struct cli_machine how = { 0 };
	int c, status;

	while ((c = getopt_long(argc, argv, ":hqUf:", options, NULL)) != -1) {
		status = cli_machine_option(cli, &how, c, argv);
		if (status != CLI_DONE)
			return status;
	}
	if (optind + 2 != argc)
		return cli_usage(cli, "name two machines, each by its "
				 "description or disk image");
	status = gather(cli, &how, argv[optind], &a);
	if (status == CLI_DONE)
		status = gather(cli, &how, argv[optind + 1], &b);
	if (status == CLI_DONE)
		status = print(cli, &a, &b);
	audit_facts_fini(&a);
	audit_facts_fini(&b);
	return status;
}

const struct cli_command cmd_audit = {
	.name = "audit",
	.run = run,
	.synopsis = "audit [--output human|json] A B",
	.help =
"Say what two machines share of what identifies a machine: UUIDs, MACs, machine-id,\n"
"SSH host keys, host name, addresses, DHCP's ids, random seeds; and, marked as what\n"
"clones keep, the ids of disks, partitions and file systems.  Nothing is written.\n\n"
"  --input KIND           what A and B are: vmx, ovf, ova, libvirt, json or disk\n"
"                         (default: by their names)\n"
"  -f, --format FMT       of disk images, instead of guessing\n"
"  --system NAME          which machine of a package of several\n"
"  --allow-external[=DIR] disks and backing files may lie in DIR, or anywhere\n"
"  -U, --force-share      also if another process has the disks open\n"
"  --output human|json\n\n"
"Exit status: 0 they share nothing that must differ, 1 failed, 2 wrong usage, 3 they\n"
"do.\n\n"
"Example:\n"
"  vclone audit --allow-external=. golden.qcow2 clones/web-01-disk1.qcow2\n",
};
