/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzzmachine.c - all that can be done with a description. */
#include "fuzzmachine.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "convert/machine/formats.h"

static void must(int is)
{
	if (!is)
		__builtin_abort();
}

static char *text_of(const struct machine *m)
{
	json_t *o = machine_json(m);
	char *text;

	json_object_del(o, "source_format");
	text = json_dumps(o, JSON_SORT_KEYS);
	json_decref(o);
	must(text != NULL);
	return text;
}

/* What our JSON says is read back to the same. */
static void check_json(const struct machine *m)
{
	struct machine_output out;
	struct err e = { "" };
	struct machine again;
	char *one, *two;

	must(!machine_write("json", m, NULL, &out, &e));
	must(!machine_parse(out.files[0].text, strlen(out.files[0].text), "x",
			    NULL, &again, &e));
	one = text_of(m);
	two = text_of(&again);
	must(!strcmp(one, two));
	free(one);
	free(two);
	machine_free(&again);
	machine_output_free(&out);
}

static void check_write(const struct machine *m, const char *kind)
{
	struct machine_output out;
	struct err e = { "" };
	struct machine again;
	int rc = machine_write(kind, m, NULL, &out, &e);

	must(!rc || e.text[0]);
	if (rc)
		return;
	for (size_t i = 0; i < out.n; i++)
		must(*out.files[i].name && !strchr(out.files[i].name, '/'));
	/* Libvirt's XML is always one that can be read. */
	if (!strcmp(kind, "libvirt")) {
		must(!machine_parse(out.files[0].text,
				    strlen(out.files[0].text), "x", NULL,
				    &again, &e));
		must(again.n_cpus == m->n_cpus);
		machine_free(&again);
	}
	machine_output_free(&out);
}

void fuzz_machine(const uint8_t *data, size_t len, const char *format)
{
	static const char *const kinds[] = {
		"libvirt", "proxmox", "ovf", "vmm",
	};
	struct machine_read_args args = { .format = format };
	struct machine_notes losses = { 0 };
	struct machine m, copy;
	struct err e = { "" };

	if (machine_parse((const char *)data, len, "x", &args, &m, &e)) {
		must(e.text[0]);
		return;
	}
	must(m.n_cpus && m.name && *m.name);
	check_json(&m);
	must(!machine_copy(&m, &copy, &e));
	must(!machine_make_virtio(&copy, &losses, &e));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		check_write(&m, kinds[i]);
		check_write(&copy, kinds[i]);
	}
	machine_notes_free(&losses);
	machine_free(&copy);
	machine_free(&m);
}
