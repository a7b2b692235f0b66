/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vring.h - a virtio driver in the test's own process: it sets up a device
 * through its transport and fills rings in the memory of a machine without CPU.
 *
 * A thread may drive one queue while others drive others.  Whatever a real driver
 * would give up on ends the test.
 */
#ifndef TESTS_VRING_H
#define TESTS_VRING_H

#include "vmm/virtio/virtio.h"
#include "vmm/vm.h"

#define VRING_MAX_QUEUES 16u
#define VRING_NEXT	1u
#define VRING_WRITE	2u
#define VRING_INDIRECT	4u

/* Where the driver puts things: rings of 16 KiB from VRING_RINGS on, indirect
 * tables of 4 KiB for each descriptor behind them.  Tests have the memory from
 * VRING_DATA on.
 */
#define VRING_RINGS	0x100000u
#define VRING_RING_LEN	0x4000u
#define VRING_TABLES	0x200000u	/* of queue 0: 256 of 4 KiB; and so on */
#define VRING_DATA	0x1200000u

struct vring {
	unsigned size;
	uint64_t gpa;			/* descriptors; +0x1000 avail, +0x2000 used */
	uint8_t *desc, *avail, *used;	/* host */
	uint16_t avail_idx, used_idx;	/* the driver's */
	uint16_t kicked;		/* avail_idx at the last kick */
	uint16_t free[256];		/* stack of free descriptors */
	unsigned n_free;
	uint8_t n_desc[256];		/* of the request with this head, - 1 */
	uint16_t chain_next[256];
	uint64_t kicks;
};

struct vdev {
	struct vm *vm;
	enum vm_bus bus;
	unsigned devfn;			/* PCI */
	uint64_t base;			/* MMIO registers */
	uint64_t common, notify, isr, config;	/* PCI: addresses */
	unsigned notify_step;
	bool event_idx, indirect;
	uint64_t features;		/* accepted */
	unsigned n_rings;
	struct vring rings[VRING_MAX_QUEUES];
};

struct vbuf {
	uint64_t gpa;
	uint32_t len;
	bool in;			/* the device writes it */
};

/* The `n`-th virtio device of the bus; for PCI its BARs are placed at `bar`, and
 * `bar` + 1 MiB for MSI-X.
 */
void vdev_open(struct vdev *d, struct vm *vm, enum vm_bus bus, unsigned n,
	       uint64_t bar);

/* Registers. */
uint64_t vdev_features(struct vdev *d);
uint8_t vdev_status(struct vdev *d);
void vdev_set_status(struct vdev *d, uint8_t status);
uint8_t vdev_isr(struct vdev *d);		/* reads, and acknowledges */
uint64_t vdev_config(struct vdev *d, unsigned offset, unsigned size);
void vdev_config_write(struct vdev *d, unsigned offset, unsigned size,
		       uint64_t value);
void vdev_notify(struct vdev *d, unsigned queue);
unsigned vdev_max_size(struct vdev *d, unsigned queue);

/* Offer these features, as far as the device has them; FEATURES_OK accepted? */
bool vdev_negotiate(struct vdev *d, uint64_t features);

/* Set one queue up with its rings empty, and enable it.  `size` 0: the most. */
void vdev_queue(struct vdev *d, unsigned queue, unsigned size);
/* The same with addresses of the test's choice. */
void vdev_queue_at(struct vdev *d, unsigned queue, unsigned size, uint64_t desc,
		   uint64_t avail, uint64_t used);

/* Reset, negotiate, set `n` queues up, DRIVER_OK. */
void vdev_start(struct vdev *d, uint64_t features, unsigned n, unsigned size);

/* Write 0 to the status and wait until it is 0. */
void vdev_reset(struct vdev *d);

/* MSI-X on, vector i for queue i - 1, 0 for config: message i has data 0x40 + i
 * and goes to 0xfee00000.  Before the queues are enabled.
 */
void vdev_msix(struct vdev *d, unsigned n_queues);

/* Requests. */

/* A request of `n` buffers; its head.  -1: there is no room. */
int vring_add(struct vdev *d, unsigned queue, const struct vbuf *bufs,
	      unsigned n);
/* Let the device see all requests added, and notify it if it wants that. */
void vring_kick(struct vdev *d, unsigned queue);
/* A completed request: its head, or -1.  *len: what the device says. */
int vring_poll(struct vdev *d, unsigned queue, uint32_t *len);
/* Wait for one; a minute without any fails the test. */
int vring_wait(struct vdev *d, unsigned queue, uint32_t *len);
/* Ask for an interrupt for the next completion, or for none. */
void vring_want_interrupt(struct vdev *d, unsigned queue, bool want);

/* The parts, for drivers that do it wrong. */
void vring_put_desc(struct vring *r, unsigned i, uint64_t gpa, uint32_t len,
		    unsigned flags, unsigned next);
void vring_put_avail(struct vring *r, unsigned head);	/* in the next slot */
void vring_set_avail_idx(struct vring *r, uint16_t idx);
uint16_t vring_used_idx(const struct vring *r);

#endif
