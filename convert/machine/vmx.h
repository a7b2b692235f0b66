/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmx.h - the settings of a VMX file: key = "value" lines in some encoding.
 * Internal to convert/machine.
 *
 * A line that begins with '#' is a comment.  Keys are compared without regard to
 * case; of one that comes twice the last counts.  |XX in a value is the byte with
 * that number.  The encoding is in a line .encoding, else UTF-8, or windows-1252
 * where the text is not that.
 */
#ifndef CONVERT_MACHINE_VMX_H
#define CONVERT_MACHINE_VMX_H

#include "build.h"

struct vmx_line {
	char *key, *value;	/* UTF-8; in lower case, and as it stands */
	unsigned number;	/* of the line, from 1 */
};

struct vmx {
	char *text;		/* what keys and values point into */
	struct vmx_line *lines;	/* sorted by key, each key once */
	size_t n, cap;
};

/* Notes of what is odd go to the reader's machine. */
int vmx_parse(struct reader *r, struct vmx *out);
void vmx_free(struct vmx *v);

/* `fmt` makes the key, in lower case.  NULL: not there. */
const char *vmx_get(const struct vmx *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Is it there, and true? */
bool vmx_true(const struct vmx *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The first line whose key begins with `prefix`, and the one behind it; NULL. */
const struct vmx_line *vmx_with(const struct vmx *v, const char *prefix);

/* vmsd.c: what is said of snapshots in the file beside the .vmx `path`, if there is
 * one: their number and notes.
 */
int vmsd_read(const char *path, struct machine *m, struct err *e);

/* vmx_devices.c */
int vmx_read_disks(struct reader *r, const struct vmx *v);
int vmx_read_nics(struct reader *r, const struct vmx *v);
int vmx_read_ports(struct reader *r, const struct vmx *v);

#endif
