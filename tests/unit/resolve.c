/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolve.c - which names inside images are opened, and which are refused. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/imgfmt.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static struct err e;
static char top[4096];		/* the scratch folder */

/* The layout:
 *	secret			outside
 *	also/base sub/base
 *	img/disk		the referrer
 *	img/base a:b sub/base fifo folder/
 *	img/out -> ../secret	img/outdir -> ..	img/in -> sub/base
 *	img/abs -> TOP/img/base
 */
static void make_layout(void)
{
	CHECK(getcwd(top, sizeof(top)));
	CHECK(!system("mkdir -p img/sub img/folder also/sub; "
		      "for f in secret also/base also/sub/base img/disk "
		      "img/base img/a:b img/sub/base; do "
		      "echo $f >$f; truncate -s 4k $f; done; "
		      "mkfifo img/fifo; ln -s ../secret img/out; "
		      "ln -s .. img/outdir; ln -s sub/base img/in; "
		      "ln -s $PWD/img/base img/abs; ln -s loop img/loop; "
		      "ln -s img img2"));
}

/* Resolve: 0 or the error.  On success the file's first line must be `want`. */
static int resolve(const struct img_resolver *r, const char *referrer,
		   const char *name, const char *want)
{
	struct img *img = NULL;
	char buf[64] = "";
	int rc;

	e.text[0] = 0;
	rc = r->open(r->arg, referrer, name, "raw", 0, r, &img, &e);
	if (rc) {
		CHECK(!img && e.text[0]);
		return rc;
	}
	CHECK_OK(img_read(img, buf, sizeof(buf) - 1, 0));
	buf[strcspn(buf, "\n")] = 0;
	if (want)
		CHECK_STR(buf, want);
	CHECK_OK(img_close(img, &e));
	return 0;
}

static void expect(const struct img_resolver *r, const char *name, int rc,
		   const char *want)
{
	int got = resolve(r, "img/disk", name, want);

	if (got != rc) {
		fprintf(stderr, "%s: %d, wanted %d: %s\n", name, got, rc,
			e.text);
		exit(1);
	}
	/* A refusal names the image, the name in it, and the way out. */
	if (rc == -EPERM)
		CHECK(strstr(e.text, "img/disk") && strstr(e.text, name));
}

static char *under_top(const char *path)
{
	static char buf[8192];

	snprintf(buf, sizeof(buf), "%s/%s", top, path);
	return buf;
}

static void test_protocols(const struct img_resolver *r)
{
	static const char *const names[] = {
		"json:{\"driver\":\"file\"}", "nbd:localhost:10809",
		"http://localhost/x", "ssh:x", "file:base", "a:b", ":", "fat:.",
		"nbd+unix:///x?socket=y", "",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		expect(r, names[i], -EPERM, NULL);
		CHECK(!strstr(e.text, "--allow-external"));
	}
	expect(r, "./a:b", 0, "img/a:b");
	expect(r, under_top("img/a:b"), 0, "img/a:b");
}

static void test_inside(const struct img_resolver *r)
{
	expect(r, "base", 0, "img/base");
	expect(r, "./base", 0, "img/base");
	expect(r, "sub/base", 0, "img/sub/base");
	expect(r, "sub//./base", 0, "img/sub/base");
	expect(r, "in", 0, "img/sub/base");
	expect(r, under_top("img/base"), 0, "img/base");
	expect(r, under_top("img/sub/base"), 0, "img/sub/base");
	expect(r, under_top("img2/base"), 0, "img/base");
	expect(r, "none", -ENOENT, NULL);
	expect(r, under_top("img/none"), -ENOENT, NULL);
	expect(r, "fifo", -EINVAL, NULL);
	expect(r, "folder", -EISDIR, NULL);
	expect(r, ".", -EISDIR, NULL);
}

static void refused(const struct img_resolver *r, const char *name)
{
	expect(r, name, -EPERM, NULL);
	CHECK(strstr(e.text, "--allow-external"));
}

static void test_folder(void)
{
	struct img_resolver r = img_resolve_in_folder(NULL);
	char name[1024] = "";

	test_protocols(&r);
	test_inside(&r);
	refused(&r, "../secret");
	refused(&r, "../img/base");
	refused(&r, "sub/../base");
	refused(&r, "sub/../../secret");
	refused(&r, "out");			/* a link out of it */
	refused(&r, "outdir/secret");
	refused(&r, "outdir/img/base");
	refused(&r, under_top("secret"));
	refused(&r, under_top("img/../secret"));
	refused(&r, under_top("img/out"));
	refused(&r, under_top("imgx/base"));
	refused(&r, "/etc/passwd");
	refused(&r, "/dev/zero");
	refused(&r, "/proc/self/fd/0");
	refused(&r, "/");

	/* However long the name, the way out is told. */
	memset(name, 'x', 1023);
	memcpy(name, "../", 3);
	CHECK_EQ(resolve(&r, "img/disk", name, NULL), -EPERM);
	CHECK(strstr(e.text, "--allow-external"));

	/* The referrer's folder, however it is written. */
	CHECK_EQ(resolve(&r, under_top("img/disk"), "base", "img/base"), 0);
	CHECK_EQ(resolve(&r, under_top("img/disk"), "../secret", NULL), -EPERM);
	CHECK_EQ(resolve(&r, "img2/disk", "base", "img/base"), 0);
	CHECK_EQ(resolve(&r, "./img/../img/disk", "base", "img/base"), 0);
	CHECK(!chdir("img"));
	CHECK_EQ(resolve(&r, "disk", "base", "img/base"), 0);
	CHECK_EQ(resolve(&r, "disk", "../secret", NULL), -EPERM);
	CHECK_EQ(resolve(&r, "disk", under_top("img/sub/base"),
			 "img/sub/base"), 0);
	CHECK(!chdir(".."));
}

static void test_also(void)
{
	struct img_resolver r = img_resolve_in_folder("also");
	char slash[8192];

	test_protocols(&r);
	test_inside(&r);
	expect(&r, "../also/base", 0, "also/base");
	expect(&r, "../also/sub/base", 0, "also/sub/base");
	expect(&r, under_top("also/base"), 0, "also/base");
	refused(&r, "../secret");
	refused(&r, "../also/../secret");
	refused(&r, under_top("secret"));
	refused(&r, "/etc/passwd");
	snprintf(slash, sizeof(slash), "%s/", under_top("also"));
	r = img_resolve_in_folder(slash);
	expect(&r, "../also/base", 0, "also/base");
	r = img_resolve_in_folder("/");
	expect(&r, "../secret", 0, "secret");
	expect(&r, under_top("secret"), 0, "secret");
	r = img_resolve_in_folder("nowhere");
	expect(&r, "base", 0, "img/base");
	refused(&r, "../secret");
}

static void test_anywhere(void)
{
	struct img_resolver r = img_resolve_anywhere();

	test_protocols(&r);
	test_inside(&r);
	expect(&r, "../secret", 0, "secret");
	expect(&r, "out", 0, "secret");
	expect(&r, under_top("secret"), 0, "secret");
	expect(&r, "/dev/zero", -EINVAL, NULL);
	CHECK(!chdir("img"));
	CHECK_EQ(resolve(&r, "disk", "base", "img/base"), 0);
	CHECK(!chdir(".."));
}

/* Read-only unless writing is asked for; the format may be guessed. */
static void test_flags(void)
{
	struct img_resolver r = img_resolve_in_folder(NULL);
	struct img *img;

	CHECK_OK(r.open(r.arg, "img/disk", "base", "raw", 0, &r, &img, &e));
	CHECK_EQ(img_write(img, "x", 1, 0), -EROFS);
	CHECK_STR(img_name(img), "img/base");
	CHECK_OK(img_close(img, &e));
	CHECK_OK(r.open(r.arg, "img/disk", "base", NULL, IMG_WRITE, &r, &img,
			&e));
	CHECK_OK(img_write(img, "x", 1, 4095));
	CHECK_STR(img_format(img), "raw");
	CHECK_OK(img_close(img, &e));
	CHECK_EQ(r.open(r.arg, "img/disk", "base", "nonsense", 0, &r, &img,
			&e), -EINVAL);
}

/* Make openat2() a call that the kernel does not know. */
static bool forget_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* On an old kernel no symbolic link is followed, and nothing gets out. */
static void test_without_openat2(void)
{
	struct img_resolver r = img_resolve_in_folder(NULL);
	int status;
	pid_t pid = fork();

	if (pid) {
		CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
		return;
	}
	if (!forget_openat2())
		_exit(0);
	expect(&r, "base", 0, "img/base");
	expect(&r, "sub//./base", 0, "img/sub/base");
	expect(&r, under_top("img/sub/base"), 0, "img/sub/base");
	expect(&r, "none", -ENOENT, NULL);
	expect(&r, "fifo", -EINVAL, NULL);
	expect(&r, "folder", -EISDIR, NULL);
	refused(&r, "in");
	refused(&r, "out");
	refused(&r, "loop");
	refused(&r, "../secret");
	refused(&r, "/etc/passwd");
	CHECK(resolve(&r, "img/disk", "outdir/secret", NULL) < 0);
	r = img_resolve_in_folder("also");
	expect(&r, "../also/sub/base", 0, "also/sub/base");
	refused(&r, "../secret");
	refused(&r, "sub/../../secret");
	refused(&r, "../also/../secret");
	_exit(0);
}

int main(void)
{
	scratch_enter();
	make_layout();
	test_folder();
	test_also();
	test_anywhere();
	test_flags();
	test_without_openat2();
	return 0;
}
