/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.c - the life of a struct machine, and changing it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "fields.h"
#include "imgfmt/base/buf.h"

/* Notes come from what a description says, which may be a lot. */
#define MAX_NOTES 500u

static void free_texts(const struct field *f, void *object)
{
	for (; f->name; f++)
		if (f->kind == FIELD_TEXT)
			free(*(char **)field_at(object, f->offset));
}

void machine_notes_free(struct machine_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++) {
		free(notes->list[i].code);
		free(notes->list[i].text);
	}
	free(notes->list);
	*notes = (struct machine_notes){ 0 };
}

void machine_free(struct machine *m)
{
	for (size_t i = 0; i < FIELD_LISTS; i++) {
		const struct field_list *l = &machine_lists[i];
		char *list = *(char **)field_at(m, l->offset);
		size_t n = *(size_t *)field_at(m, l->n_offset);

		for (size_t k = 0; k < n; k++)
			free_texts(l->fields, list + k * l->size);
		free(list);
	}
	free_texts(machine_fields, m);
	machine_notes_free(&m->notes);
	*m = (struct machine){ 0 };
}

/* `to` holds the same bytes: its texts are to become its own. */
static int own_texts(const struct field *f, void *to)
{
	int rc = 0;

	for (; f->name; f++) {
		char **text = field_at(to, f->offset);

		if (f->kind != FIELD_TEXT || !*text)
			continue;
		/* Also after a failure, so that nothing is freed twice. */
		*text = rc ? NULL : strdup(*text);
		if (!*text)
			rc = -ENOMEM;
	}
	return rc;
}

static int copy_list(const struct field_list *l, const struct machine *m,
		     struct machine *out)
{
	size_t n = *(size_t *)field_at(m, l->n_offset);
	const char *from = *(char **)field_at(m, l->offset);
	char *to = n ? array_alloc(n, l->size) : NULL;
	int rc = to || !n ? 0 : -ENOMEM;

	*(char **)field_at(out, l->offset) = to;
	for (size_t i = 0; i < n && !rc; i++) {
		memcpy(to + i * l->size, from + i * l->size, l->size);
		rc = own_texts(l->fields, to + i * l->size);
		*(size_t *)field_at(out, l->n_offset) = i + 1;
	}
	return rc;
}

int machine_copy(const struct machine *m, struct machine *out, struct err *e)
{
	int rc;

	*out = *m;
	out->notes = (struct machine_notes){ 0 };
	for (size_t i = 0; i < FIELD_LISTS; i++) {
		*(char **)field_at(out, machine_lists[i].offset) = NULL;
		*(size_t *)field_at(out, machine_lists[i].n_offset) = 0;
	}
	rc = own_texts(machine_fields, out);
	for (size_t i = 0; i < FIELD_LISTS && !rc; i++)
		rc = copy_list(&machine_lists[i], m, out);
	for (size_t i = 0; i < m->notes.n && !rc; i++)
		rc = machine_note(&out->notes, e, m->notes.list[i].code, "%s",
				  m->notes.list[i].text);
	if (rc) {
		machine_free(out);
		fail(e, ENOMEM, "out of memory");
	}
	return rc;
}

int machine_set(char **field, const char *text, struct err *e)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return fail(e, ENOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

void machine_disk_fini(struct machine_disk *d)
{
	free_texts(machine_lists[0].fields, d);
	*d = (struct machine_disk){ 0 };
}

static void *add(void *list, size_t *n, size_t size)
{
	char *grown;

	grown = reallocarray(*(char **)list, *n + 1, size);
	if (!grown)
		return NULL;
	*(char **)list = grown;
	memset(grown + *n * size, 0, size);
	return grown + (*n)++ * size;
}

struct machine_disk *machine_add_disk(struct machine *m)
{
	return add(&m->disks, &m->n_disks, sizeof(*m->disks));
}

struct machine_nic *machine_add_nic(struct machine *m)
{
	return add(&m->nics, &m->n_nics, sizeof(*m->nics));
}

struct machine_serial *machine_add_serial(struct machine *m)
{
	return add(&m->serials, &m->n_serials, sizeof(*m->serials));
}

static bool is_noted(const struct machine_notes *notes, const char *code,
		     const char *text)
{
	for (size_t i = 0; i < notes->n; i++)
		if (!strcmp(notes->list[i].code, code) &&
		    !strcmp(notes->list[i].text, text))
			return true;
	return false;
}

int machine_note(struct machine_notes *notes, struct err *e, const char *code,
		 const char *fmt, ...)
{
	struct machine_note note;
	struct err text;
	va_list ap;

	if (notes->n >= MAX_NOTES)
		return 0;
	va_start(ap, fmt);
	vsnprintf(text.text, sizeof(text.text), fmt, ap);
	va_end(ap);
	text_tidy(text.text, true);
	if (is_noted(notes, code, text.text))
		return 0;
	note = (struct machine_note){ strdup(code), strdup(text.text) };
	if (note.code && note.text &&
	    !array_grow(&notes->list, &notes->cap, notes->n + 1, sizeof(note))) {
		notes->list[notes->n++] = note;
		return 0;
	}
	free(note.code);
	free(note.text);
	return fail(e, ENOMEM, "out of memory");
}

const char *machine_uuid_text(const uint8_t uuid[16],
			      char out[MACHINE_UUID_LEN])
{
	size_t at = 0;

	for (size_t i = 0; i < 16; i++)
		at += (size_t)snprintf(out + at, MACHINE_UUID_LEN - at,
				       "%s%02x", i == 4 || i == 6 || i == 8 ||
				       i == 10 ? "-" : "", uuid[i]);
	return out;
}

const char *machine_mac_text(const uint8_t mac[6], char out[MACHINE_MAC_LEN])
{
	snprintf(out, MACHINE_MAC_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
		 mac[1], mac[2], mac[3], mac[4], mac[5]);
	return out;
}
