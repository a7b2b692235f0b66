/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.S - uint32_t attempt(uint64_t lin, uint32_t how): read, write or fetch
 * at an address, in ring 0 or 3; the page fault's error code, or ATTEMPT_OK.
 */
	.set WRITE, 1
	.set FETCH, 2
	.set USER, 4

	.text
	.globl attempt, attempt_fault, attempt_user_end
attempt:
	pushq %rbx
	movq %rsp, back(%rip)
	movq %rsp, tss + 4(%rip)
	testl $USER, %esi
	jz do_it
	pushq $0x33
	pushq %rsp
	pushq $2
	pushq $0x3b
	leaq do_it(%rip), %rax
	pushq %rax
	iretq
do_it:	testl $WRITE, %esi
	jnz 1f
	testl $FETCH, %esi
	jnz 2f
	movl (%rdi), %eax
	jmp 3f
1:	movb $0xc3, (%rdi)
	jmp 3f
2:	leaq user_stack(%rip), %rsp
	call *%rdi
3:	testl $USER, %esi
	jz attempt_user_end
	int $0x81
attempt_user_end:
	movl $0x100, %eax
1:	movq back(%rip), %rsp
	popq %rbx
	ret
attempt_fault:
	popq %rax
	jmp 1b

	.bss
	.balign 16
back:	.skip 8
	.balign 16
	.skip 256
user_stack:
	.section .note.GNU-stack, "", @progbits
