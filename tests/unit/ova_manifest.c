/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ova_manifest.c - every spelling of a manifest's line, and what is none. */
#include <errno.h>

#include "imgfmt/ova/manifest.h"
#include "tests/check.h"

#define ABC_SHA1 "a9993e364706816aba3e25717850c26c9cd0d89d"
#define ABC_SHA256							\
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void good(const char *text, const char *name, const char *type)
{
	const struct manifest_line *l;
	struct manifest m;
	struct err e;

	CHECK_OK(manifest_parse(text, strlen(text), "x.mf", &m, &e));
	CHECK_EQ(m.n, 1);
	l = manifest_find(&m, name);
	CHECK(l);
	CHECK_STR(l->type->name, type);
	CHECK_EQ(l->digest[0], strcmp(type, "SHA1") ? 0xba : 0xa9);
	CHECK(!manifest_find(&m, "other"));
	CHECK(!manifest_find(&m, ""));
	manifest_free(&m);
}

static void bad(const char *text, int rc, const char *words)
{
	struct manifest m;
	struct err e = { "" };

	CHECK_EQ(manifest_parse(text, strlen(text), "x.mf", &m, &e), rc);
	if (!strstr(e.text, words)) {
		fprintf(stderr, "\"%s\": said \"%s\"\n", text, e.text);
		exit(1);
	}
}

static void test_lines(void)
{
	good("SHA1(a.vmdk)= " ABC_SHA1 "\n", "a.vmdk", "SHA1");
	good("SHA256(a.vmdk)= " ABC_SHA256, "a.vmdk", "SHA256");
	good("SHA256(a.vmdk)=" ABC_SHA256 "\r\n\r\n", "a.vmdk", "SHA256");
	good("sha256 (a.vmdk) = " ABC_SHA256 "  \n", "a.vmdk", "SHA256");
	good("\xef\xbb\xbfSHA1(a.vmdk)= " ABC_SHA1 "\n", "a.vmdk", "SHA1");
	good("\n\n  SHA1(a (1)= .vmdk)= A9993E364706816ABA3E25717850C26C9CD0D89D",
	     "a (1)= .vmdk", "SHA1");
	good("SHA1( two words )= " ABC_SHA1, " two words ", "SHA1");

	bad("hello\n", -EUCLEAN, "line 1 is not of the form");
	bad("\n\nSHA1()= " ABC_SHA1, -EUCLEAN, "line 3 is not");
	bad("SHA1(a " ABC_SHA1, -EUCLEAN, "line 1 is not");
	bad("SHA1(a= " ABC_SHA1, -EUCLEAN, "line 1 is not");
	bad("=(", -EUCLEAN, "line 1 is not");
	bad("(=", -EUCLEAN, "line 1 is not");
	bad("MD5(a)= 00", -ENOTSUP, "of type 'MD5'");
	bad("(a)= 00", -ENOTSUP, "of type ''");
	bad("SHA1(a)= 00", -EUCLEAN, "40 hexadecimal digits");
	bad("SHA256(a)= " ABC_SHA1, -EUCLEAN, "64 hexadecimal digits");
	bad("SHA1(a)= x9993e364706816aba3e25717850c26c9cd0d89d", -EUCLEAN,
	    "40 hexadecimal digits");
	bad("SHA1(a)= " ABC_SHA1 "\nSHA256(a)= " ABC_SHA256, -EUCLEAN,
	    "lists a twice");
}

static int stop(void *arg, size_t n)
{
	*(size_t *)arg += n;
	return -ECANCELED;
}

static void test_digest(void)
{
	static const char line[] = "SHA256(a)= " ABC_SHA256;
	uint8_t digest[DIGEST_MAX_LEN];
	struct manifest m;
	struct img *mem;
	struct err e;
	size_t seen = 0;

	CHECK_OK(manifest_parse(line, strlen(line), "x.mf", &m, &e));
	CHECK_OK(img_memory(9, &mem, &e));
	CHECK_EQ(img_write(mem, "xxxabcyyy", 9, 0), 0);
	CHECK_OK(digest_range(m.lines[0].type, mem, 3, 3, NULL, NULL, digest,
			      &e));
	CHECK(!memcmp(digest, m.lines[0].digest, 32));
	CHECK_EQ(digest_range(m.lines[0].type, mem, 3, 3, stop, &seen, digest,
			      &e), -ECANCELED);
	CHECK_EQ(seen, 3);
	img_close(mem, NULL);
	manifest_free(&m);
}

int main(void)
{
	test_lines();
	test_digest();
	return 0;
}
