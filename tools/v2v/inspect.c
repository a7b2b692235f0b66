/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inspect.c - v2v inspect: what a machine is. */
#include <stdio.h>

#include "tools/cli/json.h"
#include "tools/v2v/v2v.h"

static void print_machine(const struct machine *m)
{
	char size[SIZE_TEXT_LEN], mac[MACHINE_MAC_LEN];

	cli_line("machine: %s (%s%s%s)", m->name ? m->name : "without a name",
		 m->source_format, m->hypervisor ? ", from " : "",
		 m->hypervisor ? m->hypervisor : "");
	cli_line("CPUs: %u", m->n_cpus);
	cli_line("memory: %s", m->memory ? size_text(m->memory, size)
					  : "not said");
	cli_line("firmware: %s", m->firmware == FIRMWARE_UEFI ? "UEFI" : "BIOS");
	for (size_t i = 0; i < m->n_nics; i++) {
		const struct machine_nic *n = &m->nics[i];

		cli_line("network card %zu: %s, %s, %s '%s'", i + 1,
		       n->model ? n->model : "any model",
		       n->has_mac ? machine_mac_text(n->mac, mac)
				  : "no address",
		       machine_nic_kind_name(n->kind),
		       n->network ? n->network : "");
	}
	for (size_t i = 0; i < m->notes.n; i++)
		cli_line("note: %s", m->notes.list[i].text);
}

static void print_disks(const struct source *s)
{
	char size[SIZE_TEXT_LEN], name[VOLUME_NAME_LEN];

	for (size_t i = 0; i < s->n_disks; i++) {
		const struct machine_disk *d =
			&s->machine.disks[s->disks[i].index];

		cli_line("disk %zu: %s, %s, %s%s%s", i + 1, s->disks[i].name,
		       s->disks[i].format,
		       size_text(img_size(s->imgs[i]), size),
		       d->bus == BUS_NONE ? "" : ", on ",
		       d->bus == BUS_NONE ? "" : d->controller ? d->controller
		       : machine_bus_name(d->bus));
	}
	for (size_t i = 0; i < s->volumes.n; i++) {
		const struct volume *v = &s->volumes.list[i];

		cli_line("  %s: %s, %s%s%s%s%s", volume_name(v, name),
		       size_text(v->len, size),
		       *v->id->type ? v->id->type : "unknown",
		       *v->id->label ? ", label " : "", v->id->label,
		       *v->id->uuid ? ", UUID " : "", v->id->uuid);
	}
}

static void print_iface(const struct linux_iface *f)
{
	cli_line("network: %s by %s%s%s%s%s%s (%s)",
		 *f->name ? f->name : "any card", f->manager,
		 *f->mac ? ", card " : "", f->mac, f->dhcp ? ", DHCP" : "",
		 *f->gateway ? ", gateway " : "", f->gateway, f->file);
	for (size_t i = 0; i < f->n_addresses; i++)
		cli_line("  address %s", f->addresses[i]);
}

static void print_guest(const struct linux_guest *g)
{
	if (!g->tree)
		return;
	cli_line("guest: %s", *g->pretty_name ? g->pretty_name : *g->id ? g->id
	       : "a Linux system");
	cli_line("host name: %s", g->hostname);
	cli_line("architecture: %s", g->arch);
	for (size_t i = 0; i < g->n_kernels; i++) {
		const struct linux_kernel *k = &g->kernels[i];

		cli_line("kernel: %s%s%s%s%s%s", k->version,
		       k->is_default ? ", the default" : "",
		       *k->generator ? ", initramfs by " : "", k->generator,
		       k->initrd ? "" : ", no initramfs", k->needs_splice ?
		       ", lacks virtio's drivers" : "");
	}
	for (size_t i = 0; i < g->n_ifaces; i++)
		print_iface(&g->ifaces[i]);
	for (size_t i = 0; i < g->n_tools; i++)
		cli_line("tools: %s%s%s%s%s", g->tools[i].name,
			 *g->tools[i].unit ? " (" : "", g->tools[i].unit,
			 *g->tools[i].unit ? ")" : "",
			 g->tools[i].enabled ? "" : ", off");
	for (size_t i = 0; i < g->n_notes; i++)
		cli_line("note: %s", g->notes[i]);
}

static int print_human(struct cli *cli, const struct source *s)
{
	const struct linux_refusal *r;

	print_machine(&s->machine);
	print_disks(s);
	if (s->guest)
		print_guest(s->guest);
	for (size_t i = 0; (r = source_refusal(s, i)); i++)
		cli_line("refused: %s: %s %s", r->code, r->why, r->fix);
	if (!source_refusal(s, 0))
		cli_line("It can be converted.");
	return cli_finish(cli, 0);
}

static int run(struct cli *cli, int argc, char **argv)
{
	static const struct option options[] = {
		CLI_LONG_OPTIONS, CLI_MACHINE_OPTIONS, { 0 },
	};
	struct v2v_args a = { 0 };
	struct source s;
	int c, status;

	while ((c = getopt_long(argc, argv, ":hqUf:", options, NULL)) != -1) {
		status = v2v_option(cli, &a, c, argv);
		if (status != CLI_DONE)
			return status;
	}
	status = v2v_names(cli, &a, argc, argv);
	if (status == CLI_DONE)
		status = v2v_open(cli, &a, 0, &s);
	if (status != CLI_DONE)
		return status;
	status = cli->json ? json_print(cli, v2v_source_json(&s), 0)
		 : print_human(cli, &s);
	source_close(&s);
	return status;
}

const struct cli_command cmd_inspect = {
	.name = "inspect",
	.run = run,
	.synopsis = "inspect [--output json] SOURCE",
	.help =
"Say what a machine is: its hardware, its disks and what is on them, the Linux\n"
"system, its kernels and network, and whether it can be converted.  Nothing of the\n"
"guest is run, and nothing is written.\n\n"
"  --input KIND           what SOURCE is: vmx, ovf, ova, libvirt, json or disk\n"
"                         (default: by its name)\n"
"  -f, --format FMT       of disk images, instead of guessing\n"
"  --system NAME          which machine of a package of several\n"
"  --allow-external[=DIR] a description's disks may lie in DIR, or anywhere\n"
"  -U, --force-share      also if another process has the disks open\n"
"  --output human|json\n\n"
"Exit status: 0 done (also for a machine that cannot be converted), 1 failed,\n"
"2 wrong usage.\n\n"
"Examples:\n"
"  v2v inspect guest.vmx\n"
"  v2v inspect --output json sda.qcow2 sdb.qcow2\n",
};
