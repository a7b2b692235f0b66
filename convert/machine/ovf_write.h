/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ovf_write.h - what the parts of the writer of OVF share.  Internal to
 * convert/machine.
 */
#ifndef CONVERT_MACHINE_OVF_WRITE_H
#define CONVERT_MACHINE_OVF_WRITE_H

#include "write.h"

struct ovf_out {
	struct writer *w;
	unsigned next;		/* instance id */
	struct {
		enum machine_bus bus;
		unsigned index, id;
		const char *model;
	} controllers[32];
	size_t n_controllers;
};

/* The network that a card is on, also where it has no name. */
const char *ovf_network_of(const struct machine_nic *n);

/* ovf_write_items.c: one Item each. */
void ovf_put_cpus(struct ovf_out *o);
int ovf_put_memory(struct ovf_out *o);
/* All controllers first, for some readers want a parent before its child. */
int ovf_put_controllers(struct ovf_out *o);
int ovf_put_drive(struct ovf_out *o, const struct machine_disk *d, size_t i);
int ovf_put_nic(struct ovf_out *o, const struct machine_nic *n, size_t i);

#endif
