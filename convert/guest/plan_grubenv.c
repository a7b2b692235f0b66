/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_grubenv.c - the kernel's options in GRUB's environment, where Red Hat's loader
 * entries have them from.
 *
 * The environment block (GRUB manual, "The GRUB environment block") is a file of
 * exactly 1024 bytes: a comment, a line "NAME=value" each, and '#' up to its end.  In
 * a value '\' stands before '\' and the end of a line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/plan.h"
#include "imgfmt/base/buf.h"

#define BLOCK 1024u
#define MARK "# GRUB Environment Block\n"
#define NAME "\nkernelopts="

/* The value begins behind NAME; its end is the end of the line. */
static size_t value_length(const char *value)
{
	size_t len = 0;

	while (value[len] && value[len] != '\n')
		len += value[len] == '\\' && value[len + 1] ? 2 : 1;
	return len;
}

/* The block with another value, and as much '#' as that leaves. */
static int rebuild(const char *path, const char *block, const char *value,
		   size_t old_len, const char *new_value, char out[BLOCK + 1],
		   struct err *e)
{
	const char *rest = value + old_len;
	size_t end = strlen(block), head = (size_t)(value - block), tail;

	while (end && block[end - 1] == '#')
		end--;
	tail = (size_t)(block + end - rest);
	if (head + strlen(new_value) + tail > BLOCK)
		return fail(e, ENOSPC, "%s: kernelopts would have %zu bytes, and "
			    "there is room for %zu; make it shorter in the guest "
			    "with grub2-editenv", path, strlen(new_value),
			    BLOCK - head - tail);
	memset(out, '#', BLOCK);
	out[BLOCK] = 0;
	memcpy(out, block, head);
	memcpy(out + head, new_value, strlen(new_value));
	memcpy(out + head + strlen(new_value), rest, tail);
	return 0;
}

static int change(struct plan *p, const char *path, const char *block,
		  plan_value_fn *fn, const char *code, const char *why,
		  struct err *e)
{
	const char *at = strstr(block, NAME);
	char *value, *changed = NULL, out[BLOCK + 1];
	size_t len;
	int rc;

	if (strlen(block) != BLOCK || strncmp(block, MARK, strlen(MARK)) || !at)
		return 0;
	at += strlen(NAME);
	len = value_length(at);
	if (at[len] != '\n')
		return 0;
	value = strndup(at, len);
	rc = value ? fn(p, value, &changed, e) :
		fail(e, ENOMEM, "no memory for a plan");
	if (!rc && changed)
		rc = rebuild(path, block, at, len, changed, out, e);
	if (!rc && changed)
		rc = plan_write(p, path, out, code, why, e);
	free(changed);
	free(value);
	return rc;
}

int plan_grubenv(struct plan *p, plan_value_fn *fn, const char *code,
		 const char *why, struct err *e)
{
	const char *config = p->g->boot.config, *slash = strrchr(config, '/');
	char *path, *block = NULL;
	int rc;

	if (p->g->boot.loader != LOADER_GRUB2 || !slash)
		return 0;
	path = str_printf("%.*s/grubenv", (int)(slash - config), config);
	rc = path ? plan_text(p, path, &block, e) :
		fail(e, ENOMEM, "no memory for a plan");
	if (!rc && block)
		rc = change(p, path, block, fn, code, why, e);
	free(block);
	free(path);
	return rc;
}
