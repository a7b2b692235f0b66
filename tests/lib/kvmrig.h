/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvmrig.h - a bare machine on KVM with one device that writes down what reaches
 * it, and guests of a few instructions: for tests of the accelerator alone.
 */
#ifndef TESTS_KVMRIG_H
#define TESTS_KVMRIG_H

#include "vmm/vm.h"

/* A write to this port kicks the vCPU that did it: run() returns. */
#define RIG_DONE_PORT	0xf4u
/* Ports and device memory that the device answers. */
#define RIG_PORT	0x600u
#define RIG_PORTS	0x40u
#define RIG_MMIO	0xd0000000u
#define RIG_MMIO_LEN	0x4000u
/* Where guests begin. */
#define RIG_CODE	0x1000u
#define RIG_MAX_LOG	4096u

/* Code of a guest, between two symbols: GUEST(name, 16, "mov $1, %al\n..."). */
#define GUEST(name, bits, code)						\
	__asm__(".pushsection .rodata\n.code" #bits "\n"		\
		".hidden " #name "\n.hidden " #name "_end\n"		\
		".global " #name "\n.global " #name "_end\n"		\
		#name ":\n" code "\n" #name "_end:\n"			\
		".code64\n.popsection\n");				\
	extern const uint8_t name[], name##_end[]
#define GUEST_LEN(name) ((size_t)(name##_end - name))

struct rig_access {
	enum bus_space space;
	bool write;
	uint64_t addr;
	unsigned size;
	uint64_t value;
};

struct rig {
	struct device dev;		/* first */
	struct vm *vm;
	struct region done_region, port_region, mmio_region;
	unsigned n_log;
	struct rig_access log[RIG_MAX_LOG];
	uint32_t done;			/* last value written to the port */
	/* What reads give; NULL: the address's low bytes. */
	uint64_t (*read)(struct rig *rig, struct rig_access *access);
	void (*wrote)(struct rig *rig, struct rig_access *access);
};

/* Ends the test as skipped where KVM cannot be used; `rom` may be NULL. */
struct rig *rig_new(unsigned cpus, const void *rom, size_t rom_len);
void rig_free(struct rig *rig);

/* Copy code or data into guest memory. */
void rig_load(struct rig *rig, uint64_t gpa, const void *data, size_t len);

/* Let vCPU 0 begin at RIG_CODE: in real mode, flat 32-bit, or 64-bit with the
 * first 4 GiB mapped one to one by page tables at 0x70000, and the stack below
 * that.
 */
void rig_start16(struct rig *rig);
void rig_start32(struct rig *rig);
void rig_start64(struct rig *rig);

/* Run a vCPU, checking that the accelerator works. */
enum vcpu_exit rig_run(struct rig *rig, unsigned cpu);

/* Load `guest` at RIG_CODE, start it and run it until it writes to the port. */
#define RIG_RUN(rig, guest, bits)					\
	do {								\
		rig_load(rig, RIG_CODE, guest, GUEST_LEN(guest));	\
		rig_start##bits(rig);					\
		CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);			\
	} while (0)

/* The log's entry `i`, checked. */
void rig_check(const struct rig *rig, unsigned i, bool write, uint64_t addr,
	       unsigned size, uint64_t value);

#endif
