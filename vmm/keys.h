/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keys.h - keys of a PC's keyboard, by name or as text of a US layout, as scan
 * codes of set 2 (IBM "101/102-key keyboard").
 */
#ifndef VMM_KEYS_H
#define VMM_KEYS_H

#include "imgfmt/base/base.h"

struct vm;

#define KEYS_MAX_COMBO	8u	/* keys held at once */
#define KEYS_COMBO_LEN	(KEYS_MAX_COMBO * 5)	/* bytes */

/* "a", "ret" or "ctrl-alt-delete": pressed in this order, then let go.  The bytes
 * and their number in *n.  -EINVAL: a name that is not known, which the sentence
 * tells, or more than KEYS_MAX_COMBO.
 */
int keys_combo(const char *combo, uint8_t out[KEYS_COMBO_LEN], size_t *n,
	       struct err *e);

/* One character: printable ASCII, tab, backspace, escape or newline. */
int keys_char(char c, uint8_t out[KEYS_COMBO_LEN], size_t *n, struct err *e);

/* Let somebody type on the machine's keyboard, 50 keys a second of the guest's
 * time at most.  Either `combos`, n of them, or `text`.  Any thread without the
 * machine lock.  Nothing is typed on an error: -EINVAL as above, -ENODEV: no
 * keyboard, -ENOSPC: what was typed before waits for the guest to take it.
 */
int vm_type_keys(struct vm *vm, const char *const *combos, size_t n,
		 struct err *e);
int vm_type_text(struct vm *vm, const char *text, struct err *e);

#endif
