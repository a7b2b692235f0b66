/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blkid.c - libblkid's opinion of a volume.
 *
 * It wants a descriptor, which a volume inside an image does not have.  So it gets
 * a sparse file in memory, as large as the volume, with a copy of those places
 * that signatures are in: the beginning, the end, and NTFS's file table.
 */
#include <blkid/blkid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "convert/fs/driver.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

/* VMFS has its signature behind the second MiB, ZFS in the last half. */
#define HEAD (3u << 20)
#define TAIL (1u << 20)
#define CHUNK 65536u

/* What cannot be read stays zero, but for the first chunk. */
static int copy(struct img *volume, int fd, uint64_t at, uint64_t end,
		uint8_t *buf)
{
	struct img_extent ext;
	size_t n;
	int rc;

	for (; at < end; at += n) {
		n = (size_t)min_u64(CHUNK, end - at);
		rc = img_map(volume, at, n, &ext);
		if (!rc && ext.flags & IMG_EXT_ZERO) {
			n = (size_t)ext.len;
			continue;
		}
		rc = img_read(volume, buf, n, at);
		if (rc && !at)
			return rc;
		if (rc || bytes_are_zero(buf, n))
			continue;
		if (pwrite(fd, buf, n, (off_t)at) != (ssize_t)n)
			return errno ? -errno : -EIO;
	}
	return 0;
}

/* Where the boot sector of NTFS says that the file table begins; the same
 * place as libblkid will look at.  0: not NTFS.
 */
static uint64_t ntfs_table(const uint8_t *boot)
{
	uint64_t cluster = boot[13], at;

	if (memcmp(boot + 3, "NTFS    ", 8))
		return 0;
	if (cluster > 128)
		cluster = 1ull << (256 - cluster);
	cluster *= get_le16(boot + 11);
	return mul_ok(get_le64(boot + 0x30), cluster, &at) ? at : 0;
}

static int copy_signatures(struct img *volume, int fd, uint8_t *buf)
{
	uint64_t size = img_size(volume), head = min_u64(size, HEAD), table;
	uint8_t boot[512];
	int rc;

	rc = copy(volume, fd, 0, head, buf);
	if (!rc)
		rc = copy(volume, fd, max_u64(head, size - min_u64(size, TAIL)),
			  size, buf);
	if (rc || size < sizeof(boot) ||
	    img_read(volume, boot, sizeof(boot), 0))
		return rc;
	table = ntfs_table(boot);
	if (table > head && in_range(table, CHUNK, size))
		rc = copy(volume, fd, table, table + CHUNK, buf);
	return rc;
}

static void get_value(blkid_probe pr, const char *name, char *out, size_t size)
{
	const char *data;
	size_t len;

	if (blkid_probe_lookup_value(pr, name, &data, &len) || !len)
		return;
	len = strnlen(data, len);
	if (len >= size)
		len = size - 1;
	memcpy(out, data, len);
	out[len] = 0;
}

static int probe(int fd, uint64_t size, struct fs_identity *id, struct err *e)
{
	blkid_probe pr = blkid_new_probe();
	int rc = -ENOMEM;

	if (!pr || blkid_probe_set_device(pr, fd, 0, (blkid_loff_t)size))
		goto out;
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE |
					  BLKID_SUBLKS_UUID |
					  BLKID_SUBLKS_LABEL);
	rc = blkid_do_safeprobe(pr);
	if (!rc) {
		get_value(pr, "TYPE", id->type, sizeof(id->type));
		get_value(pr, "UUID", id->uuid, sizeof(id->uuid));
		get_value(pr, "LABEL", id->label, sizeof(id->label));
	} else if (rc == -2) {
		fail(&id->note, ENOTSUP, "it has signatures of more than one file "
		     "system");
	}
	rc = 0;
out:
	blkid_free_probe(pr);
	return rc ? fail(e, ENOMEM, "libblkid: out of memory") : 0;
}

int fs_blkid(struct img *volume, struct fs_identity *id, struct err *e)
{
	uint64_t size = img_size(volume);
	uint8_t *buf = buf_alloc(CHUNK);
	int fd = -1, rc = 0;

	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	fd = memfd_create("volume", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size)) {
		rc = fail_rc(e, -errno, "a file in memory of %llu bytes",
			     (unsigned long long)size);
		goto out;
	}
	rc = copy_signatures(volume, fd, buf);
	if (rc)
		fail_rc(e, rc, "reading");
	else
		rc = probe(fd, size, id, e);
out:
	if (fd >= 0)
		close(fd);
	free(buf);
	return rc;
}
