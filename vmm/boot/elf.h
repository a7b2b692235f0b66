/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elf.h - ELF executables for x86: System V gABI chapters 4 and 5. */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include "vmm/boot/loader.h"

/* ELF allows 65535 program headers; kernels have less than ten. */
#define ELF_MAX_SEGMENTS 64u

enum { ELF_PT_LOAD = 1, ELF_PT_NOTE = 4 };

struct elf_segment {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf {
	bool is_64;
	uint64_t entry;
	unsigned n;
	struct elf_segment segments[ELF_MAX_SEGMENTS];
};

bool elf_probe(const uint8_t *head);

/* Read and check the headers. */
int elf_read(const struct boot_file *f, struct elf *elf, struct err *e);

/* Take the segments' places, load them, and tell where the highest ends.  All
 * must lie below `max`.
 */
int elf_load(struct load *l, const struct elf *elf, uint64_t max,
	     uint64_t *end, struct err *e);

/* The physical address of e_entry, which may be a virtual one. */
uint64_t elf_entry(const struct elf *elf);

/* The value of an ELF note with a number of 4 or 8 bytes.  -ENOENT: none. */
int elf_find_note(const struct boot_file *f, const struct elf *elf,
		  const char *owner, uint32_t type, uint64_t *value,
		  struct err *e);

#endif
