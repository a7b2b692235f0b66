/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.c - the source and the plan as the command line names them. */
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "tools/cli/json.h"
#include "tools/v2v/v2v.h"

int v2v_option(struct cli *cli, struct v2v_args *a, int c, char **argv)
{
	switch (c) {
	case V2V_SERIAL:
		a->plan.serial_console = true;
		return CLI_DONE;
	case V2V_KEEP_TOOLS:
		a->plan.keep_tools = true;
		return CLI_DONE;
	default:
		return cli_machine_option(cli, &a->machine, c, argv);
	}
}

int v2v_names(struct cli *cli, struct v2v_args *a, int argc, char **argv)
{
	if (optind >= argc)
		return cli_usage(cli, "which machine? Name a description or "
				 "disk images");
	a->names = (const char *const *)argv + optind;
	a->n_names = (size_t)(argc - optind);
	return CLI_DONE;
}

int v2v_open(struct cli *cli, const struct v2v_args *a, unsigned flags,
	     struct source *s)
{
	return cli_machine_open(cli, &a->machine, a->names, a->n_names, flags,
				s);
}

int v2v_refused(struct cli *cli, const struct source *s)
{
	const struct linux_refusal *r;

	for (size_t i = 0; (r = source_refusal(s, i)); i++)
		cli_error(cli, "%s: refused: %s: %s %s", s->machine.name ? s->machine.name : "",
			  r->code, r->why, r->fix);
	return source_refusal(s, 0) ? V2V_REFUSED : CLI_DONE;
}

static json_t *refusals_json(const struct source *s)
{
	json_t *list = json_array();
	const struct linux_refusal *r;

	for (size_t i = 0; (r = source_refusal(s, i)); i++) {
		json_t *o = json_object();

		json_put_string(o, "code", r->code);
		json_put_string(o, "why", r->why);
		json_put_string(o, "fix", r->fix);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *volumes_json(const struct source *s, unsigned disk)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->volumes.n; i++) {
		const struct volume *v = &s->volumes.list[i];
		json_t *o;

		if (v->disk != disk)
			continue;
		o = json_object();
		if (v->part)
			json_put_size(o, "partition", v->part->number);
		json_put_size(o, "offset", v->offset);
		json_put_size(o, "size", v->len);
		json_put_string(o, "type", v->id->type);
		json_put_string(o, "uuid", v->id->uuid);
		json_put_string(o, "label", v->id->label);
		json_put_bool(o, "dirty", v->id->dirty);
		json_array_append_new(list, o);
	}
	return list;
}

json_t *v2v_source_json(const struct source *s)
{
	static const char *const kinds[] = { "none", "mbr", "gpt" };
	json_t *o = json_object(), *disks = json_array();

	json_object_set_new(o, "machine", machine_json(&s->machine));
	for (unsigned i = 0; i < s->n_disks; i++) {
		json_t *d = json_object();

		json_put_string(d, "name", s->disks[i].name);
		json_put_string(d, "format", s->disks[i].format);
		json_put_size(d, "virtual-size", img_size(s->imgs[i]));
		if (s->volumes.n_disks)
			json_put_string(d, "table",
					kinds[s->volumes.tables[i].kind]);
		json_object_set_new(d, "volumes", volumes_json(s, i));
		json_array_append_new(disks, d);
	}
	json_object_set_new(o, "disks", disks);
	if (s->guest)
		json_object_set_new(o, "guest", linux_json(s->guest));
	json_object_set_new(o, "refusals", refusals_json(s));
	return o;
}

/* The machine's cards in the plan's words. */
static int set_nics(struct v2v_args *a, const struct source *s)
{
	const struct machine *m = &s->machine;

	a->plan.nics = array_alloc(m->n_nics + 1, sizeof(*a->plan.nics));
	if (!a->plan.nics)
		return -1;
	a->plan.n_nics = m->n_nics;
	for (size_t i = 0; i < m->n_nics; i++)
		if (m->nics[i].has_mac)
			machine_mac_text(m->nics[i].mac,
					 a->plan.nics[i].old_mac);
	return 0;
}

int v2v_plan(struct cli *cli, struct v2v_args *a, struct source *s,
	     struct edits **out)
{
	struct err e = { "" };
	int rc = v2v_refused(cli, s);

	if (rc != CLI_DONE)
		return rc;
	if (set_nics(a, s)) {
		cli_error(cli, "out of memory");
		return CLI_FAILED;
	}
	rc = edits_new(s->guest->tree, out, &e);
	if (!rc)
		rc = linux_plan(s->guest, &a->plan, *out, &e);
	if (!rc)
		return CLI_DONE;
	cli_error(cli, "%s: %s", a->names[0], e.text);
	return CLI_FAILED;
}

void v2v_plan_fini(struct v2v_args *a, struct edits *ed)
{
	edits_free(ed);
	free(a->plan.nics);
	a->plan.nics = NULL;
}
