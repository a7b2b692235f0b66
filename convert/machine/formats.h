/* SPDX-License-Identifier: GPL-2.0-or-later */
/* formats.h - descriptions of machines: read, written, and their disks opened.
 *
 *	machine_read("guest.vmx", NULL, &m, e)	a description becomes a machine
 *	machine_make_virtio(&m, &losses, e)	as KVM wants it (optional)
 *	machine_write("libvirt", &m, ...)	a machine becomes files
 *	machine_free(&m)
 *
 * Read: VMX, OVF 0.9, 1.x and 2.0 (also inside an OVA), libvirt's domain XML, and
 * our own JSON (json.c says its members).  What a description says and a struct
 * machine does not hold is in its `notes`; what a target cannot say is in the
 * output's `losses`.
 *
 * Descriptions are hostile: they have a size limit, XML has no entities and no
 * network, a number that makes no sense is refused with its field, and names of
 * files are only names until machine_open_disk(), which asks the resolver.
 */
#ifndef CONVERT_MACHINE_FORMATS_H
#define CONVERT_MACHINE_FORMATS_H

#include "convert/machine/machine.h"

struct json_t;

/* Reading. */
struct machine_read_args {
	const char *format;	/* "vmx", "ovf", "ova", "libvirt", "json"; NULL:
				 * by what the file begins with */
	const char *system;	/* of several in one OVF: id or name, or a number
				 * from 1 */
	const char *configuration;	/* OVF's deployment option; NULL: its
					 * default */
};
/* *out is empty after a failure.  -ENOTSUP: it describes no machine that this
 * knows; -EUCLEAN: it is broken; -EFBIG: it is larger than descriptions are;
 * -EPERM: an OVF refers to a file outside of its folder; -EINVAL: it describes
 * several systems, which the sentence lists, and args->system names none; -ENOENT:
 * it names none of them.  `args` may be NULL.
 */
int machine_read(const char *path, const struct machine_read_args *args,
		 struct machine *out, struct err *e);
/* The same of a text in memory; `path` says which folder names count from, and is
 * not opened.  No "ova".
 */
int machine_parse(const char *text, size_t len, const char *path,
		  const struct machine_read_args *args, struct machine *out,
		  struct err *e);
/* The image of disk `i`, read-only unless `flags` (IMG_*) say more; a package's
 * member by its package, anything else through the resolver, so that a name that
 * leads out of the description's folder is -EPERM.  -ENOENT: an empty drive;
 * -ENOTSUP: raw_device, not in a file, or in a package that is not the source.
 */
int machine_open_disk(const struct machine *m, size_t i, unsigned flags,
		      const struct img_resolver *resolver, struct img **out,
		      struct err *e);

/* What KVM does best: hard disks on virtio-blk (on one virtio-scsi controller if
 * they are more than 24), CD drives on SATA or IDE, virtio network cards with
 * their addresses, a VGA, a random number generator and a balloon, and a serial
 * console where there was none.  Floppies without a file, sound and what else
 * goes is told.  The guest needs the drivers: that is v2v's matter.
 */
int machine_make_virtio(struct machine *m, struct machine_notes *losses,
			struct err *e);

/* Writing. */
struct machine_file {
	char *name;		/* no folder: "web.xml" */
	char *text;		/* NUL-terminated */
	bool executable;
};

struct machine_output {
	struct machine_file *files;
	size_t n;
	struct machine_notes losses;	/* what the target cannot say */
};

struct machine_write_args {
	/* The folder where the output will be, put in front of disks' names in
	 * libvirt's XML, which wants them absolute; NULL: they stay.
	 */
	const char *folder;
	/* Proxmox; 0 and NULL: 100, "local-lvm", "vmbr0" */
	unsigned vmid;
	const char *storage, *bridge;
	/* vmm: the disks stand on files of other folders. */
	bool external;
};
/* `kind`: "libvirt" (NAME.xml), "proxmox" (VMID.conf and NAME-import.sh), "ovf"
 * (NAME.ovf, whose disks must be .vmdk; ova_pack_plan() takes it from there),
 * "json" (NAME.machine.json), "vmm" (NAME-run.sh).  Disks are named as their
 * `path` says, as seen from the folder where the output will be.  Nothing is
 * written to any disk.  `args` may be NULL.  -ENOTSUP: the target has nothing like
 * that.
 */
int machine_write(const char *kind, const struct machine *m,
		  const struct machine_write_args *args,
		  struct machine_output *out, struct err *e);
void machine_output_free(struct machine_output *out);

/* The machine as "json" writes it: a new reference, or NULL. */
struct json_t *machine_json(const struct machine *m);

#endif
