/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.h - put values into JSON objects (jansson).  Out of memory: the member is
 * missing.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base.h"

/* Add a member; numbers beyond 2^63 do not occur. */
void json_put_size(json_t *object, const char *key, uint64_t n);
void json_put_string(json_t *object, const char *key, const char *text);
void json_put_bool(json_t *object, const char *key, bool value);

/* A name as JSON text: bytes that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *text);

#endif
