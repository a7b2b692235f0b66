/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proof.c - run vmm boot-test and take its verdict. */
#include "tools/v2v/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "imgfmt/base/buf.h"

#define MAX_OUTPUT (16u << 20)	/* bytes; a verdict has some thousands */
#define POLL_MS 200

struct words {
	char **list;
	size_t n, cap;
	bool failed;
};

static void add(struct words *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void add(struct words *w, const char *fmt, ...)
{
	char *word = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (w->failed || vasprintf(&word, fmt, ap) < 0 ||
	    array_grow(&w->list, &w->cap, w->n + 2, sizeof(*w->list))) {
		w->failed = true;
		free(word);
	} else {
		w->list[w->n++] = word;
		w->list[w->n] = NULL;
	}
	va_end(ap);
}

static void words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->list[i]);
	free(w->list);
}

/* The vmm that came with this program, else the one of the PATH. */
static void add_program(struct words *w)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 8);
	char *slash;

	path[len > 0 ? len : 0] = 0;
	slash = strrchr(path, '/');
	if (slash) {
		strcpy(slash, "/vmm");
		if (!access(path, X_OK)) {
			add(w, "%s", path);
			return;
		}
	}
	add(w, "vmm");
}

/* A comma in an option's value is written twice. */
static char *escape(const char *text)
{
	char *out = malloc(2 * strlen(text) + 1), *to = out;

	for (; out && *text; text++) {
		*to++ = *text;
		if (*text == ',')
			*to++ = ',';
	}
	if (out)
		*to = 0;
	return out;
}

static void add_net(struct words *w, const struct proof_args *a)
{
	char *text;

	if (!a->mac)
		return;
	text = str_printf("peer,mac=%s", a->mac);
	for (size_t i = 0; text && i < a->n_addresses; i++) {
		char *more = str_printf("%s,ask=%s", text, a->addresses[i]);

		free(text);
		text = more;
	}
	add(w, "--net");
	if (text)
		add(w, "%s", text);
	else
		w->failed = true;
	free(text);
}

static void command_line(const struct proof_args *a, struct words *w)
{
	add_program(w);
	add(w, "boot-test");
	add(w, "--output");
	add(w, "json");
	if (a->log)
		add(w, "--log=%s", a->log);
	if (a->screenshot)
		add(w, "--screenshot=%s", a->screenshot);
	if (a->memory)
		add(w, "--memory=%" PRIu64, a->memory);
	if (a->timeout)
		add(w, "--timeout=%u", a->timeout);
	if (a->allow_external)
		add(w, "--allow-external");
	add_net(w, a);
	for (size_t i = 1; i < a->n_images; i++) {
		char *name = escape(a->images[i]);

		if (name)
			add(w, "--disk=%s", name);
		else
			w->failed = true;
		free(name);
	}
	add(w, "--");
	add(w, "%s", a->images[0]);
}

/* Both of the child's outputs come here; the JSON is a line of its own. */
static int start(struct words *w, pid_t *child, int *from, struct err *e)
{
	posix_spawn_file_actions_t actions;
	int ends[2], rc;

	if (pipe2(ends, O_CLOEXEC))
		return fail_rc(e, -errno, "cannot make a pipe");
	rc = posix_spawn_file_actions_init(&actions);
	if (!rc) {
		posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
		posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
		posix_spawn_file_actions_addopen(&actions, 0, "/dev/null",
						 O_RDONLY, 0);
		rc = posix_spawnp(child, w->list[0], &actions, NULL, w->list,
				  environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	close(ends[1]);
	if (!rc) {
		*from = ends[0];
		return 0;
	}
	close(ends[0]);
	return fail_rc(e, -rc, "cannot start '%s', which proves that the image "
		       "boots (--no-boot-test does without)", w->list[0]);
}

static bool is_cancelled(const struct proof_args *a)
{
	return a->cancel && atomic_load(a->cancel);
}

/* All that the child says, up to a limit; a NUL behind it. */
static int listen_to(const struct proof_args *a, int from, char **text,
		     struct err *e)
{
	size_t len = 0, cap = 0;

	*text = NULL;
	for (;;) {
		struct pollfd p = { .fd = from, .events = POLLIN };
		ssize_t n;

		if (is_cancelled(a))
			return -ECANCELED;
		if (poll(&p, 1, POLL_MS) <= 0)
			continue;
		if (len > MAX_OUTPUT)
			return fail(e, EPROTO, "vmm says too much");
		if (array_grow(text, &cap, len + 4097, 1))
			return fail(e, ENOMEM, "out of memory");
		n = read(from, *text + len, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	(*text)[len] = 0;
	return 0;
}

/* The last line that is a verdict. */
static json_t *find_verdict(char *text)
{
	json_t *found = NULL;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		json_t *o = *line == '{' ? json_loads(line, 0, NULL) : NULL;

		if (json_object_get(o, "result")) {
			json_decref(found);
			found = o;
		} else {
			json_decref(o);
		}
	}
	return found;
}

int proof_run(const struct proof_args *args, json_t **verdict, struct err *e)
{
	struct words w = { 0 };
	char *text = NULL, *said = NULL;
	int from = -1, status = 0, rc;
	pid_t child = -1;

	command_line(args, &w);
	rc = w.failed ? fail(e, ENOMEM, "out of memory")
	     : start(&w, &child, &from, e);
	if (rc)
		goto out;
	rc = listen_to(args, from, &text, e);
	if (rc)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (rc)
		goto out;
	said = strdup(text);
	*verdict = find_verdict(text);
	if (!*verdict)
		rc = fail(e, EPROTO, "vmm boot-test ended with %s %d and no "
			  "verdict: %.500s",
			  WIFSIGNALED(status) ? "signal" : "status",
			  WIFSIGNALED(status) ? WTERMSIG(status)
			  : WEXITSTATUS(status), said ? said : "");
out:
	if (from >= 0)
		close(from);
	free(text);
	free(said);
	words_free(&w);
	return rc;
}

/* Another card may answer for an address that it does not have. */
static bool answered_by_its_card(const json_t *row)
{
	const char *mac = json_string_value(json_object_get(row, "mac"));
	const char *by = json_string_value(json_object_get(row, "by"));

	return !json_is_true(json_object_get(row, "asked")) ||
	       (json_is_true(json_object_get(row, "answered")) && mac && by &&
		!strcasecmp(mac, by));
}

bool proof_passed(const json_t *verdict)
{
	const char *result = json_string_value(json_object_get(verdict,
							       "result"));
	const json_t *rows = json_object_get(verdict, "network"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (!answered_by_its_card(row))
			return false;
	return result && !strcmp(result, "passed");
}
