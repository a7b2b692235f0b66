/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi.h - power management: the PIIX4's registers (acpi_pm.c), and the ACPI
 * tables that describe the machine (acpi.c, acpi_dsdt.c, acpi_load.c).
 *
 * All calls hold the machine lock, or come while no vCPU runs.
 */
#ifndef CHIP_ACPI_H
#define CHIP_ACPI_H

#include "vmm/device.h"

struct fwcfg;
struct acpi;

/* Offsets in the 64 ports of the PIIX4's power management (Intel 82371AB data
 * sheet, 7.2); the FADT names them.
 */
#define ACPI_PM1_STS	0x00u	/* and PM1_EN: 4 bytes */
#define ACPI_PM1_CNT	0x04u	/* 2 bytes */
#define ACPI_PM_TMR	0x08u	/* 4 bytes */
#define ACPI_GPE0	0x0cu	/* status and enable, 2 bytes each */
#define ACPI_PM_LEN	0x40u

#define ACPI_PM_HZ	3579545u

/* What the guest writes with SLP_EN to power off; \_S5 says so. */
#define ACPI_S5_TYPE	0u

/* The PIIX4's function 3 at slot 1; vm->acpi. */
int acpi_pm_new(struct vm *vm, struct acpi **out, struct err *e);

/* Somebody pressed the power button. */
void acpi_power_button(struct vm *vm);

/* The number that tells a guest when it is not the one it was (a copy, or back
 * from a snapshot), 16 bytes; made by acpi_pm_new().
 */
#define ACPI_GENERATION_LEN 16u
const uint8_t *acpi_generation(const struct vm *vm);

/* Once all devices are there: the tables for firmware, as fw_cfg files and
 * orders how to load them.
 */
int acpi_add_files(struct vm *vm, struct err *e);

/* The tables for a kernel, in guest memory at PC_ACPI_AREA; after each reset.
 * *rsdp := where the root pointer is.  -E2BIG: there is not enough room.
 */
int acpi_load_direct(struct vm *vm, uint64_t *rsdp, struct err *e);

#endif
