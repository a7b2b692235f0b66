/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello.S - a boot sector that has BIOS print NAME, reads the disk's last sector
 * through BIOS, and gives the first byte of that to isa-debug-exit.
 */
	.code16
	.globl _start
_start:
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %ss
	mov	$0x7c00, %sp
	mov	$text, %si
	cld
1:	lodsb
	test	%al, %al
	jz	2f
	mov	$0x0e, %ah
	mov	$7, %bx
	int	$0x10
	jmp	1b
2:	mov	$0x42, %ah		/* extended read, of DL's disk */
	mov	$packet, %si
	int	$0x13
	mov	$0xff, %al
	jc	3f
	mov	0x8000, %al
3:	mov	$0xf4, %dx
	out	%al, %dx
	hlt
packet:
	.byte	16, 0
	.word	1, 0x8000, 0
	.quad	2047
text:
	.asciz	NAME "\r\n                    "	/* the last ones may still be in the UART */
	.org	510
	.word	0xaa55
