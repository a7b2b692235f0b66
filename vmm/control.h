/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - a running machine obeys a UNIX socket.
 *
 * A request is a JSON object on a line of its own (at most CONTROL_LINE bytes),
 * and so is its answer, in the order of the requests of a client:
 *
 *	{"command": "status", "id": 1}
 *	{"id": 1, "result": {"state": "running", ...}}
 *	{"id": 2, "error": "no command 'jump'; ..."}
 *
 * "id" is optional and echoed.  Commands: status, stats, pause, resume, reset,
 * powerdown, quit, balloon (with "bytes": ask the guest for so many; without:
 * what it has given), screendump (with "format": text, or png, whose bytes are
 * base64 in "png"), sendkeys (with "keys", as "a" or "ctrl-alt-delete", or
 * "text").  control.c has the thread and the clients, control_commands.c and
 * control_screen.c what they may ask.
 *
 * Nothing that a client does can hold up the machine, but for the commands that
 * are there to do so, or another client: who does not read his answers is not
 * asked for more.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include "imgfmt/base/json.h"
#include "vmm/vmm.h"

#define CONTROL_LINE	(64u << 10)
#define CONTROL_CLIENTS	16u

struct control;

/* Listen at `path`, mode 0600.  The caller removes that afterwards. */
int control_open(const char *path, struct control **out, struct err *e);
void control_close(struct control *c);

/* Serve clients on a thread; `sandbox` is for status, and remains the caller's.
 * Before vm_run(); stop after it, and before vm_free().  A machine that a client
 * has paused goes on then.
 */
int control_start(struct control *c, struct vm *vm, const char *sandbox,
		  struct err *e);
void control_stop(struct control *c);

/* What became of a disk, as members of `disk`. */
void control_put_disk(json_t *disk, const struct vm_disk_stats *stats);

/* control_commands.c: the answer to a line; NULL: out of memory. */
struct control_machine {
	struct vm *vm;
	const char *sandbox;
	bool paused;		/* by us */
};
char *control_answer(struct control_machine *m, const char *line, size_t len);
/* control_screen.c */
int control_screendump(struct vm *vm, const json_t *args, json_t *result,
		       struct err *e);
int control_sendkeys(struct vm *vm, const json_t *args, struct err *e);

/* The answer to what is not a request. */
char *control_refusal(const char *sentence);

#endif
