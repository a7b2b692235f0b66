/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cid.c - a new content ID in the descriptor: children of this disk notice that
 * it has changed.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "imgfmt/base/buf.h"
#include "write.h"

/* Where do the 32 digits of ddb.longContentID stand?  0: not there. */
static size_t find_content_id(const char *text)
{
	const char *at = strcasestr(text, "ddb.longContentID");
	size_t n = 0;

	if (!at)
		return 0;
	at += strlen("ddb.longContentID");
	at += strspn(at, " \t=\"");
	while (isxdigit((unsigned char)at[n]))
		n++;
	return n == 32 ? (size_t)(at - text) : 0;
}

/* Put both into the text; *from and *to: what has changed. */
static int patch(struct vmdk *s, char *text, size_t *from, size_t *to)
{
	size_t at = find_content_id(text);
	int digits = (int)s->d.cid_digits;
	char id[33], number[16];
	uint32_t cid;
	int rc = vmdk_random_cid(s->d.cid, &cid);

	if (digits < 8)
		cid &= (1u << (4 * digits)) - 1;
	if (!rc)
		rc = vmdk_random_content_id(cid, id);
	if (rc)
		return rc;
	snprintf(number, sizeof(number), "%0*" PRIx32, digits, cid);
	*from = s->d.cid_at;
	*to = *from + (size_t)digits;
	memcpy(text + *from, number, (size_t)digits);
	if (at) {
		memcpy(text + at, id, 32);
		*from = (size_t)min_u64(*from, at);
		*to = (size_t)max_u64(*to, at + 32);
		rc = vmdk_key_set(&s->d, "ddb.longContentID", id);
	}
	if (!rc)
		s->d.cid = cid;
	return rc;
}

int vmdk_renew_cid(struct vmdk *s)
{
	size_t len = (size_t)s->desc_room, from, to;
	char *text;
	int rc;

	if (!s->has_descriptor || !s->d.cid_digits || s->d.cid_digits > 8 ||
	    !in_range(s->d.cid_at, s->d.cid_digits, len))
		return 0;
	text = array_alloc(len + 1, 1);
	if (!text)
		return -ENOMEM;
	rc = img_read(s->file, text, len, s->desc_offset);
	if (!rc)
		rc = patch(s, text, &from, &to);
	if (!rc)
		rc = img_write(s->file, text + from, to - from,
			       s->desc_offset + from);
	free(text);
	return rc;
}
