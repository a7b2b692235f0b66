/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seg.c - segment registers, far transfers, interrupts by instruction, flags, ports. Intel SDM volumes 2 and 3.
 *
 * Not there yet: they raise #UD.
 */
#include "soft.h"

op_fn *seg_pick(const struct insn *insn)
{
	(void)insn;
	return NULL;
}
