/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block.c - the cache of decoded code: look up, fetch and decode, link, forget. */
#include "block.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "exec.h"
#include "vmm/vm.h"

/* Bytes for blocks; when they are used up all are dropped. */
#define ARENA_SIZE ((size_t)64 << 20)
#define BLOCK_MAX (sizeof(struct block) + BLOCK_UOPS * sizeof(struct uop))

/* So many bytes of zeroes are no code: "add %al,(%eax)", again and again. */
#define ZEROES 16u

static void *map_zeroed(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int blocks_init(struct soft *soft)
{
	struct blocks *bs = map_zeroed(sizeof(*bs));

	if (!bs)
		return -ENOMEM;
	soft->blocks = bs;
	bs->n_pages = soft->ram_size >> 12;
	bs->pages = map_zeroed(bs->n_pages * sizeof(bs->pages[0]));
	bs->may_have_code = map_zeroed(bs->n_pages);
	bs->arena = map_zeroed(ARENA_SIZE);
	if (!bs->pages || !bs->may_have_code || !bs->arena) {
		blocks_fini(soft);
		return -ENOMEM;
	}
	return 0;
}

void blocks_fini(struct soft *soft)
{
	struct blocks *bs = soft->blocks;

	if (!bs)
		return;
	if (bs->pages)
		munmap(bs->pages, bs->n_pages * sizeof(bs->pages[0]));
	if (bs->may_have_code)
		munmap((void *)bs->may_have_code, bs->n_pages);
	if (bs->arena)
		munmap(bs->arena, ARENA_SIZE);
	munmap(bs, sizeof(*bs));
	soft->blocks = NULL;
}

/* Drop everything.  Between blocks: no CPU runs one. */
static void drop_all(struct soft *soft)
{
	struct blocks *bs = soft->blocks;

	memset(bs->hash, 0, sizeof(bs->hash));
	memset(bs->pages, 0, bs->n_pages * sizeof(bs->pages[0]));
	bs->used = 0;
	for (unsigned i = 0; i < soft->n_cpus; i++)
		soft->cpus[i]->stats.dropped++;
}

static void *arena_take(struct blocks *bs, size_t len)
{
	void *p = bs->arena + bs->used;

	bs->used += round_up(len, 16);
	return p;
}

/* A block's place in the list of one of its pages. */
static struct block **page_next(struct block *b, uint64_t page)
{
	return &b->page_next[b->key >> 12 != page];
}

static void list_in_page(struct cpu *cpu, struct block *b, uint64_t page)
{
	struct block **first = &cpu->soft->blocks->pages[page];

	if (!*first)
		mmu_protect(cpu->soft, page << 12);
	*page_next(b, page) = *first;
	*first = b;
}

static void keep(struct cpu *cpu, struct block *b)
{
	struct blocks *bs = cpu->soft->blocks;
	struct block **head = &bs->hash[block_hash(b->key, b->mode)];

	b->kept = true;
	b->hash_next = *head;
	*head = b;
	list_in_page(cpu, b, b->key >> 12);
	if (b->page2 != NO_PAGE)
		list_in_page(cpu, b, b->page2 >> 12);
}

/* Forgetting. */

static void make_stale(struct soft *soft, struct block *b)
{
	struct block **p = &soft->blocks->hash[block_hash(b->key, b->mode)];

	while (*p != b)
		p = &(*p)->hash_next;
	*p = b->hash_next;
	for (struct link *l = b->incoming; l; l = l->next)
		l->from->link = NULL;
	b->incoming = NULL;
	b->stale = true;
	for (unsigned i = 0; i < b->n_uops; i++)
		b->uops[i].fn = uop_stale;
}

/* Is any byte of [from, to) of the page the block's? */
static bool overlaps(const struct block *b, uint64_t from, uint64_t to)
{
	uint64_t end = b->key + b->len;

	if (b->page2 == NO_PAGE || b->key >> 12 == from >> 12)
		return b->key < to && from < end;
	/* What lies in the second page begins it. */
	return from < b->page2 + (end & PAGE_MASK);
}

static void page_wrote(struct soft *soft, uint64_t from, uint64_t to)
{
	uint64_t page = from >> 12;
	struct block **p = &soft->blocks->pages[page];

	while (*p) {
		struct block *b = *p;

		if (!b->stale && overlaps(b, from, to))
			make_stale(soft, b);
		if (b->stale)
			*p = *page_next(b, page);
		else
			p = page_next(b, page);
	}
	if (!soft->blocks->pages[page])
		atomic_store(&soft->blocks->may_have_code[page], 0);
}

void blocks_wrote(struct soft *soft, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;

	while (offset < end) {
		uint64_t to = min_u64(end, (offset | PAGE_MASK) + 1);

		if (blocks_in_page(soft, offset))
			page_wrote(soft, offset, to);
		offset = to;
	}
}

/* Linking. */

void block_link(struct soft *soft, struct uop *from, struct block *b)
{
	struct blocks *bs = soft->blocks;
	struct link *l;

	if (bs->used + sizeof(*l) > ARENA_SIZE)
		return;
	l = arena_take(bs, sizeof(*l));
	*l = (struct link){ .from = from, .next = b->incoming };
	b->incoming = l;
	from->link = b;
}

/* Fetching. */

struct fetch {
	uint64_t lin, room;	/* bytes up to the end of the page */
	uint64_t offset;	/* in RAM */
	bool ram;		/* and its blocks may be kept */
	uint64_t limit;		/* bytes that CS allows from here */
};

/* Where the code at cpu->rip lies. */
static bool fetch_begin(struct cpu *cpu, struct fetch *f)
{
	const struct cpu_segment *cs = &cpu->seg[CPU_CS];
	uint64_t gpa;

	f->lin = cpu->rip;
	f->offset = 0;
	f->limit = UINT64_MAX;
	if (cpu_code(cpu) != CODE_64) {
		f->lin = (uint32_t)(cpu->rip + cs->base);
		f->limit = cpu->rip <= cs->limit ? cs->limit - cpu->rip + 1 : 0;
	}
	if (!f->limit || (cpu_code(cpu) == CODE_64 &&
			  (uint64_t)((int64_t)(f->lin << 16) >> 16) != f->lin)) {
		raise_gp(cpu, 0);
		return false;
	}
	if (!mmu_translate(cpu, f->lin, ACCESS_EXEC, &gpa))
		return false;
	f->room = PAGE_MASK + 1 - (f->lin & PAGE_MASK);
	f->ram = !cpu->soft->wrote &&
		 mem_ram(cpu, gpa, ACCESS_EXEC, &f->offset);
	return true;
}

/* Code will be read from there. */
static void announce(struct cpu *cpu, uint64_t offset)
{
	atomic_store(&cpu->soft->blocks->may_have_code[offset >> 12], 1);
	atomic_thread_fence(memory_order_seq_cst);
}

/* Where the page behind it lies. */
static bool fetch_second(struct cpu *cpu, const struct fetch *f, uint64_t *page)
{
	uint64_t lin = f->lin + f->room, gpa;

	if (cpu_code(cpu) != CODE_64)
		lin = (uint32_t)lin;
	if (!mmu_translate(cpu, lin, ACCESS_EXEC, &gpa))
		return false;
	if (mem_ram(cpu, gpa, ACCESS_EXEC, page))
		announce(cpu, *page);
	else
		*page = NO_PAGE;
	return true;
}

static struct block *find(struct cpu *cpu, const struct fetch *f, uint32_t mode)
{
	struct block *b = cpu->soft->blocks->hash[block_hash(f->offset, mode)];

	for (; b; b = b->hash_next) {
		uint64_t page;

		if (b->key != f->offset || b->mode != mode ||
		    b->len > f->limit)
			continue;
		if (b->page2 == NO_PAGE ||
		    (fetch_second(cpu, f, &page) && page == b->page2))
			return b;
	}
	return NULL;
}

/* Decode from `bytes`; the reason why it ended in *why. */
static unsigned decode_run(struct cpu *cpu, const uint8_t *bytes, unsigned avail,
			   unsigned limit, struct insn *insns, unsigned *len,
			   enum decode *why)
{
	bool old = cpu->mode & (MODE_REAL | MODE_VM86);
	unsigned n = 0, pos = 0;

	*why = DECODE_OK;
	while (n < limit) {
		*why = insn_decode(&cpu->soft->index, bytes + pos, avail - pos,
				   cpu_code(cpu), old, &insns[n]);
		if (*why != DECODE_OK)
			break;
		pos += insns[n].len;
		if (insn_ends_block(&insns[n++]))
			break;
	}
	/* The bytes that say so are a part of the block. */
	if (*why == DECODE_UD || *why == DECODE_GP)
		pos += avail - pos < INSN_MAX ? avail - pos : INSN_MAX;
	*len = pos;
	return n;
}

/* One instruction that goes on in the next page, or lies in device memory. */
static bool decode_split(struct cpu *cpu, const struct fetch *f,
			 struct block *b, struct insn *insn, unsigned *n,
			 enum decode *why)
{
	uint8_t bytes[INSN_MAX] = { 0 };
	unsigned first = f->room < INSN_MAX ? (unsigned)f->room : INSN_MAX;
	unsigned all = f->limit < INSN_MAX ? (unsigned)f->limit : INSN_MAX;
	unsigned len;

	if (first > all)
		first = all;
	if (!mem_load(cpu, f->lin, bytes, first, ACCESS_EXEC))
		return false;
	*n = decode_run(cpu, bytes, first, 1, insn, &len, why);
	if (*why == DECODE_MORE && first < all) {
		uint64_t lin = f->lin + first;

		if (!fetch_second(cpu, f, &b->page2))
			return false;
		if (cpu_code(cpu) != CODE_64)
			lin = (uint32_t)lin;
		if (b->page2 == NO_PAGE)
			b->kept = false;
		if (!mem_load(cpu, lin, bytes + first, all - first,
			      ACCESS_EXEC))
			return false;
		*n = decode_run(cpu, bytes, all, 1, insn, &len, why);
	}
	/* It goes on behind the limit of CS. */
	if (*why == DECODE_MORE)
		*why = DECODE_GP;
	b->len = (uint16_t)len;
	return true;
}

static bool is_zero(const uint8_t *p, unsigned len)
{
	while (len && !*p)
		len--, p++;
	return !len;
}

/* Somebody may look on: what is this, at what time? */
static void tell_watch(struct cpu *cpu, uint64_t offset, unsigned len)
{
	struct vm *vm = cpu->soft->vm;

	if (!vm || !vm->config.watch)
		return;
	cpu_time(cpu);
	if (cpu_cpl(cpu) == 3)
		watch_program(vm, &cpu->vcpu->seen, offset);
	if (len >= ZEROES && is_zero(cpu->soft->ram + offset, len))
		watch_mode(vm, &cpu->vcpu->seen, WATCH_ZEROES);
}

static struct block *build(struct cpu *cpu, const struct fetch *f,
			   uint32_t mode, unsigned limit)
{
	struct insn insns[BLOCK_INSNS];
	struct blocks *bs = cpu->soft->blocks;
	enum decode why = DECODE_MORE;
	struct block *b;
	unsigned n = 0, len = 0;

	if (bs->used + BLOCK_MAX > ARENA_SIZE)
		drop_all(cpu->soft);
	b = f->ram ? (struct block *)(bs->arena + bs->used) : cpu->single;
	*b = (struct block){ .key = f->offset, .mode = mode, .kept = f->ram,
			     .page2 = NO_PAGE };
	if (f->ram)
		announce(cpu, f->offset);
	if (f->ram)
		n = decode_run(cpu, cpu->soft->ram + f->offset,
			       (unsigned)min_u64(f->room, f->limit), limit,
			       insns, &len, &why);
	b->len = (uint16_t)len;
	if (f->ram)
		tell_watch(cpu, f->offset, len);
	if (!n && why == DECODE_MORE &&
	    !decode_split(cpu, f, b, insns, &n, &why))
		return NULL;
	lower_block(cpu, b, insns, n, why);
	if (!b->kept)
		return b;
	bs->used += round_up(sizeof(*b) + b->n_uops * sizeof(b->uops[0]), 16);
	keep(cpu, b);
	cpu->stats.built++;
	return b;
}

struct block *block_get(struct cpu *cpu, unsigned limit)
{
	uint32_t mode = cpu->mode;
	struct block *b = NULL;
	struct fetch f;

	if (cpu->mode & MODE_STEP)
		limit = 1;
	if (limit >= BLOCK_INSNS)
		limit = 0;
	mode |= limit << MODE_LIMIT_SHIFT;
	if (!fetch_begin(cpu, &f))
		return NULL;
	if (f.ram)
		b = find(cpu, &f, mode);
	return b ? b : build(cpu, &f, mode, limit ? limit : BLOCK_INSNS);
}
