/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_test.c - vmm boot-test: the command and its options. */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/vmm/boot_test.h"
#include "tools/vmm/vmm.h"
#include "vmm/boot/rom.h"

#define DEFAULT_MEMORY	(1ull << 30)
#define DEFAULT_TIMEOUT	(600ull * 1000000000)
#define MAX_IMAGES	10000u

enum {
	OPT_UNTIL = RUN_FIRST_OWN, OPT_SCREENSHOT, OPT_LOG, OPT_JUNIT, OPT_JOBS,
};

static int parse_text(struct cli *cli, struct boot_run *b, const char *text)
{
	regex_t compiled;
	char why[128];
	int rc = regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB);

	if (!*text)
		return cli_bad(cli, "--until text: needs a regular expression "
			       "behind it");
	if (rc) {
		regerror(rc, &compiled, why, sizeof(why));
		return cli_bad(cli, "--until text:%s is no extended regular "
			       "expression: %s", text, why);
	}
	regfree(&compiled);
	b->test.text = text;
	return CLI_DONE;
}

static int parse_until(struct cli *cli, struct boot_run *b, const char *text)
{
	if (!strncmp(text, "text:", 5))
		return parse_text(cli, b, text + 5);
	for (unsigned i = BOOT_FIRMWARE; i < BOOT_N_STAGES; i++)
		if (!strcmp(text, boot_stage_name((enum boot_stage)i))) {
			b->test.until = (enum boot_stage)i;
			b->test.text = NULL;
			return CLI_DONE;
		}
	return cli_bad(cli, "--until is '%s', must be firmware, loader, kernel, "
		       "root, init, login, poweroff or text:REGEX", text);
}

static int parse_jobs(struct cli *cli, struct boot_run *b, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > 1024)
		return cli_bad(cli, "--jobs is '%s', must be 1 to 1024", text);
	b->jobs = (unsigned)n;
	return CLI_DONE;
}

/* One more disk of the machine, never written either. */
static int add_disk(struct cli *cli, struct run *run, int c, char **argv)
{
	int rc = run_option(cli, run, c, argv);
	struct disk *d;

	if (rc != CLI_DONE)
		return rc;
	d = &run->disks[run->n_disks - 1];
	d->overlay = d->how.scratch = !d->how.readonly;
	return CLI_DONE;
}

static int take_option(struct cli *cli, struct boot_run *b, int c, char **argv)
{
	switch (c) {
	case 'f':
		b->format = optarg;
		return CLI_DONE;
	case OPT_UNTIL:
		return parse_until(cli, b, optarg);
	case RUN_DISK:
		return add_disk(cli, &b->run, c, argv);
	case OPT_SCREENSHOT:
		b->screenshot = optarg;
		return CLI_DONE;
	case OPT_LOG:
		b->log = optarg;
		return CLI_DONE;
	case OPT_JUNIT:
		b->junit = optarg;
		return CLI_DONE;
	case OPT_JOBS:
		return parse_jobs(cli, b, optarg);
	case RUN_CLOCK:
		b->clock_given = true;
		return run_option(cli, &b->run, c, argv);
	default:
		return run_option(cli, &b->run, c, argv);
	}
}

static int check_names(struct cli *cli, struct boot_run *b, int argc,
		       char **argv)
{
	b->names = argv + optind;
	b->n = (unsigned)(argc - optind);
	if (!b->n)
		return cli_usage(cli, "no image is given");
	if (b->n > MAX_IMAGES)
		return cli_bad(cli, "%u images, at most %u are possible at once",
			       b->n, MAX_IMAGES);
	if (b->n > 1 && b->run.n_disks)
		return cli_bad(cli, "--disk is possible with one image alone, "
			       "whose machine has it as well");
	if (b->n > 1 && (b->log || b->screenshot))
		return cli_bad(cli, "--log and --screenshot are possible with "
			       "one image alone");
	if (!b->run.screen || !strcmp(b->run.screen, "vga"))
		b->run.config.screen = VM_SCREEN_VGA;
	else if (b->screenshot)
		return cli_bad(cli, "--screenshot needs a screen");
	return CLI_DONE;
}

static int parse(struct cli *cli, struct boot_run *b, int argc, char **argv)
{
	static const struct option longs[] = {
		RUN_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "until", required_argument, NULL, OPT_UNTIL },
		{ "screenshot", required_argument, NULL, OPT_SCREENSHOT },
		{ "log", required_argument, NULL, OPT_LOG },
		{ "junit", required_argument, NULL, OPT_JUNIT },
		{ "jobs", required_argument, NULL, OPT_JOBS },
		{ 0 },
	};
	int c, rc;

	while ((c = getopt_long(argc, argv, ":hqf:", longs, NULL)) != -1) {
		rc = take_option(cli, b, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	return check_names(cli, b, argc, argv);
}

/* What is the same for all images, and goes wrong once. */
static int prepare(struct cli *cli, struct boot_run *b)
{
	struct vm_boot *boot = &b->run.config.boot;
	struct err e = { "" };
	size_t len;
	void *rom;
	int rc;

	if (b->run.config.virtual_clock && !strcmp(b->run.accel, "auto"))
		b->run.accel = "soft";
	cli_resolver_init(cli);
	rc = run_choose_accel(cli, &b->run);
	if (rc != CLI_DONE)
		return rc;
	if (b->run.config.accel != &accel_soft && b->run.config.virtual_clock)
		return cli_bad(cli, "--clock virtual is possible with --accel "
			       "soft alone");
	if (b->run.config.accel == &accel_soft && !b->clock_given)
		b->run.config.virtual_clock = true;
	if (!boot->firmware) {
		if (rom_find(ROM_SEABIOS, &b->run.firmware, &e)) {
			cli_error(cli, "%s, or name a file with --firmware",
				  e.text);
			return VMM_ERROR;
		}
		boot->firmware = b->run.firmware;
	}
	if (b->run.config.screen &&
	    rom_find(ROM_VGABIOS, &b->run.vgabios, &e)) {
		cli_error(cli, "%s, or do without a screen: --screen none",
			  e.text);
		return VMM_ERROR;
	}
	b->run.config.vgabios = b->run.vgabios;
	if (rom_read_bios(boot->firmware, &rom, &len, &e)) {
		cli_error(cli, "%s", e.text);
		return VMM_ERROR;
	}
	free(rom);
	return CLI_DONE;
}

/* What cannot be written is known before the tests; and the sandbox opens nothing. */
static int open_outputs(struct cli *cli, struct boot_run *b)
{
	struct err e;

	if (b->log)
		b->log_fd = open(b->log, O_WRONLY | O_CREAT | O_TRUNC |
				 O_CLOEXEC, 0666);
	if (b->log && b->log_fd < 0) {
		cli_error(cli, "cannot write '%s': %s", b->log,
			  strerror(errno));
		return VMM_ERROR;
	}
	if ((b->screenshot && output_open(&b->shot_file, b->screenshot, &e)) ||
	    (b->junit && output_open(&b->junit_file, b->junit, &e))) {
		cli_error(cli, "%s", e.text);
		return VMM_ERROR;
	}
	return CLI_DONE;
}

static int close_outputs(struct cli *cli, struct boot_run *b,
			 const struct boot_job *jobs)
{
	struct err e;
	int rc = CLI_DONE;

	if (b->junit && boot_test_junit(b, jobs, &e)) {
		cli_error(cli, "%s", e.text);
		rc = VMM_ERROR;
	}
	if (output_close(&b->shot_file, !jobs[0].failed, &e)) {
		cli_error(cli, "%s", e.text);
		rc = VMM_ERROR;
	}
	/* It has said why there is a verdict and no picture. */
	if (b->screenshot && jobs[0].failed && jobs[0].len)
		rc = VMM_ERROR;
	return rc;
}

static int test_all(struct cli *cli, struct boot_run *b)
{
	struct boot_job *jobs = calloc(b->n, sizeof(*jobs));
	int rc;

	if (!jobs) {
		cli_error(cli, "out of memory");
		return VMM_ERROR;
	}
	rc = boot_test_all(cli, b, jobs, boot_test_print);
	if (rc == CLI_DONE)
		rc = close_outputs(cli, b, jobs);
	if (rc == CLI_DONE) {
		rc = 0;
		for (unsigned i = 0; i < b->n; i++)
			if (!boot_test_passed(jobs[i].result))
				rc = VMM_NOT_PASSED;
	}
	for (unsigned i = 0; i < b->n; i++) {
		json_decref(jobs[i].result);
		free(jobs[i].text);
	}
	free(jobs);
	return cli_finish(cli, rc) == CLI_FAILED ? VMM_ERROR : rc;
}

static int boot_test_run(struct cli *cli, int argc, char **argv)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct boot_run b = {
		.run = {
			.accel = "auto",
			.config = {
				.memory = DEFAULT_MEMORY, .cpu = CPU_HOST,
				.topology = { 1, 1, 1, 1 }, .debug_fd = -1,
				.timeout = DEFAULT_TIMEOUT,
			},
		},
		.test = { .until = BOOT_LOGIN },
		.log_fd = -1,
		.jobs = cores > 0 ? (unsigned)cores : 1,
	};
	int rc;

	sandbox_note_inherited(&b.run.sandbox);
	rc = parse(cli, &b, argc, argv);
	b.test.nets = b.run.nets;
	b.test.n_nets = b.run.n_nets;
	if (rc == CLI_DONE)
		rc = prepare(cli, &b);
	if (rc == CLI_DONE)
		rc = open_outputs(cli, &b);
	if (rc == CLI_DONE)
		rc = test_all(cli, &b);
	for (unsigned i = 0; i < b.run.n_disks; i++)
		disk_fini(&b.run.disks[i]);
	output_close(&b.shot_file, false, NULL);
	output_close(&b.junit_file, false, NULL);
	free(b.run.firmware);
	free(b.run.vgabios);
	return rc;
}

const struct cli_command cmd_boot_test = {
	.name = "boot-test",
	.run = boot_test_run,
	.synopsis = "boot-test [--until STAGE] [OPTIONS] IMAGE...",
	.help =
"Boot disk images as they are, and say how far each of them came and why not\n"
"further.  Images are not written: what a guest writes is thrown away.\n\n"
"  --until STAGE          pass when this is reached (default login):\n"
"      firmware           firmware runs\n"
"      loader             the boot sector has read more of the disk\n"
"      kernel             a kernel runs: paging is on\n"
"      root               programs run and read the root file system\n"
"      init               the root's init is at work\n"
"      login              somebody can log in, or a systemd target for that\n"
"      poweroff           the guest powers off by itself, after root\n"
"      text:REGEX         a line of a console matches, from the loader on\n"
"  --timeout SECONDS      give up after that time of this host's (default 600)\n"
"  --memory SIZE          RAM of the guest (default 1G)\n"
"  --cpus N[,sockets=N][,cores=N][,threads=N]\n"
"                         its CPUs (default 1)\n"
"  --accel auto|kvm|soft  what runs the guest's code (default auto)\n"
"  --clock host|virtual   virtual (soft only, and its default): the verdict is the\n"
"                         same every time\n"
"  --firmware FILE        a BIOS image (default: SeaBIOS where its package put it)\n"
"  --disk FILE[,OPTION...] a further disk of the machine, not booted from, as in vmm\n"
"                         run (one image)\n"
"  --net peer,ask=ADDRESS[,OPTION...]\n"
"                         to pass, that address must answer, too; as in vmm run\n"
"  -f, --format FMT       of all images, instead of guessing\n"
"  --screen vga|none      its screen (default vga), whose words count, too\n"
"  --screenshot FILE      the screen at the end, as PNG (one image)\n"
"  --log FILE             what the guest sent to its serial port (one image)\n"
"  --jobs N               how many images at once (default: as many as cores)\n"
"  --output human|json    json: one object a line for each image\n"
"  --junit FILE           the results for CI systems, as XML\n"
"  --no-sandbox           to find out what the sandbox is in the way of\n"
"  --allow-external[=DIR] images may use files in DIR, or anywhere\n"
"  --probe-backing        guess a backing file's format where none is stated\n"
"  -q, --quiet            say nothing of images that pass\n\n"
"Exit status: 0 all passed, 2 wrong usage, 12 the VMM failed, 16 some image did\n"
"not pass.\n\n"
"Example:\n"
"  vmm boot-test --junit results.xml converted/*.qcow2\n",
};
