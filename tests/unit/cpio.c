/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpio.c - newc archives: what is written is read, in pieces of any size, and
 * what is no archive is told.
 */
#include <errno.h>
#include <sys/stat.h>

#include "convert/guest/cpio.h"
#include "tests/check.h"

static struct err e;

/* Members as text: "name mode size;" and their content. */
struct seen {
	char text[4096];
	size_t len;
};

static int on_member(void *arg, const struct cpio_member *m)
{
	struct seen *s = arg;

	s->len += (size_t)snprintf(s->text + s->len, sizeof(s->text) - s->len,
				   "|%s %o %u:", m->name, m->mode, m->size);
	return strcmp(m->name, "stop") ? 0 : 7;
}

static int on_data(void *arg, const void *data, size_t len)
{
	struct seen *s = arg;

	CHECK(s->len + len < sizeof(s->text));
	memcpy(s->text + s->len, data, len);
	s->len += len;
	return 0;
}

/* Feed in pieces of `piece` bytes; how many were used. */
static int feed(const uint8_t *data, size_t len, size_t piece, struct seen *s,
		size_t *total)
{
	struct cpio_sink sink = { on_member, on_data, s };
	struct cpio_reader r;
	int rc = 0;

	memset(s, 0, sizeof(*s));
	cpio_reader_init(&r, &sink);
	for (*total = 0; *total < len && !rc;) {
		size_t n = len - *total < piece ? len - *total : piece;
		/* Just as many bytes as it may look at. */
		uint8_t *copy = malloc(n);
		size_t used;

		memcpy(copy, data + *total, n);
		rc = cpio_feed(&r, copy, n, &used, &e);
		free(copy);
		*total += used;
		if (used < n)
			break;
	}
	return rc ? rc : cpio_reader_end(&r, &e);
}

static void make(struct cpio_writer *w)
{
	memset(w, 0, sizeof(*w));
	CHECK_EQ(cpio_add(w, "dir", S_IFDIR | 0755, "", 0), 0);
	CHECK_EQ(cpio_add(w, "dir/a", S_IFREG | 0644, "hello", 5), 0);
	CHECK_EQ(cpio_add(w, "./link", S_IFLNK | 0777, "dir/a", 5), 0);
	CHECK_EQ(cpio_add(w, "/abs", S_IFREG | 0600, "", 0), 0);
	CHECK_EQ(cpio_end(w), 0);
	CHECK_EQ(w->len % 4, 0);
}

static const char all[] = "|dir 40755 0:|dir/a 100644 5:hello|link 120777 5:dir/a"
	"|abs 100600 0:";

static void test_pieces(void)
{
	struct cpio_writer w;
	struct seen s;
	size_t total;

	make(&w);
	for (size_t piece = 1; piece < 300; piece++) {
		CHECK_OK(feed(w.data, w.len, piece, &s, &total));
		CHECK_STR(s.text, all);
		CHECK_EQ(total, w.len);
	}
	free(w.data);
}

/* Archives behind each other, zeroes between; then something else. */
static void test_several(void)
{
	struct cpio_writer w;
	uint8_t buf[4096] = { 0 };
	char twice[512];
	struct seen s;
	size_t total, at;

	make(&w);
	snprintf(twice, sizeof(twice), "%s%s", all, all);
	memcpy(buf, w.data, w.len);
	at = w.len + 512;
	memcpy(buf + at, w.data, w.len);
	CHECK_OK(feed(buf, at + w.len + 64, 4096, &s, &total));
	CHECK_STR(s.text, twice);
	CHECK_EQ(total, at + w.len + 64);
	/* Not at a multiple of 4 it is none, as for Linux. */
	memset(buf + at, 0, w.len);
	memcpy(buf + at + 2, w.data, w.len);
	CHECK_OK(feed(buf, at + w.len + 2, 4096, &s, &total));
	CHECK_STR(s.text, all);
	CHECK_EQ(total, at + 2);
	buf[w.len + 8] = 0x1f;
	CHECK_OK(feed(buf, sizeof(buf), 4096, &s, &total));
	CHECK_EQ(total, w.len + 8);
	free(w.data);
}

/* Change one place and see the error. */
static void wrong(size_t at, const char *bytes, size_t len, const char *says)
{
	struct cpio_writer w;
	struct seen s;
	size_t total;

	make(&w);
	memcpy(w.data + at, bytes, len);
	e.text[0] = 0;
	CHECK_EQ(feed(w.data, w.len, 64, &s, &total), -EUCLEAN);
	if (!strstr(e.text, says)) {
		fprintf(stderr, "\"%s\" does not say \"%s\"\n", e.text, says);
		exit(1);
	}
	free(w.data);
}

static void test_hostile(void)
{
	struct cpio_writer w;
	struct seen s;
	size_t total;

	wrong(0, "070707", 6, "no header");
	wrong(10, "x", 1, "not hexadecimal");
	/* The length of the first name: none, one that is too long, a wrong one. */
	wrong(94, "00000000", 8, "a name of 0 bytes");
	wrong(94, "FFFFFFFF", 8, "a name of 4294967295 bytes");
	wrong(94, "00000003", 8, "one NUL");
	wrong(110, "..\0", 3, "one NUL");
	wrong(110, "../", 3, "leads upwards");
	/* The content of dir/a ends behind the archive. */
	wrong(116 + 54, "00010000", 8, "ends within a member");
	make(&w);
	for (size_t n = 1; n < w.len - 4; n++)
		CHECK_EQ(feed(w.data, n, 4096, &s, &total), -EUCLEAN);
	free(w.data);
	memset(&w, 0, sizeof(w));
	CHECK_EQ(cpio_add(&w, "stop", S_IFREG | 0644, "x", 1), 0);
	CHECK_EQ(cpio_end(&w), 0);
	CHECK_EQ(feed(w.data, w.len, 4096, &s, &total), 7);
	free(w.data);
}

int main(void)
{
	test_pieces();
	test_several();
	test_hostile();
	return 0;
}
