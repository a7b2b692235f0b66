/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iret.S - every kind of IRET out of ring 0, and the ways back. */
	.set USER_CODE, 0x33
	.set USER_DATA, 0x3b
	.set VM86, 0x8000

	.text
/* uint32_t iret_flags(uint32_t flags): to the next instruction. */
	.globl iret_flags
iret_flags:
	movl 4(%esp), %eax
	pushfl
	pushl %eax
	pushl %cs
	pushl $1f
	iret
1:	pushfl
	popl %eax
	popfl
	ret

/* uint32_t iret_selector(uint32_t cs): the error code of the #GP, #NP that comes,
 * or -1.
 */
	.globl iret_selector, fault_entry
iret_selector:
	movl 4(%esp), %eax
	pushal
	movl %esp, back
	pushfl
	pushl %eax
	pushl $1f
	iret
1:	movl $-1, result
	jmp home
fault_entry:
	popl result
home:	movl back, %esp
	popal
	movl result, %eax
	ret

/* Ring 3 and back by a gate; `frame` is what the gate pushed. */
	.globl iret_user, user_entry
iret_user:
	pushal
	movl %esp, back
	movl %esp, tss + 4
	pushl $USER_DATA
	pushl $user_stack
	pushfl
	pushl $USER_CODE
	pushl $1f
	iret
1:	movl $USER_DATA, %eax
	/* A segment of ring 0 does not come along. */
	movl %ds, %ebx
	movl %eax, %ds
	movl %ebx, user_ds
	pushl $0x33333333
	int $0x80

/* From ring 3 or from virtual-8086 mode. */
user_entry:
	movl $0x10, %eax
	movl %ds, %ecx
	movl %eax, %ds
	movl %eax, %es
	movl %ecx, entry_ds
	movl %ebx, entry_ebx
	movl %esp, %esi
	movl $frame, %edi
	movl $9, %ecx
	cld
	rep movsl
	movl back, %esp
	popal
	ret

	.globl iret_vm86, vm86_start, vm86_end
iret_vm86:
	pushal
	movl %esp, back
	movl %esp, tss + 4
	pushl $0x5555
	pushl $0x4444
	pushl $0x3333
	pushl $0x2222
	pushl $0x0700
	pushl $0x0ffc
	pushl $0x23002			/* VM, IOPL 3 */
	pushl $VM86 >> 4
	pushl $0
	iret
	.code16
vm86_start:
	movw %cs, %bx
	shll $16, %ebx
	movw %ds, %bx
	int $0x80
vm86_end:

/* Back to the task that the running one is nested in; uint32_t TR. */
	.code32
	.globl iret_task
iret_task:
	pushal
	movl %esp, back
	movl %esp, other_tss + 56
	movl $1f, other_tss + 32
	pushfl
	orl $0x4000, (%esp)
	popfl
	iret
	.globl task_after
task_after:
	ud2
1:	xorl %eax, %eax
	str %ax
	movl %eax, result
	jmp home

	.data
	.balign 4
	.globl tss, other_tss, frame, user_ds, entry_ds, entry_ebx
tss:	.skip 104
other_tss:
	.skip 104
frame:	.skip 36
user_ds: .long 0
entry_ds: .long 0
entry_ebx: .long 0
back:	.long 0
result:	.long 0
	.skip 256
user_stack:
	.section .note.GNU-stack, "", @progbits
