/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gzip_stream.h - inflating a gzip file from any of the points where that can
 * start, and finding these points.  Internal to the gzip layer.
 */
#ifndef OVA_GZIP_STREAM_H
#define OVA_GZIP_STREAM_H

#include <zlib.h>

#include "gzip.h"

#define GZIP_WINDOW 32768u

struct gzip_point {
	uint64_t out, in;	/* in the content and in the file, bytes */
	uint8_t *window;	/* the `have` bytes of content before it */
	unsigned have;
	unsigned bits;		/* of the byte before `in` that belong to it */
	bool member;		/* a gzip header begins here */
};

struct gzip_index {
	struct gzip_point points[GZIP_MAX_POINTS];	/* the first is at 0 */
	size_t n;
	uint64_t spacing;	/* least distance of two points, bytes */
	uint64_t size;		/* of the content, bytes */
};

struct gzip_stream {
	struct img *below;
	uint64_t end;		/* of the file, bytes */
	uint64_t out;		/* the content's next byte */
	uint64_t in;		/* the file's next byte to be loaded */
	uint64_t member_out;	/* of the content, since the member began */
	uint8_t *buf;
	z_stream z;
	bool inited, raw, done;
};

int gzip_stream_init(struct gzip_stream *s, struct img *below);
void gzip_stream_fini(struct gzip_stream *s);
int gzip_stream_start(struct gzip_stream *s, const struct gzip_point *p);

/* The next bytes of the content; *got is less than `len` only at its end.
 * -EUCLEAN: broken, -ENODATA: cut short.
 */
int gzip_stream_read(struct gzip_stream *s, void *buf, size_t len, size_t *got);

/* `spacing` is where to begin, bytes. */
int gzip_index_build(struct gzip_index *x, struct img *below, uint64_t spacing,
		     struct err *e);
void gzip_index_free(struct gzip_index *x);
/* The last point at or before `out`. */
const struct gzip_point *gzip_index_find(const struct gzip_index *x,
					 uint64_t out);

#endif
