/* SPDX-License-Identifier: GPL-2.0-or-later */
/* debug.S - code to be stepped through.  Each NAME is a function that sets TF and
 * clears it; NAME_at is how many #DB come, and where.
 */
	.macro begin name
	.globl \name, \name\()_at
\name:	movl %ss, %eax
	pushfq
	pushfq
	orl $0x100, (%rsp)
	.endm
	.macro end name, places:vararg
91:	popfq
92:	ret
	.balign 8
\name\()_at:
	.quad (93f - \name\()_at) / 8 - 1
	.quad \places, 92b
93:
	.endm

	.text
	begin basic
	popfq
	nop
1:	nop
2:	end basic, 1b, 91b

	begin slow
	popfq
	xorl %eax, %eax
1:	pushq %rbx
2:	cpuid
3:	popq %rbx
4:	movl $0x3fd, %edx
5:	inb %dx, %al
6:	end slow, 1b, 2b, 3b, 4b, 5b, 91b

	begin sti_shadow
	cli
	popfq
	sti
1:	nop
2:	nop
3:	end sti_shadow, 1b, 2b, 91b

	/* MOV SS and POP SS put it off, and a step is lost. */
	begin mov_ss
	popfq
	movl %eax, %ss
	nop
1:	nop
2:	end mov_ss, 1b, 91b

	begin mov_ss_int1
	popfq
	movl %eax, %ss
	.byte 0xf1
1:	.byte 0xf1
2:	nop
3:	end mov_ss_int1, 1b, 2b, 91b

	/* A fault of the instruction itself, before it; it runs afterwards. */
	begin general_detect
	xorl %ecx, %ecx
	popfq
	movl %eax, %ss
1:	movq %rcx, %dr6
2:	nop
3:	end general_detect, 1b, 2b, 91b

	/* The interrupt's handler runs unstepped. */
	begin interrupted
	popfq
	nop
1:	int $0x81
	nop
	end interrupted, 1b, 91b

	begin halted
	cli
	popfq
	sti
1:	hlt
2:	nop
3:	end halted, 1b, 2b, 91b

/* Breakpoints on data at DR1, met by MOV SS. */
	.globl ss_int1, ss_int1_end, ss_int_1, ss_int_1_end, ss_int3, ss_int3_end
ss_int1:
	movw scratch(%rip), %ss
	.byte 0xf1
ss_int1_end:
	ret
ss_int_1:
	movw scratch(%rip), %ss
	int $1
ss_int_1_end:
	ret
ss_int3:
	movw scratch(%rip), %ss
	int3
ss_int3_end:
	ret

	.globl on_nop, write_it, write_end, read_it, read_end, port_it, port_end
	.globl int1, int1_end, int3, int3_end
on_nop:	nop
	ret
write_it:
	movq %rax, scratch(%rip)
write_end:
	ret
read_it:
	movl scratch(%rip), %eax
read_end:
	ret
port_it:
	inb $0xe0, %al
port_end:
	ret
int1:	.byte 0xf1
int1_end:
	ret
int3:	int3
int3_end:
	ret

	.data
	.globl scratch
	.balign 16
	.quad 0, 0
scratch: .quad 0x10, 0
	.section .note.GNU-stack, "", @progbits
