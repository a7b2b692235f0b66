/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.h - a machine that does not run, opened: its description, its disks, what
 * is on them, and the guest.
 *
 * A source is a description (.vmx, .ovf, .ova, libvirt's .xml, our .json), a
 * folder that p2v has captured into or that holds one .machine.json, or one disk
 * image or several, of which a description is made up (one network card, one CPU, 2 GiB).
 *
 * The source is never written: with SOURCE_EDIT each disk is covered by an overlay
 * that is thrown away.  One thread at a time.
 */
#ifndef CONVERT_SOURCE_H
#define CONVERT_SOURCE_H

#include "convert/guest/linux.h"
#include "convert/machine/formats.h"

struct source_disk {
	size_t index;		/* into machine.disks */
	struct img *img;	/* owned; an overlay with SOURCE_EDIT */
	char *name;		/* "web.vmdk", for messages; owned */
	/* The file itself where the image is one file under a name of its own
	 * (not a member of a package); else NULL.  Owned.
	 */
	char *file, *format;
};

struct source {
	struct machine machine;
	bool made_up;			/* ... of nothing but disk images */
	struct source_disk *disks;	/* the hard disks, in its order */
	size_t n_disks;
	struct img **imgs;		/* the same: disks[i].img */
	struct volumes volumes;
	struct linux_guest *guest;	/* never NULL after success */
	/* Why it cannot be taken as it is, besides the guest's own refusals. */
	struct linux_refusal *refusals;
	size_t n_refusals;
};

#define SOURCE_EDIT	1u	/* the images can be written: overlays */
#define SOURCE_SHARE	2u	/* accept that another process has it open */

struct source_args {
	const char *input;	/* "vmx", "ovf", "ova", "libvirt", "json", "disk";
				 * NULL: by the name */
	const char *format;	/* of disk images; NULL: probe */
	const char *system;	/* as machine_read_args */
	const struct img_resolver *resolver;	/* for what names other files */
	unsigned flags;		/* SOURCE_* */
};

/* Free with source_close(), also after a failure.  A machine that must not be
 * converted (suspended, encrypted, ...) has refusals and no guest when its disks
 * cannot be looked at.
 */
int source_open(const char *const *names, size_t n,
		const struct source_args *args, struct source *out,
		struct err *e);
void source_close(struct source *s);

/* A machine that nobody has described has this much memory, bytes, and one network
 * card on the network that everybody has, with an address of its own.
 */
#define SOURCE_DEFAULT_MEMORY (UINT64_C(2) << 30)
int source_add_nic(struct machine *m, struct err *e);

/* The i-th reason why it cannot be taken, the machine's first; NULL at the end. */
const struct linux_refusal *source_refusal(const struct source *s, size_t i);
/* All of them, a line "code: why. fix" each; the caller frees it, NULL: out of
 * memory.
 */
char *source_refusals_text(const struct source *s);

#endif
