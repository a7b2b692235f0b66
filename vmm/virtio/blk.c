/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blk.c - virtio-blk on an image of any format: the device (virtio 1.2, 5.2).
 *
 * A disk whose size is no multiple of 512 bytes ends with its last whole sector.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/imgfmt.h"
#include "vmm/state.h"
#include "vmm/virtio/blk.h"
#include "vmm/vm.h"

/* Config (5.2.4). */
#define CAPACITY		0u
#define SIZE_MAX_FIELD		8u
#define SEG_MAX			12u
#define BLK_SIZE		20u
#define PHYSICAL_BLOCK_EXP	24u
#define MIN_IO_SIZE		26u
#define OPT_IO_SIZE		28u
#define WRITEBACK		32u
#define QUEUES			34u
#define MAX_DISCARD		36u
#define MAX_DISCARD_SEG		40u
#define DISCARD_ALIGNMENT	44u
#define MAX_ZEROES		48u
#define MAX_ZEROES_SEG		52u
#define ZEROES_MAY_UNMAP	56u
#define CONFIG_LEN		60u

/* Header and status take a descriptor each.  SeaBIOS keeps segments times sectors
 * in 16 bits.
 */
#define SEGMENTS	(VQ_MAX_SIZE - 2)
#define SEGMENT_LEN	(128u << 10)
_Static_assert(SEGMENTS * (SEGMENT_LEN / BLK_SECTOR) <= 0xffff,
	       "a request is too large for SeaBIOS");

#define MAX_QUEUES	16u
#define MAX_PULLERS	64u
#define DEFAULT_PULLERS	4u

static struct blk *blk_of(struct virtio *v)
{
	return (struct blk *)v;
}

static void set_cache(struct virtio *v)
{
	atomic_store(&blk_of(v)->writethrough,
		     !virtio_has(v, BLK_F_FLUSH) || !v->config[WRITEBACK]);
}

static void blk_config_write(struct virtio *v, unsigned offset, unsigned size,
			     uint64_t value)
{
	if (offset != WRITEBACK || size != 1 || value > 1 ||
	    !virtio_has(v, BLK_F_CONFIG_WCE) || !virtio_has(v, BLK_F_FLUSH))
		return;
	v->config[WRITEBACK] = (uint8_t)value;
	set_cache(v);
}

static void blk_start(struct virtio *v)
{
	if (virtio_has(v, BLK_F_CONFIG_WCE) && !virtio_has(v, BLK_F_FLUSH))
		v->config[WRITEBACK] = 0;
	set_cache(v);
}

static void blk_reset(struct virtio *v)
{
	v->config[WRITEBACK] = 1;
	set_cache(v);
}

static void blk_fini(struct virtio *v)
{
	struct blk *b = blk_of(v);

	if (b->virtual)
		blk_virtual_fini(b);
	else
		pullers_fini(&b->pullers);
	img_close(b->img, NULL);
	pthread_mutex_destroy(&b->error_lock);
	free(b->counts);
}

static int blk_loaded(void *obj, struct err *e)
{
	struct blk *b = obj;

	if (get_le64(b->v.config + CAPACITY) != b->capacity)
		return fail(e, EINVAL, "the disk has another size");
	set_cache(&b->v);
	return 0;
}

static const struct state_field blk_fields[] = {
	STATE_NUMBER(struct blk, capacity, .same = true),
};
STATE_TRANSIENT(struct blk, "has a table of its own", v);
STATE_TRANSIENT(struct blk, "how the machine was made",
		index, img, reads_pieces, writes_pieces, readonly, id, pullers,
		virtual, n_counts, error_lock, scratch);
STATE_TRANSIENT(struct blk, "what features and config say", writethrough);
STATE_TRANSIENT(struct blk, "for the host, since this process began",
		counts, errors, last_error, last_error_sector);

static const struct state_table blk_state = {
	.version = 1, STATE_FIELDS(blk_fields), .loaded = blk_loaded,
};

static const struct virtio_ops blk_ops = {
	.state = &blk_state,
	.name = "virtio-blk",
	.id = VIRTIO_ID_BLOCK,
	.pci_class = 0x010000,		/* SCSI storage, as firmware expects */
	.config_write = blk_config_write,
	.start = blk_start,
	.notify = blk_virtual_notify,	/* pullers have a doorbell instead */
	.settle = blk_virtual_settle,
	.reset = blk_reset,
	.fini = blk_fini,
};

static void fill_config(struct blk *b, unsigned queues)
{
	uint32_t block = img_block_size(b->img);
	uint8_t *c = b->v.config;

	/* Guests align to these: only what is a power of two is of use. */
	if (!is_pow2(block) || block < BLK_SECTOR || block > 1u << 20)
		block = BLK_SECTOR;
	put_le64(c + CAPACITY, b->capacity);
	put_le32(c + SIZE_MAX_FIELD, SEGMENT_LEN);
	put_le32(c + SEG_MAX, SEGMENTS);
	put_le32(c + BLK_SIZE, BLK_SECTOR);
	c[PHYSICAL_BLOCK_EXP] = block < 4096 ? 0 : 3;
	put_le16(c + MIN_IO_SIZE, 1);
	put_le32(c + OPT_IO_SIZE, block < 4096 ? 0 : block / BLK_SECTOR);
	c[WRITEBACK] = 1;
	put_le16(c + QUEUES, (uint16_t)queues);
	put_le32(c + MAX_DISCARD, BLK_MAX_DISCARD);
	put_le32(c + MAX_DISCARD_SEG, BLK_MAX_DISCARD_SEG);
	put_le32(c + DISCARD_ALIGNMENT, block / BLK_SECTOR);
	put_le32(c + MAX_ZEROES, BLK_MAX_ZEROES);
	put_le32(c + MAX_ZEROES_SEG, BLK_MAX_ZEROES_SEG);
	c[ZEROES_MAY_UNMAP] = 1;
}

static int check(struct img *img, const struct vm_disk *disk, struct err *e)
{
	if (disk->serial && strlen(disk->serial) > BLK_ID_LEN)
		return fail(e, EINVAL, "%s: the serial number \"%s\" has more "
			    "than %u bytes", img_name(img), disk->serial,
			    BLK_ID_LEN);
	if (disk->queues > MAX_QUEUES || disk->pullers > MAX_PULLERS)
		return fail(e, EINVAL, "%s: %u queues and %u threads, at most "
			    "%u and %u are possible", img_name(img),
			    disk->queues, disk->pullers, MAX_QUEUES,
			    MAX_PULLERS);
	if (!disk->readonly && !(img_flags(img) & IMG_WRITE))
		return fail(e, EROFS, "%s is open read-only, and the disk is "
			    "not", img_name(img));
	return 0;
}

static uint64_t features(const struct vm_disk *disk)
{
	uint64_t f = BLK_F_SIZE_MAX | BLK_F_SEG_MAX | BLK_F_BLK_SIZE |
		BLK_F_TOPOLOGY | BLK_F_MQ;

	if (disk->readonly)
		return f | BLK_F_RO;
	return f | BLK_F_FLUSH | BLK_F_CONFIG_WCE | BLK_F_DISCARD |
		BLK_F_WRITE_ZEROES;
}

/* Who serves the requests. */
static int start(struct blk *b, unsigned pullers, unsigned queues,
		 struct err *e)
{
	struct vm *vm = b->v.dev.vm;
	int rc;

	b->n_counts = vm->config.virtual_clock ? 1 : pullers;
	b->counts = aligned_alloc(_Alignof(struct blk_counts), b->n_counts *
				  sizeof(*b->counts));
	if (!b->counts)
		return fail_rc(e, -ENOMEM, "%s", img_name(b->img));
	memset(b->counts, 0, b->n_counts * sizeof(*b->counts));
	if (vm->config.virtual_clock) {
		rc = blk_virtual_init(b, vm, queues);
		return rc ? fail_rc(e, rc, "%s", img_name(b->img)) : 0;
	}
	rc = pullers_init(&b->pullers, &b->v, blk_serve, e);
	return rc ? rc : pullers_start(&b->pullers, pullers, e);
}

/* The i-th disk, or NULL. */
static struct blk *find(struct vm *vm, unsigned i)
{
	struct device *dev;

	for (dev = vm->devices; dev; dev = dev->next) {
		if (dev->ops->name == blk_ops.name && !i--)
			return (struct blk *)dev;
	}
	return NULL;
}

int vm_add_disk(struct vm *vm, struct img *img, const struct vm_disk *disk,
		struct err *e)
{
	unsigned pullers = disk->pullers ? disk->pullers : DEFAULT_PULLERS;
	unsigned queues = disk->queues ? disk->queues :
		(unsigned)min_u64(vm->config.topology.cpus, MAX_QUEUES);
	int rc = check(img, disk, e);
	struct blk *b;

	if (rc)
		return rc;
	b = calloc(1, sizeof(*b));
	if (!b)
		return fail_rc(e, -ENOMEM, "%s", img_name(img));
	pthread_mutex_init(&b->error_lock, NULL);
	while (find(vm, b->index))
		b->index++;
	b->readonly = disk->readonly;
	b->scratch = disk->scratch;
	b->capacity = img_size(img) / BLK_SECTOR;
	b->reads_pieces = img_reads_pieces(img);
	b->writes_pieces = img_writes_pieces(img);
	if (disk->serial)
		memcpy(b->id, disk->serial, strlen(disk->serial));
	rc = virtio_init(&b->v, vm, &blk_ops, features(disk), queues,
			 CONFIG_LEN, e);
	b->img = img;
	if (!rc) {
		fill_config(b, queues);
		set_cache(&b->v);
		rc = start(b, pullers, queues, e);
	}
	if (!rc)
		rc = virtio_attach(&b->v, disk->bus, e);
	if (rc) {
		b->img = NULL;		/* stays the caller's */
		virtio_free(&b->v);
	}
	return rc;
}

bool blk_boot_path(struct vm *vm, unsigned i, char *out, size_t size)
{
	struct blk *b = find(vm, i);

	if (b)
		b->v.transport->boot_path(&b->v, out, size);
	return b;
}

static unsigned in_flight(struct virtio *v)
{
	unsigned i, n = 0;

	for (i = 0; i < v->n_queues; i++) {
		pthread_mutex_lock(&v->queues[i].lock);
		n += v->queues[i].in_flight;
		pthread_mutex_unlock(&v->queues[i].lock);
	}
	return n;
}

bool vm_disk_stats(struct vm *vm, unsigned i, struct vm_disk_stats *stats)
{
	struct blk *b = find(vm, i);

	if (!b)
		return false;
	*stats = (struct vm_disk_stats){
		.name = img_name(b->img), .in_flight = in_flight(&b->v),
	};
	for (i = 0; i < b->n_counts; i++) {
		struct blk_counts *c = &b->counts[i];

		stats->reads += atomic_load(&c->reads);
		stats->writes += atomic_load(&c->writes);
		stats->flushes += atomic_load(&c->flushes);
		stats->clears += atomic_load(&c->clears);
		stats->read_bytes += atomic_load(&c->read_bytes);
		stats->written_bytes += atomic_load(&c->written_bytes);
	}
	pthread_mutex_lock(&b->error_lock);
	stats->errors = b->errors;
	stats->last_error = b->last_error;
	stats->last_error_sector = b->last_error_sector;
	pthread_mutex_unlock(&b->error_lock);
	return true;
}

int vm_flush_disks(struct vm *vm, struct err *e)
{
	struct blk *b;
	unsigned i;
	int rc = 0, one;

	for (i = 0; (b = find(vm, i)); i++) {
		one = b->scratch ? 0 : img_flush(b->img);
		if (one && !rc)
			rc = fail_rc(e, one, "the disk %s has lost something "
				     "that was written to it",
				     img_name(b->img));
	}
	return rc;
}
