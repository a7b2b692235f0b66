/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_balloon.c - the balloon, led by the fuzzer (fuzzdriver.c), while the host
 * asks for sizes and statistics.
 */
#include <errno.h>

#include "tests/check.h"
#include "tests/lib/fuzzdriver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct fuzzdriver drv;

static void special(struct fuzzdriver *d, struct fuzz_in *in)
{
	unsigned how = (unsigned)fuzz_take(in, 1);
	struct vm *vm = d->dev.vm;
	struct vm_balloon_info info;
	uint64_t bytes;

	if (how & 1) {
		CHECK_EQ(vm_balloon_info(vm, &info), 0);
		CHECK(info.have_stats < 1u << VM_BALLOON_N_STATS);
		CHECK(info.wanted <= FUZZDRIVER_MEMORY);
	} else {
		bytes = fuzz_take(in, 3);
		CHECK_EQ(vm_set_balloon(vm, bytes),
			 bytes >> 12 > FUZZDRIVER_MEMORY >> 12 ? -ERANGE : 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct err e;

	if (!drv.dev.vm) {
		struct vm *vm = fuzzdriver_vm();

		CHECK_OK(vm_add_balloon(vm, VM_BUS_MMIO, &e));
		fuzzdriver_open(&drv, vm, 4, special);
	}
	fuzzdriver_run(&drv, &in);
	CHECK_EQ(vm_set_balloon(drv.dev.vm, 0), 0);
	return 0;
}
