/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone_disks.c - one clone's disks: made, then edited. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clone/clone_state.h"
#include "convert/copy/image_file.h"
#include "convert/guest/edits.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/json.h"

/* Small clusters keep an overlay small that has one changed block here and there:
 * a reset changes some forty.
 */
static const struct img_kv overlay_options[] = {
	{ "cluster_size", "16k" }, { "lazy_refcounts", "off" },
};

/* The base is open already, for all clones. */
static int give_base(void *arg, const char *referrer, const char *name,
		     const char *format, unsigned flags,
		     const struct img_resolver *self, struct img **out,
		     struct err *e)
{
	(void)referrer, (void)name, (void)format, (void)flags, (void)self;
	return img_borrow(arg, 0, out, e);
}

static int make_overlay(struct run *run, size_t i, const char *path,
			struct img **out, struct err *e)
{
	struct img *base = run->source->imgs[i];
	struct img_resolver resolver = { .open = give_base, .arg = base };
	struct image_file_args args = {
		.create = {
			.format = "qcow2", .size = img_size(base),
			.options = overlay_options,
			.n_options = sizeof(overlay_options) /
				     sizeof(overlay_options[0]),
			.backing = run->backing[i],
			.backing_format = run->source->disks[i].format,
		},
		.resolver = &resolver, .flags = IMG_NO_FLUSH | IMG_NO_LOCK,
	};

	return image_file_create(path, &args, out, e);
}

struct copying {
	struct run *run;
	uint64_t told;		/* bytes of this disk */
};

static void show_copy(void *arg, const struct copy_progress *p)
{
	struct copying *c = arg;

	clone_advance(c->run, p->done - c->told);
	c->told = p->done;
}

static int make_copy(struct run *run, size_t i, const char *path,
		     struct img **out, struct err *e)
{
	const struct clone_args *a = run->args;
	struct copying copying = { .run = run };
	struct image_file_args args = {
		.create.format = a->format, .flags = IMG_NO_FLUSH,
	};
	struct img_open_args open = {
		.format = a->format,
		.flags = IMG_WRITE | IMG_NO_FLUSH | IMG_NO_LOCK,
	};
	struct copy_args how = {
		.compress = a->compress, .threads = a->threads,
		.progress = show_copy, .arg = &copying, .cancel = a->cancel,
	};
	struct copy_result result;
	int rc = image_file_copy(run->source->imgs[i], path, &args, &how,
				 &result, e);

	copy_result_fini(&result);
	return rc ? rc : img_open(path, &open, out, e);
}

/* What was edited, without the content: it has keys in it. */
static int list_edits(struct clone_one *one, struct edits *ed, struct err *e)
{
	json_t *o;
	size_t i;

	one->edits = edits_json(ed);
	json_array_foreach(one->edits, i, o)
		json_object_del(o, "diff");
	return one->edits ? 0 : fail(e, ENOMEM, "out of memory");
}

static int edit(struct run *run, struct clone_one *one, struct tree *tree,
		struct err *e)
{
	struct reset_clone clone = {
		.hostname = one->hostname, .address = one->address,
		.macs = one->macs, .n_macs = one->n_macs,
	};
	struct edits *ed;
	int rc = edits_new(tree, &ed, e);

	if (rc)
		return rc;
	rc = reset_plan(run->source->guest, run->args->wishes, &clone, ed, e);
	one->public_keys = clone.public_keys;
	if (!rc && run->args->list_edits)
		rc = list_edits(one, ed, e);
	if (!rc && edits_count(ed))
		rc = edits_apply(ed, e);
	edits_free(ed);
	pthread_mutex_lock(&run->lock);
	run->key_ns += clone.key_ns;
	pthread_mutex_unlock(&run->lock);
	return rc;
}

/* The clone's volumes are those of the source: same content, same order. */
static int edit_guest(struct run *run, struct clone_one *one,
		      struct img *const *disks, struct err *e)
{
	struct volumes v = { 0 };
	struct tree *tree = NULL;
	int rc = volumes_open(disks, run->source->n_disks, &v, e);

	if (!rc && run->root >= v.n)
		rc = fail(e, EIO, "the clone's disks are not the source's");
	if (!rc)
		rc = tree_open(&v, &v.list[run->root], &tree, e);
	if (!rc)
		rc = edit(run, one, tree, e);
	if (tree)
		tree_close(tree);
	volumes_close(&v);
	return rc;
}

static const char *disk_name(const struct run *run, const struct clone_one *one,
			     size_t i)
{
	return one->machine.disks[run->source->disks[i].index].file;
}

int clone_make_disks(struct run *run, struct clone_one *one, struct err *e)
{
	size_t n = run->source->n_disks, made = 0;
	struct img **disks = array_alloc(n, sizeof(*disks));
	int rc = disks ? 0 : fail(e, ENOMEM, "out of memory"), one_rc;

	for (; made < n && !rc; made += !rc) {
		char *path = staging_path(run->staging,
					  disk_name(run, one, made));

		if (!path)
			rc = fail(e, ENOMEM, "out of memory");
		else if (run->args->linked)
			rc = make_overlay(run, made, path, &disks[made], e);
		else
			rc = make_copy(run, made, path, &disks[made], e);
		free(path);
		if (!rc && run->args->linked)
			clone_advance(run, img_size(disks[made]));
	}
	if (!rc)
		rc = edit_guest(run, one, disks, e);
	while (made-- > 0) {
		one_rc = img_close(disks[made], rc ? NULL : e);
		rc = rc ? rc : one_rc;
	}
	free(disks);
	return rc;
}
