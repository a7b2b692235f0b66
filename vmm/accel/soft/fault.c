/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.c - exceptions and interrupts. Intel SDM volume 3, chapter 6.
 *
 * Not there yet: anything is a triple fault.
 */
#include "soft.h"

bool fault_deliver(struct cpu *cpu)
{
	(void)cpu;
	return false;
}

bool fault_interrupt(struct cpu *cpu, uint8_t vector)
{
	(void)cpu;
	(void)vector;
	return false;
}
