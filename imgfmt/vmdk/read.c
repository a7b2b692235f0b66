/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read.c - reading guest data, and telling what lies where. */
#include <errno.h>
#include <string.h>

#include "state.h"
#include "stream_write.h"

/* Compressed grains that follow each other are one extent up to this length. */
#define MAX_COMPRESSED_EXTENT (64u << 20)

static int lookup(struct vmdk *s, uint64_t offset, uint64_t len,
		  struct vmdk_run *run)
{
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = vmdk_lookup(s, offset, len, run);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int read_run(struct vmdk *s, const struct vmdk_run *run, uint8_t *buf,
		    uint64_t offset)
{
	switch (run->kind) {
	case VMDK_KIND_DATA:
		return run->x->file ? img_read(run->x->file, buf,
					       (size_t)run->len, run->host)
				    : -ENOENT;
	case VMDK_KIND_COMPRESSED:
		return vmdk_inflate_read(s, run, offset - run->x->start, buf,
					 (size_t)run->len);
	case VMDK_KIND_HOLE:
	case VMDK_KIND_ZERO:
		break;
	}
	memset(buf, 0, (size_t)run->len);
	return 0;
}

static int read_range(struct vmdk *s, uint8_t *buf, size_t len, uint64_t offset)
{
	struct vmdk_run run;
	int rc;

	while (len) {
		rc = lookup(s, offset, len, &run);
		if (!rc)
			rc = read_run(s, &run, buf, offset);
		if (rc)
			return rc;
		buf += run.len;
		offset += run.len;
		len -= (size_t)run.len;
	}
	return 0;
}

int vmdk_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	struct vmdk *s = img->state;
	struct rangelock_held held;
	int rc;

	if (s->out)
		return vmdk_stream_read(s, buf, len, offset);
	/* Nothing moves in an image that is only read. */
	if (!(img->flags & IMG_WRITE))
		return read_range(s, buf, len, offset);
	rangelock_take(&s->ranges, &held, round_down(offset, img->block_size),
		       round_up(offset + len, img->block_size), false);
	rc = read_range(s, buf, len, offset);
	rangelock_drop(&s->ranges, &held);
	return rc;
}

/* The host file's holes are the disk's: plain bytes are as they are. */
static int map_plain(const struct vmdk_run *run, struct img_extent *ext)
{
	struct img_extent below;
	int rc;

	ext->len = run->len;
	if (!run->x->file)
		return 0;
	rc = img_map(run->x->file, run->host, run->len, &below);
	if (rc)
		return rc;
	ext->len = below.len;
	ext->flags = below.flags;
	ext->fd = below.fd;
	ext->fd_offset = below.fd_offset;
	ext->fd_name = below.fd_name;
	return 0;
}

static int map_compressed(struct vmdk *s, uint64_t len, struct img_extent *ext)
{
	struct vmdk_run run = { 0 };
	int rc = 0;

	ext->flags = IMG_EXT_COMPRESSED;
	pthread_mutex_lock(&s->lock);
	while (!rc && ext->len < len && ext->len < MAX_COMPRESSED_EXTENT) {
		rc = vmdk_lookup(s, ext->offset + ext->len, len - ext->len,
				 &run);
		if (rc || run.kind != VMDK_KIND_COMPRESSED)
			break;
		ext->len += run.len;
	}
	pthread_mutex_unlock(&s->lock);
	/* The next call meets the error. */
	return 0;
}

int vmdk_map(struct img *img, uint64_t offset, uint64_t len,
	     struct img_extent *ext)
{
	struct vmdk *s = img->state;
	struct vmdk_run run;
	int rc;

	if (s->out)
		return 0;
	rc = lookup(s, offset, len, &run);
	if (rc)
		return rc;
	if (run.kind == VMDK_KIND_DATA && run.x->storage == VMDK_PLAIN)
		return map_plain(&run, ext);
	ext->len = run.len;
	switch (run.kind) {
	case VMDK_KIND_HOLE:
		ext->flags = IMG_EXT_HOLE;
		break;
	case VMDK_KIND_ZERO:
		ext->flags = IMG_EXT_ZERO;
		break;
	case VMDK_KIND_COMPRESSED:
		return map_compressed(s, len, ext);
	case VMDK_KIND_DATA:
		img_locate(run.x->file, run.host, ext);
		break;
	}
	return 0;
}

int vmdk_locate(struct img *img, uint64_t offset, struct img_extent *ext)
{
	struct vmdk *s = img->state;
	struct vmdk_run run;
	int rc = s->out ? -ENOTSUP : lookup(s, offset, 1, &run);

	if (rc)
		return rc;
	if (run.kind != VMDK_KIND_DATA || !run.x->file)
		return -ENOTSUP;
	img_locate(run.x->file, run.host, ext);
	return ext->fd < 0 ? -ENOTSUP : 0;
}
