/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert.h - vimg convert: what the command line said, and doing it. */
#ifndef VIMG_CONVERT_H
#define VIMG_CONVERT_H

#include "tools/cli/progress.h"
#include "tools/vimg/new_image.h"
#include "tools/vimg/profile.h"

struct convert {
	struct image source;		/* its name is not used */
	char **names;			/* of the sources, as typed */
	size_t n_names;
	struct new_image out;		/* with -n only the path counts */

	bool skip_create;		/* -n */
	bool target_opts;		/* the target is an option string */
	bool target_is_zero;
	bool compress;
	int level;
	uint64_t sparse;		/* -S; UINT64_MAX: not given */
	bool out_of_order;
	unsigned threads;
	uint64_t rate;			/* bytes a second, 0: no limit */
	bool salvage;
	bool offload;			/* -C */
	bool bitmaps, skip_broken_bitmaps;
	const char *target_cache, *source_cache;
	enum progress_mode progress;
	const struct profile *profile;	/* NULL: none */
	bool help;			/* -o help */
};

/* The exit status. */
int convert_images(struct cli *cli, struct convert *c);

#endif
