/* SPDX-License-Identifier: GPL-2.0-or-later */
/* judge.c - the verdict, from what was seen and how the machine ended. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/boottest/verdict.h"

/* Was something said or read in the last part of the time that the host gave? */
#define ALIVE_PART 5u
/* Drivers that an initramfs has are there a few seconds after its first program. */
#define SEARCH_NS (60 * NS_PER_S)

static bool alive(const struct boot_test *bt)
{
	uint64_t now = boot_host_s();

	return now - bt->progress_s < (now - bt->begin_s) / ALIVE_PART + 1;
}

static bool passed(const struct boot_test *bt, const struct vm_result *r)
{
	if (bt->decision == PASSED)
		return true;
	if (r->end != VM_POWERED_OFF || bt->decision ||
	    !boot_network_ready(bt, true))
		return false;
	if (bt->config.text)
		return bt->text_found;
	if (bt->config.until == BOOT_POWEROFF)
		return bt->now.stage >= BOOT_ROOT;
	/* It was there, and did not wait for us. */
	return bt->waiting == PASSED;
}

/* All was there but answers. */
static bool network_silent(const struct boot_test *bt,
			   const struct vm_result *r)
{
	if (bt->decision == SILENT)
		return true;
	if (bt->decision || boot_network_ready(bt, true))
		return false;
	return bt->waiting == PASSED ||
		(r->end == VM_POWERED_OFF && !bt->config.text &&
		 bt->config.until == BOOT_POWEROFF &&
		 bt->now.stage >= BOOT_ROOT);
}

/* The cause that words have named, and that is still true. */
static enum boot_cause named(const struct boot_test *bt)
{
	for (unsigned i = 1; i < CAUSE_N; i++)
		if (bt->now.hits[i].any &&
		    bt->now.stage <= bt->now.hits[i].last)
			return (enum boot_cause)i;
	return CAUSE_NONE;
}

/* Has an initramfs looked for its disk so long that no driver will come? */
static bool searched(const struct boot_test *bt)
{
	const struct boot *b = &bt->now;

	return b->stage == BOOT_KERNEL && b->modes & WATCH_USER && !b->driver &&
		bt->over_ns - b->user_ns >= SEARCH_NS;
}

/* More is known of the disk than was said. */
static enum boot_cause refine(const struct boot_test *bt, enum boot_cause cause)
{
	switch (cause) {
	case CAUSE_NOT_BOOTABLE:
	case CAUSE_NO_SYSTEM:
	case CAUSE_DEAD_BOOT_SECTOR:
		return disk_cause(&bt->kind, cause);
	case CAUSE_ROOT_NOT_FOUND:
	case CAUSE_INITRAMFS_SHELL:
		return bt->now.driver ? cause : CAUSE_NO_DISK_DRIVER;
	case CAUSE_EMERGENCY:
		/* That of an initramfs with systemd, as dracut's. */
		return bt->now.stage == BOOT_KERNEL && !bt->now.driver ?
			CAUSE_NO_DISK_DRIVER : cause;
	case CAUSE_STUCK:
		/* dracut with "quiet" says nothing for minutes. */
		return searched(bt) ? CAUSE_NO_DISK_DRIVER : cause;
	default:
		return cause;
	}
}

/* It came no further, and said nothing. */
static enum boot_cause silent(const struct boot_test *bt)
{
	switch (bt->now.stage) {
	case BOOT_NOTHING:
		return CAUSE_FIRMWARE;
	case BOOT_FIRMWARE:
		return CAUSE_DEAD_BOOT_SECTOR;
	case BOOT_LOADER:
		return CAUSE_LOADER_STUCK;
	case BOOT_ROOT:
	case BOOT_INIT:
		return CAUSE_NO_LOGIN;
	default:
		return CAUSE_STUCK;
	}
}

static enum boot_cause by_end(const struct boot_test *bt,
			      const struct vm_result *r)
{
	if (bt->decision == LOOPED)
		return CAUSE_REBOOT_LOOP;
	if (bt->decision == STALLED)
		return silent(bt);
	switch (r->end) {
	case VM_POWERED_OFF:
		return CAUSE_POWERED_OFF;
	case VM_HALTED:
		return bt->now.stage <= BOOT_FIRMWARE ? silent(bt) :
							CAUSE_HALTED;
	case VM_REBOOTED:
		return CAUSE_REBOOT_LOOP;
	case VM_TRIPLE_FAULT:
		return bt->now.stage ? CAUSE_TRIPLE_FAULT : CAUSE_FIRMWARE;
	case VM_TIMED_OUT:
		return bt->now.stage >= BOOT_LOADER && bt->alive ?
			CAUSE_TIMEOUT : silent(bt);
	default:
		return CAUSE_STOPPED;
	}
}

static enum boot_cause why(const struct boot_test *bt,
			   const struct vm_result *r, int rc,
			   const struct vm_disk_stats *disk)
{
	enum boot_cause cause;

	if (rc || r->end == VM_FAILED)
		return CAUSE_VMM;
	if (disk->errors)
		return CAUSE_DISK_ERROR;
	if (network_silent(bt, r))
		return CAUSE_NETWORK_SILENT;
	cause = named(bt);
	if (cause == CAUSE_NONE)
		cause = by_end(bt, r);
	return refine(bt, cause);
}

static void add(struct boot_verdict *v, const struct boot_line *line)
{
	for (unsigned i = 0; i < v->n_evidence; i++)
		if (!strcmp(v->evidence[i].text, line->text))
			return;
	if (v->n_evidence < BOOT_EVIDENCE)
		v->evidence[v->n_evidence++] = *line;
}

__attribute__((format(printf, 3, 4)))
static void add_fact(struct boot_verdict *v, uint64_t ns, const char *fmt, ...)
{
	struct boot_line line = { .source = SOURCE_MACHINE, .ns = ns };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line.text, sizeof(line.text), fmt, ap);
	va_end(ap);
	add(v, &line);
}

/* What was named, and the machine's facts that go with it; then the last words. */
static void add_evidence(const struct boot_test *bt, struct boot_verdict *v,
			 const struct vm_disk_stats *disk)
{
	const struct boot *b = &bt->now;
	unsigned n = bt->n_recent < RECENT ? bt->n_recent : RECENT;

	if (v->cause == CAUSE_DISK_ERROR)
		add_fact(v, v->ns, "%llu requests failed, the last at byte "
			 "%llu", (unsigned long long)disk->errors,
			 (unsigned long long)disk->last_error_sector * 512);
	for (unsigned i = 1; i < CAUSE_N; i++)
		if (b->hits[i].any && b->stage <= b->hits[i].last)
			add(v, &b->hits[i].line);
	if (v->cause == CAUSE_NO_DISK_DRIVER)
		add_fact(v, v->ns, "no driver of the kernel's has set the disk "
			 "up");
	if (b->early_login)
		add_fact(v, b->early_line.ns, "not believed, as no %s: "
			 "\"%.150s\"", b->stage < BOOT_ROOT ?
			 "root had been read" : "program of the root's had run",
			 b->early_line.text);
	for (unsigned i = n; i > 0; i--)
		add(v, &bt->recent[(bt->n_recent - i) % RECENT]);
}

static void explain(const struct boot_test *bt, struct boot_verdict *v,
		    int rc, const struct err *e)
{
	const char *sentence = cause_of(v->cause)->sentence;
	const char *detail = NULL;
	char who[BOOT_LINE_MAX];

	if (v->cause == CAUSE_NETWORK_SILENT) {
		boot_network_silent(bt, who);
		detail = who;
	}
	for (unsigned i = 1; i < CAUSE_N && !detail; i++)
		if (bt->now.hits[i].any && bt->now.stage <= bt->now.hits[i].last)
			detail = bt->now.hits[i].line.text;
	if (rc && e)
		detail = e->text;
	snprintf(v->text, sizeof(v->text), "%s%s%.300s", sentence,
		 detail ? ": " : "", detail ? detail : "");
}

static void praise(const struct boot_test *bt, struct boot_verdict *v)
{
	bool sure = v->stage < BOOT_ROOT || bt->now.modes & WATCH_DISK_PROGRAM;

	if (bt->config.text)
		snprintf(v->text, sizeof(v->text), "the text came: %s",
			 bt->text_line.text);
	else
		snprintf(v->text, sizeof(v->text), "reached %s: %s%s",
			 boot_stage_name(v->stage), v->stages[v->stage].proof,
			 sure ? "" : " (no program was seen to be the disk's, "
				"though)");
	if (bt->config.text)
		add(v, &bt->text_line);
}

void boot_test_judge(struct boot_test *bt, const struct vm_result *r, int rc,
		     const struct err *e, const struct vm_disk_stats *disk,
		     struct boot_verdict *v)
{
	memset(v, 0, sizeof(*v));
	pthread_mutex_lock(&bt->lock);
	bt->ended = true;
	bt->alive = alive(bt);
	if (!bt->over || bt->decision == STALLED) {
		boot_unfinished(bt);
		boot_screen(bt);
	}
	v->passed = !rc && !disk->errors && passed(bt, r);
	if (!bt->over) {
		bt->over_ns = r->run_ns;
		bt->over_insns = bt->last_insns;
		bt->over = true;
		if (r->end == VM_POWERED_OFF && bt->now.stage >= BOOT_ROOT)
			boot_reach(bt, BOOT_POWEROFF, r->how);
	}
	v->ns = bt->over_ns;
	v->instructions = bt->over_insns;
	v->stage = bt->now.stage;
	memcpy(v->stages, bt->now.stages, sizeof(v->stages));
	v->driver = bt->now.driver;
	v->features = bt->now.features;
	memcpy(v->read_bytes, bt->now.read_bytes, sizeof(v->read_bytes));
	v->written_bytes = bt->now.written_bytes;
	boot_network_judge(bt, v);
	v->resets = bt->resets ? bt->resets - 1 : 0;
	if (v->passed) {
		praise(bt, v);
	} else {
		v->cause = why(bt, r, rc, disk);
		explain(bt, v, rc, e);
		add_evidence(bt, v, disk);
	}
	pthread_mutex_unlock(&bt->lock);
}
