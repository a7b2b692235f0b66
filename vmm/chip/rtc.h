/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtc.h - the real-time clock of a PC with its 128 bytes of memory (CMOS) at
 * ports 0x70 and 0x71, on ISA line 8.  It goes by vm_epoch() and vm_now(), in
 * UTC, and keeps time and bytes over a reset, as a battery does.
 */
#ifndef CHIP_RTC_H
#define CHIP_RTC_H

#include "vmm/device.h"

#define RTC_CENTURY 0x32u	/* ACPI's FADT names it */

int rtc_new(struct vm *vm, struct err *e);

#endif
