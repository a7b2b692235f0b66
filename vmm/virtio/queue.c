/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.c - split virtqueues.  See queue.h.
 *
 *	descriptor	addr 64, len 32, flags 16, next 16	(2.7.5)
 *	available ring	flags, idx, ring[size], used_event	(2.7.6)
 *	used ring	flags, idx, ring[size] of {id, len} 32, avail_event (2.7.8)
 *
 * All are little-endian, and change under our hands: each is loaded once, into
 * locals, and judged there.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "vmm/vm.h"
#include "vmm/virtio/queue.h"

#define DESC_SIZE	16u
#define DESC_NEXT	0x1u
#define DESC_WRITE	0x2u
#define DESC_INDIRECT	0x4u

#define AVAIL_NO_INTERRUPT	0x1u
#define USED_NO_NOTIFY		0x1u

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

static uint16_t load16(const void *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED));
}

static void store16(void *p, uint16_t value)
{
	__atomic_store_n((uint16_t *)p, htole16(value), __ATOMIC_RELAXED);
}

static __attribute__((cold)) uint64_t load64_anywhere(const uint8_t *p)
{
	uint64_t value = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		value |= (uint64_t)__atomic_load_n(p + i, __ATOMIC_RELAXED)
			<< (8 * i);
	return value;
}

static uint64_t load64(const uint8_t *p)
{
	/* An indirect table may lie anywhere, but none does. */
	if (__builtin_expect((uintptr_t)p % 8, 0))
		return load64_anywhere(p);
	return le64toh(__atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED));
}

static inline struct desc load_desc(const uint8_t *p)
{
	uint64_t low = load64(p), high = load64(p + 8);

	return (struct desc){
		.addr = low, .len = (uint32_t)high,
		.flags = (uint16_t)(high >> 32), .next = (uint16_t)(high >> 48),
	};
}

static const uint8_t *avail_idx(const struct vq *q)
{
	return q->host_avail + 2;
}

static const uint8_t *used_event(const struct vq *q)
{
	return q->host_avail + 4 + 2 * (size_t)q->size;
}

static uint8_t *avail_event(const struct vq *q)
{
	return q->host_used + 4 + 8 * (size_t)q->size;
}

static uint64_t used_len(const struct vq *q)
{
	return 6 + 8 * (uint64_t)q->size;
}

/* It is held for less than it takes to fall asleep: spin a while first. */
static int init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;
	int rc = pthread_mutexattr_init(&attr);

	if (rc)
		return -rc;
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
	rc = pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return -rc;
}

int vq_init(struct vq *q, struct vm *vm, uint16_t max_size)
{
	int rc;

	memset(q, 0, sizeof(*q));
	q->vm = vm;
	q->max_size = max_size;
	rc = init_lock(&q->lock);
	if (rc)
		return rc;
	rc = -pthread_cond_init(&q->drained, NULL);
	if (rc)
		pthread_mutex_destroy(&q->lock);
	else
		vq_reset(q);
	return rc;
}

void vq_fini(struct vq *q)
{
	pthread_cond_destroy(&q->drained);
	pthread_mutex_destroy(&q->lock);
}

void vq_reset(struct vq *q)
{
	q->size = q->max_size;
	q->desc = q->avail = q->used = 0;
	atomic_store(&q->vector, VQ_NO_VECTOR);
	q->enabled = q->live = false;
	q->event_idx = q->indirect = false;
	q->next_avail = q->next_used = q->n_seen = 0;
	q->signalled_valid = false;
	q->used_flags = 0;
	q->broken = NULL;
	q->host_desc = NULL;
}

static bool map_anew(struct vq *q, uint64_t generation)
{
	struct vm *vm = q->vm;

	q->generation = generation;
	q->host_avail = mem_ptr(vm, q->avail, 6 + 2 * (uint64_t)q->size,
				MEM_READ);
	q->host_used = mem_ptr(vm, q->used, used_len(q), MEM_WRITE);
	q->host_desc = mem_ptr(vm, q->desc, DESC_SIZE * (uint64_t)q->size,
			       MEM_READ);
	if (!q->host_avail || !q->host_used)
		q->host_desc = NULL;
	return q->host_desc;
}

/* Find the rings, anew if the memory map has changed. */
static inline bool map_rings(struct vq *q)
{
	uint64_t generation = atomic_load(&q->vm->mem.generation);

	return (q->host_desc && q->generation == generation) ||
		map_anew(q, generation);
}

int vq_enable(struct vq *q)
{
	if (q->desc % 16 || q->avail % 2 || q->used % 4)
		q->broken = "a ring is misaligned";
	else if (!map_rings(q))
		q->broken = "a ring is not in memory";
	q->enabled = true;
	return q->broken ? -EINVAL : 0;
}

static bool runs(struct vq *q)
{
	return q->enabled && q->live && !q->broken;
}

static bool add_piece(struct vq_chain *c, uint8_t *p, uint64_t len, bool in)
{
	unsigned n = c->n_out + c->n_in;

	if (in ? c->n_in : c->n_out) {
		struct iovec *last = &c->iov[n - 1];

		if ((uint8_t *)last->iov_base + last->iov_len == p) {
			last->iov_len += len;
			return true;
		}
	}
	if (n == VQ_MAX_IOV)
		return false;
	c->iov[n] = (struct iovec){ p, len };
	c->n_in += in;
	c->n_out += !in;
	return true;
}

/* A buffer that is not in the main memory, or not all of it. */
static const char *add_elsewhere(struct vq *q, struct vq_chain *c,
				 uint64_t gpa, uint64_t left, bool in)
{
	while (left) {
		uint64_t n = left;
		uint8_t *p = mem_ptr_some(q->vm, gpa, &n,
					  in ? MEM_WRITE : MEM_READ);

		if (!p)
			return "a buffer is not in memory";
		if (!add_piece(c, p, n, in))
			return "a request has too many pieces";
		gpa += n;
		left -= n;
	}
	return NULL;
}

/* Append one buffer to the request; NULL, or which rule it breaks. */
static const char *add_buffer(struct vq *q, struct vq_chain *c,
			      const struct desc *d)
{
	uint8_t *p = mem_main_ptr(&q->vm->mem, d->addr, d->len);
	bool in = d->flags & DESC_WRITE;
	uint64_t end;

	if (!add_ok(d->addr, d->len, &end))
		return "a buffer wraps around the address space";
	if (c->out_len + c->in_len + d->len > UINT32_MAX)
		return "a request has 4 GiB or more";
	if (in)
		c->in_len += d->len;
	else
		c->out_len += d->len;
	if (!p || !d->len)
		return add_elsewhere(q, c, d->addr, d->len, in);
	return add_piece(c, p, d->len, in) ? NULL :
		"a request has too many pieces";
}

/* Where a chain is being followed: the ring's table, then perhaps another. */
struct walk {
	const uint8_t *table;
	uint32_t n;		/* entries in it */
	uint32_t next;		/* which one */
	unsigned steps;
	bool indirect, writable;
};

static const char *enter_table(struct vq *q, struct walk *w,
			       const struct desc *d)
{
	if (!q->indirect)
		return "an indirect table, which was not negotiated";
	if (w->indirect)
		return "an indirect table within another";
	if (d->flags & DESC_NEXT)
		return "a descriptor behind an indirect table";
	if (!d->len || d->len % DESC_SIZE)
		return "an indirect table's length is no multiple of 16";
	if (d->len / DESC_SIZE > q->max_size)
		return "an indirect table is longer than the queue";
	w->table = mem_main_ptr(&q->vm->mem, d->addr, d->len);
	if (!w->table)
		w->table = mem_ptr(q->vm, d->addr, d->len, MEM_READ);
	if (!w->table)
		return "an indirect table is not in memory";
	w->n = d->len / DESC_SIZE;
	w->next = 0;
	w->indirect = true;
	return NULL;
}

/* Copy the chain that starts at `head`; NULL, or which rule it breaks. */
static const char *follow(struct vq *q, struct vq_chain *c, uint16_t head)
{
	struct walk w = { .table = q->host_desc, .n = q->size, .next = head };
	const char *why = NULL;
	struct desc d;

	do {
		if (w.next >= w.n)
			return "a descriptor's index is too large";
		d = load_desc(w.table + DESC_SIZE * (size_t)w.next);
		w.next = d.next;
		if (d.flags & DESC_INDIRECT) {
			why = enter_table(q, &w, &d);
			d.flags = DESC_NEXT;
			continue;
		}
		/* A loop comes to this.  The descriptor of a table, of which there
		 * is one at most, is none of the chain's: Linux fills a table of
		 * the queue's size.
		 */
		if (++w.steps > q->max_size)
			return "a chain is longer than the queue";
		if (w.writable && !(d.flags & DESC_WRITE))
			return "a readable descriptor behind a writable one";
		w.writable = d.flags & DESC_WRITE;
		why = add_buffer(q, c, &d);
	} while (!why && d.flags & DESC_NEXT);
	return why;
}

static int broken(struct vq *q, const char *why)
{
	q->broken = why;
	return -EPROTO;
}

/* The i-th request behind the next one, as far as its descriptor goes; i must be
 * available.
 */
static bool peek(const struct vq *q, unsigned i, const uint8_t **desc)
{
	uint16_t at = (uint16_t)(q->next_avail + i) & (q->size - 1);
	uint16_t head = load16(q->host_avail + 4 + 2 * (size_t)at);

	*desc = q->host_desc + DESC_SIZE * (size_t)head;
	return head < q->size;
}

/* Where a descriptor points, if that is the main memory; else NULL, which is no
 * error here.
 */
static const uint8_t *target(struct vq *q, const struct desc *d)
{
	return mem_main_ptr(&q->vm->mem, d->addr, DESC_SIZE);
}

/* What will be written, fetched for that: __builtin_prefetch() fetches for reading
 * only, unless the compiler may take the CPU for a newer one.  All that run 64-bit
 * code know the instruction, or take it for none.
 */
static inline void prefetch_to_write(const void *p)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(const uint8_t *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

static uint8_t *next_used_entry(const struct vq *q)
{
	return q->host_used + 4 + 8 * (size_t)(q->next_used & (q->size - 1));
}

/* A request's descriptor, its table and its first bytes lie in three lines that
 * the driver's CPU wrote, and fetching them one after another costs as much as a
 * tenth of a small read.  So they are asked for while those before are served: each
 * pop takes one such step for the requests behind it, of which there are n.
 */
static void look_ahead(struct vq *q, unsigned n)
{
	const uint8_t *desc;
	struct desc d;

	if (n > 2 && peek(q, 2, &desc))
		__builtin_prefetch(desc);
	if (n > 1 && peek(q, 1, &desc)) {
		d = load_desc(desc);
		__builtin_prefetch(target(q, &d));
	}
	if (n > 0 && peek(q, 0, &desc)) {
		d = load_desc(desc);
		desc = d.flags & DESC_INDIRECT ? target(q, &d) : NULL;
		if (!desc)
			return;
		d = load_desc(desc);
		desc = target(q, &d);
		/* Where its status is written too, as a rule. */
		if (desc)
			prefetch_to_write(desc);
	}
}

/* How many requests wait.  The driver's index is only loaded when those that it
 * told last time are used up: each time, its line comes from the driver's CPU.
 */
static int available(struct vq *q)
{
	uint16_t idx;

	if (!q->n_seen) {
		/* What the driver wrote before it moved the index is visible. */
		idx = le16toh(__atomic_load_n((const uint16_t *)avail_idx(q),
					      __ATOMIC_ACQUIRE));
		q->n_seen = (uint16_t)(idx - q->next_avail);
		if (q->n_seen > q->size)
			return broken(q, "the available index jumps");
	}
	return q->n_seen;
}

int vq_pop(struct vq *q, struct vq_chain *c)
{
	const char *why;
	int n;

	if (!runs(q))
		return 0;
	if (!map_rings(q))
		return broken(q, "a ring is not in memory");
	n = available(q);
	if (n <= 0)
		return n;
	if (q->in_flight >= q->size)
		return broken(q, "more requests than the queue has entries");
	c->q = q;
	c->n_out = c->n_in = 0;
	c->out_len = c->in_len = 0;
	c->head = load16(q->host_avail + 4 +
			 2 * (size_t)(q->next_avail & (q->size - 1)));
	why = follow(q, c, c->head);
	if (why)
		return broken(q, why);
	q->next_avail++;
	q->n_seen--;
	q->in_flight++;
	prefetch_to_write(next_used_entry(q));
	prefetch_to_write(q->host_used);
	look_ahead(q, q->n_seen);
	return 1;
}

static void landed(struct vq *q)
{
	if (!--q->in_flight && q->draining)
		pthread_cond_broadcast(&q->drained);
}

void vq_wrote(const struct vq_chain *c)
{
	unsigned i;

	/* Asked once, not for each piece: KVM's CPUs see it by themselves. */
	if (!c->q->vm->accel->mem_wrote)
		return;
	for (i = c->n_out; i < c->n_out + c->n_in; i++)
		mem_wrote(c->q->vm, c->iov[i].iov_base, c->iov[i].iov_len);
}

void vq_push(struct vq *q, const struct vq_chain *c, uint32_t written)
{
	uint8_t *entry;

	vq_wrote(c);
	landed(q);
	if (q->broken || !map_rings(q))
		return;
	entry = next_used_entry(q);
	__atomic_store_n((uint32_t *)entry, htole32(c->head),
			 __ATOMIC_RELAXED);
	__atomic_store_n((uint32_t *)(entry + 4), htole32(written),
			 __ATOMIC_RELAXED);
	q->next_used++;
	mem_wrote(q->vm, q->host_used, used_len(q));
	__atomic_store_n((uint16_t *)(q->host_used + 2),
			 htole16(q->next_used), __ATOMIC_RELEASE);
}

void vq_unpop(struct vq *q, const struct vq_chain *c)
{
	(void)c;
	q->next_avail--;
	q->n_seen++;
	landed(q);
}

/* Has the index passed `event` on its way from `from` to `to`?  (2.7.10) */
static bool passed(uint16_t event, uint16_t to, uint16_t from)
{
	return (uint16_t)(to - event - 1) < (uint16_t)(to - from);
}

bool vq_need_interrupt(struct vq *q)
{
	uint16_t from = q->signalled;
	bool valid = q->signalled_valid;

	if (q->broken || !map_rings(q))
		return false;
	/* Either the driver sees our index when it looks after writing its
	 * event, or we see the event: stores before, loads behind.
	 */
	__sync_synchronize();
	if (!q->event_idx)
		return !(load16(q->host_avail) & AVAIL_NO_INTERRUPT);
	q->signalled = q->next_used;
	q->signalled_valid = true;
	return !valid || passed(load16(used_event(q)), q->next_used, from);
}

static void set_used_flags(struct vq *q, uint16_t flags)
{
	if (q->used_flags == flags)
		return;
	q->used_flags = flags;
	mem_wrote(q->vm, q->host_used, 2);
	store16(q->host_used, flags);
}

bool vq_arm(struct vq *q)
{
	if (!runs(q) || !map_rings(q))
		return false;
	if (q->event_idx) {
		mem_wrote(q->vm, avail_event(q), 2);
		store16(avail_event(q), q->next_avail);
	} else {
		set_used_flags(q, 0);
	}
	/* As above: the driver moves its index, then looks whether to notify. */
	__sync_synchronize();
	return load16(avail_idx(q)) != q->next_avail;
}

void vq_disarm(struct vq *q)
{
	/* With event indexes it notifies once, and not again until armed. */
	if (runs(q) && !q->event_idx && map_rings(q))
		set_used_flags(q, USED_NO_NOTIFY);
}

void vq_drain(struct vq *q)
{
	q->draining++;
	while (q->in_flight)
		pthread_cond_wait(&q->drained, &q->lock);
	q->draining--;
}
