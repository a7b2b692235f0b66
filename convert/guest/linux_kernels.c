/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_kernels.c - the kernels in /boot, their modules and their initramfs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/initramfs.h"
#include "convert/guest/kmod.h"
#include "convert/guest/linux_kernels.h"
#include "convert/guest/linux_state.h"
#include "imgfmt/base/bytes.h"

static const char *const driver_names[LINUX_N_DRIVERS] = {
	[DRV_VIRTIO_PCI] = "virtio_pci", [DRV_VIRTIO_BLK] = "virtio_blk",
	[DRV_VIRTIO_SCSI] = "virtio_scsi", [DRV_VIRTIO_NET] = "virtio_net",
	[DRV_VMW_PVSCSI] = "vmw_pvscsi", [DRV_MPTSPI] = "mptspi",
	[DRV_MPTSAS] = "mptsas", [DRV_VMXNET3] = "vmxnet3",
	[DRV_E1000] = "e1000", [DRV_E1000E] = "e1000e", [DRV_AHCI] = "ahci",
	[DRV_ATA_PIIX] = "ata_piix", [DRV_NVME] = "nvme",
	[DRV_HV_STORVSC] = "hv_storvsc", [DRV_HV_NETVSC] = "hv_netvsc",
	[DRV_XEN_BLKFRONT] = "xen_blkfront",
	[DRV_XEN_NETFRONT] = "xen_netfront",
};

/* As kernels that have no modules call them: their switch. */
static const char *const driver_configs[LINUX_N_DRIVERS] = {
	[DRV_VIRTIO_PCI] = "CONFIG_VIRTIO_PCI",
	[DRV_VIRTIO_BLK] = "CONFIG_VIRTIO_BLK",
	[DRV_VIRTIO_SCSI] = "CONFIG_SCSI_VIRTIO",
	[DRV_VIRTIO_NET] = "CONFIG_VIRTIO_NET",
};

const char *linux_driver_name(unsigned driver)
{
	return driver < LINUX_N_DRIVERS ? driver_names[driver] : "";
}

/* The release in a bzImage's header (Documentation/arch/x86/boot.rst: the offset
 * at 0x20e counts from 0x200); "" if it has none.
 */
static void kernel_release(const struct tree_node *node, char out[128])
{
	uint8_t head[0x212];
	char text[128] = "";
	uint64_t at;

	*out = 0;
	if (node->stat.size < 0x10000 ||
	    fs_read(node->volume->fs, node->stat.ino, head, sizeof(head), 0,
		    NULL) || memcmp(head + 0x202, "HdrS", 4))
		return;
	at = 0x200u + get_le16(head + 0x20e);
	if (!in_range(at, sizeof(text) - 1, node->stat.size) ||
	    fs_read(node->volume->fs, node->stat.ino, text, sizeof(text) - 1,
		    at, NULL))
		return;
	memcpy(out, text, sizeof(text));
	out[strcspn(out, " ")] = 0;
}

static char *modules_of(struct linux_guest *g, const char *version)
{
	static const char *const dirs[] = { "/lib/modules", "/usr/lib/modules" };

	for (size_t i = 0; i < 2 && *version; i++) {
		char *path = linux_printf(g, "%s/%s", dirs[i], version);

		if (!strchr(version, '/') && tree_exists(g->tree, path))
			return path;
	}
	return NULL;
}

static char *initrd_of(struct linux_guest *g, const char *version,
		       const char *suffix)
{
	static const char *const forms[] = { "initrd.img-%s", "initramfs-%s.img",
		"initrd-%s", "initrd-%s.img", "initramfs-%s" };
	size_t n = sizeof(forms) / sizeof(*forms);

	for (size_t i = 0; i < 2 * n; i++) {
		const char *form = forms[i % n], *at = strstr(form, "%s");
		char *path = linux_printf(g, "/boot/%.*s%s%s", (int)(at - form),
					  form, i < n ? version : suffix, at + 2);

		if (tree_exists(g->tree, path))
			return path;
	}
	return NULL;
}

/* /boot/vmlinuz-6.1.0-18-amd64, /boot/vmlinuz-linux: a kernel? */
static void add_kernel(struct linux_guest *g, const char *name,
		       const char *default_kernel)
{
	static const char *const prefixes[] = { "vmlinuz-", "vmlinux-",
						"kernel-", "bzImage-" };
	char *path = linux_printf(g, "/boot/%s", name), release[128];
	const char *suffix = NULL, *base;
	struct linux_kernel *k;
	struct tree_node node;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			suffix = name + strlen(prefixes[i]);
	if (!suffix || text_ends(name, ".old") || strstr(name, "rescue") ||
	    tree_find(g->tree, path, TREE_NOFOLLOW, &node, NULL) ||
	    !S_ISREG(node.stat.mode))
		return;
	k = linux_more(g, &g->kernels, &g->n_kernels, sizeof(*k));
	if (!k)
		return;
	k->vmlinuz = path;
	k->version = linux_keep(g, suffix);
	k->modules = modules_of(g, suffix);
	kernel_release(&node, release);
	if (!k->modules && *release) {
		k->version = linux_keep(g, release);
		k->modules = modules_of(g, release);
	}
	k->initrd = initrd_of(g, k->version, suffix);
	k->generator = k->compression = "";
	base = strrchr(default_kernel, '/');
	k->is_default = !strcmp(base ? base + 1 : default_kernel, name);
}

static int version_order(const void *a, const void *b)
{
	const struct linux_kernel *x = a, *y = b;

	return strverscmp(y->version, x->version);
}

int linux_kernel_dep(struct tree *t, const struct linux_kernel *k,
		     struct kmod_index *out, struct err *e)
{
	static const char *const names[] = { "modules.dep", "modules.dep.bin" };
	char path[512], *data;
	size_t len;
	int rc = -ENOENT;

	for (int i = 0; i < 2 && k->modules && rc == -ENOENT; i++) {
		snprintf(path, sizeof(path), "%s/%s", k->modules, names[i]);
		rc = tree_read(t, path, KMOD_INDEX_MAX, &data, &len, e);
		if (rc)
			continue;
		rc = i ? kmod_read_bin(data, len, out, e) :
			kmod_read_dep(data, len, out, e);
		free(data);
		if (rc)
			fail_prefix(e, rc, "%s", path);
	}
	kmod_sort(out);
	return rc == -ENOENT ? 0 : rc;
}

int linux_initramfs(struct tree *t, const struct linux_kernel *k,
		    struct initramfs *out, struct err *e)
{
	char *data;
	size_t len;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = tree_read(t, k->initrd, INITRAMFS_MAX, &data, &len, e);
	if (!rc) {
		rc = initramfs_read(data, len, out, e);
		free(data);
	}
	return rc ? fail_prefix(e, rc, "%s", k->initrd) : 0;
}

/* Lines of /boot/config-VERSION: CONFIG_VIRTIO_BLK=y. */
static bool config_says(const char *config, const char *key)
{
	size_t len = key ? strlen(key) : 0;

	for (const char *p = config; p && len; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, key, len) && !strncmp(p + len, "=y", 2))
			return true;
	}
	return false;
}

static int builtin_drivers(struct linux_guest *g, struct linux_kernel *k,
			   struct err *e)
{
	char *builtin = NULL, *config = NULL;
	int rc = 0;

	if (k->modules)
		rc = linux_text(g, linux_printf(g, "%s/modules.builtin",
						k->modules), &builtin, e);
	if (!rc)
		rc = linux_text(g, linux_printf(g, "/boot/config-%s",
						k->version), &config, e);
	for (unsigned i = 0; i < LINUX_N_DRIVERS && !rc; i++)
		if (kmod_builtin(builtin, driver_names[i]) ||
		    config_says(config, driver_configs[i]))
			k->drivers[i] = DRIVER_BUILTIN;
	free(builtin);
	free(config);
	return rc;
}

/* What the initramfs holds; that it cannot be read is only noted. */
static int initramfs_drivers(struct linux_guest *g, struct linux_kernel *k,
			     struct err *e)
{
	struct initramfs fs;
	struct err why = { "" };
	int rc = linux_initramfs(g->tree, k, &fs, &why);

	if (rc == -EIO || rc == -ENOMEM) {
		initramfs_fini(&fs);
		if (e)
			*e = why;
		return rc;
	}
	if (rc)
		k->initrd_error = linux_keep(g, why.text);
	for (unsigned i = 0; i < LINUX_N_DRIVERS && !rc; i++)
		if (k->drivers[i] <= DRIVER_MODULE &&
		    initramfs_module(&fs, k->version, driver_names[i]))
			k->drivers[i] = DRIVER_INITRAMFS;
	k->initrd_size = fs.len;
	if (!rc) {
		k->generator = fs.generator;
		k->compression = unpack_name(fs.kind);
	}
	initramfs_fini(&fs);
	return 0;
}

static int look_at_kernel(struct linux_guest *g, struct linux_kernel *k,
			  struct err *e)
{
	struct kmod_index dep = { 0 };
	const enum linux_driver *d = k->drivers;
	int rc = linux_kernel_dep(g->tree, k, &dep, e);

	if (rc == -EUCLEAN || rc == -EFBIG || rc == -ENOTSUP) {
		linux_note(g, "%s", e ? e->text : "an index of modules is damaged");
		rc = 0;
	}
	for (unsigned i = 0; i < LINUX_N_DRIVERS && !rc; i++)
		if (kmod_find(&dep, driver_names[i]))
			k->drivers[i] = DRIVER_MODULE;
	kmod_fini(&dep);
	if (!rc)
		rc = builtin_drivers(g, k, e);
	if (!rc && k->initrd)
		rc = initramfs_drivers(g, k, e);
	k->needs_splice = k->initrd && !k->initrd_error &&
		d[DRV_VIRTIO_PCI] && d[DRV_VIRTIO_BLK] &&
		(d[DRV_VIRTIO_PCI] == DRIVER_MODULE ||
		 d[DRV_VIRTIO_BLK] == DRIVER_MODULE);
	return rc;
}

/* Can it find a root on virtio, as it is or after a splice? */
static bool can_boot(const struct linux_kernel *k)
{
	enum linux_driver least = k->drivers[DRV_VIRTIO_PCI];

	if (k->drivers[DRV_VIRTIO_BLK] < least)
		least = k->drivers[DRV_VIRTIO_BLK];
	return least >= DRIVER_INITRAMFS || k->needs_splice;
}

static void refuse_kernels(struct linux_guest *g)
{
	const struct linux_kernel *k = NULL;

	for (size_t i = 0; i < g->n_kernels; i++)
		if (!k || g->kernels[i].is_default)
			k = &g->kernels[i];
	if (!k)
		linux_refuse(g, "no-kernel", "Install a kernel of the "
			     "distribution in the guest.", "No kernel was found "
			     "in /boot.");
	else if (k->initrd_error)
		linux_refuse(g, "initramfs-unreadable", "Make the initramfs anew "
			     "in the guest.", "The initramfs of the kernel %s "
			     "cannot be taken apart: %s.", k->version,
			     k->initrd_error);
	else if (!can_boot(k))
		linux_refuse(g, "no-virtio-driver", "Install a kernel of the "
			     "distribution whose modules are there, with an "
			     "initramfs.", "The kernel %s has no virtio_pci and "
			     "virtio_blk, neither in itself nor as modules%s.",
			     k->version, k->modules ? "" :
			     ", for its folder in /lib/modules is not there");
}

int linux_kernels(struct linux_guest *g, const char *default_kernel,
		  struct err *e)
{
	bool any_default = false;
	char **names, *real = NULL;
	size_t n;
	int rc = linux_names(g, "/boot", &names, &n, e);

	/* "/vmlinuz", a link to the newest. */
	if (*default_kernel == '/' &&
	    !tree_resolve(g->tree, default_kernel, &real, NULL))
		default_kernel = linux_keep(g, real);
	free(real);

	for (size_t i = 0; i < n && !rc; i++)
		add_kernel(g, names[i], default_kernel);
	free(names);
	if (!rc && g->n_kernels)
		qsort(g->kernels, g->n_kernels, sizeof(*g->kernels),
		      version_order);
	for (size_t i = 0; i < g->n_kernels && !rc; i++) {
		rc = look_at_kernel(g, &g->kernels[i], e);
		any_default |= g->kernels[i].is_default;
	}
	/* An entry that is computed at boot: the newest. */
	if (!rc && g->n_kernels && !any_default)
		g->kernels[0].is_default = true;
	if (!rc)
		refuse_kernels(g);
	return rc;
}
