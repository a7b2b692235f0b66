/* SPDX-License-Identifier: GPL-2.0-or-later */
/* elf.c - ELF executables for x86: System V gABI chapters 4 and 5.
 *
 *	Header, offset 32 / 64		Program header, offset 32 / 64
 *	0	magic, class, order	p_type		0	0
 *	16	e_type			p_offset	4	8
 *	18	e_machine		p_vaddr		8	16
 *	24	e_entry			p_paddr		12	24
 *	28 / 32	e_phoff			p_filesz	16	32
 *	42 / 54	e_phentsize		p_memsz		20	40
 *	44 / 56	e_phnum			p_align		28	48
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/bytes.h"
#include "vmm/boot/elf.h"

#define CLASS_32	1u
#define CLASS_64	2u
#define ORDER_LITTLE	1u
#define MACHINE_386	3u
#define MACHINE_X86_64	62u

#define HEADER_32	52u
#define HEADER_64	64u
#define PHDR_32		32u
#define PHDR_64		56u

/* Notes beyond that are no kernel's. */
#define MAX_NOTES_LEN	(1u << 20)

bool elf_probe(const uint8_t *head)
{
	return !memcmp(head, "\177ELF", 4);
}

static uint64_t get_word(const uint8_t *p, bool is_64)
{
	return is_64 ? get_le64(p) : get_le32(p);
}

static void decode_segment(const uint8_t *p, bool is_64, struct elf_segment *s)
{
	s->type = get_le32(p);
	s->offset = get_word(p + (is_64 ? 8 : 4), is_64);
	s->vaddr = get_word(p + (is_64 ? 16 : 8), is_64);
	s->paddr = get_word(p + (is_64 ? 24 : 12), is_64);
	s->filesz = get_word(p + (is_64 ? 32 : 16), is_64);
	s->memsz = get_word(p + (is_64 ? 40 : 20), is_64);
	s->align = get_word(p + (is_64 ? 48 : 28), is_64);
}

static int check_ident(const uint8_t *head, struct err *e)
{
	unsigned machine = get_le16(head + 18);

	if (head[4] != CLASS_32 && head[4] != CLASS_64)
		return fail(e, EUCLEAN, "ELF class (byte 4) is %u, must be 1 or "
			    "2", head[4]);
	if (head[5] != ORDER_LITTLE)
		return fail(e, ENOTSUP, "ELF byte order (byte 5) is %u, must be "
			    "1, little-endian", head[5]);
	if (machine != MACHINE_386 && machine != MACHINE_X86_64)
		return fail(e, ENOTSUP, "ELF e_machine is %u, must be 3 (i386) "
			    "or 62 (x86-64)", machine);
	return 0;
}

static int check_segment(const struct boot_file *f, const struct elf_segment *s,
			 unsigned i, struct err *e)
{
	if (s->type != ELF_PT_LOAD && s->type != ELF_PT_NOTE)
		return 0;
	if (!in_range(s->offset, s->filesz, f->len))
		return fail(e, EUCLEAN, "ELF program header %u: p_offset 0x%"
			    PRIx64 " and p_filesz 0x%" PRIx64 " reach beyond "
			    "the file's 0x%" PRIx64 " bytes", i, s->offset,
			    s->filesz, f->len);
	if (s->type == ELF_PT_LOAD && s->filesz > s->memsz)
		return fail(e, EUCLEAN, "ELF program header %u: p_filesz 0x%"
			    PRIx64 " is larger than p_memsz 0x%" PRIx64, i,
			    s->filesz, s->memsz);
	return 0;
}

int elf_read(const struct boot_file *f, struct elf *elf, struct err *e)
{
	uint8_t head[HEADER_64] = { 0 }, ph[PHDR_64];
	unsigned entsize, n;
	uint64_t phoff;
	int rc;

	rc = boot_file_read(f, 0, head, HEADER_32, "ELF header", e);
	if (!rc)
		rc = check_ident(head, e);
	elf->is_64 = head[4] == CLASS_64;
	if (!rc && elf->is_64)
		rc = boot_file_read(f, 0, head, HEADER_64, "ELF header", e);
	if (rc)
		return rc;
	elf->entry = get_word(head + 24, elf->is_64);
	phoff = get_word(head + (elf->is_64 ? 32 : 28), elf->is_64);
	entsize = get_le16(head + (elf->is_64 ? 54 : 42));
	n = get_le16(head + (elf->is_64 ? 56 : 44));
	if (!n || n > ELF_MAX_SEGMENTS)
		return fail(e, ENOTSUP, "ELF e_phnum is %u, must be 1 to %u: "
			    "this is no executable kernel", n,
			    ELF_MAX_SEGMENTS);
	if (entsize < (elf->is_64 ? PHDR_64 : PHDR_32))
		return fail(e, EUCLEAN, "ELF e_phentsize is %u, must be at "
			    "least %u", entsize,
			    elf->is_64 ? PHDR_64 : PHDR_32);
	elf->n = n;
	for (unsigned i = 0; !rc && i < n; i++) {
		rc = phoff > f->len ?
			fail(e, EUCLEAN, "ELF e_phoff is 0x%" PRIx64 ", the "
			     "file has 0x%" PRIx64 " bytes", phoff, f->len) :
			boot_file_read(f, phoff + (uint64_t)i * entsize, ph,
				       elf->is_64 ? PHDR_64 : PHDR_32,
				       "ELF program header", e);
		if (rc)
			break;
		decode_segment(ph, elf->is_64, &elf->segments[i]);
		rc = check_segment(f, &elf->segments[i], i, e);
	}
	return rc;
}

static int load_segment(struct load *l, const struct elf_segment *s, unsigned i,
			uint64_t max, struct err *e)
{
	int rc;

	if (!in_range(s->paddr, s->memsz, max))
		return fail(e, EUCLEAN, "ELF program header %u: p_paddr 0x%"
			    PRIx64 " and p_memsz 0x%" PRIx64 " reach beyond 0x%"
			    PRIx64, i, s->paddr, s->memsz, max);
	rc = layout_take(&l->layout, s->paddr, s->memsz,
			 load_name(l, "ELF segment", i), e);
	if (!rc)
		rc = boot_file_load(l->kernel, s->offset, s->filesz,
				    l->layout.vm, s->paddr, e);
	if (!rc)
		rc = layout_zero(&l->layout, s->paddr + s->filesz,
				 s->memsz - s->filesz, e);
	return rc;
}

int elf_load(struct load *l, const struct elf *elf, uint64_t max,
	     uint64_t *end, struct err *e)
{
	int rc = 0;

	*end = 0;
	for (unsigned i = 0; !rc && i < elf->n; i++) {
		const struct elf_segment *s = &elf->segments[i];

		if (s->type != ELF_PT_LOAD || !s->memsz)
			continue;
		rc = load_segment(l, s, i, max, e);
		*end = max_u64(*end, s->paddr + s->memsz);
	}
	if (!rc && !*end)
		rc = fail(e, EUCLEAN, "no ELF program header is to be loaded "
			  "(p_type 1)");
	return rc;
}

uint64_t elf_entry(const struct elf *elf)
{
	for (unsigned i = 0; i < elf->n; i++) {
		const struct elf_segment *s = &elf->segments[i];

		if (s->type == ELF_PT_LOAD && elf->entry >= s->vaddr &&
		    elf->entry - s->vaddr < s->memsz)
			return elf->entry - s->vaddr + s->paddr;
	}
	return elf->entry;
}

/* Elf32_Nhdr and Elf64_Nhdr are alike: lengths of name and description, type;
 * then both, each padded to 4 bytes, or to 8 where p_align says so.
 */
static int scan_notes(const uint8_t *notes, size_t len, unsigned align,
		      const char *owner, uint32_t type, uint64_t *value)
{
	uint64_t at = 0, name, desc, next;
	uint32_t namesz, descsz;

	while (in_range(at, 12, len)) {
		namesz = get_le32(notes + at);
		descsz = get_le32(notes + at + 4);
		name = at + 12;
		desc = round_up(name + namesz, align);
		next = round_up(desc + descsz, align);
		if (!in_range(name, namesz, len) || !in_range(desc, descsz, len))
			return -ENOENT;
		if (get_le32(notes + at + 8) == type &&
		    namesz == strlen(owner) + 1 &&
		    !memcmp(notes + name, owner, namesz) &&
		    (descsz == 4 || descsz == 8)) {
			*value = get_word(notes + desc, descsz == 8);
			return 0;
		}
		at = next;
	}
	return -ENOENT;
}

int elf_find_note(const struct boot_file *f, const struct elf *elf,
		  const char *owner, uint32_t type, uint64_t *value,
		  struct err *e)
{
	int rc = -ENOENT;

	for (unsigned i = 0; rc == -ENOENT && i < elf->n; i++) {
		const struct elf_segment *s = &elf->segments[i];
		uint8_t *notes;

		if (s->type != ELF_PT_NOTE || s->filesz > MAX_NOTES_LEN)
			continue;
		notes = malloc(s->filesz + 1);
		if (!notes)
			return fail(e, ENOMEM, "out of memory");
		rc = boot_file_read(f, s->offset, notes, s->filesz, "ELF notes",
				    e);
		if (!rc)
			rc = scan_notes(notes, s->filesz, s->align == 8 ? 8 : 4,
					owner, type, value);
		free(notes);
	}
	return rc;
}
