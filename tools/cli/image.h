/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.h - open images as the command line names them.
 *
 * A name is a local file's ("file:NAME" too); names of other protocols and
 * "json:" are refused.  With --image-opts it is an option string: driver=,
 * file.filename=, nested file.file.…, offset= and size= of a raw layer,
 * member= of a package.
 */
#ifndef TOOLS_IMAGE_H
#define TOOLS_IMAGE_H

#include "tools/cli/cli.h"
#include "tools/cli/options.h"

struct image {
	const char *name;	/* as typed: a file, or an option string */
	const char *format;	/* -f; NULL: probe */
	bool opts;		/* `name` is an option string */
	unsigned flags;		/* IMG_* besides what the options imply */
	/* An internal snapshot: ID_OR_NAME or "snapshot.id=,snapshot.name=". */
	const char *snapshot;
	const char *backing, *backing_format;	/* as in img_open_args */
	bool pipe;		/* may come through one ("-": standard input)
				 * but for qemu-img's face */
	bool any_disk;		/* --disk may be about another image */
};

/* The file's name in what the user typed; an error for other protocols.  To be
 * freed on success.
 */
int image_file_name(const char *typed, char **name, struct err *e);

/* Open without printing: the sentence does not yet name the image. */
int image_try_open(struct cli *cli, const struct image *im, struct img **out,
		   struct err *e);

/* Open; prints an error. */
int image_open(struct cli *cli, const struct image *im, struct img **out);

/* A package (ova), whose disk --disk chooses; a raw layer may show it. */
bool image_is_package(struct img *img);

/* Print "Could not open 'name': why". */
void image_open_error(const struct cli *cli, const char *name,
		      const struct err *e);

/* How to show the name: the file's, or "json:{...}" for a stack that no file
 * name can describe.  To be freed; NULL when out of memory.
 */
char *image_shown_name(const struct image *im);

/* -f together with --image-opts is refused (with a message: false). */
bool image_args_ok(const struct cli *cli, const char *format);

/* Warn when a raw image was guessed although it is going to be written. */
void image_warn_guess(const struct image *im, const struct img *img);

#endif
