/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.c - guest memory for the software CPU: segments' checks, accesses that
 * the TLB does not answer or that cross pages, devices, code that is overwritten.
 * Intel SDM volume 3, chapter 5.3 to 5.5 for the checks.
 */
#include "access.h"

#include "block.h"
#include "flags.h"
#include "vmm/chip/lapic.h"
#include "vmm/vm.h"

/* Segments. */

static bool seg_fault(struct cpu *cpu, unsigned seg)
{
	raise_error(cpu, seg == CPU_SS ? EXC_SS : EXC_GP, 0);
	return false;
}

static bool is_canonical(uint64_t lin)
{
	return (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

/* Type bits of a segment's attributes. */
#define TYPE_CODE	8u
#define TYPE_DOWN	4u	/* data: expand-down */
#define TYPE_RW		2u	/* data: writable; code: readable */

static bool seg_allows(const struct cpu_segment *s, enum access how)
{
	if (s->attr & CPU_SEG_UNUSABLE)
		return false;
	if (s->attr & TYPE_CODE)
		return (how & ACCESS_KIND) != ACCESS_WRITE &&
		       (s->attr & TYPE_RW || how == ACCESS_EXEC);
	return (how & ACCESS_KIND) != ACCESS_WRITE || s->attr & TYPE_RW;
}

/* Does [offset, offset + len) lie within the limit? */
static bool seg_covers(const struct cpu_segment *s, uint64_t offset,
		       unsigned len)
{
	uint64_t last = offset + len - 1;

	if ((s->attr & (TYPE_CODE | TYPE_DOWN)) != TYPE_DOWN)
		return last <= s->limit;
	return offset > s->limit &&
	       last <= (s->attr & 1u << 14 ? 0xffffffffu : 0xffffu);
}

static bool seg_lin_aligned(struct cpu *cpu, unsigned seg, uint64_t offset,
			    unsigned len, unsigned align, enum access how,
			    uint64_t *lin)
{
	const struct cpu_segment *s = &cpu->seg[seg];

	if (cpu_code(cpu) == CODE_64) {
		*lin = offset + (seg >= CPU_FS ? s->base : 0);
		if (!is_canonical(*lin) || !is_canonical(*lin + len - 1))
			return seg_fault(cpu, seg);
	} else {
		if (!seg_allows(s, how) || !seg_covers(s, offset, len))
			return seg_fault(cpu, seg);
		*lin = (uint32_t)(offset + s->base);
	}
	if (cpu->mode & MODE_AC && align <= 8 && is_pow2(align) &&
	    *lin & (align - 1)) {
		raise_error(cpu, EXC_AC, 0);
		return false;
	}
	return true;
}

/* SDM volume 3, table 6-7: 10 bytes of the x87 are aligned as 8. */
bool seg_lin(struct cpu *cpu, unsigned seg, uint64_t offset, unsigned len,
	     enum access how, uint64_t *lin)
{
	return seg_lin_aligned(cpu, seg, offset, len, len == 10 ? 8 : len, how,
			       lin);
}

uint64_t op_offset(const struct cpu *cpu, const struct uop *u)
{
	uint64_t o = SLOT(cpu, u->base) + (SLOT(cpu, u->index) << u->scale) +
		     (uint64_t)(int64_t)u->disp;

	return u->asize == 3 ? o : u->asize == 2 ? (uint32_t)o : (uint16_t)o;
}

bool op_lin(struct cpu *cpu, const struct uop *u, unsigned len, enum access how,
	    uint64_t *lin)
{
	return seg_lin(cpu, u->seg, op_offset(cpu, u), len, how, lin);
}

bool op_lin_16(struct cpu *cpu, const struct uop *u, enum access how,
	       uint64_t *lin)
{
	bool ok = op_lin(cpu, u, 16, how, lin);
	bool based = cpu_code(cpu) != CODE_64 || u->seg >= CPU_FS;
	uint64_t at = op_offset(cpu, u) + (based ? cpu->seg[u->seg].base : 0);

	if (at & 15)
		raise_gp(cpu, 0);
	return ok && !(at & 15);
}

bool op_load(struct cpu *cpu, const struct uop *u, void *buf, unsigned len)
{
	uint64_t lin;

	return op_lin(cpu, u, len, ACCESS_READ, &lin) &&
	       mem_load(cpu, lin, buf, len, ACCESS_READ);
}

bool op_load_parts(struct cpu *cpu, const struct uop *u, void *buf,
		   unsigned len, unsigned align)
{
	uint64_t lin;

	return seg_lin_aligned(cpu, u->seg, op_offset(cpu, u), len, align,
			       ACCESS_READ, &lin) &&
	       mem_load(cpu, lin, buf, len, ACCESS_READ);
}

bool op_store(struct cpu *cpu, const struct uop *u, const void *buf,
	      unsigned len)
{
	uint64_t lin;

	return op_lin(cpu, u, len, ACCESS_WRITE, &lin) &&
	       mem_store(cpu, lin, buf, len, ACCESS_WRITE);
}

/* The stack. */

static uint64_t stack_mask(const struct cpu *cpu)
{
	if (cpu_code(cpu) == CODE_64)
		return UINT64_MAX;
	return cpu->mode & MODE_STACK32 ? 0xffffffff : 0xffff;
}

static void set_sp(struct cpu *cpu, uint64_t sp, uint64_t mask)
{
	if (mask == 0xffff)
		REG16(cpu, REG_OFF(CPU_RSP)) = (uint16_t)sp;
	else
		cpu->gpr[CPU_RSP] = sp & mask;
}

bool push(struct cpu *cpu, unsigned osize, uint64_t v)
{
	uint64_t mask = stack_mask(cpu), lin;
	uint64_t sp = (cpu->gpr[CPU_RSP] - (1u << osize)) & mask;

	if (!seg_lin(cpu, CPU_SS, sp, 1u << osize, ACCESS_WRITE, &lin) ||
	    !mem_store(cpu, lin, &v, 1u << osize, ACCESS_WRITE))
		return false;
	set_sp(cpu, sp, mask);
	return true;
}

bool pop(struct cpu *cpu, unsigned osize, uint64_t *v)
{
	uint64_t mask = stack_mask(cpu), lin, got = 0;
	uint64_t sp = cpu->gpr[CPU_RSP] & mask;

	if (!seg_lin(cpu, CPU_SS, sp, 1u << osize, ACCESS_READ, &lin) ||
	    !mem_load(cpu, lin, &got, 1u << osize, ACCESS_READ))
		return false;
	*v = got;
	set_sp(cpu, sp + (1u << osize), mask);
	return true;
}

/* Physical memory. */

static void note_wrote(struct wrote_pages *w, uint64_t page)
{
	if (w->n > WROTE_PAGES)
		return;
	for (unsigned i = 0; i < w->n; i++)
		if (w->page[i] == page)
			return;
	if (w->n < WROTE_PAGES)
		w->page[w->n] = page;
	w->n++;
}

bool mem_ram(struct cpu *cpu, uint64_t gpa, enum access how, uint64_t *offset)
{
	struct vm *vm = cpu->soft->vm;
	bool write = (how & ACCESS_KIND) == ACCESS_WRITE;
	const uint8_t *host;

	if (!vm) {
		*offset = gpa;
		return gpa < cpu->soft->ram_size;
	}
	host = mem_ptr(vm, gpa & ~PAGE_MASK, MEM_PAGE,
		       write ? MEM_WRITE : MEM_READ);
	if (!host)
		return false;
	/* A LAPIC that the guest moved there. */
	if (cpu->lapic && lapic_covers(cpu->lapic, gpa))
		return false;
	*offset = (uint64_t)(host - cpu->soft->ram) + (gpa & PAGE_MASK);
	if (cpu->soft->wrote && write)
		note_wrote(cpu->soft->wrote, *offset & ~PAGE_MASK);
	return true;
}

void tlb_fill(struct cpu *cpu, uint64_t lin, uint64_t gpa, unsigned kinds)
{
	struct tlb_slot *s = tlb_slot(cpu, lin);
	uint64_t page = lin & ~PAGE_MASK, offset, w_offset;
	uintptr_t addend;

	if (!mem_ram(cpu, gpa & ~PAGE_MASK, ACCESS_READ, &offset))
		return;
	if (kinds & TLB_W &&
	    (!mem_ram(cpu, gpa & ~PAGE_MASK, ACCESS_WRITE, &w_offset) ||
	     w_offset != offset || blocks_in_page(cpu->soft, offset)))
		kinds &= ~TLB_W;
	addend = (uintptr_t)cpu->soft->ram + offset - page;
	if (s->addend != addend || (s->read != page && s->write != page &&
				    s->exec != page))
		s->read = s->write = s->exec = TLB_NONE;
	s->addend = addend;
	if (kinds & TLB_R)
		s->read = page;
	if (kinds & TLB_W)
		s->write = page;
	if (kinds & TLB_X)
		s->exec = page;
	cpu->stats.tlb_misses++;
}

/* One access that lies in a page, after translation. */

/* Between instructions (a fetch, an interrupt's stack) the state is right. */
static void before_device(struct cpu *cpu)
{
	if (cpu->vcpu)
		vcpu_count(cpu->vcpu, VM_EXIT_MMIO);
	if (cpu->u)
		cpu_sync(cpu, cpu->u);
	cpu_time(cpu);
}

static uint64_t device_load(struct cpu *cpu, uint64_t gpa, unsigned len)
{
	uint64_t v;

	cpu->bus_used = true;
	if (!cpu->soft->vm)
		return UINT64_MAX;
	before_device(cpu);
	if (cpu->lapic && lapic_covers(cpu->lapic, gpa))
		v = lapic_mmio_read(cpu->lapic, gpa, len);
	else
		v = bus_read(cpu->soft->vm, BUS_MMIO, gpa, len);
	cpu_bus_done(cpu);
	return v;
}

static void device_store(struct cpu *cpu, uint64_t gpa, uint64_t v,
			 unsigned len)
{
	cpu->bus_used = true;
	if (!cpu->soft->vm)
		return;
	before_device(cpu);
	if (cpu->lapic && lapic_covers(cpu->lapic, gpa))
		lapic_mmio_write(cpu->lapic, gpa, len, v);
	else
		bus_write(cpu->soft->vm, BUS_MMIO, gpa, len, v);
	cpu_bus_done(cpu);
}

static void phys_load(struct cpu *cpu, uint64_t gpa, uint8_t *buf, unsigned len)
{
	uint64_t offset;

	if (mem_ram(cpu, gpa, ACCESS_READ, &offset)) {
		memcpy(buf, cpu->soft->ram + offset, len);
		return;
	}
	for (unsigned i = 0; i < len; i += 8) {
		unsigned n = len - i < 8 ? len - i : 8;
		uint64_t v = device_load(cpu, gpa + i, n);

		memcpy(buf + i, &v, n);
	}
}

static void phys_store(struct cpu *cpu, uint64_t gpa, const uint8_t *buf,
		       unsigned len)
{
	uint64_t offset;

	if (mem_ram(cpu, gpa, ACCESS_WRITE, &offset)) {
		memcpy(cpu->soft->ram + offset, buf, len);
		if (blocks_in_page(cpu->soft, offset))
			blocks_wrote(cpu->soft, offset, len);
		return;
	}
	for (unsigned i = 0; i < len; i += 8) {
		unsigned n = len - i < 8 ? len - i : 8;
		uint64_t v = 0;

		memcpy(&v, buf + i, n);
		device_store(cpu, gpa + i, v, n);
	}
}

/* An access in one or two pages: both are translated before any is touched. */
struct span {
	uint64_t gpa[2];
	unsigned first;		/* bytes in the first page */
};

static bool translate_span(struct cpu *cpu, uint64_t lin, unsigned len,
			   enum access how, struct span *s)
{
	uint64_t room = PAGE_MASK + 1 - (lin & PAGE_MASK);
	uint64_t second = lin + room;

	s->first = len < room ? len : (unsigned)room;
	if (cpu->watch && (how & ACCESS_KIND) != ACCESS_EXEC)
		debug_data(cpu, lin, len, how & ACCESS_WRITE);
	if (!mmu_translate(cpu, lin, how, &s->gpa[0]))
		return false;
	if (s->first == len)
		return true;
	/* Tables may lie above 4 GiB whatever the code is. */
	if (cpu_code(cpu) != CODE_64 && !(lin >> 32))
		second = (uint32_t)second;
	return mmu_translate(cpu, second, how, &s->gpa[1]);
}

bool mem_load(struct cpu *cpu, uint64_t lin, void *buf, unsigned len,
	      enum access how)
{
	const void *host = how == ACCESS_READ ? tlb_read(cpu, lin, len) : NULL;
	struct span s;

	if (host) {
		memcpy(buf, host, len);
		return true;
	}
	if (!translate_span(cpu, lin, len, how, &s))
		return false;
	phys_load(cpu, s.gpa[0], buf, s.first);
	if (s.first < len)
		phys_load(cpu, s.gpa[1], (uint8_t *)buf + s.first,
			  len - s.first);
	return true;
}

bool mem_store(struct cpu *cpu, uint64_t lin, const void *buf, unsigned len,
	       enum access how)
{
	void *host = how == ACCESS_WRITE ? tlb_write(cpu, lin, len) : NULL;
	struct span s;

	if (host) {
		memcpy(host, buf, len);
		return true;
	}
	if (!translate_span(cpu, lin, len, how, &s))
		return false;
	phys_store(cpu, s.gpa[0], buf, s.first);
	if (s.first < len)
		phys_store(cpu, s.gpa[1], (const uint8_t *)buf + s.first,
			   len - s.first);
	return true;
}

bool mem_check(struct cpu *cpu, uint64_t lin, unsigned len, enum access how)
{
	struct span s;

	return (how == ACCESS_WRITE && tlb_write(cpu, lin, len)) ||
	       translate_span(cpu, lin, len, how, &s);
}

/* Atomic towards the threads of devices. */
static bool exchange_host(void *host, void *old, const void *new, unsigned len)
{
	switch (len) {
#define CASE(bytes, type)						\
	case bytes: {							\
		type n;							\
		memcpy(&n, new, sizeof(n));				\
		return __atomic_compare_exchange_n((type *)host,	\
			(type *)old, n, false, __ATOMIC_SEQ_CST,	\
			__ATOMIC_SEQ_CST);				\
	}
	CASE(1, uint8_t)
	CASE(2, uint16_t)
	CASE(4, uint32_t)
	default:
	CASE(8, uint64_t)
#undef CASE
	}
}

static bool exchange_host_16(void *host, uint64_t old[2], const uint64_t new[2])
{
	bool same;

	__asm__ volatile("lock cmpxchg16b %1"
			 : "=@ccz"(same), "+m"(*(unsigned __int128 *)host),
			   "+a"(old[0]), "+d"(old[1])
			 : "b"(new[0]), "c"(new[1])
			 : "memory");
	return same;
}

bool mem_exchange(struct cpu *cpu, uint64_t lin, void *old, const void *new,
		  unsigned len)
{
	void *host = tlb_write(cpu, lin, len);
	uint8_t now[16];

	if (host && len < 16 && !((uintptr_t)host & (len - 1)))
		return exchange_host(host, old, new, len);
	if (host && len == 16 && !((uintptr_t)host & 15))
		return exchange_host_16(host, old, new);
	mem_load(cpu, lin, now, len, ACCESS_READ);
	if (memcmp(now, old, len)) {
		memcpy(old, now, len);
		return false;
	}
	mem_store(cpu, lin, new, len, ACCESS_WRITE);
	return true;
}
