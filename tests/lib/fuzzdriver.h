/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzzdriver.h - a virtio driver that the fuzzer leads, for devices without
 * threads: descriptors of any kind, doorbells, configuration, time, resets.
 *
 * Bytes of memory that no descriptor has named stay zero, or the test ends.
 */
#ifndef TESTS_FUZZDRIVER_H
#define TESTS_FUZZDRIVER_H

#include "tests/lib/fuzzvm.h"
#include "tests/lib/vring.h"

#define FUZZDRIVER_MEMORY	(4u << 20)

struct fuzzdriver {
	struct vdev dev;
	unsigned n_queues;
	bool named;		/* a descriptor may have named the quiet bytes */

	/* What the device alone has: an operation whose bytes come from `in`,
	 * between two of the driver.
	 */
	void (*special)(struct fuzzdriver *d, struct fuzz_in *in);
};

/* A machine on the virtual clock, without a device. */
struct vm *fuzzdriver_vm(void);

/* The machine's first device, on virtio-mmio; once. */
void fuzzdriver_open(struct fuzzdriver *d, struct vm *vm, unsigned n_queues,
		     void (*special)(struct fuzzdriver *d, struct fuzz_in *in));

/* All of `in`, from a reset of the device on. */
void fuzzdriver_run(struct fuzzdriver *d, struct fuzz_in *in);

/* Answer for the machine's loop: host files that are ready. */
void fuzzdriver_host(struct vm *vm);

#endif
