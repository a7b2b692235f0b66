/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ovf_refs.h - the files that an OVF descriptor refers to, as far as reading and
 * packing them needs: the attributes of its File elements.  This is no XML
 * parser; it knows tags, attributes, comments and CDATA.
 */
#ifndef BASE_OVF_REFS_H
#define BASE_OVF_REFS_H

#include "base.h"

struct ova_ref {
	char *href;		/* decoded: entities and %20 */
	uint64_t size;		/* bytes; UINT64_MAX: not stated */
};

struct ova_refs {
	struct ova_ref *refs;
	size_t n, cap;
};

/* `text` ends with a NUL; `name` is for messages.  References to other hosts
 * ("http://...") are left out.  -EINVAL: this is no descriptor.
 */
int ova_refs_parse(const char *text, size_t len, const char *name,
		   struct ova_refs *out, struct err *e);
void ova_refs_free(struct ova_refs *r);

/* The escapes of a URI ("%20"), in place; "%00" stays. */
void ova_href_decode(char *href);

#endif
