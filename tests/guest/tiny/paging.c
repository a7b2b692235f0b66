/* SPDX-License-Identifier: GPL-2.0-or-later */
/* paging.c - 32-bit paging, with 4 MiB pages and with PAE, and a page fault that
 * says what was accessed.
 */
#include "tiny.h"

#define CR4_PSE	0x10u
#define CR4_PAE	0x20u
#define ELSEWHERE 0x40000000u

static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint64_t pointers[4] __attribute__((aligned(32)));
static uint64_t pae_directory[512] __attribute__((aligned(4096)));
static volatile uint32_t word;
static uint32_t fault_addr;

static void set_paging(uint32_t cr0_pg)
{
	uint32_t reg;

	__asm__ volatile("movl %%cr0, %0; andl $0x7fffffff, %0; orl %1, %0; "
			 "movl %0, %%cr0" : "=&r"(reg) : "r"(cr0_pg) :
			 "memory");
}

static void set_cr4(uint32_t bits)
{
	__asm__ volatile("movl %0, %%cr4" : : "r"(bits) : "memory");
}

/* Paging off lets the access that failed go on. */
static void page_fault(void)
{
	__asm__ volatile("movl %%cr2, %0" : "=r"(fault_addr));
	set_paging(0);
}

static void try_paging(const char *name, uint32_t cr4, const void *root)
{
	uint32_t there = ELSEWHERE + (uint32_t)&word, got;

	put(name);
	put("\n");
	word = 0x12345678;
	set_cr4(cr4);
	__asm__ volatile("movl %0, %%cr3" : : "r"(root) : "memory");
	set_paging(1u << 31);
	got = mmio_read(there);
	mmio_write(there, 0x55aa55aa);
	set_paging(0);
	check("read elsewhere", got, 0x12345678);
	check("write elsewhere", word, 0x55aa55aa);
}

void guest_main(void)
{
	directory[0] = 0x83;
	directory[ELSEWHERE >> 22] = 0x83;
	for (uint32_t i = 0; i < 4; i++)
		pae_directory[i] = (uint64_t)i << 21 | 0x83;
	pointers[0] = pointers[1] = (uint32_t)pae_directory | 1;
	try_paging("4 MiB pages", CR4_PSE, directory);
	try_paging("PAE", CR4_PAE, pointers);
	put("not mapped\n");
	idt_set(14, page_fault);
	set_paging(1u << 31);
	mmio_read(0x80001234);
	check("CR2", fault_addr, 0x80001234);
}
