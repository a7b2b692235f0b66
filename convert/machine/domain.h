/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain.h - libvirt's domain XML: the words that reader and writer share.
 * Internal to convert/machine.
 *
 * https://libvirt.org/formatdomain.html
 */
#ifndef CONVERT_MACHINE_DOMAIN_H
#define CONVERT_MACHINE_DOMAIN_H

#include "build.h"
#include "xml.h"

struct domain {
	struct reader *r;
	struct xml x;
	xmlNode *root, *devices;
};

/* domain_drives.c */
int domain_read_drives(struct domain *d);

/* The model of a SCSI controller, in libvirt's words and in ours; NULL: there is
 * none.
 */
const char *domain_scsi_from(const char *model);
const char *domain_scsi_to(const char *controller);
/* The name of an image format, the same. */
const char *domain_format_from(const char *type);
const char *domain_format_to(const char *format);

#endif
