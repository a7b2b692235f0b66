/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_swap.c - swap space, in partitions and files, and whether the guest sleeps
 * in it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/linux_state.h"

#define PAGE 4096u		/* of the machines that are converted */

static bool is_resumable(const struct linux_guest *g, const struct volume *v)
{
	for (size_t i = 0; i < g->n_swaps; i++)
		if (g->swaps[i].volume == v)
			return true;
	return false;
}

/* resume= of the command line, else what initramfs-tools was told. */
static int find_resume(struct linux_guest *g, struct err *e)
{
	const char *at = strstr(g->boot.cmdline, "resume=");
	char *text, *rest, *line, *value;
	int rc;

	if (at) {
		at += 7;
		g->resume = linux_printf(g, "%.*s", (int)strcspn(at, " \t"), at);
		return 0;
	}
	rc = linux_text(g, "/etc/initramfs-tools/conf.d/resume", &text, e);
	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest)))
		if ((value = text_value(line, "RESUME")))
			g->resume = linux_keep(g, value);
	free(text);
	return 0;
}

static void refuse_hibernated(struct linux_guest *g, const char *where)
{
	linux_refuse(g, "hibernated", "Boot it on its old host once more and shut "
		     "it down.", "The guest is hibernated: %s holds its memory.",
		     where);
}

/* A swap file of fstab; one that is not there, or cannot be read, is not asked. */
static bool file_hibernated(struct linux_guest *g, const char *path)
{
	uint8_t signature[FS_SWAP_SIGNATURE];
	struct tree_node node;

	return !tree_find(g->tree, path, 0, &node, NULL) &&
	       S_ISREG(node.stat.mode) && node.stat.size >= PAGE &&
	       !fs_read(node.volume->fs, node.stat.ino, signature,
			sizeof(signature), PAGE - sizeof(signature), NULL) &&
	       fs_is_hibernated(signature);
}

/* resume_offset=: where a swap file's first page lies on the device of resume=. */
static int check_offset(struct linux_guest *g, struct err *e)
{
	const char *at = strstr(g->boot.cmdline, "resume_offset=");
	uint8_t signature[FS_SWAP_SIGNATURE];
	const struct volume *v;
	uint64_t page, offset;
	char device[256];
	bool by_path;
	int rc;

	if (!at)
		at = strstr(g->resume, "resume_offset=");
	if (!at || sscanf(at + 14, "%" SCNu64, &page) != 1)
		return 0;
	snprintf(device, sizeof(device), "%.*s", (int)strcspn(g->resume, " \t"),
		 g->resume);
	v = tree_device(g->tree, device, &by_path);
	if (!v || !mul_ok(page, PAGE, &offset) || !in_range(offset, PAGE, v->len))
		return 0;
	rc = img_read(v->img, signature, sizeof(signature),
		      offset + PAGE - sizeof(signature));
	if (rc)
		return fail_rc(e, rc, "reading the swap file at page %" PRIu64,
			       page);
	if (fs_is_hibernated(signature))
		refuse_hibernated(g, "the swap file that resume_offset= names");
	return 0;
}

int linux_swap(struct linux_guest *g, const struct volumes *v, struct err *e)
{
	bool asleep = false;
	int rc;

	const struct tree_mount *m;
	struct linux_swap *s;
	char name[VOLUME_NAME_LEN];
	size_t n;

	m = tree_mounts(g->tree, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(m[i].type, "swap"))
			continue;
		s = linux_more(g, &g->swaps, &g->n_swaps, sizeof(*s));
		if (!s)
			break;
		s->spec = linux_keep(g, m[i].spec);
		s->volume = m[i].volume;
	}
	for (size_t i = 0; i < v->n; i++) {
		if (strcmp(v->list[i].id->type, "swap") &&
		    !v->list[i].id->hibernated)
			continue;
		if (is_resumable(g, &v->list[i]))
			continue;
		s = linux_more(g, &g->swaps, &g->n_swaps, sizeof(*s));
		if (!s)
			break;
		s->spec = g->pool->empty;
		s->volume = &v->list[i];
	}
	for (size_t i = 0; i < g->n_swaps; i++) {
		s = &g->swaps[i];
		s->hibernated = s->volume ? s->volume->id->hibernated :
			*s->spec == '/' && file_hibernated(g, s->spec);
		if (s->hibernated)
			refuse_hibernated(g, s->volume ? volume_name(s->volume,
								     name) :
					  s->spec);
		asleep |= s->hibernated;
	}
	rc = find_resume(g, e);
	return rc || asleep ? rc : check_offset(g, e);
}
