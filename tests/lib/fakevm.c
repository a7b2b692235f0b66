/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fakevm.c - an accelerator for tests of devices.  See fakevm.h. */
#include "tests/lib/fakevm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pci_host.h"
#include "vmm/chip/pic.h"

struct fakevm *fakevm_of(struct vm *vm)
{
	return vm->accel_state;
}

static int fake_vm_init(struct vm *vm, struct err *e)
{
	struct fakevm *f = calloc(1, sizeof(*f));

	if (!f)
		return fail_rc(e, -ENOMEM, "fake");
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->kicked, NULL);
	vm->accel_state = f;
	return 0;
}

static void fake_vm_fini(struct vm *vm)
{
	struct fakevm *f = fakevm_of(vm);

	pthread_cond_destroy(&f->kicked);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static int fake_mem_changed(struct vm *vm)
{
	struct fakevm *f = fakevm_of(vm);

	pthread_mutex_lock(&f->lock);
	f->n_mem_changed++;
	pthread_mutex_unlock(&f->lock);
	return 0;
}

static void fake_mem_wrote(struct vm *vm, uint64_t offset, uint64_t len)
{
	struct fakevm *f = fakevm_of(vm);

	pthread_mutex_lock(&f->lock);
	f->n_wrote++;
	f->wrote_offset = offset;
	f->wrote_len = len;
	pthread_mutex_unlock(&f->lock);
}

static int fake_vcpu_init(struct vcpu *cpu, struct err *e)
{
	(void)cpu;
	(void)e;
	return 0;
}

static void fake_vcpu_fini(struct vcpu *cpu)
{
	(void)cpu;
}

static int fake_vcpu_reset(struct vcpu *cpu)
{
	fakevm_of(cpu->vm)->n_resets++;
	return 0;
}

static int fake_get_state(struct vcpu *cpu, struct cpu_state *s)
{
	memset(s, 0, sizeof(*s));
	if (!cpu->index)
		*s = fakevm_of(cpu->vm)->state;
	return 0;
}

static int fake_set_state(struct vcpu *cpu, const struct cpu_state *s)
{
	if (!cpu->index)
		fakevm_of(cpu->vm)->state = *s;
	return 0;
}

void fakevm_wait(struct vcpu *cpu)
{
	struct fakevm *f = fakevm_of(cpu->vm);

	pthread_mutex_lock(&f->lock);
	while (!f->kick[cpu->index])
		pthread_cond_wait(&f->kicked, &f->lock);
	f->kick[cpu->index] = false;
	pthread_mutex_unlock(&f->lock);
}

static int fake_run(struct vcpu *cpu, enum vcpu_exit *why, struct err *e)
{
	struct fakevm *f = fakevm_of(cpu->vm);

	if (f->run)
		return f->run(cpu, why, e);
	fakevm_wait(cpu);
	*why = VCPU_KICKED;
	return 0;
}

static void fake_kick(struct vcpu *cpu)
{
	struct fakevm *f = fakevm_of(cpu->vm);

	pthread_mutex_lock(&f->lock);
	f->kick[cpu->index] = true;
	pthread_cond_broadcast(&f->kicked);
	pthread_mutex_unlock(&f->lock);
}

static void fake_msi(struct vm *vm, uint64_t addr, uint32_t data)
{
	struct fakevm *f = fakevm_of(vm);

	pthread_mutex_lock(&f->lock);
	if (f->n_msi < FAKE_MAX_MSI) {
		f->msi[f->n_msi].addr = addr;
		f->msi[f->n_msi].data = data;
	}
	f->n_msi++;
	pthread_mutex_unlock(&f->lock);
}

static void fake_ext_int(struct vm *vm, bool level)
{
	struct fakevm *f = fakevm_of(vm);

	pthread_mutex_lock(&f->lock);
	f->n_ext_int += f->ext_int != level;
	f->ext_int = level;
	pthread_mutex_unlock(&f->lock);
}

static void fake_route(struct vm *vm, unsigned pin, bool masked, uint64_t addr,
		       uint32_t data)
{
	struct fakevm *f = fakevm_of(vm);

	if (pin >= 24)
		return;
	pthread_mutex_lock(&f->lock);
	f->routes[pin].set = true;
	f->routes[pin].masked = masked;
	f->routes[pin].addr = addr;
	f->routes[pin].data = data;
	pthread_mutex_unlock(&f->lock);
}

const struct accel accel_fake = {
	.name = "fake",
	.vm_init = fake_vm_init,
	.vm_fini = fake_vm_fini,
	.mem_changed = fake_mem_changed,
	.mem_wrote = fake_mem_wrote,
	.vcpu_init = fake_vcpu_init,
	.vcpu_fini = fake_vcpu_fini,
	.vcpu_reset = fake_vcpu_reset,
	.get_state = fake_get_state,
	.set_state = fake_set_state,
	.run = fake_run,
	.kick = fake_kick,
	.msi = fake_msi,
	.ext_int = fake_ext_int,
	.route = fake_route,
};

void fakevm_config(struct vm_config *config, uint64_t memory, unsigned cpus)
{
	*config = (struct vm_config){
		.memory = memory,
		.topology = { cpus, 1, cpus, 1 },
		.cpu = CPU_V2,
		.accel = &accel_fake,
		.virtual_clock = true,
		.debug_fd = -1,
	};
}

struct vm *fakevm_bare(uint64_t memory, unsigned cpus)
{
	struct vm_config config;
	struct vm *vm = NULL;
	struct err e = { "" };

	fakevm_config(&config, memory, cpus);
	CHECK_OK(vm_new_bare(&config, NULL, 0, &vm, &e));
	return vm;
}

struct vm *fakevm_pc(uint64_t memory, unsigned cpus)
{
	struct vm_config config;
	struct vm *vm = NULL;
	struct err e = { "" };

	fakevm_config(&config, memory, cpus);
	CHECK_OK(vm_new(&config, &vm, &e));
	return vm;
}

struct vm *fakevm_irq(uint64_t memory)
{
	struct vm *vm = fakevm_bare(memory, 1);
	struct err e = { "" };

	CHECK_OK(pic_new(vm, &vm->pic, &e));
	CHECK_OK(ioapic_new(vm, &vm->ioapic, &e));
	CHECK_OK(pci_bus_new(vm, &vm->pci, &e));
	CHECK_OK(acpi_pm_new(vm, &vm->acpi, &e));
	return vm;
}

void fakevm_init_pic(struct vm *vm)
{
	for (unsigned port = 0x20; port <= 0xa0; port += 0x80) {
		bus_write(vm, BUS_PIO, port, 1, 0x11);
		bus_write(vm, BUS_PIO, port + 1, 1, port == 0x20 ? 0x30 : 0x38);
		bus_write(vm, BUS_PIO, port + 1, 1, port == 0x20 ? 4 : 2);
		bus_write(vm, BUS_PIO, port + 1, 1, 3);
	}
}

void fakevm_real_clock(struct vm *vm)
{
	vm->config.virtual_clock = false;
	vm->clock.is_virtual = false;
}

void fakevm_pass(struct vm *vm, uint64_t ns)
{
	uint64_t end = vm_now(vm) + ns, next;

	while ((next = clock_next(vm)) <= end) {
		clock_advance(vm, next);
		vm_lock(vm);
		clock_run(vm);
		vm_unlock(vm);
	}
	clock_advance(vm, end);
}
