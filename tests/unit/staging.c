/* SPDX-License-Identifier: GPL-2.0-or-later */
/* staging.c - files appear together or not at all, whenever the process ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "convert/copy/staging.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

static void holds(const char *path, const char *text)
{
	char got[100] = "";
	FILE *f = fopen(path, "r");

	CHECK(f);
	CHECK(fread(got, 1, sizeof(got) - 1, f) == strlen(text));
	CHECK_STR(got, text);
	fclose(f);
}

static void make(const struct staging *s, const char *file, const char *text)
{
	char *path = staging_path(s, file);

	put(path, text);
	free(path);
}

static void appears_together(void)
{
	struct err e = { "" };
	struct staging *s;
	char *final;

	CHECK_OK(staging_open("out", "web", false, &s, &e));
	make(s, "a", "1");
	make(s, "b", "2");
	make(s, "log", "not claimed");
	CHECK_OK(staging_claim(s, "a", false, &e));
	CHECK_OK(staging_claim(s, "b", false, &e));
	final = staging_final(s, "a");
	CHECK_STR(final, "out/a");
	free(final);
	CHECK(access("out/a", F_OK));
	CHECK_OK(staging_commit(s, &e));
	holds("out/a", "1");
	holds("out/b", "2");
	CHECK(access("out/.web.partial", F_OK) && access("out/log", F_OK));
}

static void takes_no_name_twice(void)
{
	struct err e = { "" };
	struct staging *s;

	CHECK_OK(staging_open("out", "web", false, &s, &e));
	CHECK_EQ(staging_claim(s, "a", false, &e), -EEXIST);
	CHECK_STR(e.text, "'out/a' exists already");
	CHECK_EQ(staging_claim(s, "../a", true, &e), -EINVAL);
	CHECK_EQ(staging_claim(s, "COMMIT", true, &e), -EINVAL);
	CHECK_OK(staging_claim(s, "a", true, &e));
	CHECK_OK(staging_claim(s, "late", false, &e));
	make(s, "a", "new");
	make(s, "late", "x");
	put("out/late", "somebody's");
	CHECK_EQ(staging_commit(s, &e), -EEXIST);
	holds("out/a", "1");
	holds("out/late", "somebody's");
	CHECK(access("out/.web.partial", F_OK));

	CHECK_OK(staging_open("out", "web", false, &s, &e));
	CHECK_OK(staging_claim(s, "a", true, &e));
	make(s, "a", "new");
	CHECK_OK(staging_commit(s, &e));
	holds("out/a", "new");
}

static void one_at_a_time(void)
{
	struct err e = { "" };
	struct staging *s, *other;

	CHECK_OK(staging_open("out", "web", false, &s, &e));
	CHECK_EQ(staging_open("out", "web", false, &other, &e), -EBUSY);
	CHECK_OK(staging_open("out", "db", false, &other, &e));
	staging_abort(other);
	staging_abort(s);
	CHECK_EQ(staging_open("out", "a/b", false, &s, &e), -EINVAL);
	CHECK_EQ(staging_open("out", "..", false, &s, &e), -EINVAL);
	CHECK_EQ(staging_open("missing/out", "x", false, &s, &e), -ENOENT);
	put("file", "");
	CHECK(staging_open("file", "x", false, &s, &e) < 0);
}

static void goes_on_or_begins_anew(void)
{
	struct err e = { "" };
	struct staging *s;

	CHECK_OK(staging_open("out", "r", false, &s, &e));
	make(s, "half", "x");
	staging_leave(s);
	CHECK_OK(staging_open("out", "r", true, &s, &e));
	CHECK(!access("out/.r.partial/half", F_OK));
	staging_leave(s);
	CHECK_OK(staging_open("out", "r", false, &s, &e));
	CHECK(access("out/.r.partial/half", F_OK));
	staging_abort(s);
}

static void takes_away_its_own_folder(void)
{
	struct err e = { "" };
	struct staging *s;

	CHECK_OK(staging_open("mine", "m", false, &s, &e));
	make(s, "half", "x");
	staging_abort(s);
	CHECK(access("mine", F_OK));
	CHECK_OK(staging_open("mine", "m", true, &s, &e));
	staging_leave(s);
	CHECK(access("mine", F_OK));
	CHECK_OK(staging_open("mine", "m", true, &s, &e));
	make(s, "half", "x");
	staging_leave(s);
	CHECK(!access("mine/.m.partial/half", F_OK));
	/* Who has made it by now is not known. */
	CHECK_OK(staging_open("mine", "m", false, &s, &e));
	staging_abort(s);
	CHECK(!rmdir("mine"));
	/* Somebody else's is theirs, and so is what somebody put into ours. */
	CHECK(!mkdir("theirs", 0777));
	CHECK_OK(staging_open("theirs", "m", false, &s, &e));
	staging_abort(s);
	CHECK(!rmdir("theirs"));
	CHECK_OK(staging_open("mine", "m", false, &s, &e));
	put("mine/note", "x");
	staging_abort(s);
	holds("mine/note", "x");
}

/* Ended at any moment after the list was written: the next run carries it out. */
static void carries_on(const char *moved, const char *left)
{
	struct err e = { "" };
	struct staging *s;
	char path[64];

	CHECK(!mkdir("out/.k.partial", 0700));
	put("out/.k.partial/COMMIT", "N k1\nN k2\n");
	if (*moved) {
		snprintf(path, sizeof(path), "out/%s", moved);
		put(path, moved);
	}
	if (*left) {
		snprintf(path, sizeof(path), "out/.k.partial/%s", left);
		put(path, left);
	}
	CHECK_EQ(staging_open("out", "k", false, &s, &e), -EALREADY);
	snprintf(path, sizeof(path), "out/%s", *left ? left : moved);
	holds(path, *left ? left : moved);
	CHECK(access("out/.k.partial", F_OK));
	unlink("out/k1");
	unlink("out/k2");
}

static void refuses_a_damaged_list(void)
{
	struct err e = { "" };
	struct staging *s;

	CHECK(!mkdir("out/.d.partial", 0700));
	put("out/.d.partial/COMMIT", "N ../escaped\n");
	put("out/.d.partial/x", "");
	CHECK_EQ(staging_open("out", "d", false, &s, &e), -EUCLEAN);
	CHECK_STR(e.text, "'out/.d.partial/COMMIT' is damaged");
}

/* Whoever can write to the hidden folder could have us put files in place. */
static void trusts_its_own_folder_alone(void)
{
	struct err e = { "" };
	struct staging *s;

	CHECK(!mkdir("out/.t.partial", 0700));
	put("out/.t.partial/COMMIT", "R planted\n");
	put("out/.t.partial/planted", "");
	CHECK(!chmod("out/.t.partial", 0777));
	CHECK_EQ(staging_open("out", "t", false, &s, &e), -EPERM);
	CHECK(access("out/planted", F_OK));
	CHECK(!chmod("out/.t.partial", 0700));
	if (!geteuid() && !chown("out/.t.partial", 1234, 0)) {
		CHECK_EQ(staging_open("out", "t", false, &s, &e), -EPERM);
		CHECK(!chown("out/.t.partial", 0, 0));
	}
	/* A pipe is no list, and does not keep us waiting. */
	CHECK(!unlink("out/.t.partial/COMMIT"));
	CHECK(!mkfifo("out/.t.partial/COMMIT", 0600));
	CHECK_EQ(staging_open("out", "t", false, &s, &e), -EUCLEAN);
}

/* A run that is killed at some moment, and one after it: both files or none. */
static void killed_anywhere(void)
{
	unsigned both = 0, none = 0;

	for (unsigned i = 0; i < 60; i++) {
		struct err e = { "" };
		struct staging *s;
		pid_t child = fork();
		int rc;

		if (!child) {
			for (;;) {
				unlink("out/p");
				unlink("out/q");
				if (staging_open("out", "pq", false, &s, &e))
					continue;
				make(s, "p", "pp");
				make(s, "q", "qq");
				staging_claim(s, "p", false, &e);
				staging_claim(s, "q", false, &e);
				staging_commit(s, &e);
			}
		}
		usleep(1000 + i * 700);
		CHECK(!kill(child, SIGKILL));
		CHECK(waitpid(child, NULL, 0) == child);
		rc = staging_open("out", "pq", false, &s, &e);
		if (rc)
			CHECK_EQ(rc, -EALREADY);
		else
			staging_abort(s);
		if (rc == -EALREADY) {
			holds("out/p", "pp");
			holds("out/q", "qq");
		}
		both += rc == -EALREADY;
		none += rc == 0;
	}
	printf("%u were completed, %u were begun anew\n", both, none);
}

int main(void)
{
	scratch_enter();
	appears_together();
	takes_no_name_twice();
	one_at_a_time();
	goes_on_or_begins_anew();
	takes_away_its_own_folder();
	carries_on("k1", "k2");
	carries_on("", "k1");
	carries_on("k2", "");
	refuses_a_damaged_list();
	trusts_its_own_folder_alone();
	killed_anywhere();
	return 0;
}
