/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state_load.c - read the state of all devices, trusting nothing in it.  See
 * state.h.
 *
 * How deep objects lie in each other, and how many elements there are, is what
 * our own tables say: whatever differs is refused before it is followed.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "vmm/state.h"
#include "vmm/vm.h"

struct loaded_timer {
	struct vm_timer *timer;
	uint32_t place;		/* 0: not armed */
	uint64_t when;
};

struct reader {
	struct vm *vm;
	const uint8_t *p, *end;
	struct loaded_timer *timers;
	size_t n_timers, timers_cap;
	struct err *e;
};

static int get(struct reader *r, const uint8_t **out, uint64_t n)
{
	if (n > (uint64_t)(r->end - r->p))
		return fail(r->e, EINVAL, "the state ends in the middle");
	*out = r->p;
	r->p += n;
	return 0;
}

static int get_number(struct reader *r, uint64_t *out, size_t size)
{
	uint8_t le[8] = { 0 };
	const uint8_t *p = NULL;
	int rc = get(r, &p, size);

	if (rc)
		return rc;
	memcpy(le, p, size);
	*out = get_le64(le);
	return 0;
}

struct name {
	const char *p;		/* not terminated */
	int len;
};

static int get_name(struct reader *r, struct name *name)
{
	uint64_t len = 0;
	const uint8_t *p = NULL;
	int rc = get_number(r, &len, 1);

	if (!rc)
		rc = get(r, &p, len);
	if (rc)
		return rc;
	*name = (struct name){ (const char *)p, (int)len };
	return 0;
}

static bool is_name(const struct name *name, const char *s)
{
	return strlen(s) == (size_t)name->len &&
		!memcmp(s, name->p, (size_t)name->len);
}

static void store_number(uint8_t *p, size_t size, uint64_t value)
{
	uint16_t n16 = (uint16_t)value;
	uint32_t n32 = (uint32_t)value;

	switch (size) {
	case 1:
		*p = (uint8_t)value;
		break;
	case 2:
		memcpy(p, &n16, sizeof(n16));
		break;
	case 4:
		memcpy(p, &n32, sizeof(n32));
		break;
	default:
		memcpy(p, &value, sizeof(value));
	}
}

/* `size` is how many bytes the number has in the state: any that holds it. */
static int load_number(struct reader *r, const struct state_field *f,
		       size_t size, uint8_t *at)
{
	bool is_bool = f->kind == STATE_KIND_BOOL;
	uint64_t max = f->max, value = 0;
	int rc = get_number(r, &value, size);

	if (rc)
		return rc;
	if (!max)
		max = is_bool ? 1 : UINT64_MAX >> (64 - 8 * f->size);
	if (value > max)
		return fail(r->e, EINVAL, "%s is %llu, must be at most %llu",
			    f->name, (unsigned long long)value,
			    (unsigned long long)max);
	if (f->same && value != state_number(at, f->size))
		return fail(r->e, EINVAL, "%s is %llu, and %llu in this "
			    "machine", f->name, (unsigned long long)value,
			    (unsigned long long)state_number(at, f->size));
	store_number(at, f->size, value);
	return 0;
}

static int load_timer(struct reader *r, uint8_t *at)
{
	uint64_t place = 0, when = 0;
	int rc = get_number(r, &place, 4);

	if (!rc)
		rc = get_number(r, &when, 8);
	if (!rc)
		rc = array_grow(&r->timers, &r->timers_cap, r->n_timers + 1,
				sizeof(*r->timers));
	if (rc)
		return rc;
	r->timers[r->n_timers++] = (struct loaded_timer){
		(struct vm_timer *)(void *)at, (uint32_t)place, when
	};
	return 0;
}

static int load_object(struct reader *r, const struct state_table *table,
		       void *obj);

static int load_elements(struct reader *r, const struct state_field *f,
			 uint64_t n, uint64_t size, uint8_t *at)
{
	int rc = 0;

	for (uint64_t i = 0; i < n && !rc; i++, at += f->size) {
		switch (f->kind) {
		case STATE_KIND_NUMBER:
		case STATE_KIND_BOOL:
			rc = load_number(r, f, size, at);
			break;
		case STATE_KIND_TIMER:
			rc = load_timer(r, at);
			break;
		case STATE_KIND_OBJECT:
			rc = load_object(r, f->table, at);
			break;
		}
	}
	return rc;
}

/* What follows the field's name. */
static int load_field(struct reader *r, const struct state_field *f, void *obj)
{
	const struct state_table *table = NULL;
	void *elsewhere = f->find ? f->find(obj, &table) : NULL;
	uint64_t want = f->find ? elsewhere != NULL : state_count(f, obj);
	uint64_t kind = 0, size = 0, n = 0;
	int rc = get_number(r, &kind, 1);

	if (!rc)
		rc = get_number(r, &size, 1);
	if (!rc)
		rc = get_number(r, &n, 4);
	if (rc)
		return rc;
	if (f->kind == STATE_KIND_BOOL)
		size = size ? 0xff : 1;
	else if (f->kind != STATE_KIND_NUMBER)
		size = size ? 0xff : 8;
	if (kind != f->kind || size > 8 || !is_pow2(size))
		return fail(r->e, EINVAL, "%s is of another kind", f->name);
	if (n != want)
		return fail(r->e, EINVAL, "%s has %llu elements, must be %llu",
			    f->name, (unsigned long long)n,
			    (unsigned long long)want);
	if (!f->find)
		return load_elements(r, f, n, size, state_elements(f, obj));
	return elsewhere ? load_object(r, table, elsewhere) : 0;
}

static int find_field(struct reader *r, const struct state_table *table,
		      uint64_t version, uint64_t *seen, unsigned *i)
{
	struct name name = { NULL, 0 };
	int rc = get_name(r, &name);

	if (rc)
		return rc;
	for (*i = 0; *i < table->n_fields; ++*i)
		if (is_name(&name, table->fields[*i].name) &&
		    table->fields[*i].since <= version)
			break;
	if (*i == table->n_fields)
		return fail(r->e, EINVAL, "version %llu has no field \"%.*s\"",
			    (unsigned long long)version, name.len, name.p);
	if (*seen & 1ull << *i)
		return fail(r->e, EINVAL, "the field %s is there twice",
			    table->fields[*i].name);
	*seen |= 1ull << *i;
	return 0;
}

static int load_object(struct reader *r, const struct state_table *table,
		       void *obj)
{
	uint64_t version = 0, n = 0, seen = 0;
	int rc = table->prepare ? table->prepare(obj) : 0;
	unsigned at = 0;

	if (rc)
		return fail_rc(r->e, rc, "the state");
	rc = get_number(r, &version, 2);
	if (!rc)
		rc = get_number(r, &n, 2);
	if (rc)
		return rc;
	if (!version || version > table->version)
		return fail(r->e, EINVAL, "version %llu, must be 1 to %u",
			    (unsigned long long)version, table->version);
	for (uint64_t i = 0; i < n && !rc; i++) {
		rc = find_field(r, table, version, &seen, &at);
		if (!rc)
			rc = load_field(r, &table->fields[at], obj);
	}
	for (unsigned i = 0; i < table->n_fields && !rc; i++)
		if (!(seen & 1ull << i) && table->fields[i].since <= version)
			rc = fail(r->e, EINVAL, "the field %s is missing",
				  table->fields[i].name);
	return rc;
}

/* Devices that were filled have a mark: one by their place in vm->devices. */
static struct device *find_device(struct vm *vm, const struct name *name,
				  bool *marks)
{
	struct device *dev;

	for (dev = vm->devices; dev; dev = dev->next, marks++)
		if (!*marks && is_name(name, dev->ops->name)) {
			*marks = true;
			return dev;
		}
	return NULL;
}

/* "the second 16550A", for people. */
static unsigned number_of(struct vm *vm, const struct device *dev)
{
	unsigned n = 1;

	for (struct device *d = vm->devices; d != dev; d = d->next)
		n += !strcmp(d->ops->name, dev->ops->name);
	return n;
}

static int load_device(struct reader *r, bool *marks)
{
	struct device *dev;
	struct name name = { NULL, 0 };
	int rc = get_name(r, &name);

	if (rc)
		return rc;
	dev = find_device(r->vm, &name, marks);
	if (!dev)
		return fail(r->e, EINVAL, "the state has a device \"%.*s\", "
			    "which this machine has not", name.len, name.p);
	if (!dev->ops->state)
		return fail(r->e, ENOTSUP, "%s: its state cannot be loaded",
			    dev->ops->name);
	rc = load_object(r, dev->ops->state, dev);
	return rc ? fail_prefix(r->e, rc, "the state of %s %u", dev->ops->name,
				number_of(r->vm, dev)) : 0;
}

static int load_devices(struct reader *r, bool *marks)
{
	struct device *dev;
	uint64_t n = 0;
	int rc = get_number(r, &n, 4);

	for (uint64_t i = 0; i < n && !rc; i++)
		rc = load_device(r, marks);
	if (rc)
		return rc;
	for (dev = r->vm->devices; dev; dev = dev->next, marks++)
		if (!*marks)
			return fail(r->e, EINVAL, "the state has no %s %u, "
				    "which this machine has", dev->ops->name,
				    number_of(r->vm, dev));
	return r->p == r->end ? 0 :
		fail(r->e, EINVAL, "something follows the state");
}

static int load_all(struct reader *r)
{
	const struct device *dev;
	const uint8_t *magic = NULL;
	bool *marks;
	uint64_t n = 0;
	int rc = get(r, &magic, strlen(STATE_MAGIC));

	if (rc || memcmp(magic, STATE_MAGIC, strlen(STATE_MAGIC)))
		return fail(r->e, EINVAL, "this is not the state of a machine");
	rc = load_object(r, &state_machine, r->vm);
	if (rc)
		return fail_prefix(r->e, rc, "the state of the machine");
	for (dev = r->vm->devices; dev; dev = dev->next)
		n++;
	marks = array_alloc(n + 1, sizeof(*marks));
	if (!marks)
		return fail_rc(r->e, -ENOMEM, "the state");
	rc = load_devices(r, marks);
	free(marks);
	return rc;
}

/* Call the hooks, inner objects' first. */
static int finish(const struct state_table *table, void *obj, struct err *e)
{
	int rc = 0;

	for (unsigned i = 0; i < table->n_fields && !rc; i++) {
		const struct state_field *f = &table->fields[i];
		const struct state_table *inner = f->table;
		void *elsewhere;

		if (f->kind != STATE_KIND_OBJECT)
			continue;
		if (f->find) {
			elsewhere = f->find(obj, &inner);
			rc = elsewhere ? finish(inner, elsewhere, e) : 0;
			continue;
		}
		for (size_t n = 0; n < state_count(f, obj) && !rc; n++)
			rc = finish(inner, state_elements(f, obj) + n * f->size,
				    e);
	}
	if (!rc && table->loaded)
		rc = table->loaded(obj, e);
	return rc;
}

static int finish_all(struct vm *vm, struct err *e)
{
	struct device *dev;
	int rc = 0;

	for (dev = vm->devices; dev && !rc; dev = dev->next) {
		rc = finish(dev->ops->state, dev, e);
		if (rc)
			fail_prefix(e, rc, "the state of %s %u",
				    dev->ops->name, number_of(vm, dev));
	}
	return rc;
}

static int by_place(const void *a, const void *b)
{
	const struct loaded_timer *x = a, *y = b;

	return (x->place > y->place) - (x->place < y->place);
}

/* Timers due at the same time fire in the order they were armed. */
static void arm_timers(struct reader *r)
{
	if (r->n_timers)
		qsort(r->timers, r->n_timers, sizeof(*r->timers), by_place);
	for (size_t i = 0; i < r->n_timers; i++) {
		struct loaded_timer *t = &r->timers[i];

		vm_timer_cancel(t->timer);
		if (t->place)
			vm_timer_arm(t->timer, t->when);
	}
}

int state_load(struct vm *vm, const void *data, size_t len, struct err *e)
{
	struct err nobody;
	struct reader r = {
		.vm = vm, .p = data, .end = (const uint8_t *)data + len,
		.e = e ? e : &nobody,
	};
	struct device *dev;
	int rc;

	if (vm->devices_run || atomic_load(&vm->clock.running))
		return fail(e, EBUSY, "the machine runs: no state can be "
			    "loaded");
	vm_lock(vm);
	for (dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->reset)
			dev->ops->reset(dev);
	mem_reset(vm);
	rc = load_all(&r);
	if (!rc)
		rc = finish_all(vm, r.e);
	if (!rc)
		arm_timers(&r);
	vm_unlock(vm);
	free(r.timers);
	return rc;
}
