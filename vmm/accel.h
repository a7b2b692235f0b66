/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accel.h - what runs guest instructions: KVM, or our CPU in software.
 *
 * An accelerator calls bus_read() and bus_write() for ports and device memory
 * from inside run(), with the CPU's state precise, and takes interrupts from
 * its LAPICs (in the kernel with KVM, chip/lapic.c with soft), into which
 * irq.c sends messages, and from the 8259 pair.
 *
 * Threads: vcpu_* and run of one vCPU are called by its own thread, or by others
 * while it is parked.  kick, msi, ext_int, route and mem_changed may come
 * from any thread, with the machine lock or the interrupt lock held: they
 * never wait for a vCPU.
 */
#ifndef VMM_ACCEL_H
#define VMM_ACCEL_H

#include "cpu.h"

struct vm;
struct vcpu;

/* Why run() returned. */
enum vcpu_exit {
	VCPU_KICKED,	/* kick() asked for it, or a signal */
	VCPU_DEAD,	/* halted with interrupts off: nothing but another CPU helps;
			 * in answer to a kick, or when all vCPUs are */
	VCPU_SHUTDOWN,	/* triple fault */
	VCPU_DEBUG,	/* breakpoint or single step: see struct vcpu_debug */
};

/* How good is it?  A user reads `text`. */
enum accel_quality { ACCEL_ABSENT, ACCEL_EMULATED, ACCEL_USABLE };
struct accel_report {
	enum accel_quality quality;
	double mips;		/* ring-0 instructions per microsecond; 0: not measured */
	struct err text;	/* what was found, what is missing, in one sentence */
};

/* Something that an accelerator counts for each vCPU. */
struct accel_counter {
	const char *name;	/* static */
	uint64_t n;
};
#define ACCEL_COUNTERS 8u	/* at most */

struct accel {
	const char *name;	/* "kvm", "soft" */
	bool debugs;		/* it obeys struct vcpu_debug (vm.h) */
	bool looks;		/* a kick tells the watcher of modes (watch.h) */

	/* Is it there, and how good?  Takes at most 5 ms. */
	void (*probe)(struct accel_report *report);

	int (*vm_init)(struct vm *vm, struct err *e);	/* vm->accel_state */
	void (*vm_fini)(struct vm *vm);

	/* The access of memory slots changed (mem.h), or the machine starts. */
	int (*mem_changed)(struct vm *vm);

	/* Bytes of RAM changed behind the CPU's back.  Optional: nothing. */
	void (*mem_wrote)(struct vm *vm, uint64_t offset, uint64_t len);

	/* Which pages are written, by vCPUs or with mem_wrote()?  Begin or end to
	 * watch; and add the bits of those written since then or since the last
	 * call to `bitmap`, one a page of the block (mem.h).  Optional.
	 */
	int (*log_dirty)(struct vm *vm, bool on);
	int (*take_dirty)(struct vm *vm, uint64_t *bitmap, size_t words);

	/* Let the guest's clocks that the accelerator keeps stand still, and go
	 * on; no vCPU runs.  Optional: they follow vm_now().
	 */
	void (*pause)(struct vm *vm);
	void (*resume)(struct vm *vm);

	int (*vcpu_init)(struct vcpu *cpu, struct err *e);
	void (*vcpu_fini)(struct vcpu *cpu);

	/* RESET: vCPU 0 will run from the reset vector, the others wait for
	 * INIT and SIPI; LAPICs too.
	 */
	int (*vcpu_reset)(struct vcpu *cpu);
	int (*get_state)(struct vcpu *cpu, struct cpu_state *s);
	int (*set_state)(struct vcpu *cpu, const struct cpu_state *s);

	/* Run until there is a reason to return; negative errno and a sentence
	 * if the accelerator itself fails.
	 */
	int (*run)(struct vcpu *cpu, enum vcpu_exit *why, struct err *e);

	/* What it counts; how many.  Any thread.  Optional. */
	unsigned (*counters)(struct vcpu *cpu,
			     struct accel_counter out[ACCEL_COUNTERS]);

	/* Let run() return soon, or the next one at once.  Async-safe. */
	void (*kick)(struct vcpu *cpu);

	/* A message to the LAPICs; `addr` is in 0xfee00000 to 0xfeefffff. */
	void (*msi)(struct vm *vm, uint64_t addr, uint32_t data);

	/* The 8259 pair's output to vCPU 0's LINT0 changed. */
	void (*ext_int)(struct vm *vm, bool level);

	/* The IOAPIC's pin now sends this message (masked: none).  Optional:
	 * for those that must know which vectors' EOI to report.
	 */
	void (*route)(struct vm *vm, unsigned pin, bool masked, uint64_t addr,
		      uint32_t data);

	/* Let a write of any value and of `len` bytes (0: any) to `addr` signal
	 * `eventfd` instead of leaving run().  Optional.  -ENOTSUP: it will be
	 * an ordinary access.
	 */
	int (*doorbell)(struct vm *vm, bool pio, uint64_t addr, unsigned len,
			int eventfd, bool on);
};

extern const struct accel accel_kvm, accel_soft;

/* All there are, the best first; NULL behind the last. */
const struct accel *accel_at(size_t i);

/* By name; NULL: there is none. */
const struct accel *accel_find(const char *name);

/* The first one that is usable, with its report; NULL: none is, and the report is
 * the best one's, with a sentence that says so.
 */
const struct accel *accel_auto(struct accel_report *report);

#endif
