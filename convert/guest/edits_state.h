/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edits_state.h - planned edits in memory.  Internal to edits.h.
 *
 * What the guest's files would be is not kept: it follows from the list, looked
 * through from its end.
 */
#ifndef CONVERT_GUEST_EDITS_STATE_H
#define CONVERT_GUEST_EDITS_STATE_H

#include "convert/guest/edits.h"
#include "convert/guest/tree_walk.h"

enum edit_action {
	EDIT_CREATE, EDIT_WRITE, EDIT_APPEND, EDIT_LINK, EDIT_MKDIR,
	EDIT_REMOVE,
};

struct edit {
	enum edit_action action;
	char *path;		/* absolute, without links */
	const struct volume *volume;
	char *code, *why;
	uint32_t mode, uid, gid;
	uint8_t *data;		/* content, or a link's target; a NUL behind */
	size_t len;
	uint64_t old_size;	/* bytes that become free */
	bool replaces;		/* EDIT_LINK: something else has the name */
	char *diff;		/* NULL: not text */
};

struct edits {
	struct tree *tree;
	struct edit *list;
	size_t n, cap;
};

void edit_fini(struct edit *d);
/* tree_walk() and tree_read_node(), with the edits. */
int edits_walk(struct edits *ed, const char *path, unsigned flags,
	       struct tree_spot *out, struct err *e);
int edits_read_spot(struct edits *ed, const struct tree_spot *s, size_t max,
		    char **data, size_t *len, struct err *e);

#endif
