/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msix.h - MSI-X for a PCI function: the capability, and the table and pending
 * bits in a BAR of their own (PCI Local Bus 3.0, 6.8.2).
 *
 * The device gives that BAR region_ops which call msix_read() and msix_write(),
 * and calls msix_config_written() from its function's config_written().
 *
 * msix_notify() and msix_enabled() may be called by any thread, with a queue's
 * lock held; the others hold the machine lock.  Inside is a lock of its own,
 * just outside the interrupt lock.
 */
#ifndef CHIP_MSIX_H
#define CHIP_MSIX_H

#include <pthread.h>

#include "vmm/chip/pci.h"

#define MSIX_MAX_VECTORS 2048u

struct msix {
	struct pci_function *fn;
	unsigned n;			/* vectors */
	unsigned cap;			/* offset in config */
	unsigned pba;			/* offset in the BAR */
	_Atomic bool enabled;

	pthread_mutex_t lock;		/* all below */
	bool on, masked;		/* as the capability says */
	uint8_t *table;			/* 16 bytes a vector */
	uint8_t *pending;		/* a bit a vector */
	unsigned table_len, pending_len;	/* bytes; fixed */
};

/* What of it is saved, behind its function. */
extern const struct state_table msix_state;

/* Before pci_add().  `n` vectors at BAR `bar`, whose `ops` take 8 bytes at most.
 * -ENOMEM, -ENOSPC (config is full).
 */
int msix_init(struct msix *m, struct pci_function *fn, unsigned bar, unsigned n,
	      const struct region_ops *ops, struct err *e);
void msix_fini(struct msix *m);

/* All off; with the device's reset, after pci_function_reset(). */
void msix_reset(struct msix *m);

void msix_config_written(struct msix *m, unsigned reg, unsigned size);
uint64_t msix_read(struct msix *m, uint64_t offset, unsigned size);
void msix_write(struct msix *m, uint64_t offset, unsigned size, uint64_t value);

/* Does the guest use MSI-X instead of the INTx pin? */
bool msix_enabled(const struct msix *m);

/* Send the vector's message, or keep it pending while it is masked.  Nothing
 * happens while MSI-X is off, or if there is no such vector.
 */
void msix_notify(struct msix *m, unsigned vector);

#endif
