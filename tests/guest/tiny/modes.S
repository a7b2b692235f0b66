/* SPDX-License-Identifier: GPL-2.0-or-later */
/* modes.S - the ways between the modes of the CPU. */
	.set REAL, 0x8000

	.text
	.code32
	.globl run_real
run_real:
	pushal
	movl %esp, saved_esp
	lidt real_idt
	ljmp $0x18, $REAL + (pm16 - real_start)
back32:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl saved_esp, %esp
	lidt idt_pointer
	popal
	ret

	.code16
	.globl real_start, real_end, real_result
real_start:
pm16:	movw $0x20, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmp $0, $REAL + (real - real_start)
real:	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw $0x7ff0, %sp
	movw $REAL + (handler - real_start), 0x40 * 4
	movw %ax, 0x40 * 4 + 2
	/* Segments count 16 bytes. */
	movw $REAL >> 4, %ax
	movw %ax, %es
	movw $0, %dx
	int $0x40
	movw %dx, %es:(real_result - real_start + 2)
	movw $0x7ddf, %ax
	addw $0x4110, %ax
	movw %ax, %es:(real_result - real_start)
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $0x08, $back32
handler:
	movw $0x4242, %dx
	iret
	.balign 4
real_result:
	.long 0
real_end:

	.code32
	.globl run_long
run_long:
	pushal
	movl 36(%esp), %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x100, %eax
	wrmsr
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	ljmp $0x28, $long64
	.code64
long64:	movabsq $0x89ab4567cdef0123, %rax
	leaq (%rax, %rax, 2), %rax
	movl $long_result, %edi
	movq %rax, (%rdi)
	movl $0x15151515, %r15d
	movl %r15d, 8(%rdi)
	movl word64(%rip), %eax
	movl %eax, 12(%rdi)
	ljmp *compat(%rip)
	.balign 4
compat:	.long compat32
	.word 8
	/* Here, for a distance to .data cannot be had in a 32-bit object. */
word64:	.long 0x64646464
	.code32
compat32:
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl $0xc0000080, %ecx
	rdmsr
	andl $~0x100, %eax
	wrmsr
	movl %cr4, %eax
	andl $~0x20, %eax
	movl %eax, %cr4
	popal
	ret

	.data
	.globl long_result
	.balign 8
long_result:
	.long 0, 0, 0, 0
real_idt:
	.word 0x3ff
	.long 0
saved_esp:
	.long 0
	.section .note.GNU-stack, "", @progbits
