/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext_io.c - libext2fs on our block layer: an I/O manager, and its errors. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/fs/ext_state.h"

/* The manager is told a name and nothing else: it is the layer's address. */
#define NAME_LEN 24u

static const struct struct_io_manager manager;

static errcode_t io_open(const char *name, int flags, io_channel *channel)
{
	io_channel c;
	char *end;
	uintptr_t address = (uintptr_t)strtoull(name, &end, 16);

	(void)flags;
	if (!address || *end)
		return EINVAL;
	if (ext2fs_get_memzero(sizeof(*c), &c))
		return ENOMEM;
	c->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	c->block_size = 1024;
	c->refcount = 1;
	c->private_data = (void *)address;
	c->manager = (io_manager)(uintptr_t)&manager;
	*channel = c;
	return 0;
}

static errcode_t io_close(io_channel c)
{
	if (--c->refcount == 0)
		ext2fs_free_mem(&c);
	return 0;
}

static errcode_t io_set_blksize(io_channel c, int size)
{
	c->block_size = size;
	return 0;
}

/* A negative count is of bytes. */
static bool io_range(io_channel c, unsigned long long block, int count,
		     uint64_t *offset, size_t *len)
{
	*len = count < 0 ? (size_t)-(int64_t)count :
		(size_t)count * (size_t)c->block_size;
	return mul_ok(block, (uint64_t)c->block_size, offset);
}

static errcode_t io_read(io_channel c, unsigned long long block, int count,
			 void *data)
{
	uint64_t offset;
	size_t len;
	int rc;

	if (!io_range(c, block, count, &offset, &len))
		return EXT2_ET_BAD_BLOCK_NUM;
	rc = img_read(c->private_data, data, len, offset);
	return rc == -ERANGE ? EXT2_ET_BAD_BLOCK_NUM : -rc;
}

/* What is there already stays in the layer below. */
static bool io_is_there(struct img *img, const uint8_t *data, size_t len,
			uint64_t offset)
{
	uint8_t old[4096];

	while (len) {
		size_t n = (size_t)min_u64(len, sizeof(old));

		if (img_read(img, old, n, offset) || memcmp(old, data, n))
			return false;
		data += n;
		offset += n;
		len -= n;
	}
	return true;
}

static errcode_t io_write(io_channel c, unsigned long long block, int count,
			  const void *data)
{
	uint64_t offset;
	size_t len;
	int rc;

	if (!io_range(c, block, count, &offset, &len))
		return EXT2_ET_BAD_BLOCK_NUM;
	if (io_is_there(c->private_data, data, len, offset))
		return 0;
	rc = img_write(c->private_data, data, len, offset);
	return rc == -ERANGE ? EXT2_ET_BAD_BLOCK_NUM : -rc;
}

static errcode_t io_read32(io_channel c, unsigned long block, int count,
			   void *data)
{
	return io_read(c, block, count, data);
}

static errcode_t io_write32(io_channel c, unsigned long block, int count,
			    const void *data)
{
	return io_write(c, block, count, data);
}

static errcode_t io_flush(io_channel c)
{
	return -img_flush(c->private_data);
}

static const struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "image",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_blksize,
	.read_blk = io_read32,
	.write_blk = io_write32,
	.flush = io_flush,
	.read_blk64 = io_read,
	.write_blk64 = io_write,
};

int ext_io_open(struct img *volume, int flags, ext2_filsys *fs, struct err *e)
{
	char name[NAME_LEN];
	errcode_t code;

	snprintf(name, sizeof(name), "%" PRIxPTR, (uintptr_t)volume);
	code = ext2fs_open2(name, NULL, flags | EXT2_FLAG_64BITS |
			    EXT2_FLAG_SKIP_MMP, 0, 0,
			    (io_manager)(uintptr_t)&manager, fs);
	if (code)
		return ext_fail(e, code, "the ext file system");
	/* Only a resize changes the copies. */
	(*fs)->flags |= EXT2_FLAG_MASTER_SB_ONLY;
	return 0;
}

int ext_fail(struct err *e, errcode_t code, const char *fmt, ...)
{
	const struct error_table *t = &et_ext2_error_table;
	char what[256];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (code > 0 && code < 4096)
		return fail_rc(e, (int)-code, "%s", what);
	switch (code) {
	case EXT2_ET_NO_MEMORY:
		rc = ENOMEM;
		break;
	case EXT2_ET_BLOCK_ALLOC_FAIL:
	case EXT2_ET_INODE_ALLOC_FAIL:
	case EXT2_ET_DIR_NO_SPACE:
		rc = ENOSPC;
		break;
	case EXT2_ET_FILE_TOO_BIG:
		rc = EFBIG;
		break;
	case EXT2_ET_UNSUPP_FEATURE:
	case EXT2_ET_RO_UNSUPP_FEATURE:
	case EXT2_ET_REV_TOO_HIGH:
	case EXT2_ET_DIRHASH_UNSUPP:
		rc = ENOTSUP;
		break;
	default:
		rc = EUCLEAN;
	}
	if (code < t->base || code - t->base >= (errcode_t)t->n_msgs)
		return fail(e, rc, "%s: error %ld of libext2fs", what, code);
	return fail(e, rc, "%s: %s", what, t->msgs[code - t->base]);
}
