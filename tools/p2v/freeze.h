/* SPDX-License-Identifier: GPL-2.0-or-later */
/* freeze.h - let mounted file systems stand still, and be sure that they go on. */
#ifndef TOOLS_P2V_FREEZE_H
#define TOOLS_P2V_FREEZE_H

#include "convert/capture/mounts.h"

/* Freezing (FIFREEZE).  A child process thaws them when freezer_thaw() is called,
 * when this process ends, however that is, and after `timeout_s` seconds.
 *
 * -EBUSY: `folder`, where output goes, or one of the first three descriptors
 * lies on one of them, so that we would wait for ourselves.  -EOPNOTSUPP: a file
 * system cannot.  Nothing is frozen after a failure.
 */
struct freezer;
int freezer_freeze(const struct mounts *m, const char *folder,
		   unsigned timeout_s, struct freezer **out, struct err *e);
/* -ETIMEDOUT: they were thawed before; what was read since is not consistent. */
int freezer_thaw(struct freezer *f, struct err *e);

#endif
