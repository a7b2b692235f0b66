/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pic.h - the pair of 8259A interrupt controllers of a PC (Intel 8259A data
 * sheet; ports 0x20, 0x21, 0xa0, 0xa1 and the edge/level registers 0x4d0 and
 * 0x4d1).
 *
 * All calls but pic_new() hold the interrupt lock.  vm->accel->ext_int() is told
 * when the pair's output changes.
 */
#ifndef CHIP_PIC_H
#define CHIP_PIC_H

#include "vmm/device.h"

struct pic;

int pic_new(struct vm *vm, struct pic **out, struct err *e);
void pic_set(struct pic *pic, unsigned line, bool level);	/* 0 to 15 */
int pic_ack(struct pic *pic);		/* vector, or negative: none */
bool pic_pending(const struct pic *pic);

#endif
