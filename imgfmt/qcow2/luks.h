/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* luks.h - describe the encryption of an image. */
#ifndef QCOW2_LUKS_H
#define QCOW2_LUKS_H

#include <jansson.h>

#include "state.h"

/* Add to `o` what the LUKS header says, in qemu's words; nothing if it makes no
 * sense.
 */
void qcow2_luks_info(const struct qcow2 *s, json_t *o);

#endif
