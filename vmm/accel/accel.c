/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accel.c - the list of accelerators, and which one to take. */
#include <string.h>

#include "vmm/accel.h"

/* The best first. */
static const struct accel *const accels[] = { &accel_kvm, &accel_soft };
#define N_ACCELS (sizeof(accels) / sizeof(accels[0]))

const struct accel *accel_at(size_t i)
{
	return i < N_ACCELS ? accels[i] : NULL;
}

const struct accel *accel_find(const char *name)
{
	for (size_t i = 0; i < N_ACCELS; i++)
		if (!strcmp(accels[i]->name, name))
			return accels[i];
	return NULL;
}

const struct accel *accel_auto(struct accel_report *report)
{
	struct accel_report best = { .quality = ACCEL_ABSENT };

	fail(&best.text, 0, "there is no accelerator");
	for (size_t i = 0; i < N_ACCELS; i++) {
		accels[i]->probe(report);
		if (report->quality == ACCEL_USABLE)
			return accels[i];
		if (!i || report->quality > best.quality)
			best = *report;
	}
	*report = best;
	fail_prefix(&report->text, 0, best.quality == ACCEL_ABSENT ?
		    "no accelerator is usable" : "no accelerator is usable, "
		    "but for \"kvm\" where it is asked for by name");
	return NULL;
}
