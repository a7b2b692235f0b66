/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone_state.h - one run of clone_run().  Internal to clone. */
#ifndef CLONE_CLONE_STATE_H
#define CLONE_CLONE_STATE_H

#include <pthread.h>

#include "clone/clone.h"
#include "convert/copy/staging.h"

struct run {
	struct source *source;
	const struct clone_args *args;
	struct clone_result *result;
	struct staging *staging;
	size_t root;			/* its index among the volumes */
	char **backing;			/* linked: a name a disk, as seen from
					 * DIR */
	/* Shared by the workers. */
	pthread_mutex_t lock;
	size_t next;			/* the clone to be taken */
	uint64_t done, total;		/* bytes */
	uint64_t key_ns;
	int rc;				/* the first failure, and */
	struct err e;			/* ... its sentence */
};

/* clone_names.c: names and machines; then, when DIR is there, the descriptions, in
 * memory.
 */
int clone_name_all(struct run *run, struct err *e);
int clone_describe_all(struct run *run, struct err *e);

/* clone_disks.c: one clone's disks, made and edited in the staging folder.  Any
 * thread.
 */
int clone_make_disks(struct run *run, struct clone_one *one, struct err *e);
bool clone_cancelled(const struct run *run);
void clone_advance(struct run *run, uint64_t bytes);

#endif
