/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c - vimg check: is the image's metadata sound, and repair it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/cli/image.h"
#include "tools/cli/json.h"
#include "tools/vimg/profile.h"
#include "tools/vimg/vimg.h"

#define CHECK_CORRUPT 2
#define CHECK_LEAKS 3
#define CHECK_UNSUPPORTED 63

struct check_args {
	struct image image;
	bool fix_leaks, fix_errors;
	const struct profile *profile;	/* NULL: none */
};

enum { OPT_PROFILE = CLI_FIRST_OWN };

static int parse_repair(struct cli *cli, struct check_args *a,
			const char *text)
{
	if (strcmp(text, "leaks") && strcmp(text, "all"))
		return cli_usage(cli, "Unknown option value for -r (expecting "
				 "'leaks' or 'all'): %s", text);
	a->fix_leaks = true;
	a->fix_errors = !strcmp(text, "all");
	a->image.flags |= IMG_WRITE;
	return CLI_DONE;
}

static int parse(struct cli *cli, struct check_args *a, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONG_OPTIONS,
		{ "format", required_argument, NULL, 'f' },
		{ "repair", required_argument, NULL, 'r' },
		{ "profile", required_argument, NULL, OPT_PROFILE },
		{ 0 },
	};
	unsigned cache = 0;
	int c, rc;

	while ((c = getopt_long(argc, argv, ":hf:r:T:qU", longs, NULL)) != -1) {
		rc = CLI_DONE;
		if (c == 'f')
			a->image.format = optarg;
		else if (c == 'r')
			rc = parse_repair(cli, a, optarg);
		else if (c == OPT_PROFILE &&
			 !(a->profile = profile_find(optarg)))
			rc = cli_usage(cli, "--profile must be %s, found '%s'",
				       profile_names, optarg);
		else if (c == OPT_PROFILE)
			continue;
		else if (c == 'T' && !cli_cache_flags(optarg, &cache))
			rc = cli_bad(cli, "Invalid source cache option: %s",
				     optarg);
		else if (c != 'T')
			rc = cli_option(cli, c, argv);
		if (rc != CLI_DONE)
			return rc;
	}
	if (optind != argc - 1)
		return cli_usage(cli, "Expecting one image file name");
	a->image.name = argv[optind];
	a->image.opts = cli->image_opts;
	a->image.flags |= cache;
	return image_args_ok(cli, a->image.format) ? CLI_DONE
						    : cli_usage_status(cli);
}

/* Findings are shown as they come, also under -q, as qemu-img does. */
static void report(void *arg, const char *line)
{
	(void)arg;
	fflush(stdout);
	fprintf(stderr, "%s\n", line);
}

static void say_count(const struct cli *cli, uint64_t n, const char *what,
		      const char *meaning)
{
	if (n)
		cli_say(cli, "\n%llu %s\n%s", (unsigned long long)n, what,
			meaning);
}

static double percent(uint64_t part, uint64_t whole)
{
	return (double)part * 100.0 / (double)whole;
}

static int print_human(const struct cli *cli, const struct img_check *k)
{
	if (!k->corruptions && !k->leaks && !k->check_errors)
		cli_say(cli, "No errors were found on the image.\n");
	say_count(cli, k->corruptions, "errors were found on the image.",
		  "Data may be corrupted, or further writes to the image may "
		  "corrupt it.\n");
	say_count(cli, k->leaks, "leaked clusters were found on the image.",
		  "This means waste of disk space, but no harm to data.\n");
	say_count(cli, k->check_errors, "internal errors have occurred during "
		  "the check.", "");
	if (k->total_clusters && k->allocated_clusters)
		cli_say(cli, "%llu/%llu = %.2f%% allocated, %.2f%% fragmented, "
			"%.2f%% compressed clusters\n",
			(unsigned long long)k->allocated_clusters,
			(unsigned long long)k->total_clusters,
			percent(k->allocated_clusters, k->total_clusters),
			percent(k->fragmented_clusters, k->allocated_clusters),
			percent(k->compressed_clusters,
				k->allocated_clusters));
	if (k->image_end_offset)
		cli_say(cli, "Image end offset: %llu\n",
			(unsigned long long)k->image_end_offset);
	return cli_finish(cli, 0);
}

static void put_if(json_t *o, const char *key, uint64_t n)
{
	if (n)
		json_put_size(o, key, n);
}

/* qemu-img leaves out what is zero, too. */
static int print_json(const struct cli *cli, const struct img_check *k,
		      const char *name, const char *format)
{
	json_t *o = json_object();

	put_if(o, "image-end-offset", k->image_end_offset);
	put_if(o, "compressed-clusters", k->compressed_clusters);
	put_if(o, "total-clusters", k->total_clusters);
	put_if(o, "corruptions", k->corruptions);
	put_if(o, "corruptions-fixed", k->corruptions_fixed);
	json_put_size(o, "check-errors", k->check_errors);
	put_if(o, "leaks", k->leaks);
	put_if(o, "leaks-fixed", k->leaks_fixed);
	put_if(o, "allocated-clusters", k->allocated_clusters);
	json_put_string(o, "filename", name);
	json_put_string(o, "format", format);
	put_if(o, "fragmented-clusters", k->fragmented_clusters);
	return json_print(cli, o, 0);
}

/* Repaired: look again, and keep the counts of what was repaired. */
static int check_again(struct cli *cli, struct img *img, struct img_check *k,
		       struct err *e)
{
	struct img_check again = { .report = report };
	int rc;

	if (!cli->json)
		cli_say(cli, "The following inconsistencies were found and "
			"repaired:\n\n    %llu leaked clusters\n"
			"    %llu corruptions\n\n"
			"Double checking the fixed image now...\n",
			(unsigned long long)k->leaks_fixed,
			(unsigned long long)k->corruptions_fixed);
	rc = img_check(img, &again, e);
	again.leaks_fixed = k->leaks_fixed;
	again.corruptions_fixed = k->corruptions_fixed;
	*k = again;
	return rc;
}

/* Does the chain behind the image lead back to a file that is already in it?
 * Files that cannot be opened are no fault of this image's metadata; qemu-img
 * gives up on them, though, and so does its face (-1, with a message).
 */
static int chain_loops(struct cli *cli, const struct check_args *a)
{
	struct image im = a->image;
	struct img *img = NULL;
	struct err e = { "" };
	int rc;

	im.flags &= ~(IMG_WRITE | IMG_NO_DATA);
	im.flags |= IMG_SHARE;
	rc = image_try_open(cli, &im, &img, &e);
	img_close(img, NULL);
	if (rc == -ELOOP)
		fprintf(stderr, "ERROR %s\n", e.text);
	if (rc && rc != -ELOOP && cli->dropin) {
		image_open_error(cli, a->image.name, &e);
		return -1;
	}
	return rc == -ELOOP;
}

static int check_image(struct cli *cli, const struct check_args *a,
		       struct img *img, int loops)
{
	struct img_check k = {
		.fix_leaks = a->fix_leaks, .fix_errors = a->fix_errors,
		.report = report,
	};
	char *name = image_shown_name(&a->image);
	struct err e = { "" };
	int rc, status;

	rc = img_check(img, &k, &e);
	if (!rc && (k.leaks_fixed || k.corruptions_fixed))
		rc = check_again(cli, img, &k, &e);
	if (!rc && loops)
		k.corruptions++;
	status = CLI_FAILED;
	if (rc == -ENOTSUP) {
		cli_error(cli, "%s", e.text);
		status = CHECK_UNSUPPORTED;
	} else if (rc) {
		cli_error(cli, "Check failed: %s", *e.text ? e.text
							   : strerror(-rc));
	} else {
		status = cli->json ? print_json(cli, &k, name ? name : "",
						img_format(img))
				   : print_human(cli, &k);
		if (k.check_errors) {
			cli_error(cli, "Check failed");
			status = CLI_FAILED;
		} else if (!status && k.corruptions) {
			status = CHECK_CORRUPT;
		} else if (!status && k.leaks) {
			status = CHECK_LEAKS;
		}
	}
	free(name);
	return status;
}

/* The status of the check, or of violations where all else is well. */
static int check_profile(struct cli *cli, const struct check_args *a,
			 struct img *img, int status)
{
	struct err e = { "" };
	int n = profile_check(a->profile, img, a->image.name, &e);

	if (n < 0) {
		cli_error(cli, "%s: %s", a->image.name, e.text);
		return CLI_FAILED;
	}
	/* Nothing to check but the profile: then that is the check. */
	if (status == CHECK_UNSUPPORTED)
		status = 0;
	return !status && n ? CHECK_CORRUPT : status;
}

static int check_run(struct cli *cli, int argc, char **argv)
{
	struct check_args a = {
		.image.flags = IMG_NO_DATA | IMG_REPAIR,
	};
	struct err e = { "" };
	struct img *img;
	int loops;
	int rc;

	rc = parse(cli, &a, argc, argv);
	if (rc != CLI_DONE)
		return rc;
	cli_resolver_init(cli);
	if (image_open(cli, &a.image, &img))
		return CLI_FAILED;
	loops = chain_loops(cli, &a);
	rc = loops < 0 ? CLI_FAILED : check_image(cli, &a, img, loops);
	if (a.profile && loops >= 0)
		rc = check_profile(cli, &a, img, rc);
	if (img_close(img, &e)) {
		cli_error(cli, "%s", e.text);
		rc = CLI_FAILED;
	}
	return rc;
}

const struct cli_command cmd_check = {
	.name = "check",
	.run = check_run,
	.synopsis = "check [--image-opts] [-q] [-f FMT] [--output=human|json] "
		    "[-r leaks|all] [-T CACHE] [--profile aws|esx|workstation] "
		    "[-U] FILE",
	.help =
"Check an image's metadata for errors and leaked clusters.\n\n"
"  -r, --repair=leaks     give leaked clusters back\n"
"  -r, --repair=all       repair errors as well; keep a copy of the image first\n"
"  --profile NAME         would this product take it: aws, esx or workstation?\n"
"                         says what does not fit, and how to mend it\n"
"  -f FMT                 the image's format; guessed if not given\n"
"  --output=human|json    json is for programs (keys as qemu-img's)\n"
"  -T CACHE               none, writeback, writethrough, directsync or unsafe\n"
"  -U, --force-share      the image may be in use by another process\n"
"  -q                     print findings and errors only\n"
"  --image-opts           FILE is an option string: driver=FMT,file.filename=F\n\n"
"Exit status: 0 no errors (or all repaired), 1 could not check, 2 errors found,\n"
"3 only leaked clusters found, 63 the format has nothing to check.\n\n"
"Examples:\n"
"  vimg check disk.qcow2\n"
"  vimg check --repair=leaks disk.qcow2\n",
};
