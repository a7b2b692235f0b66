/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - which programs are the disk's, and which are no initramfs's: told by
 * the content of their pages.
 */
#include <sys/stat.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"

#define PAGES	256u

static unsigned told;

static void on_mode(void *arg, unsigned seen)
{
	(void)arg;
	told |= seen;
}

static void fill(struct vm *vm, unsigned page, int byte)
{
	memset(vm->mem.base + page * MEM_PAGE, byte, MEM_PAGE);
}

static uint64_t blocks(const struct vm *vm)
{
	struct stat st;

	CHECK(!fstat(vm->mem.fd, &st));
	return (uint64_t)st.st_blocks;
}

/* The code at `page` is run; what does that tell? */
static unsigned run(struct vm *vm, unsigned page)
{
	told = 0;
	watch_program(vm, &vm->vcpus[0].seen, page * MEM_PAGE + 123);
	return told;
}

static void test_programs(struct vm *vm)
{
	_Atomic uint8_t *seen = &vm->vcpus[0].seen;
	uint64_t before;

	fill(vm, 3, 'a');
	fill(vm, 200, 'b');
	fill(vm, PAGES - 1, 'c');
	before = blocks(vm);
	watch_mode(vm, seen, WATCH_USER);
	CHECK_EQ(told, WATCH_USER);
	/* What nobody used stays unused. */
	CHECK_EQ(blocks(vm), before);

	CHECK_EQ(run(vm, 3), 0);
	CHECK_EQ(run(vm, 200), 0);
	CHECK_EQ(run(vm, PAGES - 1), 0);
	/* The same at another place is no other program. */
	fill(vm, 50, 'b');
	CHECK_EQ(run(vm, 50), 0);
	/* One byte differs, at the end. */
	vm->mem.base[4 * MEM_PAGE - 1] = 'x';
	CHECK_EQ(run(vm, 3), WATCH_NEW_PROGRAM);
	CHECK_EQ(run(vm, 3), 0);

	/* What came from the disk, in whole pages, may be the same. */
	watch_read(vm, vm->mem.base + 49 * MEM_PAGE + 1, MEM_PAGE);
	CHECK_EQ(run(vm, 50), 0);
	watch_read(vm, vm->mem.base + 50 * MEM_PAGE, MEM_PAGE);
	CHECK_EQ(run(vm, 50), WATCH_DISK_PROGRAM);
}

static void test_reset(struct vm *vm)
{
	watch_reset(vm);
	atomic_store(&vm->vcpus[0].seen, 0);
	watch_mode(vm, &vm->vcpus[0].seen, WATCH_USER);
	/* It was there when the first program of this boot began. */
	CHECK_EQ(run(vm, 3), 0);
	CHECK_EQ(run(vm, 50), 0);
	fill(vm, 50, 'd');
	CHECK_EQ(run(vm, 50), WATCH_NEW_PROGRAM);
}

int main(void)
{
	static const struct vm_watch watch = { .mode = on_mode };
	struct vm *vm = fakevm_bare(PAGES * MEM_PAGE, 1);

	vm->config.watch = &watch;
	CHECK_EQ(watch_init(vm), 0);
	test_programs(vm);
	test_reset(vm);
	vm_free(vm);
	return 0;
}
