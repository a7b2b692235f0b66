/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm.c - KVM's virtual machine (Linux, Documentation/virt/kvm/api.rst, 4.2, 4.48,
 * 7.5).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/accel/kvm.h"

/* Three pages for a TSS and one for page tables, which KVM wants on Intel CPUs
 * that cannot run real mode; below the largest ROM, above the LAPICs.
 */
#define IDENTITY_MAP	0xfeffc000u
#define TSS_ADDR	0xfeffd000u

int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

int kvm_cap(int dev, unsigned cap)
{
	int value = ioctl(dev, KVM_CHECK_EXTENSION, (unsigned long)cap);

	return value < 0 ? 0 : value;
}

static const struct { unsigned cap; const char *name; } needed[] = {
	{ KVM_CAP_SPLIT_IRQCHIP, "interrupt chips in userspace" },
	{ KVM_CAP_SIGNAL_MSI, "message-signalled interrupts" },
	{ KVM_CAP_IRQ_ROUTING, "interrupt routing" },
	{ KVM_CAP_READONLY_MEM, "read-only memory" },
	{ KVM_CAP_IMMEDIATE_EXIT, "immediate exits" },
	{ KVM_CAP_MP_STATE, "states of several CPUs" },
	{ KVM_CAP_VCPU_EVENTS, "events of CPUs" },
	{ KVM_CAP_DEBUGREGS, "debug registers" },
	{ KVM_CAP_XSAVE, "XSAVE" },
	{ KVM_CAP_SET_TSS_ADDR, "a TSS address" },
};

static int check_caps(int dev, struct err *e)
{
	char missing[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!kvm_cap(dev, needed[i].cap))
			len += (size_t)snprintf(missing + len,
						sizeof(missing) - len, "%s%s",
						len ? ", " : "",
						needed[i].name);
	if (len)
		return fail(e, ENOTSUP, "this kernel's KVM lacks %s", missing);
	return 0;
}

int kvm_open(int *dev, struct err *e)
{
	int rc, fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fail_rc(e, -errno, "/dev/kvm");
	rc = kvm_ioctl(fd, KVM_GET_API_VERSION, NULL);
	if (rc == KVM_API_VERSION)
		rc = check_caps(fd, e);
	else
		rc = fail(e, ENOTSUP, "/dev/kvm speaks version %d, must be %d",
			  rc, KVM_API_VERSION);
	if (rc)
		close(fd);
	else
		*dev = fd;
	return rc;
}

static int set_up_vm(int fd)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP,
					.args = { KVM_PINS } };
	struct kvm_enable_cap failures = {
		.cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };
	uint64_t identity = IDENTITY_MAP;
	int rc = kvm_ioctl(fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);

	if (!rc)
		rc = ioctl(fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDR) < 0 ?
			-errno : 0;
	if (!rc)
		rc = kvm_ioctl(fd, KVM_ENABLE_CAP, &split);
	/* Programs' instructions that KVM cannot emulate come to kvm_assist.c
	 * too.  Older kernels raise #UD for them.
	 */
	if (!rc)
		kvm_ioctl(fd, KVM_ENABLE_CAP, &failures);
	return rc;
}

int kvm_create_vm(int dev, int *fd, struct err *e)
{
	int rc = kvm_ioctl(dev, KVM_CREATE_VM, NULL);

	if (rc < 0)
		return fail_rc(e, rc, "KVM: making a virtual machine");
	*fd = rc;
	rc = set_up_vm(*fd);
	if (rc) {
		close(*fd);
		return fail_rc(e, rc, "KVM: setting up a virtual machine");
	}
	return 0;
}

static int get_msr_list(struct kvm_vm *k)
{
	struct kvm_msr_list count = { .nmsrs = 0 };
	int rc = kvm_ioctl(k->dev, KVM_GET_MSR_INDEX_LIST, &count);

	if (rc != -E2BIG)
		return rc ? rc : -EIO;
	k->msr_list = calloc(1, sizeof(*k->msr_list) +
			     count.nmsrs * sizeof(k->msr_list->indices[0]));
	if (!k->msr_list)
		return -ENOMEM;
	k->msr_list->nmsrs = count.nmsrs;
	return kvm_ioctl(k->dev, KVM_GET_MSR_INDEX_LIST, k->msr_list);
}

static void kvm_vm_fini(struct vm *vm)
{
	struct kvm_vm *k = kvm_of(vm);

	if (!k)
		return;
	if (k->fd >= 0)
		close(k->fd);
	if (k->dev >= 0)
		close(k->dev);
	free(k->msr_list);
	free(k->dirty);
	free(k->log);
	pthread_mutex_destroy(&k->maps_lock);
	free(k);
	vm->accel_state = NULL;
}

static int kvm_vm_init(struct vm *vm, struct err *e)
{
	struct kvm_vm *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return fail(e, ENOMEM, "out of memory");
	vm->accel_state = k;
	k->dev = k->fd = -1;
	pthread_mutex_init(&k->maps_lock, NULL);
	rc = kvm_open(&k->dev, e);
	if (!rc)
		rc = kvm_create_vm(k->dev, &k->fd, e);
	if (rc)
		goto out;
	rc = kvm_ioctl(k->dev, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (rc > 0) {
		k->run_len = (size_t)rc;
		k->debug_flags = (uint32_t)kvm_cap(k->dev,
					KVM_CAP_SET_GUEST_DEBUG2);
		rc = kvm_get_supported(k->dev, &k->supported);
		if (!rc)
			rc = get_msr_list(k);
	} else if (!rc) {
		rc = -EIO;
	}
	if (rc)
		fail_rc(e, rc, "KVM: asking what it supports");
out:
	if (rc)
		kvm_vm_fini(vm);
	return rc;
}

const struct accel accel_kvm = {
	.name = "kvm",
	.debugs = true,
	.looks = true,
	.probe = kvm_probe,
	.vm_init = kvm_vm_init,
	.vm_fini = kvm_vm_fini,
	.mem_changed = kvm_mem_changed,
	.mem_wrote = kvm_mem_wrote,
	.log_dirty = kvm_log_dirty,
	.take_dirty = kvm_take_dirty,
	.pause = kvm_pause,
	.resume = kvm_resume,
	.vcpu_init = kvm_vcpu_init,
	.vcpu_fini = kvm_vcpu_fini,
	.vcpu_reset = kvm_vcpu_reset,
	.get_state = kvm_get_state,
	.set_state = kvm_set_state,
	.run = kvm_run_vcpu,
	.kick = kvm_kick,
	.msi = kvm_msi,
	.ext_int = kvm_ext_int,
	.route = kvm_route,
	.doorbell = kvm_doorbell,
};
