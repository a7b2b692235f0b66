/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c - put values into JSON objects. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	size_t len = strlen(text), n = 0;
	char *copy;

	if (value)
		return value;
	copy = malloc(3 * len + 1);	/* U+FFFD is three bytes */
	if (!copy)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] < 0x80)
			copy[n++] = text[i];
		else
			n += (size_t)sprintf(copy + n, "\xef\xbf\xbd");
	}
	copy[n] = 0;
	value = json_string(copy);
	free(copy);
	return value;
}

void json_put_size(json_t *object, const char *key, uint64_t n)
{
	json_object_set_new(object, key, json_integer((json_int_t)n));
}

void json_put_string(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_text(text));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}
