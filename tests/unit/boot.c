/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.c - kernels by each boot protocol, sound and lying: what arrives in guest
 * memory and how vCPU 0 starts, against the protocols' documents.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/scratch.h"
#include "vmm/boot/boot.h"
#include "vmm/pc.h"

#define MIB (1u << 20)
#define RAM (64u * MIB)
#define FILE_LEN 16384u
#define RSDP 0xe0000u

static uint8_t file[FILE_LEN];

static void save(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(name, "wb");

	CHECK(f && fwrite(data, 1, len, f) == len && !fclose(f));
}

/* Load what is in `file`; 0 or the error. */
static int load(struct vm *vm, struct vm_boot names, struct err *e)
{
	struct e820_entry map[PC_E820_MAX];
	struct boot_machine machine = {
		.map = map, .n_map = pc_e820(vm, map), .rsdp = RSDP,
	};
	struct boot *boot;
	int rc;

	if (!names.kernel) {
		save("kernel", file, FILE_LEN);
		names.kernel = "kernel";
	}
	rc = boot_open(&names, &boot, e);
	if (rc)
		return rc;
	rc = boot_load(boot, vm, &machine, e);
	if (!rc) {
		/* As after a reset, over what is there. */
		memset(vm->mem.base + 2 * MIB, 0xee, 4096);
		rc = boot_load(boot, vm, &machine, e);
	}
	boot_close(boot);
	return rc;
}

static uint32_t peek32(struct vm *vm, uint64_t gpa)
{
	uint8_t b[4];

	CHECK(!mem_read(vm, gpa, b, 4));
	return get_le32(b);
}

static uint64_t peek64(struct vm *vm, uint64_t gpa)
{
	return peek32(vm, gpa) | (uint64_t)peek32(vm, gpa + 4) << 32;
}

static const char *peek_text(struct vm *vm, uint64_t gpa)
{
	static char text[256];

	CHECK(!mem_read(vm, gpa, text, sizeof(text)));
	text[255] = 0;
	return text;
}

/* An ELF file with one segment of 4096 bytes of 0xab at `paddr`, of which
 * 0x3000 bytes belong to the program, and a PVH note.
 */
static void make_elf(bool is_64, uint64_t paddr, uint32_t pvh_entry)
{
	uint8_t *ph = file + 64, *note = file + 256;

	memset(file, 0, sizeof(file));
	memcpy(file, "\177ELF\1\1\1", 7);
	file[4] = is_64 ? 2 : 1;
	put_le16(file + 16, 2);
	put_le16(file + 18, is_64 ? 62 : 3);
	put_le32(file + 24, 0xc0000000u + (uint32_t)paddr + 0x10);
	put_le16(file + (is_64 ? 54 : 42), is_64 ? 56 : 32);
	put_le16(file + (is_64 ? 56 : 44), 2);
	put_le32(file + (is_64 ? 32 : 28), 64);
	put_le32(ph, 1);
	put_le32(ph + (is_64 ? 56 : 32), 4);
	if (is_64) {
		put_le64(ph + 8, 4096);
		put_le64(ph + 16, 0xc0000000u + paddr);
		put_le64(ph + 24, paddr);
		put_le64(ph + 32, 4096);
		put_le64(ph + 40, 0x3000);
		put_le64(ph + 56 + 8, 256);
		put_le64(ph + 56 + 32, 20);
	} else {
		put_le32(ph + 4, 4096);
		put_le32(ph + 8, 0xc0000000u + (uint32_t)paddr);
		put_le32(ph + 12, (uint32_t)paddr);
		put_le32(ph + 16, 4096);
		put_le32(ph + 20, 0x3000);
		put_le32(ph + 32 + 4, 256);
		put_le32(ph + 32 + 16, 20);
	}
	put_le32(note, 4);
	put_le32(note + 4, 4);
	put_le32(note + 8, pvh_entry ? 18 : 17);
	memcpy(note + 12, "Xen", 4);
	put_le32(note + 16, pvh_entry);
	memset(file + 4096, 0xab, 4096);
}

static void put_multiboot(uint32_t flags)
{
	put_le32(file + 1024, 0x1badb002);
	put_le32(file + 1028, flags);
	put_le32(file + 1032, 0u - 0x1badb002 - flags);
}

static void check_segment(struct vm *vm, uint64_t paddr)
{
	CHECK_EQ(peek32(vm, paddr), 0xabababab);
	CHECK_EQ(peek32(vm, paddr + 4092), 0xabababab);
	for (unsigned i = 4096; i < 0x3000; i += 4)
		CHECK_EQ(peek32(vm, paddr + i), 0);
}

static void check_flat32(const struct cpu_state *s, unsigned code)
{
	CHECK_EQ(s->cr0 & CPU_CR0_PE, CPU_CR0_PE);
	CHECK_EQ(s->cr0 & CPU_CR0_PG, 0);
	CHECK_EQ(s->seg[CPU_CS].selector, code);
	CHECK_EQ(s->seg[CPU_CS].limit, 0xffffffff);
	CHECK_EQ(s->seg[CPU_DS].selector, code + 8);
	CHECK_EQ(s->seg[CPU_SS].base, 0);
	CHECK_EQ(s->rflags, 2);
}

static void test_multiboot(void)
{
	struct vm *vm = fakevm_pc(RAM, 1);
	const struct cpu_state *s = &fakevm_of(vm)->state;
	struct vm_boot names = {
		.append = "a b", .initrd = "env first",
		.modules = (const char *const[]){ "env", NULL },
	};
	struct err e = { "" };
	uint32_t mbi, mods, mmap;

	for (unsigned is_64 = 0; is_64 < 2; is_64++) {
		make_elf(is_64, 2 * MIB, 0);
		put_multiboot(3);
		save("env", "KEY=1\n", 6);
		CHECK_OK(load(vm, names, &e));
		check_segment(vm, 2 * MIB);
		check_flat32(s, 8);
		CHECK_EQ(s->gpr[CPU_RAX], 0x2badb002);
		CHECK_EQ(s->rip, 2 * MIB + 0x10);
	}
	mbi = (uint32_t)s->gpr[CPU_RBX];
	CHECK_EQ(peek32(vm, mbi) & 0x24d, 0x24d);
	CHECK_EQ(peek32(vm, mbi + 4), 640);
	/* What lies low stays out of the way of Xen, which starts from the top of
	 * the memory that the BIOS data area tells of.
	 */
	CHECK(mbi >= 0x9000 && mbi < 0x80000);
	CHECK(s->gdtr.base >= 0x9000 && s->gdtr.base < 0x80000);
	CHECK_EQ(peek32(vm, 0x413) & 0xffff, 640);
	CHECK_EQ(peek32(vm, mbi + 8), (RAM - MIB) / 1024);
	CHECK_STR(peek_text(vm, peek32(vm, mbi + 16)), "kernel a b");
	CHECK_EQ(peek32(vm, mbi + 20), 2);
	mods = peek32(vm, mbi + 24);
	CHECK_EQ(peek32(vm, mods) % 4096, 0);
	CHECK(peek32(vm, mods) >= 2 * MIB + 0x3000);
	CHECK_EQ(peek32(vm, mods + 4) - peek32(vm, mods), 6);
	CHECK(!memcmp(peek_text(vm, peek32(vm, mods)), "KEY=1\n", 6));
	CHECK_STR(peek_text(vm, peek32(vm, mods + 8)), "env first");
	CHECK(peek32(vm, mods + 16) >= peek32(vm, mods + 4));
	CHECK_STR(peek_text(vm, peek32(vm, mods + 24)), "env");
	mmap = peek32(vm, mbi + 48);
	CHECK_EQ(peek32(vm, mmap), 20);
	CHECK_EQ(peek64(vm, mmap + 4), 0);
	CHECK_EQ(peek32(vm, mmap + 20), 1);
	/* A descriptor table that fits the selectors. */
	CHECK_EQ(peek64(vm, s->gdtr.base + 8), 0x00cf9b000000ffff);
	CHECK_EQ(peek64(vm, s->gdtr.base + 16), 0x00cf93000000ffff);
	vm_free(vm);
}

/* The addresses in the header count, and the ELF header does not. */
static void test_multiboot_addresses(void)
{
	static const struct {
		unsigned field;
		uint32_t value;
		const char *text;
	} lies[] = {
		{ 1040, 4 * MIB + 2000, "load_addr" },	/* after header_addr */
		{ 1040, MIB, "load_addr" },		/* before the file */
		{ 1044, 4 * MIB - 28, "load_end_addr" },
		{ 1044, 4 * MIB + 65536, "bss_end_addr" },
		{ 1048, 4 * MIB + 0x100, "bss_end_addr" },
		{ 1048, RAM + 4096, "RAM there ends at 0x4000000" },
		{ 1052, 0, "entry" },
		{ 1052, RAM, "entry" },
		{ 1052, 0xa0000, "entry" },
	};
	struct vm *vm = fakevm_pc(RAM, 1);
	const struct cpu_state *s = &fakevm_of(vm)->state;
	struct vm_boot names = { 0 };
	struct err e = { "" };

	make_elf(false, 2 * MIB, 0);
	put_multiboot(0x10000);
	put_le32(file + 1036, 4 * MIB);		/* header_addr */
	put_le32(file + 1040, 4 * MIB - 24);	/* load_addr */
	put_le32(file + 1044, 4 * MIB + 0x200);	/* load_end_addr */
	put_le32(file + 1048, 4 * MIB + 0x400);	/* bss_end_addr */
	put_le32(file + 1052, 4 * MIB + 0x20);	/* entry_addr */
	memset(vm->mem.base + 4 * MIB, 0x77, 0x2000);
	CHECK_OK(load(vm, names, &e));
	CHECK_EQ(s->rip, 4 * MIB + 0x20);
	CHECK_EQ(peek32(vm, 4 * MIB), 0x1badb002);
	CHECK_EQ(peek32(vm, 4 * MIB + 0x200), 0);
	CHECK_EQ(peek32(vm, 4 * MIB + 0x3fc), 0);
	CHECK_EQ(peek32(vm, 4 * MIB + 0x400), 0x77777777);
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t old[4];

		memcpy(old, file + lies[i].field, 4);
		put_le32(file + lies[i].field, lies[i].value);
		e.text[0] = 0;
		CHECK(load(vm, names, &e) < 0 || !fprintf(stderr, "%u\n", i));
		if (!strstr(e.text, lies[i].text))
			fprintf(stderr, "%u: %s\n", i, e.text);
		CHECK(strstr(e.text, lies[i].text));
		memcpy(file + lies[i].field, old, 4);
	}
	put_le32(file + 1044, 4 * MIB + 65536);
	put_le32(file + 1048, 0);
	CHECK_EQ(load(vm, names, &e), -EUCLEAN);
	CHECK(strstr(e.text, "has only"));
	put_multiboot(8);
	CHECK_EQ(load(vm, names, &e), -ENOTSUP);
	CHECK(strstr(e.text, "multiboot flags are 0x8"));
	vm_free(vm);
}

static void test_pvh(void)
{
	struct vm *vm = fakevm_pc(RAM, 1);
	const struct cpu_state *s = &fakevm_of(vm)->state;
	struct vm_boot names = { .append = "quiet", .initrd = "initrd" };
	struct err e = { "" };
	uint32_t info, list, map;

	save("initrd", "content", 7);
	for (unsigned is_64 = 0; is_64 < 2; is_64++) {
		make_elf(is_64, 2 * MIB, 2 * MIB + 0x123);
		CHECK_OK(load(vm, names, &e));
		check_segment(vm, 2 * MIB);
		check_flat32(s, 8);
		CHECK_EQ(s->rip, 2 * MIB + 0x123);
	}
	info = (uint32_t)s->gpr[CPU_RBX];
	CHECK_EQ(peek32(vm, info), 0x336ec578);
	CHECK_EQ(peek32(vm, info + 4), 1);
	CHECK_EQ(peek32(vm, info + 12), 1);
	list = peek32(vm, info + 16);
	CHECK(!memcmp(peek_text(vm, peek64(vm, list)), "content", 7));
	CHECK_EQ(peek64(vm, list + 8), 7);
	CHECK_STR(peek_text(vm, peek64(vm, info + 24)), "quiet");
	CHECK_EQ(peek64(vm, info + 32), RSDP);
	map = peek32(vm, info + 40);
	CHECK(peek32(vm, info + 48) >= 3);
	CHECK_EQ(peek64(vm, map + 8), 640 * 1024);
	CHECK_EQ(peek32(vm, map + 16), 1);
	vm_free(vm);
}

/* Program headers that lie; each changed field and what the error names. */
static void test_elf_lies(void)
{
	static const struct {
		unsigned field, size;
		uint64_t value;
		const char *text;
	} lies[] = {
		{ 4, 1, 3, "ELF class" },
		{ 5, 1, 2, "byte order" },
		{ 18, 2, 183, "e_machine" },
		{ 32, 8, FILE_LEN - 8, "program header" },
		{ 32, 8, UINT64_MAX - 4, "e_phoff" },
		{ 54, 2, 55, "e_phentsize" },
		{ 56, 2, 0, "e_phnum" },
		{ 56, 2, 65535, "e_phnum" },
		{ 64 + 8, 8, UINT64_MAX - 100, "p_offset" },
		{ 64 + 24, 8, 0xa0000, "no RAM" },
		{ 64 + 24, 8, RAM - 4096, "RAM there ends at 0x4000000" },
		{ 64 + 24, 8, UINT64_MAX - 4096, "p_paddr" },
		{ 64 + 24, 8, 1ull << 32, "p_paddr" },
		{ 64 + 32, 8, FILE_LEN, "p_offset" },
		{ 64 + 32, 8, 0x3001, "p_filesz" },
		{ 64 + 40, 8, UINT64_MAX, "p_memsz" },
		{ 64 + 40, 8, RAM, "RAM there ends" },
		{ 64, 4, 2, "no ELF program header" },
		{ 256 + 8, 4, 17, "PVH entry" },
		{ 256 + 4, 4, 0xffffffff, "PVH entry" },
		{ 256, 4, 0xffffffff, "PVH entry" },
		{ 256 + 16, 4, 0, "PVH entry" },
		{ 256 + 16, 4, RAM, "PVH entry" },
	};
	struct vm *vm = fakevm_pc(RAM, 1);
	struct vm_boot names = { .append = "" };
	struct err e = { "" };

	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t value[8];

		make_elf(true, 2 * MIB, 2 * MIB);
		put_le64(value, lies[i].value);
		memcpy(file + lies[i].field, value, lies[i].size);
		e.text[0] = 0;
		CHECK(load(vm, names, &e) < 0 || !fprintf(stderr, "%u\n", i));
		if (!strstr(e.text, lies[i].text))
			fprintf(stderr, "%u: %s\n", i, e.text);
		CHECK(strstr(e.text, lies[i].text));
		CHECK(strstr(e.text, "'kernel'"));
	}
	/* Two segments in one place. */
	make_elf(true, 2 * MIB, 2 * MIB);
	memcpy(file + 64 + 112, file + 64, 56);
	put_le16(file + 56, 3);
	put_le64(file + 64 + 112 + 24, 2 * MIB + 0x2fff);
	CHECK_EQ(load(vm, names, &e), -EUCLEAN);
	CHECK(strstr(e.text, "overlaps"));
	vm_free(vm);
}

/* A kernel over all of the low memory leaves no room for what it must be told. */
static void test_no_room(void)
{
	struct vm *vm = fakevm_pc(RAM, 1);
	struct vm_boot names = { .append = "quiet", .initrd = "initrd" };
	struct err e = { "" };

	make_elf(true, 0x1000, 0x1000);
	put_le64(file + 64 + 40, 0x9f000 - 0x1000);
	CHECK_EQ(load(vm, (struct vm_boot){ 0 }, &e), -ENOSPC);
	CHECK(strstr(e.text, "no room"));
	/* Structures go around what is in their way. */
	put_le64(file + 64 + 40, 0x9d000 - 0x1000);
	CHECK_OK(load(vm, (struct vm_boot){ 0 }, &e));
	CHECK(fakevm_of(vm)->state.gpr[CPU_RBX] >= 0x9d000);
	make_elf(true, 2 * MIB, 2 * MIB);
	save("initrd", "", 0);
	CHECK(!truncate("initrd", RAM));
	CHECK_EQ(load(vm, names, &e), -ENOSPC);
	CHECK(strstr(e.text, "initrd"));
	vm_free(vm);
}

/* setup_sects 1: the kernel begins at byte 1024. */
static void make_bzimage(unsigned version, unsigned xloadflags)
{
	memset(file, 0, sizeof(file));
	file[0x1f1] = 1;
	put_le32(file + 0x1f4, (FILE_LEN - 1024) / 16);
	put_le16(file + 0x1fe, 0xaa55);
	put_le16(file + 0x200, 0x66eb);
	memcpy(file + 0x202, "HdrS", 4);
	put_le16(file + 0x206, (uint16_t)version);
	file[0x211] = 1;
	put_le32(file + 0x214, 0x100000);
	put_le32(file + 0x22c, 0x7fffffff);
	put_le32(file + 0x230, 0x200000);
	file[0x234] = 1;
	put_le16(file + 0x236, (uint16_t)xloadflags);
	put_le32(file + 0x238, 100);
	put_le64(file + 0x258, 0x1000000);
	put_le32(file + 0x260, 0x800000);
	memset(file + 1024, 0xcd, sizeof(file) - 1024);
}

static void check_params(struct vm *vm, uint64_t params, const char *cmdline)
{
	uint32_t initrd = peek32(vm, params + 0x218);
	unsigned n = peek32(vm, params + 0x1e8) & 0xff;

	CHECK_EQ(peek32(vm, params + 0x202), 0x53726448);
	CHECK_EQ(peek32(vm, params + 0x210) & 0xff, 0xff);
	CHECK_EQ(peek32(vm, params + 0x21c), 7);
	CHECK(initrd % 4096 == 0 && initrd > 32 * MIB && initrd < RAM);
	CHECK(!memcmp(peek_text(vm, initrd), "content", 7));
	CHECK_STR(peek_text(vm, peek32(vm, params + 0x228)), cmdline);
	CHECK_EQ(peek64(vm, params + 0x70), RSDP);
	CHECK(n >= 3 && n <= PC_E820_MAX);
	CHECK_EQ(peek64(vm, params + 0x2d0 + 8), 640 * 1024);
	CHECK_EQ(peek64(vm, params + 0x2d0 + 20 * (n - 1)), MIB);
	CHECK_EQ(peek64(vm, params + 0x2d0 + 20 * (n - 1) + 8), RAM - MIB);
	CHECK_EQ(peek32(vm, params + 0x2d0 + 20 * (n - 1) + 16), 1);
	CHECK_EQ(peek32(vm, params + 0x1e0), (RAM - MIB) / 1024);
	CHECK_EQ(peek32(vm, params + 0x290), 0);
}

/* Load the image with a command line and an initrd. */
static int load_linux(struct vm *vm, struct err *e)
{
	struct vm_boot names = { .append = "quiet", .initrd = "initrd" };

	save("initrd", "content", 7);
	return load(vm, names, e);
}

static void load_bzimage(struct vm *vm, uint16_t version, unsigned xloadflags)
{
	struct err e = { "" };

	make_bzimage(version, xloadflags);
	CHECK_OK(load_linux(vm, &e));
}

static void test_bzimage(void)
{
	struct vm *vm = fakevm_pc(RAM, 1);
	const struct cpu_state *s = &fakevm_of(vm)->state;
	uint64_t table;

	load_bzimage(vm, 0x20f, 3);
	check_params(vm, s->gpr[CPU_RSI], "quiet");
	CHECK_EQ(s->rip, 0x1000200);
	CHECK_EQ(s->seg[CPU_CS].selector, 0x10);
	CHECK_EQ(s->seg[CPU_DS].selector, 0x18);
	CHECK_EQ(s->efer & CPU_EFER_LMA, CPU_EFER_LMA);
	CHECK_EQ(peek32(vm, 0x1000000), 0xcdcdcdcd);
	CHECK_EQ(peek64(vm, s->gdtr.base + 16), 0x00af9b000000ffff);
	/* The last 2 MiB of the first 4 GiB are mapped where they are. */
	table = peek64(vm, s->cr3) & ~0xfffull;
	table = peek64(vm, table + 3 * 8) & ~0xfffull;
	CHECK_EQ(peek64(vm, table + 511 * 8), 0xffe00083);

	load_bzimage(vm, 0x20f, 0);
	check_params(vm, s->gpr[CPU_RSI], "quiet");
	check_flat32(s, 0x10);
	CHECK_EQ(s->rip, 0x1000000);
	vm_free(vm);
}

/* Kernels from before there was a preferred address, or parameters in esi. */
static void test_bzimage_old(void)
{
	struct vm *vm = fakevm_pc(RAM, 1);
	const struct cpu_state *s = &fakevm_of(vm)->state;
	struct err e = { "" };
	uint32_t offset;

	load_bzimage(vm, 0x204, 0);
	CHECK_EQ(s->rip, MIB);
	check_params(vm, s->gpr[CPU_RSI], "quiet");
	load_bzimage(vm, 0x201, 0);
	CHECK_EQ(s->gpr[CPU_RSI], 0x90000);
	CHECK_EQ(peek32(vm, 0x90020) & 0xffff, 0xa33f);
	offset = peek32(vm, 0x90020) >> 16;
	CHECK_STR(peek_text(vm, 0x90000 + offset), "quiet");
	/* A zImage. */
	file[0x211] = 0;
	CHECK_OK(load_linux(vm, &e));
	CHECK_EQ(s->rip, 0x10000);
	CHECK_EQ(peek32(vm, 0x10000), 0xcdcdcdcd);
	/* Not relocatable: at 1 MiB, and it unpacks itself to 16 MiB. */
	make_bzimage(0x20a, 0);
	file[0x234] = 0;
	CHECK_OK(load_linux(vm, &e));
	CHECK_EQ(s->rip, MIB);
	put_le32(file + 0x260, RAM);
	CHECK_EQ(load_linux(vm, &e), -ENOSPC);
	CHECK(strstr(e.text, "unpacked kernel"));
	vm_free(vm);
}

static void test_bzimage_lies(void)
{
	static const struct {
		unsigned field, size;
		uint64_t value;
		const char *text;
	} lies[] = {
		{ 0x1f1, 1, 64, "setup_sects" },
		{ 0x1f4, 4, 0xffffffff, "syssize" },
		{ 0x206, 2, 0x1ff, "version" },
		{ 0x230, 4, 0x300000, "kernel_alignment" },
		{ 0x230, 4, 0, "kernel_alignment" },
		{ 0x238, 4, 4, "cmdline_size" },
		{ 0x258, 8, 1ull << 32, "pref_address" },
		{ 0x258, 8, RAM, "kernel" },
		{ 0x260, 4, 0xffffffff, "kernel" },
		{ 0x22c, 4, 0x100fff, "initrd" },
		{ 0x22c, 4, 0, "initrd" },
	};
	struct vm *vm = fakevm_pc(RAM, 1);
	struct vm_boot names = { .append = "quiet", .initrd = "initrd" };
	struct err e = { "" };

	save("initrd", "content", 7);
	CHECK(!truncate("initrd", 5000));
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint8_t value[8];

		make_bzimage(0x20f, 1);
		put_le64(value, lies[i].value);
		memcpy(file + lies[i].field, value, lies[i].size);
		e.text[0] = 0;
		CHECK(load(vm, names, &e) < 0 || !fprintf(stderr, "%u\n", i));
		if (!strstr(e.text, lies[i].text))
			fprintf(stderr, "%u: %s\n", i, e.text);
		CHECK(strstr(e.text, lies[i].text));
	}
	vm_free(vm);
}

/* More RAM than 4 GiB, an initrd that does not fit below the kernel's limit:
 * it goes above where the kernel can take it, and is refused where not.
 */
static void test_initrd_above(void)
{
	struct vm *vm = fakevm_pc(5ull << 30, 1);
	struct vm_boot names = { .initrd = "initrd" };
	struct err e = { "" };
	uint64_t params, gpa;

	save("initrd", "content", 7);
	CHECK(!truncate("initrd", 8192));
	make_bzimage(0x20f, 3);
	put_le32(file + 0x22c, 0x100fff);
	CHECK_OK(load(vm, names, &e));
	params = fakevm_of(vm)->state.gpr[CPU_RSI];
	gpa = peek32(vm, params + 0x218) |
	      (uint64_t)peek32(vm, params + 0xc0) << 32;
	CHECK(gpa >= 1ull << 32);
	CHECK(!memcmp(peek_text(vm, gpa), "content", 7));
	put_le16(file + 0x236, 1);
	CHECK_EQ(load(vm, names, &e), -ENOSPC);
	vm_free(vm);
}

/* A gzip file is its content; a damaged one, or one without its end, is not. */
static void test_gzip(void)
{
	struct vm *vm = fakevm_pc(RAM, 1);
	struct vm_boot names = { .kernel = "kernel.gz" };
	struct err e = { "" };
	uint8_t packed[8192];
	size_t len;
	gzFile gz;
	FILE *f;

	make_elf(true, 2 * MIB, 2 * MIB);
	gz = gzopen("kernel.gz", "wb");
	CHECK(gz && gzwrite(gz, file, FILE_LEN) == (int)FILE_LEN);
	CHECK(gzclose(gz) == Z_OK);
	CHECK_OK(load(vm, names, &e));
	check_segment(vm, 2 * MIB);
	f = fopen("kernel.gz", "rb");
	len = fread(packed, 1, sizeof(packed), f);
	fclose(f);
	save("kernel.gz", packed, len - 9);
	CHECK_EQ(load(vm, names, &e), -EUCLEAN);
	CHECK(strstr(e.text, "without its end"));
	packed[20] ^= 0xff;
	packed[len - 6] ^= 0xff;
	save("kernel.gz", packed, len);
	CHECK_EQ(load(vm, names, &e), -EUCLEAN);
	vm_free(vm);
}

static void test_files(void)
{
	struct vm *vm = fakevm_pc(RAM, 1);
	struct err e = { "" };

	CHECK_EQ(load(vm, (struct vm_boot){ .kernel = "none" }, &e), -ENOENT);
	CHECK(strstr(e.text, "'none'"));
	CHECK_EQ(load(vm, (struct vm_boot){ .kernel = "." }, &e), -EISDIR);
	memset(file, 'x', sizeof(file));
	CHECK_EQ(load(vm, (struct vm_boot){ 0 }, &e), -ENOTSUP);
	CHECK(strstr(e.text, "neither"));
	save("kernel", "", 0);
	CHECK_EQ(load(vm, (struct vm_boot){ .kernel = "kernel" }, &e),
		 -ENOTSUP);
	make_elf(true, 2 * MIB, 2 * MIB);
	CHECK_EQ(load(vm, (struct vm_boot){ .initrd = "no such" }, &e),
		 -ENOENT);
	CHECK(strstr(e.text, "'no'"));
	vm_free(vm);
}

int main(void)
{
	scratch_enter();
	test_multiboot();
	test_multiboot_addresses();
	test_pvh();
	test_elf_lies();
	test_no_room();
	test_bzimage();
	test_bzimage_old();
	test_bzimage_lies();
	test_initrd_above();
	test_gzip();
	test_files();
	return 0;
}
