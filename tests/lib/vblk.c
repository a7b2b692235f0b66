/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vblk.c - requests of virtio-blk, cut into descriptors in any way. */
#include "tests/lib/vblk.h"

#include <string.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/fault.h"
#include "tests/check.h"

void vblk_init(struct vblk *b, struct vdev *d, unsigned queue,
	       uint64_t random, unsigned max_pieces)
{
	memset(b, 0, sizeof(*b));
	b->d = d;
	b->queue = queue;
	b->memory = VRING_DATA + (uint64_t)queue * VBLK_SLOTS * VBLK_SLOT_LEN;
	b->random = random;
	b->max_pieces = max_pieces;
}

static uint8_t *host(struct vblk *b, uint64_t gpa, uint64_t len)
{
	uint8_t *p = mem_ptr(b->d->vm, gpa, len, MEM_READ | MEM_WRITE);

	CHECK(p);
	return p;
}

/* Append pieces of `len` bytes in all, with a gap behind each, at *gpa. */
static void cut(struct vblk *b, struct vblk_slot *s, uint64_t *gpa, size_t len,
		bool in, unsigned pieces)
{
	while (len) {
		size_t n = len;

		if (pieces > 1 && len > 1 && s->n + 3 < VBLK_MAX_PIECES) {
			n = 1 + (size_t)(fault_random(&b->random) %
					 (2 * (len / pieces) + 1));
			n = (size_t)min_u64(n, len);
			pieces--;
		}
		s->bufs[s->n++] = (struct vbuf){ *gpa, (uint32_t)n, in };
		*gpa += n + (b->max_pieces ? 1 + *gpa % 3 : 0);
		len -= n;
	}
}

/* Copy between `data` and the pieces from byte `from` of that direction on. */
static void copy(struct vblk *b, struct vblk_slot *s, bool in, size_t from,
		 uint8_t *data, size_t len, bool to_guest)
{
	for (unsigned i = 0; i < s->n && len; i++) {
		size_t n = s->bufs[i].len;
		uint8_t *p;

		if (s->bufs[i].in != in)
			continue;
		if (from >= n) {
			from -= n;
			continue;
		}
		n = (size_t)min_u64(n - from, len);
		p = host(b, s->bufs[i].gpa + from, n);
		memcpy(to_guest ? p : data, to_guest ? data : p, n);
		data += n;
		len -= n;
		from = 0;
	}
	CHECK_EQ(len, 0);
}

static int free_slot(const struct vblk *b)
{
	for (int i = 0; i < (int)VBLK_SLOTS; i++) {
		if (!b->slots[i].busy)
			return i;
	}
	return -1;
}

int vblk_submit(struct vblk *b, uint32_t type, uint64_t sector,
		const void *data, size_t len)
{
	bool in = type == VBLK_IN || type == VBLK_GET_ID;
	unsigned pieces = 1;
	uint8_t header[16], status = 0xff;
	struct vblk_slot *s;
	uint64_t gpa;
	int i = free_slot(b);

	CHECK(len <= VBLK_MAX_LEN);
	if (i < 0)
		return -1;
	s = &b->slots[i];
	*s = (struct vblk_slot){ .type = type, .sector = sector, .len = len };
	gpa = b->memory + (uint64_t)i * VBLK_SLOT_LEN;
	if (b->max_pieces)
		pieces = 1 + (unsigned)(fault_random(&b->random) %
					b->max_pieces);
	put_le32(header, type);
	put_le32(header + 4, 0);
	put_le64(header + 8, sector);
	if (b->max_pieces && !in) {
		cut(b, s, &gpa, 16 + len, false, pieces);
		cut(b, s, &gpa, 1, true, 1);
	} else if (b->max_pieces) {
		cut(b, s, &gpa, 16, false, 1 + pieces % 3);
		cut(b, s, &gpa, len + 1, true, pieces);
	} else {
		cut(b, s, &gpa, 16, false, 1);
		gpa += 4080;
		cut(b, s, &gpa, len, in, 1);
		cut(b, s, &gpa, 1, true, 1);
	}
	copy(b, s, false, 0, header, 16, true);
	if (!in && len)
		copy(b, s, false, 16, (uint8_t *)data, len, true);
	copy(b, s, true, in ? len : 0, &status, 1, true);
	s->head = vring_add(b->d, b->queue, s->bufs, s->n);
	if (s->head < 0)
		return -1;
	s->busy = true;
	vring_kick(b->d, b->queue);
	return i;
}

int vblk_reap(struct vblk *b)
{
	bool any = false;
	uint32_t len;
	int head, i;

	for (i = 0; i < (int)VBLK_SLOTS; i++)
		any = any || b->slots[i].busy;
	if (!any)
		return -1;
	head = vring_wait(b->d, b->queue, &len);
	for (i = 0; !b->slots[i].busy || b->slots[i].head != head; i++)
		CHECK(i + 1 < (int)VBLK_SLOTS);
	b->slots[i].busy = false;
	b->slots[i].used_len = len;
	copy(b, &b->slots[i], true,
	     b->slots[i].type == VBLK_IN || b->slots[i].type == VBLK_GET_ID ?
	     b->slots[i].len : 0, &b->slots[i].status, 1, false);
	return i;
}

void vblk_data(struct vblk *b, unsigned slot, void *data)
{
	copy(b, &b->slots[slot], true, 0, data, b->slots[slot].len, false);
}

uint8_t vblk_do(struct vblk *b, uint32_t type, uint64_t sector, void *data,
		size_t len)
{
	int i = vblk_submit(b, type, sector, data, len);

	CHECK(i >= 0);
	CHECK_EQ(vblk_reap(b), i);
	if (type == VBLK_IN || type == VBLK_GET_ID)
		vblk_data(b, (unsigned)i, data);
	return b->slots[i].status;
}

void vblk_segment(uint8_t out[16], uint64_t sector, uint32_t n, uint32_t flags)
{
	put_le64(out, sector);
	put_le32(out + 8, n);
	put_le32(out + 12, flags);
}
