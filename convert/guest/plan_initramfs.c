/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_initramfs.c - append virtio's modules to each initramfs that lacks them.
 *
 * The modules are the guest's own, unpacked: any loader takes plain ones, and their
 * signatures stay.  The indexes are the initramfs' own with lines for what is new,
 * in the forms that it has; the rest of it, and its names, stay.
 *
 * virtio_net goes in only where the initramfs has drivers of cards already (it
 * mounts its root from a network, or lets people in): elsewhere the root's udev
 * loads it, which knows the names that are pinned.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_kernels.h"
#include "convert/guest/plan.h"
#include "imgfmt/base/buf.h"

#define MODULE_MAX (64u << 20)	/* bytes, unpacked */

struct job {
	struct plan *p;
	const struct linux_kernel *k;
	struct initramfs fs;
	struct initramfs_splice splice;
	struct kmod_needs needs;	/* only those that are missing */
	char dir[300];			/* "lib/modules/VERSION" */
};

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
static int find_needs(struct job *job, struct err *e)
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

/* "kernel/drivers/virtio/virtio.ko.xz" is "….ko" when it is unpacked. */
static char *plain_path(const char *path)
{
	const char *end = strstr(path, ".ko");

	return end ? strndup(path, (size_t)(end + 3 - path)) : strdup(path);
}

static int add_module(struct job *job, const struct kmod_need *m, struct err *e)
{
	char *packed = NULL, *plain = NULL, *name = plain_path(m->path);
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

/* An index that the initramfs has, or NULL. */
static const struct initramfs_member *index_of(const struct job *job,
					       const char *name)
{
	const struct initramfs_member *m;
	char path[400], real[CPIO_NAME_MAX];

	snprintf(path, sizeof(path), "%s/%s", job->dir, name);
	if (initramfs_resolve(&job->fs, path, real))
		return NULL;
	m = initramfs_find(&job->fs, real);
	return m && m->content ? m : NULL;
}

static int add_index(struct job *job, const char *name, const void *data,
		     size_t len, struct err *e)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", job->dir, name);
	return splice_add(&job->splice, path, 0644, data, len, e);
}

static bool is_new(const struct job *job, const char *module)
{
	for (size_t i = 0; i < job->needs.n; i++)
		if (!strcmp(job->needs.list[i].name, module))
			return true;
	return false;
}

/* A line of modules.dep with each module where it is in the initramfs: its own path
 * there, or the new one.  NULL: no memory.
 */
static char *dep_line(struct job *job, const char *value)
{
	char *copy = strdup(value), *rest = copy, *word;
	struct text line = { 0 };

	while (copy && (word = strsep(&rest, " :"))) {
		bool is_module, first = !line.len;
		char *name = module_name(word, &is_module), *plain;
		const char *path;

		if (!is_module)
			continue;
		path = initramfs_module(&job->fs, job->k->version,
					name ? name : "");
		path = path ? strstr(path, "lib/modules/") : NULL;
		plain = path ? strdup(path + 13 + strlen(job->k->version)) :
			plain_path(word);
		text_puts(&line, first ? "" : " ");
		text_puts(&line, plain && name ? plain : "");
		text_puts(&line, first ? ":" : "");
		line.failed |= !plain || !name;
		free(plain);
		free(name);
	}
	if (!copy || line.failed) {
		free(line.p);
		line.p = NULL;
	}
	free(copy);
	return line.p;
}

/* The guest's lines for the new modules, as entries and as text. */
static int new_deps(struct job *job, struct kmod_index *add, struct text *text,
		    struct err *e)
{
	struct kmod_index dep = { 0 };
	int rc = linux_kernel_dep(job->p->g->tree, job->k, &dep, e);

	for (size_t i = 0; i < job->needs.n && !rc; i++) {
		const struct kmod_entry *m =
			kmod_find(&dep, job->needs.list[i].name);
		char *line = m ? dep_line(job, m->value) : NULL;

		rc = line ? kmod_add(add, m->key, line, m->priority) : -ENOMEM;
		if (!rc) {
			text_puts(text, line);
			text_puts(text, "\n");
		}
		free(line);
		if (rc)
			fail_rc(e, rc, "cannot make modules.dep");
	}
	kmod_fini(&dep);
	return rc;
}

/* The guest's aliases of the new modules. */
static int new_aliases(struct job *job, struct kmod_index *add,
		       struct text *text, struct err *e)
{
	static const char *const names[] = { "modules.alias.bin",
					     "modules.alias" };
	struct kmod_index all = { 0 };
	char path[512], *data;
	size_t len;
	int rc = -ENOENT;

	for (int i = 0; i < 2 && rc == -ENOENT; i++) {
		snprintf(path, sizeof(path), "%s/%s", job->k->modules, names[i]);
		rc = tree_read(job->p->g->tree, path, KMOD_INDEX_MAX, &data,
			       &len, e);
		if (rc)
			continue;
		rc = i ? kmod_read_alias(data, len, &all, e) :
			kmod_read_bin(data, len, &all, e);
		free(data);
		if (rc)
			fail_prefix(e, rc, "%s", path);
	}
	if (rc == -ENOENT)
		rc = fail(e, ENOENT, "%s has no modules.alias, without which no "
			  "driver is found", job->k->modules);
	for (size_t i = 0; i < all.n && !rc; i++) {
		const struct kmod_entry *a = &all.list[i];

		if (!is_new(job, a->value))
			continue;
		rc = kmod_add(add, a->key, a->value, a->priority);
		text_puts(text, "alias ");
		text_puts(text, a->key);
		text_puts(text, " ");
		text_puts(text, a->value);
		text_puts(text, "\n");
	}
	kmod_fini(&all);
	return rc;
}

/* An index of the initramfs with what is new, in the forms that it has, or both if
 * it has none.
 */
static int merge(struct job *job, const char *name, struct kmod_index *add,
		 const struct text *more, struct err *e)
{
	char bin[64];
	const struct initramfs_member *text = index_of(job, name), *trie;
	struct text all = { 0 };
	uint8_t *data;
	size_t len;
	int rc = 0;

	snprintf(bin, sizeof(bin), "%s.bin", name);
	trie = index_of(job, bin);
	if (text || !trie) {
		text_put(&all, text ? text->content : "", text ? text->size : 0);
		if (all.len && all.p[all.len - 1] != '\n')
			text_puts(&all, "\n");
		text_put(&all, more->p ? more->p : "", more->len);
		rc = all.failed ? fail(e, ENOMEM, "no memory for %s", name) :
			add_index(job, name, all.p, all.len, e);
		free(all.p);
	}
	if (rc || (text && !trie))
		return rc;
	if (trie)
		rc = kmod_read_bin(trie->content, trie->size, add, e);
	if (!rc)
		rc = kmod_write_bin(add, &data, &len, e);
	if (rc)
		return fail_prefix(e, rc, "%s", bin);
	rc = add_index(job, bin, data, len, e);
	free(data);
	return rc;
}

static int add_indexes(struct job *job, struct err *e)
{
	struct kmod_index deps = { 0 }, aliases = { 0 };
	struct text dep_text = { 0 }, alias_text = { 0 };
	int rc = new_deps(job, &deps, &dep_text, e);

	if (!rc)
		rc = new_aliases(job, &aliases, &alias_text, e);
	if (!rc && (dep_text.failed || alias_text.failed))
		rc = fail(e, ENOMEM, "no memory for indexes of modules");
	if (!rc)
		rc = merge(job, "modules.dep", &deps, &dep_text, e);
	if (!rc)
		rc = merge(job, "modules.alias", &aliases, &alias_text, e);
	kmod_fini(&deps);
	kmod_fini(&aliases);
	free(dep_text.p);
	free(alias_text.p);
	return rc;
}

/* What modprobe needs besides, where the initramfs had no modules at all. */
static int add_builtin(struct job *job, struct err *e)
{
	static const char *const names[] = { "modules.builtin",
		"modules.builtin.bin", "modules.builtin.modinfo",
		"modules.builtin.alias.bin", "modules.order" };
	int rc = 0;

	if (index_of(job, "modules.dep") || index_of(job, "modules.dep.bin"))
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !rc; i++) {
		char path[512], *data;
		size_t len;

		snprintf(path, sizeof(path), "%s/%s", job->k->modules, names[i]);
		if (tree_read(job->p->g->tree, path, KMOD_INDEX_MAX, &data,
			      &len, NULL))
			continue;
		rc = add_index(job, names[i], data, len, e);
		free(data);
	}
	return rc;
}

/* Where cards get their names in the initramfs already, the pinned ones: systemd
 * before 240 does not rename a second time.
 */
static int add_links(struct job *job, struct err *e)
{
	const struct linux_plan_args *args = job->p->args;
	int rc = 0;

	for (size_t i = 0; i < args->n_nics && !rc; i++) {
		char *path = str_printf("/etc/systemd/network/10-%s.link",
					args->nics[i].name);
		char *text = NULL;

		rc = path ? plan_text(job->p, path, &text, e) :
			fail(e, ENOMEM, "no memory for a plan");
		if (!rc && text && job->fs.has_udev)
			rc = splice_add(&job->splice, path + 1, 0644, text,
					strlen(text), e);
		free(text);
		free(path);
	}
	return rc;
}

static int append(struct job *job, struct err *e)
{
	struct edit_new n = { .code = "initramfs-splice" };
	struct text names = { 0 };
	uint8_t *data;
	size_t len;
	char *why;
	int rc = splice_end(&job->splice, &data, &len, e);

	if (rc)
		return rc;
	for (size_t i = 0; i < job->needs.n; i++) {
		text_puts(&names, i ? ", " : "");
		text_puts(&names, job->needs.list[i].name);
	}
	why = str_printf("The initramfs of the kernel %s lacks %s: they are "
			 "appended behind its %llu bytes, where it may be cut "
			 "off again.", job->k->version,
			 names.p ? names.p : "", (unsigned long long)
			 job->fs.len);
	n.why = why;
	rc = why && !names.failed ?
		edits_append(job->p->ed, job->k->initrd, data, len, &n, e) :
		fail(e, ENOMEM, "no memory for a plan");
	free(names.p);
	free(why);
	free(data);
	return rc;
}

static int splice_kernel(struct plan *p, const struct linux_kernel *k,
			 struct err *e)
{
	struct job job = { .p = p, .k = k };
	int rc = linux_initramfs(p->g->tree, k, &job.fs, e);

	snprintf(job.dir, sizeof(job.dir), "lib/modules/%s", k->version);
	job.splice.fs = &job.fs;
	/* Without a link "lib" and with modules below usr, they stay there. */
	if (!rc && initramfs_find(&job.fs, "usr/lib/modules") &&
	    !initramfs_find(&job.fs, "lib"))
		snprintf(job.dir, sizeof(job.dir), "usr/lib/modules/%s",
			 k->version);
	if (!rc)
		rc = find_needs(&job, e);
	for (size_t i = 0; i < job.needs.n && !rc; i++)
		rc = add_module(&job, &job.needs.list[i], e);
	if (!rc)
		rc = add_indexes(&job, e);
	if (!rc)
		rc = add_builtin(&job, e);
	if (!rc && is_new(&job, "virtio_net"))
		rc = add_links(&job, e);
	if (!rc)
		rc = append(&job, e);
	kmod_needs_fini(&job.needs);
	splice_fini(&job.splice);
	initramfs_fini(&job.fs);
	return rc;
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
	int rc = 0;

	for (size_t i = 0; i < p->g->n_kernels && !rc; i++) {
		const struct linux_kernel *k = &p->g->kernels[i];

		if (!k->needs_splice)
			continue;
		rc = splice_kernel(p, k, e);
		if (rc)
			fail_prefix(e, rc, "the initramfs of the kernel %s",
				    k->version);
		generator = k->generator;
	}
	return rc || !generator ? rc : keep(p, generator, e);
}
