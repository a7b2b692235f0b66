/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exits.c - run a ROM (exits.S) on KVM and print how many microseconds it took,
 * choosing the accelerator included.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "vmm/chip/ioapic.h"
#include "vmm/vm.h"

#define ROM_LEN 0x10000u

struct bench {
	struct device dev;
	struct region region;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void port_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	(void)size;
	(void)value;
	(void)offset;
	dev->vm->accel->kick(&dev->vm->vcpus[0]);
}

static void nothing(struct device *dev)
{
	(void)dev;
}

static const struct region_ops ops = { .write = port_write, .max_size = 4 };
static const struct device_ops dev_ops = { .name = "bench", .fini = nothing };

static int run(const void *rom, struct bench *b, struct err *e)
{
	struct vm_config config = {
		.memory = 16u << 20, .accel = &accel_kvm, .debug_fd = -1,
		.topology = { 1, 1, 1, 1 },
	};
	enum vcpu_exit why;
	struct vm *vm;
	int rc = vm_new_bare(&config, rom, ROM_LEN, &vm, e);

	if (rc)
		return rc;
	device_add(vm, &b->dev, &dev_ops);
	bus_add(vm, &b->region, &b->dev, &ops, BUS_PIO, 0xf4, 1);
	rc = ioapic_new(vm, &vm->ioapic, e);
	mem_reset(vm);
	if (!rc)
		rc = accel_kvm.vcpu_init(&vm->vcpus[0], e);
	if (!rc)
		rc = accel_kvm.vcpu_reset(&vm->vcpus[0]);
	if (!rc)
		rc = accel_kvm.run(&vm->vcpus[0], &why, e);
	accel_kvm.vcpu_fini(&vm->vcpus[0]);
	vm_free(vm);
	return rc;
}

int main(int argc, char **argv)
{
	static uint8_t rom[ROM_LEN];
	struct accel_report report;
	struct err e = { "" };
	struct bench b = { .region = { 0 } };
	double start;
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;

	if (!f || fread(rom, 1, ROM_LEN, f) != ROM_LEN)
		return 2;
	fclose(f);
	start = now_us();
	accel_auto(&report);
	if (run(rom, &b, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	printf("%.0f\n", now_us() - start);
	return 0;
}
