/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inventory.h - what a physical machine is made of, as far as this user may read it:
 * Linux's sysfs and procfs.
 */
#ifndef CONVERT_CAPTURE_INVENTORY_H
#define CONVERT_CAPTURE_INVENTORY_H

#include <jansson.h>

#include "convert/machine/machine.h"

/* `root` is put in front of /sys and /proc: "" for this machine.  *out, a new
 * reference:
 *	machine		as formats.h writes it in JSON
 *	dmi		vendor, product, serial numbers...
 *	interfaces	name, mac, driver of each network card
 *	disks		name, size, model, serial, wwn...
 *	unreadable	what could not be read, and why
 */
int inventory_take(const char *root, json_t **out, struct err *e);

#endif
