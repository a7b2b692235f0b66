/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.c - make a machine and take it apart. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/boot/rom.h"
#include "vmm/vm.h"

#define MAX_VCPUS 255u	/* xAPIC ids are bytes, and 255 means all */

void device_add(struct vm *vm, struct device *dev, const struct device_ops *ops)
{
	dev->vm = vm;
	dev->ops = ops;
	dev->next = NULL;
	*vm->last_device = dev;
	vm->last_device = &dev->next;
}

static int check_topology(const struct cpu_topology *t, struct err *e)
{
	uint64_t product;

	if (!t->cpus || t->cpus > MAX_VCPUS)
		return fail(e, EINVAL, "%u CPUs, must be 1 to %u", t->cpus,
			    MAX_VCPUS);
	if (!mul_ok(t->sockets, t->cores, &product) ||
	    !mul_ok(product, t->threads, &product) || product != t->cpus)
		return fail(e, EINVAL, "%u sockets of %u cores of %u threads "
			    "are not %u CPUs", t->sockets, t->cores,
			    t->threads, t->cpus);
	if (cpu_apic_id(t, t->cpus - 1) >= MAX_VCPUS)
		return fail(e, EINVAL, "the last of these CPUs has APIC id %u, "
			    "must be below %u", cpu_apic_id(t, t->cpus - 1),
			    MAX_VCPUS);
	return 0;
}

static int make_vcpus(struct vm *vm)
{
	unsigned i, n = vm->config.topology.cpus;

	vm->vcpus = calloc(n, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		vm->vcpus[i].vm = vm;
		vm->vcpus[i].index = i;
		vm->vcpus[i].apic_id = cpu_apic_id(&vm->config.topology, i);
	}
	return 0;
}

int vm_new_bare(const struct vm_config *config, const void *rom, size_t rom_len,
		struct vm **out, struct err *e)
{
	int rc = check_topology(&config->topology, e);
	struct vm *vm;

	if (rc)
		return rc;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return fail_rc(e, -ENOMEM, "a virtual machine");
	vm->last_device = &vm->devices;
	vm->config = *config;
	vm->accel = config->accel;
	vm->mem.fd = vm->clock.fd = vm->wake_fd = -1;
	vm->loop.epoll = vm->loop.wake = -1;
	pthread_mutex_init(&vm->bus_lock, NULL);
	pthread_mutex_init(&vm->irq_lock, NULL);
	rc = run_init(vm, e);
	if (!rc)
		rc = make_vcpus(vm);
	if (!rc)
		rc = clock_init(&vm->clock, config->virtual_clock);
	if (!rc)
		rc = mem_init(&vm->mem, config->memory, rom, rom_len,
			      config->screen ? MEM_VIDEO : 0, e);
	if (!rc && watch_init(vm))
		rc = fail(e, ENOMEM, "what was read from the disk: out of "
			  "memory");
	if (!rc)
		rc = loop_init(&vm->loop, e);
	if (!rc)
		rc = vm->accel->vm_init(vm, e);
	if (rc) {
		vm_free(vm);
		return rc;
	}
	vm->accel_ready = true;
	*out = vm;
	return 0;
}

int vm_new(const struct vm_config *config, struct vm **out, struct err *e)
{
	void *rom = NULL;
	size_t rom_len = 0;
	struct vm *vm;
	int rc = 0;

	if (config->boot.firmware)
		rc = rom_read_bios(config->boot.firmware, &rom, &rom_len, e);
	if (rc)
		return rc;
	rc = vm_new_bare(config, rom, rom_len, &vm, e);
	free(rom);
	if (rc)
		return rc;
	rc = pc_init(vm, e);
	if (rc)
		vm_free(vm);
	else
		*out = vm;
	return rc;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	run_fini(vm);
	if (vm->clock.fd >= 0)
		clock_clear(vm);
	while (vm->devices) {
		struct device *dev = vm->devices;

		vm->devices = dev->next;
		dev->ops->fini(dev);
	}
	if (vm->accel_ready)
		vm->accel->vm_fini(vm);
	pc_fini(vm);
	loop_fini(&vm->loop);
	mem_fini(&vm->mem);
	watch_fini(vm);
	clock_fini(&vm->clock);
	free(vm->vcpus);
	pthread_mutex_destroy(&vm->irq_lock);
	pthread_mutex_destroy(&vm->bus_lock);
	free(vm);
}
