/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edits_show.c - planned edits for people and for programs. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "convert/guest/edits_state.h"
#include "imgfmt/base/json.h"

static const char *action_name(enum edit_action action)
{
	static const char *const names[] = {
		[EDIT_CREATE] = "create", [EDIT_WRITE] = "write",
		[EDIT_APPEND] = "append", [EDIT_LINK] = "link",
		[EDIT_MKDIR] = "mkdir", [EDIT_REMOVE] = "remove",
	};

	return names[action];
}

static void put_action(FILE *f, const struct edit *d)
{
	switch (d->action) {
	case EDIT_CREATE:
		fprintf(f, "new file of %zu bytes", d->len);
		break;
	case EDIT_WRITE:
		fprintf(f, "rewritten, %zu bytes, were %" PRIu64, d->len,
			d->old_size);
		break;
	case EDIT_APPEND:
		fprintf(f, "%zu bytes appended", d->len);
		break;
	case EDIT_LINK:
		fprintf(f, "%s to %s", d->replaces ? "replaced by a link" :
			"new link", (char *)d->data);
		break;
	case EDIT_MKDIR:
		fputs("new folder", f);
		break;
	case EDIT_REMOVE:
		fputs("removed", f);
	}
}

char *edits_text(struct edits *ed, struct err *e)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; f && i < ed->n; i++) {
		const struct edit *d = &ed->list[i];

		fprintf(f, "%s: %s\n    %s: ", d->code, d->why, d->path);
		put_action(f, d);
		fprintf(f, "\n%s", d->diff ? d->diff : "");
	}
	if (!f || ferror(f) | fclose(f)) {
		free(text);
		fail(e, ENOMEM, "out of memory");
		return NULL;
	}
	return text;
}

static json_t *one(const struct edit *d)
{
	json_t *o = json_object();

	json_put_string(o, "code", d->code);
	json_put_string(o, "why", d->why);
	json_object_set_new(o, "path", json_text(d->path));
	json_put_string(o, "action", action_name(d->action));
	if (d->diff)
		json_object_set_new(o, "diff", json_text(d->diff));
	else if (d->action <= EDIT_APPEND)
		json_put_size(o, "size", d->len);
	if (d->action == EDIT_LINK)
		json_object_set_new(o, "target", json_text((char *)d->data));
	return o;
}

json_t *edits_json(struct edits *ed)
{
	json_t *all = json_array();

	for (size_t i = 0; all && i < ed->n; i++) {
		if (json_array_append_new(all, one(&ed->list[i]))) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}
