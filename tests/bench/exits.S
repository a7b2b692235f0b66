/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exits.S - a ROM of 64 KiB that leaves the guest COUNT times by port 0x80 (KIND
 * 0) or by reading the IOAPIC (KIND 1), and ends by port 0xf4.
 */
	.code16
	.org 0
begin:	cli
	lgdtl %cs:gdtr - begin
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $8, $0xffff0000 + protected - begin
	.code32
protected:
	mov $0x10, %eax
	mov %eax, %ds
	mov $COUNT, %ecx
	mov $0xfec00000, %ebx
	jecxz 3f
#if KIND == 0
1:	out %al, $0x80
#else
1:	mov (%ebx), %eax
#endif
	dec %ecx
	jnz 1b
3:	mov $0, %al
	out %al, $0xf4
	hlt
	.balign 8
gdt:	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:	.word 23
	.long 0xffff0000 + gdt - begin
	.code16
	.org 0xfff0
	.byte 0xe9			/* jmp begin */
	.word 0x10000 - 0xfff3
	.org 0x10000
