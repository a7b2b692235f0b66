/* SPDX-License-Identifier: GPL-2.0-or-later */
/* disk.c - --disk FILE[,OPTION...] of vmm run: open the image. */
#include "tools/vmm/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/copy/overlay.h"
#include "tools/cli/image.h"
#include "tools/vmm/vmm.h"

#define SERIAL_MAX 20u	/* virtio 1.2, 5.2.6: VIRTIO_BLK_T_GET_ID */

/* The name is up to the first single comma; ",," is one of the name's. */
static const char *split_name(const char *text, char *name)
{
	for (; *text; text++) {
		if (*text == ',' && *++text != ',')
			break;
		*name++ = *text;
	}
	*name = 0;
	return text;
}

static int get_switch(struct cli *cli, const struct disk *d, const char *key,
		      bool *on)
{
	const char *value = options_get(&d->options, key);

	*on = value && !strcmp(value, "on");
	if (value && !*on && strcmp(value, "off"))
		return cli_bad(cli, "--disk %s: %s is '%s', must be on or off",
			       d->file, key, value);
	return CLI_DONE;
}

static int check_keys(struct cli *cli, const struct disk *d)
{
	static const char *const known[] = {
		"format", "member", "readonly", "overlay", "serial", "bus",
	};

	for (size_t i = 0; i < d->options.n; i++) {
		const char *key = d->options.kv[i].key;
		bool found = false;

		for (size_t k = 0; k < sizeof(known) / sizeof(char *); k++)
			found |= !strcmp(known[k], key);
		if (!found)
			return cli_bad(cli, "--disk %s: no option '%s'; they "
				       "are format=, member=, readonly, "
				       "overlay, serial= and bus= (a comma in "
				       "the file's name is written twice)",
				       d->file, key);
	}
	return CLI_DONE;
}

static int parse_options(struct cli *cli, struct disk *d)
{
	const char *bus = options_get(&d->options, "bus");
	int rc = check_keys(cli, d);

	if (rc == CLI_DONE)
		rc = get_switch(cli, d, "readonly", &d->how.readonly);
	if (rc == CLI_DONE)
		rc = get_switch(cli, d, "overlay", &d->overlay);
	d->how.scratch = d->overlay;
	if (rc != CLI_DONE)
		return rc;
	d->how.serial = options_get(&d->options, "serial");
	if (d->how.serial && strlen(d->how.serial) > SERIAL_MAX)
		return cli_bad(cli, "--disk %s: serial has %zu bytes, at most "
			       "%u are possible", d->file,
			       strlen(d->how.serial), SERIAL_MAX);
	if (bus && !strcmp(bus, "virtio-mmio"))
		d->how.bus = VM_BUS_MMIO;
	else if (bus && strcmp(bus, "virtio-pci"))
		return cli_bad(cli, "--disk %s: bus is '%s', must be virtio-pci "
			       "or virtio-mmio", d->file, bus);
	if (d->overlay && d->how.readonly)
		return cli_bad(cli, "--disk %s: readonly and overlay exclude "
			       "each other", d->file);
	return CLI_DONE;
}

int disk_parse(struct cli *cli, const char *text, struct disk *d)
{
	struct err e = { "" };
	const char *rest;

	d->file = malloc(strlen(text) + 1);
	if (!d->file) {
		cli_error(cli, "out of memory");
		return VMM_ERROR;
	}
	rest = split_name(text, d->file);
	if (!*d->file)
		return cli_bad(cli, "--disk needs a file's name first");
	if (*rest && options_parse(&d->options, rest, &e))
		return cli_bad(cli, "--disk %s: %s", d->file, e.text);
	return parse_options(cli, d);
}

int disk_open(struct cli *cli, struct disk *d, struct img **out)
{
	struct image im = {
		.name = d->file,
		.format = options_get(&d->options, "format"),
		.flags = d->overlay || d->how.readonly ? 0 : IMG_WRITE,
	};
	struct err e = { "" };
	struct img *img;

	cli->disk = options_get(&d->options, "member");
	if (image_open(cli, &im, &img))
		return VMM_ERROR;
	if (im.flags & IMG_WRITE)
		image_warn_guess(&im, img);
	snprintf(d->format, sizeof(d->format), "%s", img_format(img));
	if (d->overlay && overlay_open(img, &img, &e)) {
		cli_error(cli, "cannot make an overlay of '%s': %s", d->file,
			  e.text);
		return VMM_ERROR;
	}
	*out = img;
	return CLI_DONE;
}

void disk_fini(struct disk *d)
{
	options_fini(&d->options);
	free(d->file);
}
