/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model_raw.c - the model test on raw over files, O_DIRECT, memory and a
 * window.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/model.h"
#include "tests/lib/scratch.h"

struct place {
	char path[64];
	unsigned flags;
	struct img *mem;
};

static int stack_raw(struct img *below, struct img **out, struct err *e)
{
	struct img_open_args args = { .format = "raw", .flags = IMG_WRITE };

	return img_stack(below, &args, out, e);
}

static int open_path(void *arg, struct img **out, struct err *e)
{
	struct place *p = arg;
	struct img_open_args args = {
		.format = "raw", .flags = IMG_WRITE | p->flags,
	};

	return img_open(p->path, &args, out, e);
}

/* Memory does not survive being closed: carry a copy over. */
static int open_copy(void *arg, struct img **out, struct err *e)
{
	struct place *p = arg;
	struct img *mem = p->mem;

	p->mem = NULL;
	return stack_raw(mem, out, e);
}

static int close_copy(void *arg, struct img *img, struct err *e)
{
	struct place *p = arg;
	int rc = fault_copy(img_below(img), &p->mem, e);

	return rc ? rc : img_close(img, e);
}

static int open_window(void *arg, struct img **out, struct err *e)
{
	struct place *p = arg;
	struct img *file, *win;
	int rc;

	rc = img_file_open(p->path, IMG_WRITE, &file, e);
	if (!rc)
		rc = img_window(file, 12345, 1 << 20, &win, e);
	return rc ? rc : stack_raw(win, out, e);
}

static void make(const char *path, off_t len)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && !ftruncate(fd, len) && !close(fd));
}

static void run_file(struct place *p, const char *what, unsigned flags,
		     uint64_t ops)
{
	struct model m = {
		.what = what, .size = 3 << 20, .max_size = 5 << 20,
		.ops = ops, .open = open_path, .arg = p,
	};

	p->flags = flags;
	make(p->path, 3 << 20);
	model_run(&m);
}

static void run_threads(struct place *p, const char *what, unsigned flags)
{
	struct model m = {
		.what = what, .size = 3 << 20, .ops = 300, .open = open_path,
		.arg = p,
	};

	p->flags = flags;
	make(p->path, 3 << 20);
	model_run_threads(&m, 3);
}

/* A layer that now and then is wrong. */
static int stray_write(struct img *img, const void *buf, size_t len,
		       uint64_t offset)
{
	if (offset % 64 == 63)
		offset--;
	return img_write(img->below, buf, len, offset);
}

static int stray_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	return img_read(img->below, buf, len, offset);
}

static const struct img_driver stray = {
	.name = "stray", .read = stray_read, .write = stray_write,
};

static int open_stray(void *arg, struct img **out, struct err *e)
{
	struct img *mem;
	int rc;

	(void)arg;
	rc = img_memory(1 << 20, &mem, e);
	if (!rc)
		rc = img_layer_new(&stray, mem, "", IMG_WRITE, out, e);
	if (!rc)
		(*out)->size = 1 << 20;
	return rc;
}

/* The model notices, and says so with status 1. */
static void test_notices(void)
{
	struct model m = {
		.what = "a wrong layer", .size = 1 << 20, .ops = 1000,
		.open = open_stray,
	};
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(3);
		model_run(&m);
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static bool has_direct(const char *path)
{
	int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

int main(void)
{
	struct place p = { .path = "disk" };
	struct model mem = {
		.what = "raw on memory", .size = 1 << 20, .max_size = 2 << 20,
		.ops = 2000, .unit = 65536, .open = open_copy,
		.close = close_copy, .arg = &p,
	};
	struct model win = {
		.what = "raw in a window", .size = 1 << 20, .ops = 1000,
		.open = open_window, .arg = &p,
	};
	struct err e;

	scratch_enter();
	run_file(&p, "raw on a file", IMG_NO_FLUSH, 2000);
	if (has_direct(p.path))
		run_file(&p, "raw on a file with O_DIRECT",
			 IMG_NO_FLUSH | IMG_DIRECT, 500);
	run_threads(&p, "raw from threads", IMG_NO_FLUSH);
	if (has_direct(p.path))
		run_threads(&p, "raw from threads with O_DIRECT",
			    IMG_NO_FLUSH | IMG_DIRECT);
	test_notices();
	make(p.path, (1 << 20) + 12345);
	model_run(&win);
	CHECK_OK(img_memory(1 << 20, &p.mem, &e));
	model_run(&mem);
	CHECK_OK(img_close(p.mem, &e));
	return 0;
}
