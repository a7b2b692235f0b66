/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - what a device model implements.
 *
 * A device is a struct of its own with a `struct device` as its first member;
 * it has regions (bus.h), interrupt lines (irq.h) and timers (clock.h), and
 * knows neither where its regions lie nor which controller its lines reach.
 *
 * Threads: the callbacks of a region, a timer or the loop run with the machine
 * lock held, unless a region says REGION_UNLOCKED, whose device locks itself.
 * Nothing that waits for a disk is done under the machine lock.
 */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include "imgfmt/base/base.h"

struct vm;
struct device;
struct state_table;

struct device_ops {
	const char *name;	/* "virtio-blk", for people */

	/* Back to the state after power-on; no vCPU runs.  Requests in flight
	 * are finished first.  Optional: nothing.
	 */
	void (*reset)(struct device *dev);

	/* Let no thread of the device touch guest memory until resume():
	 * requests in flight are finished, later ones wait.  No vCPU runs.
	 * A new device is paused.  Optional, both or neither: the device has no
	 * thread.
	 */
	void (*pause)(struct device *dev);
	void (*resume)(struct device *dev);

	/* Release everything, the struct itself too.  Paused before. */
	void (*fini)(struct device *dev);

	/* What of the device is saved (state.h). */
	const struct state_table *state;
};

struct device {
	const struct device_ops *ops;
	struct vm *vm;
	struct device *next;	/* in the order they were added */
};

/* The machine takes over `dev`: it is reset with the machine and ended by it.
 * Only before the machine runs.
 */
void device_add(struct vm *vm, struct device *dev, const struct device_ops *ops);

#endif
