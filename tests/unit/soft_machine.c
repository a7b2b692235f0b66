/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_machine.c - the software CPU in a machine: the reset vector, device memory,
 * code that a device writes or that the chipset remaps, kicks, CPUs that wait.
 */
#include <pthread.h>

#include "tests/check.h"
#include "vmm/accel/soft/machine.h"
#include "vmm/vm.h"

#define MMIO 0xa0000u

struct probe {
	struct device dev;
	struct region region;
	struct vm *vm;
	_Atomic uint32_t last;		/* what the guest wrote last */
	_Atomic unsigned writes;
};

static uint64_t probe_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	return offset << 8 | size;
}

static void probe_write(struct device *dev, uint64_t offset, unsigned size,
			uint64_t value)
{
	struct probe *p = (struct probe *)dev;

	(void)offset;
	(void)size;
	p->last = (uint32_t)value;
	p->writes++;
}

static void probe_fini(struct device *dev)
{
	(void)dev;
}

static const struct region_ops probe_io = { probe_read, probe_write, 4, 0 };
static const struct device_ops probe_ops = { .name = "probe",
					     .fini = probe_fini };

static struct probe probe;
static struct vm *vm;

static void begin(unsigned cpus, const uint8_t *rom, size_t len)
{
	struct vm_config config = { .memory = 4 << 20, .accel = &accel_soft,
		.debug_fd = -1, .topology = { cpus, 1, cpus, 1 } };
	struct err e = { "" };

	memset(&probe, 0, sizeof(probe));
	CHECK_OK(vm_new_bare(&config, rom, len, &vm, &e));
	probe.vm = vm;
	device_add(vm, &probe.dev, &probe_ops);
	bus_add(vm, &probe.region, &probe.dev, &probe_io, BUS_MMIO, MMIO,
		0x1000);
	mem_reset(vm);
	for (unsigned i = 0; i < cpus; i++) {
		CHECK_OK(accel_soft.vcpu_init(&vm->vcpus[i], &e));
		CHECK_OK(accel_soft.vcpu_reset(&vm->vcpus[i]));
	}
}

static void finish(void)
{
	for (unsigned i = 0; i < vm->config.topology.cpus; i++)
		accel_soft.vcpu_fini(&vm->vcpus[i]);
	vm_free(vm);
}

/* Real mode at `rip`, with ES at the device. */
static void start_at(uint64_t rip)
{
	struct cpu_state s;

	cpu_reset_state(&s);
	s.seg[CPU_CS].base = 0;
	s.seg[CPU_CS].limit = 0xfffff;
	s.seg[CPU_ES].base = MMIO;
	s.rip = rip;
	CHECK_EQ(accel_soft.set_state(&vm->vcpus[0], &s), 0);
}

static void *run(void *arg)
{
	enum vcpu_exit why;
	struct err e = { "" };

	CHECK_OK(accel_soft.run(arg, &why, &e));
	return (void *)(uintptr_t)why;
}

static pthread_t thread;

static void start(unsigned cpu)
{
	CHECK_EQ(pthread_create(&thread, NULL, run, &vm->vcpus[cpu]), 0);
}

static enum vcpu_exit stop(unsigned cpu)
{
	void *why;

	accel_soft.kick(&vm->vcpus[cpu]);
	pthread_join(thread, &why);
	return (enum vcpu_exit)(uintptr_t)why;
}

static void wait_for(uint32_t value)
{
	while (atomic_load(&probe.last) != value)
		sched_yield();
}

/* mov word es:[0], imm16; jmp -9: says `value` again and again. */
static void say_for_ever(uint8_t *code, uint16_t value)
{
	const uint8_t bytes[] = { 0x26, 0xc7, 0x06, 0, 0, (uint8_t)value,
				  (uint8_t)(value >> 8), 0xeb, 0xf7 };

	memcpy(code, bytes, sizeof(bytes));
}

static void test_reset_vector(void)
{
	static uint8_t rom[65536];
	struct cpu_state s;

	/* mov ax, 0x1234; mov [0x500], ax; mov bx, [0x500]; jmp -2 */
	memcpy(rom + 0xfff0, "\xb8\x34\x12\xa3\x00\x05\x8b\x1e\x00\x05\xeb\xfe",
	       12);
	begin(1, rom, sizeof(rom));
	start(0);
	do
		CHECK_EQ(mem_read(vm, 0x500, &s.gpr[0], 2), 0);
	while ((uint16_t)s.gpr[0] != 0x1234);
	CHECK_EQ(stop(0), VCPU_KICKED);
	CHECK_EQ(accel_soft.get_state(&vm->vcpus[0], &s), 0);
	CHECK_EQ(s.rip, 0xfffa);
	CHECK_EQ(s.gpr[CPU_RBX], 0x1234);
	/* And on from there. */
	start(0);
	CHECK_EQ(stop(0), VCPU_KICKED);
	finish();
}

static void test_device_memory(void)
{
	struct cpu_state s;

	begin(1, NULL, 0);
	/* mov eax, es:[0x10]; mov es:[4], eax; jmp -2 */
	CHECK_EQ(mem_write(vm, 0x1000, "\x26\x66\xa1\x10\x00\x26\x66\xa3\x04\x00"
			   "\xeb\xfe", 12), 0);
	start_at(0x1000);
	start(0);
	wait_for(0x1004);
	stop(0);
	CHECK_EQ(accel_soft.get_state(&vm->vcpus[0], &s), 0);
	CHECK_EQ(s.gpr[CPU_RAX], 0x1004);
	CHECK_EQ(probe.writes, 1);
	finish();
}

/* A loop that another thread's write turns into another one, many times. */
static void test_device_writes_code(void)
{
	begin(1, NULL, 0);
	for (unsigned i = 1; i < 200; i++) {
		uint8_t code[16];

		say_for_ever(code, (uint16_t)i);
		CHECK_EQ(mem_write(vm, 0x1000, code, 9), 0);
		if (i == 1) {
			start_at(0x1000);
			start(0);
		}
		wait_for(i);
	}
	CHECK_EQ(stop(0), VCPU_KICKED);
	finish();
}

/* The chipset shows RAM, then ROM, where the CPU runs. */
static void test_remap(void)
{
	static uint8_t rom[131072];
	struct cpu_state s;

	say_for_ever(rom + 0x10000, 7);		/* shows at 0xf0000 */
	begin(1, rom, sizeof(rom));
	mem_set_pam(vm, 12, true, true);
	say_for_ever(mem_ptr(vm, 0xf0000, 16, MEM_WRITE), 8);
	start_at(0);
	CHECK_EQ(accel_soft.get_state(&vm->vcpus[0], &s), 0);
	s.seg[CPU_CS].base = 0xf0000;
	CHECK_EQ(accel_soft.set_state(&vm->vcpus[0], &s), 0);
	start(0);
	for (unsigned i = 0; i < 50; i++) {
		wait_for(8);
		mem_set_pam(vm, 12, false, false);
		wait_for(7);
		mem_set_pam(vm, 12, true, false);
	}
	CHECK_EQ(stop(0), VCPU_KICKED);
	finish();
}

static void test_waiting_cpu(void)
{
	begin(2, NULL, 0);
	for (unsigned i = 0; i < 10; i++) {
		start(1);
		CHECK_EQ(stop(1), VCPU_DEAD);
	}
	finish();
}

/* A host without SSE4.2 makes it an x86-64-v1, and nobody gets less than asked. */
static void test_model(void)
{
	CHECK_EQ(soft_model(CPU_HOST, NULL), CPU_V2);
	CHECK_EQ(soft_model(CPU_V1, NULL), CPU_V1);
	CHECK_EQ(soft_model(CPU_V2, NULL), CPU_V2);
	CHECK(soft_model(CPU_V3, NULL) < CPU_V3);
	CHECK_EQ(soft_model(CPU_HOST, "SSE4.2"), CPU_V1);
	CHECK(soft_model(CPU_V2, "SSE4.2") < CPU_V2);
}

int main(void)
{
	test_model();
	test_reset_vector();
	test_device_memory();
	test_device_writes_code();
	test_remap();
	test_waiting_cpu();
	return 0;
}
