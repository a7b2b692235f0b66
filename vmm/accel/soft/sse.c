/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sse.c - MMX and SSE to SSE4.2, FXSAVE and its kin. Intel SDM volume 2.
 *
 * Not there yet: they raise #UD.
 */
#include "soft.h"

op_fn *sse_pick(const struct insn *insn)
{
	(void)insn;
	return NULL;
}
