/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_screen.c - where vmm control puts what the screen shows. */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmm/control.h"
#include "tools/vmm/output.h"
#include "tools/vmm/vmm.h"

static int write_file(const char *path, const void *data, size_t len,
		      struct err *e)
{
	struct output o;
	int rc = output_open(&o, path, e), closed;

	if (rc)
		return rc;
	rc = output_write(&o, data, len, e);
	closed = output_close(&o, !rc, e);
	return rc ? rc : closed;
}

static int write_png(const char *path, const char *base64, struct err *e)
{
	size_t len = strlen(base64), pad = 0;
	unsigned char *png = malloc(len / 4 * 3 + 4);
	int n, rc;

	if (!png)
		return fail(e, ENOMEM, "out of memory");
	while (pad < 2 && pad < len && base64[len - 1 - pad] == '=')
		pad++;
	n = len <= INT32_MAX ? EVP_DecodeBlock(png,
					       (const unsigned char *)base64,
					       (int)len) : -1;
	if (n < (int)pad)
		rc = fail(e, EPROTO, "the machine's answer is no picture");
	else
		rc = write_file(path, png, (size_t)n - pad, e);
	free(png);
	return rc;
}

int control_put_screen(const json_t *result, const char *path, struct err *e)
{
	const char *png = json_string_value(json_object_get(result, "png"));
	const char *text = json_string_value(json_object_get(result, "text"));

	if (path && png)
		return write_png(path, png, e);
	if (!text)
		return fail(e, EPROTO, "the machine's answer is no screen");
	if (path)
		return write_file(path, text, strlen(text), e);
	fputs(text, stdout);
	return 0;
}
