/* SPDX-License-Identifier: GPL-2.0-or-later */
/* output.c - the file that a conversion writes: when it has its name, and what
 * an existing file keeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "convert/copy/output.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static struct err e;

static off_t file_len(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

static void put_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f);
	CHECK(fputs(text, f) >= 0);
	CHECK(!fclose(f));
}

static struct output *start(const char *path, const struct output_args *args)
{
	struct output *out;
	struct img *file;

	CHECK_OK(output_open(path, args, &out, &e));
	CHECK_OK(output_layer(out, 0, &file, &e));
	CHECK_OK(output_begin(out, &e));
	CHECK_OK(img_write(file, "new content", 11, 0));
	CHECK_OK(img_close(file, &e));
	return out;
}

static void test_new(bool visible)
{
	struct output_args args = { .visible = visible };
	unsigned before = count_names(".");
	struct output *out;
	struct stat st;
	mode_t mask = umask(027);

	out = start("new", &args);
	CHECK(output_is_zero(out) && !output_is_device(out));
	CHECK_EQ(file_len("new"), -1);
	CHECK_EQ(count_names("."), before + visible);
	output_abort(out);
	CHECK_EQ(count_names("."), before);

	out = start("new", &args);
	CHECK_OK(output_commit(out, &e));
	CHECK_EQ(file_len("new"), 11);
	CHECK(!stat("new", &st));
	CHECK_EQ(st.st_mode & 07777, 0640);
	CHECK_EQ(count_names("."), before + 1);
	args.no_replace = true;
	CHECK_EQ(output_open("new", &args, &out, &e), -EEXIST);
	args.no_replace = false;
	CHECK(!unlink("new"));

	/* Somebody takes the name meanwhile. */
	out = start("new", &args);
	put_file("new", "other");
	CHECK_OK(output_commit(out, &e));
	CHECK_EQ(file_len("new"), 11);
	CHECK_EQ(count_names("."), before + 1);
	CHECK(!unlink("new"));
	umask(mask);
}

static void test_existing(void)
{
	struct stat before, after, linked;
	struct output *out;

	put_file("old", "old content, and more of it");
	CHECK(!chmod("old", 0604));
	CHECK(!link("old", "other-name"));
	CHECK(!stat("old", &before));
	out = start("old", NULL);
	CHECK_OK(output_commit(out, &e));
	CHECK(!stat("old", &after) && !stat("other-name", &linked));
	CHECK_EQ(after.st_ino, before.st_ino);
	CHECK_EQ(linked.st_ino, before.st_ino);
	CHECK_EQ(after.st_mode, before.st_mode);
	CHECK_EQ(after.st_size, 11);

	/* Before it began, nothing is lost; after, nothing is left. */
	CHECK_OK(output_open("old", NULL, &out, &e));
	output_abort(out);
	CHECK_EQ(file_len("old"), 11);
	output_abort(start("old", NULL));
	CHECK_EQ(file_len("old"), 0);
	CHECK(!unlink("old") && !unlink("other-name"));
}

static void test_links(void)
{
	struct stat st;

	CHECK(!mkdir("sub", 0755));
	CHECK(!symlink("sub/target", "link"));
	CHECK_OK(output_commit(start("link", NULL), &e));
	CHECK_EQ(file_len("sub/target"), 11);
	CHECK(!lstat("link", &st) && S_ISLNK(st.st_mode));
	put_file("sub/target", "something else, longer");
	CHECK_OK(output_commit(start("link", NULL), &e));
	CHECK_EQ(file_len("sub/target"), 11);
	CHECK(!unlink("sub/target") && !unlink("link") && !rmdir("sub"));
}

static void test_refusals(void)
{
	struct img_open_args raw = { .format = "raw" };
	struct output_args args = { .n_sources = 1 };
	struct output *out;
	struct img *src;

	put_file("source", "source");
	CHECK(!link("source", "hard-link"));
	CHECK_OK(img_open("source", &raw, &src, &e));
	args.sources = &src;
	CHECK_EQ(output_open("hard-link", &args, &out, &e), -EINVAL);
	CHECK(strstr(e.text, "'hard-link'") && strstr(e.text, "'source'"));
	CHECK_EQ(file_len("source"), 6);
	CHECK_OK(img_close(src, &e));
	CHECK(!unlink("source") && !unlink("hard-link"));

	CHECK_EQ(output_open("no/such/folder", NULL, &out, &e), -ENOENT);
	CHECK_EQ(output_open("/dev/null", NULL, &out, &e), -EINVAL);
	CHECK_EQ(output_open(".", NULL, &out, &e), -EINVAL);
	CHECK(!symlink("loop", "loop"));
	CHECK(output_open("loop", NULL, &out, &e));
	CHECK(!unlink("loop"));
}

static void test_space(void)
{
	struct output *out;

	CHECK_OK(output_open("big", NULL, &out, &e));
	CHECK_OK(output_space(out, 4096, &e));
	CHECK_EQ(output_space(out, (uint64_t)1 << 60, &e), -ENOSPC);
	CHECK(strstr(e.text, "1 EiB (1152921504606846976 bytes) are needed"));
	CHECK(strstr(e.text, "available"));
	output_abort(out);
	CHECK_EQ(count_names("."), 0);
}

/* kill -9 leaves no name behind, or one that the next run takes over. */
static void test_killed(bool visible)
{
	struct output_args args = { .visible = visible };
	struct output *out;
	int status, ready[2];
	pid_t pid;
	char c;

	CHECK(!pipe(ready));
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		start("victim", &args);
		CHECK_EQ(write(ready[1], "x", 1), 1);
		pause();
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	if (visible) {
		CHECK_EQ(count_names("."), 1);
		CHECK_EQ(output_open("victim", &args, &out, &e), -EBUSY);
	}
	CHECK(!kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(file_len("victim"), -1);
	CHECK_EQ(count_names("."), visible);
	CHECK_OK(output_commit(start("victim", &args), &e));
	CHECK_EQ(count_names("."), 1);
	CHECK(!unlink("victim"));
	close(ready[0]);
	close(ready[1]);
}

/* An image of two files, of which the second one has `text` in it. */
static struct output *start_two(const char *text)
{
	struct output *out = start("main", NULL);
	struct img_resolver r = output_resolver(out, NULL);
	struct img *file, *img;
	char got[6];

	CHECK_EQ(r.create(r.arg, "main", "../other", &file, &e), -EPERM);
	CHECK_EQ(r.create(r.arg, "main", "main", &file, &e), -EPERM);
	CHECK_OK(r.create(r.arg, "main", "other", &file, &e));
	CHECK_OK(img_write(file, text, strlen(text), 0));
	CHECK_OK(img_close(file, &e));
	CHECK_EQ(r.create(r.arg, "main", "other", &file, &e), -EEXIST);
	/* It can be opened before it has a name; what is not ours cannot. */
	CHECK_OK(r.open(r.arg, "main", "other", "raw", 0, &r, &img, &e));
	CHECK_EQ(img_read(img, got, strlen(text), 0), 0);
	CHECK(!memcmp(got, text, strlen(text)));
	CHECK_OK(img_close(img, &e));
	CHECK_EQ(r.open(r.arg, "main", "third", "raw", 0, &r, &img, &e),
		 -EPERM);
	return out;
}

/* The files of one image appear together or not at all. */
static void test_siblings(void)
{
	struct output *out = start_two("hello");

	CHECK_EQ(count_names("."), 0);
	output_abort(out);
	CHECK_EQ(count_names("."), 0);

	out = start_two("hello");
	CHECK_OK(output_commit(out, &e));
	CHECK_EQ(count_names("."), 2);
	CHECK_EQ(file_len("main"), 11);
	CHECK_EQ(file_len("other"), 5);
	CHECK(!unlink("main") && !unlink("other"));

	/* The last one cannot have its name: the others lose theirs. */
	out = start_two("hello");
	CHECK(!mkdir("main", 0700));
	CHECK(output_commit(out, &e));
	CHECK_EQ(count_names("."), 1);
	CHECK(!rmdir("main"));
	out = start_two("hello");
	CHECK(!mkdir("other", 0700));
	CHECK(output_commit(out, &e));
	CHECK_EQ(count_names("."), 1);
	CHECK(!rmdir("other"));

	/* Files that are there are written in place, and emptied again. */
	put_file("main", "old");
	put_file("other", "old");
	output_abort(start_two("hi"));
	CHECK_EQ(file_len("main"), 0);
	CHECK_EQ(file_len("other"), 0);
	CHECK_OK(output_commit(start_two("hi"), &e));
	CHECK_EQ(file_len("main"), 11);
	CHECK_EQ(file_len("other"), 2);
	CHECK(!unlink("main") && !unlink("other"));
}

int main(void)
{
	char dir[] = "/tmp/output-test.XXXXXX";

	CHECK(mkdtemp(dir) && !chdir(dir));
	test_new(false);
	test_new(true);
	test_existing();
	test_links();
	test_refusals();
	test_space();
	test_siblings();
	test_killed(false);
	test_killed(true);
	CHECK(!chdir("/") && !rmdir(dir));
	return 0;
}
