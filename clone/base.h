/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base.h - the image that linked clones stand on: counted, and not writable.
 *
 * Beside BASE lies BASE.clones.json, which says what BASE was like when it was
 * first cloned, and which images stand on it:
 *
 *	{ "size": bytes, "mtime": "seconds.nanoseconds", "mode": 420,
 *	  "clones": [ "web-01-disk1.qcow2", ... ] }
 *
 * with names that count from BASE's folder.  It is only changed under a lock
 * (flock of BASE itself) and replaced as a whole.  Any thread.
 */
#ifndef CLONE_BASE_H
#define CLONE_BASE_H

#include "imgfmt/base/base.h"

/* May clones stand on it?  -EUCLEAN: clones do, and it has changed since, which
 * has damaged them.
 */
int base_check(const char *base, struct err *e);

/* Count `clones` and take write permission from the base.  Called before they get
 * their names, so that none is ever without its count, and once more behind that,
 * for names of clones that are gone are dropped at each call, by others too.
 */
int base_add(const char *base, const char *const *clones, size_t n,
	     struct err *e);
/* Drop the names of clones that are gone; a base without any gets its permissions
 * back, and its list goes.
 */
void base_tidy(const char *base);

struct base_state {
	bool counted;		/* there is a BASE.clones.json */
	bool changed;		/* since it was first cloned */
	char **clones;		/* that exist, as seen from here */
	size_t n_clones;
};
int base_state(const char *base, struct base_state *out, struct err *e);
void base_state_fini(struct base_state *s);

/* How a file is called from another file's folder: "../base.qcow2".  Both folders
 * must exist.  The caller frees it.
 */
int base_relative(const char *file, const char *from_folder, char **out,
		  struct err *e);

#endif
