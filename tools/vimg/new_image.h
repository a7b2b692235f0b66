/* SPDX-License-Identifier: GPL-2.0-or-later */
/* new_image.h - make an image file: what create, convert and dd share.
 *
 *	new_image_options()	what the user typed, checked and in one form
 *	new_image_backing()	the backing file can be opened; its size
 *	new_image_announce()	"Formatting 'x', fmt=..."
 *	new_image_begin()	the file exists (perhaps without a name) and
 *				holds an empty image
 *	new_image_end()		it gets its name, or nothing is left
 */
#ifndef VIMG_NEW_IMAGE_H
#define VIMG_NEW_IMAGE_H

#include "convert/copy/output.h"
#include "tools/cli/image.h"

struct new_image {
	const char *path;		/* as typed */
	const char *format;
	struct options options;		/* -o without what has a member here */
	uint64_t size;			/* bytes */
	bool has_size;
	const char *backing, *backing_format;	/* as to be stored, or NULL */
	struct options typed;		/* -o; owns the strings above */

	unsigned flags;			/* IMG_* for writing it */
	bool no_flush;			/* its name may come before its data */
	struct img *const *sources;	/* it must not be one of them */
	size_t n_sources;

	bool to_stdout;			/* `stream` is standard output */
	int stream;			/* -1 when a layer owns it */
	struct output *output;		/* NULL with to_stdout */
	struct img_resolver siblings;	/* what `output` offers */
	struct img *file;		/* until an image is stacked on it */
	char *made_data_file;		/* to remove on failure */
};

void new_image_fini(struct new_image *n);

/* Does the format exist, can it be created, and are the -o options (n->typed)
 * its own?  Takes size and backing file out of them.
 */
int new_image_options(struct new_image *n, struct err *e);

bool new_image_can_have_backing(const char *format);

/* Open the backing file to see that it is one, and take the size from it where
 * none is given.  The sentence is qemu-img's.
 */
int new_image_backing(struct cli *cli, struct new_image *n, bool unsafe,
		      struct err *e);

/* Where the backing file is, from here.  To be freed. */
char *new_image_backing_path(const struct new_image *n);

void new_image_announce(const struct cli *cli, const struct new_image *n);

/* With "-" for a path the image goes to standard output, and everything that is
 * printed from here on to standard error.  Call it before anything is.
 */
int new_image_take_stdout(struct cli *cli, struct new_image *n, struct err *e);

/* output_open(): nothing is changed yet. */
int new_image_open(struct new_image *n, struct err *e);
/* Write the empty image; afterwards n->file is it without a format on top. */
int new_image_write(struct cli *cli, struct new_image *n, struct err *e);
/* Put the format on top of n->file; *img owns it then. */
int new_image_stack(struct cli *cli, struct new_image *n, struct img **img,
		    struct err *e);
/* Close what is open and give the file its name, or with `failed` leave
 * nothing behind.  Returns the first failure.
 */
int new_image_end(struct new_image *n, int failed, struct err *e);

#endif
