/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.h - the file that a conversion writes.
 *
 * A new file has no name until output_commit(): it is O_TMPFILE where the file
 * system can do that, else ".NAME.partial" beside its place, so that neither a
 * failure nor kill -9 leaves half an image under the final name.  A file that
 * exists is written in place: it keeps its inode, owner, mode, links.  It is
 * emptied again when the conversion fails (kill -9 excepted: that leaves what
 * was written).  A block device is written as it is; one that is mounted is
 * refused.
 *
 * The way of a conversion:
 *
 *	output_open(path, &args, &out, e)	refuses a source of its own
 *	output_space(out, needed, e)		says when the disk is too small
 *	output_layer(out, flags, &file, e)	takes the lock, loses nothing
 *	output_begin(out, e)			an existing file is emptied
 *	img_create(file, ...), img_stack(file, ...), copy_run(...), img_close()
 *	output_commit(out, e)			or output_abort(out)
 *
 * One thread at a time.
 *
 * An image may consist of several files.  output_resolver() lets the format
 * make the others: same rules, names only in the same folder.  They get their
 * names before the file itself does.
 */
#ifndef CONVERT_OUTPUT_H
#define CONVERT_OUTPUT_H

#include "imgfmt/imgfmt.h"

struct output;

struct output_args {
	/* Images being read: writing over any file of theirs (of their backing
	 * chains and layers, too) is refused.  May be NULL.
	 */
	struct img *const *sources;
	size_t n_sources;
	bool no_flush;		/* commit does not wait for the disk */
	bool no_replace;	/* refuse a path that exists (-EEXIST) */
	bool visible;		/* ".NAME.partial" even where O_TMPFILE works */
};

int output_open(const char *path, const struct output_args *args,
		struct output **out, struct err *e);

/* Does this file still have `needed` bytes to grow?  What an existing file
 * takes counts as free.  -ENOSPC with both numbers if not; a block device must
 * be that large.
 */
int output_space(const struct output *out, uint64_t needed, struct err *e);

/* The file as a layer, by img_file_fd() with IMG_WRITE | flags; the caller
 * closes it before commit or abort.
 */
int output_layer(struct output *out, unsigned flags, struct img **file,
		 struct err *e);

/* A resolver that makes siblings of the output, and opens them as long as they
 * have no names; all else is left to `others`, which has to outlive it, as does
 * `out`.
 */
struct img_resolver output_resolver(struct output *out,
				    const struct img_resolver *others);

/* From here on the old content is gone. */
int output_begin(struct output *out, struct err *e);

bool output_is_device(const struct output *out);
/* Will it read as zeroes after output_begin()?  True but for devices. */
bool output_is_zero(const struct output *out);

/* Flush the file, give it its name, flush the folder.  `out` is gone in any
 * case; on failure it is as after output_abort().
 */
int output_commit(struct output *out, struct err *e);

/* Leave nothing behind; NULL is allowed. */
void output_abort(struct output *out);

#endif
