/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bus.c - find who answers an access, and split it as the answer needs.  See
 * bus.h.
 *
 * The regions that are on are flattened into a sorted array of segments, each
 * with one owner, whenever one changes; an access is a binary search.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vm.h"

static bool covers(const struct region *r, uint64_t addr)
{
	return r->on && addr >= r->base && addr - r->base < r->len;
}

static const struct region *owner(const struct region *list, uint64_t addr)
{
	while (list && !covers(list, addr))
		list = list->next;
	return list;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Between two neighbouring edges of regions the owner does not change. */
static void flatten(struct bus *bus)
{
	const struct region *r;
	size_t n = 0, i;

	for (r = bus->regions; r; r = r->next) {
		if (!r->on)
			continue;
		bus->edges[n++] = r->base;
		bus->edges[n++] = r->base + (r->len - 1);
	}
	/* A region's last byte and the one behind it are both edges, so that
	 * no sum wraps at the end of the space.
	 */
	for (i = n; i-- > 0;) {
		if (bus->edges[i] != UINT64_MAX)
			bus->edges[n++] = bus->edges[i] + 1;
	}
	qsort(bus->edges, n, sizeof(bus->edges[0]), by_address);
	bus->n_segments = 0;
	for (i = 0; i < n; i++) {
		struct bus_segment *s = &bus->segments[bus->n_segments];

		if (i && bus->edges[i] == bus->edges[i - 1])
			continue;
		r = owner(bus->regions, bus->edges[i]);
		if (bus->n_segments && s[-1].region == r)
			continue;
		s->start = bus->edges[i];
		s->region = r;
		bus->n_segments++;
	}
}

void bus_add(struct vm *vm, struct region *region, struct device *dev,
	     const struct region_ops *ops, enum bus_space space, uint64_t base,
	     uint64_t len)
{
	struct bus *bus = &vm->bus[space];
	struct region **last = &bus->regions;

	assert(bus->n_regions < BUS_MAX_REGIONS);
	*region = (struct region){
		.dev = dev, .ops = ops, .space = space, .base = base,
		.len = len, .on = true,
	};
	pthread_mutex_lock(&vm->bus_lock);
	while (*last)
		last = &(*last)->next;
	*last = region;
	bus->n_regions++;
	flatten(bus);
	pthread_mutex_unlock(&vm->bus_lock);
}

void bus_move(struct vm *vm, struct region *region, uint64_t base, bool on)
{
	pthread_mutex_lock(&vm->bus_lock);
	if (base > UINT64_MAX - (region->len - 1))
		on = false;		/* would wrap around the space */
	if (region->base != base || region->on != on) {
		region->base = base;
		region->on = on;
		flatten(&vm->bus[region->space]);
	}
	pthread_mutex_unlock(&vm->bus_lock);
}

/* One access, as wide as its owner takes. */
struct part {
	const struct region_ops *ops;	/* NULL: nobody */
	struct device *dev;
	uint64_t offset;
	unsigned size;
};

static void find(struct vm *vm, enum bus_space space, uint64_t addr,
		 unsigned size, struct part *part)
{
	struct bus *bus = &vm->bus[space];
	const struct region *r = NULL;
	size_t low = 0, high;

	*part = (struct part){ .size = 1 };
	pthread_mutex_lock(&vm->bus_lock);
	high = bus->n_segments;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (bus->segments[mid].start <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low)
		r = bus->segments[low - 1].region;
	if (r) {
		part->ops = r->ops;
		part->dev = r->dev;
		part->offset = addr - r->base;
		if (size <= r->len - part->offset)
			part->size = size < r->ops->max_size ? size :
				r->ops->max_size;
	}
	pthread_mutex_unlock(&vm->bus_lock);
	while (part->size & (part->size - 1))
		part->size &= part->size - 1;
}

static void lock_for(const struct part *part, struct vm *vm)
{
	if (!(part->ops->flags & REGION_UNLOCKED))
		vm_lock(vm);
}

static void unlock_for(const struct part *part, struct vm *vm)
{
	if (!(part->ops->flags & REGION_UNLOCKED))
		vm_unlock(vm);
}

static uint64_t ones(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static uint64_t wrap(enum bus_space space, uint64_t addr)
{
	return space == BUS_PIO ? addr & 0xffff : addr;
}

uint64_t bus_read(struct vm *vm, enum bus_space space, uint64_t addr,
		  unsigned size)
{
	uint64_t value = 0;
	unsigned done;
	struct part part;

	for (done = 0; done < size; done += part.size) {
		uint64_t at = wrap(space, addr + done), n = size - done, bits;
		const void *p = space == BUS_PIO ? NULL :
			mem_ptr_some(vm, at, &n, MEM_READ);

		if (p) {
			bits = 0;
			memcpy(&bits, p, n);
			part.size = (unsigned)n;
		} else {
			find(vm, space, at, size - done, &part);
			bits = ones(part.size);
			if (part.ops && part.ops->read) {
				lock_for(&part, vm);
				bits &= part.ops->read(part.dev, part.offset,
						       part.size);
				unlock_for(&part, vm);
			}
		}
		value |= bits << (8 * done);
	}
	return value;
}

void bus_write(struct vm *vm, enum bus_space space, uint64_t addr,
	       unsigned size, uint64_t value)
{
	unsigned done;
	struct part part;

	for (done = 0; done < size; done += part.size) {
		uint64_t at = wrap(space, addr + done), n = size - done;
		uint64_t bits = value >> (8 * done);
		void *p = space == BUS_PIO ? NULL :
			mem_ptr_some(vm, at, &n, MEM_WRITE);

		if (p) {
			memcpy(p, &bits, n);
			mem_wrote(vm, p, n);
			part.size = (unsigned)n;
			continue;
		}
		find(vm, space, at, size - done, &part);
		if (part.ops && part.ops->write) {
			lock_for(&part, vm);
			part.ops->write(part.dev, part.offset, part.size,
					bits & ones(part.size));
			unlock_for(&part, vm);
		}
	}
}
