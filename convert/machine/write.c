/* SPDX-License-Identifier: GPL-2.0-or-later */
/* write.c - a machine becomes files of text. */
#include "write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"

void text_add_xml(struct text *t, const char *s)
{
	for (; *s; s++) {
		const char *as = *s == '&' ? "&amp;" : *s == '<' ? "&lt;" :
			*s == '>' ? "&gt;" : *s == '"' ? "&quot;" :
			*s == '\'' ? "&apos;" : NULL;

		if (as)
			text_puts(t, as);
		else if ((unsigned char)*s < 0x20 && *s != '\n' && *s != '\t')
			text_put(t, " ", 1);
		else
			text_put(t, s, 1);
	}
}

void text_add_shell(struct text *t, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:=+@%";

	if (*s && !s[strspn(s, plain)]) {
		text_puts(t, s);
		return;
	}
	text_put(t, "'", 1);
	for (; *s; s++)
		if (*s == '\'')
			text_put(t, "'\\''", 4);
		else
			text_put(t, s, 1);
	text_put(t, "'", 1);
}

const char *disk_name(const struct machine_disk *d)
{
	return d->path ? d->path : d->member;
}

/* Longer ones leave no room for what stands behind them. */
#define MAX_NAME 200u

char *file_name(const struct machine *m)
{
	char *name = strndup(m->name ? m->name : "machine", MAX_NAME);

	for (char *p = name; p && *p; p++)
		if (*p == '/' || (unsigned char)*p <= 0x20 || *p == 0x7f)
			*p = '_';
	/* No hidden file, no folder, no option. */
	if (name && (*name == '.' || *name == '-' || !*name))
		*name = *name ? '_' : 0;
	return name;
}

static int add_file(struct writer *w, char *name, bool executable)
{
	struct machine_file *grown;

	grown = w->text.failed || !name ? NULL :
		reallocarray(w->out->files, w->out->n + 1, sizeof(*grown));
	if (!grown) {
		free(name);
		return fail(w->e, ENOMEM, "out of memory");
	}
	w->out->files = grown;
	grown[w->out->n++] = (struct machine_file){
		.name = name, .text = w->text.p, .executable = executable,
	};
	w->text = (struct text){ 0 };
	return 0;
}

int writer_named(struct writer *w, const char *name, bool executable)
{
	return add_file(w, strdup(name), executable);
}

int writer_file(struct writer *w, const char *ext, bool executable)
{
	char *base = file_name(w->m);
	char *name = base ? str_printf("%s%s%s", base, *ext == '-' ? "" : ".",
				       ext) : NULL;

	free(base);
	return add_file(w, name, executable);
}

#define DEFAULT_MEMORY (UINT64_C(1) << 30)	/* bytes */

int writer_memory(struct writer *w, uint64_t *memory)
{
	*memory = w->m->memory ? w->m->memory : DEFAULT_MEMORY;
	return w->m->memory ? 0 : LOSS(w, "memory", "How much memory there is "
				       "was not said; 1 GiB is written.");
}

int writer_losses(struct writer *w)
{
	const struct machine *m = w->m;
	int rc = 0;

	if (m->suspended)
		rc = LOSS(w, "suspended", "The machine is suspended, and its "
			  "memory is not carried over.");
	if (!rc && m->n_snapshots)
		rc = LOSS(w, "snapshots", "The machine has snapshots; only its "
			  "present state is carried over.");
	if (!rc && m->encrypted)
		rc = LOSS(w, "encrypted", "The machine is encrypted.");
	for (size_t i = 0; i < m->n_disks && !rc; i++)
		if (m->disks[i].encrypted)
			rc = LOSS(w, "disk-encrypted", "Disk %zu is "
				  "encrypted.", i + 1);
	return rc;
}

void machine_output_free(struct machine_output *out)
{
	for (size_t i = 0; i < out->n; i++) {
		free(out->files[i].name);
		free(out->files[i].text);
	}
	free(out->files);
	machine_notes_free(&out->losses);
	*out = (struct machine_output){ 0 };
}

int machine_write(const char *kind, const struct machine *m,
		  const struct machine_write_args *args,
		  struct machine_output *out, struct err *e)
{
	static const struct machine_write_args none;
	static const struct {
		const char *name;
		int (*write)(struct writer *w);
	} kinds[] = {
		{ "libvirt", domain_write }, { "proxmox", proxmox_write },
		{ "ovf", ovf_write }, { "json", json_write },
		{ "vmm", vmm_write },
	};
	struct writer w = { .m = m, .args = args ? args : &none, .out = out,
			    .e = e };
	int rc = fail(e, EINVAL, "The target is \"%.20s\", must be libvirt, "
		      "proxmox, ovf, json or vmm", kind);

	*out = (struct machine_output){ 0 };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kind, kinds[i].name))
			rc = kinds[i].write(&w);
	free(w.text.p);
	if (rc)
		machine_output_free(out);
	return rc;
}
