/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux.c - inspect a Linux guest, and what its parts share. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/linux_state.h"
#include "imgfmt/base/buf.h"

/* Takes `text` over; NULL is no memory. */
static char *pool_add(struct linux_guest *g, char *text)
{
	struct linux_pool *p = g->pool;

	if (text && !array_grow(&p->strings, &p->cap, p->n + 1,
				sizeof(*p->strings))) {
		p->strings[p->n++] = text;
		return text;
	}
	free(text);
	p->out_of_memory = true;
	return p->empty;
}

char *linux_keep(struct linux_guest *g, const char *text)
{
	return pool_add(g, strdup(text));
}

static char *pool_vprintf(struct linux_guest *g, const char *fmt, va_list args)
{
	char *text;

	return pool_add(g, vasprintf(&text, fmt, args) < 0 ? NULL : text);
}

char *linux_printf(struct linux_guest *g, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = pool_vprintf(g, fmt, args);
	va_end(args);
	return text;
}

void *linux_more(struct linux_guest *g, void *array, size_t *n, size_t size)
{
	/* The capacity is not kept: it is what fits into a power of two. */
	size_t cap = *n;
	char *list;

	if (*n >= LINUX_LIST_MAX)
		return NULL;
	if ((!*n || is_pow2(*n)) &&
	    array_grow(array, &cap, *n ? *n * 2 : 1, size)) {
		g->pool->out_of_memory = true;
		return NULL;
	}
	memcpy(&list, array, sizeof(list));
	list += (*n)++ * size;
	memset(list, 0, size);
	return list;
}

void linux_note(struct linux_guest *g, const char *fmt, ...)
{
	char **to = linux_more(g, &g->notes, &g->n_notes, sizeof(*to));
	va_list args;

	if (!to)
		return;
	va_start(args, fmt);
	*to = pool_vprintf(g, fmt, args);
	va_end(args);
}

void linux_refuse(struct linux_guest *g, const char *code, const char *fix,
		  const char *fmt, ...)
{
	struct linux_refusal *r = linux_more(g, &g->refusals, &g->n_refusals,
					     sizeof(*r));
	va_list args;

	if (!r)
		return;
	r->code = code;
	r->fix = linux_keep(g, fix);
	va_start(args, fmt);
	r->why = pool_vprintf(g, fmt, args);
	va_end(args);
}

/* What a guest's file may be without any harm to us. */
static bool is_absence(int rc)
{
	return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP ||
		rc == -EISDIR || rc == -EINVAL || rc == -ENAMETOOLONG;
}

int linux_text(struct linux_guest *g, const char *path, char **out,
	       struct err *e)
{
	size_t len;
	int rc = tree_read(g->tree, path, LINUX_TEXT_MAX, out, &len, e);

	if (!rc)
		return 0;
	*out = NULL;
	if (rc == -EFBIG) {
		linux_note(g, "%s is longer than %u bytes, and was not read",
			   path, LINUX_TEXT_MAX);
		return 0;
	}
	return is_absence(rc) ? 0 : rc;
}

struct names {
	struct linux_guest *g;
	char **list;
	size_t n;
};

static int on_name(void *arg, const char *name, const struct tree_node *node)
{
	struct names *names = arg;
	char **to = linux_more(names->g, &names->list, &names->n, sizeof(*to));

	(void)node;
	if (to)
		*to = linux_keep(names->g, name);
	return 0;
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int linux_names(struct linux_guest *g, const char *dir, char ***out, size_t *n,
		struct err *e)
{
	struct names names = { .g = g };
	int rc = tree_list(g->tree, dir, on_name, &names, e);

	if (rc && !is_absence(rc)) {
		free(names.list);
		return rc;
	}
	if (names.n)
		qsort(names.list, names.n, sizeof(*names.list), name_order);
	*out = names.list;
	*n = names.n;
	return 0;
}

bool linux_has(struct linux_guest *g, const char *path)
{
	struct tree_node node;

	return !tree_find(g->tree, path, TREE_NOFOLLOW, &node, NULL);
}

char *text_line(char **rest)
{
	char *line = strsep(rest, "\n");

	if (!line)
		return NULL;
	line[strcspn(line, "\r")] = 0;
	return line + strspn(line, " \t");
}

char *text_word(char **rest)
{
	char *word;

	if (!*rest)
		return NULL;
	*rest += strspn(*rest, " \t");
	if (!**rest)
		return NULL;
	word = strsep(rest, " \t");
	return word;
}

char *text_value(char *line, const char *key)
{
	size_t len = strlen(key);
	char *end;

	if (strncasecmp(line, key, len))
		return NULL;
	line += len;
	line += strspn(line, " \t");
	if (*line++ != '=')
		return NULL;
	line += strspn(line, " \t");
	for (end = line + strlen(line);
	     end > line && isspace((unsigned char)end[-1]);)
		*--end = 0;
	if (end - line >= 2 && (*line == '"' || *line == '\'') &&
	    end[-1] == *line) {
		end[-1] = 0;
		line++;
	}
	return line;
}

bool text_ends(const char *text, const char *end)
{
	size_t a = strlen(text), b = strlen(end);

	return a >= b && !strcmp(text + a - b, end);
}

static int look(struct linux_guest *g, struct img *const *disks,
		const struct volumes *v, struct err *e)
{
	int rc = linux_find_root(g, v, e);

	if (rc || !g->tree)
		return rc;
	rc = linux_release(g, e);
	if (!rc)
		rc = linux_boot(g, disks, v, e);
	if (!rc)
		rc = linux_network(g, e);
	if (!rc)
		rc = linux_tools(g, e);
	if (!rc)
		rc = linux_swap(g, v, e);
	return rc;
}

int linux_inspect(struct img *const *disks, const struct volumes *v,
		  struct linux_guest **out, struct err *e)
{
	struct linux_guest *g = calloc(1, sizeof(*g));
	int rc;

	if (g)
		g->pool = calloc(1, sizeof(*g->pool));
	if (!g || !g->pool) {
		free(g);
		return fail(e, ENOMEM, "no memory to inspect a guest");
	}
	g->id = g->id_like = g->version_id = g->pretty_name = g->arch =
		g->hostname = g->machine_id = g->resume = g->boot.config =
		g->boot.cmdline = g->pool->empty;
	rc = look(g, disks, v, e);
	if (!rc && g->pool->out_of_memory)
		rc = fail(e, ENOMEM, "no memory to inspect a guest");
	if (rc) {
		linux_free(g);
		return rc;
	}
	*out = g;
	return 0;
}

void linux_free(struct linux_guest *g)
{
	if (!g)
		return;
	tree_close(g->tree);
	for (size_t i = 0; i < g->pool->n; i++)
		free(g->pool->strings[i]);
	free(g->pool->strings);
	free(g->pool);
	for (size_t i = 0; i < g->n_ifaces; i++)
		free(g->ifaces[i].addresses);
	free(g->kernels);
	free(g->ifaces);
	free(g->tools);
	free(g->swaps);
	free(g->refusals);
	free(g->notes);
	free(g);
}

char *linux_refusals_text(const struct linux_guest *g)
{
	char *text = strdup(""), *more;

	for (size_t i = 0; i < g->n_refusals && text; i++) {
		const struct linux_refusal *r = &g->refusals[i];

		more = str_printf("%s%s%s %s", text, i ? "\n" : "", r->why,
				  r->fix);
		free(text);
		text = more;
	}
	return text;
}
