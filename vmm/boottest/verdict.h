/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.h - a boot test from inside: what its files share. */
#ifndef BOOTTEST_VERDICT_H
#define BOOTTEST_VERDICT_H

#include <pthread.h>

#include "vmm/boottest/lines.h"
#include "vmm/boottest/rules.h"
#include "vmm/clock.h"

struct cause {
	const char *name;
	const char *sentence;
	const char *advice;	/* or NULL */
};
const struct cause *cause_of(enum boot_cause cause);

/* disk.c */
struct disk_kind {
	bool signature, code;	/* of an MBR */
	bool partitions;	/* in an MBR's table */
	bool gpt, esp, bios_boot;
	bool cd, el_torito;
	bool empty;		/* nothing but zeroes in its first MiB */
};
void disk_look(struct img *img, struct disk_kind *kind);

/* The cause when firmware or boot sector came to nothing: what the disk's layout
 * says, else `other`.
 */
enum boot_cause disk_cause(const struct disk_kind *kind, enum boot_cause other);

#define RECENT 6u		/* the last lines are kept */

/* A cause that words have named. */
struct hit {
	bool any;
	enum boot_stage last;	/* counts up to there */
	struct boot_line line;
};

/* What is known of the present boot, since the last reset. */
struct boot {
	enum boot_stage stage;
	struct boot_moment stages[BOOT_N_STAGES];
	unsigned modes;			/* WATCH_* */
	uint64_t user_ns;		/* when the first program ran */
	bool sector_started;		/* the firmware says so */
	bool driver;			/* the kernel's, of the disk */
	uint64_t features;
	bool mounted;			/* the kernel says so */
	bool wrote;			/* the kernel's driver did */
	uint64_t user_bytes;		/* read since ring 3, by that driver */
	uint64_t root_bytes;		/* read since root */
	uint64_t read_bytes[BOOT_N_STAGES];
	uint64_t written_bytes;
	struct hit hits[CAUSE_N];
	enum boot_cause fatal;		/* of the lines that ended hope; CAUSE_N:
					 * there are several */
	struct boot_card cards[VM_NET_MAX];
	bool early_login;		/* a login that was not believed ... */
	struct boot_line early_line;
};

/* How it ended, before the machine did. */
enum decision { UNDECIDED, PASSED, GAVE_UP, LOOPED, STALLED, SILENT };

struct boot_test {
	struct boot_test_config config;
	struct rules rules;
	regex_t text;			/* config.text */
	bool text_found;
	struct boot_line text_line;
	struct disk_kind kind;
	struct vm_watch watch;
	struct vm *vm;
	struct vm_timer tick;
	struct vm_net_info cards[VM_NET_MAX];	/* as they were made */

	pthread_mutex_t lock;		/* innermost; around what follows */
	bool over;			/* decided: nothing counts any more */
	bool ended;			/* so has the machine ... */
	bool alive;			/* ... and there was progress until then */
	enum decision decision;
	struct boot now;
	unsigned resets;
	uint64_t decide_at;		/* ns; 0: no decision waits */
	enum decision waiting;
	uint64_t over_ns, over_insns;
	uint64_t last_insns;		/* at the last tick */
	uint64_t progress_ns, progress_insns;	/* when there was some last */
	uint64_t begin_s, progress_s;	/* the same, of the host's time */
	struct lines lines[WATCH_N_PORTS];
	char *screen;			/* its text the last time, or NULL */
	uint64_t screen_mark;		/* vm_screen_changed_locked() */
	unsigned ticks;
	struct boot_line recent[RECENT];
	unsigned n_recent;		/* ever */
};

/* stages.c; the lock is held. */
void boot_reach(struct boot_test *bt, enum boot_stage stage, const char *proof);
void boot_line(struct boot_test *bt, enum boot_source source, const char *text);
void boot_modes(struct boot_test *bt, unsigned seen);
void boot_disk(struct boot_test *bt, bool write, uint64_t sector, uint64_t n);
void boot_driver(struct boot_test *bt, uint64_t features);
void boot_anew(struct boot_test *bt);
void boot_progress(struct boot_test *bt);
uint64_t boot_host_s(void);
void boot_keep(struct boot_test *bt, enum boot_source source, const char *text);
void boot_unfinished(struct boot_test *bt);	/* lines without an end */
void boot_tick(struct boot_test *bt);
/* Is the root there, and runs a program that no initramfs had? */
bool boot_root_runs(const struct boot *b);

/* network.c; the lock is held, but for begin. */
void boot_network_begin(struct boot_test *bt);
void boot_network(struct boot_test *bt, unsigned card,
		  const struct vm_net_host *host);
void boot_network_line(struct boot_test *bt, const char *text);
void boot_network_root(struct boot_test *bt);
/* Has everything answered?  `over`: nothing more will come. */
bool boot_network_ready(const struct boot_test *bt, bool over);
/* The first that has not: in words. */
void boot_network_silent(const struct boot_test *bt, char text[BOOT_LINE_MAX]);
void boot_network_judge(const struct boot_test *bt, struct boot_verdict *v);

/* screen.c; the machine lock is held, too. */
void boot_screen(struct boot_test *bt);

#endif
