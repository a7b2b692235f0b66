/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_test_one.c - test one image, in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/vmm/boot_test.h"
#include "tools/vmm/vmm.h"
#include "vmm/screen/screen.h"

static int write_all(int fd, const char *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, bytes + done, len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The result goes to the first process, all of it or what is left to tell. */
static int send_result(json_t *result, int fd)
{
	char *text = json_dumps(result, JSON_COMPACT);
	bool ok = text && !write_all(fd, text, strlen(text));

	free(text);
	json_decref(result);
	return ok ? 0 : VMM_ERROR;
}

/* What the sandbox will not let us open. */
static int open_output(struct cli *cli, const char *name, int *fd)
{
	*fd = -1;
	if (!name)
		return CLI_DONE;
	*fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (*fd >= 0)
		return CLI_DONE;
	cli_error(cli, "cannot write '%s': %s", name, strerror(errno));
	return VMM_ERROR;
}

static int shoot(struct vm *vm, int fd, struct err *e)
{
	struct screen_image image;
	size_t len;
	void *png;
	int rc;

	rc = vm_screen_image(vm, &image, e);
	if (rc)
		return rc;
	rc = screen_png(&image, &png, &len, e);
	free(image.rgb);
	if (rc)
		return rc;
	rc = write_all(fd, png, len);
	free(png);
	return rc ? fail_rc(e, rc, "writing the screenshot") : 0;
}

static int open_image(struct cli *cli, const struct boot_run *b,
		      const char *name, struct disk *disk, struct img **img)
{
	disk->overlay = true;
	disk->file = strdup(name);
	if (!disk->file ||
	    (b->format && options_set(&disk->options, "format", b->format))) {
		cli_error(cli, "out of memory");
		return VMM_ERROR;
	}
	return disk_open(cli, disk, img);
}

/* Devices, and the run; the machine has *img from here on. */
static int run_test(struct cli *cli, struct vm *vm, struct run *run, struct img **img,
		    struct boot_test *test, int log, int shot,
		    struct boot_verdict *v, struct err *e)
{
	const struct vm_chardev serial = { .in = -1, .out = log };
	const struct vm_disk disk = { .bus = VM_BUS_PCI, .serial = "boot-test" };
	struct vm_result result = { .end = VM_FAILED };
	struct vm_disk_stats stats = { 0 };
	int rc;

	rc = vm_add_disk(vm, *img, &disk, e);
	if (!rc)
		*img = NULL;
	if (!rc && run_add_disks(cli, run, vm) != CLI_DONE)
		rc = fail(e, EIO, "the further disks cannot be had");
	if (!rc)
		rc = vm_add_serial(vm, &serial, e);
	if (!rc)
		rc = vm_add_rng(vm, VM_BUS_PCI, e);
	if (!rc)
		rc = run_add_nets(run, vm, e);
	if (rc)
		return rc;
	boot_test_begin(test, vm);
	rc = vm_run(vm, &result, e);
	vm_disk_stats(vm, 0, &stats);
	boot_test_judge(test, &result, rc, e, &stats, v);
	return shot < 0 ? 0 : shoot(vm, shot, e);
}

static int run_machine(struct cli *cli, struct boot_run *b,
		       struct boot_test *test, struct img **img, int log,
		       int shot, struct boot_verdict *v)
{
	struct err e = { "" };
	struct vm *vm = NULL;
	int rc;

	b->run.config.watch = boot_test_watch(test);
	if (vm_new(&b->run.config, &vm, &e)) {
		cli_error(cli, "%s", e.text);
		return VMM_ERROR;
	}
	rc = jail_enter(cli, &b->run);
	if (rc == CLI_DONE &&
	    run_test(cli, vm, &b->run, img, test, log, shot, v, &e)) {
		cli_error(cli, "%s", e.text);
		rc = VMM_ERROR;
	}
	vm_free(vm);
	return rc;
}

int boot_test_one(struct cli *cli, struct boot_run *b, const char *name, int fd)
{
	struct boot_verdict *v = calloc(1, sizeof(*v));
	struct boot_test *test = NULL;
	struct disk disk = { 0 };
	struct err e = { "" };
	struct img *img = NULL;
	int rc, log = -1, shot = -1;

	rc = v ? open_image(cli, b, name, &disk, &img) : VMM_ERROR;
	if (rc == CLI_DONE)
		rc = run_open_disks(cli, &b->run);
	if (rc == CLI_DONE)
		rc = open_output(cli, b->log, &log);
	if (rc == CLI_DONE)
		rc = open_output(cli, b->screenshot, &shot);
	if (rc == CLI_DONE && boot_test_new(&b->test, img, &test, &e)) {
		cli_error(cli, "%s", e.text);
		rc = VMM_ERROR;
	}
	if (rc == CLI_DONE)
		rc = run_machine(cli, b, test, &img, log, shot, v);
	if (rc == CLI_DONE)
		rc = send_result(boot_verdict_json(b, name, disk.format, v),
				 fd);
	img_close(img, NULL);
	for (unsigned i = 0; i < b->run.n_disks; i++)
		img_close(b->run.images[i], NULL);
	disk_fini(&disk);
	boot_test_free(test);
	free(v);
	return rc;
}
