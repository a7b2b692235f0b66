/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* drivers.h - the drivers there are.  Internal to imgfmt. */
#ifndef IMGFMT_DRIVERS_H
#define IMGFMT_DRIVERS_H

#include "driver.h"

extern const struct img_driver img_raw_driver, img_qcow2_driver;
extern const struct img_driver img_vmdk_driver, img_ova_driver;
extern const struct img_driver img_ovf_driver;
extern const struct img_driver img_file_driver, img_window_driver;
extern const struct img_driver img_memory_driver;

#endif
