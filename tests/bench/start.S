/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.S - a guest whose first instructions say "!" at the serial port; then it
 * waits for an interrupt, of which there is none.
 */
	.section .boot, "a"
	.balign 4
	.long 0x1badb002
	.long 0
	.long -0x1badb002

	.text
	.code32
	.globl _start
_start:
	movw $0x3f8, %dx
	movb $'!', %al
	outb %al, %dx
1:	sti
	hlt
	jmp 1b
