/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot.h - start a kernel without firmware: Linux's boot protocols (bzImage),
 * PVH (an ELF file with a note that names the entry) and multiboot 1.
 *
 * boot_open() opens the files, once; boot_load() reads them into guest memory
 * and sets vCPU 0, after every reset.  The files stay open in between, so that
 * a sandbox need not allow opening files.
 *
 * Kernels and initrds are hostile: what they ask for is checked against the RAM
 * that the guest has, and nothing is placed over anything else.  Called by the
 * thread that makes the machine, or while no vCPU runs.
 */
#ifndef BOOT_H
#define BOOT_H

#include "vmm/pc.h"
#include "vmm/vmm.h"

struct boot;

/* What firmware would tell the kernel. */
struct boot_machine {
	const struct e820_entry *map;	/* pc_e820() */
	unsigned n_map;			/* at most PC_E820_MAX */
	uint64_t rsdp;			/* gpa of ACPI's root, 0: none */
	bool text_mode;			/* a VGA shows 80 x 25 characters */
};

/* Names that the caller keeps while *out exists. */
int boot_open(const struct vm_boot *names, struct boot **out, struct err *e);
void boot_close(struct boot *boot);

/* Load and set vCPU 0 to the first instruction of the kernel. */
int boot_load(struct boot *boot, struct vm *vm,
	      const struct boot_machine *machine, struct err *e);

#endif
