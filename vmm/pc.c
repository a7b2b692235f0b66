/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pc.c - which chips a PC has and how they are wired (design.md, The machine;
 * facts/vmm.md 2), and what is in its memory when it starts.
 */
#include "vmm/vm.h"

int pc_init(struct vm *vm, struct err *e)
{
	(void)vm;
	(void)e;
	return 0;
}

int pc_load(struct vm *vm, struct err *e)
{
	(void)vm;
	(void)e;
	return 0;
}
