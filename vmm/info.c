/* SPDX-License-Identifier: GPL-2.0-or-later */
/* info.c - what a machine does just now, and its buttons. */
#include <errno.h>
#include <sys/stat.h>

#include "vmm/chip/acpi.h"
#include "vmm/vm.h"

const char *vm_exit_name(enum vm_exit why)
{
	static const char *const names[] = {
		[VM_EXIT_PIO] = "pio", [VM_EXIT_MMIO] = "mmio",
		[VM_EXIT_HALT] = "halt", [VM_EXIT_EOI] = "eoi",
		[VM_EXIT_WINDOW] = "interrupt-window",
		[VM_EXIT_KICK] = "kick", [VM_EXIT_EMULATE] = "emulate",
		[VM_EXIT_OTHER] = "other",
	};

	return names[why];
}

bool vm_cpu_exits(struct vm *vm, unsigned i, uint64_t exits[VM_N_EXITS])
{
	if (i >= vm->config.topology.cpus)
		return false;
	for (int n = 0; n < VM_N_EXITS; n++)
		exits[n] = atomic_load_explicit(&vm->vcpus[i].exits[n],
						memory_order_relaxed);
	return true;
}

unsigned vm_cpu_counters(struct vm *vm, unsigned i,
			 struct accel_counter out[ACCEL_COUNTERS])
{
	unsigned n = 0;

	if (i >= vm->config.topology.cpus || !vm->accel->counters)
		return 0;
	/* vCPUs come and go with vm_run(). */
	pthread_mutex_lock(&vm->debugger.lock);
	if (vm->debugger.live)
		n = vm->accel->counters(&vm->vcpus[i], out);
	pthread_mutex_unlock(&vm->debugger.lock);
	return n;
}

/* Machine lock. */
static const char *state_name(const struct vm *vm)
{
	if (vm->request == VM_REQ_END || vm->state == VM_QUITTING)
		return "ending";
	if (vm->paused)
		return "paused";
	/* Held still for a moment by a reset, or to see if it is halted. */
	return vm->state == VM_RUNNING || vm->holding ||
	       vm->request == VM_REQ_RESET ? "running" : "starting";
}

void vm_info(struct vm *vm, struct vm_info *info)
{
	struct stat st = { .st_blocks = 0 };

	fstat(vm->mem.fd, &st);
	*info = (struct vm_info){
		.accel = vm->accel->name,
		.memory = vm->mem.ram,
		.memory_used = (uint64_t)st.st_blocks * 512,
		.guest_ns = vm_now(vm),
		.cpus = vm->config.topology.cpus,
	};
	vm_lock(vm);
	info->state = state_name(vm);
	info->resets = vm->result.resets;
	vm_unlock(vm);
}

int vm_power_button(struct vm *vm)
{
	if (!vm->acpi)
		return -ENODEV;
	vm_lock(vm);
	acpi_power_button(vm);
	vm_unlock(vm);
	return 0;
}
