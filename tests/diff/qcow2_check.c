/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_check.c - plant corruptions into good qcow2 images: our check counts
 * what qemu-img check counts, both find the repaired image clean, and what could
 * be read before the repair reads the same after it.
 *
 * It is long because half of it is a list: a hundred ways to break an image, each
 * beside what both programs must count.
 *
 * time limit: 240 s
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/qcow2/check.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

/* Good images. */

enum recipe { PLAIN, SMALL, V2, ONE_BIT, EXTL2, SNAPS, COMPRESSED, BITMAPS,
	      DATA, RAW_DATA, OURS, N_RECIPES };

#define FILL "-c 'write -P 1 0 1M' -c 'write -z 2M 128k' " \
	"-c 'write -P 3 4M 192k'"
#define IO "qemu-io -f qcow2 "

static const char *const recipes[N_RECIPES] = {
	[PLAIN] = "qemu-img create -f qcow2 $F 8M; " IO FILL " $F",
	[SMALL] = "qemu-img create -f qcow2 -o cluster_size=512,"
		"refcount_bits=64 $F 8M; " IO FILL " $F",
	[V2] = "qemu-img create -f qcow2 -o compat=0.10,cluster_size=4k $F 8M;"
		IO FILL " $F",
	[ONE_BIT] = "qemu-img create -f qcow2 -o refcount_bits=1 $F 8M; "
		IO FILL " $F",
	[EXTL2] = "qemu-img create -f qcow2 -o extended_l2=on,"
		"cluster_size=16k $F 8M; " IO FILL " -c 'write 6M 1k' $F",
	[SNAPS] = "qemu-img create -f qcow2 $F 8M; " IO FILL " $F; "
		"qemu-img snapshot -c one $F; " IO "-c 'write 512k 1M' $F; "
		"qemu-img snapshot -c two $F; " IO "-c 'write 0 64k' $F",
	[COMPRESSED] = "qemu-img create -f qcow2 t 8M; " IO FILL " t; "
		"qemu-img convert -c -O qcow2 t $F",
	[BITMAPS] = "qemu-img create -f qcow2 $F 8M; " IO FILL " $F; "
		"qemu-img bitmap --add --enable $F b; " IO "-c 'write 1M 64k' "
		"$F; qemu-img bitmap --add $F c",
	[DATA] = "qemu-img create -f qcow2 -o data_file=data $F 8M; "
		IO FILL " $F",
	[RAW_DATA] = "qemu-img create -f qcow2 -o data_file=raw,"
		"data_file_raw=on $F 8M; " IO FILL " $F",
	[OURS] = NULL,			/* see make_ours() */
};

/* What is done to them. */

enum where {
	NOWHERE,
	HDR4, HDR8,		/* index: byte in the header */
	L1, RT,			/* index: entry */
	L2, L2_MAP,		/* of the first L2 table */
	RC,			/* refcount of a cluster of the first block */
	RC_OF,			/* refcount of the cluster of L2 entry `index` */
	SN4, SN8, SN_L1,	/* first snapshot: byte of its entry, L1 entry */
	SN_L2,			/* ... of its first L2 table */
	DIR4, DIR8,		/* byte of the bitmap directory */
	BT,			/* entry of the first bitmap's table */
	END,			/* of the file: value bytes are cut off or added */
};
enum op { SET, OR, CLEAR, ADD, COPY, TO };
/* Values of TO: put the place of that structure, with the COPIED flag for L1
 * and L2.
 */
enum place { AT_HEADER, AT_L1, AT_RT, AT_RB, AT_L2, AT_SNAPS, AT_SN_L1 };

struct patch {
	enum where where;
	unsigned index;
	enum op op;
	uint64_t value;
};

#define STAYS	0x01u	/* no repair without losing data: both say so after */
#define REFUSED	0x02u	/* qemu-img does not open the image, and says why */
#define STRICT	0x04u	/* we find `more` that qemu-img passes over */
#define BETTER	0x08u	/* qemu-img -r all does not repair it, we do */
#define KEPT	0x10u	/* we go on complaining, qemu-img does not */

#define GROWS	0x20u	/* qemu-img -r all makes the file longer at first */
#define MOVES	0x40u	/* we move data away from metadata, qemu-img does not */

struct corruption {
	const char *name;
	enum recipe recipe;
	unsigned flags;
	unsigned more;		/* corruptions that only we count; */
	const char *why;	/* the reason for a difference */
	struct patch p[3];
};

#define COPIED QCOW2_COPIED
#define FAR (1ull << 40)

static const struct corruption corruptions[] = {
	{ "nothing, v3", PLAIN, .p = { { .where = NOWHERE } } },
	{ "nothing, 512-byte clusters", SMALL, .p = { { .where = NOWHERE } } },
	{ "nothing, v2", V2, .p = { { .where = NOWHERE } } },
	{ "nothing, extended L2", EXTL2, .p = { { .where = NOWHERE } } },
	{ "nothing, snapshots", SNAPS, .p = { { .where = NOWHERE } } },
	{ "nothing, compressed", COMPRESSED, .p = { { .where = NOWHERE } } },
	{ "nothing, bitmaps", BITMAPS, .p = { { .where = NOWHERE } } },
	{ "nothing, data file", DATA, .p = { { .where = NOWHERE } } },
	{ "nothing, raw data file", RAW_DATA, .p = { { .where = NOWHERE } } },
	{ "nothing, made by us", OURS, .p = { { .where = NOWHERE } } },

	/* Refcounts. */
	{ "leaked cluster", PLAIN, .p = {
		{ RC, 30, SET, 1 }, { END, 0, ADD, 2 << 20 } } },
	{ "refcount beyond the file", PLAIN, .p = { { RC, 200, SET, 1 } } },
	{ "refcount too high", PLAIN, .p = { { RC_OF, 1, SET, 2 } } },
	{ "refcount too high, 64 bits", SMALL, .p = {
		{ RC_OF, 1, SET, 0x123456789abcdefull } } },
	{ "refcount 0 of data", PLAIN, .p = { { RC_OF, 3, SET, 0 } } },
	{ "refcount 0 of the header", PLAIN, .p = { { RC, 0, SET, 0 } } },
	{ "refcount 0 of the only bit", ONE_BIT, .p = { { RC, 5, SET, 0 } } },
	{ "refcount too low under a snapshot", SNAPS, .p = {
		{ RC_OF, 2, SET, 1 } } },
	{ "refcount 0 under a snapshot", SNAPS, .p = {
		{ RC_OF, 2, SET, 0 } } },
	{ "refcount too high under a snapshot", SNAPS, .p = {
		{ RC_OF, 2, SET, 9 } } },
	{ "leak and lack at once", PLAIN, .p = {
		{ RC_OF, 1, SET, 5 }, { RC_OF, 2, SET, 0 } } },

	/* Refcounts and COPIED flags, which follow from them. */
	{ "leak and COPIED", PLAIN, .p = {
		{ RC_OF, 1, SET, 2 }, { L2, 1, CLEAR, COPIED } } },
	{ "leak and COPIED elsewhere", PLAIN, .p = {
		{ RC, 0, SET, 2 }, { L1, 0, CLEAR, COPIED },
		{ L2, 3, CLEAR, COPIED } } },
	{ "leak, lack and COPIED", PLAIN, .p = {
		{ RC_OF, 1, SET, 5 }, { L2, 3, COPY, 4 },
		{ L2, 5, CLEAR, COPIED } } },
	{ "lack and COPIED under a snapshot", SNAPS, .p = {
		{ RC_OF, 2, SET, 1 }, { L2, 2, OR, COPIED },
		{ RC_OF, 12, SET, 3 } } },
	{ "no refcounts and COPIED", PLAIN, .p = {
		{ RT, 0, SET, 0 }, { L2, 3, CLEAR, COPIED } } },
	{ "refcount 0, leak and COPIED", PLAIN, .p = {
		{ RC_OF, 1, SET, 0 }, { RC_OF, 2, SET, 3 },
		{ L2, 1, CLEAR, COPIED } } },
	{ "compressed data reaches into what follows", COMPRESSED, .p = {
		{ L2, 0, OR, 0x0full << 54 }, { L2, 1, OR, 0x1full << 54 },
		{ RC, 1, SET, 2 } } },
	{ "leak and data beyond the file", PLAIN, STAYS, .p = {
		{ RC_OF, 1, SET, 2 }, { L2, 3, SET, COPIED | FAR },
		{ L2, 4, CLEAR, COPIED } } },

	/* Refcount table and blocks. */
	{ "refcount table is empty", PLAIN, .p = { { RT, 0, SET, 0 } } },
	{ "refcount table of no clusters", PLAIN, .p = {
		{ HDR4, QCOW2_H_REFTABLE_CLUSTERS, SET, 0 } } },
	{ "refcount table too large", PLAIN, .p = {
		{ HDR4, QCOW2_H_REFTABLE_CLUSTERS, SET, 2 } } },
	{ "refcount table beyond the file", PLAIN, .p = {
		{ HDR8, QCOW2_H_REFTABLE_OFFSET, SET, FAR } } },
	{ "refcount block misaligned", PLAIN, .p = { { RT, 0, ADD, 512 } } },
	{ "refcount block reserved bits", PLAIN, .p = { { RT, 0, OR, 6 } } },
	{ "refcount block beyond the file", PLAIN, GROWS, 0,
		"qemu-img -r all makes the file a terabyte long", {
		{ RT, 0, SET, FAR } } },
	{ "refcount block beyond all files", PLAIN, .p = {
		{ RT, 0, SET, 1ull << 63 } } },
	{ "second refcount block beyond the file", PLAIN, GROWS, 0,
		"qemu-img -r all makes the file a terabyte long", {
		{ RT, 1, SET, FAR } } },
	{ "refcount block twice", PLAIN, .p = { { RT, 1, TO, AT_RB } } },
	{ "refcount block is the table", PLAIN, .p = { { RT, 0, TO, AT_RT } } },
	{ "refcount block is the header", SMALL, .p = {
		{ RT, 4, SET, 512 * 0 + 0x200 } } },

	/* L1. */
	{ "L1 reserved bits", PLAIN, .flags = BETTER, .p = {
		{ L1, 0, OR, 1ull << 60 | 1 } } },
	{ "L1 entry misaligned", PLAIN, STAYS, .p = { { L1, 0, ADD, 512 } } },
	{ "L1 entry beyond the file", PLAIN, STAYS, .p = {
		{ L1, 0, SET, COPIED | FAR } } },
	{ "L1 COPIED missing", PLAIN, .p = { { L1, 0, CLEAR, COPIED } } },
	{ "L1 COPIED wrong", SNAPS, .p = {
		{ L1, 0, OR, COPIED }, { RC, 0, SET, 1 } } },
	{ "two L1 entries, one L2 table", SMALL, .p = { { L1, 1, COPY, 0 } } },
	{ "L2 table is the refcount table", PLAIN, .p = {
		{ L1, 0, TO, AT_RT } } },

	/* L2. */
	{ "L2 reserved bits", PLAIN, .flags = BETTER, .p = {
		{ L2, 0, OR, 1ull << 57 | 4 } } },
	{ "L2 reserved bits of a zero cluster", PLAIN, .flags = BETTER, .p = {
		{ L2, 33, OR, 1ull << 61 } } },
	{ "data misaligned", PLAIN, STAYS, .p = { { L2, 3, ADD, 1024 } } },
	{ "data beyond the file", PLAIN, STAYS, .p = {
		{ L2, 3, SET, COPIED | FAR } } },
	{ "zero cluster misaligned", PLAIN, .p = {
		{ L2, 3, ADD, 512 }, { L2, 3, OR, 1 } } },
	{ "zero cluster beyond the file", PLAIN, STAYS, .p = {
		{ L2, 3, SET, COPIED | FAR | 1 } } },
	{ "two L2 entries, one cluster", PLAIN, .p = { { L2, 3, COPY, 4 } } },
	{ "two L2 entries, one cluster, v2", V2, .p = { { L2, 3, COPY, 4 } } },
	{ "refcount of one bit cannot say two", ONE_BIT, STAYS, .p = {
		{ L2, 3, COPY, 4 } } },
	{ "L2 COPIED missing", PLAIN, .p = { { L2, 3, CLEAR, COPIED } } },
	{ "L2 COPIED missing, made by us", OURS, .p = {
		{ L2, 3, CLEAR, COPIED } } },
	{ "L2 COPIED wrong", SNAPS, .p = { { L2, 2, OR, COPIED } } },
	{ "data is its own L2 table", PLAIN, .flags = MOVES, .p = {
		{ L2, 3, TO, AT_L2 } } },
	{ "data is the header", PLAIN, .p = { { L2, 3, SET, COPIED | 0 } } },
	{ "data is the L1 table", PLAIN, .flags = MOVES, .p = {
		{ L2, 3, TO, AT_L1 } } },
	{ "data is the refcount table", PLAIN, .flags = MOVES, .p = {
		{ L2, 3, TO, AT_RT } } },
	{ "data is a refcount block", PLAIN, .p = { { L2, 3, TO, AT_RB } } },
	{ "data is a snapshot's L1 table", SNAPS, .flags = MOVES, .p = {
		{ L2, 0, TO, AT_SN_L1 } } },
	{ "zero flag in version 2", V2, STRICT, 1,
		"qemu-img only finds it when it reads the cluster",
		{ { L2, 1000 % 512, SET, 1 } } },

	/* Extended L2. */
	{ "subcluster data and zero", EXTL2, .flags = BETTER, .p = {
		{ L2_MAP, 2, OR, 1ull << 37 } } },
	{ "subclusters without a cluster", EXTL2, .flags = BETTER, .p = {
		{ L2_MAP, 100, SET, 0xff } } },
	{ "zero flag with extended L2", EXTL2, STRICT, 1,
		"qemu-img passes over this reserved bit",
		{ { L2, 2, OR, 1 } } },
	{ "zero subclusters misaligned", EXTL2, .p = {
		{ L2_MAP, 2, SET, 0xffffffffull << 32 }, { L2, 2, ADD, 512 } } },
	{ "compressed with subclusters", EXTL2, .flags = BETTER, .p = {
		{ L2, 2, CLEAR, COPIED }, { L2, 2, OR, QCOW2_COMPRESSED } } },

	/* Compressed. */
	{ "compressed with COPIED", COMPRESSED, .flags = BETTER, .p = {
		{ L2, 0, OR, COPIED } } },
	{ "compressed beyond the file", COMPRESSED, STAYS, .p = {
		{ L2, 0, SET, QCOW2_COMPRESSED | FAR } } },
	{ "compressed twice", COMPRESSED, .p = { { L2, 0, COPY, 65 } } },

	/* Snapshots. */
	{ "snapshot L1 misaligned", SNAPS, STAYS, .p = { { SN8, 0, ADD, 512 } } },
	{ "snapshot L1 beyond the file", SNAPS, STAYS, .p = {
		{ SN8, 0, SET, FAR } } },
	{ "snapshot L1 too large", SNAPS, STAYS, .p = {
		{ SN4, 8, SET, 0x7fffffff } } },
	{ "snapshot L2 is gone", SNAPS, .p = { { SN_L1, 0, SET, 0 } } },
	{ "snapshot L2 data elsewhere", SNAPS, .p = { { SN_L2, 0, COPY, 5 } } },
	{ "snapshot L1 is the active one", SNAPS, KEPT, 0,
		"after the repair the refcount says 2, which satisfies qemu-img "
		"although a write to the disk would change the snapshot",
		{ { SN8, 0, TO, AT_L1 } } },
	{ "no snapshots any more", SNAPS, .p = {
		{ HDR4, QCOW2_H_N_SNAPSHOTS, SET, 0 },
		{ HDR8, QCOW2_H_SNAPSHOTS_OFFSET, SET, 0 } } },

	{ "snapshot without sizes", PLAIN, .p = {
		{ END, 0, ADD, 2 << 20 },
		{ HDR4, QCOW2_H_N_SNAPSHOTS, SET, 1 },
		{ HDR8, QCOW2_H_SNAPSHOTS_OFFSET, SET, 2 << 20 } } },
	{ "many snapshots without sizes", PLAIN, .p = {
		{ END, 0, ADD, 2 << 20 },
		{ HDR4, QCOW2_H_N_SNAPSHOTS, SET, 20000 },
		{ HDR8, QCOW2_H_SNAPSHOTS_OFFSET, SET, 2 << 20 } } },
	{ "snapshot with a data file", DATA, STAYS, .p = {
		{ END, 0, ADD, 2 << 20 },
		{ HDR4, QCOW2_H_N_SNAPSHOTS, SET, 1 },
		{ HDR8, QCOW2_H_SNAPSHOTS_OFFSET, SET, 1 << 20 } } },

	/* Bitmaps. */
	{ "bitmap table beyond the file", BITMAPS, STAYS, .p = {
		{ DIR8, 0, SET, FAR } } },
	{ "bitmap table misaligned", BITMAPS, STAYS | REFUSED, 0,
		"qemu-img does not open it", { { DIR8, 0, ADD, 512 } } },
	{ "bitmap cluster beyond the file", BITMAPS, STAYS, .p = {
		{ BT, 0, SET, FAR } } },
	{ "bitmap cluster reserved bits", BITMAPS, STAYS | REFUSED, 0,
		"qemu-img does not open it", { { BT, 0, SET, 1ull << 60 } } },
	{ "bitmap cluster forgotten", BITMAPS, .p = { { BT, 0, SET, 1 } } },
	{ "bitmaps written without their bit", BITMAPS, .p = {
		{ HDR8, QCOW2_H_AUTOCLEAR, SET, 0 } } },

	/* External data. */
	{ "data file COPIED missing", DATA, .p = { { L2, 3, CLEAR, COPIED } } },
	{ "data file misaligned", DATA, STAYS, .p = { { L2, 3, ADD, 512 } } },
	{ "data file compressed", DATA, STAYS, .p = {
		{ L2, 3, SET, QCOW2_COMPRESSED } } },
	{ "raw data file at another offset", RAW_DATA, STRICT | KEPT, 1,
		"qemu-img does not compare the offsets",
		{ { L2, 3, COPY, 4 } } },

	/* Header. */
	{ "dirty", PLAIN, .p = { { HDR8, QCOW2_H_INCOMPAT, SET, 1 } } },
	{ "corrupt", PLAIN, .p = { { HDR8, QCOW2_H_INCOMPAT, SET, 2 } } },
	{ "dirty with wrong refcounts", PLAIN, .p = {
		{ HDR8, QCOW2_H_INCOMPAT, SET, 1 }, { RC_OF, 3, SET, 0 } } },
	{ "truncated within a cluster", PLAIN, .p = { { END, 0, CLEAR, 300 } } },
	{ "truncated", PLAIN, STAYS, .p = { { END, 0, CLEAR, 300000 } } },
};

#define N_CORRUPTIONS (sizeof(corruptions) / sizeof(corruptions[0]))

/* Running other programs. */

static int shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *fmt, ...)
{
	char command[2000];
	va_list args;
	int status;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void make_ours(const char *file)
{
	struct img_create_args create = { .format = "qcow2", .size = 8 << 20 };
	struct img_open_args open_args = {
		.format = "qcow2", .flags = IMG_WRITE,
	};
	uint8_t *data = malloc(1 << 20);
	struct err e = { "" };
	struct img *below, *img;

	CHECK(data && !shell(": > %s", file));
	memset(data, 0x55, 1 << 20);
	CHECK_OK(img_file_open(file, IMG_WRITE, &below, &e));
	CHECK_OK(img_create(below, &create, &e));
	CHECK_OK(img_stack(below, &open_args, &img, &e));
	CHECK_OK(img_write(img, data, 1 << 20, 0));
	CHECK_OK(img_zero(img, 128 << 10, 2 << 20, 0));
	CHECK_OK(img_close(img, &e));
	free(data);
}

/* Planting. */

struct bad {
	int fd;
	struct qcow2_header h;
	uint64_t l2, rb, sn_l1, sn_l2, dir, bt;
};

static uint64_t get(const struct bad *b, uint64_t at, unsigned len)
{
	uint8_t bytes[8] = { 0 };

	CHECK(pread(b->fd, bytes, len, (off_t)at) >= 0);
	return len == 4 ? get_be32(bytes) : get_be64(bytes);
}

static void put(const struct bad *b, uint64_t at, unsigned len, uint64_t v)
{
	uint8_t bytes[8];

	if (len == 4)
		put_be32(bytes, (uint32_t)v);
	else
		put_be64(bytes, v);
	CHECK_EQ(pwrite(b->fd, bytes, len, (off_t)at), len);
}

static uint64_t first_entry(const struct bad *b, uint64_t table, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (get(b, table + 8 * i, 8))
			return get(b, table + 8 * i, 8) & QCOW2_OFFSET_MASK;
	return 0;
}

static void bad_open(struct bad *b, const char *file)
{
	struct err e = { "" };
	struct img *below;

	*b = (struct bad){ .fd = open(file, O_RDWR) };
	CHECK(b->fd >= 0);
	CHECK_OK(img_file_open(file, 0, &below, &e));
	CHECK_OK(qcow2_header_read(below, IMG_NO_DATA, &b->h, &e));
	CHECK_OK(img_close(below, &e));
	b->l2 = first_entry(b, b->h.l1_offset, b->h.l1_size);
	b->rb = get(b, b->h.reftable_offset, 8);
	if (b->h.n_snapshots) {
		b->sn_l1 = get(b, b->h.snapshots_offset, 8);
		b->sn_l2 = first_entry(b, b->sn_l1, 1);
	}
	b->dir = b->h.bitmaps_offset;
	b->bt = b->dir ? get(b, b->dir, 8) : 0;
}

static uint64_t place_of(const struct bad *b, enum where where, uint64_t place)
{
	const uint64_t places[] = {
		[AT_HEADER] = 0, [AT_L1] = b->h.l1_offset,
		[AT_RT] = b->h.reftable_offset, [AT_RB] = b->rb,
		[AT_L2] = b->l2, [AT_SNAPS] = b->h.snapshots_offset,
		[AT_SN_L1] = b->sn_l1,
	};

	return places[place] | (where == L1 || where == L2 ? COPIED : 0);
}

static uint64_t position(const struct bad *b, enum where where, unsigned i)
{
	switch (where) {
	case HDR4:
	case HDR8:
		return i;
	case L1:
		return b->h.l1_offset + 8 * i;
	case RT:
		return b->h.reftable_offset + 8 * i;
	case L2:
		return b->l2 + b->h.l2_entry_size * i;
	case L2_MAP:
		return b->l2 + 16 * i + 8;
	case SN4:
	case SN8:
		return b->h.snapshots_offset + i;
	case SN_L1:
		return b->sn_l1 + 8 * i;
	case SN_L2:
		return b->sn_l2 + 8 * i;
	case DIR4:
	case DIR8:
		return b->dir + i;
	case BT:
		return b->bt + 8 * i;
	default:
		CHECK(false);
		return 0;
	}
}

static void set_refcount(const struct bad *b, uint64_t cluster, uint64_t value)
{
	uint8_t *block = malloc(b->h.cluster_size);

	CHECK(block && cluster < 1ull << b->h.refblock_bits);
	CHECK_EQ(pread(b->fd, block, b->h.cluster_size, (off_t)b->rb),
		 b->h.cluster_size);
	qcow2_refcount_set(block, b->h.refcount_order, cluster, value);
	CHECK_EQ(pwrite(b->fd, block, b->h.cluster_size, (off_t)b->rb),
		 b->h.cluster_size);
	free(block);
}

static void plant_entry(const struct bad *b, const struct patch *p)
{
	unsigned len = p->where == HDR4 || p->where == SN4 ||
		       p->where == DIR4 ? 4 : 8;
	uint64_t at = position(b, p->where, p->index), v = get(b, at, len);

	switch (p->op) {
	case SET:
		v = p->value;
		break;
	case OR:
		v |= p->value;
		break;
	case CLEAR:
		v &= ~p->value;
		break;
	case ADD:
		v += p->value;
		break;
	case COPY:
		v = get(b, position(b, p->where, (unsigned)p->value), len);
		break;
	case TO:
		v = place_of(b, p->where, p->value);
		break;
	}
	put(b, at, len, v);
}

static void plant_one(const struct bad *b, const struct patch *p)
{
	struct stat st;
	uint64_t entry;

	switch (p->where) {
	case NOWHERE:
		return;
	case RC:
		set_refcount(b, p->index, p->value);
		return;
	case RC_OF:
		entry = get(b, position(b, L2, p->index), 8);
		set_refcount(b, (entry & QCOW2_OFFSET_MASK) >>
			     b->h.cluster_bits, p->value);
		return;
	case END:
		CHECK(!fstat(b->fd, &st));
		CHECK(!ftruncate(b->fd, p->op == ADD ?
				 st.st_size + (off_t)p->value :
				 st.st_size - (off_t)p->value));
		return;
	default:
		plant_entry(b, p);
	}
}

static void plant(const char *file, const struct corruption *c)
{
	struct bad b;

	bad_open(&b, file);
	for (unsigned i = 0; i < 3; i++)
		plant_one(&b, &c->p[i]);
	CHECK(!close(b.fd));
	qcow2_header_free(&b.h);
}

/* Checking. */

struct counts {
	uint64_t corruptions, leaks, check_errors;
	uint64_t end, total, allocated, fragmented, compressed;
};

struct fixed {
	uint64_t corruptions, leaks;
};

static uint64_t member(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* False: qemu-img did not get as far as counting. */
static bool check_theirs(const char *file, const char *args, struct counts *n,
			 struct fixed *fixed)
{
	int rc = shell("qemu-img check -f qcow2 %s --output=json %s >json "
		       "2>errors", args, file);
	json_t *o = json_load_file("json", 0, NULL);

	if (!o)
		return false;
	CHECK(rc >= 0);
	if (fixed)
		*fixed = (struct fixed){
			member(o, "corruptions-fixed"),
			member(o, "leaks-fixed"),
		};
	*n = (struct counts){
		member(o, "corruptions"), member(o, "leaks"),
		member(o, "check-errors"), member(o, "image-end-offset"),
		member(o, "total-clusters"), member(o, "allocated-clusters"),
		member(o, "fragmented-clusters"),
		member(o, "compressed-clusters"),
	};
	json_decref(o);
	return true;
}

static void print_line(void *arg, const char *line)
{
	fprintf(arg, "%s\n", line);
}

static struct img *open_image(const char *file, unsigned flags)
{
	struct img_resolver resolver = img_resolve_anywhere();
	struct img_open_args args = {
		.format = "qcow2", .flags = flags, .resolver = &resolver,
	};
	struct err e = { "" };
	struct img *img;

	CHECK_OK(img_open(file, &args, &img, &e));
	return img;
}

enum repair { LOOK, LEAKS, ALL };

/* `window` 0: as large as ever. */
static struct counts check_ours(const char *file, enum repair repair,
				uint64_t window, struct fixed *fixed)
{
	struct img *img = open_image(file, IMG_REPAIR | IMG_NO_DATA |
				     (repair ? IMG_WRITE : 0));
	FILE *lines = fopen("lines", "w");
	struct img_check k = {
		.fix_leaks = repair != LOOK, .fix_errors = repair == ALL,
		.report = print_line, .arg = lines,
	};
	struct err e = { "" };

	CHECK(lines);
	if (window)
		CHECK_OK(qcow2_check_windows(img, &k, window, &e));
	else
		CHECK_OK(img_check(img, &k, &e));
	if (fixed)
		*fixed = (struct fixed){ k.corruptions_fixed, k.leaks_fixed };
	if (k.corruptions_fixed || k.leaks_fixed) {
		k.fix_leaks = k.fix_errors = false;
		CHECK_OK(img_check(img, &k, &e));
	}
	CHECK_OK(img_close(img, &e));
	CHECK(!fclose(lines));
	return (struct counts){
		k.corruptions, k.leaks, k.check_errors, k.image_end_offset,
		k.total_clusters, k.allocated_clusters, k.fragmented_clusters,
		k.compressed_clusters,
	};
}

/* The lines that scripts may read, in the order in which they come. */
static void compare_lines(const char *what)
{
	if (!shell("for f in lines errors; do grep -aoE '(Rebuilding|(Leaked|"
		   "ERROR|Repairing) (cluster [0-9]+ refcount=|OFLAG_COPIED))"
		   ".*' $f >$f.some; done; "
		   "diff -u errors.some lines.some >&2"))
		return;
	fprintf(stderr, "%s: the lines differ\n", what);
	exit(1);
}

static void print_counts(const char *who, const struct counts *n)
{
	fprintf(stderr, "%-7s %" PRIu64 " corruptions, %" PRIu64 " leaks, %"
		PRIu64 " check errors; end %" PRIu64 ", %" PRIu64 "/%" PRIu64
		" allocated, %" PRIu64 " fragmented, %" PRIu64 " compressed\n",
		who, n->corruptions, n->leaks, n->check_errors, n->end,
		n->allocated, n->total, n->fragmented, n->compressed);
}

static void compare(const char *what, const struct counts *theirs,
		    const struct counts *ours)
{
	if (!memcmp(theirs, ours, sizeof(*ours)))
		return;
	fprintf(stderr, "%s: the counts differ\n", what);
	print_counts("theirs:", theirs);
	print_counts("ours:", ours);
	shell("cat lines >&2");
	exit(1);
}

/* Content in blocks, as far as it can be read. */
#define BLOCK 512u
#define N_BLOCKS ((8u << 20) / BLOCK)

struct content {
	uint8_t bytes[N_BLOCKS][BLOCK];
	bool ok[N_BLOCKS];
};

static void read_content(const char *file, struct content *c)
{
	struct img *img = open_image(file, IMG_REPAIR);
	struct err e = { "" };

	for (size_t i = 0; i < N_BLOCKS; i++)
		c->ok[i] = !img_read(img, c->bytes[i], BLOCK, i * BLOCK);
	CHECK_OK(img_close(img, &e));
}

static void same_content(const char *what, const struct content *before,
			 const struct content *after)
{
	for (size_t i = 0; i < N_BLOCKS; i++) {
		if (!before->ok[i] ||
		    (after->ok[i] &&
		     !memcmp(before->bytes[i], after->bytes[i], BLOCK)))
			continue;
		fprintf(stderr, "%s: block %zu has changed\n", what, i);
		exit(1);
	}
}

static void check_repaired(const char *what, const struct corruption *c)
{
	struct counts theirs = { 0 }, ours = check_ours("bad", LOOK, 0, NULL);
	bool clean = !ours.corruptions && !ours.leaks && !ours.check_errors;

	if (c->flags & (STAYS | KEPT))
		CHECK(ours.corruptions && !ours.leaks && !ours.check_errors);
	if (c->flags & REFUSED)
		return;
	CHECK(check_theirs("bad", "", &theirs, NULL));
	if (c->flags & KEPT)
		theirs.corruptions = ours.corruptions;
	compare(what, &theirs, &ours);
	if (!clean && !(c->flags & (STAYS | KEPT))) {
		fprintf(stderr, "%s: not clean after the repair\n", what);
		print_counts("ours:", &ours);
		shell("cat lines >&2");
		exit(1);
	}
}

static void check_better(void)
{
	struct counts theirs;

	CHECK(!shell("cp bad theirs"));
	CHECK(shell("qemu-img check -f qcow2 -r all theirs >/dev/null 2>&1"));
	CHECK(check_theirs("theirs", "", &theirs, NULL) &&
	      theirs.corruptions);
}

/* The repair says what qemu-img's says, and counts as much. */
static void compare_repair(const char *what, enum repair repair)
{
	static const char *const args[] = { "", "-r leaks", "-r all" };
	struct fixed theirs, ours;
	struct counts n;

	CHECK(!shell("cp bad theirs; cp bad ours"));
	if (!check_theirs("theirs", args[repair], &n, &theirs))
		return;
	check_ours("ours", repair, 0, &ours);
	if (theirs.corruptions != ours.corruptions ||
	    theirs.leaks != ours.leaks) {
		fprintf(stderr, "%s %s: they fixed %" PRIu64 " corruptions and %"
			PRIu64 " leaks, we %" PRIu64 " and %" PRIu64 "\n", what,
			args[repair], theirs.corruptions, theirs.leaks,
			ours.corruptions, ours.leaks);
		exit(1);
	}
	compare_lines(what);
}

static void try_one(const struct corruption *c, struct content *before,
		    struct content *after)
{
	struct counts theirs, ours, windows;
	char what[120];

	snprintf(what, sizeof(what), "\"%s\"", c->name);
	printf("%s%s%s\n", c->name, c->why ? ": " : "", c->why ? c->why : "");
	CHECK(!shell("cp good.%d bad", (int)c->recipe));
	plant("bad", c);
	windows = check_ours("bad", LOOK, 1, NULL);
	ours = check_ours("bad", LOOK, 0, NULL);
	compare("small windows", &ours, &windows);
	if (check_theirs("bad", "", &theirs, NULL)) {
		CHECK(!(c->flags & REFUSED));
		theirs.corruptions += c->more;
		compare(what, &theirs, &ours);
		compare_lines(what);
	} else {
		CHECK(c->flags & REFUSED);
		CHECK(ours.corruptions);
	}
	compare_repair(what, LEAKS);
	if (!(c->flags & (GROWS | MOVES | BETTER | STRICT)))
		compare_repair(what, ALL);
	if (c->flags & BETTER)
		check_better();
	read_content("bad", before);
	check_ours("bad", ALL, 0, NULL);
	read_content("bad", after);
	same_content(what, before, after);
	check_repaired(what, c);
}

int main(void)
{
	struct content *content = calloc(2, sizeof(*content));
	const char *only = getenv("ONLY");

	setvbuf(stdout, NULL, _IOLBF, 0);
	CHECK(content);
	if (shell("command -v qemu-img qemu-io >/dev/null")) {
		printf("SKIP: qemu-img or qemu-io is not installed\n");
		return 77;
	}
	scratch_enter();
	for (int i = 0; i < N_RECIPES; i++) {
		char file[16];

		snprintf(file, sizeof(file), "good.%d", i);
		if (recipes[i])
			CHECK(!shell("set -e; F=%s; { %s; } >/dev/null", file,
				     recipes[i]));
		else
			make_ours(file);
	}
	for (size_t i = 0; i < N_CORRUPTIONS; i++)
		if (!only || strstr(corruptions[i].name, only))
			try_one(&corruptions[i], &content[0], &content[1]);
	free(content);
	return 0;
}
