/* SPDX-License-Identifier: GPL-2.0-or-later */
/* build.h - what the readers of descriptions share: numbers, names and addresses
 * out of text, notes, and the checks at the end.  Internal to convert/machine.
 */
#ifndef CONVERT_MACHINE_BUILD_H
#define CONVERT_MACHINE_BUILD_H

#include "convert/machine/formats.h"

/* The largest OVF of a product that was seen has 1.5 MB. */
#define MAX_DESCRIPTION (4u << 20)	/* bytes */
/* VMware's largest machine has 256 disks; of each kind. */
#define MAX_DEVICES 512u
#define MAX_CPUS 4096u
#define MAX_MEMORY (UINT64_C(1) << 47)	/* bytes */

/* One description that is being read. */
struct reader {
	const char *text;	/* NUL-terminated, */
	size_t len;		/* and no other NUL in it */
	const char *path;	/* for messages, and for names */
	const struct machine_read_args *args;	/* not NULL */
	struct machine *m;
	struct err *e;
};

int vmx_read(struct reader *r);
int ovf_read(struct reader *r);
int domain_read(struct reader *r);	/* libvirt */
int json_read(struct reader *r);

/* A sentence under a code; the same twice is one. */
int machine_note(struct machine_notes *notes, struct err *e, const char *code,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define NOTE(r, code, ...) \
	machine_note(&(r)->m->notes, (r)->e, code, __VA_ARGS__)

/* Free what one holds. */
void machine_disk_fini(struct machine_disk *d);

/* machine_add_*(), but -EFBIG beyond MAX_DEVICES. */
int reader_add_disk(struct reader *r, struct machine_disk **out);
int reader_add_nic(struct reader *r, struct machine_nic **out);
int reader_add_serial(struct reader *r, struct machine_serial **out);

/* A decimal number, alone in the text but for space around it; false: it is none,
 * or larger than `max`.
 */
bool parse_number(const char *text, uint64_t max, uint64_t *out);
/* The same, or a sentence that names the field. */
int read_number(struct reader *r, const char *field, const char *text,
		uint64_t min, uint64_t max, uint64_t *out);
/* "true", "yes", "1"...; false: neither that nor its opposite. */
bool parse_bool(const char *text, bool *out);
/* Sixteen bytes in hexadecimal with '-', space and braces between, as everybody
 * writes them; six with ':', '-' or nothing.
 */
bool parse_uuid(const char *text, uint8_t uuid[16]);
bool parse_mac(const char *text, uint8_t mac[6]);

/* Copy a text into a field without space at its ends; empty: NULL. */
int set_trimmed(struct reader *r, char **field, const char *text);
/* No control characters; with `lines`, newlines and tabs may stay.  In place. */
void text_tidy(char *text, bool lines);
bool text_is_utf8(const char *text);

enum machine_os guess_os(const char *hint);

/* "x-000003.vmdk" */
bool is_snapshot_name(const char *name);
/* imgfmt's format by the name's end, or NULL. */
const char *format_by_name(const char *name);
/* disk->path of disk->file as VMware and others write it: a datastore's or
 * Windows' path becomes the name in the description's folder, with a note.
 */
int set_path(struct reader *r, struct machine_disk *d);

/* All that readers need not look at one by one: ranges, the topology, places that
 * are taken twice, a name.
 */
int reader_finish(struct reader *r);

#endif
