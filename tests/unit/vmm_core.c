/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm_core.c - guest memory, busses and the clock of a machine without chips. */
#include <errno.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static void memory_map(void)
{
	static uint8_t rom[0x40000];
	struct vm_config config;
	struct err e = { "" };
	uint64_t gpa, len, n;
	uint8_t b[64];
	struct vm *vm;

	memset(rom, 0x5a, sizeof(rom));
	rom[0x3fff0] = 0xea;	/* the reset vector */
	rom[0x20000] = 0x11;	/* what shows at 0xe0000 */
	fakevm_config(&config, 5 * GIB, 1);
	CHECK_OK(vm_new_bare(&config, rom, sizeof(rom), &vm, &e));

	CHECK(mem_ram_range(vm, 0, &gpa, &len) && gpa == 0 && len == 0xa0000);
	CHECK(mem_ram_range(vm, 1, &gpa, &len) && gpa == MIB);
	CHECK_EQ(len, 3 * GIB - MIB);
	CHECK(mem_ram_range(vm, 2, &gpa, &len) && gpa == 4 * GIB);
	CHECK_EQ(len, 2 * GIB);
	CHECK(!mem_ram_range(vm, 3, &gpa, &len));

	/* The ROM shows at both ends, and cannot be written. */
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xfffffff0, 1), 0xea);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xffff0, 1), 0xea);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xe0000, 1), 0x11);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xc0000, 1), 0xff);
	bus_write(vm, BUS_MMIO, 0xffff0, 1, 0);
	bus_write(vm, BUS_MMIO, 0xfffffff0, 1, 0);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xfffffff0, 2), 0x5aea);
	CHECK(!mem_ptr(vm, 0xfffffff0, 1, MEM_WRITE));
	CHECK(!mem_ptr(vm, 0xfffffff0, 17, MEM_READ));
	CHECK(mem_ptr(vm, 0xfffffff0, 16, MEM_READ));

	/* PAM: read from ROM while RAM takes the writes, then the RAM. */
	n = vm->mem.generation;
	mem_set_pam(vm, 12, false, true);
	CHECK_EQ(vm->mem.generation, n + 1);
	bus_write(vm, BUS_MMIO, 0xffff0, 2, 0x1234);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xffff0, 1), 0xea);
	CHECK(!mem_ptr(vm, 0xffff0, 1, MEM_READ | MEM_WRITE));
	mem_set_pam(vm, 12, true, false);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xffff0, 2), 0x1234);
	bus_write(vm, BUS_MMIO, 0xffff0, 2, 0);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xffff0, 2), 0x1234);
	mem_set_pam(vm, 12, true, true);
	mem_set_pam(vm, 11, true, true);
	CHECK(mem_ptr(vm, 0xec000, 0x8000, MEM_READ | MEM_WRITE));
	CHECK(mem_ptr(vm, 0xec000, 0x14000, MEM_READ | MEM_WRITE));
	CHECK(mem_ptr(vm, 0xec000, 0x14001, MEM_READ | MEM_WRITE));
	CHECK(!mem_ptr(vm, 0xe8000, 0x8000, MEM_READ | MEM_WRITE));
	mem_set_pam(vm, 13, true, true);	/* no such slot */
	mem_reset(vm);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xffff0, 1), 0xea);

	/* Ends and holes. */
	CHECK(mem_ptr(vm, 3 * GIB - 16, 16, MEM_WRITE));
	CHECK(!mem_ptr(vm, 3 * GIB - 16, 17, MEM_WRITE));
	CHECK(!mem_ptr(vm, 6 * GIB, 1, MEM_READ));
	CHECK(!mem_ptr(vm, 6 * GIB - 1, 2, MEM_READ));
	CHECK(!mem_ptr(vm, UINT64_MAX, 2, MEM_READ));
	CHECK(!mem_ptr(vm, 16, UINT64_MAX, MEM_READ));
	CHECK(!mem_ptr(vm, 0xa0000, 1, MEM_READ));
	n = 1000;
	CHECK(mem_ptr_some(vm, 0x9ffff, &n, MEM_READ) && n == 1);
	CHECK_EQ(mem_write(vm, 0x9fff8, "0123456789abcdef", 16), -EFAULT);
	CHECK_EQ(mem_read(vm, 0x9fff8, b, 8), 0);
	CHECK(!memcmp(b, "01234567", 8));
	CHECK_EQ(fakevm_of(vm)->wrote_offset, 0x9fff8);

	/* Above 4 GiB is the part of the block behind the low RAM. */
	CHECK_EQ(mem_write(vm, 4 * GIB, "high", 4), 0);
	CHECK_EQ(fakevm_of(vm)->wrote_offset, 3 * GIB);
	CHECK_EQ(mem_release(vm, 4 * GIB, 4096), 0);
	CHECK_EQ(mem_read(vm, 4 * GIB, b, 4), 0);
	CHECK(!memcmp(b, "\0\0\0\0", 4));
	CHECK_EQ(mem_release(vm, 4 * GIB + 1, 4096), -EFAULT);
	CHECK_EQ(mem_release(vm, 0xfffff000, 4096), -EFAULT);
	vm_free(vm);
}

static void bad_sizes(void)
{
	static const uint64_t bad[] = {
		0, 1, MIB - 4096, MIB + 1, (1ull << 40) + 4096, UINT64_MAX,
	};
	struct vm_config config;
	static uint8_t rom[100];
	struct err e;
	struct vm *vm;
	unsigned i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fakevm_config(&config, bad[i], 1);
		CHECK_EQ(vm_new_bare(&config, NULL, 0, &vm, &e), -EINVAL);
		CHECK(strstr(e.text, "memory is"));
	}
	fakevm_config(&config, MIB, 1);
	CHECK_EQ(vm_new_bare(&config, rom, sizeof(rom), &vm, &e), -EINVAL);
	fakevm_config(&config, MIB, 0);
	CHECK_EQ(vm_new_bare(&config, NULL, 0, &vm, &e), -EINVAL);
	fakevm_config(&config, MIB, 4);
	config.topology.cores = 3;
	CHECK_EQ(vm_new_bare(&config, NULL, 0, &vm, &e), -EINVAL);
	/* Far more than the host has, of which nothing is touched. */
	fakevm_config(&config, 1ull << 40, 1);
	CHECK_OK(vm_new_bare(&config, NULL, 0, &vm, &e));
	CHECK_EQ(mem_write(vm, (1ull << 40), "x", 1), 0);
	vm_free(vm);
}

/* A device that notes what it was asked. */
struct probe {
	struct device dev;
	struct region a, b, c;
	char log[256];
};

static uint64_t probe_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct probe *p = (struct probe *)dev;
	size_t n = strlen(p->log);

	snprintf(p->log + n, sizeof(p->log) - n, "r%u@%llx ", size,
		 (unsigned long long)offset);
	return 0x8877665544332211ull >> (8 * (offset & 7));
}

static void probe_write(struct device *dev, uint64_t offset, unsigned size,
			uint64_t value)
{
	struct probe *p = (struct probe *)dev;
	size_t n = strlen(p->log);

	snprintf(p->log + n, sizeof(p->log) - n, "w%u@%llx=%llx ", size,
		 (unsigned long long)offset, (unsigned long long)value);
}

static void probe_fini(struct device *dev)
{
	(void)dev;
}

static const struct device_ops probe_ops = {
	.name = "probe", .fini = probe_fini
};
static const struct region_ops bytes = { probe_read, probe_write, 1, 0 };
static const struct region_ops wide = { probe_read, probe_write, 8, 0 };
static const struct region_ops silent = { .max_size = 4 };

static const char *took(struct probe *p)
{
	static char text[256];

	strcpy(text, p->log);
	p->log[0] = 0;
	return text;
}

static void busses(void)
{
	struct vm *vm = fakevm_bare(MIB, 1);
	struct probe p = { .log = "" };

	device_add(vm, &p.dev, &probe_ops);
	bus_add(vm, &p.a, &p.dev, &bytes, BUS_PIO, 0x60, 8);
	bus_add(vm, &p.b, &p.dev, &wide, BUS_PIO, 0x64, 16);
	bus_add(vm, &p.c, &p.dev, &wide, BUS_MMIO, 0xfed00000, 8);

	/* Split to what the region takes; the first region wins. */
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x60, 4), 0x44332211);
	CHECK_STR(took(&p), "r1@0 r1@1 r1@2 r1@3 ");
	bus_write(vm, BUS_PIO, 0x66, 4, 0xddccbbaa);
	CHECK_STR(took(&p), "w1@6=aa w1@7=bb w2@4=ddcc ");
	/* Nobody: all ones. */
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x5e, 4), 0x2211ffff);
	CHECK_STR(took(&p), "r1@0 r1@1 ");
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x100, 4), 0xffffffff);
	bus_write(vm, BUS_PIO, 0x100, 4, 1);
	CHECK_STR(took(&p), "");
	/* Over the end of the port space. */
	bus_move(vm, &p.a, 0, true);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0xffff, 2), 0x11ff);
	CHECK_STR(took(&p), "r1@0 ");
	/* Moved, and off. */
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x64, 8), 0x8877665544332211);
	CHECK_STR(took(&p), "r8@0 ");
	bus_move(vm, &p.b, 0x64, false);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x64, 1), 0xff);
	CHECK_STR(took(&p), "");

	/* Device memory: over the end of the region, and odd widths. */
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xfed00006, 4), 0xffff8877);
	CHECK_STR(took(&p), "r1@6 r1@7 ");
	bus_write(vm, BUS_MMIO, 0xfed00001, 3, 0xffccbbaa);
	CHECK_STR(took(&p), "w2@1=bbaa w1@3=cc ");
	/* Memory hides a region, at the very end of the space none wraps. */
	bus_move(vm, &p.c, 0x1000, true);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0x1000, 8), 0);
	CHECK_STR(took(&p), "");
	bus_move(vm, &p.c, UINT64_MAX - 7, true);
	CHECK_EQ(bus_read(vm, BUS_MMIO, UINT64_MAX, 1), 0x88);
	CHECK_STR(took(&p), "r1@7 ");
	bus_move(vm, &p.c, UINT64_MAX - 6, true);
	CHECK_EQ(bus_read(vm, BUS_MMIO, UINT64_MAX, 1), 0xff);
	/* From memory into nothing. */
	bus_write(vm, BUS_MMIO, 0x9fffc, 8, 0x1122334455667788);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0x9fffc, 8), 0xffffffff55667788);
	/* A region may leave out both calls. */
	p.b.ops = &silent;
	bus_move(vm, &p.b, 0x70, true);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x70, 1), 0xff);
	bus_write(vm, BUS_PIO, 0x70, 1, 0);
	vm_free(vm);
}

static char fired[64];

static void fire(void *arg)
{
	strcat(fired, arg);
}

static struct vm_timer again;

static void fire_again(void *arg)
{
	fire(arg);
	vm_timer_arm(&again, again.when + (strlen(fired) < 5 ? 10 : 1000));
}

static void timers(void)
{
	struct vm *vm = fakevm_bare(MIB, 1);
	struct vm_timer a, b, c;

	CHECK_EQ(clock_next(vm), -1);
	vm_timer_init(&a, vm, fire, "a");
	vm_timer_init(&b, vm, fire, "b");
	vm_timer_init(&c, vm, fire, "c");
	vm_timer_arm(&a, 300);
	vm_timer_arm(&b, 200);
	vm_timer_arm(&c, 200);
	vm_timer_arm(&a, 100);		/* moved */
	vm_timer_cancel(&b);
	vm_timer_cancel(&b);
	vm_timer_arm(&b, 200);		/* behind c now */
	CHECK_EQ(clock_next(vm), 100);
	fakevm_pass(vm, 199);
	CHECK_STR(fired, "a");
	CHECK(!a.armed && b.armed);
	fakevm_pass(vm, 1);
	CHECK_STR(fired, "acb");
	CHECK_EQ(vm_now(vm), 200);
	clock_advance(vm, 150);
	CHECK_EQ(vm_now(vm), 200);	/* never back */

	fired[0] = 0;
	vm_timer_init(&again, vm, fire_again, "x");
	vm_timer_arm(&again, 210);
	fakevm_pass(vm, 500);
	CHECK_STR(fired, "xxxxx");
	vm_timer_cancel(&again);
	CHECK_EQ(clock_scale(10 * NS_PER_S, 3579545, NS_PER_S), 35795450);
	CHECK_EQ(clock_scale(UINT64_MAX, 1, 2), UINT64_MAX / 2);
	vm_free(vm);
}

int main(void)
{
	memory_map();
	bad_sizes();
	busses();
	timers();
	return 0;
}
