/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmod.c - modules.dep and modules.alias as text, and what modules need. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/initramfs.h"
#include "convert/guest/kmod.h"
#include "imgfmt/base/buf.h"

/* More than all modules of a distribution's kernel have aliases. */
#define ENTRIES_MAX (1u << 20)

int kmod_add(struct kmod_index *index, const char *key, const char *value,
	     uint32_t priority)
{
	struct kmod_entry *to;

	if (index->n >= ENTRIES_MAX)
		return -EFBIG;
	if (array_grow(&index->list, &index->cap, index->n + 1, sizeof(*to)))
		return -ENOMEM;
	to = &index->list[index->n];
	to->key = strdup(key);
	to->value = strdup(value);
	to->priority = priority;
	if (!to->key || !to->value) {
		free(to->key);
		free(to->value);
		return -ENOMEM;
	}
	index->n++;
	return 0;
}

void kmod_fini(struct kmod_index *index)
{
	for (size_t i = 0; i < index->n; i++) {
		free(index->list[i].key);
		free(index->list[i].value);
	}
	free(index->list);
	memset(index, 0, sizeof(*index));
}

static int entry_order(const void *a, const void *b)
{
	const struct kmod_entry *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	if (!c)
		c = (x->priority > y->priority) - (x->priority < y->priority);
	return c ? c : strcmp(x->value, y->value);
}

void kmod_sort(struct kmod_index *index)
{
	if (index->n)
		qsort(index->list, index->n, sizeof(*index->list), entry_order);
}

const struct kmod_entry *kmod_find(const struct kmod_index *index,
				   const char *key)
{
	size_t lo = 0, hi = index->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(index->list[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < index->n && !strcmp(index->list[lo].key, key) ?
		&index->list[lo] : NULL;
}

/* Calls `line` for each line, which it may change. */
static int each_line(const char *text, size_t len, struct kmod_index *out,
		     int (*line)(struct kmod_index *out, char *line,
				 uint32_t number), struct err *e)
{
	char *copy, *next;
	uint32_t n = 0;
	int rc = 0;

	if (len > KMOD_INDEX_MAX)
		return fail(e, EFBIG, "an index of %zu bytes, at most %u are "
			    "allowed", len, KMOD_INDEX_MAX);
	copy = strndup(text, len);
	if (!copy)
		return fail(e, ENOMEM, "no memory for an index of modules");
	for (char *p = copy; p && !rc; p = next) {
		next = strchr(p, '\n');
		if (next)
			*next++ = 0;
		rc = line(out, p, n++);
	}
	free(copy);
	return rc ? fail_rc(e, rc, "cannot take an index of modules in") : 0;
}

static int dep_line(struct kmod_index *out, char *line, uint32_t number)
{
	char *colon = strchr(line, ':'), *name;
	bool is_module;
	int rc;

	if (!colon || *line == '#')
		return 0;
	*colon = 0;
	name = module_name(line, &is_module);
	*colon = ':';
	if (!is_module)
		return 0;
	rc = name ? kmod_add(out, name, line, number) : -ENOMEM;
	free(name);
	return rc;
}

int kmod_read_dep(const char *text, size_t len, struct kmod_index *out,
		  struct err *e)
{
	return each_line(text, len, out, dep_line, e);
}

/* Dashes are underscores, but in brackets, as depmod writes its tries. */
static void underscores(char *key)
{
	bool bracket = false;

	for (; *key; key++) {
		if (*key == '[')
			bracket = true;
		else if (*key == ']')
			bracket = false;
		else if (*key == '-' && !bracket)
			*key = '_';
	}
}

static int alias_line(struct kmod_index *out, char *line, uint32_t number)
{
	char *rest = line, *word = strsep(&rest, " \t");
	char *pattern = rest ? strsep(&rest, " \t") : NULL;

	if (strcmp(word, "alias") || !pattern || !*pattern || !rest || !*rest)
		return 0;
	underscores(pattern);
	return kmod_add(out, pattern, rest, number);
}

int kmod_read_alias(const char *text, size_t len, struct kmod_index *out,
		    struct err *e)
{
	return each_line(text, len, out, alias_line, e);
}

static bool is_needed(const struct kmod_needs *needs, const char *name)
{
	for (size_t i = 0; i < needs->n; i++)
		if (!strcmp(needs->list[i].name, name))
			return true;
	return false;
}

static int need(struct kmod_needs *out, const char *path)
{
	bool is_module;
	char *name = module_name(path, &is_module);
	char *copy;
	int rc;

	if (!is_module)
		return -EUCLEAN;
	if (!name)
		return -ENOMEM;
	if (is_needed(out, name)) {
		free(name);
		return 0;
	}
	copy = strdup(path);
	rc = copy ? array_grow(&out->list, &out->cap, out->n + 1,
			       sizeof(*out->list)) : -ENOMEM;
	if (rc) {
		free(name);
		free(copy);
		return rc;
	}
	out->list[out->n++] = (struct kmod_need){ name, copy };
	return 0;
}

/* A line of modules.dep: what needs the others stands first, and of the others the
 * last is needed by those before it.  So take it backwards.
 */
static int need_line(struct kmod_needs *out, const char *value)
{
	char *line = strdup(value), *colon, *space;
	int rc = 0;

	if (!line)
		return -ENOMEM;
	colon = strchr(line, ':');
	if (colon) {
		while (!rc && (space = strrchr(colon, ' '))) {
			if (space[1])
				rc = need(out, space + 1);
			*space = 0;
		}
		*colon = 0;
		if (!rc)
			rc = need(out, line);
	}
	free(line);
	return rc;
}

int kmod_needs(const struct kmod_index *dep, const char *const *names, size_t n,
	       struct kmod_needs *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const struct kmod_entry *entry = kmod_find(dep, names[i]);
		int rc = entry ? need_line(out, entry->value) : 0;

		if (rc)
			return fail_rc(e, rc, "cannot tell what the module %s "
				       "needs", names[i]);
	}
	return 0;
}

void kmod_needs_fini(struct kmod_needs *needs)
{
	for (size_t i = 0; i < needs->n; i++) {
		free(needs->list[i].name);
		free(needs->list[i].path);
	}
	free(needs->list);
	memset(needs, 0, sizeof(*needs));
}

bool kmod_builtin(const char *text, const char *name)
{
	for (const char *p = text; p && *p;) {
		const char *end = strchr(p, '\n');
		size_t len = end ? (size_t)(end - p) : strlen(p);
		char line[512], *found;
		bool is_module, same;

		if (len < sizeof(line)) {
			memcpy(line, p, len);
			line[len] = 0;
			found = module_name(line, &is_module);
			same = found && !strcmp(found, name);
			free(found);
			if (same)
				return true;
		}
		p = end ? end + 1 : NULL;
	}
	return false;
}
