/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvmrig.c - tiny guests on KVM.  See kvmrig.h. */
#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/kvmrig.h"

#define MEMORY		(8u << 20)
#define PAGE_TABLES	0x70000u
#define STACK		0x70000u

static uint64_t mask(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (1ull << (8 * size)) - 1;
}

static struct rig_access *note(struct rig *rig, enum bus_space space,
			       bool write, uint64_t addr, unsigned size,
			       uint64_t value)
{
	struct rig_access *a;

	CHECK(rig->n_log < RIG_MAX_LOG);
	a = &rig->log[rig->n_log++];
	*a = (struct rig_access){ space, write, addr, size, value };
	return a;
}

static uint64_t rig_read(struct rig *rig, enum bus_space space, uint64_t addr,
			 unsigned size)
{
	struct rig_access *a = note(rig, space, false, addr, size, addr);

	a->value = (rig->read ? rig->read(rig, a) : addr) & mask(size);
	return a->value;
}

static void rig_write(struct rig *rig, enum bus_space space, uint64_t addr,
		      unsigned size, uint64_t value)
{
	struct rig_access *a = note(rig, space, true, addr, size, value);

	if (rig->wrote)
		rig->wrote(rig, a);
}

static uint64_t port_read(struct device *dev, uint64_t offset, unsigned size)
{
	return rig_read((struct rig *)dev, BUS_PIO, RIG_PORT + offset, size);
}

static void port_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	rig_write((struct rig *)dev, BUS_PIO, RIG_PORT + offset, size, value);
}

static uint64_t mmio_read(struct device *dev, uint64_t offset, unsigned size)
{
	return rig_read((struct rig *)dev, BUS_MMIO, RIG_MMIO + offset, size);
}

static void mmio_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	rig_write((struct rig *)dev, BUS_MMIO, RIG_MMIO + offset, size, value);
}

static void done_write(struct device *dev, uint64_t offset, unsigned size,
		       uint64_t value)
{
	struct rig *rig = (struct rig *)dev;

	(void)offset;
	(void)size;
	rig->done = (uint32_t)value;
	for (unsigned i = 0; i < rig->vm->config.topology.cpus; i++)
		rig->vm->accel->kick(&rig->vm->vcpus[i]);
}

static const struct region_ops done_ops = { .write = done_write,
					    .max_size = 4 };
static const struct region_ops port_ops = { port_read, port_write, 4, 0 };
static const struct region_ops mmio_ops = { mmio_read, mmio_write, 8, 0 };

static void rig_fini(struct device *dev)
{
	(void)dev;
}

static const struct device_ops rig_ops = { .name = "rig", .fini = rig_fini };

struct rig *rig_new(unsigned cpus, const void *rom, size_t rom_len)
{
	struct vm_config config = {
		.memory = MEMORY, .accel = &accel_kvm, .debug_fd = -1,
		.topology = { cpus, 1, cpus, 1 },
	};
	struct rig *rig = calloc(1, sizeof(*rig));
	struct err e = { "" };
	int rc;

	CHECK(rig);
	rc = vm_new_bare(&config, rom, rom_len, &rig->vm, &e);
	if (rc) {
		printf("no usable KVM: %s\n", e.text);
		exit(77);
	}
	device_add(rig->vm, &rig->dev, &rig_ops);
	bus_add(rig->vm, &rig->done_region, &rig->dev, &done_ops, BUS_PIO,
		RIG_DONE_PORT, 4);
	bus_add(rig->vm, &rig->port_region, &rig->dev, &port_ops, BUS_PIO,
		RIG_PORT, RIG_PORTS);
	bus_add(rig->vm, &rig->mmio_region, &rig->dev, &mmio_ops, BUS_MMIO,
		RIG_MMIO, RIG_MMIO_LEN);
	mem_reset(rig->vm);
	for (unsigned i = 0; i < cpus; i++) {
		CHECK_OK(accel_kvm.vcpu_init(&rig->vm->vcpus[i], &e));
		CHECK_OK(accel_kvm.vcpu_reset(&rig->vm->vcpus[i]));
	}
	return rig;
}

void rig_free(struct rig *rig)
{
	for (unsigned i = 0; i < rig->vm->config.topology.cpus; i++)
		accel_kvm.vcpu_fini(&rig->vm->vcpus[i]);
	vm_free(rig->vm);
	free(rig);
}

void rig_load(struct rig *rig, uint64_t gpa, const void *data, size_t len)
{
	CHECK_EQ(mem_write(rig->vm, gpa, data, len), 0);
}

static void start(struct rig *rig, struct cpu_state *s)
{
	struct err e = { "" };

	s->rip = RIG_CODE;
	s->gpr[CPU_RSP] = STACK;
	CHECK_OK(accel_kvm.set_state(&rig->vm->vcpus[0], s));
}

void rig_start16(struct rig *rig)
{
	struct cpu_state s;

	cpu_reset_state(&s);
	s.seg[CPU_CS].base = s.seg[CPU_CS].selector = 0;
	start(rig, &s);
}

void rig_start32(struct rig *rig)
{
	struct cpu_state s;

	cpu_reset_state(&s);
	cpu_set_flat32(&s);
	start(rig, &s);
}

void rig_start64(struct rig *rig)
{
	enum { PRESENT_WRITABLE_USER = 7, LARGE = 0x80 };
	struct cpu_state s;
	uint8_t entry[8];

	put_le64(entry, (PAGE_TABLES + 0x1000) | PRESENT_WRITABLE_USER);
	rig_load(rig, PAGE_TABLES, entry, 8);
	for (uint64_t i = 0; i < 4; i++) {
		put_le64(entry, (PAGE_TABLES + 0x2000 + i * 0x1000) |
			 PRESENT_WRITABLE_USER);
		rig_load(rig, PAGE_TABLES + 0x1000 + i * 8, entry, 8);
	}
	for (uint64_t i = 0; i < 2048; i++) {
		put_le64(entry, i << 21 | PRESENT_WRITABLE_USER | LARGE);
		rig_load(rig, PAGE_TABLES + 0x2000 + i * 8, entry, 8);
	}
	cpu_reset_state(&s);
	cpu_set_flat64(&s, PAGE_TABLES);
	start(rig, &s);
}

enum vcpu_exit rig_run(struct rig *rig, unsigned cpu)
{
	enum vcpu_exit why = VCPU_KICKED;
	struct err e = { "" };

	CHECK_OK(accel_kvm.run(&rig->vm->vcpus[cpu], &why, &e));
	return why;
}

void rig_check(const struct rig *rig, unsigned i, bool write, uint64_t addr,
	       unsigned size, uint64_t value)
{
	const struct rig_access *a = &rig->log[i];

	if (i < rig->n_log && a->write == write && a->addr == addr &&
	    a->size == size && a->value == value)
		return;
	fprintf(stderr, "access %u of %u: %s of %u at %#" PRIx64 ": %#" PRIx64
		", wanted %s of %u at %#" PRIx64 ": %#" PRIx64 "\n", i,
		rig->n_log, a->write ? "write" : "read", a->size, a->addr,
		a->value, write ? "write" : "read", size, addr, value);
	exit(1);
}
