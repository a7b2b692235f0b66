/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - vmm control: ask a running machine, or give it an order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/cli/json.h"
#include "tools/vmm/control.h"
#include "tools/vmm/vmm.h"
#include "vmm/mem.h"
#include "vmm/unixsock.h"

/* A reset, a hostile machine: answers have an end too.  The longest is a picture. */
#define MAX_ANSWER (32u << 20)

static int send_all(int fd, const char *text, struct err *e)
{
	size_t len = strlen(text), done = 0;

	while (done < len) {
		ssize_t n = send(fd, text + done, len - done, MSG_NOSIGNAL);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return fail_rc(e, -errno, "asking the machine");
	}
	return 0;
}

/* One line, without its newline; the caller frees it. */
static char *receive_line(int fd, struct err *e)
{
	char *line = malloc(MAX_ANSWER);
	size_t len = 0;
	ssize_t n;

	if (!line) {
		fail(e, ENOMEM, "out of memory");
		return NULL;
	}
	while (len < MAX_ANSWER) {
		n = recv(fd, line + len, MAX_ANSWER - len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (line[len - 1] == '\n') {
			line[len - 1] = 0;
			return line;
		}
	}
	free(line);
	fail(e, EPROTO, "the machine ended without an answer");
	return NULL;
}

/* The answer's result; NULL and a sentence. */
static json_t *ask(const char *path, const json_t *request, struct err *e)
{
	char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
	json_t *answer = NULL, *result = NULL;
	const char *error;
	int fd = -1;

	if (!text) {
		fail(e, ENOMEM, "out of memory");
		return NULL;
	}
	if (!unixsock_connect(path, &fd, e) && !send_all(fd, text, e) &&
	    !send_all(fd, "\n", e))
		line = receive_line(fd, e);
	if (line) {
		answer = json_loads(line, 0, NULL);
		error = json_string_value(json_object_get(answer, "error"));
		result = json_object_get(answer, "result");
		if (!result)
			fail(e, EPROTO, "%s", error ? error : "the answer is "
			     "not one of a machine's");
	}
	json_incref(result);
	json_decref(answer);
	if (fd >= 0)
		close(fd);
	free(line);
	free(text);
	return result;
}

static void print_value(const json_t *value, int depth)
{
	const char *key;
	json_t *member;
	size_t i;

	json_object_foreach((json_t *)value, key, member) {
		printf("%*s%s:%s", 2 * depth, "", key,
		       json_is_object(member) || json_is_array(member) ?
		       "\n" : " ");
		print_value(member, depth + 1);
	}
	json_array_foreach(value, i, member) {
		printf("%*s%zu:\n", 2 * depth, "", i);
		print_value(member, depth + 1);
	}
	if (json_is_string(value))
		printf("%s\n", json_string_value(value));
	else if (json_is_integer(value))
		printf("%lld\n", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		printf("%s\n", json_is_true(value) ? "yes" : "no");
}

struct request {
	const char *path, *command;
	json_t *json;
	bool text;		/* --text */
	const char *file;	/* -o, or NULL */
};

static bool is(const struct request *r, const char *command)
{
	return !strcmp(r->command, command);
}

static int control_run(struct cli *cli, struct request *r)
{
	struct err e = { "" };
	json_t *result = ask(r->path, r->json, &e);
	int rc = 0;

	if (!result) {
		cli_error(cli, "%s", e.text);
		return VMM_ERROR;
	}
	if (cli->json)
		return json_print(cli, result, 0);
	if (is(r, "screendump"))
		rc = control_put_screen(result, r->file, &e);
	else
		print_value(result, 0);
	json_decref(result);
	if (rc) {
		cli_error(cli, "%s", e.text);
		return VMM_ERROR;
	}
	return cli_finish(cli, 0);
}

static int check_screendump(struct cli *cli, const struct request *r)
{
	if (!is(r, "screendump") && r->file)
		return cli_usage(cli, "-o is for screendump");
	if (!is(r, "screendump") && !is(r, "sendkeys") && r->text)
		return cli_usage(cli, "--text is for screendump and sendkeys");
	if (is(r, "screendump") && !r->text && !r->file && !cli->json)
		return cli_usage(cli, "screendump needs -o FILE for a PNG, or "
				 "--text");
	return CLI_DONE;
}

/* The words behind the command. */
static int add_arguments(struct cli *cli, struct request *r, int n,
			 char **words)
{
	uint64_t bytes = 0;
	json_t *keys;

	if (is(r, "sendkeys")) {
		if (n < 1 || (r->text && n > 1))
			return cli_usage(cli, "sendkeys needs KEY..., or "
					 "--text and one TEXT");
		keys = json_array();
		for (int i = 0; i < n; i++)
			json_array_append_new(keys, json_text(words[i]));
		if (r->text)
			json_object_set(r->json, "text",
					json_array_get(keys, 0));
		else
			json_object_set(r->json, "keys", keys);
		json_decref(keys);
		return CLI_DONE;
	}
	if (n > 1 || (n == 1 && !is(r, "balloon")))
		return cli_usage(cli, "unexpected argument '%s'", words[n - 1]);
	if (n && !cli_size(cli, "balloon size", words[0], 0, MEM_MAX, &bytes))
		return VMM_USAGE;
	if (n)
		json_put_size(r->json, "bytes", bytes);
	if (is(r, "screendump"))
		json_put_string(r->json, "format", r->text ? "text" : "png");
	return CLI_DONE;
}

static int control_main(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "output", required_argument, NULL, CLI_OUTPUT },
		{ "text", no_argument, NULL, 't' },
		{ 0 },
	};
	struct request r = { .text = false };
	int c, rc;

	while ((c = getopt_long(argc, argv, ":ho:", longs, NULL)) != -1) {
		if (c == 't')
			r.text = true;
		else if (c == 'o')
			r.file = optarg;
		else if ((rc = cli_option(cli, c, argv)) != CLI_DONE)
			return rc;
	}
	argc -= optind;
	argv += optind;
	if (argc < 2)
		return cli_usage(cli, "a socket's PATH and a COMMAND are needed");
	r.path = argv[0];
	r.command = argv[1];
	rc = check_screendump(cli, &r);
	if (rc != CLI_DONE)
		return rc;
	r.json = json_object();
	json_put_string(r.json, "command", r.command);
	rc = add_arguments(cli, &r, argc - 2, argv + 2);
	if (rc == CLI_DONE)
		rc = control_run(cli, &r);
	json_decref(r.json);
	return rc;
}

const struct cli_command cmd_control = {
	"control", control_main,
	"control PATH COMMAND [ARGUMENT...] [OPTIONS]",
	"Ask a machine that runs with --control PATH, or give it an order:\n\n"
	"  status          its state, accelerator, memory, sandbox\n"
	"  stats           why its CPUs left the guest, requests of disks, memory\n"
	"                  that is really used\n"
	"  pause, resume   let it stand still, and go on\n"
	"  powerdown       press the power button: the guest shuts down\n"
	"  reset           press the reset button\n"
	"  quit            end it at once, after the requests that disks have begun\n"
	"  balloon [SIZE]  ask the guest for so much of its memory, all in all;\n"
	"                  without SIZE: what it has given, and says of its memory\n"
	"  screendump -o FILE.png\n"
	"                  a picture of its screen\n"
	"  screendump --text [-o FILE]\n"
	"                  the characters on it\n"
	"  sendkeys KEY... press keys: a, ret, f1, ctrl-alt-delete\n"
	"  sendkeys --text TEXT\n"
	"                  type that, on a US keyboard\n\n"
	"  --output human|json    as text, or as one JSON object\n\n"
	"Programs can speak to the socket themselves: a JSON object a line, such as\n"
	"{\"command\": \"status\", \"id\": 1}; see the manual.\n\n"
	"Example:\n"
	"  vmm control /run/vm1.sock powerdown\n",
};
