/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.c - vCPU 0 as boot protocols want it: flat segments, paging off, or
 * 64-bit mode with the first 4 GiB where they are.  Intel SDM volume 3,
 * sections 3.4.5 (descriptors) and 4.5 (4-level paging).
 */
#include <errno.h>

#include "imgfmt/base/bytes.h"
#include "vmm/boot/loader.h"
#include "vmm/vm.h"

#define GDT_ENTRIES 8u

/* Flat, present, accessed; L or D/B, and G. */
#define DESC_CODE32	0x00cf9b000000ffffull
#define DESC_CODE64	0x00af9b000000ffffull
#define DESC_DATA	0x00cf93000000ffffull
/* A TSS of 32 bits at 0, in use. */
#define DESC_TSS	0x00008b0000000067ull

#define PTE_PRESENT	0x01u
#define PTE_WRITE	0x02u
#define PTE_LARGE	0x80u
#define N_PTES		512u
#define N_GIB		4u

/* In the BIOS data area: how many KiB of memory begin at 0.  Kernels that fetch it
 * themselves take none for little (Xen, Linux).
 */
#define BDA_MEMORY	0x413u

/* A page of pointers, four of page directories, and the root last. */
#define TABLE_PAGES	(N_GIB + 2)

static int put_page_tables(struct load *l, uint64_t *cr3, struct err *e)
{
	static const uint8_t zero[MEM_PAGE];
	struct vm *vm = l->layout.vm;
	uint8_t entry[8];
	uint64_t base;
	int rc;

	rc = layout_place(&l->layout, TABLE_PAGES * MEM_PAGE, MEM_PAGE,
			  LAYOUT_LOW_START, LAYOUT_LOW_END, LAYOUT_HIGHEST,
			  "page tables", &base, e);
	if (rc)
		return rc;
	for (unsigned i = N_GIB; !rc && i < TABLE_PAGES; i++)
		rc = mem_write(vm, base + i * MEM_PAGE, zero, MEM_PAGE);
	for (uint64_t i = 0; !rc && i < N_GIB * N_PTES; i++) {
		put_le64(entry, i << 21 | PTE_PRESENT | PTE_WRITE | PTE_LARGE);
		rc = mem_write(vm, base + i * 8, entry, 8);
	}
	for (uint64_t i = 0; !rc && i < N_GIB; i++) {
		put_le64(entry, (base + i * MEM_PAGE) | PTE_PRESENT |
			 PTE_WRITE);
		rc = mem_write(vm, base + N_GIB * MEM_PAGE + i * 8, entry, 8);
	}
	*cr3 = base + (N_GIB + 1) * MEM_PAGE;
	put_le64(entry, (base + N_GIB * MEM_PAGE) | PTE_PRESENT | PTE_WRITE);
	if (!rc)
		rc = mem_write(vm, *cr3, entry, 8);
	return rc ? fail_rc(e, rc, "cannot write page tables") : 0;
}

static int put_gdt(struct load *l, const struct start *s, uint64_t *gdt,
		   struct err *e)
{
	unsigned i = s->code / 8;
	uint8_t table[GDT_ENTRIES * 8] = { 0 };

	put_le64(table + 8 * i, s->is_64 ? DESC_CODE64 : DESC_CODE32);
	put_le64(table + 8 * (i + 1), DESC_DATA);
	put_le64(table + 8 * (i + 2), DESC_TSS);
	return layout_put_low(&l->layout, table, sizeof(table), 16,
			      "descriptor table", gdt, e);
}

static int put_bda(struct load *l, struct err *e)
{
	uint8_t kib[2];
	int rc;

	put_le16(kib, (uint16_t)(min_u64(layout_ram_end(&l->layout, 0),
					 640 << 10) >> 10));
	rc = mem_write(l->layout.vm, BDA_MEMORY, kib, sizeof(kib));
	return rc ? fail_rc(e, rc, "cannot write the BIOS data area") : 0;
}

int start_cpu(struct load *l, const struct start *s, struct err *e)
{
	struct vm *vm = l->layout.vm;
	struct vcpu *cpu = &vm->vcpus[0];
	struct cpu_state state;
	uint64_t gdt, cr3 = 0;
	int rc;

	rc = put_bda(l, e);
	if (!rc)
		rc = put_gdt(l, s, &gdt, e);
	if (!rc && s->is_64)
		rc = put_page_tables(l, &cr3, e);
	if (rc)
		return rc;
	rc = vm->accel->get_state(cpu, &state);
	if (rc)
		return fail_rc(e, rc, "cannot read the CPU's state");
	if (s->is_64)
		cpu_set_flat64(&state, cr3);
	else
		cpu_set_flat32(&state);
	for (unsigned i = 0; i < CPU_N_SEG; i++)
		state.seg[i].selector = (uint16_t)(s->code + 8);
	state.seg[CPU_CS].selector = s->code;
	state.tr = (struct cpu_segment){
		.limit = 0x67, .attr = 0x8b,
		.selector = (uint16_t)(s->code + 16),
	};
	state.gdtr.base = gdt;
	state.gdtr.limit = GDT_ENTRIES * 8 - 1;
	state.idtr.base = 0;
	state.idtr.limit = s->idt_limit;
	for (unsigned i = 0; i < CPU_N_GPR; i++)
		state.gpr[i] = 0;
	state.gpr[CPU_RAX] = s->rax;
	state.gpr[CPU_RBX] = s->rbx;
	state.gpr[CPU_RSI] = s->rsi;
	state.rip = s->entry;
	state.rflags = 2;
	rc = vm->accel->set_state(cpu, &state);
	return rc ? fail_rc(e, rc, "cannot set the CPU's state") : 0;
}
