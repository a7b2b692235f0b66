/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzzvm.c - a machine with guard pages around its memory.  See fuzzvm.h. */
#include "tests/lib/fuzzvm.h"

#include <sys/mman.h>

#include "tests/check.h"

#define GUARD (1u << 20)

static struct vm *guard(struct vm *vm)
{
	struct mem *mem = &vm->mem;
	uint8_t *all = mmap(NULL, mem->size + 2 * GUARD, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(all != MAP_FAILED);
	CHECK(mmap(all + GUARD, mem->size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, mem->fd, 0) == all + GUARD);
	munmap(mem->base, mem->size);
	mem->base = all + GUARD;
	return vm;
}

void fuzzvm_free(struct vm *vm)
{
	uint8_t *base = vm->mem.base;
	uint64_t size = vm->mem.size;

	vm_free(vm);
	munmap(base - GUARD, GUARD);
	munmap(base + size, GUARD);
}

struct vm *fuzzvm_new(uint64_t memory)
{
	struct vm *vm = fakevm_bare(memory, 1);

	fakevm_real_clock(vm);
	return guard(vm);
}

struct vm *fuzzvm_new_screen(uint64_t memory)
{
	struct vm_config config;
	struct vm *vm = NULL;
	struct err e = { "" };

	fakevm_config(&config, memory, 1);
	config.screen = VM_SCREEN_VGA;
	CHECK_OK(vm_new_bare(&config, NULL, 0, &vm, &e));
	return guard(vm);
}

uint64_t fuzz_take(struct fuzz_in *in, unsigned n)
{
	uint64_t value = 0;
	unsigned i;

	for (i = 0; i < n && in->left; i++, in->left--)
		value |= (uint64_t)*in->p++ << (8 * i);
	return value;
}
