/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template.h - names that count: "web-%02d" is web-01, web-02, ...
 *
 * A template has at most one "%d", "%Nd" or "%0Nd" (N from 1 to 9), and "%%" for a
 * percent sign.  Any thread.
 */
#ifndef CLONE_TEMPLATE_H
#define CLONE_TEMPLATE_H

#include "imgfmt/base/base.h"

/* May it name `n` things?  -EINVAL: it has another "%", or all of them would have
 * the same name.  `option` ("--name") heads the sentence.
 */
int template_check(const char *option, const char *text, unsigned n,
		   struct err *e);
/* The name for `number`, which the caller frees; NULL: out of memory.  `text` has
 * passed template_check().
 */
char *template_expand(const char *text, unsigned number);

/* Can it be part of a file's name, and a machine's?  -EINVAL. */
int template_file_name(const char *option, const char *name, struct err *e);
/* Is it a host name (RFC 1123: letters, digits, hyphens, perhaps with dots)? */
int template_host_name(const char *option, const char *name, struct err *e);
/* Something of `name` that is a host name, which the caller frees: "Web 1" becomes
 * "web-1".  NULL: out of memory.
 */
char *template_make_host_name(const char *name);

#endif
