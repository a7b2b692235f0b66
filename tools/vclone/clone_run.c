/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clone_run.c - vclone clone: do it, and say what was done. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "tools/cli/json.h"
#include "tools/vclone/clone.h"

static const char unchanged[] =
	"UUIDs of file systems and swap, and the ids of partition tables and "
	"partitions, stay as they are: fstab, the boot loader and the initramfs "
	"name them.  Do not attach a clone's disk and its source's to one host "
	"at the same time.";

int clone_list_operations(struct cli *cli)
{
	json_t *list = json_array(), *o;

	for (unsigned i = 0; i < RESET_N_OPS; i++) {
		const struct reset_op_info *op = reset_op_info(i);

		if (!cli->json)
			printf("%-18s %-4s %s\n", op->name, op->on ? "on"
			       : "off", op->what);
		o = json_object();
		json_put_string(o, "name", op->name);
		json_put_bool(o, "default", op->on);
		json_put_string(o, "what", op->what);
		json_array_append_new(list, o);
	}
	if (cli->json)
		return json_print(cli, list, 0);
	json_decref(list);
	printf("\n%s\n", unchanged);
	return cli_finish(cli, 0);
}

static json_t *texts_json(const char *lines)
{
	json_t *list = json_array();

	for (const char *p = lines ? lines : ""; *p;) {
		size_t len = strcspn(p, "\n");
		char *line = strndup(p, len);

		if (line)
			json_array_append_new(list, json_text(line));
		free(line);
		p += len + (p[len] == '\n');
	}
	return list;
}

static json_t *notes_json(const struct machine_notes *notes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < notes->n; i++) {
		json_t *o = json_object();

		json_put_string(o, "code", notes->list[i].code);
		json_put_string(o, "text", notes->list[i].text);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *one_json(const struct clone_job *job, const struct source *s,
			const struct clone_one *one)
{
	json_t *o = json_object(), *files = json_array(), *disks = json_array();
	char text[ADDRESS_TEXT_LEN];

	json_put_string(o, "name", one->name);
	json_put_string(o, "hostname", one->hostname);
	for (size_t i = 0; i < s->n_disks; i++)
		json_array_append_new(disks, json_text(
			one->machine.disks[s->disks[i].index].file));
	json_object_set_new(o, "disks", disks);
	for (size_t i = 0; i < one->output.n; i++)
		json_array_append_new(files,
				      json_text(one->output.files[i].name));
	json_object_set_new(o, "files", files);
	if (job->wishes.has_address)
		json_put_string(o, "address", address_text(&one->address, text));
	json_object_set_new(o, "ssh-host-keys", texts_json(one->public_keys));
	json_object_set_new(o, "machine", machine_json(&one->machine));
	json_object_set(o, "edits", one->edits);
	return o;
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static int print_json(struct cli *cli, const struct clone_job *job,
		      const struct source *s, const struct clone_result *r)
{
	json_t *o = json_object(), *clones = json_array(), *on = json_array();

	for (unsigned i = 0; i < RESET_N_OPS; i++)
		if (job->wishes.ops >> i & 1)
			json_array_append_new(on, json_text(
					reset_op_info(i)->name));
	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(clones, one_json(job, s, &r->clones[i]));
	json_put_string(o, "result", "cloned");
	json_put_string(o, "target", job->args.to);
	json_put_bool(o, "linked", job->args.linked);
	json_object_set_new(o, "operations", on);
	json_object_set_new(o, "clones", clones);
	json_object_set_new(o, "losses", notes_json(&r->losses));
	json_object_set_new(o, "seconds", json_real(seconds(r->ns)));
	json_object_set_new(o, "key-seconds", json_real(seconds(r->key_ns)));
	return json_print(cli, o, 0);
}

/* Clones that are switched on together must not have one address. */
static void warn_addresses(const struct clone_job *job,
			   const struct source *s)
{
	for (size_t i = 0; !job->wishes.has_address && i < s->guest->n_ifaces;
	     i++) {
		const struct linux_iface *f = &s->guest->ifaces[i];

		if (!f->n_addresses || !strcmp(f->name, "lo"))
			continue;
		cli_line("note: %s keeps the static address %s in every clone; "
			 "--static-ip gives each its own", f->name,
			 f->addresses[0]);
	}
}

static int print_human(struct cli *cli, const struct clone_job *job,
		       const struct source *s, const struct clone_result *r)
{
	if (cli->quiet)
		return 0;
	for (size_t i = 0; i < r->losses.n; i++)
		cli_line("note: %s", r->losses.list[i].text);
	warn_addresses(job, s);
	for (size_t i = 0; i < r->n && r->n <= 10; i++)
		cli_line("%s/%s", job->args.dir, r->clones[i].output.n
			 ? r->clones[i].output.files[0].name
			 : r->clones[i].name);
	cli_line("%zu %s clone%s of %s in %.2f s, of which %.2f s for SSH host "
		 "keys.", r->n, job->args.linked ? "linked" : "full",
		 r->n == 1 ? "" : "s", s->machine.name ? s->machine.name : "",
		 seconds(r->ns), seconds(r->key_ns));
	return cli_finish(cli, 0);
}

static int refused(struct cli *cli, const struct source *s)
{
	const struct linux_refusal *r;
	json_t *o, *list;

	for (size_t i = 0; (r = clone_refusal(s, i)); i++)
		cli_error(cli, "%s: refused: %s: %s %s",
			  s->machine.name ? s->machine.name : "", r->code,
			  r->why, r->fix);
	if (!cli->json)
		return VCLONE_REFUSED;
	o = json_object();
	list = json_array();
	for (size_t i = 0; (r = clone_refusal(s, i)); i++)
		json_array_append_new(list, json_pack("{s:o,s:o,s:o}", "code",
						      json_text(r->code), "why",
						      json_text(r->why), "fix",
						      json_text(r->fix)));
	json_put_string(o, "result", "refused");
	json_object_set_new(o, "refusals", list);
	return json_print(cli, o, VCLONE_REFUSED);
}

static int end(struct cli *cli, const struct clone_job *job,
	       const struct source *s, const struct clone_result *r, int rc,
	       const struct err *e)
{
	if (rc == -ECANCELED)
		return progress_die();
	if (rc == -EALREADY) {
		/* What a run that was killed had finished. */
		cli_error(cli, "%s", e->text);
		return 0;
	}
	if (rc) {
		cli_error(cli, "%s: %s", job->names[0], e->text);
		return CLI_FAILED;
	}
	return cli->json ? print_json(cli, job, s, r)
			 : print_human(cli, job, s, r);
}

int clone_job_run(struct cli *cli, struct clone_job *job)
{
	struct clone_result result = { 0 };
	struct progress bar;
	struct err e = { "" };
	struct source s;
	int status = cli_machine_open(cli, &job->how, job->names,
				      job->n_names, 0, &s);
	int rc;

	if (status != CLI_DONE)
		return status;
	if (clone_refusal(&s, 0)) {
		status = refused(cli, &s);
		source_close(&s);
		return status;
	}
	progress_signals();
	progress_start(&bar, job->progress);
	job->args.progress = progress_callback;
	job->args.arg = &bar;
	job->args.cancel = progress_cancelled();
	job->args.list_edits = cli->json;
	rc = clone_run(&s, &job->args, &result, &e);
	progress_end(&bar, !rc);
	status = end(cli, job, &s, &result, rc, &e);
	clone_result_fini(&result);
	source_close(&s);
	return status;
}
