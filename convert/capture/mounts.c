/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mounts.c - which mounted file systems lie on a block device (proc(5)). */
#include "convert/capture/mounts.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"

#define MAX_DEPTH 8u		/* of devices on devices */

struct place {
	bool on_disk, stacked;
	unsigned partition;
};

/* A small file of sysfs, without its newline; "" if there is none. */
static void read_line(const char *path, char *line, size_t size)
{
	FILE *f = fopen(path, "re");

	*line = 0;
	if (f && !fgets(line, (int)size, f))
		*line = 0;
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
}

static bool read_dev(const char *folder, dev_t *dev)
{
	char path[PATH_MAX], line[32];
	unsigned major, minor;

	if (snprintf(path, sizeof(path), "%s/dev", folder) >= PATH_MAX)
		return false;
	read_line(path, line, sizeof(line));
	if (sscanf(line, "%u:%u", &major, &minor) != 2)
		return false;
	*dev = makedev(major, minor);
	return true;
}

static void look(dev_t dev, dev_t disk, unsigned depth, struct place *p);

/* Devices that this one is made of. */
static void look_below(const char *folder, dev_t disk, unsigned depth,
		       struct place *p)
{
	char path[PATH_MAX + 300];
	struct dirent *d;
	DIR *dir;
	dev_t dev;

	snprintf(path, sizeof(path), "%s/slaves", folder);
	dir = opendir(path);
	while (dir && !p->on_disk && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/slaves/%s", folder, d->d_name);
		if (*d->d_name == '.' || !read_dev(path, &dev))
			continue;
		look(dev, disk, depth + 1, p);
		p->stacked = p->on_disk;
	}
	if (dir)
		closedir(dir);
}

static void look(dev_t dev, dev_t disk, unsigned depth, struct place *p)
{
	char folder[64], path[PATH_MAX], line[32];
	dev_t parent;

	if (dev == disk) {
		p->on_disk = true;
		return;
	}
	snprintf(folder, sizeof(folder), "/sys/dev/block/%u:%u", major(dev),
		 minor(dev));
	snprintf(path, sizeof(path), "%s/partition", folder);
	read_line(path, line, sizeof(line));
	snprintf(path, sizeof(path), "%s/..", folder);
	if (*line && read_dev(path, &parent) && parent == disk) {
		p->on_disk = true;
		p->partition = (unsigned)strtoul(line, NULL, 10);
	} else if (depth < MAX_DEPTH) {
		look_below(folder, disk, depth, p);
	}
}

static int add(struct mounts *m, const char *point, dev_t dev,
	       const struct place *p, bool swap, bool readonly)
{
	struct mount *one;
	struct stat st;

	if (array_grow(&m->list, &m->cap, m->n + 1, sizeof(*m->list)))
		return -ENOMEM;
	one = &m->list[m->n];
	*one = (struct mount){
		.point = strdup(point), .dev = dev, .fs = dev,
		.partition = p->stacked ? 0 : p->partition,
		.stacked = p->stacked, .swap = swap, .readonly = readonly,
	};
	if (!one->point)
		return -ENOMEM;
	if (!swap && !stat(point, &st))
		one->fs = st.st_dev;
	m->n++;
	return 0;
}

/* \040 and the like become what they stand for. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		unsigned c;

		if (*text == '\\' && sscanf(text + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = 0;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static int take_mount(struct mounts *m, char *line, dev_t disk)
{
	char *save, *word, *point = NULL, *options = NULL, *source = NULL;
	unsigned major = 0, minor = 0, n = 0, after = 0;
	struct place p = { 0 };
	struct stat st;
	dev_t dev;

	for (word = strtok_r(line, " \n", &save); word;
	     word = strtok_r(NULL, " \n", &save), n++) {
		if (n == 2 && sscanf(word, "%u:%u", &major, &minor) != 2)
			return 0;
		if (n == 4)
			point = word;
		if (n == 5)
			options = word;
		if (after && ++after == 3)
			source = word;
		if (n > 5 && !after && !strcmp(word, "-"))
			after = 1;
	}
	if (!point || !options || !source)
		return 0;
	unescape(point);
	unescape(source);
	dev = makedev(major, minor);
	/* Some (btrfs) have a number of their own. */
	if (!major && !stat(source, &st) && S_ISBLK(st.st_mode))
		dev = st.st_rdev;
	look(dev, disk, 0, &p);
	return p.on_disk ? add(m, point, dev, &p, false,
			       !strncmp(options, "ro", 2) &&
			       (!options[2] || options[2] == ',')) : 0;
}

static int take_swap(struct mounts *m, char *line, dev_t disk)
{
	struct place p = { 0 };
	struct stat st;

	line[strcspn(line, " \t\n")] = 0;
	unescape(line);
	if (*line != '/' || stat(line, &st) || !S_ISBLK(st.st_mode))
		return 0;
	look(st.st_rdev, disk, 0, &p);
	return p.on_disk ? add(m, line, st.st_rdev, &p, true, false) : 0;
}

static int each_line(const char *path, struct mounts *m, dev_t disk,
		     int (*take)(struct mounts *m, char *line, dev_t disk))
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (!rc && getline(&line, &size, f) > 0)
		rc = take(m, line, disk);
	free(line);
	fclose(f);
	return rc;
}

static int on_device(struct mounts *m, dev_t disk)
{
	int rc = each_line("/proc/self/mountinfo", m, disk, take_mount);

	return rc ? rc : each_line("/proc/swaps", m, disk, take_swap);
}

/* Loop devices that show this file. */
static int behind_loops(struct mounts *m, const struct stat *file)
{
	DIR *dir = opendir("/sys/block");
	char path[PATH_MAX + 300], name[PATH_MAX];
	struct dirent *d;
	struct stat st;
	dev_t dev;
	int rc = 0;

	while (dir && !rc && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file",
			 d->d_name);
		read_line(path, name, sizeof(name));
		if (!*name || stat(name, &st) || st.st_dev != file->st_dev ||
		    st.st_ino != file->st_ino)
			continue;
		snprintf(path, sizeof(path), "/sys/block/%s", d->d_name);
		if (read_dev(path, &dev))
			rc = on_device(m, dev);
	}
	if (dir)
		closedir(dir);
	return rc;
}

int mounts_find(const char *disk, struct mounts *out, struct err *e)
{
	struct stat st;
	int rc;

	*out = (struct mounts){ 0 };
	if (stat(disk, &st))
		return fail_rc(e, -errno, "'%s'", disk);
	rc = S_ISBLK(st.st_mode) ? on_device(out, st.st_rdev) :
				   behind_loops(out, &st);
	return rc ? fail_rc(e, rc, "looking for mounted file systems") : 0;
}

void mounts_fini(struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->list[i].point);
	free(m->list);
	*m = (struct mounts){ 0 };
}
