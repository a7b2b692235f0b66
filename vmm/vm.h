/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.h - the machine from inside: what its own files share.
 *
 * Locks, outermost first:
 *	vm->lock	the machine lock: device registers, timers, run state
 *	a device's own	where a region is REGION_UNLOCKED; a virtqueue's
 *	vm->mem_lock	read: between taking a request and completing it;
 *			write: while the memory map changes (see mem_set_pam)
 *	vm->bus_lock	the lists of regions; held for a look-up only
 *	vm->irq_lock	lines, 8259, IOAPIC, and soft's LAPICs
 *	clock.lock	the list of timers
 * None is held across an img_* call, but mem_lock for reading.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <pthread.h>
#include <stdatomic.h>

#include "bus.h"
#include "clock.h"
#include "irq.h"
#include "loop.h"
#include "mem.h"
#include "vmm.h"

struct vcpu {
	struct vm *vm;
	unsigned index;
	uint32_t apic_id;
	pthread_t thread;
	bool started;
	bool dead;		/* VCPU_DEAD was its last word; machine lock */
	bool parked;		/* not in run(); machine lock */
	struct {
		bool on;	/* leave run() with VCPU_DEBUG at #DB and #BP */
		bool step;
	} debug;
	void *accel_state;
};

enum vm_state { VM_STOPPED_STATE, VM_RUNNING, VM_PAUSING, VM_QUITTING };

/* What the guest, or the host, asked for.  The first one counts. */
enum vm_request { VM_REQ_NONE, VM_REQ_RESET, VM_REQ_END };

struct pic;
struct ioapic;
struct pci_bus;
struct fwcfg;
struct acpi;
struct boot;

struct vm {
	struct vm_config config;	/* strings are the caller's */
	const struct accel *accel;
	void *accel_state;
	struct vcpu *vcpus;		/* config.topology.cpus of them */

	pthread_mutex_t lock;
	pthread_cond_t changed;		/* with lock: any field of the next group */
	_Atomic enum vm_state state;
	enum vm_request request;
	enum vm_end end;
	struct vm_result result;
	struct err error;
	int error_rc;
	_Atomic bool stop;		/* vm_stop() */
	int stop_fd;			/* eventfd, wakes vm_run() */

	struct mem mem;
	pthread_rwlock_t mem_lock;

	pthread_mutex_t bus_lock;
	struct region *regions[2];	/* by enum bus_space, in order of adding */

	pthread_mutex_t irq_lock;
	struct pic *pic;
	struct ioapic *ioapic;

	struct vm_clock clock;
	struct loop loop;
	struct device *devices, **last_device;

	/* The PC's own (pc.c). */
	struct pci_bus *pci;
	struct fwcfg *fwcfg;
	struct acpi *acpi;
	unsigned n_serials, n_mmio;
};

/* Called by devices, with the machine lock held, when the guest asks for it;
 * `how` goes into the result.  The CPUs stop before they run another
 * instruction of the guest, as far as the accelerator can.
 */
void vm_request_reset(struct vm *vm, const char *how);
void vm_request_end(struct vm *vm, enum vm_end end, unsigned status,
		    const char *how);

/* The VMM cannot go on; the first sentence counts.  Any thread without the
 * machine lock.
 */
void vm_fail(struct vm *vm, int rc, const struct err *e);

static inline void vm_lock(struct vm *vm)
{
	pthread_mutex_lock(&vm->lock);
}

static inline void vm_unlock(struct vm *vm)
{
	pthread_mutex_unlock(&vm->lock);
}

/* pc.c: put the PC's chips into a machine; make its tables and load what boots,
 * after each reset.
 */
int pc_init(struct vm *vm, struct err *e);
int pc_load(struct vm *vm, struct err *e);

#endif
