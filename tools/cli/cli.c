/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cli.c - messages, and the options that every command has. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int cli_usage_status(const struct cli *cli)
{
	return cli->dropin ? 1 : 2;
}

/* A line and its newline.  Words of an image or a guest may be in it: control
 * characters would reach the terminal.  `kept` may stay.
 */
static void print_line(FILE *f, char kept, const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	for (char *p = text; p && *p; p++)
		if (((unsigned char)*p < 0x20 && *p != kept) || *p == 0x7f)
			*p = '?';
	fputs(text ? text : "out of memory", f);
	fputc('\n', f);
	free(text);
}

static void say_error(const struct cli *cli, const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "%s: ", cli->prog);
	print_line(stderr, '\n', fmt, ap);
}

void cli_error(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_error(cli, fmt, ap);
	va_end(ap);
}

void cli_hint(const struct cli *cli, const char *sentence)
{
	const char *name;

	if (cli->dropin)
		return;
	if (!strncmp(sentence, "Unknown file format", 19) ||
	    !strncmp(sentence, "Unknown driver", 14)) {
		fprintf(stderr, "%s: the formats are:", cli->prog);
		for (size_t i = 0; (name = img_formats(i)); i++)
			fprintf(stderr, " %s", name);
		fputc('\n', stderr);
	} else if (!strncmp(sentence, "Invalid parameter", 17)) {
		cli_error(cli, "-o help lists the options of the format");
	}
}

int cli_bad(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_error(cli, fmt, ap);
	va_end(ap);
	return cli_usage_status(cli);
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_error(cli, fmt, ap);
	va_end(ap);
	if (cli->command && !cli->dropin)
		fprintf(stderr, "usage: %s %s\nTry '%s %s --help' for more "
			"information\n", cli->prog, cli->command->synopsis,
			cli->prog, cli->command->name);
	else
		fprintf(stderr, "Try '%s --help' for more information\n",
			cli->prog);
	return cli_usage_status(cli);
}

void cli_say(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	if (cli->quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

void cli_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print_line(stdout, 0, fmt, ap);
	va_end(ap);
}

int cli_finish(const struct cli *cli, int status)
{
	if (fflush(stdout) || ferror(stdout)) {
		cli_error(cli, "cannot write to standard output: %s",
			  strerror(errno));
		return status ? status : CLI_FAILED;
	}
	return status;
}

void cli_print_help(const struct cli *cli)
{
	printf("usage: %s %s\n\n%s", cli->prog, cli->command->synopsis,
	       cli->command->help);
}

bool cli_output_ok(struct cli *cli, const char *text)
{
	if (!strcmp(text, "json"))
		cli->json = true;
	else if (!strcmp(text, "human"))
		cli->json = false;
	else
		return false;
	return true;
}

int cli_option(struct cli *cli, int c, char **argv)
{
	switch (c) {
	case 'h':
		cli_print_help(cli);
		return cli_finish(cli, 0);
	case ':':
		return cli_usage(cli, "missing argument for option '%s'",
				 argv[optind - 1]);
	case 'q':
		cli->quiet = true;
		return CLI_DONE;
	case 'U':
		cli->share = true;
		return CLI_DONE;
	case CLI_OBJECT:
		return cli_bad(cli, "--object %s: no kind of object is "
			       "supported; encrypted images cannot be opened "
			       "yet", optarg);
	case CLI_IMAGE_OPTS:
		cli->image_opts = true;
		return CLI_DONE;
	case CLI_OUTPUT:
		if (cli_output_ok(cli, optarg))
			return CLI_DONE;
		return cli_bad(cli, "--output must be used with human or json "
			       "as argument.");
	case CLI_ALLOW_EXTERNAL:
		cli->allow_external = true;
		cli->external_dir = optarg;
		return CLI_DONE;
	case CLI_PROBE_BACKING:
		cli->probe_backing = true;
		return CLI_DONE;
	case CLI_DISK:
		cli->disk = optarg;
		return CLI_DONE;
	case CLI_IGNORE_MANIFEST:
		cli->ignore_manifest = true;
		return CLI_DONE;
	default:
		return cli_usage(cli, "unrecognized option '%s'",
				 argv[optind - 1]);
	}
}

bool cli_size(const struct cli *cli, const char *what, const char *text,
	      uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t n;
	int rc = size_parse(text, &n);

	if (rc == -ERANGE || (!rc && (n < min || n > max))) {
		cli_error(cli, "Invalid %s specified. Must be between %llu and "
			  "%llu.", what, (unsigned long long)min,
			  (unsigned long long)max);
		return false;
	}
	if (rc) {
		cli_error(cli, "Invalid %s specified. You may use k, M, G, T, "
			  "P or E suffixes for", what);
		cli_error(cli, "kilobytes, megabytes, gigabytes, terabytes, "
			  "petabytes and exabytes.");
		return false;
	}
	*out = n;
	return true;
}

bool cli_cache_flags(const char *mode, unsigned *flags)
{
	static const struct {
		const char *name;
		unsigned flags;
	} modes[] = {
		{ "none", IMG_DIRECT },
		{ "off", IMG_DIRECT },
		{ "directsync", IMG_DIRECT | IMG_WRITETHROUGH },
		{ "writethrough", IMG_WRITETHROUGH },
		{ "writeback", 0 },
		{ "unsafe", IMG_NO_FLUSH },
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, mode)) {
			*flags = modes[i].flags;
			return true;
		}
	return false;
}
