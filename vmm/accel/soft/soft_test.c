/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_test.c - a software CPU over a test's memory. */
#include "soft_test.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "block.h"
#include "soft_map.h"

#define N_PIECES 16u

struct piece {
	uint64_t lin, offset, len;
	unsigned access;	/* SOFT_TEST_* */
};

struct soft_test {
	struct soft soft;
	struct cpu cpu;
	struct cpu *cpus[1];
	struct piece pieces[N_PIECES];
	unsigned n_pieces;
};

int soft_test_new(struct soft_test **out, uint64_t size)
{
	struct soft_test *t = calloc(1, sizeof(*t));
	void *ram;
	int rc;

	if (!t)
		return -ENOMEM;
	size = round_up(size, PAGE_MASK + 1);
	ram = mmap(NULL, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED) {
		free(t);
		return -ENOMEM;
	}
	t->soft.ram = ram;
	t->soft.ram_size = size;
	t->soft.test = t;
	t->cpus[0] = &t->cpu;
	t->soft.cpus = t->cpus;
	op_index_init(&t->soft.index);
	rc = blocks_init(&t->soft);
	if (!rc)
		rc = cpu_init(&t->cpu, &t->soft);
	if (rc) {
		blocks_fini(&t->soft);
		munmap(ram, size);
		free(t);
		return rc;
	}
	t->soft.n_cpus = 1;
	*out = t;
	return 0;
}

void soft_test_free(struct soft_test *t)
{
	if (!t)
		return;
	cpu_fini(&t->cpu);
	blocks_fini(&t->soft);
	munmap(t->soft.ram, t->soft.ram_size);
	free(t);
}

uint8_t *soft_test_memory(struct soft_test *t)
{
	return t->soft.ram;
}

int soft_test_map(struct soft_test *t, uint64_t lin, uint64_t offset,
		  uint64_t len, unsigned access)
{
	if ((lin | offset | len) & PAGE_MASK ||
	    !in_range(offset, len, t->soft.ram_size))
		return -EINVAL;
	if (t->n_pieces == N_PIECES)
		return -ENOSPC;
	t->pieces[t->n_pieces++] = (struct piece){ lin, offset, len, access };
	mmu_flush_all(&t->cpu);
	return 0;
}

void soft_test_wrote(struct soft_test *t, uint64_t offset, uint64_t len)
{
	if (in_range(offset, len, t->soft.ram_size))
		blocks_wrote(&t->soft, offset, len);
}

void soft_test_general(struct soft_test *t, bool general_only)
{
	t->soft.no_fast_forms = general_only;
	blocks_wrote(&t->soft, 0, t->soft.ram_size);
}

struct cpu *soft_test_cpu(struct soft_test *t)
{
	return &t->cpu;
}

static const struct piece *find_piece(const struct soft_test *t, uint64_t lin)
{
	for (unsigned i = 0; i < t->n_pieces; i++)
		if (lin - t->pieces[i].lin < t->pieces[i].len)
			return &t->pieces[i];
	return NULL;
}

bool soft_map_translate(struct cpu *cpu, uint64_t lin, enum access how,
			uint64_t *gpa)
{
	static const unsigned need[] = { SOFT_TEST_R, SOFT_TEST_W,
					 SOFT_TEST_X };
	const struct piece *p = find_piece(cpu->soft->test, lin);
	unsigned kind = how & ACCESS_KIND;
	unsigned error = p ? 1 : 0;

	if (p && p->access & SOFT_TEST_SYSTEM && !(how & ACCESS_SYSTEM))
		p = NULL;
	if (!p || !(p->access & need[kind])) {
		if (kind == ACCESS_WRITE)
			error |= 2;
		if (kind == ACCESS_EXEC)
			error |= 16;
		if (cpu_cpl(cpu) == 3)
			error |= 4;
		raise_error(cpu, EXC_PF, error);
		cpu->fault.cr2 = lin;
		return false;
	}
	*gpa = lin - p->lin + p->offset;
	if (p->access & SOFT_TEST_SYSTEM)
		return true;
	tlb_fill(cpu, lin, *gpa, (p->access & SOFT_TEST_R ? TLB_R : 0) |
				 (p->access & SOFT_TEST_W ? TLB_W : 0) |
				 (p->access & SOFT_TEST_X ? TLB_X : 0));
	return true;
}

/* States. */

static void set_segments(struct cpu_state *s, uint16_t cs, uint16_t ss,
			 uint32_t code_attr, uint32_t data_attr, uint32_t limit)
{
	for (unsigned i = 0; i < CPU_N_SEG; i++)
		s->seg[i] = (struct cpu_segment){ .limit = limit,
			.attr = i == CPU_CS ? code_attr : data_attr,
			.selector = i == CPU_CS ? cs : ss };
}

static void set_common(struct cpu_state *s)
{
	memset(s, 0, sizeof(*s));
	s->rflags = 0x202;
	s->cr4 = 0x600;			/* OSFXSR, OSXMMEXCPT */
	s->pat = 0x0007040600070406;
	s->fxsave[0] = 0x7f;		/* FCW 0x37f, MXCSR 0x1f80 */
	s->fxsave[1] = 0x03;
	s->fxsave[24] = 0x80;
	s->fxsave[25] = 0x1f;
}

void soft_test_state64(struct cpu_state *s)
{
	set_common(s);
	s->cr0 = CPU_CR0_PE | CPU_CR0_ET | CPU_CR0_NE | CPU_CR0_WP |
		 CPU_CR0_PG | CPU_CR0_MP;
	s->efer = CPU_EFER_SCE | CPU_EFER_LME | CPU_EFER_LMA | CPU_EFER_NX;
	s->cr4 |= 0x20;
	set_segments(s, 0x33, 0x2b, 0xa0fb, 0xc0f3, UINT32_MAX);
}

void soft_test_state32(struct cpu_state *s)
{
	set_common(s);
	s->cr0 = CPU_CR0_PE | CPU_CR0_ET | CPU_CR0_NE | CPU_CR0_MP;
	set_segments(s, 0x23, 0x2b, 0xc0fb, 0xc0f3, UINT32_MAX);
}

void soft_test_state16(struct cpu_state *s)
{
	set_common(s);
	s->cr0 = CPU_CR0_ET;
	set_segments(s, 0, 0, 0x93, 0x93, 0xffff);
}

void soft_test_run(struct soft_test *t, struct cpu_state *s, uint64_t insns,
		   struct soft_test_end *end)
{
	struct cpu *cpu = &t->cpu;
	uint64_t before;
	enum stop stop;

	cpu_set_state(cpu, s);
	before = cpu_instructions(cpu);
	stop = cpu_run(cpu, (int64_t)min_u64(insns, INT64_MAX / 2));
	cpu_get_state(cpu, s);
	*end = (struct soft_test_end){
		.fault = stop == STOP_FAULT, .halted = stop == STOP_HALT,
		.insns = cpu_instructions(cpu) - before };
	if (end->fault) {
		end->vector = cpu->fault.vector;
		end->has_error = cpu->fault.has_error;
		end->error = cpu->fault.error;
		end->cr2 = cpu->fault.cr2;
	}
}
