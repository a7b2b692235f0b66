/* SPDX-License-Identifier: GPL-2.0-or-later */
/* statevm.c - a machine with every device there is.  See statevm.h. */
#include "tests/lib/statevm.h"

#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "imgfmt/base/bytes.h"
#include "imgfmt/imgfmt.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pci.h"
#include "vmm/pc.h"
#include "vmm/state.h"
#include "vmm/virtio/blk.h"

#define MEMORY	 (20u << 20)
#define DISK	 (256u << 10)
#define N_MMIO	 5u		/* rng, console, balloon, disk, net */
#define N_BLK	 3u
#define RINGS	 0x100000u	/* of 64 KiB for each of these */

static const unsigned n_queues[N_MMIO] = { 1, 2, 4, 2, 2 };

/* Ports where something is; of some there are several. */
static const struct { uint16_t first, n; } ports[] = {
	{ 0x20, 2 }, { 0xa0, 2 }, { 0x4d0, 2 }, { 0x40, 4 }, { 0x43, 1 },
	{ 0x61, 1 }, { 0x70, 2 }, { 0x60, 1 }, { 0x64, 1 }, { 0x80, 1 },
	{ 0x92, 1 }, { 0xe0, 12 }, { 0x2000, 24 }, { 0x3f8, 8 }, { 0x2f8, 8 },
	{ 0x3e8, 8 }, { 0x2e8, 8 }, { 0xcf8, 8 }, { 0x510, 2 }, { 0x514, 8 },
	{ PC_PM_BASE, 64 }, { 0x3c0, 16 }, { 0x3d4, 2 }, { 0x3da, 1 },
	{ 0x1ce, 2 },
};
/* Behind the VGA's registers. */
#define FIRST_VIRTIO (PC_PCI_MEM + MEM_VIDEO + 0x4000)

static const struct { uint32_t first, n; } memory[] = {
	{ IOAPIC_BASE + 0x10, 1 }, { 0xff000000, 16 },
	{ PC_MMIO_BASE, N_MMIO * PC_MMIO_LEN },
	/* Common configuration, ISR, MSI-X, of the first PCI device. */
	{ FIRST_VIRTIO, 0x38 }, { FIRST_VIRTIO + 0x4000, 0x40 },
	{ FIRST_VIRTIO + 0x1000, 1 }, { FIRST_VIRTIO + 0x3000, 1 },
	{ 0xa0000, 16 }, { 0xb8000, 16 }, { PC_PCI_MEM + MEM_VIDEO + 0x400, 64 },
	{ PC_PCI_MEM + MEM_VIDEO + 0x500, 22 },
};

static void add_devices(struct vm *vm)
{
	static const uint8_t file[100];
	struct vm_chardev nowhere = { -1, -1 };
	struct vm_disk disk = { .bus = VM_BUS_MMIO, .serial = "s",
				.queues = 2 };
	struct vm_net net = {
		.bus = VM_BUS_MMIO, .n_asks = 1,
		.asks = { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 10 } },
	};
	struct img *img;
	struct err e = { "" };

	for (unsigned i = 0; i < 4; i++)
		CHECK_OK(vm_add_serial(vm, &nowhere, &e));
	CHECK_OK(vm_add_rng(vm, VM_BUS_MMIO, &e));
	CHECK_OK(vm_add_console(vm, VM_BUS_MMIO, &nowhere, &e));
	CHECK_OK(vm_add_balloon(vm, VM_BUS_MMIO, &e));
	CHECK_OK(img_memory(DISK, &img, &e));
	CHECK_OK(vm_add_disk(vm, img, &disk, &e));
	CHECK_OK(vm_add_net(vm, &net, &e));
	CHECK_OK(vm_add_rng(vm, VM_BUS_PCI, &e));
	CHECK_OK(vm_add_console(vm, VM_BUS_PCI, &nowhere, &e));
	CHECK_OK(fwcfg_add_file(vm->fwcfg, "a", file, 40, true));
	CHECK_OK(fwcfg_add_file(vm->fwcfg, "b", file, 100, false));
	CHECK_OK(fwcfg_add_file(vm->fwcfg, "c", file, 60, true));
}

struct vm *statevm_new(void)
{
	struct vm_config config;
	struct vm *vm = NULL;
	struct err e = { "" };

	fakevm_config(&config, MEMORY, 2);
	config.test_devices = true;
	config.screen = VM_SCREEN_VGA;
	CHECK_OK(vm_new(&config, &vm, &e));
	add_devices(vm);
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->reset)
			dev->ops->reset(dev);
	mem_reset(vm);
	pci_assign_resources(vm);
	return vm;
}

static uint64_t roll(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void note(struct statevm_trace *t, uint64_t value, const char *what,
		 uint64_t where)
{
	CHECK(t->n < STATEVM_TRACE);
	snprintf(t->what[t->n], sizeof(t->what[0]), "%s 0x%llx", what,
		 (unsigned long long)where);
	t->values[t->n++] = value;
}

static void touch(struct vm *vm, enum bus_space space, uint64_t at,
		  uint64_t *random, struct statevm_trace *t)
{
	uint64_t r = roll(random);
	unsigned size = 1u << (r % (space == BUS_PIO ? 3 : 4));

	if (r >> 8 & 1)
		bus_write(vm, space, at, size, roll(random));
	else
		note(t, bus_read(vm, space, at, size),
		     space == BUS_PIO ? "port" : "memory", at);
}

/* What PAM lets through. */
static void touch_pam(struct vm *vm, uint64_t *random, struct statevm_trace *t)
{
	uint64_t r = roll(random), gpa = 0xc0000 + r % 0x3ffff;
	uint8_t bytes[2] = { (uint8_t)(r >> 32), (uint8_t)(r >> 40) };

	if (r >> 48 & 1)
		note(t, (uint64_t)mem_write(vm, gpa, bytes, 2), "write", gpa);
	note(t, (uint64_t)mem_read(vm, gpa, bytes, 2), "read", gpa);
	note(t, get_le16(bytes), "memory", gpa);
}

/* A register of a PCI function that there is, by its ports. */
static void touch_config(struct vm *vm, uint64_t *random,
			 struct statevm_trace *t)
{
	static const uint8_t devfns[] = { 0x00, 0x08, 0x0b, 0x10, 0x18, 0x20 };
	uint64_t r = roll(random);
	uint32_t address = 0x80000000u |
		(uint32_t)devfns[r % sizeof(devfns)] << 8 | (r >> 8 & 0xfc);

	bus_write(vm, BUS_PIO, 0xcf8, 4, address);
	touch(vm, BUS_PIO, 0xcfc + (r >> 16) % 4, random, t);
}

static void touch_ioapic(struct vm *vm, uint64_t *random,
			 struct statevm_trace *t)
{
	uint64_t r = roll(random);

	bus_write(vm, BUS_MMIO, IOAPIC_BASE, 4, r % 0x41);
	if (r >> 8 & 1)
		bus_write(vm, BUS_MMIO, IOAPIC_BASE + 0x10, 4, r >> 16);
	else
		note(t, bus_read(vm, BUS_MMIO, IOAPIC_BASE + 0x10, 4), "ioapic",
		     r % 0x41);
}

/* The lower half of the features. */
static uint64_t offered(struct vm *vm, uint64_t regs)
{
	bus_write(vm, BUS_MMIO, regs + 0x14, 4, 0);
	return bus_read(vm, BUS_MMIO, regs + 0x10, 4);
}

/* What a driver does, over virtio-mmio: set one queue up, and go. */
static void start_driver(struct vm *vm, unsigned n, uint64_t *random)
{
	uint64_t regs = PC_MMIO_BASE + n * PC_MMIO_LEN, r = roll(random);
	uint64_t ring = RINGS + n * 0x10000ull;
	const struct { unsigned reg; uint64_t value; } writes[] = {
		{ 0x70, 0 }, { 0x70, 3 }, { 0x24, 0 },
		{ 0x20, r & offered(vm, regs) },
		{ 0x24, 1 }, { 0x20, 1 }, { 0x70, 0xb },
		{ 0x30, (r >> 40) % n_queues[n] },
		{ 0x38, 8 }, { 0x80, ring }, { 0x90, ring + 0x1000 },
		{ 0xa0, ring + 0x2000 }, { 0x44, 1 }, { 0x70, 0xf },
	};
	static const uint8_t zeroes[0x3000];

	CHECK(!mem_write(vm, ring, zeroes, sizeof(zeroes)));
	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		bus_write(vm, BUS_MMIO, regs + writes[i].reg, 4,
			  writes[i].value);
}

/* One more request, of one buffer that is mostly right; and the doorbell. */
static void add_request(struct vm *vm, unsigned n, uint64_t *random)
{
	uint64_t ring = RINGS + n * 0x10000ull, r = roll(random);
	uint8_t desc[16], idx[2], head[2];
	unsigned i = r % 8;

	put_le64(desc, ring + 0x4000 + (r >> 8 & 0x7fff));
	put_le32(desc + 8, r >> 24 & 0xfff);
	put_le16(desc + 12, r >> 40 & 2);
	put_le16(desc + 14, 0);
	put_le16(head, (uint16_t)(i + (r >> 44 & 0x1f ? 0 : 100)));
	CHECK(!mem_write(vm, ring + 16 * i, desc, sizeof(desc)));
	CHECK(!mem_read(vm, ring + 0x1002, idx, 2));
	CHECK(!mem_write(vm, ring + 0x1004 + 2 * (get_le16(idx) % 8u), head, 2));
	put_le16(idx, (uint16_t)(get_le16(idx) + 1));
	CHECK(!mem_write(vm, ring + 0x1002, idx, 2));
	bus_write(vm, BUS_MMIO, PC_MMIO_BASE + n * PC_MMIO_LEN + 0x50, 4,
		  (r >> 50) % n_queues[n]);
}

/* A disk's request of three buffers: header, data, status. */
static void add_blk_request(struct vm *vm, uint64_t *random)
{
	static const uint8_t types[] = { 0, 1, 1, 4, 8, 11, 13, 0 };
	uint64_t ring = RINGS + N_BLK * 0x10000ull, r = roll(random);
	uint64_t sector = r >> 8 & 0x1ff;
	uint8_t header[16] = { types[r & 7] }, descs[3][16], idx[2], zero[2];
	uint32_t len = 512u << (r >> 20 & 3);

	/* Discard, write zeroes: the same 16 bytes say sector and how many. */
	put_le64(header + 8, sector);
	if (header[0] > 10)
		len = 16;
	for (unsigned i = 0; i < 3; i++) {
		put_le16(descs[i] + 12, i < 2);
		put_le16(descs[i] + 14, (uint16_t)(i + 1));
	}
	put_le64(descs[0], ring + 0xd000);
	put_le32(descs[0] + 8, sizeof(header));
	put_le64(descs[1], ring + (len == 16 ? 0xd008 : 0x4000 + (r >> 30 & 0x3fff)));
	put_le32(descs[1] + 8, len);
	if (header[0] == 0 || header[0] == 8)
		descs[1][12] |= 2;
	put_le64(descs[2], ring + 0xe000 + (r >> 50 & 0xff));
	put_le32(descs[2] + 8, 1);
	descs[2][12] = 2;
	put_le16(zero, 0);
	CHECK(!mem_write(vm, ring + 0xd000, header, sizeof(header)));
	put_le32(header, 1 + (uint32_t)(r >> 60));
	CHECK(!mem_write(vm, ring + 0xd010, header, 8));
	CHECK(!mem_write(vm, ring, descs, sizeof(descs)));
	CHECK(!mem_read(vm, ring + 0x1002, idx, 2));
	CHECK(!mem_write(vm, ring + 0x1004 + 2 * (get_le16(idx) % 8u), zero, 2));
	put_le16(idx, (uint16_t)(get_le16(idx) + 1));
	CHECK(!mem_write(vm, ring + 0x1002, idx, 2));
	bus_write(vm, BUS_MMIO, PC_MMIO_BASE + N_BLK * PC_MMIO_LEN + 0x50, 4,
		  r >> 58 & 1);
}

/* A descriptor of fw_cfg's DMA: select and read, write or skip. */
static void fwcfg_dma(struct vm *vm, uint64_t *random)
{
	uint64_t r = roll(random);
	uint8_t d[16];

	put_be32(d, (uint32_t)(0x20 + r % 3) << 16 | (r >> 8 & 0x1e));
	put_be32(d + 4, r >> 16 & 0x3f);
	put_be64(d + 8, RINGS + 0x80000);
	CHECK(!mem_write(vm, RINGS + 0x90000, d, sizeof(d)));
	bus_write(vm, BUS_PIO, 0x518, 4, __builtin_bswap32(RINGS + 0x90000));
}

/* `focus` is the group of ports that most accesses go to. */
static void one(struct vm *vm, uint64_t focus, uint64_t *random,
		struct statevm_trace *t)
{
	uint64_t r = roll(random), i;
	unsigned what = (unsigned)(r % 28);

	r >>= 8;
	if (what < 10) {
		i = (what < 7 ? focus : r) % (sizeof(ports) /
					      sizeof(ports[0]));
		touch(vm, BUS_PIO, ports[i].first + (r >> 16) % ports[i].n,
		      random, t);
	} else if (what < 14) {
		i = r % (sizeof(memory) / sizeof(memory[0]));
		touch(vm, BUS_MMIO, memory[i].first + (r >> 16) % memory[i].n,
		      random, t);
	} else if (what == 14) {
		note(t, (uint64_t)irq_ack_pic(vm), "INTA", 0);
	} else if (what == 15) {
		irq_eoi(vm, (uint8_t)r);
	} else if (what < 18) {
		touch_config(vm, random, t);
	} else if (what == 18) {
		start_driver(vm, (unsigned)(r % N_MMIO), random);
	} else if (what < 21) {
		add_request(vm, (unsigned)(r % N_MMIO), random);
	} else if (what > 25) {
		add_blk_request(vm, random);
	} else if (what == 21) {
		fwcfg_dma(vm, random);
	} else if (what == 25) {
		touch_ioapic(vm, random, t);
	} else if (what == 24) {
		touch_pam(vm, random, t);
	} else {
		fakevm_pass(vm, r % (what == 22 ? 100000 : 10000000));
	}
}

void statevm_operate(struct vm *vm, uint64_t seed, unsigned n,
		     struct statevm_trace *t)
{
	struct fakevm *f = fakevm_of(vm);
	uint64_t random = seed * 0x9e3779b97f4a7c15u | 1, focus = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned before = f->n_msi;

		if (i % 100 == 0)
			focus = roll(&random) >> 8;
		one(vm, focus, &random, t);
		note(t, f->ext_int, "ext_int at", i);
		for (; before < f->n_msi && before < FAKE_MAX_MSI; before++)
			note(t, f->msi[before].addr ^
			     (uint64_t)f->msi[before].data << 32,
			     "message", i);
		f->n_msi = 0;
		note(t, clock_next(vm), "next timer at", i);
	}
	for (unsigned pin = 0; pin < 24; pin++)
		note(t, f->routes[pin].addr ^
		     (uint64_t)f->routes[pin].data << 32 ^
		     f->routes[pin].masked, "route", pin);
}

static void sweep_vga(struct vm *vm, struct statevm_trace *t)
{
	static const struct { uint16_t port, n; } indexed[] = {
		{ 0x3c4, 8 }, { 0x3ce, 9 }, { 0x3d4, 25 },
	};

	for (unsigned i = 0; i < 3; i++)
		for (unsigned at = 0; at < indexed[i].n; at++) {
			bus_write(vm, BUS_PIO, indexed[i].port, 1, at);
			note(t, bus_read(vm, BUS_PIO, indexed[i].port + 1u, 1),
			     "vga", at);
		}
	for (unsigned at = 0; at < 21; at++) {
		bus_read(vm, BUS_PIO, 0x3da, 1);
		bus_write(vm, BUS_PIO, 0x3c0, 1, at);
		note(t, bus_read(vm, BUS_PIO, 0x3c1, 1), "attribute", at);
	}
	for (unsigned at = 0; at < 768; at++)
		note(t, bus_read(vm, BUS_PIO, 0x3c9, 1), "color", at);
	for (unsigned at = 0; at < 11; at++) {
		bus_write(vm, BUS_PIO, 0x1ce, 2, at);
		note(t, bus_read(vm, BUS_PIO, 0x1cf, 2), "vbe", at);
	}
}

void statevm_sweep(struct vm *vm, struct statevm_trace *t)
{
	static const uint8_t devfns[] = { 0x00, 0x08, 0x0b, 0x10, 0x18, 0x20 };
	uint64_t i, at;

	for (i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		for (at = 0; at < 4u * ports[i].n; at++)
			note(t, bus_read(vm, BUS_PIO, ports[i].first + at / 4,
					 1), "port", ports[i].first + at / 4);
	for (i = 0; i < 20; i++)
		note(t, bus_read(vm, BUS_PIO, 0x3f8, 1), "receiver", i);
	for (i = 0; i < 128; i++) {
		bus_write(vm, BUS_PIO, 0x70, 1, i);
		note(t, bus_read(vm, BUS_PIO, 0x71, 1), "cmos", i);
	}
	for (i = 0; i < 32; i++) {
		bus_write(vm, BUS_PIO, 0x64, 1, 0x20 + i);
		note(t, bus_read(vm, BUS_PIO, 0x60, 1), "8042", i);
	}
	for (i = 0; i < 3; i++) {
		bus_write(vm, BUS_PIO, 0x510, 2, 0x20 + i);
		for (at = 0; at < 110; at++)
			note(t, bus_read(vm, BUS_PIO, 0x511, 1), "fw_cfg", i);
	}
	for (i = 0; i < 64; i++) {
		bus_write(vm, BUS_MMIO, IOAPIC_BASE, 4, i);
		note(t, bus_read(vm, BUS_MMIO, IOAPIC_BASE + 0x10, 4), "ioapic",
		     i);
	}
	for (i = 0; i < sizeof(memory) / sizeof(memory[0]); i++)
		for (at = 0; at < memory[i].n; at += 4)
			note(t, bus_read(vm, BUS_MMIO, memory[i].first + at, 4),
			     "memory", memory[i].first + at);
	for (i = 0; i < sizeof(devfns) * 64; i++) {
		bus_write(vm, BUS_PIO, 0xcf8, 4, 0x80000000u | (uint32_t)
			  devfns[i / 64] << 8 | i % 64 * 4);
		note(t, bus_read(vm, BUS_PIO, 0xcfc, 4), "config", i * 4);
	}
	sweep_vga(vm, t);
	/* Whoever waits for time to pass. */
	fakevm_pass(vm, 2 * NS_PER_S);
	note(t, fakevm_of(vm)->ext_int, "ext_int", 0);
	note(t, clock_next(vm), "next timer", 0);
}

void statevm_pause(struct vm *vm)
{
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->pause)
			dev->ops->pause(dev);
}

void statevm_resume(struct vm *vm)
{
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->resume)
			dev->ops->resume(dev);
}

void statevm_forget(struct vm *vm)
{
	fakevm_of(vm)->n_msi = 0;
}

static void same_bytes(const void *a, size_t a_len, const void *b,
		       size_t b_len, const char *when)
{
	const uint8_t *x = a, *y = b;
	size_t i = 0;

	while (i < a_len && i < b_len && x[i] == y[i])
		i++;
	if (i == a_len && i == b_len)
		return;
	fprintf(stderr, "%s: states of %zu and %zu bytes differ at %zu, behind",
		when, a_len, b_len, i);
	for (size_t j = i < 60 ? 0 : i - 60; j < i; j++)
		fputc(x[j] >= ' ' && x[j] < 127 ? x[j] : '.', stderr);
	fputc('\n', stderr);
	exit(1);
}

static void same_states(struct vm *a, struct vm *b, const char *when)
{
	size_t a_len, b_len;
	void *x, *y;
	struct err e;

	CHECK_OK(state_save(a, &x, &a_len, &e));
	CHECK_OK(state_save(b, &y, &b_len, &e));
	same_bytes(x, a_len, y, b_len, when);
	free(x);
	free(y);
}

static void same_traces(const struct statevm_trace *a,
			const struct statevm_trace *b, const char *when)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (a->values[i] == b->values[i])
			continue;
		fprintf(stderr, "%s: %s: 0x%llx, and 0x%llx in the copy\n",
			when, a->what[i], (unsigned long long)a->values[i],
			(unsigned long long)b->values[i]);
		exit(1);
	}
	CHECK_EQ(a->n, b->n);
}

static struct blk *disk(struct vm *vm)
{
	struct device *dev = vm->devices;

	while (strcmp(dev->ops->name, "virtio-blk"))
		dev = dev->next;
	return (struct blk *)(void *)dev;
}

static void copy_disk(struct vm *to, struct vm *from)
{
	static uint8_t bytes[DISK];

	CHECK(!img_read(disk(from)->img, bytes, DISK, 0));
	CHECK(!img_write(disk(to)->img, bytes, DISK, 0));
}

static void same_disks(struct vm *a, struct vm *b, const char *when)
{
	static uint8_t x[DISK], y[DISK];

	CHECK(!img_read(disk(a)->img, x, DISK, 0));
	CHECK(!img_read(disk(b)->img, y, DISK, 0));
	same_bytes(x, DISK, y, DISK, when);
}

void statevm_load(struct vm *to, struct vm *from)
{
	struct err e = { "" };
	void *state;
	size_t len;

	CHECK_OK(state_save(from, &state, &len, &e));
	CHECK(to->mem.size == from->mem.size);
	memcpy(to->mem.base, from->mem.base, from->mem.size);
	copy_disk(to, from);
	CHECK_OK(state_load(to, state, len, &e));
	free(state);
	same_states(from, to, "after loading");
}

struct vm *statevm_twin(struct vm *vm)
{
	struct vm *twin = statevm_new();

	statevm_pause(vm);
	statevm_pause(twin);
	statevm_load(twin, vm);
	statevm_resume(vm);
	statevm_resume(twin);
	return twin;
}

void statevm_same(struct vm *a, struct vm *b, const struct statevm_trace *x,
		  const struct statevm_trace *y, const char *when)
{
	same_traces(x, y, when);
	statevm_pause(a);
	statevm_pause(b);
	same_states(a, b, when);
	same_bytes(a->mem.base, a->mem.size, b->mem.base, b->mem.size, when);
	same_disks(a, b, when);
}
