/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk.h - from a CPU's linear addresses to physical ones as a debugger sees
 * them: by the page tables in memory alone, without rights, TLBs or accessed
 * bits.  Intel SDM volume 3, 4.3 to 4.5.
 */
#ifndef VMM_WALK_H
#define VMM_WALK_H

#include "vmm/cpu.h"

struct vm;

/* False: there is no page.  *left: how many bytes from there on lie in the same
 * page, at least 1.  Any thread.
 */
bool walk(struct vm *vm, const struct cpu_state *s, uint64_t linear,
	  uint64_t *gpa, uint64_t *left);

#endif
