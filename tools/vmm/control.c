/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - vmm control: ask a running machine, or give it an order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/cli/json.h"
#include "tools/vmm/vmm.h"
#include "vmm/mem.h"
#include "vmm/unixsock.h"

/* A reset, a hostile machine: answers have an end too. */
#define MAX_ANSWER (1u << 20)

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

static int control_run(struct cli *cli, const char *path, json_t *request)
{
	struct err e = { "" };
	json_t *result = ask(path, request, &e);

	json_decref(request);
	if (!result) {
		cli_error(cli, "%s", e.text);
		return VMM_ERROR;
	}
	if (cli->json)
		return json_print(cli, result, 0);
	print_value(result, 0);
	json_decref(result);
	return cli_finish(cli, 0);
}

static int control_main(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "output", required_argument, NULL, CLI_OUTPUT },
		{ 0 },
	};
	uint64_t bytes = 0;
	json_t *request;
	int c, rc;

	while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	argc -= optind;
	argv += optind;
	if (argc < 2)
		return cli_usage(cli, "a socket's PATH and a COMMAND are needed");
	if (argc > 3 || (argc == 3 && strcmp(argv[1], "balloon")))
		return cli_usage(cli, "unexpected argument '%s'",
				 argv[argc - 1]);
	if (argc == 3 &&
	    !cli_size(cli, "balloon size", argv[2], 0, MEM_MAX, &bytes))
		return VMM_USAGE;
	request = json_object();
	json_put_string(request, "command", argv[1]);
	if (argc == 3)
		json_put_size(request, "bytes", bytes);
	return control_run(cli, argv[0], request);
}

const struct cli_command cmd_control = {
	"control", control_main,
	"control PATH COMMAND [SIZE] [--output human|json]",
	"Ask a machine that runs with --control PATH, or give it an order:\n\n"
	"  status          its state, accelerator, memory, sandbox\n"
	"  stats           why its CPUs left the guest, requests of disks, memory\n"
	"                  that is really used\n"
	"  pause, resume   let it stand still, and go on\n"
	"  powerdown       press the power button: the guest shuts down\n"
	"  reset           press the reset button\n"
	"  quit            end it at once, after the requests that disks have begun\n"
	"  balloon [SIZE]  ask the guest for so much of its memory, all in all;\n"
	"                  without SIZE: what it has given, and says of its memory\n\n"
	"  --output human|json    as text, or as one JSON object\n\n"
	"Programs can speak to the socket themselves: a JSON object a line, such as\n"
	"{\"command\": \"status\", \"id\": 1}; see the manual.\n\n"
	"Example:\n"
	"  vmm control /run/vm1.sock powerdown\n",
};
