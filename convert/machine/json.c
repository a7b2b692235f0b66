/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json.c - our own description: the members of a struct machine under their names
 * in machine.h, "machine" for the version of this format, and "notes".
 *
 *	{ "machine": 1, "name": "web", "n_cpus": 2, "memory": 1073741824,
 *	  "disks": [ { "medium": "disk", "bus": "scsi", "path": "a.vmdk" } ],
 *	  "nics": [ { "model": "e1000", "mac": "00:0c:29:00:00:01" } ],
 *	  "notes": [ { "code": "cpu-topology", "text": "..." } ] }
 *
 * What is NULL, 0 or false is left out.
 */
#include "imgfmt/base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "fields.h"
#include "write.h"

#define JSON_VERSION 1

static void put_field(json_t *o, const struct field *f, const void *object)
{
	const void *at = field_at(object, f->offset);
	bool there = !f->flag || *(bool *)field_at(object, f->flag);
	char text[MACHINE_UUID_LEN];

	if (f->kind == FIELD_TEXT && *(char *const *)at)
		json_object_set_new(o, f->name, json_text(*(char *const *)at));
	else if (f->kind == FIELD_NUMBER && *(const unsigned *)at)
		json_put_size(o, f->name, *(const unsigned *)at);
	else if (f->kind == FIELD_SIZE && *(const uint64_t *)at)
		json_put_size(o, f->name, *(const uint64_t *)at);
	else if (f->kind == FIELD_BOOL && *(const bool *)at)
		json_put_bool(o, f->name, true);
	else if (f->kind == FIELD_NAME)
		json_put_string(o, f->name, f->names[*(const unsigned *)at]);
	else if (f->kind == FIELD_UUID && there)
		json_put_string(o, f->name, machine_uuid_text(at, text));
	else if (f->kind == FIELD_MAC && there)
		json_put_string(o, f->name, machine_mac_text(at, text));
}

static json_t *object_of(const struct field *f, const void *object)
{
	json_t *o = json_object();

	for (; f->name; f++)
		put_field(o, f, object);
	return o;
}

json_t *machine_notes_json(const struct machine_notes *notes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < notes->n; i++) {
		json_t *o = json_object();

		json_put_string(o, "code", notes->list[i].code);
		json_object_set_new(o, "text", json_text(notes->list[i].text));
		json_array_append_new(list, o);
	}
	return list;
}

json_t *machine_json(const struct machine *m)
{
	json_t *o = object_of(machine_fields, m);

	json_put_size(o, "machine", JSON_VERSION);
	for (size_t i = 0; i < FIELD_LISTS; i++) {
		const struct field_list *l = &machine_lists[i];
		const char *list = *(char **)field_at(m, l->offset);
		size_t n = *(size_t *)field_at(m, l->n_offset);
		json_t *a = json_array();

		for (size_t k = 0; k < n; k++)
			json_array_append_new(a, object_of(l->fields,
							   list + k * l->size));
		json_object_set_new(o, l->name, a);
	}
	json_object_set_new(o, "notes", machine_notes_json(&m->notes));
	return o;
}

int json_write(struct writer *w)
{
	json_t *o = machine_json(w->m);
	char *text = json_dumps(o, JSON_INDENT(2));
	int rc = 0;

	json_decref(o);
	if (!text)
		return fail(w->e, ENOMEM, "out of memory");
	text_add(&w->text, "%s\n", text);
	free(text);
	rc = writer_file(w, "machine.json", false);
	return rc;
}

/* Reading. */

static int wrong(struct reader *r, const char *name, const char *must)
{
	return fail(r->e, EUCLEAN, "%s: \"%s\" must be %s", r->path, name,
		    must);
}

static int name_index(struct reader *r, const struct field *f, const char *text,
		      unsigned *out)
{
	for (unsigned i = 0; f->names[i]; i++)
		if (!strcmp(text, f->names[i])) {
			*out = i;
			return 0;
		}
	return fail(r->e, EUCLEAN, "%s: \"%s\" is \"%.40s\", which is none of "
		    "those that there are", r->path, f->name, text);
}

static int get_text(struct reader *r, const struct field *f, const char *text,
		    void *object, void *at)
{
	bool *has = field_at(object, f->flag);

	switch (f->kind) {
	case FIELD_TEXT:
		return machine_set(at, text, r->e);
	case FIELD_NAME:
		return name_index(r, f, text, at);
	case FIELD_UUID:
		*has = parse_uuid(text, at);
		return *has ? 0 : wrong(r, f->name, "a UUID");
	default:
		*has = parse_mac(text, at);
		return *has ? 0 : wrong(r, f->name, "an address of 6 bytes");
	}
}

static int get_field(struct reader *r, const struct field *f,
		     const json_t *value, void *object)
{
	void *at = field_at(object, f->offset);
	json_int_t n = json_integer_value(value);

	if (f->kind == FIELD_BOOL) {
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value) ? 0 :
			wrong(r, f->name, "true or false");
	}
	if (f->kind == FIELD_NUMBER || f->kind == FIELD_SIZE) {
		if (!json_is_integer(value) || n < 0 ||
		    (f->kind == FIELD_NUMBER && n > UINT32_MAX))
			return wrong(r, f->name, f->kind == FIELD_NUMBER ?
				     "a number from 0 to 4294967295" :
				     "a number from 0 to 2^63 - 1");
		if (f->kind == FIELD_SIZE)
			*(uint64_t *)at = (uint64_t)n;
		else
			*(unsigned *)at = (unsigned)n;
		return 0;
	}
	if (!json_is_string(value))
		return wrong(r, f->name, "a text");
	return get_text(r, f, json_string_value(value), object, at);
}

static int get_object(struct reader *r, const json_t *o, const struct field *f,
		      void *object)
{
	int rc = 0;

	for (; f->name && !rc; f++) {
		const json_t *value = json_object_get(o, f->name);

		if (value && !json_is_null(value))
			rc = get_field(r, f, value, object);
	}
	return rc;
}

static int add_to(struct reader *r, const struct field_list *l, void **object)
{
	if (l->offset == offsetof(struct machine, disks))
		return reader_add_disk(r, (struct machine_disk **)object);
	if (l->offset == offsetof(struct machine, nics))
		return reader_add_nic(r, (struct machine_nic **)object);
	return reader_add_serial(r, (struct machine_serial **)object);
}

static int get_list(struct reader *r, const json_t *o,
		    const struct field_list *l)
{
	json_t *list = json_object_get(o, l->name), *item;
	void *object = NULL;
	size_t i;
	int rc = 0;

	if (list && !json_is_array(list))
		return wrong(r, l->name, "an array");
	json_array_foreach(list, i, item) {
		if (!json_is_object(item))
			return wrong(r, l->name, "an array of objects");
		rc = add_to(r, l, &object);
		if (!rc)
			rc = get_object(r, item, l->fields, object);
		if (rc)
			break;
	}
	return rc;
}

static int get_notes(struct reader *r, const json_t *o)
{
	json_t *list = json_object_get(o, "notes"), *item;
	size_t i;
	int rc = 0;

	json_array_foreach(list, i, item) {
		const char *code = json_string_value(
			json_object_get(item, "code"));
		const char *text = json_string_value(
			json_object_get(item, "text"));

		if (!code || !text)
			return wrong(r, "notes", "objects with code and text");
		rc = NOTE(r, code, "%s", text);
		if (rc)
			break;
	}
	return rc;
}

static bool is_member(const char *key)
{
	if (!strcmp(key, "machine") || !strcmp(key, "notes"))
		return true;
	for (const struct field *f = machine_fields; f->name; f++)
		if (!strcmp(key, f->name))
			return true;
	for (size_t i = 0; i < FIELD_LISTS; i++)
		if (!strcmp(key, machine_lists[i].name))
			return true;
	return false;
}

static int get_machine(struct reader *r, json_t *o)
{
	json_t *version = json_object_get(o, "machine"), *value;
	const char *key;
	int rc;

	if (!json_is_integer(version))
		return fail(r->e, ENOTSUP, "%s is JSON, but no machine of ours: "
			    "it has no \"machine\": %d", r->path, JSON_VERSION);
	if (json_integer_value(version) != JSON_VERSION)
		return fail(r->e, ENOTSUP, "%s: \"machine\" is %lld, must be %d",
			    r->path, (long long)json_integer_value(version),
			    JSON_VERSION);
	/* Where it was read from now is more to the point. */
	json_object_del(o, "source_path");
	rc = get_object(r, o, machine_fields, r->m);
	for (size_t i = 0; i < FIELD_LISTS && !rc; i++)
		rc = get_list(r, o, &machine_lists[i]);
	if (!rc)
		rc = get_notes(r, o);
	json_object_foreach(o, key, value)
		if (!rc && !is_member(key))
			rc = NOTE(r, "json-member", "The member \"%.60s\" is "
				  "not known.", key);
	return rc;
}

int json_read(struct reader *r)
{
	json_error_t where;
	json_t *o = json_loadb(r->text, r->len, JSON_REJECT_DUPLICATES, &where);
	int rc;

	if (!json_is_object(o)) {
		json_decref(o);
		return fail(r->e, EUCLEAN, "%s: line %d: %s", r->path,
			    o ? 1 : where.line, o ? "there is no object" :
			    where.text);
	}
	rc = get_machine(r, o);
	json_decref(o);
	return rc;
}
