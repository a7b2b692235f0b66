/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys.c - keys by name and as text, and how they come to the guest: as it sees
 * them at port 0x60, in set 1.
 */
#include <errno.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "vmm/chip/i8042.h"
#include "vmm/keys.h"

#define STEP 10000000u

static struct vm *vm;

static unsigned inb(unsigned port)
{
	return (unsigned)bus_read(vm, BUS_PIO, port, 1);
}

/* All that comes in `ms` of the guest's time, if it takes each byte at once. */
static size_t listen(uint8_t *out, size_t max, unsigned ms)
{
	size_t n = 0;

	for (unsigned i = 0; i <= ms; i++) {
		while (inb(0x64) & 1) {
			CHECK(n < max);
			out[n++] = (uint8_t)inb(0x60);
		}
		fakevm_pass(vm, 1000000);
	}
	return n;
}

static void hears(const char *want, size_t n)
{
	uint8_t got[64];

	CHECK_EQ(listen(got, sizeof(got), 200), n);
	CHECK(!memcmp(got, want, n));
}

static void type(const char *combo)
{
	struct err e = { "" };

	CHECK_OK(vm_type_keys(vm, &combo, 1, &e));
}

static void refuses(const char *combo, const char *why)
{
	struct err e = { "" };

	CHECK_EQ(vm_type_keys(vm, &combo, 1, &e), -EINVAL);
	CHECK(strstr(e.text, why));
	CHECK(!(inb(0x64) & 1));
}

static void test_names(void)
{
	type("a");
	hears("\x1e\x9e", 2);
	type("ctrl-alt-delete");
	hears("\x1d\x38\xe0\x53\xe0\xd3\xb8\x9d", 8);
	type("f7");
	hears("\x41\xc1", 2);
	type("up");
	hears("\xe0\x48\xe0\xc8", 4);
	type("=");
	hears("\x0d\x8d", 2);
	refuses("", "no key ''");
	refuses("A", "no key 'A'");
	refuses("ctrl-", "no key ''");
	refuses("ctrl-hyper", "no key 'hyper'");
	refuses("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "'aaaaaaaaaaaaaaaa'");
	refuses("a-b-c-d-e-f-g-h-i", "at most 8");
	type("a-b-c-d-e-f-g-h");
	hears("\x1e\x30\x2e\x20\x12\x21\x22\x23\xa3\xa2\xa1\x92\xa0\xae\xb0\x9e",
	      16);
}

/* Linux's table of characters by key, set 1 and US, to read what was typed. */
static const char plain[] = "\0\x1b" "1234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`"
			    "\0\\zxcvbnm,./\0\0\0 ";
static const char shifted[] = "\0\x1b" "!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~"
			      "\0|ZXCVBNM<>?\0\0\0 ";

static void test_text(void)
{
	char text[128] = "", got[128] = "";
	uint8_t codes[1024];
	struct err e = { "" };
	bool shift = false;
	size_t n, len = 0;

	for (int c = ' '; c < 127; c++)
		text[c - ' '] = (char)c;
	strcat(text, "\n\t\b");
	CHECK_OK(vm_type_text(vm, text, &e));
	n = listen(codes, sizeof(codes), 5000);
	for (size_t i = 0; i < n; i++) {
		if ((codes[i] & 0x7f) == 0x2a)
			shift = !(codes[i] & 0x80);
		else if (!(codes[i] & 0x80))
			got[len++] = (shift ? shifted : plain)[codes[i]];
	}
	CHECK_STR(got, text);
	CHECK_EQ(vm_type_text(vm, "caf\xc3\xa9", &e), -EINVAL);
	CHECK(strstr(e.text, "0xc3"));
	CHECK_EQ(vm_type_text(vm, "\x01", &e), -EINVAL);
	CHECK_OK(vm_type_text(vm, "", &e));
	hears("", 0);
}

/* One after the other, and only when the guest has taken what was before. */
static void test_pace(void)
{
	struct err e = { "" };

	type("a");
	fakevm_pass(vm, STEP * 10ull);
	CHECK_EQ(inb(0x60), 0x1e);
	CHECK(!(inb(0x64) & 1));
	fakevm_pass(vm, STEP);
	CHECK_EQ(inb(0x60), 0x9e);
	fakevm_pass(vm, STEP);
	CHECK(!(inb(0x64) & 1));
	CHECK_EQ(clock_next(vm), UINT64_MAX);

	/* Nobody takes them: there is an end, and none is lost before it. */
	for (unsigned i = 0; i < KBD_TYPE_MAX / 3; i++)
		type("x");
	fakevm_pass(vm, STEP * 1000ull);
	CHECK_EQ(vm_type_text(vm, "yz", &e), -ENOSPC);
	CHECK(strstr(e.text, "not yet taken"));
	hears("\x2d\xad\x2d\xad\x2d\xad\x2d\xad\x2d\xad"
	      "\x2d\xad\x2d\xad\x2d\xad\x2d\xad\x2d\xad\x2d", 21);
	/* A reset forgets them. */
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->reset)
			dev->ops->reset(dev);
	hears("", 0);
	/* The guest has switched the keyboard off for a while. */
	bus_write(vm, BUS_PIO, 0x60, 1, 0xf5);
	hears("\xfa", 1);
	type("q");
	hears("", 0);
	bus_write(vm, BUS_PIO, 0x60, 1, 0xf4);
	hears("\xfa\x10\x90", 3);
}

static void test_none(void)
{
	const char *a = "a";
	struct err e = { "" };

	vm = fakevm_bare(2 << 20, 1);
	CHECK_EQ(vm_type_keys(vm, &a, 1, &e), -ENODEV);
	CHECK_EQ(vm_type_text(vm, a, &e), -ENODEV);
	vm_free(vm);
}

int main(void)
{
	test_none();
	vm = fakevm_pc(2 << 20, 1);
	test_names();
	test_text();
	test_pace();
	vm_free(vm);
	return 0;
}
