/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio.h - a driver's half of virtio 1.2, over PCI and MMIO, for the tests' own
 * guests.  One device at a time, and its requests are waited for.
 */
#ifndef TINY_VIRTIO_H
#define TINY_VIRTIO_H

#include <stdbool.h>

#include "tiny.h"

/* PCI configuration space; `fn` is bus << 16 | device << 11 | function << 8. */
uint32_t pci_read(uint32_t fn, uint32_t reg);
void pci_write(uint32_t fn, uint32_t reg, uint32_t value);
/* The capability after `at` (0: the first) with this id, or 0. */
uint32_t pci_capability(uint32_t fn, uint32_t at, uint8_t id);
/* Where a memory BAR is. */
uint32_t pci_bar(uint32_t fn, uint32_t bar);
#define PCI_N_FUNCTIONS 256u	/* of bus 0 */

#define VIRTIO_F_INDIRECT	(1ull << 28)
#define VIRTIO_F_EVENT_IDX	(1ull << 29)
#define VIRTIO_F_VERSION_1	(1ull << 32)

#define VIRTIO_ACKNOWLEDGE	1u
#define VIRTIO_DRIVER		2u
#define VIRTIO_DRIVER_OK	4u
#define VIRTIO_FEATURES_OK	8u
#define VIRTIO_NEEDS_RESET	0x40u

#define QUEUE_SIZE 32u
#define MAX_QUEUES 3u

#define DESC_NEXT	1u
#define DESC_WRITE	2u
#define DESC_INDIRECT	4u

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct queue {
	struct desc desc[QUEUE_SIZE];
	struct {
		uint16_t flags, idx, ring[QUEUE_SIZE], used_event;
	} avail __attribute__((aligned(4)));
	struct {
		uint16_t flags, idx;
		struct { uint32_t id, len; } ring[QUEUE_SIZE];
		uint16_t avail_event;
	} used __attribute__((aligned(4)));
	struct desc indirect[QUEUE_SIZE][8];
	uint16_t index;		/* its number */
	uint16_t next_desc, last_used;
	uint16_t kicked;	/* avail.idx at the last kick */
	uint32_t doorbell;	/* address */
} __attribute__((aligned(16)));

enum virtio_irq { IRQ_LINE, IRQ_MESSAGES };

struct virtio {
	bool mmio;
	uint32_t fn;			/* PCI */
	uint32_t common, isr, config, notify, notify_step;
	uint32_t msix;			/* its table, or 0 */
	uint32_t pin;			/* of the IOAPIC: MMIO */
	uint64_t offered, features;
	struct queue *queues[MAX_QUEUES];
	volatile uint32_t interrupts[MAX_QUEUES];	/* line: all in [0] */
};

/* The nth device with this id, on PCI, or on MMIO. */
bool virtio_find(struct virtio *d, bool mmio, uint16_t id, uint32_t nth);

uint8_t virtio_status(const struct virtio *d);
void virtio_set_status(const struct virtio *d, uint8_t status);

/* Reset, negotiate what is offered of `wanted`, set up `n` queues and interrupts,
 * DRIVER_OK.  False: the device refuses the features.
 */
bool virtio_start(struct virtio *d, uint64_t wanted, struct queue *queues,
		  uint32_t n, enum virtio_irq irq);

/* A buffer of a request; those that the device writes come last. */
struct buffer {
	const void *addr;
	uint32_t len;
	bool in;
};

/* Offer a request; the device is told by queue_kick(), if it wants to be. */
uint16_t queue_add(struct virtio *d, struct queue *q, const struct buffer *b,
		   uint32_t n);
void queue_kick(struct virtio *d, struct queue *q);

/* Sleep until something is done; how many bytes were written into it. */
uint32_t queue_wait(struct queue *q, uint16_t *head);

#endif
