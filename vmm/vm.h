/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm.h - the machine from inside: what its own files share.
 *
 * Locks, outermost first:
 *	vm->lock	the machine lock: device registers, timers, run state
 *	a device's own	where a region is REGION_UNLOCKED; a virtqueue's
 *	vm->bus_lock	the lists of regions; held for a look-up only
 *	the PCI bus's, and inside it PIIX3's: pins, and what drives the PIRQs
 *	vm->irq_lock	lines, 8259, IOAPIC
 *	the LAPICs' own	those of soft (chip/lapic.h)
 *	clock.lock	the list of timers
 *	loop.lock	what the loop watches
 * None is held across an img_* call.
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
#include "random.h"
#include "vmm.h"
#include "pages.h"
#include "watch.h"

/* What a debugger wants of a vCPU; changed while it is parked. */
struct vcpu_debug {
	bool on;		/* leave run() with VCPU_DEBUG at #DB and #BP */
	bool step;		/* and after one instruction */
	bool frozen;		/* run.c: it does not run, the others do */
	/* With a breakpoint enabled in dr7 these are in force instead of the
	 * guest's own.
	 */
	uint64_t dr[4], dr7;
	/* Exceptions that were the guest's own after all: run() delivers this
	 * one first, and clears it.
	 */
	enum { DEBUG_INJECT_NONE, DEBUG_INJECT_DB, DEBUG_INJECT_BP } inject;

	/* VCPU_DEBUG: RIP is on the instruction that is to be executed next, on
	 * the INT3 itself for #BP.
	 */
	bool hit;		/* run() said so; the debugger clears it */
	unsigned exception;	/* 1 (#DB) or 3 (#BP) */
	uint64_t dr6;		/* #DB: why */
};

struct vcpu {
	struct vm *vm;
	unsigned index;
	uint32_t apic_id;
	pthread_t thread;
	bool started;
	enum vcpu_exit why;	/* run()'s last word; machine lock */
	bool parked;		/* not in run(); machine lock */
	bool must_run;		/* before it parks again; machine lock */
	struct vcpu_debug debug;
	void *accel_state;
	_Atomic uint64_t exits[VM_N_EXITS];	/* vcpu_count() */
	_Atomic uint8_t seen;		/* WATCH_*, since the last reset */
};

/* For accelerators, by the thread that runs it. */
static inline void vcpu_count(struct vcpu *cpu, enum vm_exit why)
{
	uint64_t n = atomic_load_explicit(&cpu->exits[why],
					  memory_order_relaxed);

	atomic_store_explicit(&cpu->exits[why], n + 1, memory_order_relaxed);
}

/* May the vCPUs run? */
enum vm_state { VM_PARKED, VM_RUNNING, VM_QUITTING };

/* What the guest asked for.  The first one counts. */
enum vm_request { VM_REQ_NONE, VM_REQ_RESET, VM_REQ_END };

/* A debugger: see vm_debug_attach(). */
struct vm_debugger {
	pthread_mutex_t lock;	/* outermost; around: */
	bool live;		/* there are vCPUs to look at */
	int fd;			/* -1: no debugger; machine lock, as the rest */
	bool stop;		/* vCPUs stay parked until it has come */
	bool reset;
};

struct pic;
struct ioapic;
struct pci_bus;
struct fwcfg;
struct acpi;
struct balloon;
struct boot;
struct vga;
struct i8042;

struct vm {
	struct vm_config config;	/* strings are the caller's */
	const struct accel *accel;
	void *accel_state;
	bool accel_ready;		/* vm_init() was successful */
	struct vcpu *vcpus;		/* config.topology.cpus of them */
	_Atomic uint8_t *from_disk;	/* watch.c's: a byte for a page of RAM; NULL:
					 * nobody looks on */
	struct pages first_pages;	/* its, too: as the first program began */
	_Atomic bool pages_noted;

	/* run.c's, with the machine lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* some field of this group has */
	enum vm_state state;
	bool holding;			/* somebody holds the machine still */
	bool paused;			/* and that is vm_pause() */
	struct vm_debugger debugger;
	enum vm_request request;
	struct vm_result result;
	struct err error;		/* when result.end is VM_FAILED */
	int error_rc;
	_Atomic bool stop;		/* vm_stop() */
	int wake_fd;			/* eventfd, wakes vm_run() */
	pthread_mutex_t pauses_lock;	/* around vm_pause() and vm_resume() */
	unsigned pauses;		/* how many want it; pauses_lock */
	pthread_mutex_t pause_lock;	/* around pause() and resume() of all devices */
	bool devices_run;		/* pause_lock */
	bool live;			/* in vm_run(); pause_lock */

	struct mem mem;

	pthread_mutex_t bus_lock;
	struct bus bus[2];		/* by enum bus_space */

	pthread_mutex_t irq_lock;
	struct pic *pic;
	struct ioapic *ioapic;

	struct vm_clock clock;
	struct vm_random random;
	struct loop loop;
	struct device *devices, **last_device;

	/* The PC's own (pc.c). */
	struct pci_bus *pci;
	struct fwcfg *fwcfg;
	struct acpi *acpi;
	struct boot *boot;		/* NULL: firmware boots */
	struct balloon *balloon;
	struct vga *vga;		/* NULL: no screen */
	struct i8042 *kbd;
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

/* Debuggers (vmm/gdb/).  While one is attached, and has not said that it came, no
 * vCPU runs after the machine's start, after a reset, and from when a vCPU has
 * left run() with VCPU_DEBUG; `fd`, an eventfd, is written to then.
 *
 * vm_debug_hold() comes: it pauses the machine.  Until vm_resume() the debugger may
 * look at vCPUs and memory and change vcpu.debug, with debugger.lock held and
 * only if debugger.live.  *reset: there was one since the last time.
 */
void vm_debug_attach(struct vm *vm, int fd);
void vm_debug_detach(struct vm *vm);
void vm_debug_hold(struct vm *vm, bool *reset);

/* run.c: what vm_run() needs from vm_new() and vm_free(). */
int run_init(struct vm *vm, struct err *e);
void run_fini(struct vm *vm);

/* A machine with memory, busses and a clock, but without a chip; vm_free() it.
 * What vm_new() begins with, and tests of one chip.
 */
int vm_new_bare(const struct vm_config *config, const void *rom, size_t rom_len,
		struct vm **out, struct err *e);

/* pc.c: put the PC's chips into a machine; make its tables and load what boots,
 * after each reset.
 */
int pc_init(struct vm *vm, struct err *e);
int pc_load(struct vm *vm, struct err *e);
void pc_fini(struct vm *vm);

#endif
