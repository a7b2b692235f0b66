/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run_result.c - how a guest ended: for people, as JSON, and as exit status. */
#include <stdio.h>
#include <string.h>

#include "tools/cli/json.h"
#include "tools/vmm/run.h"
#include "tools/vmm/vmm.h"
#include "vmm/control.h"

static const struct {
	const char *name, *text;
	int status;
} ends[] = {
	[VM_POWERED_OFF] = { "powered-off", "powered off", VMM_POWERED_OFF },
	[VM_REBOOTED] = { "rebooted", "asked for a reset", VMM_REBOOTED },
	[VM_HALTED] = { "halted", "halted for good", VMM_HALTED },
	[VM_TRIPLE_FAULT] = { "triple-fault", "made a triple fault",
			      VMM_TRIPLE_FAULT },
	[VM_TIMED_OUT] = { "timed-out", "did not end in the time of --timeout",
			   VMM_TIMED_OUT },
	[VM_DEBUG_EXIT] = { "debug-exit", "ended by isa-debug-exit", 0 },
	[VM_STOPPED] = { "stopped", "was stopped", VMM_QUIT },
	[VM_FAILED] = { "failed", "cannot go on", VMM_ERROR },
};

static int exit_status(const struct vm_result *r)
{
	return r->end == VM_DEBUG_EXIT ? (int)(r->status & 0xff) | VMM_GUEST
				       : ends[r->end].status;
}

static json_t *disks_json(const struct run *run)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < run->n_disks; i++) {
		const struct disk *d = &run->disks[i];
		json_t *disk = json_object();

		json_put_string(disk, "filename", d->file);
		json_put_string(disk, "format", d->format);
		json_put_bool(disk, "overlay", d->overlay);
		json_put_bool(disk, "readonly", d->how.readonly);
		control_put_disk(disk, &d->stats);
		json_array_append_new(list, disk);
	}
	return list;
}

static json_t *counters_json(const struct vm_result *r)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < r->n_counters; i++)
		json_put_size(o, r->counters[i].name,
			      min_u64(r->counters[i].n, INT64_MAX));
	return o;
}

/* The guest saw I/O errors: that is news even when it ended well. */
static void print_errors(const struct cli *cli, const struct run *run)
{
	for (unsigned i = 0; i < run->n_disks; i++) {
		const struct vm_disk_stats *s = &run->disks[i].stats;

		if (s->errors)
			cli_error(cli, "disk '%s': %llu requests failed, the "
				  "last at byte %llu: %s", run->disks[i].file,
				  (unsigned long long)s->errors,
				  (unsigned long long)s->last_error_sector * 512,
				  strerror(-s->last_error));
	}
}

static int print_json(const struct cli *cli, const struct run *run,
		      const struct vm_result *r, const struct err *e)
{
	json_t *o = json_object();

	json_put_string(o, "end", ends[r->end].name);
	json_put_string(o, "how", r->how);
	json_put_size(o, "status", (uint64_t)exit_status(r) & 0xff);
	json_put_size(o, "guest-ns", r->run_ns);
	json_put_size(o, "resets", r->resets);
	json_put_string(o, "accelerator", run->config.accel->name);
	json_object_set_new(o, "counters", counters_json(r));
	json_object_set_new(o, "disks", disks_json(run));
	if (run->n_nets)
		json_object_set(o, "network", run->network);
	if (r->end == VM_FAILED)
		json_put_string(o, "error", e->text);
	return json_print_line(cli, o, exit_status(r));
}

int run_report(const struct cli *cli, const struct run *run,
	       const struct vm_result *r, int rc, const struct err *e)
{
	bool with_how = r->end == VM_REBOOTED && *r->how;

	if (rc)
		cli_error(cli, "%s", e->text);
	print_errors(cli, run);
	if (cli->json)
		return print_json(cli, run, r, e);
	if (!rc && !cli->quiet && r->end != VM_POWERED_OFF &&
	    r->end != VM_DEBUG_EXIT && r->end != VM_STOPPED)
		cli_error(cli, "the guest %s%s%s%s", ends[r->end].text,
			  with_how ? " (" : "", with_how ? r->how : "",
			  with_how ? ")" : "");
	return exit_status(r);
}
