/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstree.c - files to put on a file system, and to find there again. */
#include "tests/lib/fstree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/check.h"

static struct err e;

bool fstree_run(const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	int n;

	n = snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin\n(");
	va_start(ap, fmt);
	vsnprintf(command + n, sizeof(command) - (size_t)n - 16, fmt, ap);
	va_end(ap);
	strcat(command, "\n) >log 2>&1");
	return !system(command);
}

bool fstree_has(const char *program)
{
	return fstree_run("command -v %s", program);
}

/* Bytes that say where they are. */
static uint8_t pattern(uint64_t at, unsigned seed)
{
	return (uint8_t)((at * 2654435761u + seed) >> 13 | 1);
}

static void write_at(int fd, uint64_t at, size_t len, unsigned seed)
{
	uint8_t buf[4096];

	while (len) {
		size_t n = len < sizeof(buf) ? len : sizeof(buf);

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(at + i, seed);
		CHECK(pwrite(fd, buf, n, (off_t)at) == (ssize_t)n);
		at += n;
		len -= n;
	}
}

static int make(const char *name)
{
	int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);

	CHECK(fd >= 0);
	return fd;
}

static void make_file(const char *name, size_t len, unsigned seed)
{
	int fd = make(name);

	write_at(fd, 0, len, seed);
	CHECK(!close(fd));
}

/* Every other of 700 pieces is a hole: more extents than an inode or one small
 * node holds, and beyond what direct blocks reach.
 */
static void make_sparse(void)
{
	int fd = make("sparse");

	for (unsigned i = 0; i < 700; i++)
		write_at(fd, i * 8192ull, 1500, i);
	write_at(fd, 1ull << 30, 5000, 77);
	CHECK(!close(fd));
}

static void make_sizes(void)
{
	static const unsigned sizes[] = {
		0, 1, 59, 60, 61, 100, 150, 160, 200, 1023, 1024, 1025, 4096,
		12288, 65536, 70000, 300000, 3 << 20,
	};
	char name[32];

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		sprintf(name, "size-%u", sizes[i]);
		make_file(name, sizes[i], i);
	}
}

/* FAT has no blanks at a name's end. */
static void make_many(unsigned n, char blank)
{
	char name[300];

	CHECK(!mkdir("many", 0755) && !chdir("many"));
	for (unsigned i = 0; i < n; i++) {
		sprintf(name, "file %u %.*s", i, (int)(i % 200),
			"a name that is as long as it has to be, with words and "
			"blanks, so that many of these entries fill many blocks "
			"of a directory, which then needs more than one level of "
			"its tree, and more than one block");
		for (char *p = name; *p; p++)
			*p = *p == ' ' ? blank : *p;
		make_file(name, i % 70, i);
	}
	CHECK(!chdir(".."));
}

static void make_links(void)
{
	char target[1024];

	CHECK(!symlink("size-1", "link"));
	memset(target, 'x', sizeof(target));
	for (unsigned len = 58; len <= 62; len++) {
		char name[16];

		target[len] = 0;
		sprintf(name, "link-%u", len);
		CHECK(!symlink(target, name));
		target[len] = 'x';
	}
	target[1000] = 0;
	CHECK(!symlink(target, "link-1000"));
	CHECK(!link("size-100", "hard link"));
}

static void make_odd(void)
{
	static const struct timespec old[2] = { { -1000000000, 5 }, { -1, 6 } },
		late[2] = { { 1ll << 32, 7 }, { 3ll << 32, 8 } };

	CHECK(!mkfifo("fifo", 0600));
	if (!geteuid()) {
		CHECK(!mknod("null", S_IFCHR | 0666, makedev(1, 3)));
		CHECK(!mknod("large", S_IFBLK | 0640, makedev(259, 70000)));
		CHECK(!chown("size-60", 70000, 80000));
	}
	CHECK(!chmod("size-61", 04755));
	CHECK(!chmod("size-59", 01000));
	CHECK(!utimensat(AT_FDCWD, "size-1024", old, 0));
	CHECK(!utimensat(AT_FDCWD, "size-1025", late, 0));
	CHECK(!mkdir("empty", 0700));
}

/* In the inode, in a block, in an inode of their own; where the host's file
 * system takes them.
 */
static void make_attributes(void)
{
	static const unsigned sizes[] = { 1, 40, 100, 150, 300 };
	uint8_t value[5000];
	char name[64];

	for (unsigned i = 0; i < sizeof(value); i++)
		value[i] = pattern(i, 3);
	for (unsigned i = 0; i < 5; i++) {
		sprintf(name, "user.attribute-%u", i);
		if (setxattr("size-200", name, value, sizes[i], 0))
			return;
		CHECK(!setxattr("size-0", "user.a", value, 10, 0) || errno);
	}
	if (!setxattr("size-150", "security.selinux", "a_u:b_r:c_t:s0", 15, 0))
		setxattr("many", "security.selinux", "d", 2, 0);
}

void fstree_make(const char *dir, unsigned flags)
{
	CHECK(!mkdir(dir, 0755) && !chdir(dir));
	umask(022);
	make_sizes();
	if (flags & FSTREE_PLAIN)
		make_many(100, '_');
	else
		make_many(1200, ' ');
	CHECK(!mkdir("a", 0755) && !mkdir("a/b", 0755) && !mkdir("a/b/c", 0755));
	make_file("a/b/c/deep", 10, 1);
	make_file("na\xc3\xafve \xe2\x82\xac", 10, 2);
	if (!(flags & FSTREE_PLAIN)) {
		make_sparse();
		make_links();
		make_odd();
		make_attributes();
	}
	CHECK(!chdir(".."));
}

/* Comparing. */

struct seen {
	char path[4096];	/* on the host */
	size_t len;
	struct fs *fs;
	uint64_t dir;
	unsigned flags;
	unsigned entries, files;
};

static void compare_content(struct seen *s, uint64_t ino, uint64_t size)
{
	static uint8_t want[1 << 20], got[1 << 20];
	int fd = open(s->path, O_RDONLY);
	uint64_t at = 0;
	/* Pieces of odd lengths, and large ones. */
	size_t piece = size > 200000 ? sizeof(want) : 1234;

	CHECK(fd >= 0);
	while (at < size) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		size_t n;

		/* Only the beginning of what is a long hole for both. */
		if (size > 1 << 28 && data > (off_t)at + (1 << 22))
			at = (uint64_t)data - 5000;
		n = size - at < piece ? (size_t)(size - at) : piece;
		CHECK(pread(fd, want, n, (off_t)at) == (ssize_t)n);
		CHECK_OK(fs_read(s->fs, ino, got, n, at, &e));
		if (memcmp(got, want, n)) {
			fprintf(stderr, "%s differs near %" PRIu64 "\n",
				s->path, at);
			exit(1);
		}
		at += n;
	}
	CHECK_EQ(fs_read(s->fs, ino, got, 2, size ? size - 1 : 0, &e), -ERANGE);
	CHECK(!close(fd));
}

static void compare_attributes(struct seen *s, uint64_t ino)
{
	char names[4096], *name;
	uint8_t want[65536];
	ssize_t n, len = llistxattr(s->path, names, sizeof(names));
	void *got;
	size_t got_len;

	for (name = names; len > 0 && name < names + len;
	     name += strlen(name) + 1) {
		n = lgetxattr(s->path, name, want, sizeof(want));
		CHECK(n >= 0);
		CHECK_OK(fs_xattr(s->fs, ino, name, &got, &got_len, &e));
		CHECK_EQ(got_len, n);
		CHECK(!memcmp(got, want, got_len));
		free(got);
	}
	CHECK_EQ(fs_xattr(s->fs, ino, "user.none", &got, &got_len, &e),
		 -ENODATA);
}

static void compare_stat(struct seen *s, const struct stat *want,
			 const struct fs_stat *got)
{
	CHECK_EQ(got->mode, want->st_mode);
	CHECK_EQ(got->uid, want->st_uid);
	CHECK_EQ(got->gid, want->st_gid);
	if (S_ISREG(want->st_mode))
		CHECK_EQ(got->nlink, want->st_nlink);
	if (!S_ISDIR(want->st_mode))
		CHECK_EQ(got->size, want->st_size);
	/* mke2fs 1.47.0 stores 32 bits. */
	if (S_ISREG(want->st_mode))
		CHECK_EQ((int32_t)got->mtime, (int32_t)want->st_mtime);
	if (S_ISBLK(want->st_mode) || S_ISCHR(want->st_mode)) {
		CHECK_EQ(got->rdev_major, major(want->st_rdev));
		CHECK_EQ(got->rdev_minor, minor(want->st_rdev));
	}
	if (strstr(s->path, "hard link"))
		CHECK_EQ(got->nlink, 2);
}

static void compare_dir(struct seen *s, uint64_t ino);

static int compare_one(void *arg, const char *name, uint64_t ino)
{
	char want[4096], got[4096];
	struct seen *s = arg, below;
	struct fs_stat fst;
	uint64_t found;
	struct stat st;
	ssize_t n;

	if (!strcmp(name, "lost+found"))
		return 0;
	s->entries++;
	below = *s;
	below.len += (size_t)sprintf(below.path + below.len, "/%s", name);
	if (lstat(below.path, &st)) {
		fprintf(stderr, "%s is not on the host\n", below.path);
		exit(1);
	}
	/* Not for each: it reads the directory again. */
	if (s->entries % 16 == 1) {
		CHECK_OK(fs_lookup(s->fs, s->dir, name, strlen(name), &found,
				   &e));
		CHECK_EQ(found, ino);
	}
	CHECK_OK(fs_stat(s->fs, ino, &fst, &e));
	CHECK_EQ(fst.ino, ino);
	if (s->flags & (FSTREE_PLAIN | FSTREE_CONTENT)) {
		CHECK_EQ(fst.mode & S_IFMT, st.st_mode & S_IFMT);
		if (S_ISREG(st.st_mode))
			CHECK_EQ(fst.size, st.st_size);
	} else {
		compare_stat(&below, &st, &fst);
		if (!(s->flags & FSTREE_NO_XATTR))
			compare_attributes(&below, ino);
	}
	if (S_ISDIR(st.st_mode)) {
		compare_dir(&below, ino);
		s->files += below.files - s->files;
	} else if (S_ISREG(st.st_mode)) {
		compare_content(&below, ino, fst.size);
		s->files++;
	} else if (S_ISLNK(st.st_mode)) {
		n = readlink(below.path, want, sizeof(want) - 1);
		CHECK(n > 0);
		want[n] = 0;
		CHECK_OK(fs_readlink(s->fs, ino, got, (size_t)n + 1, &e));
		CHECK_STR(got, want);
		CHECK_EQ(fs_readlink(s->fs, ino, got, (size_t)n, &e),
			 -ENAMETOOLONG);
		CHECK_EQ(fs_read(s->fs, ino, got, 1, 0, &e), -EINVAL);
	}
	return 0;
}

static void compare_dir(struct seen *s, uint64_t ino)
{
	DIR *d = opendir(s->path);
	unsigned n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	CHECK(!closedir(d));
	s->entries = 0;
	s->dir = ino;
	CHECK_OK(fs_list(s->fs, ino, compare_one, s, &e));
	if (s->entries != n - 2) {
		fprintf(stderr, "%s: %u names, wanted %u\n", s->path,
			s->entries, n - 2);
		exit(1);
	}
	CHECK_EQ(fs_lookup(s->fs, ino, "nobody", 6, &ino, &e), -ENOENT);
}

unsigned fstree_compare(struct fs *fs, const char *dir, unsigned flags)
{
	struct seen s = { .fs = fs, .flags = flags };

	s.len = (size_t)sprintf(s.path, "%s", dir);
	compare_dir(&s, fs_root(fs));
	return s.files;
}

struct fs *fstree_open(const char *path, struct img **img)
{
	struct fs *fs;

	CHECK_OK(img_file_open(path, 0, img, &e));
	CHECK_OK(fs_open(*img, &fs, &e));
	if (fs_identity(fs)->note.text[0])
		fprintf(stderr, "%s: %s\n", path, fs_identity(fs)->note.text);
	return fs;
}

void fstree_close(struct fs *fs, struct img *img)
{
	fs_close(fs);
	CHECK_OK(img_close(img, &e));
}
