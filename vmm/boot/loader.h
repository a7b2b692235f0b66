/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loader.h - what the loaders of the boot protocols share. */
#ifndef BOOT_LOADER_H
#define BOOT_LOADER_H

#include "vmm/boot/boot.h"
#include "vmm/boot/file.h"
#include "vmm/boot/layout.h"
#include "vmm/mem.h"

#define BOOT_MAX_MODULES 64u
#define BOOT_MAX_APPEND (64u << 10)	/* bytes of a command line, with its 0 */

struct boot_module {
	struct boot_file file;
	char *name;		/* owned: of the file */
	const char *args;	/* what followed the name; the caller's */
};

struct boot {
	struct boot_file kernel;
	const char *append;
	unsigned n_modules;
	struct boot_module modules[BOOT_MAX_MODULES];
};

/* What a loader works on. */
struct load {
	const struct boot *boot;
	const struct boot_file *kernel;
	struct layout layout;
	/* Names of parts in error messages live as long as this. */
	char names[LAYOUT_MAX_RANGES][24];
	unsigned n_names;
};

/* "segment 3" */
const char *load_name(struct load *l, const char *what, unsigned i);

/* Where vCPU 0 starts. */
struct start {
	uint64_t entry;
	uint64_t rax, rbx, rsi;
	bool is_64;		/* 64-bit mode with the first 4 GiB mapped */
	uint16_t code;		/* selector; data is the next one */
	uint16_t idt_limit;	/* of an interrupt table at 0; 0: none */
};

int start_cpu(struct load *l, const struct start *s, struct err *e);

/* Each of them says whether the file is its own by the first bytes, which hold
 * at least BOOT_PROBE_LEN, or all of the file with zeroes behind it.
 */
#define BOOT_PROBE_LEN 8192u

bool bzimage_probe(const uint8_t *head);
int bzimage_load(struct load *l, struct err *e);

/* *offset: where the header is. */
bool multiboot_probe(const uint8_t *head, uint32_t *offset);
int multiboot_load(struct load *l, uint32_t offset, struct err *e);

int pvh_load(struct load *l, struct err *e);

#endif
