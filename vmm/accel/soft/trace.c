/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.c - vmm run --trace: a line for each block, before it runs:
 *
 *	CPU INSTRUCTIONS CS:RIP BITS COUNT rax=... ... r15=... fl=... BYTES
 *
 * how many instructions this CPU has executed before; the selector and RIP; 16, 32
 * or 64; how many instructions the block has (the last ones of which do not run if
 * one before faults); the registers; the code, as far as it lies in the first
 * page.  All numbers but CPU, INSTRUCTIONS, BITS and COUNT are hexadecimal.
 */
#include <inttypes.h>

#include "block.h"
#include "flags.h"
#include "soft.h"
#include "vmm/vm.h"

static void put_registers(const struct cpu *cpu, FILE *f)
{
	static const char *const names[CPU_N_GPR] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
		"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	unsigned n = cpu_code(cpu) == CODE_64 ? CPU_N_GPR : 8;

	for (unsigned i = 0; i < n; i++)
		fprintf(f, " %s=%" PRIx64, names[i], cpu->gpr[i]);
	fprintf(f, " fl=%" PRIx64 " ", eflags_get(cpu));
}

static void put_code(const struct cpu *cpu, const struct block *b, FILE *f)
{
	uint64_t len = min_u64(b->len, PAGE_MASK + 1 - (b->key & PAGE_MASK));

	if (!in_range(b->key, len, cpu->soft->ram_size))
		return;
	for (uint64_t i = 0; i < len; i++)
		fprintf(f, "%02x", cpu->soft->ram[b->key + i]);
}

void trace_block(const struct cpu *cpu, const struct block *b)
{
	static const unsigned bits[] = { [CODE_16] = 16, [CODE_32] = 32,
					 [CODE_64] = 64 };
	FILE *f = cpu->soft->trace;

	fprintf(f, "%u %" PRIu64 " %04x:%" PRIx64 " %u %u",
		cpu->vcpu ? cpu->vcpu->index : 0, cpu->icount,
		cpu->seg[CPU_CS].selector, cpu->rip, bits[cpu_code(cpu)],
		b->n_insns);
	put_registers(cpu, f);
	put_code(cpu, b, f);
	putc('\n', f);
}
