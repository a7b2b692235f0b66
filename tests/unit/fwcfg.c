/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fwcfg.c - fw_cfg's ports, directory and DMA, with descriptors that lie. */
#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "vmm/boot/firmware.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/pc.h"

#define RAM	(16u << 20)
#define DESC	0x200000u
#define DATA	0x300000u

#define READ	0x02u
#define SKIP	0x04u
#define SELECT	0x08u
#define WRITE	0x10u

static struct vm *machine(void)
{
	struct vm *vm = fakevm_bare(RAM, 2);
	struct err e = { "" };

	CHECK_OK(fwcfg_new(vm, &vm->fwcfg, &e));
	return vm;
}

static void select_key(struct vm *vm, unsigned key)
{
	bus_write(vm, BUS_PIO, 0x510, 2, key);
}

static unsigned next(struct vm *vm)
{
	return (unsigned)bus_read(vm, BUS_PIO, 0x511, 1);
}

static void read_key(struct vm *vm, unsigned key, void *buf, size_t len)
{
	select_key(vm, key);
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)next(vm);
}

static void start(struct vm *vm, uint64_t desc)
{
	bus_write(vm, BUS_PIO, 0x514, 4, __builtin_bswap32((uint32_t)(desc >> 32)));
	bus_write(vm, BUS_PIO, 0x518, 4, __builtin_bswap32((uint32_t)desc));
}

/* One transfer; the control word afterwards. */
static uint32_t dma(struct vm *vm, uint32_t control, uint32_t len, uint64_t gpa)
{
	uint8_t d[16];

	put_be32(d, control);
	put_be32(d + 4, len);
	put_be64(d + 8, gpa);
	CHECK_EQ(mem_write(vm, DESC, d, 16), 0);
	start(vm, DESC);
	CHECK_EQ(mem_read(vm, DESC, d, 16), 0);
	CHECK_EQ(get_be32(d + 4), len);
	return get_be32(d);
}

static uint8_t *ram(struct vm *vm, uint64_t gpa, uint64_t len)
{
	uint8_t *p = mem_ptr(vm, gpa, len, MEM_READ | MEM_WRITE);

	CHECK(p);
	return p;
}

static void test_ports(void)
{
	struct vm *vm = machine();
	uint8_t b[8];

	read_key(vm, FWCFG_SIGNATURE, b, 6);
	CHECK(!memcmp(b, "QEMU\0\0", 6));
	read_key(vm, FWCFG_ID, b, 4);
	CHECK_EQ(get_le32(b), 3);
	/* The old write mode selects the same; data writes do nothing. */
	select_key(vm, 0x4000);
	bus_write(vm, BUS_PIO, 0x511, 1, 'x');
	CHECK_EQ(next(vm), 'Q');
	/* Not selectors: bytes, and the data port. */
	bus_write(vm, BUS_PIO, 0x510, 1, 1);
	bus_write(vm, BUS_PIO, 0x511, 2, 1);
	CHECK_EQ(next(vm), 'E');
	select_key(vm, 0x7777);
	CHECK_EQ(next(vm), 0);
	select_key(vm, 0x3fff);
	CHECK_EQ(next(vm), 0);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x514, 4), 0x554d4551);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x518, 4), 0x47464320);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0x51b, 1), 'G');
	vm_free(vm);
}

static void test_files(void)
{
	struct vm *vm = machine();
	struct fwcfg *f = vm->fwcfg;
	static const char *const names[] = { "etc/a", "etc/b", "genroms/z" };
	char long_name[100] = "";
	uint8_t dir[4 + 3 * 64], b[8];
	size_t len;

	CHECK_EQ(fwcfg_add_file(f, "genroms/z", "zzz", 3, false), 0);
	CHECK_EQ(fwcfg_add_file(f, "etc/b", "bb", 2, false), 0);
	CHECK_EQ(fwcfg_add_file(f, "etc/a", "", 0, false), 0);
	CHECK_EQ(fwcfg_add_file(f, "etc/b", "BBBB", 4, false), 0);
	read_key(vm, FWCFG_FILE_DIR, dir, sizeof(dir));
	CHECK_EQ(get_be32(dir), 3);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_STR((char *)dir + 4 + 64 * i + 8, names[i]);
		CHECK_EQ(get_be16(dir + 4 + 64 * i + 4), 0x20 + i);
		CHECK_EQ(get_be16(dir + 4 + 64 * i + 6), 0);
	}
	CHECK_EQ(get_be32(dir + 4), 0);
	CHECK_EQ(get_be32(dir + 68), 4);
	read_key(vm, 0x21, b, 5);
	CHECK(!memcmp(b, "BBBB", 5));
	CHECK(!memcmp(fwcfg_file(f, "genroms/z", &len), "zzz", 3));
	CHECK_EQ(len, 3);
	CHECK(!fwcfg_file(f, "none", &len));
	memset(long_name, 'x', 56);
	CHECK(fwcfg_add_file(f, long_name, "", 0, false) < 0);
	/* An item that shrinks while it is read. */
	CHECK_EQ(fwcfg_set(f, 5, "12345678", 8), 0);
	read_key(vm, 5, b, 8);
	CHECK_EQ(fwcfg_set(f, 5, "x", 1), 0);
	CHECK_EQ(next(vm), 'x');
	CHECK_EQ(next(vm), 0);
	for (unsigned i = 3; i < 256; i++) {
		snprintf(long_name, sizeof(long_name), "f%u", i);
		CHECK_EQ(fwcfg_add_file(f, long_name, "", 0, false), 0);
	}
	CHECK(fwcfg_add_file(f, "one more", "", 0, false) < 0);
	vm_free(vm);
}

static void test_dma(void)
{
	struct vm *vm = machine();
	struct fwcfg *f = vm->fwcfg;
	uint8_t *p = ram(vm, DATA, 64);
	unsigned wrote;

	CHECK_EQ(fwcfg_set(f, 5, "0123456789", 10), 0);
	memset(p, 0xee, 64);
	wrote = fakevm_of(vm)->n_wrote;
	CHECK_EQ(dma(vm, 5 << 16 | SELECT | READ, 4, DATA), 0);
	CHECK(!memcmp(p, "0123\xee", 5));
	/* The CPU's decoded code is void there. */
	CHECK(fakevm_of(vm)->n_wrote > wrote);
	CHECK_EQ(dma(vm, SKIP, 2, 0), 0);
	CHECK_EQ(dma(vm, READ, 6, DATA), 0);
	CHECK(!memcmp(p, "6789\0\0\xee", 7));
	/* Behind the end: zeroes; of what is not there, too. */
	CHECK_EQ(dma(vm, SELECT | SKIP | 5 << 16, 0xffffffff, 0), 0);
	CHECK_EQ(next(vm), 0);
	/* Skipping stops at the end, too. */
	CHECK_EQ(dma(vm, SELECT | SKIP | 5 << 16, 2, 0), 0);
	CHECK_EQ(dma(vm, SKIP, 9, 0), 0);
	memset(p, 0xee, 8);
	CHECK_EQ(dma(vm, READ, 4, DATA), 0);
	CHECK(!memcmp(p, "\0\0\0\0\xee", 5));
	memset(p, 0xee, 8);
	CHECK_EQ(dma(vm, 0x99 << 16 | SELECT | READ, 8, DATA), 0);
	CHECK(bytes_are_zero(p, 8));
	CHECK_EQ(dma(vm, SELECT | 5 << 16, 99, DATA), 0);
	CHECK_EQ(next(vm), '0');
	/* One write of 8 bytes starts, too. */
	CHECK_EQ(dma(vm, 0, 0, 0), 0);
	put_be32(ram(vm, DESC, 16), SELECT | READ | 5 << 16);
	put_be32(ram(vm, DESC, 16) + 4, 3);
	put_be64(ram(vm, DESC, 16) + 8, DATA + 16);
	bus_write(vm, BUS_PIO, 0x514, 8, __builtin_bswap64(DESC));
	CHECK(!memcmp(p + 16, "012", 3));
	vm_free(vm);
}

static void test_dma_lies(void)
{
	struct vm *vm = machine();
	struct fwcfg *f = vm->fwcfg;
	uint8_t *p = ram(vm, DATA, 4096);

	CHECK_EQ(fwcfg_set(f, 5, "0123456789", 10), 0);
	/* To nowhere: device memory, behind RAM, wrapping around. */
	CHECK_EQ(dma(vm, 5 << 16 | SELECT | READ, 4, 0xfec00000), 1);
	CHECK_EQ(dma(vm, 5 << 16 | SELECT | READ, 4, RAM - 2), 1);
	CHECK_EQ(dma(vm, 5 << 16 | SELECT | READ, 4, UINT64_MAX - 1), 1);
	CHECK_EQ(dma(vm, 5 << 16 | SELECT | READ, 4, 1ull << 60), 1);
	/* 4 GiB of zeroes: refused before anything is written. */
	memset(p, 0xee, 64);
	CHECK_EQ(dma(vm, 5 << 16 | SELECT | READ, 0xffffffff, DATA), 1);
	CHECK_EQ(p[20], 0xee);
	/* Not writable. */
	CHECK_EQ(dma(vm, 5 << 16 | SELECT | WRITE, 4, DATA), 1);
	CHECK_EQ(dma(vm, 0x99 << 16 | SELECT | WRITE, 4, DATA), 1);
	/* The descriptor itself is nowhere, or half. */
	start(vm, 0xfec00000);
	start(vm, RAM - 8);
	start(vm, UINT64_MAX);
	CHECK_EQ(dma(vm, 5 << 16 | SELECT | READ, 4, DESC + 14), 0);
	select_key(vm, 5);
	CHECK_EQ(next(vm), '0');
	vm_free(vm);
}

static void test_write(void)
{
	struct vm *vm = machine();
	struct fwcfg *f = vm->fwcfg;
	const char *data;
	size_t len;

	CHECK_EQ(fwcfg_add_file(f, "etc/w", "--------", 8, true), 0);
	memcpy(ram(vm, DATA, 8), "abcdefgh", 8);
	CHECK_EQ(dma(vm, 0x20 << 16 | SELECT | SKIP, 2, 0), 0);
	CHECK_EQ(dma(vm, WRITE, 4, DATA), 0);
	data = fwcfg_file(f, "etc/w", &len);
	CHECK(!memcmp(data, "--abcd--", 8));
	CHECK_EQ(dma(vm, WRITE, 3, DATA), 1);
	CHECK_EQ(dma(vm, WRITE, 0xffffffff, DATA), 1);
	CHECK(!memcmp(data, "--abcd--", 8));
	/* A reset takes it back. */
	for (struct device *d = vm->devices; d; d = d->next)
		d->ops->reset(d);
	CHECK(!memcmp(fwcfg_file(f, "etc/w", &len), "--------", 8));
	vm_free(vm);
}

/* What SeaBIOS asks for, on a whole PC. */
static void test_firmware_items(void)
{
	static const char *const names[] = {
		"etc/e820", "etc/acpi/tables", "etc/acpi/rsdp",
		"etc/table-loader", "etc/smbios/smbios-tables",
		"etc/smbios/smbios-anchor", "etc/boot-fail-wait",
	};
	struct vm *vm = fakevm_pc(RAM, 3);
	struct err e = { "" };
	const uint8_t *map;
	uint8_t b[8];
	size_t len;

	CHECK_OK(firmware_tell(vm, &e));
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(fwcfg_file(vm->fwcfg, names[i], &len) && len);
	read_key(vm, FWCFG_NB_CPUS, b, 2);
	CHECK_EQ(get_le16(b), 3);
	read_key(vm, FWCFG_RAM_SIZE, b, 8);
	CHECK_EQ(get_le64(b), RAM);
	map = fwcfg_file(vm->fwcfg, "etc/e820", &len);
	CHECK_EQ(len, 3 * 20);
	CHECK_EQ(get_le64(map + 8), 0xa0000);
	CHECK_EQ(get_le32(map + 16), E820_RAM);
	CHECK_EQ(get_le64(map + 20), PC_ACPI_AREA);
	CHECK_EQ(get_le32(map + 36), E820_RESERVED);
	CHECK_EQ(get_le64(map + 40), 1 << 20);
	CHECK_EQ(get_le64(map + 48), RAM - (1 << 20));
	vm_free(vm);
}

int main(void)
{
	test_ports();
	test_files();
	test_dma();
	test_dma_lies();
	test_write();
	test_firmware_items();
	return 0;
}
