/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checksum.c - a hash of an image's content, whatever its format.
 *
 * The construction, for a hash function H and an image of `size` bytes, cut
 * into n blocks of 64 KiB of which the last may be short:
 *
 *	H( H(block 1) || H(block 2) || ... || H(block n) || size )
 *
 * where `size` is 64 bits, little-endian.  This is the construction of the
 * blkhash project (its later, flat one, without streams), so that with sha256
 * its blksum shows the same.  For xxh3, H is XXH3 with 128 bits and its digest
 * the canonical, big-endian form.
 *
 * Blocks hash in parallel; zero blocks have a digest that is computed once.
 */
#include "convert/copy/checksum.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "convert/copy/copy.h"
#include "convert/copy/hash.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

/* So many digests of zero blocks are added at once. */
#define ZERO_BATCH 256u

struct checksum_type {
	const char *name;
	size_t len;
	const char *evp;	/* OpenSSL's name, or NULL for XXH3 */
};

static const struct checksum_type types[] = {
	{ "sha256", 32, "SHA256" },
	{ "xxh3", 16, NULL },
};

struct hasher {
	const struct checksum_type *type;
	EVP_MD *md;
	EVP_MD_CTX *root;
	XXH3_state_t *xxh_root;
	uint8_t *zeroes;	/* ZERO_BATCH digests of a zero block */
};

const struct checksum_type *checksum_find(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

const char *checksum_types(size_t i)
{
	return i < sizeof(types) / sizeof(types[0]) ? types[i].name : NULL;
}

const char *checksum_name(const struct checksum_type *type)
{
	return type->name;
}

size_t checksum_len(const struct checksum_type *type)
{
	return type->len;
}

const char *checksum_text(const struct checksum_type *type,
			  const uint8_t *digest, char out[CHECKSUM_TEXT_LEN])
{
	static const char hex[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < type->len; i++) {
		out[2 * i] = hex[digest[i] >> 4];
		out[2 * i + 1] = hex[digest[i] & 15];
	}
	out[2 * i] = 0;
	return out;
}

/* The digest of a whole block of zeroes, ZERO_BATCH times. */
static int make_zeroes(struct hasher *h)
{
	uint8_t *block = array_alloc(HASH_BLOCK, 1);
	int rc = -ENOMEM;

	h->zeroes = array_alloc(ZERO_BATCH, h->type->len);
	if (block && h->zeroes)
		rc = hasher_block(h, block, HASH_BLOCK, h->zeroes);
	free(block);
	for (size_t i = 1; !rc && i < ZERO_BATCH; i++)
		memcpy(h->zeroes + i * h->type->len, h->zeroes, h->type->len);
	return rc;
}

static int open_root(struct hasher *h)
{
	if (!h->type->evp) {
		h->xxh_root = XXH3_createState();
		return h->xxh_root &&
		       XXH3_128bits_reset(h->xxh_root) == XXH_OK ? 0 : -ENOMEM;
	}
	h->md = EVP_MD_fetch(NULL, h->type->evp, NULL);
	if (!h->md)
		return -ENOTSUP;
	h->root = EVP_MD_CTX_new();
	return h->root && EVP_DigestInit_ex(h->root, h->md, NULL) ? 0 : -ENOMEM;
}

int hasher_new(const struct checksum_type *type, struct hasher **out,
	       struct err *e)
{
	struct hasher *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return fail(e, ENOMEM, "out of memory");
	h->type = type;
	rc = open_root(h);
	if (!rc)
		rc = make_zeroes(h);
	if (rc) {
		hasher_free(h);
		return fail_rc(e, rc, "preparing a %s checksum", type->name);
	}
	*out = h;
	return 0;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	XXH3_freeState(h->xxh_root);
	EVP_MD_CTX_free(h->root);
	EVP_MD_free(h->md);
	free(h->zeroes);
	free(h);
}

int hasher_block(const struct hasher *h, const void *buf, size_t len,
		 uint8_t *digest)
{
	XXH128_canonical_t canonical;

	if (h->md)
		return EVP_Digest(buf, len, digest, NULL, h->md, NULL) ?
			0 : -ENOMEM;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(buf, len));
	memcpy(digest, &canonical, sizeof(canonical));
	return 0;
}

static int root_update(struct hasher *h, const void *buf, size_t len)
{
	if (h->root)
		return EVP_DigestUpdate(h->root, buf, len) ? 0 : -ENOMEM;
	return XXH3_128bits_update(h->xxh_root, buf, len) == XXH_OK ?
		0 : -ENOMEM;
}

int hasher_add(struct hasher *h, const uint8_t *digests, uint64_t n)
{
	return root_update(h, digests, (size_t)n * h->type->len);
}

int hasher_add_zeroes(struct hasher *h, uint64_t n)
{
	int rc = 0;

	while (n && !rc) {
		uint64_t batch = min_u64(n, ZERO_BATCH);

		rc = hasher_add(h, h->zeroes, batch);
		n -= batch;
	}
	return rc;
}

const uint8_t *hasher_zero_digest(const struct hasher *h)
{
	return h->zeroes;
}

int hasher_end(struct hasher *h, uint64_t total, uint8_t *digest)
{
	XXH128_canonical_t canonical;
	uint8_t size[8];
	int rc;

	put_le64(size, total);
	rc = root_update(h, size, sizeof(size));
	if (rc)
		return rc;
	if (h->root)
		return EVP_DigestFinal_ex(h->root, digest, NULL) ? 0 : -ENOMEM;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(h->xxh_root));
	memcpy(digest, &canonical, sizeof(canonical));
	return 0;
}

static void forward_progress(void *arg, const struct copy_progress *p)
{
	const struct checksum_args *args = arg;

	args->progress(args->arg, p->done, p->total);
}

int checksum_run(const struct checksum_args *args,
		 uint8_t digest[CHECKSUM_MAX_LEN], struct err *e)
{
	struct img *source = args->img;
	struct checksum_args own = *args;
	struct copy_args copy = {
		.sources = &source,
		.n_sources = 1,
		.threads = args->threads,
		.cancel = args->cancel,
		.checksum = args->type ? args->type : &types[0],
		.progress = args->progress ? forward_progress : NULL,
		.arg = &own,
	};
	struct copy_result result;
	int rc;

	rc = copy_run(&copy, &result, e);
	if (!rc)
		memcpy(digest, result.digest, CHECKSUM_MAX_LEN);
	copy_result_fini(&result);
	return rc;
}
