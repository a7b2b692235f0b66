/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stages.c - how far has the guest come?  What the machine tells becomes stages and
 * named causes, and both become the decision that ends the test.
 *
 * The root is believed when programs run (ring 3), the kernel's own driver reads
 * the disk, and
 *
 *	a program runs in pages that were read from there; or, as a file system may
 *	decompress what it reads,
 *	SILENT_ROOT bytes were read, to which no search for file systems comes; or
 *	SPOKEN_ROOT bytes, and the kernel says that it mounted a file system.
 *
 * An initramfs that looks at superblocks, or repairs them, and says "login:" has none
 * of these.  Of one that reads more, words are not believed: the programs that it runs
 * were all in memory when the first of them began, and those of a root were not.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmm/boottest/verdict.h"
#include "vmm/virtio/virtio.h"
#include "vmm/vm.h"

#define SILENT_ROOT	(32u << 20)
#define SPOKEN_ROOT	(64u << 10)
#define SILENT_INIT	(8u << 20)	/* since root, and a write */

#define MS		1000000ull
#define TICK		(50 * MS)
#define SCREEN_TICKS	4u
/* How long to go on listening: after a root, an init, a login; after a fatal line
 * of the loader's, who computes while he waits; and of anybody else.
 */
#define SETTLE		(2000 * MS)
#define SETTLE_UNSURE	(30000 * MS)	/* no program is known to be the disk's */
#define LAST_WORDS_LOADER (300 * MS)
#define LAST_WORDS	(2000 * MS)
/* Nothing said, nothing read for so long: it is stuck. */
#define STUCK_NS	(180 * NS_PER_S)
#define STUCK_INSNS	5000000000ull
#define STUCK_KERNEL	25000000000ull	/* "quiet", and an initramfs that unpacks
					 * and looks for devices: 6e9 were seen */
#define STUCK_SECTOR	500000000ull	/* of the boot sector alone */
#define MAX_RESETS	3u
/* How long addresses may take to answer when all else is there. */
#define NETWORK_WAIT	(60 * NS_PER_S)

/* The CPUs are gone when the machine has ended. */
static uint64_t instructions(const struct boot_test *bt)
{
	return bt->ended ? bt->last_insns : vm_instructions(bt->vm);
}

static void end(struct boot_test *bt, enum decision decision)
{
	if (bt->over)
		return;
	bt->over = true;
	bt->decision = decision;
	bt->over_ns = vm_now(bt->vm);
	bt->over_insns = instructions(bt);
	vm_stop(bt->vm);
}

/* The time has come for what waits, unless an address still has to answer. */
static void decide(struct boot_test *bt)
{
	if (bt->waiting != PASSED || boot_network_ready(bt, false))
		end(bt, bt->waiting);
	else if (vm_now(bt->vm) >= bt->decide_at + NETWORK_WAIT)
		end(bt, SILENT);
}

/* What is fatal outweighs what is good. */
static void end_later(struct boot_test *bt, enum decision decision, uint64_t ns)
{
	uint64_t at = vm_now(bt->vm) + ns;

	if (bt->waiting == GAVE_UP ||
	    (bt->waiting == decision && bt->decide_at <= at))
		return;
	bt->waiting = decision;
	bt->decide_at = at;
	if (!ns)
		decide(bt);
}

uint64_t boot_host_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec;
}

void boot_progress(struct boot_test *bt)
{
	bt->progress_ns = vm_now(bt->vm);
	bt->progress_insns = instructions(bt);
	bt->progress_s = boot_host_s();
}

static uint64_t settle(const struct boot *b)
{
	if (b->stage < BOOT_ROOT)
		return 0;
	return b->modes & WATCH_DISK_PROGRAM ? SETTLE : SETTLE_UNSURE;
}

void boot_reach(struct boot_test *bt, enum boot_stage stage, const char *proof)
{
	struct boot_moment *m = &bt->now.stages[stage];

	if (stage <= bt->now.stage)
		return;
	bt->now.stage = stage;
	m->reached = true;
	m->ns = vm_now(bt->vm);
	m->instructions = instructions(bt);
	snprintf(m->proof, sizeof(m->proof), "%s", proof);
	if (stage == BOOT_ROOT)
		boot_network_root(bt);
	if (!bt->config.text && stage >= bt->config.until)
		end_later(bt, PASSED, settle(&bt->now));
}

static void root_proof(const struct boot *b, char proof[BOOT_LINE_MAX])
{
	snprintf(proof, BOOT_LINE_MAX, "programs ran, and %llu KiB were read "
		 "from the disk%s", (unsigned long long)b->user_bytes >> 10,
		 b->modes & WATCH_DISK_PROGRAM ? ", one of them" :
		 b->mounted ? "; the kernel has mounted a file system" : "");
}

bool boot_root_runs(const struct boot *b)
{
	return b->stage >= BOOT_ROOT &&
		b->modes & (WATCH_DISK_PROGRAM | WATCH_NEW_PROGRAM);
}

/* What disk and CPU prove by themselves. */
static void look(struct boot_test *bt)
{
	struct boot *b = &bt->now;
	uint64_t enough = b->modes & WATCH_DISK_PROGRAM ? 0 :
			  b->mounted ? SPOKEN_ROOT : SILENT_ROOT;
	char proof[BOOT_LINE_MAX];

	if (!(b->modes & WATCH_USER) || !b->driver)
		return;
	if (b->stage < BOOT_ROOT && b->user_bytes >= enough) {
		root_proof(b, proof);
		boot_reach(bt, BOOT_ROOT, proof);
	}
	if (b->stage == BOOT_ROOT && boot_root_runs(b) && b->wrote &&
	    b->root_bytes >= SILENT_INIT)
		boot_reach(bt, BOOT_INIT, "much was read from the root, and "
			   "something written");
}

void boot_disk(struct boot_test *bt, bool write, uint64_t sector, uint64_t n)
{
	struct boot *b = &bt->now;
	uint64_t len = n * 512;
	char proof[64];

	boot_progress(bt);
	if (b->stage < BOOT_FIRMWARE)
		boot_reach(bt, BOOT_FIRMWARE, "the disk was read");
	if (b->stage < BOOT_LOADER && sector + n > 1) {
		snprintf(proof, sizeof(proof), "sector %llu was read",
			 (unsigned long long)(sector ? sector : 1));
		boot_reach(bt, BOOT_LOADER, proof);
	}
	if (write) {
		b->written_bytes += len;
		b->wrote |= b->driver && b->modes & WATCH_USER;
	} else {
		b->read_bytes[b->stage] += len;
		if (b->driver && b->modes & WATCH_USER)
			b->user_bytes += len;
		if (b->stage >= BOOT_ROOT)
			b->root_bytes += len;
	}
	look(bt);
}

void boot_modes(struct boot_test *bt, unsigned seen)
{
	boot_progress(bt);
	if (seen & ~bt->now.modes & WATCH_USER)
		bt->now.user_ns = vm_now(bt->vm);
	bt->now.modes |= seen;
	if (seen & WATCH_PAGING)
		boot_reach(bt, BOOT_KERNEL, "paging was switched on");
	look(bt);
	/* Of what a kernel does with its exceptions nothing is known. */
	if (seen & WATCH_ZEROES && bt->now.stage <= BOOT_LOADER) {
		boot_keep(bt, SOURCE_MACHINE, "the CPU executes zeroes");
		end_later(bt, STALLED, 0);
	}
	if (seen & WATCH_DISK_PROGRAM && bt->waiting == PASSED)
		end_later(bt, PASSED, settle(&bt->now));
}

/* Firmware has its driver, too, but without paging. */
void boot_driver(struct boot_test *bt, uint64_t features)
{
	boot_progress(bt);
	if (bt->now.stage < BOOT_KERNEL)
		return;
	bt->now.driver = true;
	bt->now.features = features;
}

void boot_anew(struct boot_test *bt)
{
	if (bt->waiting == GAVE_UP) {
		end(bt, GAVE_UP);
		return;
	}
	if (bt->resets++ > MAX_RESETS) {
		end(bt, LOOPED);
		return;
	}
	memset(&bt->now, 0, sizeof(bt->now));
	memset(bt->lines, 0, sizeof(bt->lines));
	bt->waiting = UNDECIDED;
	boot_progress(bt);
}

/* Words. */

static void fill(struct boot_test *bt, struct boot_line *line,
		 enum boot_source source, const char *text)
{
	line->source = source;
	/* The machine needs a moment to stop, which is not always the same. */
	line->ns = bt->over ? bt->over_ns : vm_now(bt->vm);
	snprintf(line->text, sizeof(line->text), "%s", text);
}

/* A line that grows on the screen is one. */
void boot_keep(struct boot_test *bt, enum boot_source source, const char *text)
{
	struct boot_line *line = &bt->recent[(bt->n_recent - 1) % RECENT];

	if (!bt->n_recent || source != SOURCE_SCREEN || line->source != source ||
	    strncmp(text, line->text, strlen(line->text)))
		line = &bt->recent[bt->n_recent++ % RECENT];
	fill(bt, line, source, text);
}

static void take_hit(struct boot_test *bt, const struct rule *rule,
		     enum boot_source source, const char *text)
{
	struct hit *hit = &bt->now.hits[rule->cause];

	if (!hit->any) {
		hit->any = true;
		hit->last = rule->last;
		fill(bt, &hit->line, source, text);
	}
	if (rule->kind != RULE_FATAL)
		return;
	if (bt->now.fatal == CAUSE_NONE)
		bt->now.fatal = rule->cause;
	else if (bt->now.fatal != rule->cause)
		bt->now.fatal = CAUSE_N;
	end_later(bt, GAVE_UP, bt->now.stage <= BOOT_LOADER ?
		  LAST_WORDS_LOADER : LAST_WORDS);
}

/* Where somebody can log in there is no emergency shell: /etc/issue, which stands
 * before the prompt, may say so all the same.
 */
static void forgive_emergency(struct boot_test *bt)
{
	if (bt->waiting != GAVE_UP || bt->now.fatal != CAUSE_EMERGENCY)
		return;
	bt->waiting = UNDECIDED;
	bt->now.fatal = CAUSE_NONE;
	bt->now.hits[CAUSE_EMERGENCY].any = false;
	/* It may have been reached before. */
	if (!bt->config.text && bt->now.stage >= bt->config.until)
		end_later(bt, PASSED, settle(&bt->now));
}

static void take_rule(struct boot_test *bt, const struct rule *rule,
		      enum boot_source source, const char *text)
{
	switch (rule->kind) {
	case RULE_HINT:
	case RULE_FATAL:
		take_hit(bt, rule, source, text);
		break;
	case RULE_MOUNTED:
		bt->now.mounted = true;
		look(bt);
		break;
	case RULE_INIT:
		if (boot_root_runs(&bt->now))
			boot_reach(bt, BOOT_INIT, text);
		break;
	case RULE_LOGIN:
		if (!boot_root_runs(&bt->now))
			break;
		forgive_emergency(bt);
		boot_reach(bt, BOOT_LOGIN, text);
		break;
	}
}

/* A login before its time, for the evidence. */
static void early(struct boot_test *bt, enum boot_source source,
		  const char *text)
{
	unsigned i = 0;

	if (bt->now.early_login || boot_root_runs(&bt->now))
		return;
	while ((i = rules_match(&bt->rules, i, BOOT_LOGIN, text)) <
	       boot_n_rules) {
		if (boot_rules[i++].kind != RULE_LOGIN)
			continue;
		bt->now.early_login = true;
		fill(bt, &bt->now.early_line, source, text);
		break;
	}
}

static void own_text(struct boot_test *bt, enum boot_source source,
		     const char *text)
{
	if (!bt->config.text || bt->text_found || bt->now.stage < BOOT_LOADER ||
	    source == SOURCE_DEBUG || regexec(&bt->text, text, 0, NULL, 0))
		return;
	bt->text_found = true;
	fill(bt, &bt->text_line, source, text);
	end_later(bt, PASSED, 0);
}

static void sector_started(struct boot_test *bt, const char *text)
{
	static const char words[] = "Booting from 0000:";

	if (strncmp(text, words, sizeof(words) - 1))
		return;
	bt->now.sector_started = true;
	/* Zeroes are instructions, too, but do not lead anywhere. */
	if (!bt->kind.code)
		end_later(bt, STALLED, 0);
}

void boot_line(struct boot_test *bt, enum boot_source source, const char *text)
{
	unsigned i = 0;

	if (source == SOURCE_DEBUG) {
		boot_reach(bt, BOOT_FIRMWARE, text);
		sector_started(bt, text);
	}
	own_text(bt, source, text);
	boot_network_line(bt, text);
	early(bt, source, text);
	/* The kernel repeats what it was given, which may be anything. */
	if (strstr(text, "ommand line: ") ||
	    strstr(text, "ommand line parameters"))
		return;
	while ((i = rules_match(&bt->rules, i, bt->now.stage, text)) <
	       boot_n_rules) {
		const struct rule *rule = &boot_rules[i++];

		/* The firmware speaks of itself alone. */
		if (source != SOURCE_DEBUG || rule->first == BOOT_FIRMWARE)
			take_rule(bt, rule, source, text);
	}
}

/* The clock. */

static bool is_stuck(struct boot_test *bt)
{
	bool sector = bt->now.stage == BOOT_FIRMWARE && bt->now.sector_started;

	return vm_now(bt->vm) - bt->progress_ns > STUCK_NS ||
		instructions(bt) - bt->progress_insns >
			(sector ? STUCK_SECTOR :
			 bt->now.stage >= BOOT_KERNEL ? STUCK_KERNEL :
			 STUCK_INSNS);
}

void boot_unfinished(struct boot_test *bt)
{
	static const enum boot_source sources[WATCH_N_PORTS] = {
		[WATCH_DEBUG] = SOURCE_DEBUG,	/* the others: serial */
	};

	for (unsigned i = 0; i < WATCH_N_PORTS; i++)
		if (lines_partial(&bt->lines[i]))
			boot_line(bt, sources[i], bt->lines[i].text);
}

void boot_tick(struct boot_test *bt)
{
	bt->last_insns = instructions(bt);
	boot_unfinished(bt);
	if (bt->ticks++ % SCREEN_TICKS == 0)
		boot_screen(bt);
	if (bt->waiting != UNDECIDED && vm_now(bt->vm) >= bt->decide_at)
		decide(bt);
	if (is_stuck(bt))
		end(bt, STALLED);
	if (!bt->over)
		vm_timer_arm(&bt->tick, vm_now(bt->vm) + TICK);
}
