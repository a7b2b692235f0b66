/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smbios.c - dmidecode reads the SMBIOS tables out of guest memory, and firmware
 * gets the same ones.
 */
#include <stdio.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/scratch.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/chip/smbios.h"
#include "vmm/pc.h"

#define RAM (64u << 20)

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* The structures, one after the other, up to the end's. */
static unsigned count(const uint8_t *t, size_t len, unsigned largest)
{
	size_t at = 0, next;
	unsigned n = 0;

	for (;; at = next) {
		CHECK(at + 4 <= len && t[at + 1] >= 4);
		next = at + t[at + 1];
		while (next + 2 <= len && (t[next] || t[next + 1]))
			next++;
		next += 2;
		CHECK(next <= len && next - at <= largest);
		n++;
		if (t[at] == 127)
			break;
	}
	CHECK_EQ(next, len);
	return n;
}

static const uint8_t *load(struct vm *vm)
{
	const uint8_t *a;
	struct err e = { "" };

	CHECK_OK(smbios_load_direct(vm, &e));
	a = mem_ptr(vm, PC_SMBIOS_AREA, PC_SMBIOS_LEN, MEM_READ);
	CHECK(a && !memcmp(a, "_SM_", 4) && !memcmp(a + 16, "_DMI_", 5));
	CHECK_EQ(sum(a, a[5]), 0);
	CHECK_EQ(sum(a + 16, 15), 0);
	CHECK(get_le32(a + 24) > PC_SMBIOS_AREA);
	CHECK_EQ(count(a + get_le32(a + 24) - PC_SMBIOS_AREA,
		       get_le16(a + 22), get_le16(a + 8)), get_le16(a + 28));
	return a;
}

/* Firmware's tables are those bytes, its anchor those but for the address. */
static void test_files(void)
{
	struct vm *vm = fakevm_bare(RAM, 2);
	const uint8_t *a = load(vm), *anchor, *tables;
	struct err e = { "" };
	size_t len;

	CHECK_OK(fwcfg_new(vm, &vm->fwcfg, &e));
	CHECK_OK(smbios_add_files(vm, &e));
	tables = fwcfg_file(vm->fwcfg, "etc/smbios/smbios-tables", &len);
	CHECK(tables && len == get_le16(a + 22));
	CHECK(!memcmp(tables, a + get_le32(a + 24) - PC_SMBIOS_AREA, len));
	anchor = fwcfg_file(vm->fwcfg, "etc/smbios/smbios-anchor", &len);
	CHECK(anchor && len == 31);
	CHECK_EQ(get_le32(anchor + 24), 0);
	CHECK_EQ(sum(anchor, 31), 0);
	CHECK_EQ(sum(anchor + 16, 15), 0);
	CHECK_EQ(get_le16(anchor + 28), get_le16(a + 28));
	vm_free(vm);
}

static void expect(const char *pattern, unsigned times)
{
	char command[200];

	snprintf(command, sizeof(command), "test \"$(grep -c '%s' out)\" = %u",
		 pattern, times);
	if (system(command)) {
		CHECK_EQ(system("cat out >&2"), 0);
		fprintf(stderr, "smbios: wanted %u of \"%s\"\n", times, pattern);
		exit(1);
	}
}

static void dmidecode(struct vm *vm)
{
	FILE *f = fopen("mem", "wb");

	load(vm);
	CHECK(f);
	CHECK_EQ(fwrite(vm->mem.base, 1, 1 << 20, f), 1 << 20);
	CHECK_EQ(fclose(f), 0);
	CHECK_EQ(system("PATH=$PATH:/usr/sbin:/sbin; "
			"dmidecode --no-sysfs -d mem >out 2>&1"), 0);
	expect("[Ii]nvalid\\|TRUNCATED\\|OUT OF SPEC\\|broken\\|[Ww]rong", 0);
	expect("SMBIOS 2.8 present", 1);
	expect("^End Of Table", 1);
}

static void test_dmidecode(void)
{
	struct vm *vm = fakevm_bare(RAM, 1);

	dmidecode(vm);
	expect("DMI type 4,", 1);
	expect("DMI type 17,", 1);
	expect("^.Size: 64 MB", 1);
	expect("Maximum Capacity: 64 MB", 1);
	expect("Range Size: 64 MB", 1);
	expect("System is a virtual machine", 1);
	vm->config.topology = (struct cpu_topology){ 24, 2, 6, 2 };
	/* 100 GiB: as the tables see it. */
	vm->mem.ram = 100ull << 30;
	vm->mem.low = MEM_LOW_MAX;
	dmidecode(vm);
	expect("DMI type 4,", 2);
	expect("Core Count: 6", 2);
	expect("Thread Count: 12", 2);
	expect("DMI type 17,", 7);
	expect("^.Size: 16 GB", 6);
	expect("^.Size: 4 GB", 1);
	expect("Maximum Capacity: 100 GB", 1);
	expect("Range Size: 3 GB", 1);
	expect("Range Size: 97 GB", 1);
	/* 6 TiB: addresses that KiB do not reach; 1 TiB and more a module. */
	vm->mem.ram = 6ull << 40;
	dmidecode(vm);
	expect("DMI type 17,", 48);
	expect("^.Size: 128 GB", 48);
	expect("Range Size: 6141 GB", 1);
	vm->mem.ram = RAM;
	vm->mem.low = RAM;
	vm_free(vm);
}

int main(void)
{
	test_files();
	if (system("PATH=$PATH:/usr/sbin:/sbin; command -v dmidecode "
		   ">/dev/null")) {
		puts("no dmidecode");
		return 77;
	}
	scratch_enter();
	test_dmidecode();
	return 0;
}
