/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fakevm.h - a machine with an accelerator that runs nothing: tests of devices
 * touch registers through bus_read() and bus_write() and look at what arrived
 * at the CPU's pins.
 */
#ifndef TESTS_FAKEVM_H
#define TESTS_FAKEVM_H

#include "vmm/vm.h"

#define FAKE_MAX_MSI 256u

struct fakevm {
	unsigned n_msi;			/* all that came, also beyond the array */
	struct { uint64_t addr; uint32_t data; } msi[FAKE_MAX_MSI];
	bool ext_int;			/* the 8259 pair's output */
	unsigned n_ext_int;		/* changes of it */
	struct { bool set, masked; uint64_t addr; uint32_t data; } routes[24];
	unsigned n_mem_changed, n_wrote;
	uint64_t wrote_offset, wrote_len;	/* the last one */
	_Atomic unsigned n_resets;
	struct cpu_state state;		/* vCPU 0's */

	/* What run() does; NULL: wait for a kick.  The default run() is
	 * fakevm_wait().
	 */
	int (*run)(struct vcpu *cpu, enum vcpu_exit *why, struct err *e);

	pthread_mutex_t lock;		/* around all of this */
	pthread_cond_t kicked;
	bool kick[256];			/* by vCPU */
};

extern const struct accel accel_fake;

/* A bare machine (no chips) or a PC of `memory` bytes and `cpus` CPUs, with the
 * virtual clock: clock_advance() and clock_run() make time pass.  Checks that it
 * works.  vm_free() it.
 */
struct vm *fakevm_bare(uint64_t memory, unsigned cpus);
struct vm *fakevm_pc(uint64_t memory, unsigned cpus);
/* A bare one with the interrupt controllers, the PCI bus and power management. */
struct vm *fakevm_irq(uint64_t memory);
/* As a guest sets the 8259 pair up: IRQ 0 is vector 0x30, AEOI. */
void fakevm_init_pic(struct vm *vm);
void fakevm_config(struct vm_config *config, uint64_t memory, unsigned cpus);

/* The host's clock instead, before devices are added: disks have threads then. */
void fakevm_real_clock(struct vm *vm);

struct fakevm *fakevm_of(struct vm *vm);

/* Let `ns` pass, with every timer firing at its time. */
void fakevm_pass(struct vm *vm, uint64_t ns);

/* Block until this vCPU is kicked. */
void fakevm_wait(struct vcpu *cpu);

#endif
