/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.h - the state of devices as named, versioned fields, which generic code
 * saves and loads.
 *
 * Each device has a table: which members of its struct are what the guest can
 * see the effects of.  What belongs to the host or to how the machine was made
 * (descriptors, pointers, threads, sizes) is in no table, but said to be none of
 * it (STATE_TRANSIENT): state is loaded into a machine that was made the same way.
 *
 * What may change: a field that is added has since = the table's new version,
 * and keeps its value after power-on when an older state is loaded.  A field
 * must never change its meaning or go away without a new name for the table's
 * device.  Fields that are not known, and states of a newer version, are refused.
 *
 * Form, little endian:
 *	state	"vmstate1", object (the machine: clock), count 32, devices
 *	device	name, object; several of a name in the order they were added
 *	object	version 16, count 16, fields
 *	field	name, kind 8, size 8, count 32, elements
 *	name	length 8, bytes
 * Elements: numbers of 1, 2, 4 or 8 bytes (`size`); timers of 12 bytes: place in
 * the order in which they fire 32 (0: not armed), time 64; or objects.
 */
#ifndef VMM_STATE_H
#define VMM_STATE_H

#include "imgfmt/base/base.h"

struct vm;
struct state_table;

enum state_kind {
	STATE_KIND_NUMBER,	/* unsigned, or two's complement; size is in C */
	STATE_KIND_BOOL,
	STATE_KIND_TIMER,	/* struct vm_timer */
	STATE_KIND_OBJECT,
};

struct state_field {
	const char *name;	/* at most 255 bytes, and so are tables' */
	enum state_kind kind;
	unsigned since;		/* version of the table; 0: from the start */
	size_t offset, size;	/* of the first element; of each */
	bool is_pointer;	/* at `offset` is a pointer to the elements */
	size_t count;		/* elements; 0: the unsigned at `count_at` */
	size_t count_at;
	uint64_t max;		/* of a number; 0: any */
	bool same;		/* a number that must be the machine's already */
	const struct state_table *table;	/* of an object */

	/* An object elsewhere, and its table; NULL: there is none.  Instead of
	 * all from offset on.
	 */
	void *(*find)(void *obj, const struct state_table **table);
};

/* `obj` is the struct that the offsets are in.  All hooks hold the machine
 * lock, with no vCPU running and all devices paused.
 */
struct state_table {
	unsigned version;	/* from 1 on */
	unsigned n_fields;	/* at most STATE_MAX_FIELDS */
	const struct state_field *fields;

	/* Before saving, and before loading: settle what is computed lazily,
	 * gather what lies elsewhere.  Optional.  Negative errno.
	 */
	int (*prepare)(void *obj);

	/* All fields of all devices are there: judge them, as they may come
	 * from anybody, and derive what is not saved: where regions lie, who
	 * pulls a line, what the host must do.  Lines keep their level by
	 * themselves, and timers are armed as they were after this.  Inner
	 * objects come before outer ones, devices in the order they were added.
	 * Optional.
	 */
	int (*loaded)(void *obj, struct err *e);
};

#define STATE_MAX_FIELDS 64u

#define STATE_FIELDS(array)						\
	.fields = (array), .n_fields = sizeof(array) / sizeof((array)[0])

/* Behind the member's name: other members of struct state_field. */
#define STATE_MEMBER(type, member, k, ...)				\
	{ .name = #member, .kind = (k),					\
	  .offset = offsetof(type, member), __VA_ARGS__ }
#define STATE_SIZE(type, member) sizeof(((type *)NULL)->member)
#define STATE_ELEMENTS(type, member)					\
	.size = STATE_SIZE(type, member[0]),				\
	.count = STATE_SIZE(type, member) / STATE_SIZE(type, member[0])

#define STATE_NUMBER(type, member, ...)					\
	STATE_MEMBER(type, member, STATE_KIND_NUMBER, .count = 1,	\
		     .size = STATE_SIZE(type, member), ##__VA_ARGS__)
#define STATE_NUMBERS(type, member, ...)				\
	STATE_MEMBER(type, member, STATE_KIND_NUMBER,			\
		     STATE_ELEMENTS(type, member), ##__VA_ARGS__)
/* All of it, whatever it is made of. */
#define STATE_BYTES(type, member, ...)					\
	STATE_MEMBER(type, member, STATE_KIND_NUMBER, .size = 1,	\
		     .count = STATE_SIZE(type, member), ##__VA_ARGS__)
#define STATE_BOOL(type, member, ...)					\
	STATE_MEMBER(type, member, STATE_KIND_BOOL, .count = 1,		\
		     .size = STATE_SIZE(type, member), ##__VA_ARGS__)
#define STATE_BOOLS(type, member, ...)					\
	STATE_MEMBER(type, member, STATE_KIND_BOOL,			\
		     STATE_ELEMENTS(type, member), ##__VA_ARGS__)
#define STATE_TIMER(type, member, ...)					\
	STATE_MEMBER(type, member, STATE_KIND_TIMER, .count = 1,	\
		     .size = STATE_SIZE(type, member), ##__VA_ARGS__)
#define STATE_OBJECT(type, member, t, ...)				\
	STATE_MEMBER(type, member, STATE_KIND_OBJECT, .count = 1,	\
		     .size = STATE_SIZE(type, member), .table = (t),	\
		     ##__VA_ARGS__)
#define STATE_OBJECTS(type, member, t, ...)				\
	STATE_MEMBER(type, member, STATE_KIND_OBJECT,			\
		     STATE_ELEMENTS(type, member), .table = (t),	\
		     ##__VA_ARGS__)

/* Of a struct with a table: which members are not in it, and why that is right.
 * A house test (tests/cli/house-state.sh) asks for each.
 */
#define STATE_TRANSIENT(type, why, ...)					\
	_Static_assert(sizeof(type) != 0, why)

/* A device whose registers all are constants. */
extern const struct state_table state_none;

/* The machine's own, which is no device's. */
extern const struct state_table state_machine;

/* The state of the clock and of all devices; free() *out.  The machine stands
 * still (vm_pause(), or not run yet).  The same state gives the same bytes.
 * -EBUSY: it runs.  -ENOTSUP: a device has no table.
 */
int state_save(struct vm *vm, void **out, size_t *len, struct err *e);

/* Reset all devices and load that into them.  The machine stands still and was
 * made with the same devices.  The bytes may be anybody's.  -EINVAL with a sentence
 * that names device and field: the machine must not be run then, only reset or
 * ended.
 */
int state_load(struct vm *vm, const void *data, size_t len, struct err *e);

/* Private to state_*.c. */

#define STATE_MAGIC	"vmstate1"
#define STATE_TIMER_LEN	12u

uint64_t state_number(const void *p, size_t size);	/* as it is in C */

static inline uint8_t *state_elements(const struct state_field *f, void *obj)
{
	uint8_t *at = (uint8_t *)obj + f->offset;

	return f->is_pointer ? *(uint8_t **)(void *)at : at;
}

static inline size_t state_count(const struct state_field *f, void *obj)
{
	if (f->count)
		return f->count;
	return *(unsigned *)(void *)((uint8_t *)obj + f->count_at);
}

#endif
