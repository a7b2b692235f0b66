/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tasks.S - what the tasks of tasks.c run: each writes down the state that it was
 * given, then does what `task_does` says, and goes back by IRET if it is still there.
 */
	.set MAIN, 0x30

	.text
	.globl task_entry, task_again
task_entry:
	movl %eax, seen
	movl %ecx, seen + 4
	movl %edx, seen + 8
	movl %ebx, seen + 12
	movl %esp, seen + 16
	movl %ebp, seen + 20
	movl %esi, seen + 24
	movl %edi, seen + 28
	pushfl
	popl %eax
	movl %eax, seen + 32
	xorl %eax, %eax
	movw %ds, %ax
	movl %eax, seen + 36
	movw %fs, %ax
	movl %eax, seen + 40
	str %ax
	movl %eax, seen + 44
	sldt %ax
	movl %eax, seen + 48
	movl %cr0, %eax
	movl %eax, seen + 52
	movl (%esp), %eax
	movl %eax, seen + 56
	clts
	cmpl $0, task_does
	je 1f
	call *task_does
1:	iretl
task_again:
	jmp task_entry

/* A task of a 16-bit TSS has 16 bits of ESP: it cannot run C. */
	.globl task16_entry
task16_entry:
	movl %eax, seen
	movl %ecx, seen + 4
	movl %esp, seen + 16
	movl %edi, seen + 28
	pushfl
	popl %eax
	movl %eax, seen + 32
	str %ax
	movl %eax, seen + 44
	movl %cr0, %eax
	movl %eax, seen + 52
	clts
	movl $0x5555aaaa, %eax
	cmpl $0, task16_jumps
	jne 2f
	iretl
	jmp task16_entry
2:	ljmp $MAIN, $0
	jmp task16_entry

/* Faults: what was pushed; back to where `resume` says, in the task that it was,
 * or in the first one behind its switch.
 */
	.globl fault_ts, fault_np, fault_ss, fault_gp, fault_db
fault_db:
	pushl $0
	movl $1, %ss:fault_vector
	jmp fault_common
fault_ts:
	movl $10, %ss:fault_vector
	jmp fault_common
fault_np:
	movl $11, %ss:fault_vector
	jmp fault_common
fault_ss:
	movl $12, %ss:fault_vector
	jmp fault_common
fault_gp:
	movl $13, %ss:fault_vector
fault_common:
	popl %ss:fault_error
	popl %ss:fault_eip
	addl $8, %esp
	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	xorl %eax, %eax
	str %ax
	movl %eax, fault_tr
	cmpl $MAIN, %eax
	jne 1f
	movl resume_esp, %esp
	jmp *resume
1:	pushfl
	andl $0xffffbfff, (%esp)		/* no NT: it is not to come back */
	popfl
	andb $0xfd, table + MAIN + 5
	ljmp $MAIN, $0
	ud2

/* uint32_t leave(void (*how)(void)): call it; 0, or the vector of the fault. */
	.globl leave
leave:
	pushl %ebx
	pushl %esi
	pushl %edi
	pushl %ebp
	movl 20(%esp), %eax
	movl $0, %ss:fault_vector
	movl %esp, resume_esp
	movl $1f, resume
	call *%eax
1:	cli
	cld
	movl fault_vector, %eax
	popl %ebp
	popl %edi
	popl %esi
	popl %ebx
	ret

/* Ways out of a task, and where they end. */
	.macro WAY name, insn:vararg
	.globl \name, \name\()_end
\name:	\insn
\name\()_end:
	ret
	.endm
	WAY jmp_main, ljmp $MAIN, $0
	WAY jmp_a, ljmp $0x38, $0
	WAY jmp_b, ljmp $0x40, $0
	WAY call_a, lcall $0x38, $0
	WAY call_b, lcall $0x40, $0
	WAY call_gate, lcall $0x48, $0
	WAY jmp_gate, ljmp $0x48, $0
	WAY call_scratch, lcall $0x58, $0
	WAY jmp_scratch, ljmp $0x58, $0
	WAY call_ldt, lcall $0x14, $0
	WAY int_gate, int $0x90
	.globl bad_load, bad_load_end, nested_iret, nested_iret_end
bad_load:
	movl $0x1230, %eax
1:	movl %eax, %ds
bad_load_end:
	ret
nested_iret:
	pushfl
	orl $0x4000, (%esp)
	popfl
1:	iretl
nested_iret_end:
	pushfl
	andl $0xffffbfff, (%esp)
	popfl
	ret
	.section .note.GNU-stack, "", @progbits
