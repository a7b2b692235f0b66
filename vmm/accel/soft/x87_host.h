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
 * recorded in the image; the host's FPU state is as it was.
 */
uint64_t x87_host_run(struct x87_image *image, unsigned opcode, unsigned modrm,
		      void *mem, uint64_t rflags);

#endif
