/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* luks.c - what the LUKS header inside an encrypted image says.  Specification:
 * LUKS On-Disk Format Specification 1.2.3, "phdr" and "key slot".
 *
 *   offset size
 *      0    6   magic "LUKS\xba\xbe"
 *      6    2   version, 1
 *      8   32   cipher name
 *     40   32   cipher mode: "xts-plain64", "cbc-essiv:sha256"
 *     72   32   hash
 *    104    4   payload offset, sectors
 *    108    4   key length, bytes
 *    112   52   digest and salt of the master key
 *    164    4   iterations for it
 *    168   40   UUID
 *    208  8*48  slots: active (4), iterations (4), salt (32), offset of the key
 *               material in sectors (4), stripes (4)
 */
#include <stdio.h>
#include <string.h>

#include "luks.h"

#define LUKS_LEN 592u
#define SLOT_ACTIVE 0x00ac71f3u
#define N_SLOTS 8u

static void set_int(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

/* A field of the header, which need not end with a NUL. */
static void field(const uint8_t *p, size_t len, char *out)
{
	memcpy(out, p, len);
	out[len] = '\0';
}

/* In the order in which qemu-img prints them. */
static void set_cipher(json_t *o, const uint8_t *p)
{
	char name[33], mode[33], hash[33], alg[48], uuid[41];
	char *ivgen, *ivhash = NULL;
	unsigned bits = get_be32(p + 108) * 8;

	field(p + 8, 32, name);
	field(p + 40, 32, mode);
	field(p + 72, 32, hash);
	ivgen = strchr(mode, '-');
	if (ivgen) {
		*ivgen++ = '\0';
		ivhash = strchr(ivgen, ':');
		if (ivhash)
			*ivhash++ = '\0';
	}
	/* XTS has two keys in one. */
	if (!strcmp(mode, "xts"))
		bits /= 2;
	snprintf(alg, sizeof(alg), "%s-%u", name, bits);
	if (ivgen)
		json_object_set_new(o, "ivgen-alg", json_string(ivgen));
	if (ivhash)
		json_object_set_new(o, "ivgen-hash-alg", json_string(ivhash));
	json_object_set_new(o, "hash-alg", json_string(hash));
	json_object_set_new(o, "cipher-alg", json_string(alg));
	field(p + 168, 40, uuid);
	json_object_set_new(o, "uuid", json_string(uuid));
	json_object_set_new(o, "format", json_string("luks"));
	json_object_set_new(o, "cipher-mode", json_string(mode));
}

static json_t *slots(const uint8_t *p)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < N_SLOTS; i++, p += 48) {
		bool active = get_be32(p) == SLOT_ACTIVE;
		json_t *o = json_object();

		json_object_set_new(o, "active", json_boolean(active));
		if (active)
			set_int(o, "iters", get_be32(p + 4));
		set_int(o, "key-offset", (uint64_t)get_be32(p + 40) * 512);
		if (active)
			set_int(o, "stripes", get_be32(p + 44));
		json_array_append_new(list, o);
	}
	return list;
}

void qcow2_luks_info(const struct qcow2 *s, json_t *o)
{
	uint8_t p[LUKS_LEN];

	if (s->h.crypto_len < LUKS_LEN ||
	    !in_range(s->h.crypto_offset, LUKS_LEN, img_length(s->file)) ||
	    img_read(s->file, p, LUKS_LEN, s->h.crypto_offset) ||
	    memcmp(p, "LUKS\xba\xbe", 6))
		return;
	set_cipher(o, p);
	json_object_set_new(o, "slots", slots(p + 208));
	set_int(o, "payload-offset", (uint64_t)get_be32(p + 104) * 512);
	set_int(o, "master-key-iters", get_be32(p + 164));
}
