/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.c - a kernel's or initrd's file, on disk or in memory. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "imgfmt/base/buf.h"
#include "vmm/boot/file.h"
#include "vmm/mem.h"

#define FIRST_ROOM (64u << 10)
#define GZIP_WINDOW (15 + 16)	/* zlib: the largest window, a gzip header */

/* pread() until `len` bytes came, or the end: how many, or -errno. */
static int64_t read_fully(int fd, uint64_t offset, uint8_t *buf, uint64_t len)
{
	uint64_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, buf + done, min_u64(len - done, INT32_MAX),
			  (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (uint64_t)n;
	}
	return (int64_t)done;
}

static int read_part(const struct boot_file *f, uint64_t offset, uint8_t *buf,
		     uint64_t len, struct err *e)
{
	int64_t n;

	if (f->data) {
		memcpy(buf, f->data + offset, len);
		return 0;
	}
	n = read_fully(f->fd, offset, buf, len);
	if (n < 0)
		return fail_rc(e, (int)n, "cannot read '%s'", f->name);
	if ((uint64_t)n < len)
		return fail(e, EIO, "'%s' was cut to %" PRIu64 " bytes by "
			    "someone else; it had %" PRIu64, f->name,
			    offset + (uint64_t)n, f->len);
	return 0;
}

int boot_file_read(const struct boot_file *f, uint64_t offset, void *buf,
		   size_t len, const char *what, struct err *e)
{
	if (!in_range(offset, len, f->len))
		return fail(e, EUCLEAN, "'%s': the %s is to be at byte %" PRIu64
			    " and %zu bytes long, but the file has only %"
			    PRIu64, f->name, what, offset, len, f->len);
	return read_part(f, offset, buf, len, e);
}

int boot_file_load(const struct boot_file *f, uint64_t offset, uint64_t len,
		   struct vm *vm, uint64_t gpa, struct err *e)
{
	uint64_t part;
	uint8_t *host;
	int rc;

	if (!in_range(offset, len, f->len))
		return fail(e, EUCLEAN, "'%s': bytes %" PRIu64 " to %" PRIu64
			    " are to be loaded, but the file has only %" PRIu64,
			    f->name, offset, offset + len, f->len);
	for (; len; len -= part) {
		part = len;
		host = mem_ptr_some(vm, gpa, &part, MEM_WRITE);
		if (!host)
			return fail(e, EFAULT, "'%s': 0x%" PRIx64 " is not RAM "
				    "of the guest", f->name, gpa);
		rc = read_part(f, offset, host, part, e);
		if (rc)
			return rc;
		mem_wrote(vm, host, part);
		offset += part;
		gpa += part;
	}
	return 0;
}

static int too_large(const char *name, struct err *e)
{
	char limit[SIZE_TEXT_LEN];

	return fail(e, EFBIG, "'%s' is larger than %s, which is the most for "
		    "one that is compressed or comes from a pipe", name,
		    size_text(BOOT_MEMORY_MAX, limit));
}

/* Grow by half, up to what is allowed. */
static int make_room(struct boot_file *f, size_t *room, struct err *e)
{
	if (*room > BOOT_MEMORY_MAX)
		return too_large(f->name, e);
	if (array_grow((void *)&f->data, room, *room ? *room + 1 : FIRST_ROOM,
		       1))
		return fail(e, ENOMEM, "out of memory for '%s'", f->name);
	return 0;
}

/* The whole of a pipe. */
static int slurp(struct boot_file *f, struct err *e)
{
	size_t room = 0;
	ssize_t n;
	int rc;

	for (;;) {
		if (f->len == room) {
			rc = make_room(f, &room, e);
			if (rc)
				return rc;
		}
		n = read(f->fd, f->data + f->len, room - f->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_rc(e, -errno, "cannot read '%s'", f->name);
		if (!n)
			break;
		f->len += (uint64_t)n;
	}
	if (f->len > BOOT_MEMORY_MAX)
		return too_large(f->name, e);
	close(f->fd);
	f->fd = -1;
	return 0;
}

/* The next piece of the packed file `in`; *done counts its bytes. */
static int feed(const struct boot_file *in, uint64_t *done, z_stream *z,
		uint8_t *buf, struct err *e)
{
	uint64_t n = min_u64(in->len - *done, FIRST_ROOM);
	int rc;

	if (z->avail_in)
		return 0;
	if (!n)
		return fail(e, EUCLEAN, "'%s' is a gzip file without its end",
			    in->name);
	rc = read_part(in, *done, buf, n, e);
	*done += n;
	z->next_in = buf;
	z->avail_in = (unsigned)n;
	return rc;
}

static int inflate_all(const struct boot_file *in, struct boot_file *out,
		       z_stream *z, uint8_t *buf, struct err *e)
{
	uint64_t done = 0;
	size_t room = 0;
	int rc, status;

	do {
		rc = feed(in, &done, z, buf, e);
		if (!rc && out->len == room)
			rc = make_room(out, &room, e);
		if (rc)
			return rc;
		z->next_out = out->data + out->len;
		z->avail_out = (unsigned)min_u64(room - out->len, UINT32_MAX);
		status = inflate(z, Z_NO_FLUSH);
		out->len = (uint64_t)(z->next_out - out->data);
		if (status != Z_OK && status != Z_STREAM_END)
			return fail(e, EUCLEAN, "'%s' is a damaged gzip file: "
				    "%s", in->name, z->msg ? z->msg :
				    zError(status));
	} while (status != Z_STREAM_END);
	return out->len > BOOT_MEMORY_MAX ? too_large(in->name, e) : 0;
}

/* Replace a gzip file with its content. */
static int unpack_gzip(struct boot_file *f, struct err *e)
{
	struct boot_file out = { .name = f->name, .fd = -1 };
	uint8_t *buf = malloc(FIRST_ROOM);
	z_stream z = { 0 };
	int rc;

	if (!buf || inflateInit2(&z, GZIP_WINDOW) != Z_OK) {
		free(buf);
		return fail(e, ENOMEM, "out of memory for '%s'", f->name);
	}
	rc = inflate_all(f, &out, &z, buf, e);
	inflateEnd(&z);
	free(buf);
	boot_file_close(rc ? &out : f);
	if (!rc)
		*f = out;
	return rc;
}

static int open_file(struct boot_file *f, struct err *e)
{
	struct stat st;

	f->fd = open(f->name, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0)
		return fail_rc(e, -errno, "cannot open '%s'", f->name);
	if (fstat(f->fd, &st))
		return fail_rc(e, -errno, "cannot read '%s'", f->name);
	if (S_ISDIR(st.st_mode))
		return fail(e, EISDIR, "'%s' is a folder, not a file", f->name);
	if (!S_ISREG(st.st_mode))
		return slurp(f, e);
	f->len = (uint64_t)st.st_size;
	return 0;
}

int boot_file_open(struct boot_file *f, const char *name, bool unpack,
		   struct err *e)
{
	uint8_t magic[2];
	int rc;

	*f = (struct boot_file){ .name = name, .fd = -1 };
	rc = open_file(f, e);
	if (!rc && unpack && f->len >= sizeof(magic)) {
		rc = read_part(f, 0, magic, sizeof(magic), e);
		if (!rc && magic[0] == 0x1f && magic[1] == 0x8b)
			rc = unpack_gzip(f, e);
	}
	if (rc)
		boot_file_close(f);
	return rc;
}

void boot_file_close(struct boot_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->data);
	f->fd = -1;
	f->data = NULL;
}
