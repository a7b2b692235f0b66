/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.c - every allocation fails once while a machine with one of each device
 * is made: an error comes out, and neither memory nor a descriptor stays behind.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "imgfmt/imgfmt.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/scratch.h"

static struct err e;

static int add_disk(struct vm *vm, enum vm_bus bus)
{
	struct vm_disk disk = { .bus = bus, .queues = 2, .pullers = 2 };
	struct img *img;
	int rc = img_memory(1 << 20, &img, &e);

	if (!rc) {
		rc = vm_add_disk(vm, img, &disk, &e);
		if (rc)
			img_close(img, NULL);
	}
	return rc;
}

static int add_devices(struct vm *vm, enum vm_bus bus)
{
	struct vm_net net = { .bus = bus };
	struct vm_chardev nobody = { -1, -1 };
	int rc = add_disk(vm, bus);

	if (!rc)
		rc = vm_add_rng(vm, bus, &e);
	if (!rc)
		rc = vm_add_console(vm, bus, &nobody, &e);
	if (!rc)
		rc = vm_add_net(vm, &net, &e);
	if (!rc && !vm->balloon)
		rc = vm_add_balloon(vm, bus, &e);
	return rc;
}

static int machine(const struct accel *accel, bool virtual_clock)
{
	struct vm_chardev nobody = { -1, -1 };
	struct vm_config config;
	struct vm *vm = NULL;
	int rc;

	fakevm_config(&config, 64 << 20, 2);
	config.screen = VM_SCREEN_VGA;
	config.test_devices = true;
	config.accel = accel;
	config.virtual_clock = virtual_clock;
	rc = vm_new(&config, &vm, &e);
	if (!rc)
		rc = vm_add_serial(vm, &nobody, &e);
	if (!rc)
		rc = add_devices(vm, VM_BUS_PCI);
	if (!rc)
		rc = add_devices(vm, VM_BUS_MMIO);
	if (vm)
		vm_free(vm);
	return rc;
}

static void fail_allocations(const struct accel *accel, bool virtual_clock)
{
	unsigned n_files;
	size_t before;
	uint64_t n;

	CHECK_OK(machine(accel, virtual_clock));
	alloc_fail(0);
	CHECK_OK(machine(accel, virtual_clock));
	n = alloc_fail(0);
	CHECK(n > 20);
	n_files = count_names("/proc/self/fd");
	for (uint64_t i = 1; i <= n; i++) {
		before = mallinfo2().uordblks;
		alloc_fail(i);
		CHECK_EQ(machine(accel, virtual_clock), -ENOMEM);
		alloc_fail(0);
		if (mallinfo2().uordblks != before)
			fprintf(stderr, "allocation %u of %u, %s\n",
				(unsigned)i, (unsigned)n, e.text);
		CHECK_EQ(mallinfo2().uordblks, before);
		CHECK_EQ(count_names("/proc/self/fd"), n_files);
	}
}

int main(int argc, char **argv)
{
	(void)argc;
	/* What is freed counts as free at once.  (The sanitizers have a heap of their
	 * own, and say themselves what is lost.)
	 */
	if (!getenv("GLIBC_TUNABLES")) {
		CHECK(!setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1));
		execv("/proc/self/exe", argv);
		return 1;
	}
	mallopt(M_MXFAST, 0);
	fail_allocations(&accel_fake, false);
	fail_allocations(&accel_fake, true);
	fail_allocations(&accel_soft, false);
	fail_allocations(&accel_soft, true);
	return 0;
}
