/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - tell who looks on.  See watch.h. */
#include "vmm/watch.h"

#include <string.h>

#include "vmm/vm.h"

void watch_mode(struct vm *vm, _Atomic uint8_t *seen, unsigned mode)
{
	uint8_t before = atomic_load_explicit(seen, memory_order_relaxed);
	const struct vm_watch *w = vm ? vm->config.watch : NULL;

	if (!(mode & ~(unsigned)before))
		return;
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
