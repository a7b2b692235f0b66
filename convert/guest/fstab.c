/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstab.c - the lines of an fstab. */
#include "convert/guest/fstab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The next field, \040 decoded, or NULL at the end of the line. */
static int take_field(const char **at, const char *end, char **out)
{
	const char *p = *at;
	char *to;

	*out = NULL;
	while (p < end && is_blank(*p))
		p++;
	*at = p;
	if (p == end)
		return 0;
	while (*at < end && !is_blank(**at))
		(*at)++;
	to = *out = malloc((size_t)(*at - p) + 1);
	if (!to)
		return -ENOMEM;
	while (p < *at) {
		if (*at - p >= 4 && p[0] == '\\' && p[1] >= '0' && p[1] <= '3' &&
		    is_octal(p[2]) && is_octal(p[3])) {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 |
				       (p[3] - '0'));
			p += 4;
		} else {
			*to++ = *p++;
		}
	}
	*to = 0;
	return 0;
}

static void mount_fini(struct tree_mount *m)
{
	free(m->spec);
	free(m->dir);
	free(m->type);
	free(m->options);
}

static int parse_line(const char *line, const char *end, struct tree_mount *m)
{
	int rc = take_field(&line, end, &m->spec);

	if (!rc)
		rc = take_field(&line, end, &m->dir);
	if (!rc)
		rc = take_field(&line, end, &m->type);
	if (!rc && !m->type) {
		m->type = strdup("auto");
		rc = m->type ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = take_field(&line, end, &m->options);
	if (!rc && !m->options) {
		m->options = strdup("defaults");
		rc = m->options ? 0 : -ENOMEM;
	}
	return rc;
}

static bool is_mount(const char *line, const char *end)
{
	while (line < end && is_blank(*line))
		line++;
	return line < end && *line != '#' &&
		!memchr(line, 0, (size_t)(end - line));
}

static bool is_useful(const struct tree_mount *m)
{
	return m->spec && m->dir && *m->spec &&
		(m->dir[0] == '/' || !strcmp(m->type, "swap"));
}

int fstab_parse(const char *text, size_t len, struct tree_mount **out,
		size_t *n, struct err *e)
{
	const char *end = text + len, *next;
	unsigned number = 0;
	size_t cap = 0;
	int rc = 0;

	*out = NULL;
	*n = 0;
	for (; text < end && !rc; text = next) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct tree_mount m = { .line = ++number };

		next = stop ? stop + 1 : end;
		stop = stop ? stop : end;
		if (stop > text && stop[-1] == '\r')
			stop--;
		if (!is_mount(text, stop))
			continue;
		if (*n == FSTAB_MAX_LINES) {
			rc = fail(e, ENOTSUP, "line %u: more than %u lines",
				  number, FSTAB_MAX_LINES);
			break;
		}
		rc = parse_line(text, stop, &m);
		if (!rc && is_useful(&m))
			rc = array_grow(out, &cap, *n + 1, sizeof(m));
		if (!rc && is_useful(&m))
			(*out)[(*n)++] = m;
		else
			mount_fini(&m);
		if (rc)
			fail(e, ENOMEM, "out of memory");
	}
	if (rc) {
		fstab_free(*out, *n);
		*out = NULL;
		*n = 0;
	}
	return rc;
}

void fstab_free(struct tree_mount *mounts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mount_fini(&mounts[i]);
	free(mounts);
}
