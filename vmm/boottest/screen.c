/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.c - the words on the screen, as far as they are new: what stood there the
 * last time was judged then, at its time.
 */
#include "vmm/screen/screen.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/boottest/verdict.h"

/* The line at `p`, without blanks before it; NULL behind the last. */
static const char *take_line(const char *p, char out[BOOT_LINE_MAX])
{
	const char *end = strchr(p, '\n');
	size_t len = end ? (size_t)(end - p) : strlen(p);
	size_t skip = strspn(p, " ");

	if (!len)
		return end ? (*out = 0, end + 1) : NULL;
	skip = skip < len ? skip : len;
	len = min_u64(len - skip, BOOT_LINE_MAX - 1);
	memcpy(out, p + skip, len);
	out[len] = 0;
	return end ? end + 1 : p + skip + len;
}

/* How often is that line there, up to `stop`? */
static unsigned count(const char *text, const char *stop, const char *line)
{
	char other[BOOT_LINE_MAX];
	unsigned n = 0;

	while (text && text != stop && (text = take_line(text, other)))
		n += !strcmp(other, line);
	return n;
}

static void judge_new(struct boot_test *bt, const char *text)
{
	const char *next, *before = bt->screen ? bt->screen : "";
	char line[BOOT_LINE_MAX];

	for (const char *p = text; (next = take_line(p, line)); p = next) {
		if (!*line ||
		    count(text, next, line) <= count(before, NULL, line))
			continue;
		boot_progress(bt);
		boot_keep(bt, SOURCE_SCREEN, line);
		boot_line(bt, SOURCE_SCREEN, line);
	}
}

void boot_screen(struct boot_test *bt)
{
	struct screen_text now;
	struct err e;

	if (!vm_screen_changed_locked(bt->vm, &bt->screen_mark) ||
	    vm_screen_text_locked(bt->vm, &now, &e))
		return;
	if (!bt->screen || strcmp(bt->screen, now.text)) {
		judge_new(bt, now.text);
		free(bt->screen);
		bt->screen = now.text;
		now.text = NULL;
	}
	screen_text_free(&now);
}
