/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balloon.c - the memory balloon (virtio 1.2, 5.5): pages that the guest puts
 * into it, or reports as free, are given back to the host.
 *
 * config	0	4	num_pages: how large the host wants it, in 4 KiB
 *		4	4	actual: how large the driver has made it
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/state.h"
#include "vmm/virtio/service.h"
#include "vmm/vm.h"

#define F_STATS_VQ		(1ull << 1)
#define F_DEFLATE_ON_OOM	(1ull << 2)
#define F_PAGE_REPORTING	(1ull << 5)

#define CONFIG_NUM_PAGES	0u
#define CONFIG_ACTUAL		4u
#define CONFIG_LEN		8u

#define PAGE_SHIFT		12
#define STAT_LEN		10u	/* le16 tag, le64 value */

enum { INFLATE, DEFLATE, STATS, MAX_QUEUES = 4 };

struct balloon {
	struct virtio v;		/* first */
	struct service service;
	uint64_t stats[VM_BALLOON_N_STATS];	/* v->lock, as all of this */
	uint32_t have_stats;			/* bits of stats */
	uint64_t released;			/* bytes, all in all */
};

static uint32_t max_pages(const struct vm *vm)
{
	return (uint32_t)min_u64(vm->mem.ram >> PAGE_SHIFT, UINT32_MAX);
}

/* A run of pages that go together. */
struct run {
	uint64_t first, n;	/* page numbers */
};

static void give_back(struct balloon *b, const struct run *run)
{
	uint64_t len = run->n << PAGE_SHIFT;

	/* What is not RAM is the driver's mistake and does no harm. */
	if (run->n && !mem_release(b->v.dev.vm, run->first << PAGE_SHIFT, len))
		b->released += len;
}

static void add_page(struct balloon *b, struct run *run, uint64_t page)
{
	if (run->n && page == run->first + run->n) {
		run->n++;
	} else if (run->n && page + 1 == run->first) {
		run->first--;
		run->n++;
	} else {
		give_back(b, run);
		*run = (struct run){ page, 1 };
	}
}

static void inflate(struct balloon *b, const struct vq_chain *c)
{
	struct run run = { 0, 0 };
	uint64_t offset = 0;
	uint8_t pages[1024];
	size_t n, i;

	while ((n = vq_chain_read(c, offset, pages, sizeof(pages))) >= 4) {
		for (i = 0; i + 4 <= n; i += 4)
			add_page(b, &run, get_le32(pages + i));
		offset += i;
	}
	give_back(b, &run);
}

/* The pieces of the request are themselves the free pages. */
static void take_report(struct balloon *b, const struct vq_chain *c)
{
	unsigned i;

	for (i = c->n_out; i < c->n_out + c->n_in; i++)
		b->released += mem_release_host(b->v.dev.vm, c->iov[i].iov_base,
						c->iov[i].iov_len);
}

static void take_stats(struct balloon *b, const struct vq_chain *c)
{
	uint8_t stat[STAT_LEN];
	uint64_t offset;

	for (offset = 0; offset < STAT_LEN * 64; offset += STAT_LEN) {
		unsigned tag;

		if (vq_chain_read(c, offset, stat, STAT_LEN) < STAT_LEN)
			break;
		tag = get_le16(stat);
		if (tag >= VM_BALLOON_N_STATS)
			continue;
		b->stats[tag] = get_le64(stat + 2);
		b->have_stats |= 1u << tag;
	}
}

/* Queues that were not negotiated are not counted (5.5.2, as drivers do it). */
static bool serve(struct virtio *v, unsigned i, const struct vq_chain *c,
		  uint32_t *written)
{
	struct balloon *b = (struct balloon *)v;

	(void)written;
	if (i == STATS && virtio_has(v, F_STATS_VQ)) {
		/* The driver fills it anew each time that it gets it back, so
		 * that it stays with us until somebody asks.
		 */
		take_stats(b, c);
		return false;
	}
	if (i == INFLATE)
		inflate(b, c);
	else if (i != DEFLATE && virtio_has(v, F_PAGE_REPORTING))
		take_report(b, c);
	return true;
}

static void notify(struct virtio *v, unsigned i)
{
	service_run(&((struct balloon *)v)->service, i);
}

static void config_write(struct virtio *v, unsigned offset, unsigned size,
			 uint64_t value)
{
	unsigned i;

	for (i = 0; i < size; i++) {
		if (offset + i >= CONFIG_ACTUAL && offset + i < CONFIG_LEN)
			v->config[offset + i] = (uint8_t)(value >> (8 * i));
	}
}

static void reset(struct virtio *v)
{
	struct balloon *b = (struct balloon *)v;

	put_le32(v->config + CONFIG_ACTUAL, 0);
	b->have_stats = 0;
	service_reset(&b->service);
}

static void fini(struct virtio *v)
{
	if (v->dev.vm->balloon == (struct balloon *)v)
		v->dev.vm->balloon = NULL;
}

static const struct state_field balloon_fields[] = {
	STATE_OBJECT(struct balloon, service, &service_state),
	STATE_NUMBERS(struct balloon, stats),
	STATE_NUMBER(struct balloon, have_stats,
		     .max = (1u << VM_BALLOON_N_STATS) - 1),
	STATE_NUMBER(struct balloon, released),
};
STATE_TRANSIENT(struct balloon, "has a table of its own", v);

static const struct state_table balloon_state = {
	.version = 1, STATE_FIELDS(balloon_fields),
};

static const struct virtio_ops balloon_ops = {
	.state = &balloon_state,
	.name = "virtio-balloon",
	.id = VIRTIO_ID_BALLOON,
	.pci_class = 0x00ff00,
	.notify = notify,
	.config_write = config_write,
	.reset = reset,
	.fini = fini,
};

int vm_add_balloon(struct vm *vm, enum vm_bus bus, struct err *e)
{
	struct balloon *b;
	int rc;

	if (vm->balloon)
		return fail(e, EEXIST, "a machine has one balloon at most");
	b = calloc(1, sizeof(*b));
	if (!b)
		return fail_rc(e, -ENOMEM, "virtio-balloon");
	rc = virtio_init(&b->v, vm, &balloon_ops,
			 F_STATS_VQ | F_DEFLATE_ON_OOM | F_PAGE_REPORTING,
			 MAX_QUEUES, CONFIG_LEN, e);
	if (!rc) {
		service_init(&b->service, &b->v, serve);
		vm->balloon = b;
		rc = virtio_attach(&b->v, bus, e);
	}
	if (rc)
		virtio_free(&b->v);
	return rc;
}

int vm_set_balloon(struct vm *vm, uint64_t bytes)
{
	struct balloon *b = vm->balloon;
	uint64_t pages = bytes >> PAGE_SHIFT;

	if (!b)
		return -ENODEV;
	if (pages > max_pages(vm))
		return -ERANGE;
	pthread_mutex_lock(&b->v.lock);
	put_le32(b->v.config + CONFIG_NUM_PAGES, (uint32_t)pages);
	virtio_config_changed(&b->v);
	pthread_mutex_unlock(&b->v.lock);
	return 0;
}

int vm_balloon_info(struct vm *vm, struct vm_balloon_info *info)
{
	struct balloon *b = vm->balloon;
	struct vq_chain c;

	if (!b)
		return -ENODEV;
	pthread_mutex_lock(&b->v.lock);
	info->wanted = (uint64_t)get_le32(b->v.config) << PAGE_SHIFT;
	info->actual = (uint64_t)get_le32(b->v.config + CONFIG_ACTUAL) <<
		PAGE_SHIFT;
	info->released = b->released;
	info->have_stats = b->have_stats;
	memcpy(info->stats, b->stats, sizeof(info->stats));
	/* Ask for new ones by giving back the buffer that we hold. */
	if (virtio_has(&b->v, F_STATS_VQ) && virtio_pop(&b->v, STATS, &c) > 0)
		virtio_push(&b->v, &c, 0);
	pthread_mutex_unlock(&b->v.lock);
	return 0;
}
