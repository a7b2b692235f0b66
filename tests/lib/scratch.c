/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scratch.c - a folder for a test's files. */
#include "tests/lib/scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/check.h"

static char folder[4096];
static pid_t owner;

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_all(void)
{
	if (getpid() == owner && !chdir("/"))
		nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_enter(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/test.XXXXXX", tmp ? tmp : "/tmp");
	CHECK(mkdtemp(folder) && !chdir(folder));
	owner = getpid();
	CHECK(!atexit(remove_all));
}

unsigned count_names(const char *path)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	CHECK(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}
