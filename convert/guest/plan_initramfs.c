/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_initramfs.c - append virtio's modules to each initramfs that lacks them.
 *
 * The modules are the guest's own, unpacked: any loader takes plain ones, and their
 * signatures stay.
 *
 * virtio_net goes in only where the initramfs has drivers of cards already (it
 * mounts its root from a network, or lets people in): elsewhere the root's udev
 * loads it, which knows the names that are pinned.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/plan_splice.h"
#include "imgfmt/base/buf.h"

#define MODULE_MAX (64u << 20)	/* bytes, unpacked */

static const char *const disk_modules[] = { "virtio_pci", "virtio_blk",
					    "virtio_scsi" };
static const char *const net_modules[] = { "virtio_net" };

static bool has_cards(const struct linux_kernel *k)
{
	static const unsigned cards[] = { DRV_VMXNET3, DRV_E1000, DRV_E1000E,
		DRV_HV_NETVSC, DRV_XEN_NETFRONT };

	for (size_t i = 0; i < sizeof(cards) / sizeof(*cards); i++)
		if (k->drivers[cards[i]] == DRIVER_INITRAMFS)
			return true;
	return false;
}

/* What is needed, without what the initramfs has. */
static int find_needs(struct splice_job *job, struct err *e)
{
	struct kmod_index dep = { 0 };
	struct kmod_needs *needs = &job->needs;
	size_t kept = 0;
	int rc = linux_kernel_dep(job->p->g->tree, job->k, &dep, e);

	if (!rc)
		rc = kmod_needs(&dep, disk_modules, 3, needs, e);
	if (!rc && has_cards(job->k))
		rc = kmod_needs(&dep, net_modules, 1, needs, e);
	kmod_fini(&dep);
	for (size_t i = 0; i < needs->n; i++) {
		struct kmod_need *m = &needs->list[i];

		if (rc || !initramfs_module(&job->fs, job->k->version,
					    m->name)) {
			needs->list[kept++] = *m;
			continue;
		}
		free(m->name);
		free(m->path);
	}
	needs->n = kept;
	return rc;
}

static int add_module(struct splice_job *job, const struct kmod_need *m, struct err *e)
{
	char *packed = NULL, *plain = NULL, *name = splice_plain_path(m->path);
	char from[1024], to[1024];
	size_t len;
	int rc;

	if (!name)
		return fail(e, ENOMEM, "no memory for a module");
	if (snprintf(from, sizeof(from), "%s/%s", job->k->modules, m->path) >=
	    (int)sizeof(from) ||
	    snprintf(to, sizeof(to), "%s/%s", job->dir, name) >=
	    (int)sizeof(to)) {
		free(name);
		return fail(e, ENAMETOOLONG, "%s: the name is too long", m->path);
	}
	rc = tree_read(job->p->g->tree, from, MODULE_MAX, &packed, &len, e);
	if (!rc)
		rc = unpack_all(packed, len, MODULE_MAX, &plain, &len, e);
	if (!rc && (len < 4 || memcmp(plain, "\177ELF", 4)))
		rc = fail(e, EUCLEAN, "it is no module: no ELF header");
	if (rc)
		fail_prefix(e, rc, "%s", from);
	else
		rc = splice_add(&job->splice, to, 0644, plain, len, e);
	free(name);
	free(packed);
	free(plain);
	return rc;
}

/* The names that are pinned, for an initramfs that names cards itself.  How many in
 * *n.
 */
static int add_links(struct splice_job *job, size_t *n, struct err *e)
{
	const struct linux_plan_args *args = job->p->args;
	int rc = 0;

	*n = 0;
	for (size_t i = 0; i < args->n_nics && !rc; i++) {
		char *path = str_printf("/etc/systemd/network/10-%s.link",
					args->nics[i].name);
		char *text = NULL;

		rc = path ? plan_text(job->p, path, &text, e) :
			fail(e, ENOMEM, "no memory for a plan");
		if (!rc && text && job->fs.has_udev) {
			rc = splice_add(&job->splice, path + 1, 0644, text,
					strlen(text), e);
			++*n;
		}
		free(text);
		free(path);
	}
	return rc;
}

/* End the archive, and append it for this reason. */
static int append(struct splice_job *job, const char *code, char *why,
		  struct err *e)
{
	struct edit_new n = { .code = code, .why = why };
	uint8_t *data;
	size_t len;
	int rc = why ? splice_end(&job->splice, &data, &len, e) :
		fail(e, ENOMEM, "no memory for a plan");

	if (!rc) {
		rc = edits_append(job->p->ed, job->k->initrd, data, len, &n, e);
		free(data);
	}
	free(why);
	return rc;
}

static char *splice_why(const struct splice_job *job)
{
	struct text names = { 0 };
	char *why;

	for (size_t i = 0; i < job->needs.n; i++) {
		text_puts(&names, i ? ", " : "");
		text_puts(&names, job->needs.list[i].name);
	}
	why = names.failed ? NULL :
		str_printf("The initramfs of the kernel %s lacks %s: they are "
			   "appended behind its %llu bytes, where it may be cut "
			   "off again.", job->k->version,
			   names.p ? names.p : "",
			   (unsigned long long)job->fs.len);
	free(names.p);
	return why;
}

static int add_all(struct splice_job *job, struct err *e)
{
	size_t n_links;
	int rc = find_needs(job, e);

	for (size_t i = 0; i < job->needs.n && !rc; i++)
		rc = add_module(job, &job->needs.list[i], e);
	if (!rc)
		rc = splice_indexes(job, e);
	if (!rc && splice_is_new(job, "virtio_net"))
		rc = add_links(job, &n_links, e);
	return rc ? rc : append(job, "initramfs-splice", splice_why(job), e);
}

/* systemd before 240 does not rename what the initramfs has renamed. */
static int add_links_only(struct splice_job *job, struct err *e)
{
	size_t n;
	int rc = add_links(job, &n, e);

	if (rc || !n)
		return rc;
	return append(job, "interface-name",
		      str_printf("The initramfs of the kernel %s names cards, too: "
				 "the names are appended behind its %llu bytes.",
				 job->k->version,
				 (unsigned long long)job->fs.len), e);
}

static int splice_kernel(struct plan *p, const struct linux_kernel *k,
			 int (*add)(struct splice_job *job, struct err *e),
			 struct err *e)
{
	struct splice_job job = { .p = p, .k = k };
	int rc = linux_initramfs(p->g->tree, k, &job.fs, e);

	snprintf(job.dir, sizeof(job.dir), "lib/modules/%s", k->version);
	job.splice.fs = &job.fs;
	/* Without a link "lib" and with modules below usr, they stay there. */
	if (!rc && initramfs_find(&job.fs, "usr/lib/modules") &&
	    !initramfs_find(&job.fs, "lib"))
		snprintf(job.dir, sizeof(job.dir), "usr/lib/modules/%s",
			 k->version);
	if (!rc)
		rc = add(&job, e);
	kmod_needs_fini(&job.needs);
	splice_fini(&job.splice);
	initramfs_fini(&job.fs);
	return rc ? fail_prefix(e, rc, "the initramfs of the kernel %s",
				k->version) : 0;
}

/* initramfs-tools takes names from a file, one a line. */
static int keep_initramfs_tools(struct plan *p, struct err *e)
{
	static const char path[] = "/etc/initramfs-tools/modules";
	static const char *const names[] = { "virtio_pci", "virtio_blk",
		"virtio_scsi", "virtio_net" };
	struct text all = { 0 };
	char *text;
	int rc = plan_text(p, path, &text, e);

	if (rc)
		return rc;
	text_puts(&all, text ? text : "");
	if (all.len && all.p[all.len - 1] != '\n')
		text_puts(&all, "\n");
	for (size_t i = 0; i < 4; i++) {
		text_puts(&all, names[i]);
		text_puts(&all, "\n");
	}
	rc = all.failed ? fail(e, ENOMEM, "no memory for a plan") :
		plan_write(p, path, all.p, "initramfs-modules",
			   "The initramfs that the next kernel gets has virtio's "
			   "drivers too.", e);
	free(all.p);
	free(text);
	return rc;
}

/* So that what is made later has the drivers too. */
static int keep(struct plan *p, const char *generator, struct err *e)
{
	if (!strcmp(generator, "initramfs-tools"))
		return keep_initramfs_tools(p, e);
	if (!strcmp(generator, "dracut"))
		return plan_write(p, "/etc/dracut.conf.d/90-virtio.conf",
				  "# Written when this machine was converted.\n"
				  "add_drivers+=\" virtio_pci virtio_blk "
				  "virtio_scsi virtio_net \"\n",
				  "initramfs-modules", "The initramfs that the "
				  "next kernel gets has virtio's drivers too.",
				  e);
	return 0;
}

int plan_initramfs(struct plan *p, struct err *e)
{
	const char *generator = NULL;
	bool links = plan_systemd_version(p) < 240;
	int rc = 0;

	for (size_t i = 0; i < p->g->n_kernels && !rc; i++) {
		const struct linux_kernel *k = &p->g->kernels[i];

		if (k->needs_splice) {
			rc = splice_kernel(p, k, add_all, e);
			generator = k->generator;
		} else if (links && k->initrd && !k->initrd_error &&
			   k->drivers[DRV_VIRTIO_NET] >= DRIVER_INITRAMFS) {
			rc = splice_kernel(p, k, add_links_only, e);
		}
	}
	return rc || !generator ? rc : keep(p, generator, e);
}
