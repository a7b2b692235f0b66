/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layout.c - what lies where in the guest's RAM before it starts. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/boot/layout.h"
#include "vmm/mem.h"

void layout_init(struct layout *l, struct vm *vm,
		 const struct boot_machine *machine)
{
	l->vm = vm;
	l->machine = machine;
	l->low_end = LAYOUT_HIGHEST;
	l->n = 0;
}

void layout_low_first(struct layout *l)
{
	l->low_end = LAYOUT_LOWEST;
}

uint64_t layout_ram_end(const struct layout *l, uint64_t gpa)
{
	const struct boot_machine *m = l->machine;
	uint64_t end = gpa;

	for (unsigned i = 0; i < m->n_map; i++)
		if (m->map[i].type == E820_RAM && end >= m->map[i].addr &&
		    end - m->map[i].addr < m->map[i].len)
			end = m->map[i].addr + m->map[i].len;
	return end;
}

static const struct layout_range *find_overlap(const struct layout *l,
					       uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < l->n; i++)
		if (gpa < l->ranges[i].gpa + l->ranges[i].len &&
		    l->ranges[i].gpa < gpa + len)
			return &l->ranges[i];
	return NULL;
}

static int add_range(struct layout *l, uint64_t gpa, uint64_t len,
		     const char *what, struct err *e)
{
	if (l->n == LAYOUT_MAX_RANGES)
		return fail(e, E2BIG, "more than %u parts to load",
			    LAYOUT_MAX_RANGES);
	l->ranges[l->n++] = (struct layout_range){ gpa, len, what };
	return 0;
}

static int not_ram(const struct layout *l, uint64_t gpa, uint64_t len,
		   const char *what, struct err *e)
{
	uint64_t end = layout_ram_end(l, gpa);

	if (end == gpa)
		return fail(e, ENOSPC, "the %s is to be at 0x%" PRIx64 " (0x%"
			    PRIx64 " bytes), where the guest has no RAM; "
			    "perhaps more memory helps", what, gpa, len);
	return fail(e, ENOSPC, "the %s is to be at 0x%" PRIx64 " and takes 0x%"
		    PRIx64 " bytes, but the RAM there ends at 0x%" PRIx64
		    "; perhaps more memory helps", what, gpa, len, end);
}

int layout_take(struct layout *l, uint64_t gpa, uint64_t len, const char *what,
		struct err *e)
{
	const struct layout_range *other;

	if (!len)
		return 0;
	if (len > layout_ram_end(l, gpa) - gpa)
		return not_ram(l, gpa, len, what, e);
	other = find_overlap(l, gpa, len);
	if (other)
		return fail(e, EUCLEAN, "the %s at 0x%" PRIx64 " (0x%" PRIx64
			    " bytes) overlaps the %s at 0x%" PRIx64 " (0x%"
			    PRIx64 " bytes)", what, gpa, len, other->what,
			    other->gpa, other->len);
	return add_range(l, gpa, len, what, e);
}

/* In [start, end), all of it RAM; false: no room. */
static bool find_lowest(const struct layout *l, uint64_t start, uint64_t end,
			uint64_t len, uint64_t align, uint64_t *gpa)
{
	const struct layout_range *r;

	while (round_up_ok(start, align, &start) &&
	       in_range(start, len, end)) {
		r = find_overlap(l, start, len);
		if (!r) {
			*gpa = start;
			return true;
		}
		start = r->gpa + r->len;
	}
	return false;
}

static bool find_highest(const struct layout *l, uint64_t start, uint64_t end,
			 uint64_t len, uint64_t align, uint64_t *gpa)
{
	const struct layout_range *r;
	uint64_t at;

	while (end >= len) {
		at = round_down(end - len, align);
		if (at < start)
			return false;
		r = find_overlap(l, at, len);
		if (!r) {
			*gpa = at;
			return true;
		}
		end = r->gpa;
	}
	return false;
}

int layout_place(struct layout *l, uint64_t len, uint64_t align, uint64_t min,
		 uint64_t max, enum layout_end end, const char *what,
		 uint64_t *gpa, struct err *e)
{
	const struct boot_machine *m = l->machine;
	bool found = false;

	len = max_u64(len, 1);
	for (unsigned k = 0; k < m->n_map && !found; k++) {
		unsigned i = end == LAYOUT_LOWEST ? k : m->n_map - 1 - k;
		uint64_t from = max_u64(m->map[i].addr, min);
		uint64_t to = min_u64(m->map[i].addr + m->map[i].len, max);

		if (m->map[i].type != E820_RAM || from >= to)
			continue;
		found = end == LAYOUT_LOWEST ?
			find_lowest(l, from, to, len, align, gpa) :
			find_highest(l, from, to, len, align, gpa);
	}
	if (!found)
		return fail(e, ENOSPC, "the %s (0x%" PRIx64 " bytes) finds no "
			    "room between 0x%" PRIx64 " and 0x%" PRIx64
			    " beside the rest; perhaps more memory helps",
			    what, len, min, max);
	return add_range(l, *gpa, len, what, e);
}

int layout_put_low(struct layout *l, const void *data, uint64_t len,
		   uint64_t align, const char *what, uint64_t *gpa,
		   struct err *e)
{
	uint64_t start = l->low_end == LAYOUT_LOWEST ? LAYOUT_LOW_FIRST :
						       LAYOUT_LOW_START;
	int rc = layout_place(l, len, align, start, LAYOUT_LOW_END,
			      l->low_end, what, gpa, e);

	if (!rc && mem_write(l->vm, *gpa, data, len))
		rc = fail(e, EFAULT, "the %s at 0x%" PRIx64 " is not in RAM",
			  what, *gpa);
	return rc;
}

static int clear(struct vm *vm, uint64_t gpa, uint64_t len, struct err *e)
{
	uint64_t part;
	void *host;

	for (; len; len -= part) {
		part = len;
		host = mem_ptr_some(vm, gpa, &part, MEM_WRITE);
		if (!host)
			return fail(e, EFAULT, "0x%" PRIx64 " is not RAM of "
				    "the guest", gpa);
		memset(host, 0, part);
		mem_wrote(vm, host, part);
		gpa += part;
	}
	return 0;
}

int layout_zero(struct layout *l, uint64_t gpa, uint64_t len, struct err *e)
{
	uint64_t first = round_up(gpa, MEM_PAGE);
	uint64_t last = round_down(gpa + len, MEM_PAGE);
	int rc;

	if (first >= last || mem_release(l->vm, first, last - first))
		return clear(l->vm, gpa, len, e);
	rc = clear(l->vm, gpa, first - gpa, e);
	return rc ? rc : clear(l->vm, last, gpa + len - last, e);
}
