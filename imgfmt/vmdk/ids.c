/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ids.c - content IDs and UUIDs, in VMware's forms. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "create.h"

static int get_random(void *buf, size_t len)
{
	ssize_t n;

	do
		n = getrandom(buf, len, 0);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

/* The last two values have meanings of their own. */
int vmdk_random_cid(uint32_t old, uint32_t *cid)
{
	int rc;

	do
		rc = get_random(cid, sizeof(*cid));
	while (!rc && (*cid >= VMDK_CID_NONE - 1 || *cid == old || !*cid));
	return rc;
}

int vmdk_random_content_id(uint32_t cid, char out[33])
{
	uint32_t r[3];
	int rc = get_random(r, sizeof(r));

	snprintf(out, 33, "%08" PRIx32 "%08" PRIx32 "%08" PRIx32 "%08" PRIx32,
		 r[0], r[1], r[2], cid);
	return rc;
}

/* "60 00 C2 9x ..." is VMware's own range. */
int vmdk_random_uuid(char out[48])
{
	uint8_t id[16];
	int rc = get_random(id, sizeof(id));
	int at = 0;

	id[0] = 0x60;
	id[1] = 0x00;
	id[2] = 0xc2;
	id[3] = (uint8_t)(0x90 | (id[3] & 0x0f));
	for (unsigned i = 0; i < 16; i++)
		at += snprintf(out + at, 48 - (size_t)at, "%02X%s", id[i],
			       i == 15 ? "" : i == 7 ? "-" : " ");
	return rc;
}
