/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state_load.c - which states are refused, and with which words: other versions,
 * other fields, other machines, and bytes that are none.
 */
#include <errno.h>

#include "tests/check.h"
#include "tests/lib/statevm.h"
#include "vmm/state.h"

struct toy {
	struct device dev;
	struct vm_timer first, second;
	uint8_t small, fired[2];
	uint32_t large;
	bool flag;
	uint16_t list[3];
	unsigned n;
};

static void toy_reset(struct device *dev)
{
	struct toy *t = (struct toy *)dev;

	t->small = 1;
	t->large = 2;
	t->flag = false;
}

static void toy_fini(struct device *dev)
{
	free(dev);
}

static void fire(struct toy *t, uint8_t which)
{
	t->fired[t->fired[0] != 0] = which;
}

static void fire_first(void *arg)
{
	fire(arg, 1);
}

static void fire_second(void *arg)
{
	fire(arg, 2);
}

#define SMALL	STATE_NUMBER(struct toy, small)
#define LARGE	STATE_NUMBER(struct toy, large)
#define TABLE(v, ...)							\
	{ .version = (v), .n_fields =					\
	  sizeof((struct state_field[]){ __VA_ARGS__ }) /		\
	  sizeof(struct state_field),					\
	  .fields = (const struct state_field[]){ __VA_ARGS__ } }

static int judge(void *obj, struct err *e)
{
	struct toy *t = obj;

	return t->small == 9 ? fail(e, EINVAL, "9 is not liked") : 0;
}

/* What the table was when it was saved, what it is when it is loaded, and what
 * becomes of it; "" loads.
 */
static const struct {
	struct state_table saved, loaded;
	const char *why;
} cases[] = {
	{ TABLE(1, SMALL, LARGE), TABLE(1, SMALL, LARGE), "" },
	/* The order does not matter, nor how wide a number was. */
	{ TABLE(1, SMALL, LARGE), TABLE(1, LARGE, SMALL), "" },
	{ TABLE(1, SMALL, LARGE),
	  TABLE(1, SMALL, { .name = "large", .offset =
		offsetof(struct toy, list), .size = 2, .count = 1 }),
	  "the state of toy 1: large is 70000, must be at most 65535" },
	/* Versions. */
	{ TABLE(1, SMALL),
	  TABLE(2, SMALL, STATE_NUMBER(struct toy, large, .since = 2)), "" },
	{ TABLE(2, SMALL, LARGE), TABLE(1, SMALL),
	  "the state of toy 1: version 2, must be 1 to 1" },
	{ TABLE(0, SMALL), TABLE(1, SMALL),
	  "the state of toy 1: version 0, must be 1 to 1" },
	{ TABLE(1, SMALL, LARGE),
	  TABLE(2, SMALL, STATE_NUMBER(struct toy, large, .since = 2)),
	  "the state of toy 1: version 1 has no field \"large\"" },
	/* Fields. */
	{ TABLE(1, SMALL, LARGE), TABLE(1, SMALL),
	  "the state of toy 1: version 1 has no field \"large\"" },
	{ TABLE(1, SMALL), TABLE(1, SMALL, LARGE),
	  "the state of toy 1: the field large is missing" },
	{ TABLE(1, SMALL, SMALL), TABLE(1, SMALL),
	  "the state of toy 1: the field small is there twice" },
	{ TABLE(1, STATE_NUMBERS(struct toy, list)),
	  TABLE(1, { .name = "list", .offset = offsetof(struct toy, list),
		     .size = 2, .count = 2 }),
	  "the state of toy 1: list has 3 elements, must be 2" },
	{ TABLE(1, STATE_BOOL(struct toy, flag)),
	  TABLE(1, { .name = "flag", .offset = offsetof(struct toy, flag),
		     .size = 1, .count = 1 }),
	  "the state of toy 1: flag is of another kind" },
	{ TABLE(1, SMALL),
	  TABLE(1, STATE_NUMBER(struct toy, small, .max = 6)),
	  "the state of toy 1: small is 7, must be at most 6" },
	{ TABLE(1, SMALL),
	  TABLE(1, STATE_NUMBER(struct toy, small, .same = true)),
	  "the state of toy 1: small is 7, and 1 in this machine" },
};

static struct toy *toy_add(struct vm *vm, struct device_ops *ops)
{
	struct toy *t = calloc(1, sizeof(*t));

	CHECK(t);
	*ops = (struct device_ops){
		.name = "toy", .reset = toy_reset, .fini = toy_fini,
		.state = ops->state,
	};
	device_add(vm, &t->dev, ops);
	toy_reset(&t->dev);
	vm_timer_init(&t->first, vm, fire_first, t);
	vm_timer_init(&t->second, vm, fire_second, t);
	return t;
}

static void tables(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct device_ops from = { .state = &cases[i].saved };
		struct device_ops to = { .state = &cases[i].loaded };
		struct vm *a = fakevm_bare(1 << 20, 1);
		struct vm *b = fakevm_bare(1 << 20, 1);
		struct toy *x = toy_add(a, &from), *y = toy_add(b, &to);
		struct err e = { "" };
		void *state;
		size_t len;
		int rc;

		x->small = 7;
		x->large = 70000;
		y->small = 99;
		y->large = 99;
		CHECK_OK(state_save(a, &state, &len, &e));
		rc = state_load(b, state, len, &e);
		CHECK_EQ(rc, cases[i].why[0] ? -EINVAL : 0);
		CHECK_STR(e.text, cases[i].why);
		if (!rc) {
			CHECK_EQ(y->small, 7);
			/* What the old version has not is as after a reset. */
			CHECK_EQ(y->large, cases[i].saved.n_fields == 2 ?
				 70000 : 2);
		}
		free(state);
		vm_free(a);
		vm_free(b);
	}
}

static int save_and_load(struct vm *a, struct vm *b, struct err *e)
{
	void *state;
	size_t len;
	int rc = state_save(a, &state, &len, e);

	if (rc)
		return rc;
	rc = state_load(b, state, len, e);
	free(state);
	return rc;
}

/* Machines that are not alike, or not at rest. */
static void machines(void)
{
	static const struct state_field field[] = { SMALL };
	static const struct state_table table = {
		.version = 1, STATE_FIELDS(field), .loaded = judge
	};
	struct device_ops none = { .name = "toy" }, ops[3];
	struct vm *a = fakevm_bare(1 << 20, 1), *b = fakevm_bare(1 << 20, 1);
	struct err e = { "" };
	struct toy *t;

	for (unsigned i = 0; i < 3; i++)
		ops[i].state = &table;
	t = toy_add(a, &ops[0]);
	CHECK_EQ(save_and_load(a, b, &e), -EINVAL);
	CHECK_STR(e.text, "the state has a device \"toy\", which this machine "
		  "has not");
	toy_add(b, &ops[1]);
	CHECK_OK(save_and_load(a, b, &e));
	toy_add(b, &ops[2]);
	CHECK_EQ(save_and_load(a, b, &e), -EINVAL);
	CHECK_STR(e.text, "the state has no toy 2, which this machine has");
	CHECK_OK(save_and_load(a, a, &e));
	t->small = 9;
	CHECK_EQ(save_and_load(a, a, &e), -EINVAL);
	CHECK_STR(e.text, "the state of toy 1: 9 is not liked");
	a->devices_run = true;
	CHECK_EQ(save_and_load(a, a, &e), -EBUSY);
	a->devices_run = false;
	toy_add(a, &none);
	CHECK_EQ(save_and_load(a, a, &e), -ENOTSUP);
	CHECK_STR(e.text, "toy: its state cannot be saved");
	vm_free(a);
	vm_free(b);
}

/* Timers due at once fire in the order in which they were armed. */
static void timers(void)
{
	static const struct state_field fields[] = {
		STATE_TIMER(struct toy, first), STATE_TIMER(struct toy, second),
	};
	static const struct state_table table = {
		.version = 1, STATE_FIELDS(fields)
	};

	for (unsigned reverse = 0; reverse < 2; reverse++) {
		struct device_ops from = { .state = &table }, to = from;
		struct vm *a = fakevm_bare(1 << 20, 1);
		struct vm *b = fakevm_bare(1 << 20, 1);
		struct toy *x = toy_add(a, &from), *y = toy_add(b, &to);
		struct err e = { "" };

		clock_advance(a, 77);
		vm_timer_arm(reverse ? &x->second : &x->first, 1000);
		vm_timer_arm(reverse ? &x->first : &x->second, 1000);
		CHECK_OK(save_and_load(a, b, &e));
		CHECK_EQ(vm_now(b), 77);
		fakevm_pass(b, 1000 - 77 - 1);
		CHECK_EQ(y->fired[0], 0);
		fakevm_pass(b, 1);
		CHECK_EQ(y->fired[0], reverse ? 2 : 1);
		CHECK_EQ(y->fired[1], reverse ? 1 : 2);
		vm_free(a);
		vm_free(b);
	}
}

/* Each length but the right one is refused; a byte that is changed gives either a
 * sentence or a machine that goes on.
 */
static void damaged(void)
{
	struct vm *vm = statevm_new();
	struct statevm_trace *t = calloc(1, sizeof(*t));
	struct err e = { "" };
	uint64_t random = 12345;
	uint8_t *state;
	unsigned i, refused = 0;
	size_t len, at;
	void *p;

	CHECK(t);
	statevm_operate(vm, 3, 400, t);
	CHECK_OK(state_save(vm, &p, &len, &e));
	state = realloc(p, len + 1);
	CHECK(state);
	state[len] = 0;
	for (at = 0; at < len; at += at < 8000 ? 37 : 4001) {
		uint8_t *cut = malloc(at + 1);	/* so that asan sees its end */

		CHECK(cut);
		memcpy(cut, state, at);
		CHECK_EQ(state_load(vm, cut, at, &e), -EINVAL);
		free(cut);
	}
	CHECK_EQ(state_load(vm, state, len + 1, &e), -EINVAL);
	CHECK_STR(e.text, "something follows the state");
	for (i = 0; i < 2000; i++) {
		uint8_t old;

		random = random * 6364136223846793005u + 1442695040888963407u;
		at = (random >> 20) % (i % 2 ? len : 8000);
		old = state[at];
		state[at] = (uint8_t)(random >> 56);
		e.text[0] = 0;
		t->n = 0;
		if (state_load(vm, state, len, &e)) {
			CHECK(e.text[0]);
			refused++;
		} else if (i % 16 == 0) {
			statevm_operate(vm, random, 50, t);
		}
		state[at] = old;
	}
	CHECK(refused > 500);
	CHECK_OK(state_load(vm, state, len, &e));
	free(state);
	free(t);
	vm_free(vm);
}

int main(void)
{
	tables();
	machines();
	timers();
	damaged();
	return 0;
}
