/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* drivers.c - the table of formats.  Where two formats claim a file equally,
 * the first one gets it.
 */
#include "drivers.h"

const struct img_driver *const img_drivers[] = {
	&img_qcow2_driver,
	&img_vmdk_driver,
	&img_ova_driver,
	&img_ovf_driver,
	&img_raw_driver,
	NULL,
};
