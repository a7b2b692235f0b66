/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone.h - make clones of a machine that does not run.
 *
 *	source_open(names, n, &sargs, &source, e)
 *	clone_run(&source, &args, &result, e)
 *	clone_result_fini(&result)
 *
 * A clone has disks of its own (copies, or overlays on the source's), another
 * identity in its guest (reset.h) and a description of its own.  All clones of one
 * run appear together.  The source's content is never written; linked clones take
 * write permission from its files (base.h).
 */
#ifndef CLONE_CLONE_H
#define CLONE_CLONE_H

#include <stdatomic.h>

#include "clone/reset.h"
#include "convert/source/source.h"

#define CLONE_MAX 10000u	/* in one run */

struct clone_args {
	const char *dir;	/* made if it is missing */
	unsigned n, first;	/* how many; the first one's number */
	const char *name;	/* templates; NULL: NAME-clone or NAME-%d, and */
	const char *hostname;	/* ... the clone's name */
	bool linked;
	const char *format;	/* of copies: "qcow2" or "raw" */
	bool compress;		/* the copies */
	bool replace;		/* files that are there */
	const char *to;		/* machine_write()'s kind */
	struct machine_write_args target;	/* vmid: the first one's; the
						 * folder is DIR */
	const struct reset_wishes *wishes;
	bool list_edits;	/* fill in clone_one.edits */
	unsigned threads;	/* 0: one a core */
	/* Called by any thread, one at a time; bytes.  May be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	const atomic_int *cancel;	/* -ECANCELED when it is set; or NULL */
};

struct clone_one {
	char *name, *hostname;
	struct machine machine;		/* disks are named as seen from DIR */
	struct machine_output output;	/* the description's files */
	struct netconf_mac *macs;	/* the source's and its own */
	size_t n_macs;
	struct address address;		/* with wishes->has_address */
	char *public_keys;		/* SSH host keys that were made, lines;
					 * or NULL */
	struct json_t *edits;		/* [ { "code", "path", "action" } ] */
};

struct clone_result {
	struct clone_one *clones;
	size_t n;
	struct machine_notes losses;	/* what the target cannot say */
	uint64_t ns, key_ns;		/* time in all; of all threads for keys */
};

/* The i-th reason why it must not be cloned, NULL at the end: source_refusal()
 * without what only stands against a conversion (its boot loader, its kernels).
 */
const struct linux_refusal *clone_refusal(const struct source *s, size_t i);

/* -EALREADY: an earlier run had done it, see staging.h; -EPERM: there is a
 * clone_refusal().  clone_result_fini() in any case.
 */
int clone_run(struct source *s, const struct clone_args *args,
	      struct clone_result *result, struct err *e);
void clone_result_fini(struct clone_result *result);

#endif
