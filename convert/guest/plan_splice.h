/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_splice.h - one initramfs that gets modules.  Internal to plan.h. */
#ifndef CONVERT_GUEST_PLAN_SPLICE_H
#define CONVERT_GUEST_PLAN_SPLICE_H

#include "convert/guest/linux_kernels.h"
#include "convert/guest/plan.h"

struct splice_job {
	struct plan *p;
	const struct linux_kernel *k;
	struct initramfs fs;
	struct initramfs_splice splice;
	struct kmod_needs needs;	/* only those that are missing */
	char dir[300];			/* "lib/modules/VERSION" */
};

/* "kernel/drivers/virtio/virtio.ko.xz" is ".../virtio.ko" when it is unpacked; the
 * caller frees it, NULL: no memory.
 */
char *splice_plain_path(const char *path);
/* Is this one of those that are missing? */
bool splice_is_new(const struct splice_job *job, const char *module);
/* Add the indexes of modules, with what is new in them. */
int splice_indexes(struct splice_job *job, struct err *e);

#endif
