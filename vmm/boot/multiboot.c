/* SPDX-License-Identifier: GPL-2.0-or-later */
/* multiboot.c - start a kernel by the Multiboot specification, version 0.6.96.
 *
 *	Header				Information (mbi)
 *	0	magic			0	flags
 *	4	flags			4	mem_lower, KiB
 *	8	checksum		8	mem_upper, KiB
 *	12	header_addr		16	cmdline
 *	16	load_addr		20	mods_count
 *	20	load_end_addr		24	mods_addr
 *	24	bss_end_addr		44	mmap_length
 *	28	entry_addr		48	mmap_addr
 *					64	boot_loader_name
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "vmm/boot/elf.h"

#define HEADER_MAGIC	0x1badb002u
#define HEADER_LEN	12u
#define HEADER_LEN_ADDR	32u
#define LOADER_MAGIC	0x2badb002u

#define FLAG_ALIGN	0x00000001u	/* modules on page boundaries */
#define FLAG_MEMORY	0x00000002u	/* wants memory information */
#define FLAG_VIDEO	0x00000004u	/* would like a video mode */
#define FLAG_ADDRESSES	0x00010000u	/* the header says where to load */
#define FLAGS_KNOWN	(FLAG_ALIGN | FLAG_MEMORY | FLAG_VIDEO)
#define FLAGS_MUST	0x0000ffffu	/* not known: do not boot */

#define MBI_LEN		120u
#define MBI_MEMORY	0x001u
#define MBI_CMDLINE	0x004u
#define MBI_MODS	0x008u
#define MBI_MMAP	0x040u
#define MBI_LOADER	0x200u

#define MOD_LEN		16u
#define MMAP_LEN	24u

#define MULTIBOOT_MAX	0x100000000ull

static uint32_t header_sum(const uint8_t *p)
{
	return get_le32(p) + get_le32(p + 4) + get_le32(p + 8);
}

bool multiboot_probe(const uint8_t *head, uint32_t *offset)
{
	for (uint32_t i = 0; i + HEADER_LEN <= BOOT_PROBE_LEN; i += 4)
		if (get_le32(head + i) == HEADER_MAGIC && !header_sum(head + i)) {
			*offset = i;
			return true;
		}
	return false;
}

/* Where the address fields of the header say. */
static int load_addresses(struct load *l, uint32_t offset, uint64_t *entry,
			  uint64_t *end, struct err *e)
{
	const struct boot_file *f = l->kernel;
	uint8_t h[HEADER_LEN_ADDR];
	uint64_t header, load, load_end, bss_end, skip, len;
	int rc;

	rc = boot_file_read(f, offset, h, sizeof(h), "multiboot header", e);
	if (rc)
		return rc;
	header = get_le32(h + 12);
	load = get_le32(h + 16);
	load_end = get_le32(h + 20);
	bss_end = get_le32(h + 24);
	*entry = get_le32(h + 28);
	if (load > header || header - load > offset)
		return fail(e, EUCLEAN, "multiboot load_addr is 0x%" PRIx64
			    ", must be between header_addr (0x%" PRIx64 ") and "
			    "the start of the file 0x%x bytes before it", load,
			    header, offset);
	skip = offset - (header - load);
	if (load_end && load_end < load)
		return fail(e, EUCLEAN, "multiboot load_end_addr is 0x%" PRIx64
			    ", must be 0 or at least load_addr (0x%" PRIx64
			    ")", load_end, load);
	len = load_end ? load_end - load : f->len - skip;
	if (bss_end && bss_end < load + len)
		return fail(e, EUCLEAN, "multiboot bss_end_addr is 0x%" PRIx64
			    ", must be 0 or at least where the data ends (0x%"
			    PRIx64 ")", bss_end, load + len);
	*end = bss_end ? bss_end : load + len;
	if (!in_range(load, len, MULTIBOOT_MAX))
		return fail(e, EUCLEAN, "multiboot load_addr is 0x%" PRIx64
			    " and 0x%" PRIx64 " bytes are to be loaded: beyond "
			    "4 GiB", load, len);
	rc = layout_take(&l->layout, load, *end - load, "multiboot image", e);
	if (!rc)
		rc = boot_file_load(f, skip, len, l->layout.vm, load, e);
	if (!rc)
		rc = layout_zero(&l->layout, load + len, *end - load - len, e);
	return rc;
}

static int load_image(struct load *l, uint32_t offset, uint64_t *entry,
		      uint64_t *end, struct err *e)
{
	uint8_t h[HEADER_LEN];
	struct elf elf;
	uint32_t flags;
	int rc;

	rc = boot_file_read(l->kernel, offset, h, sizeof(h),
			    "multiboot header", e);
	if (rc)
		return rc;
	flags = get_le32(h + 4);
	if (flags & FLAGS_MUST & ~FLAGS_KNOWN)
		return fail(e, ENOTSUP, "multiboot flags are 0x%x; those known "
			    "are 0x%x and 0x%x", flags, FLAGS_KNOWN,
			    FLAG_ADDRESSES);
	if (flags & FLAG_ADDRESSES)
		return load_addresses(l, offset, entry, end, e);
	rc = elf_read(l->kernel, &elf, e);
	if (!rc)
		rc = elf_load(l, &elf, MULTIBOOT_MAX, end, e);
	if (!rc)
		*entry = elf_entry(&elf);
	return rc;
}

/* "FILE args", as boot loaders pass it. */
static int put_line(struct load *l, const char *file, const char *args,
		    const char *what, uint64_t *gpa, struct err *e)
{
	char *line = str_printf("%s%s%s", file, *args ? " " : "", args);
	int rc;

	if (!line)
		return fail(e, ENOMEM, "out of memory");
	rc = layout_put_low(&l->layout, line, strlen(line) + 1, 1, what, gpa, e);
	free(line);
	return rc;
}

/* Modules lie behind the kernel. */
static int put_modules(struct load *l, uint64_t kernel_end, uint64_t *list,
		       struct err *e)
{
	uint8_t table[BOOT_MAX_MODULES * MOD_LEN] = { 0 };
	const struct boot *b = l->boot;

	for (unsigned i = 0; i < b->n_modules; i++) {
		const struct boot_module *m = &b->modules[i];
		uint8_t *entry = table + i * MOD_LEN;
		uint64_t gpa, line;
		int rc;

		rc = layout_place(&l->layout, m->file.len, MEM_PAGE,
				  max_u64(kernel_end, 1 << 20), MULTIBOOT_MAX,
				  LAYOUT_LOWEST, load_name(l, "module", i),
				  &gpa, e);
		if (!rc)
			rc = boot_file_load(&m->file, 0, m->file.len,
					    l->layout.vm, gpa, e);
		if (!rc)
			rc = put_line(l, m->name, m->args,
				      "module's command line", &line, e);
		if (rc)
			return rc;
		put_le32(entry, (uint32_t)gpa);
		put_le32(entry + 4, (uint32_t)(gpa + m->file.len));
		put_le32(entry + 8, (uint32_t)line);
	}
	if (!b->n_modules)
		return 0;
	return layout_put_low(&l->layout, table, b->n_modules * MOD_LEN, 4,
			      "module list", list, e);
}

/* Each entry begins with its size, which does not count itself. */
static int put_map(struct load *l, uint64_t *gpa, struct err *e)
{
	const struct boot_machine *m = l->layout.machine;
	uint8_t table[PC_E820_MAX * MMAP_LEN];

	for (unsigned i = 0; i < m->n_map; i++) {
		uint8_t *entry = table + i * MMAP_LEN;

		put_le32(entry, MMAP_LEN - 4);
		put_le64(entry + 4, m->map[i].addr);
		put_le64(entry + 12, m->map[i].len);
		put_le32(entry + 20, m->map[i].type);
	}
	return layout_put_low(&l->layout, table, m->n_map * MMAP_LEN, 4,
			      "memory map", gpa, e);
}

static int put_mbi(struct load *l, uint64_t kernel_end, uint64_t *gpa,
		   struct err *e)
{
	const struct boot *b = l->boot;
	uint64_t cmdline, mods = 0, map, loader;
	uint64_t upper = layout_ram_end(&l->layout, 1 << 20) - (1 << 20);
	uint8_t mbi[MBI_LEN] = { 0 };
	int rc;

	rc = put_modules(l, kernel_end, &mods, e);
	if (!rc)
		rc = put_line(l, b->kernel.name, b->append, "command line",
			      &cmdline, e);
	if (!rc)
		rc = put_map(l, &map, e);
	if (!rc)
		rc = layout_put_low(&l->layout, "vmm", 4, 1, "loader's name",
				    &loader, e);
	if (rc)
		return rc;
	put_le32(mbi, MBI_MEMORY | MBI_CMDLINE | MBI_MODS | MBI_MMAP |
		 MBI_LOADER);
	put_le32(mbi + 4, (uint32_t)(layout_ram_end(&l->layout, 0) >> 10));
	put_le32(mbi + 8, (uint32_t)(upper >> 10));
	put_le32(mbi + 16, (uint32_t)cmdline);
	put_le32(mbi + 20, b->n_modules);
	put_le32(mbi + 24, (uint32_t)mods);
	put_le32(mbi + 44, l->layout.machine->n_map * MMAP_LEN);
	put_le32(mbi + 48, (uint32_t)map);
	put_le32(mbi + 64, (uint32_t)loader);
	return layout_put_low(&l->layout, mbi, MBI_LEN, 8,
			      "multiboot information", gpa, e);
}

int multiboot_load(struct load *l, uint32_t offset, struct err *e)
{
	/* Kernels that go to real mode find its table where firmware had it. */
	struct start start = { .rax = LOADER_MAGIC, .code = 0x8,
			       .idt_limit = 0x3ff };
	uint64_t end = 0;
	int rc;

	/* Xen copies its start-up code to the top of conventional memory. */
	layout_low_first(&l->layout);
	rc = load_image(l, offset, &start.entry, &end, e);
	if (rc)
		return rc;
	if (!start.entry || start.entry >= MULTIBOOT_MAX ||
	    layout_ram_end(&l->layout, start.entry) == start.entry)
		return fail(e, EUCLEAN, "the entry address is 0x%" PRIx64
			    ", must be in RAM below 4 GiB", start.entry);
	rc = put_mbi(l, end, &start.rbx, e);
	return rc ? rc : start_cpu(l, &start, e);
}
