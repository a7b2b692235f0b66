/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage.S - a boot sector that goes a certain way and then stops there.
 *
 *	TEXT	is printed through BIOS
 *	VGA	... no, is written into the VGA's memory
 *	LOADS	read 8 sectors more first
 *	PAGES	switch paging on, in protected mode
 *	HALTS, SPINS, RESETS, POWERS_OFF, FAULTS	how it ends; else it waits
 *			with interrupts on
 */
	.code16
	.globl _start
_start:
	ljmp	$0, $1f
1:	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$0x7c00, %sp
	cld
#ifdef LOADS
	mov	$0x42, %ah
	mov	$packet, %si
	int	$0x13
#endif
	mov	$text, %si
#ifdef VGA
	mov	$0xb800, %ax
	mov	%ax, %es
	mov	$160 * 10, %di
	mov	$7, %ah
1:	lodsb
	stosw
	test	%al, %al
	jnz	1b
	xor	%ax, %ax
	mov	%ax, %es
	jmp	2f
#endif
1:	lodsb
	test	%al, %al
	jz	2f
	mov	$0x0e, %ah
	mov	$7, %bx
	int	$0x10
	jmp	1b
2:
#ifdef PAGES
	/* One page table for the first 4 MiB, as they are. */
	mov	$0x9000, %di
	mov	$3, %eax
	mov	$1024, %cx
1:	stosl
	add	$0x1000, %eax
	loop	1b
	movl	$0x9003, 0x8000
	cli
	lgdt	gdt_pointer
	mov	$0x8000, %eax
	mov	%eax, %cr3
	mov	$0x80000001, %eax
	mov	%eax, %cr0
	ljmpl	$8, $3f
	.code32
3:	mov	$16, %ax
	mov	%ax, %ds
	mov	%ax, %ss
#endif
#ifdef HALTS
	cli
1:	hlt
	jmp	1b
#endif
#ifdef SPINS
1:	jmp	1b
#endif
#ifdef RESETS
	mov	$0xfe, %al
	out	%al, $0x64
#endif
#ifdef POWERS_OFF
	/* PM1a_CNT: SLP_EN, and SLP_TYP of S5 in our DSDT and SeaBIOS's. */
	mov	$0x604, %dx
	mov	$0x2000, %ax
	outw	%ax, %dx
#endif
#ifdef FAULTS
	lidt	no_idt
	ud2
#endif
1:	hlt
	jmp	1b
packet:
	.byte	16, 0
	.word	8, 0xa000, 0
	.quad	1
no_idt:	.word	0
	.long	0
	.align	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt
text:	.asciz	TEXT
	.org	510
	.word	0xaa55
