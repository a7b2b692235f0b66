/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_indexes.c - the indexes of modules in an initramfs that gets more of them:
 * its own, with the guest's lines for what is new, in the forms that it has.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/plan_splice.h"
#include "imgfmt/base/buf.h"

char *splice_plain_path(const char *path)
{
	const char *end = strstr(path, ".ko");

	return end ? strndup(path, (size_t)(end + 3 - path)) : strdup(path);
}

/* An index that the initramfs has, or NULL. */
static const struct initramfs_member *index_of(const struct splice_job *job,
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

static int add_index(struct splice_job *job, const char *name, const void *data,
		     size_t len, struct err *e)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", job->dir, name);
	return splice_add(&job->splice, path, 0644, data, len, e);
}

bool splice_is_new(const struct splice_job *job, const char *module)
{
	for (size_t i = 0; i < job->needs.n; i++)
		if (!strcmp(job->needs.list[i].name, module))
			return true;
	return false;
}

/* A line of modules.dep with each module where it is in the initramfs: its own path
 * there, or the new one.  NULL: no memory.
 */
static char *dep_line(struct splice_job *job, const char *value)
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
			splice_plain_path(word);
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
static int new_deps(struct splice_job *job, struct kmod_index *add, struct text *text,
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
static int new_aliases(struct splice_job *job, struct kmod_index *add,
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

		if (!splice_is_new(job, a->value))
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
static int merge(struct splice_job *job, const char *name, struct kmod_index *add,
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

static int add_merged(struct splice_job *job, struct err *e)
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
static int add_builtin(struct splice_job *job, struct err *e)
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

int splice_indexes(struct splice_job *job, struct err *e)
{
	int rc = add_merged(job, e);

	return rc ? rc : add_builtin(job, e);
}
