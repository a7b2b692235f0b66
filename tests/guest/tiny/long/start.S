/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.S - how a 64-bit guest starts (multiboot 1), the entries of its
 * interrupts, its way into ring 3 and back, and how its other CPUs start.
 */
	.set STACK, 8192
	.set AP_BASE, 0x8000

	.section .boot, "a"
	.balign 4
	.long 0x1badb002
	.long 3
	.long -(0x1badb002 + 3)

	.text
	.code32
	.globl _start
_start:
	cld
	movl $stacks + STACK, %esp
	movl %ebx, boot_info
	lgdt gdt_pointer
	call enter_long
	ljmp $0x08, $1f
	.code64
1:	call load_segments
	call long_main
2:	cli
	hlt
	jmp 2b

	.code32
enter_long:
	movl %cr4, %eax
	orl $0x620, %eax		/* PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x901, %eax		/* SCE, LME, NXE */
	wrmsr
	movl $0x80010033, %eax		/* PG, WP, NE, ET, MP, PE */
	movl %eax, %cr0
	ret

	.code64
load_segments:
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	lidt idt_pointer
	ret

/* Copied to AP_BASE, where the other CPUs start. */
	.code16
	.globl ap_start, ap_end
ap_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl AP_BASE + (ap_pointer - ap_start)
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $0x18, $ap32
	.balign 4
ap_pointer:
	.word gdt_end - gdt - 1
	.long gdt
ap_end:
	.code32
ap32:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl $STACK, %eax
	lock xaddl %eax, next_stack
	leal stacks + STACK(%eax), %esp
	call enter_long
	ljmp $0x08, $1f
	.code64
1:	call load_segments
	.weak ap_main
	call ap_main
	ud2

/* One entry for each vector, 16 bytes apart. */
	.globl entries
	.balign 16
entries:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector == 8 || vector == 17 || (vector >= 10 && vector <= 14)
	.else
	pushq $0
	.endif
	pushq $vector
	jmp common
	.set vector, vector + 1
	.endr

common:
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	cld
	movq %rsp, %rdi
	call interrupt
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	.globl last_iret
last_iret:
	iretq

/* uint64_t user_run(uint64_t (*fn)(uint64_t), uint64_t arg, uint64_t rflags):
 * call fn in ring 3.  What it returns, or 0 where an exception ended it.
 */
	.globl user_run, user_left
user_run:
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushfq
	movq %rsp, user_back(%rip)
	movq %rsp, tss + 4(%rip)
	movq %rdi, %rax
	movq %rsi, %rdi
	leaq user_stack_top - 8(%rip), %rcx
	leaq user_returns(%rip), %rsi
	movq %rsi, (%rcx)
	pushq $0x33
	pushq %rcx
	pushq %rdx
	pushq $0x3b
	pushq %rax
	iretq
user_returns:
	int $0x80

/* Gate 0x80, and where the exceptions of ring 3 are sent. */
	.globl user_exit
user_exit:
	movq user_back(%rip), %rsp
	movl $0x10, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %ss
	popfq
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	ret

	.data
	.globl gdt, gdt_pointer, tss
	.balign 8
gdt:	.quad 0
	.quad 0x00af9b000000ffff	/* 08 code, 64 bits */
	.quad 0x00cf93000000ffff	/* 10 data */
	.quad 0x00cf9b000000ffff	/* 18 code, 32 bits */
	.quad 0x00af1b000000ffff	/* 20 code, not present */
	.quad 0x00cffb000000ffff	/* 2b code of ring 3, 32 bits */
	.quad 0x00cff3000000ffff	/* 33 data of ring 3 */
	.quad 0x00affb000000ffff	/* 3b code of ring 3, 64 bits */
	.quad 0			/* 40 TSS: filled in later */
	.quad 0
	.quad 0			/* 50 for tests */
	.quad 0
	.quad 0			/* 60 for tests */
	.quad 0
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.quad gdt
idt_pointer:
	.word 256 * 16 - 1
	.quad idt
	.globl boot_info, user_back
boot_info:
	.long 0
next_stack:
	.long STACK
	.balign 8
user_back:
	.quad 0
	.balign 16
tss:	.skip 104

/* 4 GiB as they are, in pages of 2 MiB that ring 3 may use. */
	.globl pml4
	.balign 4096
pml4:	.quad pdpt + 7
	.fill 511, 8, 0
pdpt:	.quad pd + 0x0007
	.quad pd + 0x1007
	.quad pd + 0x2007
	.quad pd + 0x3007
	.fill 508, 8, 0
	.globl pd
pd:	.set page, 0
	.rept 2048
	.quad page * 0x200000 + 0xe7
	.set page, page + 1
	.endr

	.bss
	.balign 16
	.skip 8192
user_stack_top:
stacks:	.skip STACK * 16
	.section .note.GNU-stack, "", @progbits
