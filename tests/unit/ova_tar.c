/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ova_tar.c - tar archives: every way to say a name and a size, and the ways to
 * lie about them.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "convert/ova/tarhead.h"
#include "imgfmt/ova/tar.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

#define ROOM (4u << 20)

/* An archive that is being made. */
static uint8_t archive[ROOM];
static size_t at;

static void begin(void)
{
	memset(archive, 0, at + 4096);
	at = 0;
}

static void seal(uint8_t *head)
{
	unsigned sum = 0;

	memset(head + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += head[i];
	snprintf((char *)head + 148, 8, "%06o", sum);
}

/* A header; its content, `len` bytes of `text` (or zeroes). */
static uint8_t *member(char type, const char *name, uint64_t claimed,
		       const void *text, size_t len)
{
	uint8_t *head = archive + at;

	tarhead_make(head, name, claimed, 0);
	head[156] = (uint8_t)type;
	seal(head);
	at += 512;
	CHECK(at + len + 2048 < ROOM);
	if (text)
		memcpy(archive + at, text, len);
	at += (len + 511) / 512 * 512;
	return head;
}

static void file(const char *name, const char *text)
{
	member('0', name, strlen(text), text, strlen(text));
}

/* One record of a PAX header. */
static void pax(char type, const char *record)
{
	char text[4096];
	size_t len = strlen(record) + 3;	/* "N record\n" */

	len += len > 98 ? 2 : len > 9 ? 1 : 0;
	snprintf(text, sizeof(text), "%zu %s\n", len, record);
	CHECK_EQ(strlen(text), len);
	member(type, "PaxHeaders/x", len, text, len);
}

static int scan_len(struct tar *t, struct err *e, size_t len)
{
	struct img *mem;
	int rc;

	CHECK_EQ(img_memory(len, &mem, NULL), 0);
	CHECK_EQ(img_write(mem, archive, len, 0), 0);
	e->text[0] = 0;
	rc = tar_scan(mem, t, e);
	CHECK(!rc == !e->text[0]);
	img_close(mem, NULL);
	return rc;
}

static int scan(struct tar *t, struct err *e)
{
	return scan_len(t, e, at + 1024);
}

/* It must be refused with these words. */
static void refused(int rc, const char *words)
{
	struct err e;
	struct tar t;

	CHECK_EQ(scan(&t, &e), rc);
	if (!strstr(e.text, words)) {
		fprintf(stderr, "said \"%s\", not \"%s\"\n", e.text, words);
		exit(1);
	}
	begin();
}

static void check_only(const char *name, uint64_t len)
{
	struct err e;
	struct tar t;

	CHECK_OK(scan(&t, &e));
	CHECK_EQ(t.n, 1);
	CHECK_STR(t.members[0].name, name);
	CHECK_EQ(t.members[0].len, len);
	CHECK(tar_find(&t, name) == &t.members[0]);
	CHECK(!tar_find(&t, "zzz"));
	tar_free(&t);
	begin();
}

static void test_names(void)
{
	char long_name[300];
	uint8_t *head;

	memset(long_name, 'n', sizeof(long_name));
	long_name[299] = 0;
	file("plain", "12345");
	check_only("plain", 5);
	file("././dot", "1");
	check_only("dot", 1);

	head = member('0', "name", 0, NULL, 0);
	strcpy((char *)head + 345, "some/prefix");
	seal(head);
	check_only("some/prefix/name", 0);
	/* GNU's magic: other things lie there. */
	memcpy(head + 257, "ustar  ", 8);
	at = 512;
	tarhead_make(head, "name", 0, 0);
	memcpy(head + 257, "ustar  ", 8);
	strcpy((char *)head + 345, "some/prefix");
	seal(head);
	check_only("name", 0);
	/* No magic at all. */
	head = member('0', "old", 0, NULL, 0);
	memset(head + 257, 0, 255);
	head[156] = 0;
	seal(head);
	check_only("old", 0);

	member('L', "././@LongLink", 300, long_name, 300);
	file("short", "x");
	check_only(long_name, 1);
	pax('x', "path=from pax");
	file("short", "x");
	check_only("from pax", 1);
	/* It is about one member only. */
	pax('x', "path=first");
	file("a", "x");
	file("second", "");
	at += 512;
	{
		struct err e;
		struct tar t;

		CHECK_OK(scan(&t, &e));
		CHECK_EQ(t.n, 2);
		CHECK_STR(t.members[1].name, "second");
		tar_free(&t);
	}
	begin();

	member('L', "l", 0, NULL, 0);
	file("a", "x");
	refused(-EUCLEAN, "has 0 bytes");
	member('L', "l", 2000, NULL, 2000);
	file("a", "x");
	refused(-EUCLEAN, "has 0 bytes");
	member('x', "p", 12, "12 path=a\0b\n", 12);
	file("a", "x");
	refused(-EUCLEAN, "zero byte");
	file("./", "x");
	refused(-EUCLEAN, "has no name");
	file("same", "x");
	file("./same", "y");
	refused(-EUCLEAN, "two members named same");
	pax('g', "path=all");
	file("a", "x");
	refused(-EUCLEAN, "global header");
	pax('g', "comment=harmless");
	file("a", "x");
	check_only("a", 1);
}

static void test_sizes(void)
{
	uint8_t *head;

	/* PAX says more than the header, and is right. */
	pax('x', "size=1000");
	member('0', "a", 0, NULL, 1000);
	check_only("a", 1000);
	/* Links and folders have no content. */
	member('5', "folder", 12345, NULL, 0);
	member('2', "link", 12345, NULL, 0);
	file("a", "x");
	check_only("a", 1);

	member('0', "a", 100000, NULL, 512);
	refused(-EUCLEAN, "beyond the end");
	pax('x', "size=99999999");
	file("a", "x");
	refused(-EUCLEAN, "beyond the end");
	pax('x', "size=9223372036854775807");
	file("a", "x");
	refused(-EUCLEAN, "beyond the end");
	pax('x', "size=9223372036854775808");
	file("a", "x");
	refused(-EUCLEAN, "as a size");
	pax('x', "size=-1");
	file("a", "x");
	refused(-EUCLEAN, "as a size");
	pax('x', "size=");
	file("a", "x");
	refused(-EUCLEAN, "as a size");
	member('0', "a", INT64_MAX, NULL, 0);
	refused(-EUCLEAN, "beyond the end");
	member('0', "a", INT64_MAX - 512, NULL, 0);
	refused(-EUCLEAN, "beyond the end");
	/* Negative, and more than 64 bits. */
	head = member('0', "a", 0, NULL, 0);
	memset(head + 124, 0xff, 12);
	seal(head);
	refused(-EUCLEAN, "no number");
	head = member('0', "a", 0, NULL, 0);
	memset(head + 124, 0, 12);
	head[124] = 0x80;
	head[126] = 1;
	seal(head);
	refused(-EUCLEAN, "no number");
	head = member('0', "a", 0, NULL, 0);
	memcpy(head + 124, "12a", 4);
	seal(head);
	refused(-EUCLEAN, "no number");
	/* Twelve digits and no NUL. */
	head = member('0', "a", 0, NULL, 0);
	memcpy(head + 124, "000000000000", 12);
	seal(head);
	check_only("a", 0);
	member('x', "p", 60u << 20, NULL, 0);
	refused(-EUCLEAN, "beyond the end");
	member('x', "p", 100000, NULL, 100000);
	refused(-EUCLEAN, "more than the 65536");
}

static void test_broken(void)
{
	static const char *const records[] = {
		"5 a=b\n", "7 a=b\n", "99 a=b\n", "0 a=b\n", "x a=b\n", " a=b\n",
		"6 abb\n", "6", "18446744073709551622 a=b\n", "2 \n",
	};
	uint8_t *head;
	struct err e;
	struct tar t;

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		size_t len = strlen(records[i]);

		member('x', "p", len, records[i], len);
		file("a", "x");
		refused(-EUCLEAN, "PAX header is broken");
	}
	head = member('0', "a", 0, NULL, 0);
	head[0] ^= 1;
	refused(-EUCLEAN, "no tar header at byte 0");
	file("a", "x");
	archive[at] = 1;
	at += 512;
	refused(-EUCLEAN, "no tar header at byte 1024");
	/* Sparse, in several volumes. */
	member('S', "a", 0, NULL, 0);
	refused(-ENOTSUP, "without tar's --sparse");
	member('M', "a", 0, NULL, 0);
	refused(-ENOTSUP, "several volumes");
	pax('x', "GNU.sparse.major=1");
	file("a", "x");
	refused(-ENOTSUP, "without tar's --sparse");
	/* Cut in a header; the end mark may be missing. */
	file("a", "x");
	CHECK_EQ(scan_len(&t, &e, at + 100), -EUCLEAN);
	CHECK(strstr(e.text, "middle of a header"));
	CHECK_EQ(scan_len(&t, &e, 100), -EUCLEAN);
	CHECK_EQ(scan_len(&t, &e, 0), -EUCLEAN);
	CHECK_OK(scan_len(&t, &e, at));
	tar_free(&t);
	/* What lies behind the end mark does not count. */
	at += 1024;
	file("b", "x");
	CHECK_OK(scan(&t, &e));
	CHECK_EQ(t.n, 1);
	tar_free(&t);
	begin();
}

/* More headers than any package has; each costs next to nothing. */
static void test_bomb(void)
{
	struct img *mem;
	uint8_t *block;
	struct err e;
	struct tar t;

	CHECK_EQ(img_memory(0, &mem, NULL), 0);
	file("x", "");
	for (unsigned i = 0; i <= TAR_MAX_MEMBERS; i++) {
		block = archive;
		tarhead_make(block, "", 0, 0);
		snprintf((char *)block, 100, "%u", i);
		seal(block);
		CHECK_EQ(img_write(mem, block, 512, (uint64_t)i * 512), 0);
	}
	CHECK_EQ(tar_scan(mem, &t, &e), -EUCLEAN);
	CHECK(strstr(e.text, "no package has so many"));
	block = archive;
	tarhead_make(block, "folder", 0, 0);
	block[156] = '5';
	seal(block);
	for (unsigned i = 0; i <= TAR_MAX_HEADERS; i++)
		CHECK_EQ(img_write(mem, block, 512, (uint64_t)i * 512), 0);
	CHECK_EQ(tar_scan(mem, &t, &e), -EUCLEAN);
	CHECK(strstr(e.text, "headers; no package"));
	img_close(mem, NULL);
	begin();
}

/* Sizes of 8 GiB and more, which GNU tar reads as well. */
static void test_large(void)
{
	static const uint64_t sizes[] = {
		(UINT64_C(1) << 33) - 1, UINT64_C(1) << 33,
		(UINT64_C(5) << 40) + 3,
	};
	char command[100];
	struct img *img;
	struct err e;
	struct tar t;

	scratch_enter();
	for (size_t i = 0; i < 3; i++) {
		FILE *f = fopen("big.tar", "wb");
		uint8_t head[512];

		tarhead_make(head, "big", sizes[i], 0);
		CHECK(f && fwrite(head, sizeof(head), 1, f) == 1);
		CHECK(!fclose(f));
		CHECK(!truncate("big.tar", (off_t)(sizes[i] + 512 + 512 + 1024)
				/ 512 * 512));
		CHECK_OK(img_file_open("big.tar", 0, &img, &e));
		CHECK_OK(tar_scan(img, &t, &e));
		CHECK_EQ(t.n, 1);
		CHECK_EQ(t.members[0].len, sizes[i]);
		tar_free(&t);
		img_close(img, NULL);
		snprintf(command, sizeof(command), "! command -v tar >/dev/null"
			 " || tar -tvf big.tar | grep -q ' %llu '",
			 (unsigned long long)sizes[i]);
		CHECK(!system(command));
	}
}

static void test_probe(void)
{
	char name[257];

	pax('x', "path=somewhere");
	file("a.ovf", "x");
	CHECK(tar_first_name(archive, 2048, name));
	CHECK_STR(name, "a.ovf");
	CHECK(tar_first_name(archive, 600, name));
	CHECK_STR(name, "PaxHeaders/x");
	CHECK(!tar_first_name(archive, 511, name));
	archive[0] ^= 1;
	CHECK(!tar_first_name(archive, 2048, name));
	begin();
}

int main(void)
{
	test_names();
	test_sizes();
	test_broken();
	test_probe();
	test_bomb();
	test_large();
	return 0;
}
