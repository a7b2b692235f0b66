/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smbios.h - the SMBIOS tables (DMTF DSP0134 2.8).
 *
 * No vCPU runs while these are called.
 */
#ifndef CHIP_SMBIOS_H
#define CHIP_SMBIOS_H

#include "imgfmt/base/base.h"

struct vm;

#define SMBIOS_ANCHOR_LEN 31u

/* For firmware, which places the tables and completes the anchor. */
int smbios_add_files(struct vm *vm, struct err *e);

/* For a kernel, in guest memory at PC_SMBIOS_AREA; after each reset. */
int smbios_load_direct(struct vm *vm, struct err *e);

#endif
