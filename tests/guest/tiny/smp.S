/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smp.S - where the other CPUs start, copied to 0x8000: 16-bit code, which goes
 * to protected mode with a stack of its own.
 */
	.set BASE, 0x8000
	.text
	.code16
	.globl ap_start, ap_end
ap_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl BASE + (pointer - ap_start)
	movl %cr0, %eax
	andl $0x9fffffff, %eax		/* caches on */
	orb $1, %al
	movl %eax, %cr0
	ljmpl $0x08, $ap32
	.balign 4
pointer:
	.word 6 * 8 - 1
	.long gdt
ap_end:
	.code32
ap32:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movl $4096, %eax
	lock xaddl %eax, next_stack
	leal stacks + 4096(%eax), %esp
	lidt idt_pointer
	call ap_main
	ud2

	.data
	.balign 4
next_stack:
	.long 0
	.bss
	.balign 16
stacks:	.skip 4096 * 64
	.section .note.GNU-stack, "", @progbits
