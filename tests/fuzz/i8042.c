/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i8042.c - any access to the keyboard controller, with somebody typing, time
 * passing and resets; nothing typed makes its timer stand still.
 *
 * Input: operations of a byte: 0 to 3 write port 0x60 or 0x64 (1 byte), 4 read, 5
 * type a text, 6 type a name, 7 let time pass.
 */
#include "tests/check.h"
#include "tests/lib/fuzzvm.h"
#include "vmm/chip/i8042.h"
#include "vmm/chip/pic.h"
#include "vmm/keys.h"

#define MAX_OPS 3000u
#define MAX_TEXT 31u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void take_text(struct fuzz_in *in, unsigned n, char text[MAX_TEXT + 1])
{
	for (unsigned i = 0; i < n; i++)
		text[i] = (char)fuzz_take(in, 1);
	text[n] = 0;
}

static void operate(struct vm *vm, struct fuzz_in *in)
{
	unsigned op = (unsigned)fuzz_take(in, 1), high = op >> 3;
	char text[MAX_TEXT + 1];
	const char *combo = text;
	struct err e = { "" };

	switch (op & 7) {
	case 4:
		bus_read(vm, BUS_PIO, high & 1 ? 0x64 : 0x60, 1u << (high >> 3));
		break;
	case 5:
		take_text(in, high, text);
		(void)vm_type_text(vm, text, &e);
		break;
	case 6:
		take_text(in, high, text);
		(void)vm_type_keys(vm, &combo, 1, &e);
		break;
	case 7:
		if (high == 31)
			vm->devices->ops->reset(vm->devices);
		else
			fakevm_pass(vm, high * 1000003ull);
		break;
	default:
		bus_write(vm, BUS_PIO, op & 1 ? 0x64 : 0x60, 1,
			  fuzz_take(in, 1));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = { data, len };
	struct vm *vm = fakevm_bare(2 << 20, 1);
	struct err e = { "" };

	CHECK_OK(i8042_new(vm, &vm->kbd, &e));
	CHECK_OK(pic_new(vm, &vm->pic, &e));
	for (unsigned i = 0; i < MAX_OPS && in.left; i++)
		operate(vm, &in);
	/* Whoever takes all of it comes to an end. */
	vm->devices->ops->reset(vm->devices);
	CHECK(!vm_type_text(vm, "The End", &e));
	for (unsigned i = 0; i < 100; i++) {
		fakevm_pass(vm, 10000000);
		bus_read(vm, BUS_PIO, 0x60, 1);
	}
	CHECK_EQ(clock_next(vm), UINT64_MAX);
	vm_free(vm);
	return 0;
}
