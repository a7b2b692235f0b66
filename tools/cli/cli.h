/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli.h - what the commands of a program share: messages, arguments, opening
 * images by what the user typed.
 *
 * A program has two faces.  Under its own name an image may pull in only files
 * of its own folder; called through a link named qemu-img it follows names as
 * qemu-img does and speaks in its words (`dropin`).
 *
 * Functions that print an error say so; everything here is called by the main
 * thread only.
 */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H

#include <getopt.h>

#include "imgfmt/imgfmt.h"

struct cli;

/* One subcommand. */
struct cli_command {
	const char *name;
	int (*run)(struct cli *cli, int argc, char **argv);
	const char *synopsis;	/* "create [-q] ... FILE [SIZE]" */
	const char *help;	/* the rest of --help, with examples */
};

struct cli {
	const char *prog;	/* heads each message */
	bool dropin;		/* called as qemu-img */
	const struct cli_command *command;

	/* What cli_option() collects. */
	bool quiet;
	bool json;		/* --output json */
	bool share;		/* -U */
	bool image_opts;
	bool allow_external;
	const char *external_dir;	/* NULL: anywhere */
	bool probe_backing;
	const char *disk;		/* of a package, or NULL */
	bool ignore_manifest;		/* of a package */

	/* Who decides about names inside images; see cli_resolver_init(). */
	struct img_resolver resolver, inside, anywhere;
	const char *consent[4];	/* names from the command line */
};

#define CLI_FAILED 1
#define CLI_DONE (-1)		/* cli_option(): go on with the next option */

/* Exit status for wrong usage: 2, or 1 as qemu-img has it. */
int cli_usage_status(const struct cli *cli);

/* Messages go to standard error, headed by the program's name.  Control characters
 * in them become '?'.
 */
void cli_error(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* What is allowed, after a sentence that refused a format or an option of one;
 * qemu-img's face keeps to its words.
 */
void cli_hint(const struct cli *cli, const char *sentence);
/* cli_error(), and return the status for wrong usage. */
int cli_bad(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, and say where to read on. */
int cli_usage(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* printf unless -q. */
void cli_say(const struct cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A line on standard output, which may have words of an image or a guest in it:
 * their control characters become '?'.
 */
void cli_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Flush standard output; CLI_FAILED if what was said did not arrive. */
int cli_finish(const struct cli *cli, int status);

void cli_print_help(const struct cli *cli);

/* Options of every command, for its table of long options.  Only those that take
 * them list --progress and --ignore-manifest.
 */
enum {
	CLI_OBJECT = 256, CLI_IMAGE_OPTS, CLI_OUTPUT, CLI_ALLOW_EXTERNAL,
	CLI_PROBE_BACKING, CLI_DISK, CLI_PROGRESS, CLI_IGNORE_MANIFEST,
	CLI_FIRST_OWN,
};
#define CLI_LONG_OPTIONS						\
	{ "help", no_argument, NULL, 'h' },				\
	{ "quiet", no_argument, NULL, 'q' },				\
	{ "force-share", no_argument, NULL, 'U' },			\
	{ "object", required_argument, NULL, CLI_OBJECT },		\
	{ "image-opts", no_argument, NULL, CLI_IMAGE_OPTS },		\
	{ "output", required_argument, NULL, CLI_OUTPUT },		\
	{ "allow-external", optional_argument, NULL, CLI_ALLOW_EXTERNAL }, \
	{ "probe-backing", no_argument, NULL, CLI_PROBE_BACKING },	\
	{ "disk", required_argument, NULL, CLI_DISK }

/* Deal with an option that getopt_long() returned and the command does not
 * know: CLI_DONE, or the exit status to end with.
 */
int cli_option(struct cli *cli, int c, char **argv);

/* "human" or "json"; prints an error. */
bool cli_output_ok(struct cli *cli, const char *text);

/* A size of the command line in [min, max]; `what` as in "image size".
 * Prints an error and returns false.
 */
bool cli_size(const struct cli *cli, const char *what, const char *text,
	      uint64_t min, uint64_t max, uint64_t *out);

/* "none", "writeback", "unsafe", ... to IMG_* flags; false: not a mode. */
bool cli_cache_flags(const char *mode, unsigned *flags);

/* Choose the resolver when all options are known. */
void cli_resolver_init(struct cli *cli);
/* A name from the command line may be opened wherever it is. */
void cli_consent(struct cli *cli, const char *name);

#endif
