/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pvh.c - start an ELF kernel by PVH: Xen's x86/HVM direct boot ABI, with
 * hvm_start_info version 1.
 *
 *	hvm_start_info		hvm_modlist_entry	hvm_memmap_entry
 *	0	magic		0	paddr		0	addr
 *	4	version		8	size		8	size
 *	8	flags		16	cmdline_paddr	16	type
 *	12	nr_modules	24	reserved	20	reserved
 *	16	modlist_paddr	32			24
 *	24	cmdline_paddr
 *	32	rsdp_paddr
 *	40	memmap_paddr
 *	48	memmap_entries
 *	52	reserved
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/boot/elf.h"

#define NOTE_PHYS32_ENTRY 18u

#define START_MAGIC	0x336ec578u
#define START_LEN	56u
#define MODULE_LEN	32u
#define MAP_LEN		24u

/* A 32-bit kernel sees no more. */
#define PVH_MAX		0x100000000ull

static int put_modules(struct load *l, uint64_t *list, struct err *e)
{
	uint8_t table[BOOT_MAX_MODULES * MODULE_LEN] = { 0 };
	const struct boot *b = l->boot;

	if (!b->n_modules)
		return 0;
	for (unsigned i = 0; i < b->n_modules; i++) {
		const struct boot_module *m = &b->modules[i];
		uint8_t *entry = table + i * MODULE_LEN;
		uint64_t gpa, args = 0;
		int rc;

		rc = layout_place(&l->layout, m->file.len, MEM_PAGE, 1 << 20,
				  PVH_MAX, LAYOUT_HIGHEST,
				  load_name(l, "initrd", i), &gpa, e);
		if (!rc)
			rc = boot_file_load(&m->file, 0, m->file.len,
					    l->layout.vm, gpa, e);
		if (!rc && *m->args)
			rc = layout_put_low(&l->layout, m->args,
					    strlen(m->args) + 1, 1,
					    "module's command line", &args, e);
		if (rc)
			return rc;
		put_le64(entry, gpa);
		put_le64(entry + 8, m->file.len);
		put_le64(entry + 16, args);
	}
	return layout_put_low(&l->layout, table, b->n_modules * MODULE_LEN, 8,
			      "module list", list, e);
}

static int put_map(struct load *l, uint64_t *gpa, struct err *e)
{
	const struct boot_machine *m = l->layout.machine;
	uint8_t table[PC_E820_MAX * MAP_LEN] = { 0 };

	for (unsigned i = 0; i < m->n_map; i++) {
		put_le64(table + i * MAP_LEN, m->map[i].addr);
		put_le64(table + i * MAP_LEN + 8, m->map[i].len);
		put_le32(table + i * MAP_LEN + 16, m->map[i].type);
	}
	return layout_put_low(&l->layout, table, m->n_map * MAP_LEN, 8,
			      "memory map", gpa, e);
}

static int put_start_info(struct load *l, uint64_t *gpa, struct err *e)
{
	const struct boot *b = l->boot;
	uint64_t modules = 0, cmdline = 0, map;
	uint8_t info[START_LEN] = { 0 };
	int rc;

	rc = put_modules(l, &modules, e);
	if (!rc)
		rc = layout_put_low(&l->layout, b->append,
				    strlen(b->append) + 1, 1, "command line",
				    &cmdline, e);
	if (!rc)
		rc = put_map(l, &map, e);
	if (rc)
		return rc;
	put_le32(info, START_MAGIC);
	put_le32(info + 4, 1);
	put_le32(info + 12, b->n_modules);
	put_le64(info + 16, modules);
	put_le64(info + 24, cmdline);
	put_le64(info + 32, l->layout.machine->rsdp);
	put_le64(info + 40, map);
	put_le32(info + 48, l->layout.machine->n_map);
	return layout_put_low(&l->layout, info, START_LEN, 8, "start info", gpa,
			      e);
}

int pvh_load(struct load *l, struct err *e)
{
	struct start start = { .code = 0x8 };
	uint64_t end;
	struct elf elf;
	int rc;

	rc = elf_read(l->kernel, &elf, e);
	if (rc)
		return rc;
	rc = elf_find_note(l->kernel, &elf, "Xen", NOTE_PHYS32_ENTRY,
			   &start.entry, e);
	if (rc == -ENOENT)
		return fail(e, ENOTSUP, "it is an ELF file with neither a "
			    "multiboot header nor a PVH entry (ELF note \"Xen\" "
			    "of type 18; Linux has it with CONFIG_PVH)");
	if (!rc)
		rc = elf_load(l, &elf, PVH_MAX, &end, e);
	if (rc)
		return rc;
	if (!start.entry || start.entry >= PVH_MAX ||
	    layout_ram_end(&l->layout, start.entry) == start.entry)
		return fail(e, EUCLEAN, "the PVH entry (ELF note \"Xen\" of "
			    "type 18) is 0x%" PRIx64 ", must be in RAM below "
			    "4 GiB", start.entry);
	rc = put_start_info(l, &start.rbx, e);
	return rc ? rc : start_cpu(l, &start, e);
}
