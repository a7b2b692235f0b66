/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - vmm run: make a machine and run it until its guest ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/vmm/run.h"
#include "tools/vmm/vmm.h"
#include "vmm/boot/rom.h"

#define DEFAULT_MEMORY (512ull << 20)

int run_choose_accel(struct cli *cli, struct run *run)
{
	struct accel_report report = { .quality = ACCEL_ABSENT };
	const struct accel *accel;

	if (!strcmp(run->accel, "auto")) {
		accel = accel_auto(&report);
	} else {
		accel = accel_find(run->accel);
		if (accel)
			accel->probe(&report);
		else
			fail(&report.text, ENOTSUP, "this vmm has no "
			     "accelerator '%s'", run->accel);
		if (report.quality == ACCEL_ABSENT)
			accel = NULL;
	}
	run->config.accel = accel;
	run->config.emulated = report.quality == ACCEL_EMULATED;
	if (accel)
		return CLI_DONE;
	cli_error(cli, "%s; 'vmm accel' shows what there is",
		  report.text.text);
	return VMM_ERROR;
}

/* What only the software CPU can do chooses it, too. */
static int check_soft_only(struct cli *cli, struct run *run)
{
	const char *option = run->config.virtual_clock ? "--clock virtual" :
			     run->trace_path ? "--trace" : NULL;

	if (!option || !strcmp(run->accel, "soft"))
		return CLI_DONE;
	if (strcmp(run->accel, "auto"))
		return cli_bad(cli, "%s is possible with --accel soft alone: "
			       "KVM's guests run in the host's time, and "
			       "unseen", option);
	run->accel = "soft";
	return CLI_DONE;
}

static int open_trace(struct cli *cli, struct run *run)
{
	if (!run->trace_path)
		return CLI_DONE;
	run->config.trace = fopen(run->trace_path, "we");
	if (run->config.trace)
		return CLI_DONE;
	cli_error(cli, "cannot write '%s': %s", run->trace_path,
		  strerror(errno));
	return VMM_ERROR;
}

/* `status`, unless the trace is not all there. */
static int close_trace(struct cli *cli, struct run *run, int status)
{
	FILE *f = run->config.trace;
	bool failed;

	if (!f)
		return status;
	failed = ferror(f);
	if (!fclose(f) && !failed)
		return status;
	cli_error(cli, "could not write all of '%s'", run->trace_path);
	return VMM_ERROR;
}

/* Without a kernel firmware boots the disks. */
static int open_firmware(struct cli *cli, struct run *run)
{
	struct vm_boot *boot = &run->config.boot;
	struct err e = { "" };

	if (!boot->kernel && !boot->firmware) {
		if (rom_find(ROM_SEABIOS, &run->firmware, &e)) {
			cli_error(cli, "%s, or name a file with --firmware",
				  e.text);
			return VMM_ERROR;
		}
		boot->firmware = run->firmware;
	}
	if (run->config.screen &&
	    rom_find(ROM_VGABIOS, &run->vgabios, &e)) {
		cli_error(cli, "%s, or do without a screen: --screen none",
			  e.text);
		return VMM_ERROR;
	}
	run->config.vgabios = run->vgabios;
	if (!run->firmware_log)
		return CLI_DONE;
	run->config.debug_fd = open(run->firmware_log, O_WRONLY | O_CREAT |
				    O_TRUNC | O_CLOEXEC, 0666);
	if (run->config.debug_fd >= 0)
		return CLI_DONE;
	cli_error(cli, "cannot write '%s': %s", run->firmware_log,
		  strerror(errno));
	return VMM_ERROR;
}

static void close_firmware(struct run *run)
{
	if (run->config.debug_fd >= 0)
		close(run->config.debug_fd);
	free(run->firmware);
	free(run->vgabios);
}

static int open_port(struct cli *cli, struct run *run, const char *text,
		     const char *what, struct chardev **dev)
{
	struct err e = { "" };

	if (chardevs_add(&run->chardevs, text, dev, &e))
		return cli_bad(cli, "--%s: %s", what, e.text);
	if ((*dev)->path)
		sweeper_add(&run->sweeper, (*dev)->path);
	return CLI_DONE;
}

static int open_control(struct cli *cli, struct run *run)
{
	struct err e = { "" };

	if (control_open(run->control_path, &run->control, &e))
		return cli_bad(cli, "--control: %s", e.text);
	sweeper_add(&run->sweeper, run->control_path);
	return CLI_DONE;
}

static int open_gdb(struct cli *cli, struct run *run)
{
	struct err e = { "" };
	const char *path;

	if (gdb_open(run->gdb_host, &run->gdb, &path, &e))
		return cli_bad(cli, "--gdb: %s", e.text);
	if (path)
		sweeper_add(&run->sweeper, path);
	return CLI_DONE;
}

/* The host's ends of all ports, and who removes the sockets among them. */
static int open_ports(struct cli *cli, struct run *run)
{
	struct err e = { "" };
	int rc = CLI_DONE;

	for (unsigned i = 0; rc == CLI_DONE && i < run->n_serials; i++)
		rc = open_port(cli, run, run->serials[i], "serial",
			       &run->ports[i]);
	if (rc == CLI_DONE && run->console)
		rc = open_port(cli, run, run->console, "console",
			       &run->ports[RUN_MAX_SERIALS]);
	if (rc == CLI_DONE && run->control_path)
		rc = open_control(cli, run);
	if (rc == CLI_DONE && run->gdb_host)
		rc = open_gdb(cli, run);
	if (rc != CLI_DONE || !sweeper_start(&run->sweeper, &e))
		return rc;
	cli_error(cli, "%s", e.text);
	return VMM_ERROR;
}

int run_open_disks(struct cli *cli, struct run *run)
{
	int rc = CLI_DONE;

	for (unsigned i = 0; rc == CLI_DONE && i < run->n_disks; i++)
		rc = disk_open(cli, &run->disks[i], &run->images[i]);
	return rc;
}

int run_add_disks(struct cli *cli, struct run *run, struct vm *vm)
{
	struct err e = { "" };

	for (unsigned i = 0; i < run->n_disks; i++) {
		if (vm_add_disk(vm, run->images[i], &run->disks[i].how, &e)) {
			cli_error(cli, "cannot add the disk '%s': %s",
				  run->disks[i].file, e.text);
			return VMM_ERROR;
		}
		run->images[i] = NULL;
	}
	return CLI_DONE;
}

static int add_ports(struct run *run, struct vm *vm, struct err *e)
{
	struct chardev *console = run->ports[RUN_MAX_SERIALS];
	int rc = 0;

	for (unsigned i = 0; !rc && i < run->n_serials; i++) {
		rc = vm_add_serial(vm, &run->ports[i]->machine, e);
		if (rc)
			fail_prefix(e, rc, "cannot add the serial port '%s'",
				    run->serials[i]);
	}
	if (!rc && console) {
		rc = vm_add_console(vm, VM_BUS_PCI, &console->machine, e);
		if (rc)
			fail_prefix(e, rc, "cannot add the console '%s'",
				    run->console);
	}
	return rc;
}

int run_add_nets(struct run *run, struct vm *vm, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < run->n_nets; i++)
		rc = vm_add_net(vm, &run->nets[i], e);
	return rc;
}

static json_t *list_nets(const struct run *run, struct vm *vm)
{
	struct vm_net_host hosts[VM_NET_HOSTS];
	json_t *list = json_array();
	struct vm_net_info info;

	for (unsigned i = 0; i < run->n_nets; i++) {
		unsigned n = vm_net_hosts(vm, i, hosts);

		if (vm_net_info(vm, i, &info))
			net_put_json(list, info.mac, NULL, info.driver, hosts,
				     n);
	}
	return list;
}

/* Threads start here: it is too late to open anything. */
static int add_devices(struct cli *cli, struct run *run, struct vm *vm)
{
	struct err e = { "" };
	int rc = add_ports(run, vm, &e) ? VMM_ERROR : run_add_disks(cli, run, vm);

	if (rc == CLI_DONE &&
	    (run_add_nets(run, vm, &e) ||
	     (run->rng && vm_add_rng(vm, VM_BUS_PCI, &e)) ||
	     (run->balloon && vm_add_balloon(vm, VM_BUS_PCI, &e)) ||
	     (run->gdb && gdb_start(run->gdb, vm, &e)) ||
	     (run->control && control_start(run->control, vm,
					    run->sandbox.text, &e)) ||
	     chardevs_start(&run->chardevs, vm, &e)))
		rc = VMM_ERROR;
	if (*e.text)
		cli_error(cli, "%s", e.text);
	return rc;
}

/* Asked for by a signal: a shell is to see that. */
static int die_of(int sig)
{
	sigset_t set;

	fflush(stdout);
	signal(sig, SIG_DFL);
	raise(sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return VMM_ERROR;
}

/* What is not on the disk is lost, however well the guest ended. */
static int flush_disks(struct vm *vm, struct vm_result *result, struct err *e)
{
	int rc = vm_flush_disks(vm, e);

	if (rc)
		result->end = VM_FAILED;
	return rc;
}

static int run_machine(struct cli *cli, struct run *run)
{
	struct vm_result result = { .end = VM_FAILED };
	struct err e = { "" };
	struct vm *vm = NULL;
	int rc = 0, status;

	if (vm_new(&run->config, &vm, &e)) {
		cli_error(cli, "%s", e.text);
		return VMM_ERROR;
	}
	status = run_open_disks(cli, run);
	if (status == CLI_DONE)
		status = jail_enter(cli, run);
	if (status == CLI_DONE)
		status = add_devices(cli, run, vm);
	if (status == CLI_DONE) {
		rc = vm_run(vm, &result, &e);
		if (!rc)
			rc = flush_disks(vm, &result, &e);
		for (unsigned i = 0; i < run->n_disks; i++)
			vm_disk_stats(vm, i, &run->disks[i].stats);
		run->network = list_nets(run, vm);
	}
	/* The last bytes leave the machine when it goes, and the result comes
	 * after them.
	 */
	chardevs_forget(&run->chardevs);
	control_stop(run->control);
	gdb_stop(run->gdb);
	vm_free(vm);
	chardevs_stop(&run->chardevs);
	if (status == CLI_DONE)
		status = run_report(cli, run, &result, rc, &e);
	return status;
}

static int run_run(struct cli *cli, int argc, char **argv)
{
	struct run run = {
		.accel = "auto",
		.config = {
			.memory = DEFAULT_MEMORY, .cpu = CPU_HOST,
			.topology = { 1, 1, 1, 1 }, .debug_fd = -1,
		},
	};
	int status, caught;

	sandbox_note_inherited(&run.sandbox);
	chardevs_init(&run.chardevs);
	status = run_parse(cli, &run, argc, argv);
	if (status == CLI_DONE)
		status = check_soft_only(cli, &run);
	if (status == CLI_DONE)
		status = open_ports(cli, &run);
	if (status == CLI_DONE)
		status = open_trace(cli, &run);
	if (status == CLI_DONE)
		status = open_firmware(cli, &run);
	if (status == CLI_DONE) {
		cli_resolver_init(cli);
		status = run_choose_accel(cli, &run);
	}
	if (status == CLI_DONE)
		status = run_machine(cli, &run);
	control_close(run.control);
	gdb_close(run.gdb);
	status = close_trace(cli, &run, status);
	caught = run.chardevs.caught;
	chardevs_fini(&run.chardevs);
	for (unsigned i = 0; i < run.n_disks; i++) {
		img_close(run.images[i], NULL);
		disk_fini(&run.disks[i]);
	}
	json_decref(run.network);
	close_firmware(&run);
	sweeper_finish(&run.sweeper);
	return caught ? die_of(caught) : status;
}

const struct cli_command cmd_run = {
	.name = "run",
	.run = run_run,
	.synopsis = "run [--firmware FILE | --kernel FILE [--initrd FILE] "
		    "[--append TEXT]] [--disk FILE[,OPTION...]] [OPTIONS]",
	.help =
"Run a virtual machine until its guest ends.  Without a kernel, firmware boots\n"
"the first disk as a PC does.\n\n"
"  --firmware FILE        a BIOS image (default: SeaBIOS where its package put it)\n"
"  --firmware-log FILE    write what the firmware says at its debug port\n"
"  --kernel FILE          Linux (bzImage), an ELF file with a PVH entry, or a\n"
"                         multiboot kernel; may be compressed with gzip\n"
"  --initrd FILE          Linux's initramfs, or a module \"FILE ARGUMENTS\" of\n"
"                         a multiboot kernel, which may have several\n"
"  --append TEXT          the kernel's command line\n"
"  --memory SIZE          RAM of the guest (default 512M)\n"
"  --cpus N[,sockets=N][,cores=N][,threads=N]\n"
"                         its CPUs (default 1)\n"
"  --cpu MODEL            host (default), x86-64-v1, x86-64-v2 or x86-64-v3\n"
"  --accel auto|kvm|soft  what runs the guest's code (default auto)\n"
"  --disk FILE[,OPTION...]\n"
"                         an image of any format; several are possible:\n"
"      format=FMT         instead of guessing\n"
"      readonly           the guest cannot write\n"
"      overlay            what the guest writes is thrown away in the end\n"
"      serial=TEXT        the disk's name for the guest, at most 20 bytes\n"
"      bus=virtio-pci|virtio-mmio\n"
"      member=NAME        which disk of a package (ova)\n"
"  --serial HOST          a serial port; up to four (the first is stdio):\n"
"      stdio              the terminal; Ctrl-A X ends the machine\n"
"      file:PATH          written from its start\n"
"      unix:PATH          a socket for one client at a time; what comes\n"
"                         before the client waits for it (the last 64 KiB)\n"
"      null               nowhere\n"
"  --console HOST         a virtio console, as --serial\n"
"  --screen vga|none      a screen for 'vmm control PATH screendump' (default vga,\n"
"                         with --kernel none)\n"
"  --net peer[,OPTION...] a network card whose cable ends at a neighbour made for\n"
"                         it, without any network of this host's; up to 8:\n"
"      ask=ADDRESS        the neighbour asks who has this address (several are\n"
"                         possible), and the result says who has answered\n"
"      gw=ADDRESS         the neighbour's own IPv4 address\n"
"      mac=MAC            the card's (else 52:54:00:76:6d:01 and on)\n"
"      model=virtio, bus=virtio-pci|virtio-mmio\n"
"  --rng                  a source of random numbers\n"
"  --balloon              lets the host take memory back\n"
"  --control PATH         a socket at which 'vmm control' gives orders\n"
"  --gdb HOST             wait for GDB ('target remote ...') at unix:PATH, or at\n"
"                         :PORT on this host alone\n"
"  --clock host|virtual   virtual: time passes as instructions are executed,\n"
"                         so that a run repeats exactly (soft only)\n"
"  --trace FILE           write each block of code that is executed (soft only)\n"
"  --no-sandbox           to find out what the sandbox is in the way of\n"
"  --timeout SECONDS      end the machine after that time\n"
"  --no-reboot            end it when the guest asks for a reset\n"
"  --test-devices         isa-debug-exit and others that CPU tests expect\n"
"  --output human|json    json: the result on the last line of standard output\n"
"  --allow-external[=DIR] disks may use files in DIR, or anywhere\n"
"  --probe-backing        guess a backing file's format where none is stated\n"
"  -q, --quiet            do not say how the guest ended\n\n"
"Exit status: 0 powered off, 2 wrong usage, 4 rebooted (--no-reboot), 6 halted\n"
"for good, 8 triple fault (--no-reboot), 10 timed out, 12 the VMM failed, 14\n"
"ended by Ctrl-A X or 'vmm control PATH quit'; odd: the guest's, through isa-debug-exit.\n\n"
"Examples:\n"
"  vmm run --disk disk.qcow2,overlay\n"
"  vmm run --kernel vmlinuz --initrd initrd.img --append console=ttyS0 \\\n"
"      --disk disk.qcow2,overlay\n",
};
