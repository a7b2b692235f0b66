/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mmio.S - instructions whose operand is at %rdi, 256 bytes of it; what they
 * leave in %rax, %rcx, %rdx, %rsi and %rdi counts too.
 */
	.macro each name, text
	.section .rodata
	.quad 1f, 2f
	.section .rodata.names, "a"
2:	.asciz "\name"
	.text
1:	\text
	ret
	.endm

	.section .rodata
	.globl each_one, each_end
	.balign 8
each_one:
	each "MOV 8", "movb (%rdi), %al; movb %al, 9(%rdi)"
	each "MOV 16", "movw 1(%rdi), %ax; movw %ax, 9(%rdi)"
	each "MOV 32", "movl 3(%rdi), %eax; movl %eax, 9(%rdi)"
	each "MOV 64", "movq 5(%rdi), %rax; movq %rax, 19(%rdi)"
	each "MOV imm", "movq $-5, 8(%rdi); movl $5, 16(%rdi); movw $6, 20(%rdi)"
	each "MOVZX", "movzbl (%rdi), %eax; movswq 2(%rdi), %rcx; movslq 4(%rdi), %rdx"
	each "ADD", "addl %eax, (%rdi); adcw %cx, 4(%rdi); addq 8(%rdi), %rax"
	each "SUB", "subb $3, (%rdi); sbbq %rdx, 7(%rdi); cmpl %eax, 4(%rdi); setc %al"
	each "AND", "andl $0x0f0f0f0f, (%rdi); orq %rax, 8(%rdi); xorb %cl, 3(%rdi)"
	each "INC", "incl (%rdi); decq 8(%rdi); negw 4(%rdi); notb 6(%rdi)"
	each "LOCK", "lock incl (%rdi); lock addq %rax, 8(%rdi); lock btsl $3, 4(%rdi)"
	each "XCHG", "xchgb %al, (%rdi); xchgl %ecx, 4(%rdi); xchgq %rdx, 9(%rdi)"
	each "XADD", "xaddl %eax, (%rdi); lock xaddq %rdx, 8(%rdi)"
	each "CMPXCHG", "cmpxchgl %ecx, (%rdi); movl (%rdi), %eax; lock cmpxchgl %ecx, (%rdi)"
	each "CMPXCHG8B", "cmpxchg8b (%rdi); movl (%rdi), %eax; movl 4(%rdi), %edx; cmpxchg8b (%rdi)"
	each "CMPXCHG16B", "cmpxchg16b (%rdi); movq (%rdi), %rax; movq 8(%rdi), %rdx; lock cmpxchg16b (%rdi)"
	each "BT", "btcl $5, (%rdi); movl $66, %eax; btcl %eax, (%rdi); movq $-1, %rax; btsq %rax, 32(%rdi)"
	each "BSF", "bsfl (%rdi), %eax; bsrq 8(%rdi), %rcx; popcntw 2(%rdi), %dx"
	each "SHLD", "shldl $3, %eax, (%rdi); movb $9, %cl; shrdq %cl, %rdx, 8(%rdi); roll $5, 16(%rdi)"
	each "IMUL", "imull (%rdi), %eax; imulq $311, 8(%rdi), %rcx; mulq 16(%rdi)"
	each "DIV", "xorl %edx, %edx; orl $0x100, (%rdi); divl (%rdi)"
	each "CMOV", "cmpl %eax, %eax; cmovnel (%rdi), %eax; cmoveq 8(%rdi), %rcx"
	each "PUSH", "pushq (%rdi); popq 8(%rdi); pushw 2(%rdi); popw 18(%rdi)"
	each "stack", "movq %rsp, %rdx; leaq 128(%rdi), %rsp; pushq $-7; pushq %rax; pushq (%rdi); popq %rax; movq %rdx, %rsp; xorl %edx, %edx"
	each "ENTER", "movq %rsp, %rdx; movq %rbp, %r8; leaq 128(%rdi), %rsp; movq %rcx, %rbp; enter $0x18, $0; movq %rbp, %rax; leave; subq %rsp, %rax; movq %rdx, %rsp; movq %r8, %rbp; xorl %edx, %edx"
	each "CALL", "movq %rsp, %rdx; leaq 128(%rdi), %rsp; call 8f; movq %rdx, %rsp; xorl %edx, %edx; jmp 9f; 8: incl %eax; ret; 9: movq $0, 120(%rdi)"
	each "JMP", "leaq 8f(%rip), %rdx; movq %rdx, (%rdi); jmp *(%rdi); ud2; 8: movq %rdx, 8(%rdi); movw $8, 16(%rdi); leaq 9f(%rip), %rdx; movq %rdx, 8(%rdi); rex.w ljmp *8(%rdi); ud2; 9: xorl %edx, %edx"
	each "IRET", "movq %rsp, %rdx; leaq 128(%rdi), %rsp; pushq $0x10; pushq %rdx; pushq $2; pushq $8; leaq 8f(%rip), %rcx; pushq %rcx; iretq; 8: xorl %edx, %edx; movq $0, 112(%rdi)"
	each "MOVS", "leaq 8(%rdi), %rsi; movl $5, %ecx; rep movsb; movl $3, %ecx; rep movsl; movsq"
	each "MOVS down", "std; leaq 64(%rdi), %rsi; leaq 90(%rdi), %rdi; movl $7, %ecx; rep movsw; cld"
	each "STOS", "movl $9, %ecx; rep stosb; movl $4, %ecx; rep stosq"
	each "LODS", "movq %rdi, %rsi; lodsb; movl $3, %ecx; rep lodsl; lodsq"
	each "SCAS", "movb 5(%rdi), %al; movl $20, %ecx; repne scasb; movl $3, %ecx; repe scasl; setz %dl"
	each "CMPS", "leaq 16(%rdi), %rsi; movl $20, %ecx; repe cmpsb; cmpsq; setc %dl"
	each "MOVUPS", "movups 3(%rdi), %xmm0; movups %xmm0, 33(%rdi); movaps 16(%rdi), %xmm1; movaps %xmm1, 64(%rdi)"
	each "MOVQ", "movq (%rdi), %xmm0; movq %xmm0, 8(%rdi); movq 16(%rdi), %mm0; movq %mm0, 24(%rdi); emms"
	each "PADD", "movdqu (%rdi), %xmm0; paddb 16(%rdi), %xmm0; movdqu %xmm0, 32(%rdi)"
	each "FXSAVE", "movl $0x3f800000, (%rdi); flds (%rdi); fstpl 8(%rdi); fildll 16(%rdi); fstpt 32(%rdi)"
	each "LMSW", "smsw (%rdi); lmsw (%rdi); sgdt 16(%rdi); lgdt 16(%rdi)"
	each "LLDT", "movl $0, (%rdi); lldt (%rdi); sldt 4(%rdi); movw $0x10, 8(%rdi); movw 8(%rdi), %ss; movw %ss, 10(%rdi); lar 8(%rdi), %eax"
	each "OUTS", "movq %rdi, %rsi; movl $0xe0, %edx; movl $4, %ecx; rep outsb; inb %dx, %al"
	each "INS", "movl $0xe0, %edx; movb $0x99, %al; outb %al, %dx; movl $6, %ecx; rep insb"
	each "INVPCID", "movq $0, (%rdi); movq $0, 8(%rdi); movl $2, %eax; invpcid (%rdi), %rax"
	.section .rodata
each_end:
	.section .note.GNU-stack, "", @progbits
