/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_rng.c - the entropy device, led by the fuzzer (fuzzdriver.c). */
#include "tests/check.h"
#include "tests/lib/fuzzdriver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct fuzzdriver drv;

/* Nothing is special: the machine is paused and goes on. */
static void special(struct fuzzdriver *d, struct fuzz_in *in)
{
	struct device *dev = d->dev.vm->devices;

	(void)in;
	dev->ops->pause(dev);
	dev->ops->resume(dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct err e;

	if (!drv.dev.vm) {
		struct vm *vm = fuzzdriver_vm();

		CHECK_OK(vm_add_rng(vm, VM_BUS_MMIO, &e));
		fuzzdriver_open(&drv, vm, 1, special);
	}
	fuzzdriver_run(&drv, &in);
	return 0;
}
