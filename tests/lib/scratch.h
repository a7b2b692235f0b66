/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scratch.h - a folder for a test's files. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

/* Make an empty folder below TMPDIR or /tmp and go there; it is removed with
 * all that is in it when the program exits.
 */
void scratch_enter(void);

/* How many names the folder `path` has, "." and ".." left out. */
unsigned count_names(const char *path);

#endif
