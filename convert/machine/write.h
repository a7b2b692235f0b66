/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write.h - what the writers of descriptions share: quoting, and the files of an
 * output.  Internal to convert/machine.
 */
#ifndef CONVERT_MACHINE_WRITE_H
#define CONVERT_MACHINE_WRITE_H

#include "convert/machine/formats.h"
#include "imgfmt/base/text.h"

/* With what XML reserves escaped; control characters become spaces. */
void text_add_xml(struct text *t, const char *s);
/* As one word of a shell. */
void text_add_shell(struct text *t, const char *s);

struct writer {
	const struct machine *m;
	const struct machine_write_args *args;	/* not NULL */
	struct machine_output *out;
	struct text text;	/* the file that is being written */
	struct err *e;
};

int domain_write(struct writer *w);
int ovf_write(struct writer *w);
int proxmox_write(struct writer *w);
int vmm_write(struct writer *w);
int json_write(struct writer *w);

/* w->text becomes the file "NAME.ext" (or "NAME-ext" where ext has no dot in
 * front: "-run.sh"), and is empty again.
 */
int writer_file(struct writer *w, const char *ext, bool executable);
int writer_named(struct writer *w, const char *name, bool executable);

int machine_note(struct machine_notes *notes, struct err *e, const char *code,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
#define LOSS(w, code, ...) \
	machine_note(&(w)->out->losses, (w)->e, code, __VA_ARGS__)

/* Bytes of memory; where none is said a guess, with a loss that says so. */
int writer_memory(struct writer *w, uint64_t *memory);
/* What no target carries over: a saved state, snapshots, encryption. */
int writer_losses(struct writer *w);

/* What a disk is called in an output: its path or member; NULL: empty. */
const char *disk_name(const struct machine_disk *d);
/* A name for files: the machine's, with '_' for what a file's cannot have. */
char *file_name(const struct machine *m);

struct json_t *machine_notes_json(const struct machine_notes *notes);

#endif
