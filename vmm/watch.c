/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - tell who looks on.  See watch.h. */
#include "vmm/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vm.h"

/* The first program begins.  What cannot be known is taken for new. */
static unsigned first_program(struct vm *vm)
{
	if (vm->accel->looks)
		return WATCH_NEW_PROGRAM;
	if (!vm->from_disk || atomic_exchange(&vm->pages_noted, true))
		return 0;
	return pages_note(&vm->first_pages, &vm->mem) ? WATCH_NEW_PROGRAM : 0;
}

void watch_mode(struct vm *vm, _Atomic uint8_t *seen, unsigned mode)
{
	uint8_t before = atomic_load_explicit(seen, memory_order_relaxed);
	const struct vm_watch *w = vm ? vm->config.watch : NULL;

	if (!(mode & ~(unsigned)before))
		return;
	if (w && mode & ~(unsigned)before & WATCH_USER)
		mode |= first_program(vm);
	atomic_store_explicit(seen, (uint8_t)(before | mode),
			      memory_order_relaxed);
	if (w && w->mode)
		w->mode(w->arg, mode);
}

void watch_text(struct vm *vm, enum watch_port port, uint8_t byte)
{
	const struct vm_watch *w = vm->config.watch;

	if (w && w->text)
		w->text(w->arg, port, byte);
}

int watch_init(struct vm *vm)
{
	if (!vm->config.watch)
		return 0;
	vm->from_disk = calloc(vm->mem.ram / MEM_PAGE, 1);
	return vm->from_disk ? 0 : -ENOMEM;
}

void watch_reset(struct vm *vm)
{
	if (vm->from_disk)
		memset((void *)vm->from_disk, 0, vm->mem.ram / MEM_PAGE);
	pages_forget(&vm->first_pages);
	atomic_store(&vm->pages_noted, false);
}

void watch_fini(struct vm *vm)
{
	free((void *)vm->from_disk);
	pages_forget(&vm->first_pages);
}

static bool programs_run(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->config.topology.cpus; i++)
		if (atomic_load_explicit(&vm->vcpus[i].seen,
					 memory_order_relaxed) & WATCH_USER)
			return true;
	return false;
}

/* Whole pages: pieces of one are not a file's. */
void watch_read(struct vm *vm, const void *host, uint64_t len)
{
	uint64_t at = (uint64_t)((const uint8_t *)host - vm->mem.base);
	uint64_t end = min_u64(at + len, vm->mem.ram);

	if (!vm->from_disk || !programs_run(vm))
		return;
	for (at = (at + MEM_PAGE - 1) / MEM_PAGE; at < end / MEM_PAGE; at++)
		atomic_store_explicit(&vm->from_disk[at], 1,
				      memory_order_relaxed);
}

void watch_program(struct vm *vm, _Atomic uint8_t *seen, uint64_t offset)
{
	uint64_t page = offset / MEM_PAGE;
	unsigned mode = 0;

	if (!vm || !vm->from_disk || offset >= vm->mem.ram)
		return;
	if (atomic_load_explicit(&vm->from_disk[page], memory_order_relaxed))
		mode |= WATCH_DISK_PROGRAM;
	if (!(atomic_load_explicit(seen, memory_order_relaxed) &
	      WATCH_NEW_PROGRAM) &&
	    !pages_have(&vm->first_pages, vm->mem.base + page * MEM_PAGE))
		mode |= WATCH_NEW_PROGRAM;
	watch_mode(vm, seen, mode);
}

void vm_look(struct vm *vm)
{
	if (!vm->accel->looks)
		return;
	for (unsigned i = 0; i < vm->config.topology.cpus; i++)
		if (vm->vcpus[i].started)
			vm->accel->kick(&vm->vcpus[i]);
}

uint64_t vm_instructions(struct vm *vm)
{
	struct accel_counter counters[ACCEL_COUNTERS];
	uint64_t sum = 0;

	if (!vm->accel->counters)
		return 0;
	for (unsigned i = 0; i < vm->config.topology.cpus; i++) {
		unsigned n = vm->accel->counters(&vm->vcpus[i], counters);

		for (unsigned k = 0; k < n; k++)
			if (!strcmp(counters[k].name, "instructions"))
				sum += counters[k].n;
	}
	return sum;
}
