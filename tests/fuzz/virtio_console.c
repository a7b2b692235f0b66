/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio_console.c - the console, led by the fuzzer (fuzzdriver.c), with a host
 * that types, reads, or does not.
 */
#include <fcntl.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/fuzzdriver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct fuzzdriver drv;
static int in_fds[2], out_fds[2];

static void drain(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void special(struct fuzzdriver *d, struct fuzz_in *in)
{
	unsigned how = (unsigned)fuzz_take(in, 1);
	struct device *dev = d->dev.vm->devices;
	char bytes[64] = "";

	switch (how % 4) {
	case 0:
		drain(out_fds[0]);
		break;
	case 1:
		CHECK(read(out_fds[0], bytes, 1 + how / 4) != 0);
		break;
	case 2:
		for (unsigned i = 0; i < 1 + how / 4; i++)
			bytes[i] = (char)fuzz_take(in, 1);
		/* Full is fine. */
		CHECK(write(in_fds[1], bytes, 1 + how / 4) != 0);
		break;
	default:
		dev->ops->pause(dev);
		dev->ops->resume(dev);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct err e;

	if (!drv.dev.vm) {
		struct vm *vm = fuzzdriver_vm();
		struct vm_chardev ends;

		CHECK(!pipe2(in_fds, O_NONBLOCK) && !pipe2(out_fds, O_NONBLOCK));
		CHECK(fcntl(out_fds[1], F_SETPIPE_SZ, 4096) == 4096);
		ends = (struct vm_chardev){ in_fds[0], out_fds[1] };
		CHECK_OK(vm_add_console(vm, VM_BUS_MMIO, &ends, &e));
		fuzzdriver_open(&drv, vm, 2, special);
	}
	fuzzdriver_run(&drv, &in);
	/* What the host had not taken or given yet. */
	for (unsigned i = 0; i < 4; i++) {
		drain(out_fds[0]);
		fuzzdriver_host(drv.dev.vm);
	}
	drain(in_fds[0]);
	return 0;
}
