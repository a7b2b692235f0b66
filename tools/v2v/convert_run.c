/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert_run.c - one conversion from the open source to the files in place. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "tools/cli/json.h"
#include "tools/v2v/convert.h"
#include "tools/v2v/proof.h"

/* The description, for the target; disks get their new names later. */
static int make_machine(struct job *job)
{
	struct err *e = &job->e;
	int rc = machine_copy(&job->source.machine, &job->machine, e);

	if (!rc && job->c->name)
		rc = machine_set(&job->machine.name, job->c->name, e);
	if (!rc)
		rc = machine_make_virtio(&job->machine, &job->losses, e);
	return rc;
}

/* The guest's files, changed in the overlays. */
static int edit(struct job *job)
{
	struct err *e = &job->e;

	job->plan = edits_json(job->edits);
	if (!job->plan)
		return fail(e, ENOMEM, "out of memory");
	return edits_count(job->edits) ? edits_apply(job->edits, e) : 0;
}

/* The addresses that the first network card must answer for. */
static size_t static_addresses(const struct job *job, const char **list,
			       size_t max)
{
	const struct linux_guest *g = job->source.guest;
	const struct linux_plan_args *plan = &job->c->source.plan;
	size_t n = 0;

	for (size_t i = 0; i < g->n_ifaces; i++) {
		const struct linux_iface *f = &g->ifaces[i];

		if (f->dhcp || !strcmp(f->name, "lo") ||
		    (plan->n_nics > 1 && strcmp(f->name, plan->nics[0].name)))
			continue;
		for (size_t k = 0; k < f->n_addresses && n < max; k++)
			list[n++] = f->addresses[k];
	}
	return n;
}

#define MAX_ASKED 16u

/* "192.0.2.10/24" without what follows the slash; in place. */
static char *host_part(const char *address)
{
	return strndup(address, strcspn(address, "/"));
}

static int prove_files(struct job *job, char *const *paths, const char *log,
		       const char *png)
{
	const struct machine *m = &job->machine;
	const char *asked[MAX_ASKED];
	char *hosts[MAX_ASKED] = { NULL }, mac[MACHINE_MAC_LEN];
	struct proof_args args = {
		.images = (const char *const *)paths,
		.n_images = job->source.n_disks,
		.allow_external = job->c->no_copy, .log = log,
		.screenshot = png, .timeout = job->c->boot_timeout,
		.addresses = (const char *const *)hosts,
		.cancel = progress_cancelled(),
	};
	int rc = 0;

	if (m->n_nics && m->nics[0].has_mac) {
		size_t n = static_addresses(job, asked, MAX_ASKED);

		args.mac = machine_mac_text(m->nics[0].mac, mac);
		for (size_t i = 0; i < n && !rc; i++)
			if ((hosts[i] = host_part(asked[i])))
				args.n_addresses++;
			else
				rc = fail(&job->e, ENOMEM, "out of memory");
	}
	if (!rc)
		rc = proof_run(&args, &job->verdict, &job->e);
	for (size_t i = 0; i < MAX_ASKED; i++)
		free(hosts[i]);
	return rc;
}

static int prove(struct job *job)
{
	char *log = NULL, *png = NULL, **paths;
	struct staging *s = job->staging;
	size_t n = job->source.n_disks;
	char *name;
	int rc = -ENOMEM;

	paths = array_alloc(n + 1, sizeof(*paths));
	name = str_printf("%s.boot.log", job->stem);
	log = name ? staging_path(s, name) : NULL;
	free(name);
	name = str_printf("%s.png", job->stem);
	png = name ? staging_path(s, name) : NULL;
	free(name);
	for (size_t i = 0; paths && i < n; i++)
		if (!(paths[i] = staging_path(s, job->disks[i])))
			goto out;
	if (paths && log && png)
		rc = prove_files(job, paths, log, png);
out:
	if (rc == -ENOMEM)
		fail(&job->e, ENOMEM, "out of memory");
	for (size_t i = 0; paths && i < n; i++)
		free(paths[i]);
	free(paths);
	free(log);
	free(png);
	return rc;
}

static const char *result_of(const struct job *job)
{
	if (!job->verdict)
		return "converted, not tested";
	return proof_passed(job->verdict) ? "converted, boots"
		: "does not boot";
}

static void say_verdict(const struct job *job)
{
	const json_t *v = job->verdict;
	const char *cause = json_string_value(json_object_get(v, "cause"));
	const char *text = json_string_value(json_object_get(v, "text"));

	if (!v || proof_passed(v))
		return;
	cli_error(job->cli, "the boot test did not pass: %s: %s",
		  cause ? cause : "", text ? text : "");
	if (!job->c->keep_unproved)
		cli_error(job->cli, "the image is not kept; look at "
			  "%s/%s.report.json, %s.boot.log and %s.png, or add "
			  "--keep-unproved", job->c->dir, job->stem, job->stem,
			  job->stem);
}

static int work(struct job *job)
{
	int rc = make_machine(job);

	if (!rc)
		rc = outputs_name(job);
	if (!rc)
		rc = staging_open(job->c->dir, job->stem, false, &job->staging,
				  &job->e);
	if (!rc)
		rc = outputs_check(job);
	if (!rc)
		rc = edit(job);
	if (!rc)
		rc = outputs_disks(job);
	if (!rc && !job->c->no_boot_test)
		rc = prove(job);
	if (!rc && (!job->verdict || proof_passed(job->verdict) ||
		    job->c->keep_unproved))
		rc = outputs_describe(job);
	if (!rc)
		rc = outputs_report(job, result_of(job));
	if (!rc) {
		rc = staging_commit(job->staging, &job->e);
		job->staging = NULL;
	}
	return rc;
}

static void print_human(const struct job *job)
{
	const struct convert *c = job->c;

	if (job->cli->quiet)
		return;
	for (size_t i = 0; i < job->losses.n; i++)
		cli_line("note: %s", job->losses.list[i].text);
	for (size_t i = 0; i < job->output.losses.n; i++)
		cli_line("note: %s", job->output.losses.list[i].text);
	if (job->verdict && proof_passed(job->verdict))
		cli_line("It boots: %s", json_string_value(
				 json_object_get(job->verdict, "text")));
	cli_line("%s/%s.report.json says what was done.", c->dir, job->stem);
}

/* An earlier run had done everything but put the last files in their place. */
static int ended_before(const struct job *job)
{
	char *path = str_printf("%s/%s.report.json", job->c->dir, job->stem);
	json_t *report = path ? json_load_file(path, 0, NULL) : NULL;
	const json_t *verdict = json_object_get(report, "boot-test");
	int status = !report ? CLI_FAILED
		     : verdict && !proof_passed(verdict) ? V2V_UNPROVED : 0;

	cli_error(job->cli, "%s", job->e.text);
	if (job->cli->json && report)
		status = json_print(job->cli, json_incref(report), status);
	json_decref(report);
	free(path);
	return status;
}

static int end(struct job *job, int rc)
{
	bool unproved = job->verdict && !proof_passed(job->verdict);

	if (rc == -ECANCELED)
		return progress_die();
	if (rc == -EALREADY)
		return ended_before(job);
	if (rc) {
		cli_error(job->cli, "%s: %s", job->c->source.names[0],
			  job->e.text);
		return CLI_FAILED;
	}
	say_verdict(job);
	if (!unproved && !job->cli->json)
		print_human(job);
	return cli_finish(job->cli, unproved ? V2V_UNPROVED : 0);
}

static void job_fini(struct job *job)
{
	staging_abort(job->staging);
	v2v_plan_fini(&job->c->source, job->edits);
	for (size_t i = 0; i < job->source.n_disks; i++) {
		if (job->disks)
			free(job->disks[i]);
		if (job->undos)
			free(job->undos[i]);
	}
	free(job->disks);
	free(job->undos);
	free(job->stem);
	machine_output_free(&job->output);
	machine_notes_free(&job->losses);
	machine_free(&job->machine);
	json_decref(job->verdict);
	json_decref(job->plan);
	source_close(&job->source);
}

int convert_run(struct cli *cli, struct convert *c)
{
	struct job job = { .cli = cli, .c = c };
	int status = v2v_open(cli, &c->source, SOURCE_EDIT, &job.source), rc;

	if (status != CLI_DONE)
		return status;
	progress_signals();
	status = v2v_plan(cli, &c->source, &job.source, &job.edits);
	if (status == CLI_DONE) {
		rc = work(&job);
		status = end(&job, rc);
	} else if (status == V2V_REFUSED && cli->json) {
		status = json_print(cli, v2v_source_json(&job.source), status);
	}
	job_fini(&job);
	return status;
}
