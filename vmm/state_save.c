/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state_save.c - write the state of all devices.  See state.h. */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "vmm/state.h"
#include "vmm/vm.h"

/* The clock cannot be further: it could not go on without an overflow. */
#define NOW_MAX (1ull << 62)

static const struct state_field machine_fields[] = {
	STATE_NUMBER(struct vm, clock.now, .max = NOW_MAX),
	STATE_NUMBER(struct vm, clock.epoch),
	STATE_NUMBER(struct vm, random.state),
};

STATE_TRANSIENT(struct vm, "how the machine was made",
		config, accel, accel_state, accel_ready, vcpus, mem, bus_lock,
		bus, irq_lock, devices, last_device);
STATE_TRANSIENT(struct vm, "devices, saved as such",
		pic, ioapic, pci, fwcfg, acpi, balloon, vga, kbd,
		n_serials, n_mmio);
STATE_TRANSIENT(struct vm, "what boots was loaded, and is in memory", boot);
STATE_TRANSIENT(struct vm, "of this process", loop, wake_fd, debugger, from_disk,
		first_pages, pages_noted);
STATE_TRANSIENT(struct vm, "it stands still",
		lock, changed, state, holding, paused, stop, pauses_lock,
		pauses, pause_lock, devices_run, live);
STATE_TRANSIENT(struct vm, "it has not ended, and nobody asks that it does",
		request, result, error, error_rc);
STATE_TRANSIENT(struct vm_clock, "how the machine was made", lock, is_virtual,
		fd);
STATE_TRANSIENT(struct vm_clock, "it stands still", running, host_start);
STATE_TRANSIENT(struct vm_clock, "the devices' timers, armed again", first);

const struct state_table state_machine = {
	.version = 1, STATE_FIELDS(machine_fields),
};

const struct state_table state_none = { .version = 1 };

/* A timer that was written, and where. */
struct saved_timer {
	const struct vm_timer *timer;
	size_t at;
};

struct writer {
	struct vm *vm;
	uint8_t *buf;
	size_t len, cap;
	struct saved_timer *timers;
	size_t n_timers, timers_cap;
	int rc;			/* the first error; nothing is written after */
};

static void put(struct writer *w, const void *p, size_t n)
{
	if (!w->rc)
		w->rc = array_grow(&w->buf, &w->cap, w->len + n, 1);
	if (w->rc || !n)
		return;
	memcpy(w->buf + w->len, p, n);
	w->len += n;
}

static void put_number(struct writer *w, uint64_t value, size_t size)
{
	uint8_t le[8];

	put_le64(le, value);
	put(w, le, size);
}

static void put_name(struct writer *w, const char *name)
{
	size_t len = strlen(name);

	put_number(w, len, 1);
	put(w, name, len);
}

uint64_t state_number(const void *p, size_t size)
{
	uint16_t n16;
	uint32_t n32;
	uint64_t n64;

	switch (size) {
	case 1:
		return *(const uint8_t *)p;
	case 2:
		memcpy(&n16, p, sizeof(n16));
		return n16;
	case 4:
		memcpy(&n32, p, sizeof(n32));
		return n32;
	default:
		memcpy(&n64, p, sizeof(n64));
		return n64;
	}
}

/* Its place is known when all timers are. */
static void put_timer(struct writer *w, const struct vm_timer *timer)
{
	int rc = array_grow(&w->timers, &w->timers_cap, w->n_timers + 1,
			    sizeof(*w->timers));

	if (rc && !w->rc)
		w->rc = rc;
	if (w->rc)
		return;
	w->timers[w->n_timers++] = (struct saved_timer){ timer, w->len };
	put_number(w, 0, 4);
	put_number(w, timer->armed ? timer->when : 0, 8);
}

static void put_places(struct writer *w)
{
	struct vm_clock *clock = &w->vm->clock;
	const struct vm_timer *timer;
	uint32_t place = 0;

	pthread_mutex_lock(&clock->lock);
	for (timer = clock->first; timer; timer = timer->next)
		for (size_t i = 0; i < w->n_timers; i++)
			if (w->timers[i].timer == timer)
				put_le32(w->buf + w->timers[i].at, ++place);
	pthread_mutex_unlock(&clock->lock);
}

static void put_object(struct writer *w, const struct state_table *table,
		       void *obj);

static void put_element(struct writer *w, const struct state_field *f,
			uint8_t *at)
{
	switch (f->kind) {
	case STATE_KIND_NUMBER:
		put_number(w, state_number(at, f->size), f->size);
		break;
	case STATE_KIND_BOOL:
		put_number(w, *(const bool *)at, 1);
		break;
	case STATE_KIND_TIMER:
		put_timer(w, (const struct vm_timer *)(const void *)at);
		break;
	case STATE_KIND_OBJECT:
		put_object(w, f->table, at);
		break;
	}
}

static void put_field(struct writer *w, const struct state_field *f, void *obj)
{
	const struct state_table *table = NULL;
	void *elsewhere = f->find ? f->find(obj, &table) : NULL;
	size_t n = f->find ? elsewhere != NULL : state_count(f, obj);
	bool has_size = f->kind == STATE_KIND_NUMBER;
	uint8_t *at;

	put_name(w, f->name);
	put_number(w, f->kind, 1);
	put_number(w, has_size ? f->size : 0, 1);
	put_number(w, n, 4);
	if (f->find) {
		if (elsewhere)
			put_object(w, table, elsewhere);
		return;
	}
	at = state_elements(f, obj);
	if (has_size && f->size == 1) {
		put(w, at, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		put_element(w, f, at + i * f->size);
}

static void put_object(struct writer *w, const struct state_table *table,
		       void *obj)
{
	int rc = table->prepare ? table->prepare(obj) : 0;

	if (rc && !w->rc)
		w->rc = rc;
	put_number(w, table->version, 2);
	put_number(w, table->n_fields, 2);
	for (unsigned i = 0; i < table->n_fields; i++)
		put_field(w, &table->fields[i], obj);
}

static int put_all(struct writer *w, struct err *e)
{
	struct device *dev;
	uint64_t n = 0;

	for (dev = w->vm->devices; dev; dev = dev->next)
		n++;
	put(w, STATE_MAGIC, strlen(STATE_MAGIC));
	put_object(w, &state_machine, w->vm);
	put_number(w, n, 4);
	for (dev = w->vm->devices; dev; dev = dev->next) {
		if (!dev->ops->state)
			return fail(e, ENOTSUP, "%s: its state cannot be "
				    "saved", dev->ops->name);
		put_name(w, dev->ops->name);
		put_object(w, dev->ops->state, dev);
	}
	put_places(w);
	return w->rc ? fail_rc(e, w->rc, "the state of the machine") : 0;
}

int state_save(struct vm *vm, void **out, size_t *len, struct err *e)
{
	struct writer w = { .vm = vm };
	int rc;

	if (vm->devices_run || atomic_load(&vm->clock.running))
		return fail(e, EBUSY, "the machine runs: its state cannot be "
			    "saved");
	vm_lock(vm);
	rc = put_all(&w, e);
	vm_unlock(vm);
	free(w.timers);
	if (rc) {
		free(w.buf);
		return rc;
	}
	*out = w.buf;
	*len = w.len;
	return 0;
}
