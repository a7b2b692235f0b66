/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.S - how a guest starts (multiboot 1, PVH), and its interrupt entries. */

	.section .boot, "a"
#ifndef NO_MULTIBOOT
	.balign 4
	.long 0x1badb002
	.long 3
	.long -(0x1badb002 + 3)
#endif

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, 18
	.asciz "Xen"
	.long pvh_start

	.text
	.code32
	.globl _start
_start:
	movl $stack_top, %esp
	pushl %ebx
	pushl %eax
	jmp enter
pvh_start:
	movl $stack_top, %esp
	pushl %ebx
	pushl $0x336ec578
enter:
	cld
	lgdt gdt_pointer
	ljmp $0x08, $1f
1:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	lidt idt_pointer
	call tiny_main
2:	cli
	hlt
	jmp 2b

/* One entry for each vector, 16 bytes apart. */
	.globl entries
	.balign 16
entries:
	.set vector, 0
	.rept 256
	.balign 16
	/* These exceptions push an error code themselves: it goes. */
	.if vector == 8 || vector == 17 || (vector >= 10 && vector <= 14)
	movl $vector, (%esp)
	.else
	pushl $vector
	.endif
	jmp common
	.set vector, vector + 1
	.endr

common:
	pushal
	cld
	pushl 32(%esp)
	call interrupt
	addl $4, %esp
	popal
	addl $4, %esp
	iretl

	.data
	.globl gdt, gdt_pointer, idt_pointer
	.balign 8
gdt:	.quad 0
	.quad 0x00cf9b000000ffff	/* 08 code, 32 bits */
	.quad 0x00cf93000000ffff	/* 10 data */
	.quad 0x00009b000000ffff	/* 18 code, 16 bits */
	.quad 0x000093000000ffff	/* 20 data, 64 KiB */
	.quad 0x00af9b000000ffff	/* 28 code, 64 bits */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
idt_pointer:
	.word 256 * 8 - 1
	.long idt

	.bss
	.balign 16
	.skip 16384
stack_top:
	.section .note.GNU-stack, "", @progbits
