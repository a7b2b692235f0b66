/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sys.c - system instructions. Intel SDM volumes 2 and 3.
 *
 * Not there yet: they raise #UD.
 */
#include "soft.h"

op_fn *sys_pick(const struct insn *insn)
{
	(void)insn;
	return NULL;
}
