/* SPDX-License-Identifier: GPL-2.0-or-later */
/* firmware.h - what firmware is told of the machine through fw_cfg. */
#ifndef BOOT_FIRMWARE_H
#define BOOT_FIRMWARE_H

#include "imgfmt/base/base.h"

struct vm;

/* Once all devices are there; again after each reset.  No vCPU runs. */
int firmware_tell(struct vm *vm, struct err *e);

#endif
