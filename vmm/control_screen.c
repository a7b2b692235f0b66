/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control_screen.c - the control socket's screendump and sendkeys.  See control.h.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/control.h"
#include "vmm/keys.h"
#include "vmm/screen/screen.h"

#define MAX_COMBOS 256u		/* of a request */

static const char *mode_name(enum screen_mode mode)
{
	return mode == SCREEN_OFF ? "off" :
	       mode == SCREEN_TEXT ? "text" : "graphics";
}

static int dump_text(struct vm *vm, json_t *result, struct err *e)
{
	struct screen_text text;
	int rc = vm_screen_text(vm, &text, e);

	if (rc)
		return rc;
	json_put_string(result, "mode", mode_name(text.mode));
	json_put_bool(result, "blank", text.blank);
	json_put_size(result, "width", text.width);
	json_put_size(result, "height", text.height);
	json_put_size(result, "columns", text.columns);
	json_put_size(result, "rows", text.rows);
	if (text.cursor) {
		json_put_size(result, "cursor-column", text.cursor_column);
		json_put_size(result, "cursor-row", text.cursor_row);
	}
	json_put_string(result, "text", text.text);
	screen_text_free(&text);
	return 0;
}

/* As base64 (RFC 4648). */
static int put_bytes(json_t *result, const char *key, const void *data,
		     size_t len)
{
	unsigned char *text = malloc((len + 2) / 3 * 4 + 1);

	if (!text)
		return -ENOMEM;
	EVP_EncodeBlock(text, data, (int)len);
	json_put_string(result, key, (const char *)text);
	free(text);
	return 0;
}

static int dump_png(struct vm *vm, json_t *result, struct err *e)
{
	struct screen_image image;
	void *png = NULL;
	size_t len = 0;
	int rc = vm_screen_image(vm, &image, e);

	if (rc)
		return rc;
	rc = screen_png(&image, &png, &len, e);
	free(image.rgb);
	if (rc)
		return rc;
	json_put_size(result, "width", image.width);
	json_put_size(result, "height", image.height);
	rc = put_bytes(result, "png", png, len);
	free(png);
	return rc ? fail_rc(e, rc, "the screen's PNG") : 0;
}

int control_screendump(struct vm *vm, const json_t *args, json_t *result,
		       struct err *e)
{
	const json_t *format = json_object_get(args, "format");
	const char *name = format ? json_string_value(format) : "text";

	if (name && !strcmp(name, "text"))
		return dump_text(vm, result, e);
	if (name && !strcmp(name, "png"))
		return dump_png(vm, result, e);
	return fail(e, EINVAL, "\"format\" must be \"text\" or \"png\"");
}

static int type_keys(struct vm *vm, const json_t *keys, struct err *e)
{
	const char *combos[MAX_COMBOS];
	size_t n = json_array_size(keys), i;
	json_t *key;

	if (!json_is_array(keys) || n > MAX_COMBOS)
		return fail(e, EINVAL, "\"keys\" must be an array of at most "
			    "%u strings", MAX_COMBOS);
	json_array_foreach((json_t *)keys, i, key) {
		combos[i] = json_string_value(key);
		if (!combos[i])
			return fail(e, EINVAL, "\"keys\": element %zu is not "
				    "a string", i);
	}
	return vm_type_keys(vm, combos, n, e);
}

int control_sendkeys(struct vm *vm, const json_t *args, struct err *e)
{
	const json_t *keys = json_object_get(args, "keys");
	const json_t *text = json_object_get(args, "text");

	if (!keys == !text)
		return fail(e, EINVAL, "sendkeys needs \"keys\" or \"text\"");
	if (keys)
		return type_keys(vm, keys, e);
	if (!json_is_string(text))
		return fail(e, EINVAL, "\"text\" must be a string");
	return vm_type_text(vm, json_string_value(text), e);
}
