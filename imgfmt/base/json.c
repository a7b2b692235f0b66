/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c - put values into JSON objects. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

/* The bytes of the character at `text`; 0: it is none of UTF-8. */
static size_t character(const char *text)
{
	for (size_t n = 1; n <= 4 && text[n - 1]; n++) {
		json_t *one = json_stringn(text, n);

		json_decref(one);
		if (one)
			return n;
	}
	return 0;
}

json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	size_t n = 0, len;
	char *copy;

	if (value)
		return value;
	copy = malloc(3 * strlen(text) + 1);	/* U+FFFD is three bytes */
	if (!copy)
		return NULL;
	while (*text) {
		len = character(text);
		memcpy(copy + n, len ? text : "\xef\xbf\xbd", len ? len : 3);
		n += len ? len : 3;
		text += len ? len : 1;
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
