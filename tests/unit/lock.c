/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lock.c - image locks, among ourselves and against a running qemu-io. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/imgfmt.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static struct err e;
static const char raw[] = "l.raw", qcow2[] = "l.qcow2";

/* Open and close: 0 or the error, with its sentence in `e`. */
static int try_open(const char *path, unsigned flags)
{
	struct img *img;
	int rc;

	e.text[0] = 0;
	rc = img_file_open(path, flags, &img, &e);
	return rc ? rc : img_close(img, &e);
}

static void expect_text(const char *part)
{
	if (!strstr(e.text, part)) {
		fprintf(stderr, "\"%s\" lacks \"%s\"\n", e.text, part);
		exit(1);
	}
}

static void test_ours(void)
{
	struct img *a, *b;
	char text[64];
	int fd;

	CHECK_OK(img_file_open(raw, 0, &a, &e));
	CHECK_OK(img_file_open(raw, 0, &b, &e));	/* readers together */
	CHECK_EQ(try_open(raw, IMG_WRITE), -EAGAIN);
	expect_text("Failed to get \"write\" lock");
	snprintf(text, sizeof(text), "(pid %ld), this program itself",
		 (long)getpid());
	expect_text(text);
	CHECK_EQ(try_open(raw, IMG_WRITE | IMG_NO_LOCK), 0);
	CHECK_OK(img_close(b, &e));
	CHECK_OK(img_close(a, &e));

	CHECK_OK(img_file_open(raw, IMG_WRITE, &a, &e));
	CHECK_EQ(try_open(raw, 0), -EAGAIN);
	expect_text("Failed to get shared \"write\" lock");
	expect_text("-U");
	CHECK_EQ(try_open(raw, IMG_SHARE), 0);
	CHECK_EQ(try_open(raw, IMG_WRITE), -EAGAIN);
	CHECK(!strstr(e.text, "-U"));
	/* A descriptor that was refused stays the caller's, without locks. */
	fd = open(raw, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK_EQ(img_file_fd(fd, raw, 0, &b, &e), -EAGAIN);
	CHECK_OK(img_close(a, &e));
	CHECK_EQ(try_open(raw, IMG_WRITE), 0);
	CHECK(!close(fd));
}

/* Locks of other sorts on the same bytes. */
static void test_foreign(void)
{
	struct flock fl = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100,
		.l_len = 1,
	};
	int fd = open(raw, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0 && !fcntl(fd, F_OFD_SETLK, &fl));
	CHECK_EQ(try_open(raw, 0), -EAGAIN);
	expect_text("locked it exclusively");
	CHECK_EQ(try_open(raw, IMG_NO_LOCK), 0);
	fl.l_len = 0;			/* to the end of all files */
	fl.l_type = F_RDLCK;
	CHECK(!fcntl(fd, F_OFD_SETLK, &fl));
	CHECK_EQ(try_open(raw, 0), -EAGAIN);
	expect_text("this program itself");
	CHECK(!close(fd));
	CHECK_EQ(try_open(raw, 0), 0);
}

struct child {
	pid_t pid;
	int to, from;
};

/* qemu-io with the image open, waiting for commands. */
static struct child hold(const char *mode, const char *format,
			 const char *path)
{
	struct child c;
	int in[2], out[2];
	char byte;

	CHECK(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	c.pid = fork();
	if (!c.pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execlp("qemu-io", "qemu-io", "-f", format, mode, path, NULL);
		_exit(127);
	}
	CHECK(c.pid > 0);
	close(in[0]);
	close(out[1]);
	c.to = in[1];
	c.from = out[0];
	CHECK_EQ(read(c.from, &byte, 1), 1);	/* its prompt: it is open */
	return c;
}

static void release(struct child c)
{
	int status;

	close(c.to);
	CHECK_EQ(waitpid(c.pid, &status, 0), c.pid);
	close(c.from);
}

static void expect_holder(const struct child *c)
{
	char text[64];

	snprintf(text, sizeof(text), "qemu-io (pid %ld)", (long)c->pid);
	expect_text(text);
}

/* With "-m" (misalign, harmless) for reading and writing. */
static void test_against_qemu(void)
{
	struct child c;

	c = hold("-m", "qcow2", qcow2);
	CHECK_EQ(try_open(qcow2, 0), -EAGAIN);
	expect_text("Failed to get shared \"write\" lock");
	expect_holder(&c);
	CHECK_EQ(try_open(qcow2, IMG_SHARE), 0);
	CHECK_EQ(try_open(qcow2, IMG_WRITE), -EAGAIN);
	expect_text("Failed to get \"write\" lock");
	expect_holder(&c);
	CHECK_EQ(try_open(qcow2, IMG_WRITE | IMG_NO_LOCK), 0);
	release(c);
	CHECK_EQ(try_open(qcow2, IMG_WRITE), 0);

	c = hold("-r", "qcow2", qcow2);
	CHECK_EQ(try_open(qcow2, 0), 0);
	CHECK_EQ(try_open(qcow2, IMG_WRITE), -EAGAIN);
	expect_holder(&c);
	release(c);

	c = hold("-r", "raw", raw);
	CHECK_EQ(try_open(raw, 0), 0);
	release(c);
	c = hold("-m", "raw", raw);
	CHECK_EQ(try_open(raw, 0), -EAGAIN);
	expect_holder(&c);
	CHECK_EQ(try_open(raw, IMG_SHARE), 0);
	CHECK_EQ(try_open(raw, IMG_WRITE), -EAGAIN);
	release(c);
}

/* 0: it could open the image. */
static int qemu_opens(const char *mode, const char *format, const char *path)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "qemu-io -f %s %s -c 'read 0 512' %s >qemu.out 2>&1", format,
		 mode, path);
	return system(command);
}

static void qemu_says(const char *text)
{
	char buf[4096] = "";
	FILE *f = fopen("qemu.out", "r");

	CHECK(f && fread(buf, 1, sizeof(buf) - 1, f) > 0 && !fclose(f));
	CHECK(strstr(buf, text));
}

static void test_qemu_against_us(void)
{
	struct img *img;

	CHECK_OK(img_file_open(qcow2, 0, &img, &e));
	CHECK_EQ(qemu_opens("-r", "qcow2", qcow2), 0);
	CHECK(qemu_opens("", "qcow2", qcow2));
	qemu_says("Failed to get \"write\" lock");
	CHECK_OK(img_close(img, &e));
	CHECK_EQ(qemu_opens("", "qcow2", qcow2), 0);

	CHECK_OK(img_file_open(qcow2, IMG_WRITE, &img, &e));
	CHECK(qemu_opens("-r", "qcow2", qcow2));
	qemu_says("Failed to get shared \"write\" lock");
	CHECK(qemu_opens("", "qcow2", qcow2));
	CHECK_EQ(qemu_opens("-r -U", "qcow2", qcow2), 0);
	CHECK_OK(img_close(img, &e));

	CHECK_OK(img_file_open(raw, IMG_SHARE, &img, &e));
	CHECK_EQ(qemu_opens("", "raw", raw), 0);
	CHECK_OK(img_close(img, &e));
	CHECK_OK(img_file_open(raw, 0, &img, &e));
	CHECK(qemu_opens("", "raw", raw));
	CHECK_OK(img_close(img, &e));
}

/* On a file system without such locks we go on without.  The child's kernel
 * says that it has none.
 */
static void test_no_locks(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_OFD_SETLK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 6, code };
	struct img *img;
	int status;
	pid_t pid;

	CHECK_OK(img_file_open(raw, IMG_WRITE, &img, &e));
	pid = fork();
	if (!pid) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
			_exit(0);
		_exit(try_open(raw, IMG_WRITE) ? 1 : 0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	CHECK_OK(img_close(img, &e));
}

int main(void)
{
	bool have_qemu;

	signal(SIGPIPE, SIG_IGN);
	scratch_enter();
	have_qemu = !system("qemu-img create -q -f qcow2 l.qcow2 1M "
			    "2>/dev/null && command -v qemu-io >/dev/null");
	CHECK(!system("truncate -s 1M l.raw"));
	test_ours();
	test_foreign();
	test_no_locks();
	if (have_qemu) {
		test_against_qemu();
		test_qemu_against_us();
	}
	if (!have_qemu)
		puts("SKIP: qemu-io is not installed");
	return have_qemu ? 0 : 77;
}
