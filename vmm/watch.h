/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.h - somebody who looks on while a guest runs, such as a boot test.
 *
 * The callbacks come from the machine's threads, several at once, with any of its
 * locks: they wait for nothing and call nothing of the machine's but vm_now(),
 * vm_instructions() and vm_stop().  All are optional.
 */
#ifndef VMM_WATCH_H
#define VMM_WATCH_H

#include "imgfmt/base/base.h"

struct vm;
struct vm_net_host;

/* What CPUs have done since the last reset.  KVM's are looked at whenever something
 * kicks them (vm_look()), so that a short time in a mode may be missed.
 */
#define WATCH_PROTECTED	0x01u	/* protected mode */
#define WATCH_PAGING	0x02u
#define WATCH_LONG	0x04u	/* IA-32e mode */
#define WATCH_USER	0x08u	/* a program: ring 3 with paging on, not in VM86 */
/* A program in pages that were read from the first disk since there are programs;
 * not one that a file system has decompressed.
 */
#define WATCH_DISK_PROGRAM 0x10u
/* Instructions that are zeroes, as where a jump went astray; KVM does not tell. */
#define WATCH_ZEROES	0x20u
/* A program in pages that were nowhere in memory when the first program began: not
 * one of an initramfs, whatever that reads.  KVM does not tell, and has this with
 * WATCH_USER.
 */
#define WATCH_NEW_PROGRAM 0x40u

enum watch_port {
	WATCH_SERIAL1, WATCH_SERIAL2, WATCH_SERIAL3, WATCH_SERIAL4,
	WATCH_DEBUG,		/* firmware's debug port */
	WATCH_N_PORTS,
};

struct vm_watch {
	void *arg;
	void (*text)(void *arg, enum watch_port port, uint8_t byte);
	/* A request of the i-th disk that was done, and in its limits. */
	void (*disk)(void *arg, unsigned disk, bool write, uint64_t sector,
		     uint64_t n_sectors);
	/* A driver has taken a device ("virtio-blk"). */
	void (*driver)(void *arg, const char *device, uint64_t features);
	/* What the i-th network card's peer knows of an address has grown, or the
	 * guest has answered again.  `host` NULL: a driver has set the card up.
	 */
	void (*network)(void *arg, unsigned card,
			const struct vm_net_host *host);
	/* Bits that were not seen before. */
	void (*mode)(void *arg, unsigned seen);
	/* The guest starts anew; nothing runs. */
	void (*reset)(void *arg);
};

/* For the machine's own files: `seen` := it and what `mode` adds, which is told. */
void watch_mode(struct vm *vm, _Atomic uint8_t *seen, unsigned mode);
void watch_text(struct vm *vm, enum watch_port port, uint8_t byte);

/* For WATCH_DISK_PROGRAM and WATCH_NEW_PROGRAM: the first disk's data came to `host`,
 * guest memory; and the CPU that has seen `seen` will run a program's code at `offset`
 * of it (mem.h).
 */
void watch_read(struct vm *vm, const void *host, uint64_t len);
void watch_program(struct vm *vm, _Atomic uint8_t *seen, uint64_t offset);

/* At power-on; and the memory that it takes.  -ENOMEM. */
int watch_init(struct vm *vm);
void watch_reset(struct vm *vm);
void watch_fini(struct vm *vm);

/* Let an accelerator that cannot tell look at its CPUs.  Any thread. */
void vm_look(struct vm *vm);

/* Instructions that all CPUs have executed, as of their last slice; 0: nobody
 * counts.  From callbacks.
 */
uint64_t vm_instructions(struct vm *vm);

#endif
