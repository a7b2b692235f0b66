/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_test_report.c - verdicts: as JSON, for people, and for CI systems. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/cli/json.h"
#include "tools/vmm/boot_test.h"
#include "tools/vmm/vmm.h"

static json_t *stages_json(const struct boot_verdict *v)
{
	json_t *list = json_array();

	for (unsigned i = BOOT_FIRMWARE; i < BOOT_N_STAGES; i++) {
		const struct boot_moment *m = &v->stages[i];
		json_t *o;

		if (!m->reached)
			continue;
		o = json_object();
		json_put_string(o, "stage",
				boot_stage_name((enum boot_stage)i));
		json_put_size(o, "guest-ns", m->ns);
		if (m->instructions)
			json_put_size(o, "instructions", m->instructions);
		json_put_string(o, "proof", m->proof);
		json_put_size(o, "read-bytes", v->read_bytes[i]);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *evidence_json(const struct boot_verdict *v)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < v->n_evidence; i++) {
		json_t *o = json_object();

		json_put_string(o, "source",
				boot_source_name(v->evidence[i].source));
		json_put_size(o, "guest-ns", v->evidence[i].ns);
		json_put_string(o, "text", v->evidence[i].text);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *disk_json(const struct boot_verdict *v)
{
	json_t *o = json_object();
	char features[24];

	json_put_string(o, "device", "virtio-blk");
	json_put_bool(o, "driver-bound", v->driver);
	if (v->driver) {
		snprintf(features, sizeof(features), "0x%" PRIx64, v->features);
		json_put_string(o, "driver-features", features);
	}
	json_put_size(o, "written-bytes", v->written_bytes);
	return o;
}

static json_t *network_json(const struct boot_verdict *v)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < v->n_cards; i++) {
		const struct boot_card *c = &v->cards[i];

		net_put_json(list, c->mac, c->interface, c->driver, c->hosts,
			     c->n);
	}
	return list;
}

json_t *boot_verdict_json(const struct boot_run *b, const char *name,
			  const char *format, const struct boot_verdict *v)
{
	const char *advice = boot_cause_advice(v->cause);
	json_t *o = json_object();

	json_put_string(o, "image", name);
	json_put_string(o, "format", format);
	json_put_string(o, "result", v->passed ? "passed" : "failed");
	json_put_string(o, "until", b->test.text ? "text" :
			boot_stage_name(b->test.until));
	json_put_string(o, "stage", boot_stage_name(v->stage));
	if (!v->passed)
		json_put_string(o, "cause", boot_cause_name(v->cause));
	json_put_string(o, "text", v->text);
	if (!v->passed && advice)
		json_put_string(o, "advice", advice);
	json_object_set_new(o, "stages", stages_json(v));
	json_object_set_new(o, "evidence", evidence_json(v));
	json_object_set_new(o, "disk", disk_json(v));
	if (v->n_cards)
		json_object_set_new(o, "network", network_json(v));
	json_put_size(o, "resets", v->resets);
	json_put_size(o, "guest-ns", v->ns);
	if (v->instructions)
		json_put_size(o, "instructions", v->instructions);
	json_put_string(o, "accelerator", b->run.config.accel->name);
	return o;
}

json_t *boot_error_json(const char *name, const char *cause, const char *text)
{
	json_t *o = json_object();

	json_put_string(o, "image", name);
	json_put_string(o, "result", "error");
	json_put_string(o, "cause", cause);
	json_put_string(o, "text", text);
	return o;
}

static const char *get(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

bool boot_test_passed(const json_t *result)
{
	return !strcmp(get(result, "result"), "passed");
}

static double seconds(const json_t *o)
{
	return (double)json_integer_value(json_object_get(o, "guest-ns")) / 1e9;
}

static void print_failure(const json_t *r)
{
	const json_t *list = json_object_get(r, "evidence"), *line;
	size_t i;

	if (*get(r, "advice"))
		printf("    %s\n", get(r, "advice"));
	json_array_foreach(list, i, line)
		printf("    %8.3f s %-8s %s\n", seconds(line),
		       get(line, "source"), get(line, "text"));
}

static void print_human(const struct cli *cli, const json_t *r)
{
	bool ok = boot_test_passed(r);

	if (ok && cli->quiet)
		return;
	if (ok)
		printf("%s: passed: %s (%.1f s of the guest's)\n",
		       get(r, "image"), get(r, "text"), seconds(r));
	else if (!strcmp(get(r, "result"), "error"))
		printf("%s: ERROR: %s\n", get(r, "image"), get(r, "text"));
	else
		printf("%s: FAILED at stage %s: %s: %s\n", get(r, "image"),
		       get(r, "stage"), get(r, "cause"), get(r, "text"));
	if (!ok)
		print_failure(r);
}

void boot_test_print(struct cli *cli, const struct boot_run *b, unsigned i,
		     const struct boot_job *job)
{
	(void)b, (void)i;
	if (cli->json)
		json_print_line(cli, json_incref(job->result), 0);
	else
		print_human(cli, job->result);
	fflush(stdout);
}

/* XML 1.0, 2.2 and 2.4: some characters have names, and some cannot be. */
static void put_xml(FILE *f, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '<')
			fputs("&lt;", f);
		else if (c == '>')
			fputs("&gt;", f);
		else if (c == '&')
			fputs("&amp;", f);
		else if (c == '"')
			fputs("&quot;", f);
		else if (c >= ' ' || c == '\n')
			fputc(c, f);
	}
}

static void put_attribute(FILE *f, const char *name, const char *text)
{
	fprintf(f, " %s=\"", name);
	put_xml(f, text);
	fputc('"', f);
}

static void put_lines(FILE *f, const json_t *r)
{
	const json_t *list = json_object_get(r, "evidence"), *line;
	size_t i;

	json_array_foreach(list, i, line) {
		fprintf(f, "%.3f s ", seconds(line));
		put_xml(f, get(line, "source"));
		fputs(": ", f);
		put_xml(f, get(line, "text"));
		fputc('\n', f);
	}
}

static void put_case(FILE *f, const struct boot_job *job)
{
	const json_t *r = job->result;
	bool failed = !strcmp(get(r, "result"), "failed");

	fputs("  <testcase classname=\"boot-test\"", f);
	put_attribute(f, "name", get(r, "image"));
	fprintf(f, " time=\"%.3f\"", (double)job->ms / 1e3);
	if (boot_test_passed(r)) {
		fputs("/>\n", f);
		return;
	}
	fprintf(f, ">\n    <%s", failed ? "failure" : "error");
	put_attribute(f, "type", get(r, "cause"));
	put_attribute(f, "message", get(r, "text"));
	fputc('>', f);
	put_lines(f, r);
	fprintf(f, "</%s>\n  </testcase>\n", failed ? "failure" : "error");
}

static void put_suite(FILE *f, const struct boot_run *b,
		      const struct boot_job *jobs)
{
	unsigned failed = 0, errors = 0;
	uint64_t ms = 0;

	for (unsigned i = 0; i < b->n; i++) {
		const char *result = get(jobs[i].result, "result");

		failed += !strcmp(result, "failed");
		errors += !strcmp(result, "error");
		ms += jobs[i].ms;
	}
	fprintf(f, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuite name=\"vmm boot-test\" tests=\"%u\" "
		"failures=\"%u\" errors=\"%u\" time=\"%.3f\">\n", b->n, failed,
		errors, (double)ms / 1e3);
	for (unsigned i = 0; i < b->n; i++)
		put_case(f, &jobs[i]);
	fputs("</testsuite>\n", f);
}

int boot_test_junit(struct boot_run *b, const struct boot_job *jobs,
		    struct err *e)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	bool ok = f;
	int rc = 0, closed;

	if (f) {
		put_suite(f, b, jobs);
		ok = !fclose(f);
	}
	rc = ok ? output_write(&b->junit_file, text, len, e) :
		fail(e, ENOMEM, "out of memory");
	free(text);
	closed = output_close(&b->junit_file, !rc, e);
	return rc ? rc : closed;
}
