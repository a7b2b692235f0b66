/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_test_one.c - test one image, in a process of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmm/boot_test.h"
#include "tools/vmm/vmm.h"
#include "vmm/screen/screen.h"

/* The result goes to the first process, all of it or what is left to tell. */
static int send_result(json_t *result, int fd)
{
	struct output pipe = { .path = "pipe", .fd = fd };
	char *text = json_dumps(result, JSON_COMPACT);
	struct err e;
	bool ok = text && !output_write(&pipe, text, strlen(text), &e);

	free(text);
	json_decref(result);
	return ok ? CLI_DONE : VMM_ERROR;
}

static int shoot(struct vm *vm, struct output *out, struct err *e)
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
	rc = output_write(out, png, len, e);
	free(png);
	return rc;
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
static int run_test(struct cli *cli, struct vm *vm, struct boot_run *b,
		    struct img **img, struct boot_test *test,
		    struct boot_verdict *v, struct err *e)
{
	const struct vm_chardev serial = { .in = -1, .out = b->log_fd };
	const struct vm_disk disk = { .bus = VM_BUS_PCI, .serial = "boot-test" };
	struct vm_result result = { .end = VM_FAILED };
	struct vm_disk_stats stats = { 0 };
	int rc;

	rc = vm_add_disk(vm, *img, &disk, e);
	if (!rc)
		*img = NULL;
	if (!rc && run_add_disks(cli, &b->run, vm) != CLI_DONE)
		rc = fail(e, EIO, "the further disks cannot be had");
	if (!rc)
		rc = vm_add_serial(vm, &serial, e);
	if (!rc)
		rc = vm_add_rng(vm, VM_BUS_PCI, e);
	if (!rc)
		rc = run_add_nets(&b->run, vm, e);
	if (rc)
		return rc;
	boot_test_begin(test, vm);
	rc = vm_run(vm, &result, e);
	vm_disk_stats(vm, 0, &stats);
	boot_test_judge(test, &result, rc, e, &stats, v);
	return 0;
}

/* The verdict, and what it is about. */
static json_t *result_json(const struct boot_run *b, const char *name,
			   const struct disk *disk, struct boot_files *files,
			   const struct boot_verdict *v)
{
	json_t *o = boot_verdict_json(b, name, disk->format, v);

	json_object_set(o, "files", files->list);
	return o;
}

/* The picture may fail, and there is a verdict. */
static int run_machine(struct cli *cli, struct boot_run *b, const char *name,
		       struct disk *disk, struct boot_files *files,
		       struct img **img, int fd)
{
	struct boot_verdict *v = calloc(1, sizeof(*v));
	struct boot_test *test = NULL;
	struct err e = { "" };
	struct vm *vm = NULL;
	int rc = v ? CLI_DONE : VMM_ERROR;

	if (rc == CLI_DONE && boot_test_new(&b->test, *img, &test, &e))
		rc = VMM_ERROR;
	b->run.config.watch = test ? boot_test_watch(test) : NULL;
	if (rc == CLI_DONE && vm_new(&b->run.config, &vm, &e))
		rc = VMM_ERROR;
	if (rc == CLI_DONE)
		rc = jail_enter(cli, &b->run);
	if (rc == CLI_DONE && run_test(cli, vm, b, img, test, v, &e))
		rc = VMM_ERROR;
	if (rc == CLI_DONE)
		rc = send_result(result_json(b, name, disk, files, v), fd);
	if (rc == CLI_DONE && b->screenshot && shoot(vm, &b->shot_file, &e))
		rc = VMM_ERROR;
	if (e.text[0])
		cli_error(cli, "%s", e.text);
	vm_free(vm);
	boot_test_free(test);
	free(v);
	return rc;
}

/* The image and the further disks. */
static int open_all(struct cli *cli, struct boot_run *b, const char *name,
		    struct boot_files *files, struct disk *disk,
		    struct img **img)
{
	int rc;

	boot_files_add(files, name);
	for (unsigned i = 0; i < b->run.n_disks; i++)
		boot_files_add(files, b->run.disks[i].file);
	rc = open_image(cli, b, name, disk, img);
	if (rc == CLI_DONE)
		rc = run_open_disks(cli, &b->run);
	if (rc != CLI_DONE)
		return rc;
	boot_files_add_image(files, *img);
	for (unsigned i = 0; i < b->run.n_disks; i++)
		boot_files_add_image(files, b->run.images[i]);
	return rc;
}

int boot_test_one(struct cli *cli, struct boot_run *b, const char *name, int fd)
{
	struct boot_files files;
	struct disk disk = { 0 };
	struct img *img = NULL;
	int rc;

	boot_files_begin(&files, cli);
	rc = open_all(cli, b, name, &files, &disk, &img);
	if (rc == CLI_DONE)
		rc = run_machine(cli, b, name, &disk, &files, &img, fd);
	img_close(img, NULL);
	for (unsigned i = 0; i < b->run.n_disks; i++)
		img_close(b->run.images[i], NULL);
	disk_fini(&disk);
	json_decref(files.list);
	return rc == CLI_DONE ? 0 : VMM_ERROR;
}
