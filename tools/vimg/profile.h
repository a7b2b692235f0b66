/* SPDX-License-Identifier: GPL-2.0-or-later */
/* profile.h - what a product takes: options for making an image for it, and
 * rules by which to judge one.
 */
#ifndef VIMG_PROFILE_H
#define VIMG_PROFILE_H

#include "tools/cli/cli.h"
#include "tools/vimg/new_image.h"

struct profile;

/* By name: esx, aws, workstation; NULL if there is none. */
const struct profile *profile_find(const char *name);
/* "aws, esx or workstation" for messages. */
extern const char profile_names[];

/* Fill in the format and the -o options that the user has not given; -EINVAL
 * where what he has given contradicts the profile.
 */
int profile_apply(const struct profile *p, struct new_image *n, struct err *e);

/* Say on standard error what of `img` the profile does not allow, and how to
 * mend it: the number of violations, or a negative errno.
 */
int profile_check(const struct profile *p, struct img *img, const char *name,
		  struct err *e);

#endif
