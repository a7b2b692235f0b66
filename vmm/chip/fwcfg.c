/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwcfg.c - the firmware configuration device; what it does is in QEMU's
 * docs/specs/fw_cfg.rst.
 *
 *	0x510	selector, 16 bits, write only
 *	0x511	data, a byte at a time; zeroes behind the item's end
 *	0x514	address of a DMA descriptor, 64 bits big endian; writing the lower
 *		half (0x518) starts it
 *
 * DMA descriptor, big endian: 0 control (selector in its upper half), 4 length,
 * 8 address.  Control reads as 0 when it is done, or as DMA_ERROR.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define PORT_SELECT	0x510u
#define PORT_DMA	0x514u
#define KEY_WRITE	0x4000u		/* a mode that is history */
#define MAX_FILES	256u
#define DIR_ENTRY	64u

#define DMA_ERROR	0x01u
#define DMA_READ	0x02u
#define DMA_SKIP	0x04u
#define DMA_SELECT	0x08u
#define DMA_WRITE	0x10u

/* How much of the guest's memory one transfer may fill with zeroes because it
 * asks for more than there is: all work under the machine lock has an end.
 */
#define ZEROES_MAX	(1u << 20)

struct item {
	uint16_t key;		/* files: FWCFG_FILE_FIRST + index */
	bool writable;
	char name[FWCFG_FILE_NAME_LEN];	/* files only */
	size_t len;
	uint8_t *data;
	uint8_t *initial;	/* writable files: data after a reset */
};

struct list {
	struct item *items;
	size_t n, cap;
};

struct fwcfg {
	struct device dev;
	struct region select_region, dma_region;
	struct list keys, files;	/* files are sorted by name */
	uint16_t key;			/* what is selected */
	size_t offset;			/* in its data */
	uint64_t dma;			/* written so far */

	/* For state.h: name and data of each writable file, one behind the
	 * other.
	 */
	uint8_t *written;
	unsigned written_len;
};

static const uint8_t dma_signature[8] = "QEMU CFG";

static struct item *find_key(const struct fwcfg *f, uint16_t key)
{
	if (key >= FWCFG_FILE_FIRST && key < FWCFG_FILE_FIRST + f->files.n)
		return &f->files.items[key - FWCFG_FILE_FIRST];
	for (size_t i = 0; i < f->keys.n; i++)
		if (f->keys.items[i].key == key)
			return &f->keys.items[i];
	return NULL;
}

/* Ports. */

static void select_item(struct fwcfg *f, unsigned key)
{
	f->key = (uint16_t)(key & ~KEY_WRITE);
	f->offset = 0;
}

static uint8_t next_byte(struct fwcfg *f)
{
	const struct item *item = find_key(f, f->key);

	if (!item || f->offset >= item->len)
		return 0;
	return item->data[f->offset++];
}

static uint64_t data_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct fwcfg *f = (struct fwcfg *)dev;
	uint64_t value = 0;

	(void)offset;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)next_byte(f) << 8 * i;
	return value;
}

/* Writes to the data port are ignored. */
static void select_write(struct device *dev, uint64_t offset, unsigned size,
			 uint64_t value)
{
	if (offset == 0 && size == 2)
		select_item((struct fwcfg *)dev, (unsigned)value);
}

/* DMA. */

/* Guest memory at `gpa` := what the item has next. */
static int dma_read(struct fwcfg *f, const struct item *item, uint64_t gpa,
		    uint32_t len)
{
	static const uint8_t zeroes[4096];
	uint64_t have = item ? item->len - f->offset : 0;
	uint64_t n = min_u64(have, len), left = len - n;
	int rc = 0;

	if (left > ZEROES_MAX)
		return -EINVAL;
	if (n)
		rc = mem_write(f->dev.vm, gpa, item->data + f->offset, n);
	f->offset += n;
	for (gpa += n; !rc && left; gpa += n, left -= n) {
		n = min_u64(left, sizeof(zeroes));
		rc = mem_write(f->dev.vm, gpa, zeroes, n);
	}
	return rc;
}

static int dma_write(struct fwcfg *f, struct item *item, uint64_t gpa,
		     uint32_t len)
{
	int rc;

	if (!item || !item->writable || !in_range(f->offset, len, item->len))
		return -EINVAL;
	rc = mem_read(f->dev.vm, gpa, item->data + f->offset, len);
	f->offset += len;
	return rc;
}

static int dma_transfer(struct fwcfg *f, const uint8_t desc[16])
{
	uint32_t control = get_be32(desc), len = get_be32(desc + 4);
	uint64_t gpa = get_be64(desc + 8), end;
	struct item *item;

	if (control & DMA_SELECT)
		select_item(f, control >> 16);
	item = find_key(f, f->key);
	if (!add_ok(gpa, len, &end))
		return -EINVAL;
	if (control & DMA_READ)
		return dma_read(f, item, gpa, len);
	if (control & DMA_WRITE)
		return dma_write(f, item, gpa, len);
	if ((control & DMA_SKIP) && item)
		f->offset += min_u64(len, item->len - f->offset);
	return 0;
}

static void dma_run(struct fwcfg *f)
{
	uint64_t at = f->dma;
	uint8_t desc[16], control[4];
	int rc;

	f->dma = 0;
	rc = mem_read(f->dev.vm, at, desc, sizeof(desc));
	if (!rc)
		rc = dma_transfer(f, desc);
	put_be32(control, rc ? DMA_ERROR : 0);
	/* Where nothing is, nobody waits for the result. */
	(void)mem_write(f->dev.vm, at, control, sizeof(control));
}

static uint64_t dma_port_read(struct device *dev, uint64_t offset,
			      unsigned size)
{
	uint8_t bytes[8] = { 0 };

	(void)dev;
	memcpy(bytes, dma_signature + offset, size);
	return get_le64(bytes);
}

/* The address is written as one or two dwords, in memory order big endian. */
static void dma_port_write(struct device *dev, uint64_t offset, unsigned size,
			   uint64_t value)
{
	struct fwcfg *f = (struct fwcfg *)dev;
	uint32_t half = __builtin_bswap32((uint32_t)value);

	if (size == 8) {
		f->dma = __builtin_bswap64(value);
	} else if (size == 4 && offset == 0) {
		f->dma = (uint64_t)half << 32;
		return;
	} else if (size == 4 && offset == 4) {
		f->dma |= half;
	} else {
		return;
	}
	dma_run(f);
}

static const struct region_ops select_ops = {
	.read = data_read,
	.write = select_write,
	.max_size = 2,
};

static const struct region_ops dma_ops = {
	.read = dma_port_read,
	.write = dma_port_write,
	.max_size = 8,
};

/* Items. */

/* `item` := a copy of [data, data + len); as it was on failure. */
static int item_fill(struct item *item, const void *data, size_t len,
		     bool writable)
{
	uint8_t *copy = malloc(len + 1), *initial = NULL;

	if (writable)
		initial = malloc(len + 1);
	if (!copy || (writable && !initial)) {
		free(copy);
		free(initial);
		return -ENOMEM;
	}
	if (len)
		memcpy(copy, data, len);
	if (initial)
		memcpy(initial, copy, len);
	free(item->data);
	free(item->initial);
	item->data = copy;
	item->initial = initial;
	item->len = len;
	item->writable = writable;
	return 0;
}

/* Put a copy into `l` at index `at`. */
static int list_insert(struct list *l, size_t at, const struct item *what,
		       const void *data, size_t len)
{
	struct item item = *what;
	int rc = array_grow(&l->items, &l->cap, l->n + 1, sizeof(item));

	if (!rc)
		rc = item_fill(&item, data, len, item.writable);
	if (rc)
		return rc;
	memmove(l->items + at + 1, l->items + at, (l->n - at) * sizeof(item));
	l->items[at] = item;
	l->n++;
	return 0;
}

int fwcfg_set(struct fwcfg *f, uint16_t key, const void *data, size_t len)
{
	struct item *old = find_key(f, key), item = { .key = key };

	if (f->key == key)
		f->offset = 0;
	if (old)
		return item_fill(old, data, len, false);
	return list_insert(&f->keys, f->keys.n, &item, data, len);
}

/* Directory: count; each: 0 size, 4 key, 6 reserved, 8 name; big endian. */
static int make_directory(struct fwcfg *f)
{
	size_t len = 4 + f->files.n * DIR_ENTRY;
	uint8_t *dir = array_alloc(len, 1);
	int rc;

	if (!dir)
		return -ENOMEM;
	put_be32(dir, (uint32_t)f->files.n);
	for (size_t i = 0; i < f->files.n; i++) {
		struct item *file = &f->files.items[i];
		uint8_t *entry = dir + 4 + i * DIR_ENTRY;

		file->key = (uint16_t)(FWCFG_FILE_FIRST + i);
		put_be32(entry, (uint32_t)file->len);
		put_be16(entry + 4, file->key);
		memcpy(entry + 8, file->name, sizeof(file->name));
	}
	rc = fwcfg_set(f, FWCFG_FILE_DIR, dir, len);
	free(dir);
	return rc;
}

int fwcfg_add_file(struct fwcfg *f, const char *name, const void *data,
		   size_t len, bool writable)
{
	struct item item = { .writable = writable };
	size_t at = 0;
	int order = 1, rc;

	if (strlen(name) >= sizeof(item.name) || len > INT32_MAX)
		return -EINVAL;
	while (at < f->files.n &&
	       (order = strcmp(f->files.items[at].name, name)) < 0)
		at++;
	/* Keys move with the files. */
	select_item(f, FWCFG_SIGNATURE);
	if (order == 0) {
		rc = item_fill(&f->files.items[at], data, len, writable);
	} else if (f->files.n == MAX_FILES) {
		rc = -ENOSPC;
	} else {
		strcpy(item.name, name);
		rc = list_insert(&f->files, at, &item, data, len);
	}
	return rc ? rc : make_directory(f);
}

const void *fwcfg_file(const struct fwcfg *f, const char *name, size_t *len)
{
	for (size_t i = 0; i < f->files.n; i++) {
		const struct item *file = &f->files.items[i];

		if (!strcmp(file->name, name)) {
			*len = file->len;
			return file->data;
		}
	}
	return NULL;
}

/* The device. */

static void fwcfg_reset(struct device *dev)
{
	struct fwcfg *f = (struct fwcfg *)dev;

	select_item(f, FWCFG_SIGNATURE);
	f->dma = 0;
	for (size_t i = 0; i < f->files.n; i++)
		if (f->files.items[i].writable)
			memcpy(f->files.items[i].data,
			       f->files.items[i].initial,
			       f->files.items[i].len);
}

static void list_free(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].data);
		free(l->items[i].initial);
	}
	free(l->items);
}

static void fwcfg_fini(struct device *dev)
{
	struct fwcfg *f = (struct fwcfg *)dev;

	list_free(&f->keys);
	list_free(&f->files);
	free(f->written);
	free(f);
}

/* State: what guests have written.  The other items are made anew. */

static int gather(void *obj)
{
	struct fwcfg *f = obj;
	uint64_t len = 0;
	uint8_t *p;

	for (size_t i = 0; i < f->files.n; i++)
		if (f->files.items[i].writable)
			len += FWCFG_FILE_NAME_LEN + f->files.items[i].len;
	p = len > UINT32_MAX ? NULL : array_alloc(len + 1, 1);
	if (!p)
		return -ENOMEM;
	free(f->written);
	f->written = p;
	f->written_len = (unsigned)len;
	for (size_t i = 0; i < f->files.n; i++) {
		const struct item *file = &f->files.items[i];

		if (!file->writable)
			continue;
		memcpy(p, file->name, FWCFG_FILE_NAME_LEN);
		memcpy(p + FWCFG_FILE_NAME_LEN, file->data, file->len);
		p += FWCFG_FILE_NAME_LEN + file->len;
	}
	return 0;
}

static int scatter(void *obj, struct err *e)
{
	struct fwcfg *f = obj;
	const struct item *item = find_key(f, f->key);
	const uint8_t *p = f->written;

	if (f->offset > (item ? item->len : 0))
		return fail(e, EINVAL, "offset is %zu, and the item 0x%x has "
			    "%zu bytes", f->offset, f->key,
			    item ? item->len : 0);
	for (size_t i = 0; i < f->files.n; i++) {
		struct item *file = &f->files.items[i];

		if (!file->writable)
			continue;
		if (memcmp(p, file->name, FWCFG_FILE_NAME_LEN))
			return fail(e, EINVAL, "the file %s is missing",
				    file->name);
		memcpy(file->data, p + FWCFG_FILE_NAME_LEN, file->len);
		p += FWCFG_FILE_NAME_LEN + file->len;
	}
	return 0;
}

static const struct state_field fwcfg_fields[] = {
	STATE_NUMBER(struct fwcfg, key),
	STATE_NUMBER(struct fwcfg, offset),
	STATE_NUMBER(struct fwcfg, dma),
	STATE_MEMBER(struct fwcfg, written, STATE_KIND_NUMBER, .size = 1,
		     .is_pointer = true,
		     .count_at = offsetof(struct fwcfg, written_len)),
};
STATE_TRANSIENT(struct fwcfg, "how the machine was made",
		dev, select_region, dma_region, keys);
STATE_TRANSIENT(struct fwcfg, "what the guest writes to them is in `written`",
		files, written_len);

static const struct state_table fwcfg_state = {
	.version = 1, STATE_FIELDS(fwcfg_fields), .prepare = gather,
	.loaded = scatter,
};

static const struct device_ops fwcfg_ops = {
	.name = "fw_cfg",
	.reset = fwcfg_reset,
	.fini = fwcfg_fini,
	.state = &fwcfg_state,
};

int fwcfg_new(struct vm *vm, struct fwcfg **out, struct err *e)
{
	struct fwcfg *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return fail(e, ENOMEM, "fw_cfg: out of memory");
	device_add(vm, &f->dev, &fwcfg_ops);
	bus_add(vm, &f->select_region, &f->dev, &select_ops, BUS_PIO,
		PORT_SELECT, 2);
	bus_add(vm, &f->dma_region, &f->dev, &dma_ops, BUS_PIO, PORT_DMA, 8);
	rc = fwcfg_set(f, FWCFG_SIGNATURE, "QEMU", 4);
	/* The old interface, and DMA. */
	if (!rc)
		rc = fwcfg_set_u32(f, FWCFG_ID, 3);
	if (!rc)
		rc = make_directory(f);
	if (rc)
		return fail_rc(e, rc, "fw_cfg");
	*out = f;
	return 0;
}
