/* SPDX-License-Identifier: GPL-2.0-or-later */
/* i8042.h - the keyboard controller at ports 0x60 and 0x64, with a keyboard on
 * ISA line 1 and nothing at its mouse port (line 12).
 */
#ifndef CHIP_I8042_H
#define CHIP_I8042_H

#include "vmm/device.h"

struct i8042;

/* `out` may be NULL. */
int i8042_new(struct vm *vm, struct i8042 **out, struct err *e);

/* Let the keyboard send bytes of scan code set 2, whole keys (0xf0 before the
 * code of one that is let go).  Returns how many it took: none when the guest
 * has switched the keyboard off, fewer than `n` when its buffer is full; try
 * again later.  Machine lock held.
 */
size_t kbd_send(struct i8042 *kbc, const uint8_t *codes, size_t n);

/* Let somebody type that: each key goes down, or up, 10 ms after the one before,
 * when the guest has taken that.  All or nothing: false if so much does not fit
 * behind what waits.  A reset forgets it.  Machine lock held.
 */
#define KBD_TYPE_MAX 4096u
bool kbd_type(struct i8042 *kbc, const uint8_t *codes, size_t n);

#endif
