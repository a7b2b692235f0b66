/* SPDX-License-Identifier: GPL-2.0-or-later */
/* int.c - which file executes which integer instruction. */
#include "lower.h"

op_fn *int_pick(const struct insn *in)
{
	static op_fn *(*const picks[])(const struct insn *in) = {
		alu_pick, branch_pick, shift_pick, mul_pick, bit_pick,
	};

	for (unsigned i = 0; i < sizeof(picks) / sizeof(picks[0]); i++) {
		op_fn *fn = picks[i](in);

		if (fn)
			return fn;
	}
	return NULL;
}
