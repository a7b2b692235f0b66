/* SPDX-License-Identifier: GPL-2.0-or-later */
/* staging.h - several files that appear in a folder together, or not at all.
 *
 *	staging_open(dir, "web", false, &s, e)
 *	... make files at staging_path(s, "web-disk1.qcow2") and so on ...
 *	staging_commit(s, e)	or staging_abort(s)
 *
 * They are made in DIR/.NAME.partial/, where one process works at a time.  Commit
 * flushes them, writes the list of them, which is the point of no return, and gives
 * them their names in DIR.  What was killed before that list leaves only the
 * hidden folder, which the next staging_open() of the same name empties; what was
 * killed after it is put in place then, and staging_open() says so with -EALREADY.
 * A DIR that staging_open() made, and that stays empty, is removed at the end.
 *
 * One thread at a time.
 */
#ifndef CONVERT_STAGING_H
#define CONVERT_STAGING_H

#include "imgfmt/base/base.h"

struct staging;

/* DIR is made if it is missing (one level).  `name` holds no slash.  `keep` leaves
 * what an earlier run that was killed has made, to go on with it (--resume).
 * -EPERM: the hidden folder is one that somebody else can write to (in /tmp, say).
 * -EBUSY: another process is at it.  -EALREADY: an earlier run had done its work,
 * and its files are in place now.
 */
int staging_open(const char *dir, const char *name, bool keep,
		 struct staging **out, struct err *e);

/* Where to make a file, and where it will be.  The caller frees both. */
char *staging_path(const struct staging *s, const char *file);
char *staging_final(const struct staging *s, const char *file);

/* -EEXIST with a sentence if DIR/file is there already: to be asked before the
 * work.
 */
int staging_check(const struct staging *s, const char *file, struct err *e);

/* This file is to appear.  One of that name is replaced or, without `replace`,
 * -EEXIST.
 */
int staging_claim(struct staging *s, const char *file, bool replace,
		  struct err *e);

/* Files that were not claimed do not appear, and are gone.  `s` is gone in any case;
 * after a failure before the point of no return nothing has appeared.
 */
int staging_commit(struct staging *s, struct err *e);

/* Nothing is left; NULL is allowed. */
void staging_abort(struct staging *s);
/* The same, but what was made stays for `keep` of a later run. */
void staging_leave(struct staging *s);

#endif
