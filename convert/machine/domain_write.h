/* SPDX-License-Identifier: GPL-2.0-or-later */
/* domain_write.h - what the parts of the writer of libvirt's domain XML share.
 * Internal to convert/machine.
 */
#ifndef CONVERT_MACHINE_DOMAIN_WRITE_H
#define CONVERT_MACHINE_DOMAIN_WRITE_H

#include "write.h"

/* <NAME>TEXT</NAME>, if there is a text. */
void domain_element(struct text *t, const char *indent, const char *name,
		    const char *text);
/* " NAME='TEXT'" */
void domain_attribute(struct text *t, const char *name, const char *text);

/* Is the chipset to be q35? */
bool domain_is_q35(const struct machine *m);

/* domain_write_drives.c; `index` is the disk's place in the list */
int domain_write_disk(struct writer *w, const struct machine_disk *d,
		      unsigned index);
int domain_write_controllers(struct writer *w);

/* domain_write_devices.c */
int domain_write_nic(struct writer *w, const struct machine_nic *n);
int domain_write_port(struct writer *w, const struct machine_serial *s,
		      size_t index);
int domain_write_screen(struct writer *w);
int domain_write_comforts(struct writer *w);

#endif
