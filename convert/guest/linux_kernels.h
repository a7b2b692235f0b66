/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_kernels.h - a kernel's modules and initramfs, for inspection and planning.
 * Internal to linux.h.
 */
#ifndef CONVERT_GUEST_LINUX_KERNELS_H
#define CONVERT_GUEST_LINUX_KERNELS_H

#include "convert/guest/initramfs.h"
#include "convert/guest/kmod.h"
#include "convert/guest/linux.h"

/* modules.dep, as text or trie; empty if there is none. */
int linux_kernel_dep(struct tree *t, const struct linux_kernel *k,
		     struct kmod_index *out, struct err *e);
/* The initramfs of a kernel that has one; initramfs_fini() also after an error. */
int linux_initramfs(struct tree *t, const struct linux_kernel *k,
		    struct initramfs *out, struct err *e);

#endif
