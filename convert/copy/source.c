/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.c - several images read as one, laid end to end. */
#include "convert/copy/source.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "imgfmt/base/buf.h"

int source_init(struct source *s, struct img *const *images, size_t n,
		struct err *e)
{
	*s = (struct source){ .images = images, .n = n };
	s->start = array_alloc((uint64_t)n + 1, sizeof(*s->start));
	if (!s->start)
		return fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		s->start[i] = s->total;
		if (!add_ok(s->total, img_size(images[i]), &s->total) ||
		    s->total > INT64_MAX) {
			free(s->start);
			return fail(e, EFBIG, "all sources together are larger "
				    "than 2^63 bytes");
		}
	}
	s->start[n] = s->total;
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

void source_fini(struct source *s)
{
	pthread_mutex_destroy(&s->lock);
	free(s->start);
}

/* The image that holds `offset`, which is inside. */
static size_t find(const struct source *s, uint64_t offset)
{
	size_t lo = 0, hi = s->n;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->start[mid] <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static void watch_file(struct source *s, const struct img_extent *ext)
{
	struct stat st;
	unsigned i;

	pthread_mutex_lock(&s->lock);
	for (i = 0; i < s->n_files; i++)
		if (s->files[i].fd == ext->fd)
			break;
	if (i == s->n_files && i < SOURCE_MAX_WATCHED &&
	    !fstat(ext->fd, &st) && S_ISREG(st.st_mode)) {
		s->files[i].fd = ext->fd;
		s->files[i].size = (uint64_t)st.st_size;
		s->files[i].name = ext->fd_name;
		s->n_files++;
	}
	pthread_mutex_unlock(&s->lock);
}

int source_check(struct source *s, struct err *e)
{
	struct stat st;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->n_files && !rc; i++) {
		const struct source_file *f = &s->files[i];

		if (fstat(f->fd, &st) || (uint64_t)st.st_size >= f->size)
			continue;
		rc = fail(e, EIO, "%s became shorter while it was read: it had "
			  "%llu bytes and has %llu now",
			  f->name ? f->name : "a source",
			  (unsigned long long)f->size,
			  (unsigned long long)st.st_size);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

int source_map(struct source *s, uint64_t offset, uint64_t len,
	       struct img_extent *ext)
{
	size_t i = find(s, offset);
	uint64_t in = offset - s->start[i];
	int rc;

	rc = img_map(s->images[i], in, min_u64(len, s->start[i + 1] - offset),
		     ext);
	if (rc)
		return rc;
	if (!ext->len)
		return -EUCLEAN;	/* would never end */
	ext->offset = offset;
	if (ext->fd >= 0)
		watch_file(s, ext);
	return 0;
}

int source_read(struct source *s, void *buf, size_t len, uint64_t offset)
{
	uint8_t *p = buf;
	int rc = 0;

	while (len && !rc) {
		size_t i = find(s, offset);
		size_t n = (size_t)min_u64(len, s->start[i + 1] - offset);

		rc = img_read(s->images[i], p, n, offset - s->start[i]);
		p += n;
		offset += n;
		len -= n;
	}
	return rc;
}

const char *source_at(const struct source *s, uint64_t offset, uint64_t *in)
{
	size_t i = find(s, offset);

	*in = offset - s->start[i];
	return img_name(s->images[i]);
}
