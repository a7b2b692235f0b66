/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state_fields.c - every field of every device's table is carried: one after the
 * other gets another value that its device takes, and is found again in another
 * machine, with all others as they were.
 *
 * That the tables have every member that matters is tests/cli/house-state.sh's;
 * what the devices do with them, state_cases.c's.
 */
#include <errno.h>

#include "tests/check.h"
#include "tests/lib/statevm.h"
#include "vmm/state.h"

#define TRIES	30u		/* of values, until one is taken */
#define MAX_FIELDS 600u
#define BASES	4u		/* states that are changed */
#define MANY	12u		/* elements: all are tried */

/* What cannot be changed behind the device's back. */
static const struct { const char *field, *why; } excepted[] = {
	{ "written", "gathered from the files when it is saved" },
	{ "was_broken", "made of `broken` when it is saved" },
	{ "n_tx", "goes to the host when it is loaded" },
};

static struct vm *from, *to;
static uint64_t random_state = 88172645463325252ull;
static unsigned n_excepted[3];

/* Fields by their paths; those of a device's like share one. */
static struct seen { char path[256]; bool carried; } seen[MAX_FIELDS];
static unsigned n_seen;

static uint64_t roll(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static struct bytes { void *p; size_t len; } first;	/* what is changed */

static struct bytes save(struct vm *vm)
{
	struct err e = { "" };
	struct bytes s;

	CHECK_OK(state_save(vm, &s.p, &s.len, &e));
	return s;
}

static bool load(struct vm *vm, struct bytes s)
{
	struct err e = { "" };
	int rc = state_load(vm, s.p, s.len, &e);

	CHECK(!rc || rc == -EINVAL);
	return !rc;
}

/* Save `from`, and load that into itself: some of a device's state follows from
 * the rest, and is put right.  False: it was refused.
 */
static bool settle(void)
{
	struct bytes s = save(from);
	bool taken = load(from, s);

	free(s.p);
	return taken;
}

/* From one to the other: nothing is lost or gets another value. */
static void carry(const char *path)
{
	struct bytes s = save(from), again;

	CHECK(load(to, s));
	again = save(to);
	if (again.len != s.len || memcmp(again.p, s.p, s.len)) {
		fprintf(stderr, "%s: the state is another when it has been "
			"loaded\n", path);
		exit(1);
	}
	free(s.p);
	free(again.p);
}

/* A value that the table allows, of `size` bytes. */
static uint64_t pick(const struct state_field *f, uint64_t old, unsigned try)
{
	uint64_t max = f->kind == STATE_KIND_BOOL ? 1 :
		       f->max ? f->max : UINT64_MAX >> (64 - 8 * f->size);
	uint64_t value = try % 3 == 0 ? roll() :
			 try % 3 == 1 ? old ^ 1ull << roll() % 64 :
					1ull << roll() % 9;

	value &= UINT64_MAX >> (64 - 8 * f->size);
	return value <= max ? value : max == UINT64_MAX ? value :
				      value % (max + 1);
}

static bool carry_number(const struct state_field *f, uint8_t *x,
			 const uint8_t *y, const char *path)
{
	uint64_t old = state_number(x, f->size), value;
	bool carried = false;

	for (unsigned try = 0; try < (f->count > MANY ? 3 : TRIES) && !carried; try++) {
		value = pick(f, old, try);
		if (value == old)
			continue;
		memcpy(x, &value, f->size);
		carried = settle() && state_number(x, f->size) == value;
		if (carried) {
			carry(path);
			CHECK_EQ(state_number(y, f->size), value);
		}
		CHECK(load(from, first));
		CHECK_EQ(state_number(x, f->size), old);
	}
	return carried;
}

static bool carry_timer(uint8_t *x, const uint8_t *y, const char *path)
{
	struct vm_timer *timer = (struct vm_timer *)(void *)x;
	const struct vm_timer *copy = (const struct vm_timer *)(const void *)y;
	uint64_t when = roll() >> 2;

	vm_timer_arm(timer, when);
	carry(path);
	CHECK(copy->armed && copy->when == when);
	vm_timer_cancel(timer);
	carry(path);
	CHECK(!copy->armed);
	CHECK(load(from, first));
	return true;
}

static bool is_excepted(const struct state_field *f)
{
	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(f->name, excepted[i].field)) {
			n_excepted[i]++;
			return true;
		}
	/* It says which machine this is. */
	return f->same;
}

static void walk(const struct state_table *table, void *x, void *y,
		 const char *path);

static bool carry_element(const struct state_field *f, uint8_t *x, uint8_t *y,
			  const char *path)
{
	switch (f->kind) {
	case STATE_KIND_OBJECT:
		walk(f->table, x, y, path);
		return false;
	case STATE_KIND_TIMER:
		return carry_timer(x, y, path);
	default:
		return carry_number(f, x, y, path);
	}
}

static bool was_carried(const char *path)
{
	for (unsigned i = 0; i < n_seen; i++)
		if (!strcmp(seen[i].path, path))
			return seen[i].carried;
	return false;
}

static void note(const char *path, unsigned n_carried)
{
	unsigned i = 0;

	while (i < n_seen && strcmp(seen[i].path, path))
		i++;
	if (i == n_seen) {
		CHECK(n_seen < MAX_FIELDS);
		snprintf(seen[n_seen++].path, sizeof(seen[0].path), "%s", path);
	}
	seen[i].carried |= n_carried > 0;
}

static void field(const struct state_field *f, void *x, void *y,
		  const char *path)
{
	size_t n = state_count(f, x), i;
	uint8_t *a = state_elements(f, x), *b = state_elements(f, y);
	unsigned enough = n > MANY ? 6 : (unsigned)n;
	unsigned n_carried = was_carried(path) ? enough : 0;

	CHECK_EQ(state_count(f, y), n);
	for (size_t try = 0; try < n && n_carried < enough; try++) {
		i = n <= MANY || f->kind == STATE_KIND_OBJECT ? try : roll() % n;
		n_carried += carry_element(f, a + i * f->size, b + i * f->size,
					   path);
	}
	if (n && f->kind != STATE_KIND_OBJECT)
		note(path, n_carried);
}

static void walk(const struct state_table *table, void *x, void *y,
		 const char *path)
{
	for (unsigned i = 0; i < table->n_fields; i++) {
		const struct state_field *f = &table->fields[i];
		const struct state_table *inner = NULL, *same = NULL;
		char name[256];
		void *a, *b;

		snprintf(name, sizeof(name), "%s.%s", path, f->name);
		if (is_excepted(f))
			continue;
		if (!f->find) {
			field(f, x, y, name);
			continue;
		}
		a = f->find(x, &inner);
		b = f->find(y, &same);
		CHECK(!a == !b && inner == same);
		if (a)
			walk(inner, a, b, name);
	}
}

/* Every field, where machines are what this makes of them. */
static void base(unsigned seed)
{
	struct statevm_trace *trace = calloc(1, sizeof(*trace));
	struct device *x, *y;

	CHECK(trace);
	from = statevm_new();
	to = statevm_new();
	statevm_operate(from, seed, 1000 * seed, trace);
	statevm_pause(from);
	statevm_pause(to);
	settle();
	first = save(from);
	walk(&state_machine, from, to, "machine");
	for (x = from->devices, y = to->devices; x && y;
	     x = x->next, y = y->next) {
		CHECK_STR(x->ops->name, y->ops->name);
		walk(x->ops->state, x, y, x->ops->name);
	}
	CHECK(!x && !y);
	free(first.p);
	free(trace);
	vm_free(from);
	vm_free(to);
}

int main(void)
{
	bool bad = false;

	for (unsigned seed = 0; seed < BASES; seed++)
		base(seed);
	for (unsigned i = 0; i < n_seen; i++)
		if (!seen[i].carried) {
			fprintf(stderr, "%s: no other value was taken\n",
				seen[i].path);
			bad = true;
		}
	for (unsigned i = 0; i < 3; i++)
		CHECK(n_excepted[i]);
	printf("%u fields\n", n_seen);
	CHECK(n_seen > 200);
	return bad;
}
