/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x87_host.h - one x87 instruction of the guest, executed by the host's FPU on the
 * guest's whole register stack, so that results, rounding, stack faults and masked
 * responses are hardware's own.
 */
#ifndef SOFT_X87_HOST_H
#define SOFT_X87_HOST_H

#include <stdint.h>

/* FNSAVE's 32-bit protected format: SDM volume 1, figure 8-9. */
struct x87_image {
	uint32_t cw, sw, tw, ip, cs_op, dp, ds;
	uint8_t st[8][10];		/* ST(0) first */
};

/* Run opcode D8h + `opcode` (0 to 7) with this ModRM byte; below C0h its operand
 * is at `mem` (mod and r/m do not matter).  No exception may wait in the image: a
 * flag that is not masked.  `rflags` are the status flags before; those after are
 * returned.  An exception that the instruction raises does not trap, but is
 * recorded in the image; the host's FPU state is as it was, but for its condition codes
 * and those exception flags that it masks.
 */
uint64_t x87_host_run(struct x87_image *image, unsigned opcode, unsigned modrm,
		      void *mem, uint64_t rflags);

/* The registers of an instruction that has but ST(0) and perhaps another one, none
 * of them empty, and whose exceptions are all masked.
 */
struct x87_few {
	uint8_t st[2][16];	/* 10 bytes each; [1] is the other one, if any */
	uint16_t cw;
	uint16_t sw;		/* the guest's; out: flags raised, at most those that
				 * were set besides, and condition codes */
	uint64_t rflags;	/* out */
};

/* The same as x87_host_run(), several times faster.  `n` registers are loaded, 0 to
 * 2; ModRM calls the other one ST(1).  Gives how many there are afterwards, ST(0)
 * first in `st`.  What is said of the host's state above holds.
 */
int x87_host_few(struct x87_few *f, unsigned n, unsigned opcode,
		 unsigned modrm, void *mem);

#endif
