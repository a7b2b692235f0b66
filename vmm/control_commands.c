/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_commands.c - what a client of the control socket may ask.  See
 * control.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "vmm/control.h"

/* One request. */
struct call {
	struct control_machine *m;
	const json_t *args;
	json_t *result;
	struct err *e;
};

static int status(struct call *c)
{
	struct vm_info info;

	vm_info(c->m->vm, &info);
	json_put_string(c->result, "state", info.state);
	json_put_string(c->result, "accelerator", info.accel);
	json_put_size(c->result, "cpus", info.cpus);
	json_put_size(c->result, "memory", info.memory);
	json_put_size(c->result, "guest-ns", info.guest_ns);
	json_put_size(c->result, "resets", info.resets);
	json_put_string(c->result, "sandbox", c->m->sandbox);
	return 0;
}

static int do_pause(struct call *c)
{
	if (!c->m->paused)
		vm_pause(c->m->vm);
	c->m->paused = true;
	return 0;
}

static int resume(struct call *c)
{
	if (c->m->paused)
		vm_resume(c->m->vm);
	c->m->paused = false;
	return 0;
}

static int do_reset(struct call *c)
{
	vm_reset(c->m->vm);
	return 0;
}

static int powerdown(struct call *c)
{
	return vm_power_button(c->m->vm) ?
		fail(c->e, ENODEV, "the machine has no power button") : 0;
}

static int quit(struct call *c)
{
	vm_stop(c->m->vm);
	return 0;
}

static int set_balloon(struct call *c, const json_t *bytes)
{
	json_int_t n = json_integer_value(bytes);
	int rc;

	if (!json_is_integer(bytes) || n < 0)
		return fail(c->e, EINVAL, "\"bytes\" must be a whole number, 0 "
			    "or more");
	rc = vm_set_balloon(c->m->vm, (uint64_t)n);
	if (rc == -ERANGE)
		return fail(c->e, ERANGE, "\"bytes\" is %lld, more than the "
			    "guest's memory", (long long)n);
	return rc;
}

static const char *const balloon_stats[VM_BALLOON_N_STATS] = {
	[VM_BALLOON_SWAP_IN] = "swap-in",
	[VM_BALLOON_SWAP_OUT] = "swap-out",
	[VM_BALLOON_MAJOR_FAULTS] = "major-faults",
	[VM_BALLOON_MINOR_FAULTS] = "minor-faults",
	[VM_BALLOON_FREE] = "free",
	[VM_BALLOON_TOTAL] = "total",
	[VM_BALLOON_AVAILABLE] = "available",
	[VM_BALLOON_CACHES] = "caches",
	[VM_BALLOON_HUGE_ALLOCATED] = "huge-allocated",
	[VM_BALLOON_HUGE_FAILED] = "huge-failed",
};

/* A guest may say any number; JSON's end at 2^63. */
static void put_count(json_t *o, const char *key, uint64_t n)
{
	json_put_size(o, key, min_u64(n, INT64_MAX));
}

static void put_balloon(json_t *o, const struct vm_balloon_info *info)
{
	json_t *guest = json_object();

	json_put_size(o, "wanted", info->wanted);
	json_put_size(o, "actual", info->actual);
	put_count(o, "released", info->released);
	for (unsigned i = 0; i < VM_BALLOON_N_STATS; i++)
		if (info->have_stats & 1u << i)
			put_count(guest, balloon_stats[i], info->stats[i]);
	json_object_set_new(o, "guest", guest);
}

static int balloon(struct call *c)
{
	const json_t *bytes = json_object_get(c->args, "bytes");
	struct vm_balloon_info info;
	int rc = bytes ? set_balloon(c, bytes) : 0;

	if (!rc)
		rc = vm_balloon_info(c->m->vm, &info);
	if (rc == -ENODEV)
		return fail(c->e, ENODEV, "the machine has no balloon");
	if (!rc)
		put_balloon(c->result, &info);
	return rc;
}

void control_put_disk(json_t *disk, const struct vm_disk_stats *s)
{
	json_put_size(disk, "reads", s->reads);
	json_put_size(disk, "writes", s->writes);
	json_put_size(disk, "flushes", s->flushes);
	json_put_size(disk, "clears", s->clears);
	json_put_size(disk, "read-bytes", s->read_bytes);
	json_put_size(disk, "written-bytes", s->written_bytes);
	json_put_size(disk, "errors", s->errors);
	if (!s->errors)
		return;
	json_put_string(disk, "last-error", strerror(-s->last_error));
	json_put_size(disk, "last-error-sector", s->last_error_sector);
}

static json_t *cpus_json(struct vm *vm)
{
	struct accel_counter counters[ACCEL_COUNTERS];
	uint64_t exits[VM_N_EXITS];
	unsigned n_counters;
	json_t *list = json_array();

	for (unsigned i = 0; vm_cpu_exits(vm, i, exits); i++) {
		json_t *cpu = json_object(), *by_kind = json_object();

		for (enum vm_exit n = 0; n < VM_N_EXITS; n++)
			put_count(by_kind, vm_exit_name(n), exits[n]);
		json_object_set_new(cpu, "exits", by_kind);
		n_counters = vm_cpu_counters(vm, i, counters);
		for (unsigned n = 0; n < n_counters; n++)
			put_count(cpu, counters[n].name, counters[n].n);
		json_array_append_new(list, cpu);
	}
	return list;
}

static json_t *disks_json(struct vm *vm)
{
	json_t *list = json_array();
	struct vm_disk_stats s;

	for (unsigned i = 0; vm_disk_stats(vm, i, &s); i++) {
		json_t *disk = json_object();

		json_put_string(disk, "name", s.name);
		control_put_disk(disk, &s);
		json_put_size(disk, "in-flight", s.in_flight);
		json_array_append_new(list, disk);
	}
	return list;
}

static int stats(struct call *c)
{
	struct vm_balloon_info info;
	struct vm_info now;
	json_t *o;

	vm_info(c->m->vm, &now);
	json_put_size(c->result, "guest-ns", now.guest_ns);
	json_put_size(c->result, "memory", now.memory);
	json_put_size(c->result, "memory-used", now.memory_used);
	json_object_set_new(c->result, "cpus", cpus_json(c->m->vm));
	json_object_set_new(c->result, "disks", disks_json(c->m->vm));
	if (!vm_balloon_info(c->m->vm, &info)) {
		o = json_object();
		put_balloon(o, &info);
		json_object_set_new(c->result, "balloon", o);
	}
	return 0;
}

static int screendump(struct call *c)
{
	return control_screendump(c->m->vm, c->args, c->result, c->e);
}

static int sendkeys(struct call *c)
{
	return control_sendkeys(c->m->vm, c->args, c->e);
}

static const struct command {
	const char *name;
	int (*run)(struct call *c);
	const char *args[2];	/* members that it knows, or NULL */
} commands[] = {
	{ "status", status, { NULL } },
	{ "stats", stats, { NULL } },
	{ "pause", do_pause, { NULL } },
	{ "resume", resume, { NULL } },
	{ "reset", do_reset, { NULL } },
	{ "powerdown", powerdown, { NULL } },
	{ "quit", quit, { NULL } },
	{ "balloon", balloon, { "bytes" } },
	{ "screendump", screendump, { "format" } },
	{ "sendkeys", sendkeys, { "keys", "text" } },
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static bool knows(const struct command *command, const char *key)
{
	for (size_t i = 0; i < 2; i++)
		if (command->args[i] && !strcmp(command->args[i], key))
			return true;
	return !strcmp(key, "command") || !strcmp(key, "id");
}

/* What a client meant by a member that is not looked at is not guessed. */
static int check_members(const struct command *command, const json_t *request,
			 struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)request, key, value) {
		if (!knows(command, key))
			return fail(e, EINVAL, "'%s' has no member '%.40s'",
				    command->name, key);
	}
	return 0;
}

static int execute(struct control_machine *m, const json_t *request,
		   json_t *result, struct err *e)
{
	const char *name = json_string_value(json_object_get(request,
							     "command"));
	const struct command *command = name ? find(name) : NULL;
	struct call call = { m, request, result, e };
	int rc;

	if (!name)
		return fail(e, EINVAL, "a request is an object with a string "
			    "\"command\"");
	if (!command)
		return fail(e, EINVAL, "no command '%.40s'; they are status, "
			    "stats, pause, resume, reset, powerdown, quit, "
			    "balloon, screendump and sendkeys", name);
	rc = check_members(command, request, e);
	return rc ? rc : command->run(&call);
}

static char *dump(json_t *answer)
{
	char *json = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);
	char *line = json ? str_printf("%s\n", json) : NULL;

	free(json);
	json_decref(answer);
	return line;
}

char *control_refusal(const char *sentence)
{
	json_t *answer = json_object();

	json_put_string(answer, "error", sentence);
	return dump(answer);
}

char *control_answer(struct control_machine *m, const char *line, size_t len)
{
	json_error_t where;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &where);
	json_t *answer, *result, *id;
	struct err e = { "" };

	if (!request) {
		fail(&e, EINVAL, "not JSON: %s (byte %d)", where.text,
		     where.position);
		return control_refusal(e.text);
	}
	answer = json_object();
	result = json_object();
	id = json_object_get(request, "id");
	if (id)
		json_object_set(answer, "id", id);
	if (execute(m, request, result, &e))
		json_put_string(answer, "error", e.text);
	else
		json_object_set(answer, "result", result);
	json_decref(result);
	json_decref(request);
	return dump(answer);
}
