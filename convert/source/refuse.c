/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.c - machines that are not to be taken as they are, and why. */
#include "convert/source/refuse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"

static int refuse(struct source *s, struct err *e, const char *code,
		  const char *fix, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
static int refuse(struct source *s, struct err *e, const char *code,
		  const char *fix, const char *fmt, ...)
{
	size_t cap = s->n_refusals;
	struct linux_refusal *r;
	va_list args;
	int rc;

	if (array_grow(&s->refusals, &cap, s->n_refusals + 1, sizeof(*r)))
		return fail(e, ENOMEM, "out of memory");
	r = &s->refusals[s->n_refusals++];
	*r = (struct linux_refusal){ .code = code };
	va_start(args, fmt);
	rc = vasprintf(&r->why, fmt, args);
	va_end(args);
	if (rc < 0)
		r->why = NULL;
	r->fix = strdup(fix);
	return r->why && r->fix ? 0 : fail(e, ENOMEM, "out of memory");
}

/* VMware puts a folder beside what is open. */
static bool is_locked(const char *path)
{
	char *lock = path ? str_printf("%s.lck", path) : NULL;
	bool yes = lock && !access(lock, F_OK);

	free(lock);
	return yes;
}

static int refuse_disk(struct source *s, size_t i, struct err *e)
{
	const struct machine_disk *d = &s->machine.disks[i];
	const char *name = d->file ? d->file : d->member ? d->member : "";
	int rc = 0;

	if (d->medium != MEDIUM_DISK)
		return 0;
	if (d->raw_device)
		rc = refuse(s, e, "disk-raw-device", "Copy the device into an "
			    "image with vimg convert, and name that instead.",
			    "Disk %zu ('%s') is a device or LUN of the old "
			    "host, not a file.", i + 1, name);
	else if (!d->path && !d->member)
		rc = refuse(s, e, "disk-not-a-file", "Copy it into an image "
			    "with vimg convert, and let the description name "
			    "that file.", "Disk %zu ('%s') is in no file, but "
			    "on the network, in a pool or nowhere.", i + 1,
			    name);
	if (!rc && d->independent)
		rc = refuse(s, e, "disk-independent", "Make it an ordinary "
			    "(dependent) disk in the machine's settings, "
			    "without snapshots, and try again.",
			    "Disk %zu ('%s') is independent: snapshots leave "
			    "it out%s.", i + 1, name, d->nonpersistent ?
			    ", and what the guest writes is thrown away" : "");
	if (!rc && d->encrypted)
		rc = refuse(s, e, "disk-encrypted", "Decrypt it where the "
			    "machine comes from.",
			    "Disk %zu ('%s') is encrypted by the hypervisor.",
			    i + 1, name);
	return rc;
}

int refuse_machine(struct source *s, struct err *e)
{
	const struct machine *m = &s->machine;
	int rc = 0;

	if (m->suspended)
		rc = refuse(s, e, "machine-suspended", "Resume it where it "
			    "comes from, and shut it down in the guest.",
			    "The machine is suspended%s%s: what its memory "
			    "holds is missing on its disks.",
			    m->suspend_file ? ", with its memory in " : "",
			    m->suspend_file ? m->suspend_file : "");
	if (!rc && m->encrypted)
		rc = refuse(s, e, "machine-encrypted", "Decrypt it where it "
			    "comes from.", "The machine is encrypted.");
	if (!rc && !strcmp(m->source_format, "vmx") &&
	    is_locked(m->source_path))
		rc = refuse(s, e, "source-in-use", "Shut the machine down; if "
			    "it is down, remove the .lck folders.",
			    "'%s' is locked: VMware has the machine open.",
			    m->source_path);
	for (size_t i = 0; i < m->n_disks && !rc; i++)
		rc = refuse_disk(s, i, e);
	return rc;
}

int refuse_in_use(struct source *s, struct err *e)
{
	char why[sizeof(e->text)];

	snprintf(why, sizeof(why), "%s", e ? e->text : "");
	return refuse(s, e, "source-in-use", "Shut the machine down first.",
		      "Another process has it open: %s.", why);
}

int refuse_chain(struct source *s, size_t index, const char *name,
		 struct err *e)
{
	char why[sizeof(e->text)];

	snprintf(why, sizeof(why), "%s", e ? e->text : "");
	return refuse(s, e, "snapshot-chain", "Bring all files of its chain of "
		      "snapshots here as they were, or delete (consolidate) the "
		      "snapshots where the machine comes from.",
		      "Disk %zu ('%s') stands on another one that is not there "
		      "or not the right one: %s.", index + 1, name, why);
}

void refusals_free(struct source *s)
{
	for (size_t i = 0; i < s->n_refusals; i++) {
		free(s->refusals[i].why);
		free(s->refusals[i].fix);
	}
	free(s->refusals);
}
