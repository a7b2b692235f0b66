/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.h - machines that are not to be taken as they are.  Internal to source. */
#ifndef CONVERT_SOURCE_REFUSE_H
#define CONVERT_SOURCE_REFUSE_H

#include "convert/source/source.h"

/* What the description alone tells. */
int refuse_machine(struct source *s, struct err *e);
/* `e` has the sentence of the disk that is locked; becomes a refusal, and 0. */
int refuse_in_use(struct source *s, struct err *e);
/* `e` has the sentence that says why what the snapshots of disk `index` stand on cannot
 * be opened; becomes a refusal, and 0.
 */
int refuse_chain(struct source *s, size_t index, const char *name,
		 struct err *e);
void refusals_free(struct source *s);

#endif
