/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fat.c - the boot sector, the table of clusters, and content of files.
 *
 *	11	bytes per sector (16)		22	sectors of a table (16)
 *	13	sectors per cluster (8)		32	sectors in all
 *	14	reserved sectors (16)		36	FAT32: sectors of a table
 *	16	tables (8)			37	else: state, bit 0 dirty (8)
 *	17	entries of the root (16)	40	FAT32: which table (16)
 *	19	sectors in all (16)		44	FAT32: the root's cluster
 *						65	FAT32: state (8)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "convert/fs/fat/fat.h"
#include "imgfmt/base/bytes.h"

#define BOOT 512u

bool fat_is_cluster(const struct fat *f, uint32_t cluster)
{
	return cluster >= 2 && cluster - 2 < f->n_clusters;
}

uint64_t fat_cluster_at(const struct fat *f, uint32_t cluster)
{
	return f->data + (uint64_t)(cluster - 2) * f->cluster_size;
}

/* Bytes of the table. */
static int read_table(struct fat *f, uint8_t *buf, uint32_t len, uint64_t at,
		      struct err *e)
{
	uint64_t end = ((uint64_t)f->n_clusters + 2) * f->bits / 8 + 1;
	int rc;

	if (f->window_at == UINT64_MAX || at < f->window_at ||
	    at + len > f->window_at + f->window_len) {
		f->window_at = round_down(at, 4096);
		f->window_len = (uint32_t)min_u64(FAT_WINDOW,
						  end - f->window_at);
		rc = img_read(f->volume, f->window, f->window_len,
			      f->table + f->window_at);
		if (rc) {
			f->window_at = UINT64_MAX;
			return fail_rc(e, rc, "reading the table of clusters");
		}
	}
	memcpy(buf, f->window + (at - f->window_at), len);
	return 0;
}

int fat_next(struct fat *f, uint32_t cluster, uint32_t *next, struct err *e)
{
	uint8_t p[4] = { 0 };
	int rc;

	rc = read_table(f, p, f->bits == 32 ? 4 : 2,
			(uint64_t)cluster * f->bits / 8, e);
	if (f->bits == 32)
		*next = get_le32(p) & 0x0fffffff;
	else if (f->bits == 16)
		*next = get_le16(p);
	else
		*next = get_le16(p) >> (cluster % 2 ? 4 : 0) & 0xfff;
	return rc;
}

struct boot {
	uint32_t sector, cluster, reserved, tables, entries, table;
	uint64_t sectors;
};

static int get_boot(const uint8_t *b, uint64_t size, struct boot *o,
		    struct err *e)
{
	o->sector = get_le16(b + 11);
	o->cluster = b[13];
	o->reserved = get_le16(b + 14);
	o->tables = b[16];
	o->entries = get_le16(b + 17);
	o->sectors = get_le16(b + 19);
	if (!o->sectors)
		o->sectors = get_le32(b + 32);
	o->table = get_le16(b + 22);
	if (!o->table)
		o->table = get_le32(b + 36);
	if (o->sector < 512 || o->sector > 4096 || !is_pow2(o->sector) ||
	    !is_pow2(o->cluster) || !o->reserved || !o->tables || !o->table)
		return fail(e, EUCLEAN, "the boot sector has sectors of %u bytes, "
			    "clusters of %u, %u reserved sectors and %u tables of "
			    "%u sectors", o->sector, o->cluster, o->reserved,
			    o->tables, o->table);
	if (o->sectors > size / o->sector)
		return fail(e, EUCLEAN, "the boot sector counts %llu sectors of %u "
			    "bytes, but the volume has %llu bytes",
			    (unsigned long long)o->sectors, o->sector,
			    (unsigned long long)size);
	return 0;
}

static int get_layout(struct fat *f, const uint8_t *b, const struct boot *o,
		      struct err *e)
{
	uint64_t root_sectors = div_round_up(o->entries * FAT_ENTRY, o->sector);
	uint64_t data = o->reserved + (uint64_t)o->tables * o->table +
			root_sectors, n, need;
	bool fat32 = !get_le16(b + 22);
	uint32_t active = 0;

	if (data >= o->sectors)
		return fail(e, EUCLEAN, "the boot sector has its data from sector "
			    "%llu on, of %llu", (unsigned long long)data,
			    (unsigned long long)o->sectors);
	n = (o->sectors - data) / o->cluster;
	f->bits = fat32 ? 32 : n > 4084 ? 16 : 12;
	need = ((n + 2) * f->bits + 7) / 8;
	if (n > 0x0ffffff5 || need > (uint64_t)o->table * o->sector)
		return fail(e, EUCLEAN, "the boot sector has %llu clusters, but "
			    "tables of %u sectors", (unsigned long long)n,
			    o->table);
	/* Bit 7: the tables are no copies, and this one counts. */
	if (fat32 && b[40] & 0x80)
		active = b[40] & 15;
	if (active >= o->tables)
		return fail(e, EUCLEAN, "the boot sector uses table %u of %u",
			    active, o->tables);
	f->cluster_size = o->cluster * o->sector;
	f->n_clusters = (uint32_t)n;
	f->table = (o->reserved + (uint64_t)active * o->table) * o->sector;
	f->data = data * o->sector;
	f->root = (data - root_sectors) * o->sector;
	f->root_len = fat32 ? 0 : o->entries * FAT_ENTRY;
	f->root_cluster = fat32 ? get_le32(b + 44) : 0;
	return 0;
}

/* The boot sector says so, or the second entry of the table does. */
static int is_dirty(struct fat *f, const uint8_t *b, bool *dirty,
		    struct err *e)
{
	uint32_t second;
	int rc = fat_next(f, 1, &second, e);

	*dirty = b[f->bits == 32 ? 65 : 37] & 1;
	if (!rc && f->bits == 32)
		*dirty |= !(second & 0x08000000);
	else if (!rc && f->bits == 16)
		*dirty |= !(second & 0x8000);
	return rc;
}

static int open_fat(struct fs *fs, struct err *e)
{
	struct fat *f = calloc(1, sizeof(*f));
	uint8_t b[BOOT];
	struct boot o;
	int rc;

	if (!f)
		return fail(e, ENOMEM, "out of memory");
	fs->state = f;
	f->volume = fs->volume;
	f->window_at = UINT64_MAX;
	f->window = malloc(FAT_WINDOW);
	if (!f->window)
		rc = fail(e, ENOMEM, "out of memory");
	else if (img_size(fs->volume) < BOOT)
		rc = fail(e, EUCLEAN, "there is no boot sector");
	else if ((rc = img_read(fs->volume, b, BOOT, 0)))
		fail_rc(e, rc, "reading the boot sector");
	if (!rc)
		rc = get_boot(b, img_size(fs->volume), &o, e);
	if (!rc)
		rc = get_layout(f, b, &o, e);
	if (!rc)
		rc = is_dirty(f, b, &fs->id.dirty, e);
	if (rc)
		return rc;
	fs->id.size = o.sectors * o.sector;
	fs->id.block_size = f->cluster_size;
	fs->id.has_files = true;
	fs->id.has_map = !fs->id.dirty;
	if (fs->id.dirty)
		fail(&fs->id.note, EUCLEAN, "the file system was not unmounted "
		     "cleanly: all of it counts as used");
	return 0;
}

static void close_fat(struct fs *fs)
{
	struct fat *f = fs->state;

	if (f)
		free(f->window);
	free(f);
}

static int map(struct fs *fs, uint64_t offset, struct fs_extent *ext,
	       struct err *e)
{
	struct fat *f = fs->state;
	uint64_t end = fat_cluster_at(f, f->n_clusters + 2), n;
	uint32_t next, c = 2;
	bool used;
	int rc;

	ext->offset = offset;
	ext->used = true;
	ext->len = UINT64_MAX - offset;
	if (offset >= end)
		return 0;
	n = offset < f->data ? 0 : (offset - f->data) / f->cluster_size;
	for (c = (uint32_t)n + 2; fat_is_cluster(f, c); c++) {
		rc = fat_next(f, c, &next, e);
		if (rc)
			return rc;
		used = next != 0;
		if (c == n + 2)
			ext->used = used || offset < f->data;
		if (used != ext->used)
			break;
	}
	if (fat_is_cluster(f, c) || !ext->used)
		ext->len = fat_cluster_at(f, c) - offset;
	return 0;
}

static int64_t get_time(uint16_t date, uint16_t clock)
{
	struct tm tm = {
		.tm_year = 80 + (date >> 9), .tm_mon = (date >> 5 & 15) - 1,
		.tm_mday = date & 31, .tm_hour = clock >> 11,
		.tm_min = clock >> 5 & 63, .tm_sec = 2 * (clock & 31),
	};

	return date ? timegm(&tm) : 0;
}

static int stat_fat(struct fs *fs, uint64_t ino, struct fs_stat *out,
		    struct err *e)
{
	struct fat_file file;
	int rc = fat_file(fs->state, ino, &file, e);

	if (rc)
		return rc;
	*out = (struct fs_stat){
		.ino = ino, .nlink = 1, .size = file.size,
		.mode = file.attributes & FAT_DIR ? 0040755 : 0100644,
		.mtime = get_time(file.date, file.time),
	};
	if (file.attributes & FAT_READ_ONLY)
		out->mode &= ~0222u;
	out->atime = out->ctime = out->mtime;
	return 0;
}

/* Go on to the cluster with number `index` of a chain, from where the last call
 * left it if that was before.
 */
static int seek(struct fat *f, uint64_t ino, uint32_t first, uint32_t index,
		struct err *e)
{
	uint32_t next;
	int rc;

	if (f->at_first != first || f->at_index > index) {
		f->at_first = first;
		f->at_index = 0;
		f->at_cluster = first;
	}
	while (fat_is_cluster(f, f->at_cluster) && f->at_index < index) {
		rc = fat_next(f, f->at_cluster, &next, e);
		if (rc)
			return rc;
		f->at_cluster = next;
		f->at_index++;
	}
	if (fat_is_cluster(f, f->at_cluster))
		return 0;
	f->at_first = 0;
	return fail(e, EUCLEAN, "the clusters of inode %llu end before its size",
		    (unsigned long long)ino);
}

static int read_fat(struct fs *fs, uint64_t ino, void *buf, size_t len,
		    uint64_t offset, struct err *e)
{
	struct fat *f = fs->state;
	struct fat_file file;
	uint8_t *to = buf;
	int rc = fat_file(f, ino, &file, e);

	if (rc)
		return rc;
	if (file.attributes & FAT_DIR)
		return fail(e, EINVAL, "inode %llu is no regular file",
			    (unsigned long long)ino);
	if (!in_range(offset, len, file.size))
		return fail(e, ERANGE, "inode %llu has %u bytes",
			    (unsigned long long)ino, file.size);
	while (len) {
		uint32_t skip = (uint32_t)(offset % f->cluster_size), first;
		uint64_t n = f->cluster_size - skip;

		rc = seek(f, ino, file.first,
			  (uint32_t)(offset / f->cluster_size), e);
		first = f->at_cluster;
		/* As many as lie together. */
		while (!rc && n < len) {
			uint32_t last = f->at_cluster;

			rc = seek(f, ino, file.first, f->at_index + 1, e);
			if (rc || f->at_cluster != last + 1)
				break;
			n += f->cluster_size;
		}
		n = min_u64(n, len);
		if (!rc)
			rc = img_read(f->volume, to, (size_t)n,
				      fat_cluster_at(f, first) + skip);
		if (rc)
			return rc == -EUCLEAN ? rc : fail_rc(e, rc, "reading "
				"inode %llu", (unsigned long long)ino);
		to += n;
		offset += n;
		len -= (size_t)n;
	}
	return 0;
}

static int list(struct fs *fs, uint64_t dir,
		int (*entry)(void *arg, const char *name, uint64_t ino),
		void *arg, struct err *e)
{
	return fat_list(fs->state, dir, entry, arg, e);
}

static bool same_name(const char *a, const char *b)
{
	return !strcasecmp(a, b);
}

const struct fs_driver fs_fat_driver = {
	.open = open_fat,
	.close = close_fat,
	.map = map,
	.root = FAT_ROOT,
	.same_name = same_name,
	.stat = stat_fat,
	.list = list,
	.read = read_fat,
};
