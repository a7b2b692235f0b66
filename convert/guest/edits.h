/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edits.h - changes to a guest's files: planned first, shown, then made.
 *
 * Edits are kept in memory in the order in which they were planned.  Reading
 * through edits_read() sees them as if they were made, so that several parts
 * can change one file.  edits_apply() makes them on volumes that are open for
 * writing (an overlay), after the journal has been replayed; owner, mode and
 * security labels of a file that is replaced stay as they are.
 *
 * `code` is a stable word for programs ("fstab-uuid"), `why` a sentence for
 * people. Paths are the guest's; links are followed inside the guest only.  One
 * thread.
 */
#ifndef CONVERT_GUEST_EDITS_H
#define CONVERT_GUEST_EDITS_H

#include "convert/guest/tree.h"

struct json_t;
struct edits;

int edits_new(struct tree *t, struct edits **out, struct err *e);
void edits_free(struct edits *ed);
struct tree *edits_tree(struct edits *ed);

/* As tree_read() and tree_exists(), with the edits. */
int edits_read(struct edits *ed, const char *path, size_t max, char **data,
	       size_t *len, struct err *e);
bool edits_exists(struct edits *ed, const char *path);

/* What a new file, folder or link gets; an existing one keeps its own.  Folders
 * that are missing on the way are made, 0755 root.
 */
struct edit_new {
	const char *code, *why;
	uint32_t mode;		/* 0: 0644 (a folder: 0755) */
	uint32_t uid, gid;
};
/* The whole file.  Content that is as it was is no edit.  -EISDIR, -EINVAL:
 * what is there is no regular file; -ENOTSUP: its file system cannot be
 * changed.
 */
int edits_write(struct edits *ed, const char *path, const void *data, size_t len,
		const struct edit_new *n, struct err *e);
/* Behind the end of a file that exists (-ENOENT), for large ones: an initramfs.
 */
int edits_append(struct edits *ed, const char *path, const void *data,
		 size_t len, const struct edit_new *n, struct err *e);
/* In place of what has this name, be it a file or a link, but not a folder. */
int edits_symlink(struct edits *ed, const char *path, const char *target,
		  const struct edit_new *n, struct err *e);
int edits_mkdir(struct edits *ed, const char *path, const struct edit_new *n,
		struct err *e);
/* A file or link, or a folder with all that is in it, 0 if there is none;
 * -EBUSY: another volume is mounted there.
 */
int edits_remove(struct edits *ed, const char *path, const struct edit_new *n,
		 struct err *e);
size_t edits_count(const struct edits *ed);

/* For people: each edit's sentence, and a unified diff of text; for programs:
 * an array of { "code", "why", "path", "action" } with "diff" for text, "size"
 * for other content, "target" for a link; a new reference, NULL when out of
 * memory. "action" is create, write, append, link, mkdir or remove.
 */
char *edits_text(struct edits *ed, struct err *e);	/* the caller frees it */
struct json_t *edits_json(struct edits *ed);

/* Is there room for all of them?  -ENOSPC names the volume and says how many
 * bytes are missing.  edits_apply() asks it too, before it writes.
 */
int edits_check_room(struct edits *ed, struct err *e);
/* Make them on the volumes of the tree, whose disks are open for writing.  The
 * tree still shows the guest as it was: open the volumes anew.  After a
 * failure, or a power cut on the way, the volumes are of no use: there is no
 * journal about it. That is why the disks are overlays, which are thrown away
 * then.
 */
int edits_apply(struct edits *ed, struct err *e);

#endif
