/* SPDX-License-Identifier: GPL-2.0-or-later */
/* breaks.c - breakpoints of the GDB server.
 *
 * The CPU's debug registers (SDM volume 3, 17.2) are the better means, for the
 * guest's memory stays as it is and need not be there yet: also software
 * breakpoints get those that no other kind wants.  For the rest an INT3 is planted
 * in memory, but only while the machine runs.
 */
#include <errno.h>
#include <string.h>

#include "vmm/gdb/session.h"
#include "vmm/walk.h"

#define INT3		0xccu
#define DR7_FIXED	0x400u

static struct gdb_break *find(struct gdb_session *s, enum gdb_kind kind,
			      uint64_t addr, unsigned len)
{
	for (unsigned i = 0; i < s->n_breaks; i++) {
		struct gdb_break *b = &s->breaks[i];

		if (b->kind == kind && b->addr == addr && b->len == len)
			return b;
	}
	return NULL;
}

/* Which breakpoint gets which debug register; those of software come last. */
static void assign(struct gdb_session *s)
{
	unsigned used = 0, i;

	for (i = 0; i < s->n_breaks; i++)
		if (s->breaks[i].kind != GDB_SOFTWARE)
			s->breaks[i].slot = (int)used++;
	for (i = 0; i < s->n_breaks; i++)
		if (s->breaks[i].kind == GDB_SOFTWARE)
			s->breaks[i].slot = used < GDB_SLOTS ? (int)used++ : -1;
}

static bool place(struct gdb_session *s, struct gdb_break *b)
{
	struct cpu_state state;
	uint64_t left;
	uint8_t byte;

	return !s->vm->accel->get_state(&s->vm->vcpus[s->cpu], &state) &&
		walk(s->vm, &state, b->addr, &b->gpa, &left) &&
		!mem_read(s->vm, b->gpa, &byte, 1);
}

static int check(enum gdb_kind kind, uint64_t addr, unsigned len)
{
	if (kind == GDB_SOFTWARE || kind == GDB_HARDWARE)
		return 0;
	return (len == 1 || len == 2 || len == 4 || len == 8) &&
		!(addr & (len - 1)) ? 0 : -EINVAL;
}

int gdb_break_add(struct gdb_session *s, enum gdb_kind kind, uint64_t addr,
		  unsigned len)
{
	int rc = check(kind, addr, len);
	unsigned hardware = kind != GDB_SOFTWARE;
	struct gdb_break *b;

	if (rc || find(s, kind, addr, len))
		return rc;
	for (unsigned i = 0; i < s->n_breaks; i++)
		hardware += s->breaks[i].kind != GDB_SOFTWARE;
	if (s->n_breaks == GDB_BREAKS || hardware > GDB_SLOTS)
		return -ENOSPC;
	b = &s->breaks[s->n_breaks++];
	*b = (struct gdb_break){ .kind = kind, .addr = addr, .len = len };
	assign(s);
	if (b->slot < 0 && !place(s, b)) {
		s->n_breaks--;
		return -EFAULT;
	}
	return 0;
}

void gdb_break_remove(struct gdb_session *s, enum gdb_kind kind, uint64_t addr,
		      unsigned len)
{
	struct gdb_break *b = find(s, kind, addr, len);

	if (!b)
		return;
	s->n_breaks--;
	memmove(b, b + 1, (size_t)(&s->breaks[s->n_breaks] - b) * sizeof(*b));
	assign(s);
}

/* RW and LEN of DR7, and an enable bit: SDM volume 3, figure 17-1. */
static uint64_t dr7_of(const struct gdb_break *b)
{
	static const uint8_t rw[] = {
		[GDB_SOFTWARE] = 0, [GDB_HARDWARE] = 0, [GDB_WRITE] = 1,
		/* There is none for reads alone. */
		[GDB_READ] = 3, [GDB_ACCESS] = 3,
	};
	unsigned len = b->len == 8 ? 2 : b->len - 1;

	if (!rw[b->kind])
		len = 0;
	return 1ull << 2 * b->slot |
	       (uint64_t)(rw[b->kind] | len << 2) << (16 + 4 * b->slot);
}

static void plant(struct gdb_session *s, struct gdb_break *b)
{
	static const uint8_t int3 = INT3;

	b->planted = !mem_read(s->vm, b->gpa, &b->byte, 1) &&
		     !mem_write(s->vm, b->gpa, &int3, 1);
}

void gdb_breaks_arm(struct gdb_session *s)
{
	uint64_t dr[GDB_SLOTS] = { 0 }, dr7 = 0;
	unsigned i;

	for (i = 0; i < s->n_breaks; i++) {
		struct gdb_break *b = &s->breaks[i];

		if (b->slot < 0) {
			if (place(s, b))
				plant(s, b);
			continue;
		}
		dr[b->slot] = b->addr;
		dr7 |= dr7_of(b) | DR7_FIXED;
	}
	for (i = 0; i < s->vm->config.topology.cpus; i++) {
		memcpy(s->vm->vcpus[i].debug.dr, dr, sizeof(dr));
		s->vm->vcpus[i].debug.dr7 = dr7;
	}
}

void gdb_breaks_disarm(struct gdb_session *s)
{
	for (unsigned i = 0; i < s->n_breaks; i++) {
		struct gdb_break *b = &s->breaks[i];
		uint8_t now;

		/* What the guest has written there meanwhile stays. */
		if (b->planted && !mem_read(s->vm, b->gpa, &now, 1) &&
		    now == INT3)
			mem_write(s->vm, b->gpa, &b->byte, 1);
		b->planted = false;
	}
}

void gdb_breaks_replant(struct gdb_session *s)
{
	for (unsigned i = 0; i < s->n_breaks; i++) {
		struct gdb_break *b = &s->breaks[i];
		uint8_t now;

		if (b->planted && !mem_read(s->vm, b->gpa, &now, 1) &&
		    now != INT3)
			plant(s, b);
	}
}

const struct gdb_break *gdb_break_planted_at(const struct gdb_session *s,
					     uint64_t linear)
{
	for (unsigned i = 0; i < s->n_breaks; i++)
		if (s->breaks[i].planted && s->breaks[i].addr == linear)
			return &s->breaks[i];
	return NULL;
}

const struct gdb_break *gdb_break_of_slot(const struct gdb_session *s, int slot)
{
	for (unsigned i = 0; i < s->n_breaks; i++)
		if (s->breaks[i].slot == slot)
			return &s->breaks[i];
	return NULL;
}
