/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm.h - make a virtual machine, give it devices, run it: what programs use.
 *
 *	vm_new()  ->  vm_add_disk() ...  ->  vm_run()  ->  vm_free()
 *
 * One thread makes and runs a machine; vm_stop() may come from any other.
 */
#ifndef VMM_H
#define VMM_H

#include <stdio.h>

#include "accel.h"

struct img;
struct vm;
struct vm_watch;

/* How a guest ends. */
enum vm_end {
	VM_POWERED_OFF,		/* by ACPI or another way that it knows */
	VM_REBOOTED,		/* it asked for a reset, and no_reboot is set */
	VM_HALTED,		/* all CPUs halted with interrupts off */
	VM_TRIPLE_FAULT,	/* and no_reboot is set */
	VM_TIMED_OUT,
	VM_DEBUG_EXIT,		/* isa-debug-exit: see status */
	VM_STOPPED,		/* vm_stop() */
	VM_FAILED,		/* the VMM itself: see the error */
};

struct vm_boot {
	const char *firmware;	/* a ROM image, or NULL: boot a kernel directly */
	const char *kernel;	/* bzImage, PVH ELF or multiboot ELF */
	const char *initrd;	/* for multiboot: the first module */
	const char *append;	/* command line; NULL: empty */
	const char *const *modules;	/* multiboot: "FILE args", NULL at the end */
};

enum vm_screen { VM_SCREEN_NONE, VM_SCREEN_VGA };

struct vm_config {
	uint64_t memory;	/* bytes */
	struct cpu_topology topology;
	enum cpu_model cpu;
	const struct accel *accel;
	bool emulated;		/* its report said so: KVM needs the software CPU's
				 * help, and the model "host" is one that gets it */
	struct vm_boot boot;
	enum vm_screen screen;	/* see screen/screen.h */
	const char *vgabios;	/* its BIOS, an image as ROM_VGABIOS; NULL: none */
	uint64_t timeout;	/* ns of the host's time; 0: none */
	bool no_reboot;		/* a reset or triple fault ends the machine */
	bool virtual_clock;	/* soft only: see clock.h */
	FILE *trace;		/* soft only: executed blocks (accel/soft/trace.c);
				 * the caller's; NULL: none */
	bool test_devices;	/* isa-debug-exit and what test suites expect */
	const struct vm_watch *watch;	/* watch.h; NULL: nobody */
	int debug_fd;		/* firmware's debug port writes here; -1: nowhere */
};

struct vm_result {
	enum vm_end end;
	unsigned status;	/* VM_DEBUG_EXIT: (value << 1) | 1 */
	uint64_t run_ns;	/* the guest's time */
	unsigned resets;
	char how[80];		/* "ACPI", "port 0x64", ... for people */
	/* What the accelerator counted, of all CPUs together. */
	struct accel_counter counters[ACCEL_COUNTERS];
	unsigned n_counters;
};

int vm_new(const struct vm_config *config, struct vm **out, struct err *e);
void vm_free(struct vm *vm);

/* Run until the guest ends.  0 and *result, or a negative errno with a sentence
 * (the end is VM_FAILED then).
 */
int vm_run(struct vm *vm, struct vm_result *result, struct err *e);

/* Let vm_run() return soon; any thread, async-signal-safe. */
void vm_stop(struct vm *vm);

/* Press the reset button, which works with no_reboot too, and on a paused machine
 * when it goes on; or the power button, which a guest without ACPI ignores
 * (-ENODEV: there is none).  Any thread.
 */
void vm_reset(struct vm *vm);
int vm_power_button(struct vm *vm);

/* Stop all CPUs and devices, and let them go on.  When vm_pause() has returned,
 * no thread of the machine's touches guest memory or a disk.  Not from the
 * machine's own threads.  It goes on when each vm_pause() has had its
 * vm_resume().  vm_stop() and the time limit end a paused machine.
 */
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);

/* What the machine does just now, and has done so far.  Any thread. */

enum vm_exit {		/* why a vCPU left guest code, or a CPU in software stopped */
	VM_EXIT_PIO,		/* port accesses */
	VM_EXIT_MMIO,		/* device memory */
	VM_EXIT_HALT,		/* not where the LAPIC is KVM's: it waits there */
	VM_EXIT_EOI,		/* the end of a level-triggered interrupt */
	VM_EXIT_WINDOW,		/* ready for an interrupt of the 8259 pair */
	VM_EXIT_KICK,		/* a thread of ours wanted something */
	VM_EXIT_EMULATE,	/* an instruction that KVM cannot execute */
	VM_EXIT_OTHER,
	VM_N_EXITS,
};
const char *vm_exit_name(enum vm_exit why);

struct vm_info {
	const char *state;	/* "starting", "running", "paused", "ending" */
	const char *accel;
	uint64_t memory;	/* bytes of RAM */
	uint64_t memory_used;	/* bytes that the host has given for it */
	uint64_t guest_ns;	/* vm_now() */
	unsigned cpus, resets;
};
void vm_info(struct vm *vm, struct vm_info *info);

/* What the i-th CPU's accelerator counts besides, as far as it does (accel.h):
 * how many of `out` were set.  Any thread.
 */
unsigned vm_cpu_counters(struct vm *vm, unsigned i,
			 struct accel_counter out[ACCEL_COUNTERS]);

/* exits[] of the i-th CPU; false: there is none.  Any thread. */
bool vm_cpu_exits(struct vm *vm, unsigned i, uint64_t exits[VM_N_EXITS]);

/* Devices.  Before vm_run(). */

enum vm_bus { VM_BUS_PCI, VM_BUS_MMIO };

struct vm_disk {
	enum vm_bus bus;
	bool readonly;
	bool scratch;		/* goes with the machine: vm_flush_disks() leaves
				 * it out */
	const char *serial;	/* at most 20 bytes; NULL: empty */
	unsigned queues;	/* 0: one per vCPU, at most 16 */
	unsigned pullers;	/* threads; 0: 4 */
};

/* The machine takes over `img` (not on failure), and closes it. */
int vm_add_disk(struct vm *vm, struct img *img, const struct vm_disk *disk,
		struct err *e);

/* What became of the i-th disk so far; false: there is none.  Any thread. */
struct vm_disk_stats {
	const char *name;		/* the image's, owned by it */
	uint64_t reads, writes, flushes;	/* requests */
	uint64_t clears;		/* discard, write zeroes: requests */
	uint64_t read_bytes, written_bytes;
	unsigned in_flight;		/* requests being done now */
	uint64_t errors;		/* requests which the image failed: the
					 * guest saw an I/O error */
	int last_error;			/* negative errno, 0: none */
	uint64_t last_error_sector;	/* of 512 bytes */
};
bool vm_disk_stats(struct vm *vm, unsigned i, struct vm_disk_stats *stats);

/* Put on the disk what guests have written, also what they did not flush: after
 * vm_run(), to hear of what vm_free() would be silent about.  The first error.
 */
int vm_flush_disks(struct vm *vm, struct err *e);

int vm_add_rng(struct vm *vm, enum vm_bus bus, struct err *e);
int vm_add_balloon(struct vm *vm, enum vm_bus bus, struct err *e);

/* A network card, at whose cable hangs nothing but a peer of our own (net/peer.h),
 * which finds out whether the guest has these addresses.  Addresses have 16 bytes;
 * those of IPv4 are ::ffff:a.b.c.d.
 */
#define VM_NET_MAX	8u	/* cards */
#define VM_NET_ASKS	16u
#define VM_NET_HOSTS	32u	/* those asked for come first */

struct vm_net {
	enum vm_bus bus;
	uint8_t mac[6];			/* all zeroes: one is made up */
	unsigned n_asks;
	uint8_t asks[VM_NET_ASKS][16];
	bool have_gateway;		/* the peer's own IPv4 address; without it */
	uint8_t gateway[16];		/* it takes a neighbour of what it asks for */
};
int vm_add_net(struct vm *vm, const struct vm_net *net, struct err *e);

/* An address that was asked for, or that the guest has shown to be its own. */
struct vm_net_host {
	uint8_t addr[16];
	bool asked, learnt;
	bool answered;			/* ARP or neighbour discovery ... */
	bool echoed;			/* ... and ICMP echo */
	uint8_t by[6];			/* who answered first */
	uint64_t at_ns;			/* and when: the guest's time */
};

/* What is known at the i-th card since a driver has set it up last: how many of
 * `hosts`.  Any thread.
 */
unsigned vm_net_hosts(struct vm *vm, unsigned i,
		      struct vm_net_host hosts[VM_NET_HOSTS]);

struct vm_net_info {
	uint8_t mac[6];
	unsigned number;	/* among the virtio devices of its bus: Linux
				 * calls the device virtioN */
	bool driver;		/* has ever set it up */
	uint64_t sent, received, dropped;	/* frames, as the guest sees it */
};
/* False: there is none.  Any thread. */
bool vm_net_info(struct vm *vm, unsigned i, struct vm_net_info *info);

/* Host ends of a character device; the machine does not close them. */
struct vm_chardev {
	int in, out;		/* -1: none */
};

/* COM1 to COM4, in the order of calls; and a virtio console. */
int vm_add_serial(struct vm *vm, const struct vm_chardev *host, struct err *e);
int vm_add_console(struct vm *vm, enum vm_bus bus,
		   const struct vm_chardev *host, struct err *e);

/* Ask the guest for `bytes` of its memory, all in all; less than before gives
 * some back to it.  Any thread.  -ENODEV: no balloon, -ERANGE: more than it has.
 */
int vm_set_balloon(struct vm *vm, uint64_t bytes);

/* What the driver says of the guest's memory (virtio 1.2, 5.5.6.3). */
enum {
	VM_BALLOON_SWAP_IN, VM_BALLOON_SWAP_OUT, VM_BALLOON_MAJOR_FAULTS,
	VM_BALLOON_MINOR_FAULTS, VM_BALLOON_FREE, VM_BALLOON_TOTAL,
	VM_BALLOON_AVAILABLE, VM_BALLOON_CACHES, VM_BALLOON_HUGE_ALLOCATED,
	VM_BALLOON_HUGE_FAILED, VM_BALLOON_N_STATS,
};

struct vm_balloon_info {
	uint64_t wanted, actual;	/* bytes */
	uint64_t released;		/* bytes given to the host, ever */
	uint32_t have_stats;		/* by bit, which of these it has sent */
	uint64_t stats[VM_BALLOON_N_STATS];	/* as of the call before */
};

/* Any thread.  Asks the driver for new statistics as well. */
int vm_balloon_info(struct vm *vm, struct vm_balloon_info *info);

#endif
