/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sshkey.c - SSH host keys in OpenSSH's own format.
 *
 * The private half between its two lines is base64 of:
 *
 *	"openssh-key-v1" NUL
 *	string "none", "none", ""	cipher, key derivation and its options
 *	uint32 1			keys
 *	string				the public blob
 *	string				uint32 check, twice the same; the private
 *					fields; string comment; 1, 2, 3... up to a
 *					multiple of 8
 *
 * A string is a uint32 length (big endian) and bytes; an mpint is a string with a
 * number, big endian, without needless zeroes, and with one where the top bit of
 * a positive number would be set (RFC 4251, section 5).
 */
#include "clone/sshkey.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"

#define MAGIC "openssh-key-v1"
#define BEGIN "-----BEGIN OPENSSH PRIVATE KEY-----\n"
#define END "-----END OPENSSH PRIVATE KEY-----\n"
#define LINE 70u		/* base64 characters in a line, as ssh-keygen */
#define RSA_BITS 3072u
#define MAX_PART 2048u		/* bytes of one number */
#define MAX_BLOB 16384u		/* of a key that is read */

struct blob {
	uint8_t *data;
	size_t len, cap;
	bool failed;
};

static void put(struct blob *b, const void *data, size_t len)
{
	size_t had = b->cap;
	uint8_t *old = b->data, *grown;

	if (b->failed)
		return;
	if (b->len + len > had) {
		/* By hand, so that no copy of a secret is left behind. */
		grown = malloc(2 * (b->len + len));
		if (!grown) {
			b->failed = true;
			return;
		}
		if (b->len)
			memcpy(grown, old, b->len);
		OPENSSL_cleanse(old, old ? had : 0);
		free(old);
		b->data = grown;
		b->cap = 2 * (b->len + len);
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void blob_fini(struct blob *b)
{
	if (b->data)
		OPENSSL_cleanse(b->data, b->cap);
	free(b->data);
	memset(b, 0, sizeof(*b));
}

static void put_u32(struct blob *b, size_t n)
{
	uint8_t raw[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16),
			   (uint8_t)(n >> 8), (uint8_t)n };

	put(b, raw, 4);
}

static void put_string(struct blob *b, const void *data, size_t len)
{
	put_u32(b, len);
	put(b, data, len);
}

static void put_text(struct blob *b, const char *text)
{
	put_string(b, text, strlen(text));
}

static void put_mpint(struct blob *b, const BIGNUM *n)
{
	uint8_t raw[MAX_PART + 1] = { 0 };
	int len = n ? BN_num_bytes(n) : -1;
	bool sign;

	if (len < 0 || len > (int)MAX_PART) {
		b->failed = true;
		return;
	}
	BN_bn2bin(n, raw + 1);
	sign = len && raw[1] & 0x80;
	put_string(b, raw + !sign, (size_t)len + sign);
	OPENSSL_cleanse(raw, sizeof(raw));
}

/* A number of the key, which stays in it. */
static void put_param(struct blob *b, const EVP_PKEY *key, const char *name)
{
	BIGNUM *n = NULL;

	if (EVP_PKEY_get_bn_param(key, name, &n))
		put_mpint(b, n);
	else
		b->failed = true;
	BN_clear_free(n);
}

/* The public blob, and the private fields behind the two checks. */
static void put_ed25519(struct blob *public, struct blob *private,
			const EVP_PKEY *key)
{
	uint8_t pub[32], secret[64];
	size_t pub_len = sizeof(pub), len = 32;

	if (!EVP_PKEY_get_raw_public_key(key, pub, &pub_len) || pub_len != 32 ||
	    !EVP_PKEY_get_raw_private_key(key, secret, &len) || len != 32) {
		private->failed = true;
		return;
	}
	memcpy(secret + 32, pub, 32);
	put_text(public, "ssh-ed25519");
	put_string(public, pub, 32);
	put(private, public->data, public->len);
	put_string(private, secret, 64);
	OPENSSL_cleanse(secret, sizeof(secret));
}

static void put_ecdsa(struct blob *public, struct blob *private,
		      const EVP_PKEY *key)
{
	uint8_t point[65];	/* 4, x, y: not compressed */
	size_t len = 0;

	if (!EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY,
					     point, sizeof(point), &len) ||
	    len != sizeof(point) || point[0] != 4) {
		private->failed = true;
		return;
	}
	put_text(public, "ecdsa-sha2-nistp256");
	put_text(public, "nistp256");
	put_string(public, point, len);
	put(private, public->data, public->len);
	put_param(private, key, OSSL_PKEY_PARAM_PRIV_KEY);
}

static void put_rsa(struct blob *public, struct blob *private,
		    const EVP_PKEY *key)
{
	put_text(public, "ssh-rsa");
	put_param(public, key, OSSL_PKEY_PARAM_RSA_E);
	put_param(public, key, OSSL_PKEY_PARAM_RSA_N);
	put_text(private, "ssh-rsa");
	put_param(private, key, OSSL_PKEY_PARAM_RSA_N);
	put_param(private, key, OSSL_PKEY_PARAM_RSA_E);
	put_param(private, key, OSSL_PKEY_PARAM_RSA_D);
	put_param(private, key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
	put_param(private, key, OSSL_PKEY_PARAM_RSA_FACTOR1);
	put_param(private, key, OSSL_PKEY_PARAM_RSA_FACTOR2);
}

static const struct {
	const char *name, *word;
	void (*put)(struct blob *public, struct blob *private,
		    const EVP_PKEY *key);
} types[SSHKEY_N_TYPES] = {
	[SSHKEY_ED25519] = { "ed25519", "ssh-ed25519", put_ed25519 },
	[SSHKEY_ECDSA] = { "ecdsa", "ecdsa-sha2-nistp256", put_ecdsa },
	[SSHKEY_RSA] = { "rsa", "ssh-rsa", put_rsa },
};

const char *sshkey_type_name(enum sshkey_type type)
{
	return types[type].name;
}

static EVP_PKEY *generate(enum sshkey_type type)
{
	switch (type) {
	case SSHKEY_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case SSHKEY_ECDSA:
		return EVP_EC_gen("P-256");
	default:
		return EVP_RSA_gen(RSA_BITS);
	}
}

/* base64, NUL-terminated; NULL: out of memory. */
static char *base64(const struct blob *b)
{
	char *text = b->failed ? NULL : malloc(b->len / 3 * 4 + 5);

	if (text)
		EVP_EncodeBlock((unsigned char *)text, b->data, (int)b->len);
	return text;
}

/* The private half as a file. */
static int armour(const struct blob *b, struct sshkey *out)
{
	char *text = base64(b), *to;
	size_t len = text ? strlen(text) : 0;

	out->private_text = text ? malloc(len + len / LINE + sizeof(BEGIN) +
					  sizeof(END) + 1) : NULL;
	to = out->private_text;
	if (to) {
		to = stpcpy(to, BEGIN);
		for (size_t at = 0; at < len; at += LINE) {
			size_t n = len - at < LINE ? len - at : LINE;

			memcpy(to, text + at, n);
			to += n;
			*to++ = '\n';
		}
		to = stpcpy(to, END);
		out->private_len = (size_t)(to - out->private_text);
	}
	if (text)
		OPENSSL_cleanse(text, len);
	free(text);
	return out->private_text ? 0 : -ENOMEM;
}

static int write_public(enum sshkey_type type, const char *comment,
			const struct blob *public, struct sshkey *out)
{
	char *text = base64(public);

	out->public_line = text ? str_printf("%s %s %s\n", types[type].word,
					     text, comment) : NULL;
	free(text);
	if (!out->public_line)
		return -ENOMEM;
	out->public_len = strlen(out->public_line);
	return 0;
}

static int write_private(const char *comment, const struct blob *public,
			 struct blob *fields, struct sshkey *out)
{
	struct blob b = { 0 }, inner = { 0 };
	uint8_t check[4];
	int rc = -EIO;

	if (RAND_bytes(check, sizeof(check)) != 1)
		goto out;
	put(&inner, check, sizeof(check));
	put(&inner, check, sizeof(check));
	put(&inner, fields->data, fields->len);
	put_text(&inner, comment);
	for (uint8_t pad = 1; inner.len % 8 && !inner.failed; pad++)
		put(&inner, &pad, 1);
	put(&b, MAGIC, sizeof(MAGIC));
	put_text(&b, "none");
	put_text(&b, "none");
	put_text(&b, "");
	put_u32(&b, 1);
	put_string(&b, public->data, public->len);
	put_string(&b, inner.data, inner.len);
	b.failed |= inner.failed;
	rc = armour(&b, out);
out:
	blob_fini(&b);
	blob_fini(&inner);
	return rc;
}

int sshkey_make(enum sshkey_type type, const char *comment, struct sshkey *out,
		struct err *e)
{
	struct blob public = { 0 }, fields = { 0 };
	EVP_PKEY *key = generate(type);
	int rc = -EIO;

	memset(out, 0, sizeof(*out));
	if (key)
		types[type].put(&public, &fields, key);
	if (key && !public.failed && !fields.failed)
		rc = write_public(type, comment, &public, out);
	if (!rc)
		rc = write_private(comment, &public, &fields, out);
	EVP_PKEY_free(key);
	blob_fini(&public);
	blob_fini(&fields);
	if (!rc)
		return 0;
	sshkey_fini(out);
	return rc == -ENOMEM ? fail(e, ENOMEM, "out of memory")
		: fail(e, EIO, "libcrypto cannot make an SSH key of type %s",
		       types[type].name);
}

void sshkey_fini(struct sshkey *key)
{
	if (key->private_text)
		OPENSSL_cleanse(key->private_text, key->private_len);
	free(key->private_text);
	free(key->public_line);
	memset(key, 0, sizeof(*key));
}

/* Bytes of `len` characters of base64, white space left out, into `out`; their
 * number, or -EINVAL.
 */
static int decode(const char *text, size_t len, uint8_t *out, size_t max)
{
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	int got = 0, more = 0, rc = -EINVAL;

	if (!ctx)
		return -ENOMEM;
	EVP_DecodeInit(ctx);
	if (len / 4 * 3 + 3 <= max &&
	    EVP_DecodeUpdate(ctx, out, &got, (const unsigned char *)text,
			     (int)len) >= 0 &&
	    EVP_DecodeFinal(ctx, out + got, &more) == 1)
		rc = got + more;
	EVP_ENCODE_CTX_free(ctx);
	return rc;
}

/* The string at *at, which moves behind it; NULL: there is none. */
static const uint8_t *take(const uint8_t *data, size_t size, size_t *at,
			   size_t *len)
{
	const uint8_t *p = data + *at;

	if (size - *at < 4)
		return NULL;
	*len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 |
	       p[3];
	if (*len > size - *at - 4)
		return NULL;
	*at += 4 + *len;
	return p + 4;
}

/* The fingerprint of a public blob, and the type that it begins with. */
static int print(const uint8_t *data, size_t size, char *type, char *out)
{
	struct blob sum = { 0 };
	uint8_t digest[32];
	size_t at = 0, len;
	const uint8_t *word = take(data, size, &at, &len);
	char *text;

	if (!word || !len || len >= SSHKEY_WORD_LEN || memchr(word, 0, len))
		return -EINVAL;
	memcpy(type, word, len);
	type[len] = 0;
	if (!EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL))
		return -EIO;
	put(&sum, digest, sizeof(digest));
	text = base64(&sum);
	blob_fini(&sum);
	if (!text)
		return -ENOMEM;
	text[43] = 0;		/* without the "=" at the end */
	strcpy(stpcpy(out, "SHA256:"), text);
	free(text);
	return 0;
}

int sshkey_fingerprint(const char *line, char type[SSHKEY_WORD_LEN],
		       char out[SSHKEY_PRINT_LEN])
{
	const char *space = strpbrk(line, " \t");
	const char *at = space ? space + strspn(space, " \t") : "";
	uint8_t *data = malloc(MAX_BLOB);
	int len = data ? decode(at, strcspn(at, " \t\r\n"), data, MAX_BLOB)
		       : -ENOMEM;
	int rc = len < 0 ? len : print(data, (size_t)len, type, out);

	/* What the line says must be what the key says. */
	if (!rc && (strlen(type) != (size_t)(space - line) ||
		    memcmp(type, line, strlen(type))))
		rc = -EINVAL;
	free(data);
	return rc;
}

int sshkey_private_fingerprint(const char *text, char type[SSHKEY_WORD_LEN],
			       char out[SSHKEY_PRINT_LEN])
{
	const char *begin = strstr(text, BEGIN), *end;
	uint8_t *data = malloc(MAX_BLOB);
	const uint8_t *blob = NULL;
	size_t at = sizeof(MAGIC), len = 0;
	int size = data ? -EINVAL : -ENOMEM, rc = -EINVAL;

	begin = begin ? begin + strlen(BEGIN) : NULL;
	end = begin ? strstr(begin, END) : NULL;
	if (data && end)
		size = decode(begin, (size_t)(end - begin), data, MAX_BLOB);
	if (size < (int)sizeof(MAGIC) + 4 || memcmp(data, MAGIC, sizeof(MAGIC)))
		goto out;
	for (unsigned i = 0; i < 3; i++)	/* cipher, derivation, options */
		if (!take(data, (size_t)size, &at, &len))
			goto out;
	at += 4;				/* how many keys */
	if (at <= (size_t)size)
		blob = take(data, (size_t)size, &at, &len);
	if (blob)
		rc = print(blob, len, type, out);
out:
	if (data)
		OPENSSL_cleanse(data, MAX_BLOB);
	free(data);
	return rc;
}
