/* SPDX-License-Identifier: GPL-2.0-or-later */
/* real.S - a guest that is in real mode from its third instruction on, and starts
 * below 64 KiB: what protected mode has not.  Each letter that it says is a check
 * that went well.
 */
	.section .boot, "a"
	.balign 4
	.long 0x1badb002, 0, -0x1badb002

	.text
	.code32
	.globl _start
_start:	lgdt pointer
	ljmp $8, $1f
	.code16
1:	movw $16, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl %cr0, %eax
	btcl $0, %eax
	movl %eax, %cr0
	ljmp $0, $2f
2:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $stack_top, %esp
	movw $text, %si
	movw $0x3f8, %dx
3:	lodsb
	testb %al, %al
	jz 4f
	outb %al, %dx
	jmp 3b
4:
	mov $0xaced, %ebx
	mov %ebx, %dr0
	.byte 0x0f, 0x21, 0x00
	cmp $0xaced, %eax
	call is
	mov %cr0, %ebx
	mov %ebx, %ecx
	or $0x40000000, %ebx
	mov %ebx, %cr0
	smswl %eax
	mov %ecx, %cr0
	cmp %eax, %ebx
	call is
	mov $0x12345678, %eax
	clc
	.byte 0xd6
	cmp $0x12345600, %eax
	call is
	stc
	.byte 0xd6
	cmp $0x123456ff, %eax
	call is
	mov $0x12345678, %eax
	xadd %eax, %eax
	cmp $0x2468acf0, %eax
	call is
	mov $0x12345678, %eax
	aad
	cmp $0x123400d4, %eax
	call is
	mov $0x76543210, %eax
	aam
	cmp $0x76540106, %eax
	call is
	mov $0x10000, %ecx
	xor %eax, %eax
	.byte 0x67
	jcxz 3f
	inc %eax
3:	cmp $1, %eax
	call is
	mov $0x10000, %ecx
	mov $1, %eax
	jcxz 3f
	inc %eax
3:	cmp $1, %eax
	call is
	push %ss
	lss far, %eax
	mov %ss, %ebx
	pop %ss
	cmp $0x10, %ebx
	call is
	mov %ss, %ax
	mov $1, %cx
	mov $array, %ebp
	mov %cx, %ss
	movl (%ebp), %ebx
	mov %ax, %ss
	cmp $0x87654321, %ebx
	call is
	movw $handler, 0x80*4
	movw $0, 0x80*4+2
	xor %eax, %eax
	int $0x80
	cmp $0x77, %eax
	call is
	pushfl
	pushl $0
	pushl $4f
	iretl
4:	cmp $stack_top, %esp
	call is
	mov $0x11223344, %ebx
	pushal
	xor %ebx, %ebx
	popal
	cmp $0x11223344, %ebx
	call is
	lcallw $0, $far16
	cmp $0x55, %al
	call is
	lcalll $0, $far32
	cmp $0x56, %al
	call is
	mov %sp, %bx
	enterw $16, $0
	leavew
	cmp %sp, %bx
	call is
	mov $0xfd00, %eax
	sahf
	pushfw
	mov (%esp), %al
	popfw
	cmp $0xfdd7, %eax
	call is
	movb $'\n', %al
	movw $0x3f8, %dx
	outb %al, %dx
	xorl %eax, %eax
	movw $0xf4, %dx
	outl %eax, %dx
	hlt

/* The next letter, if ZF is set. */
is:	pushfw
	jnz 5f
	pushal
	movb letter, %al
	movw $0x3f8, %dx
	outb %al, %dx
	popal
5:	incb letter
	popfw
	ret
handler:
	movl $0x77, %eax
	iretw
far16:	movb $0x55, %al
	lretw
far32:	movb $0x56, %al
	lretl

	.data
text:	.asciz "real mode, at 16 KiB: "
letter:	.byte 'a'
	.balign 4
array:	.long 0x12345678, 0, 0, 0, 0x87654321
far:	.long 0x1234
	.word 0x10
gdt:	.quad 0, 0x9b000000ffff, 0x93000000ffff
pointer:
	.word 23
	.long gdt

	.bss
	.balign 16
	.skip 4096
stack_top:
	.section .note.GNU-stack, "", @progbits
