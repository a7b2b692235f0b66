/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk.h - --disk FILE[,OPTION...] of vmm run: open the image.
 *
 *	format=FMT		instead of guessing
 *	member=NAME|N		which disk of a package (ova)
 *	readonly		the guest cannot write
 *	overlay			what the guest writes goes to a temporary file
 *	serial=TEXT		at most 20 bytes
 *	bus=virtio-pci|virtio-mmio
 */
#ifndef TOOLS_VMM_DISK_H
#define TOOLS_VMM_DISK_H

#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "vmm/vmm.h"

struct disk {
	char *file;
	bool overlay;
	struct options options;
	struct vm_disk how;
	char format[16];	/* what was opened */
	struct vm_disk_stats stats;	/* when the machine had ended */
};

/* Prints errors; CLI_DONE, or the exit status. */
int disk_parse(struct cli *cli, const char *text, struct disk *disk);
int disk_open(struct cli *cli, struct disk *disk, struct img **out);
void disk_fini(struct disk *disk);

#endif
