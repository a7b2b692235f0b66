/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_paging.c - the software CPU's page walks beside a slow one that follows the
 * words of Intel SDM volume 3, chapter 4: every combination of an entry's bits,
 * kinds of access and control bits; then what the TLBs keep and forget.
 */
#include "tests/check.h"

#include "vmm/accel/soft/access.h"
#include "vmm/accel/soft/block.h"
#include "vmm/accel/soft/flags.h"
#include "vmm/accel/soft/mmu.h"

#define RAM	(64u << 20)
/* Tables, and the page that they lead to. */
#define T4	0x1000u
#define T3	0x2000u
#define T2	0x3000u
#define T1	0x4000u
#define PAGE	0x5000u

static struct soft soft;
static struct cpu cpu, *cpus[1] = { &cpu };

enum mode { M32, M32_4M, MPAE, MPAE_2M, M64, M64_2M, M64_1G, N_MODES };

struct want {
	bool ok;
	unsigned error;
	uint64_t gpa;
	unsigned n;		/* entries used, and whether they get A and D */
	bool read, write, exec;	/* would be allowed */
};

static uint64_t rd(uint64_t gpa, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, soft.ram + gpa, size);
	return v;
}

static void wr(uint64_t gpa, unsigned size, uint64_t v)
{
	memcpy(soft.ram + gpa, &v, size);
}

static bool is64(enum mode m)
{
	return m >= M64;
}

static unsigned entry_size(enum mode m)
{
	return m <= M32_4M ? 4 : 8;
}

/* 4.6.1: may this access be, the page being a user-mode address or not? */
static bool allowed(bool user_page, bool rw, bool xd, bool supervisor,
		    bool implicit, enum access kind)
{
	bool wp = cpu.cr0 & CPU_CR0_WP, smep = cpu.cr4 & CR4_SMEP;
	bool smap = cpu.cr4 & CR4_SMAP, ac = cpu.eflags & EFL_AC;

	if (supervisor) {
		switch (kind) {
		case ACCESS_READ:
			return !user_page || !smap || (!implicit && ac);
		case ACCESS_WRITE:
			if (!user_page)
				return !wp || rw;
			if (smap && (implicit || !ac))
				return false;
			return !wp || rw;
		default:
			if (user_page && smep)
				return false;
			return !xd;
		}
	}
	if (!user_page)
		return false;
	if (kind == ACCESS_READ)
		return true;
	return kind == ACCESS_WRITE ? rw : !xd;
}

/* The entries that translate `lin`, top first (figures 4-2 to 4-11). */
static unsigned entries(enum mode m, uint64_t lin, uint64_t at[4])
{
	unsigned n = 0;

	if (m <= M32_4M) {
		at[n++] = T2 + (lin >> 22 & 1023) * 4;
		if (m == M32)
			at[n++] = T1 + (lin >> 12 & 1023) * 4;
		return n;
	}
	if (is64(m)) {
		at[n++] = T4 + (lin >> 39 & 511) * 8;
		at[n++] = T3 + (lin >> 30 & 511) * 8;
		if (m == M64_1G)
			return n;
	}
	at[n++] = T2 + (lin >> 21 & 511) * 8;
	if (m == MPAE || m == M64)
		at[n++] = T1 + (lin >> 12 & 511) * 8;
	return n;
}

static unsigned page_shift(enum mode m)
{
	static const unsigned shift[] = { 12, 22, 12, 21, 12, 21, 30 };

	return shift[m];
}

/* Table 4-4 and its kin: bits that are reserved in the last entry of a mode or in
 * one above it.
 */
static bool reserved(enum mode m, bool last, uint64_t e)
{
	bool nxe = cpu.efer & CPU_EFER_NX;

	if (m <= M32_4M)
		return m == M32_4M && last && e & 1u << 21;
	if (!is64(m) && e >> 46 & 0x1ffff)
		return true;
	if (is64(m) && e >> 46 & 0x3f)
		return true;
	if (!nxe && e >> 63)
		return true;
	if (last && page_shift(m) == 21)
		return e >> 13 & 0xff;
	if (last && page_shift(m) == 30)
		return e >> 13 & 0x1ffff;
	return false;
}

static struct want reference(enum mode m, uint64_t lin, bool supervisor,
			     bool implicit, enum access kind)
{
	struct want w = { .n = 0 };
	bool user_page = true, rw = true, xd = false, pr = false, rsvd = false;
	unsigned size = entry_size(m), shift = page_shift(m);
	uint64_t at[4], e = 0;

	w.n = entries(m, lin, at);
	for (unsigned i = 0; i < w.n; i++) {
		e = rd(at[i], size);
		pr = e & 1;
		if (!pr)
			break;
		rsvd = reserved(m, i + 1 == w.n, e);
		if (rsvd)
			break;
		rw = rw && e & 2;
		user_page = user_page && e & 4;
		xd = xd || (size == 8 && e >> 63);
	}
	if (pr && !rsvd) {
		w.ok = allowed(user_page, rw, xd, supervisor, implicit, kind);
		w.read = allowed(user_page, rw, xd, supervisor, implicit,
				 ACCESS_READ);
		w.write = allowed(user_page, rw, xd, supervisor, implicit,
				  ACCESS_WRITE) &&
			  (e & PTE_D || kind == ACCESS_WRITE);
		w.exec = allowed(user_page, rw, xd, supervisor, implicit,
				 ACCESS_EXEC);
	}
	/* 4.7. */
	if (!w.ok)
		w.error = (pr ? 1u : 0) | (kind == ACCESS_WRITE ? 2u : 0) |
			(supervisor ? 0 : 4u) | (rsvd ? 8u : 0) |
			(kind == ACCESS_EXEC &&
			 ((cpu.cr4 & CR4_PAE && cpu.efer & CPU_EFER_NX) ||
			  cpu.cr4 & CR4_SMEP) ? 16u : 0);
	w.gpa = e & (size == 8 ? 0xffffffffff000 : 0xfffff000) &
		~((1ull << shift) - 1);
	if (m == M32_4M)
		w.gpa |= (e >> 13 & 0xff) << 32;
	w.gpa |= lin & ((1ull << shift) - 1);
	return w;
}

/* Who accesses: a user, a supervisor, a descriptor table. */
enum who { USER, SUPER, IMPLICIT_USER, IMPLICIT_SUPER, N_WHO };

static void set_mode(enum mode m, unsigned regs, enum who who)
{
	cpu.cr0 = CPU_CR0_PE | CPU_CR0_PG | (regs & 1 ? CPU_CR0_WP : 0);
	cpu.cr4 = (regs & 2 ? CR4_SMEP : 0) | (regs & 4 ? CR4_SMAP : 0);
	cpu.cr4 |= m > M32_4M ? CR4_PAE : m == M32_4M ? CR4_PSE : 0;
	cpu.eflags = regs & 8 ? EFL_AC : 0;
	cpu.efer = regs & 16 ? CPU_EFER_NX : 0;
	cpu.seg[CPU_CS].attr = cpu.seg[CPU_SS].attr =
		who == USER || who == IMPLICIT_USER ? 0x60 : 0;
	if (is64(m)) {
		cpu.efer |= CPU_EFER_LMA | CPU_EFER_LME;
		cpu.seg[CPU_CS].attr |= 0x2000;
	}
	cpu.cr3 = m <= M32_4M ? T2 : is64(m) ? T4 : T3;
	cpu_mode_changed(&cpu);
}

/* Bits of a fuzzed entry by number, so that all combinations can be counted. */
static uint64_t make_entry(unsigned bits, bool last, unsigned rsvd_bit,
			   unsigned size)
{
	static const uint64_t upper[] = { PTE_P, PTE_W, PTE_U, PTE_NX, 0 };
	static const uint64_t leaf[] = { PTE_P, PTE_W, PTE_U, PTE_NX, 0, PTE_A,
					 PTE_D };
	uint64_t e = 0;

	for (unsigned i = 0; i < (last ? 7 : 5); i++) {
		uint64_t bit = last ? leaf[i] : upper[i];

		if (i == 4)
			bit = 1ull << (last ? rsvd_bit : 50);
		if (bits >> i & 1 && (size == 8 || bit <= UINT32_MAX))
			e |= bit;
	}
	return e;
}

/* Large pages, all modes: an address whose parts all differ. */
static uint64_t test_lin(enum mode m)
{
	return is64(m) ? 0x00007f5a3c6d7abcu & ~0xc0000000ull :
	       0x3c6d7abcu;
}

static void set_entries(enum mode m, uint64_t lin, unsigned upper,
			unsigned leaf, unsigned rsvd)
{
	unsigned size = entry_size(m), n;
	uint64_t at[4], next[4], base = PAGE;

	n = entries(m, lin, at);
	/* Only one of those above is fuzzed: which one changes. */
	for (unsigned i = 0; i + 1 < n; i++) {
		unsigned bits = i == upper % (n - 1) ? upper : 0x7;

		next[i] = at[i + 1] & ~PAGE_MASK;
		wr(at[i], size, next[i] | make_entry(bits, false, rsvd, size));
	}
	if (page_shift(m) > 12)
		base = PTE_PS | (page_shift(m) == 30 ? 0 : 1u << 23);
	wr(at[n - 1], size, base | make_entry(leaf, true, rsvd, size));
}

static uint64_t n_cases;

static void check_slot(enum mode m, uint64_t lin, const struct want *w,
		       enum who who)
{
	const struct tlb_slot *s;
	uint64_t page = lin & ~PAGE_MASK;

	/* Device memory stays out. */
	if (w->gpa >= RAM)
		return;
	/* Those of a descriptor table are in another TLB. */
	if (who >= IMPLICIT_USER)
		return;
	(void)m;
	s = tlb_slot(&cpu, lin);
	CHECK_EQ(s->read == page, w->ok && w->read);
	CHECK_EQ(s->write == page, w->ok && w->write);
	CHECK_EQ(s->exec == page, w->ok && w->exec);
}

static void one(enum mode m, enum who who, enum access kind, uint64_t lin)
{
	enum access how = kind | (who >= IMPLICIT_USER ? ACCESS_SYSTEM : 0);
	struct want w = reference(m, lin, who != USER, who >= IMPLICIT_USER,
				  kind);
	unsigned size = entry_size(m);
	uint64_t before[4], at[4], gpa = 0;
	bool ok;

	entries(m, lin, at);
	for (unsigned i = 0; i < w.n; i++)
		before[i] = rd(at[i], size);
	mmu_flush_all(&cpu);
	ok = mmu_translate(&cpu, lin, how, &gpa);
	if (ok != w.ok || (ok && gpa != w.gpa) ||
	    (!ok && (cpu.fault.error != w.error || cpu.fault.cr2 != lin ||
		     cpu.fault.vector != EXC_PF))) {
		fprintf(stderr, "mode %d who %d kind %d cr0 %llx cr4 %llx efer "
			"%llx: %d %x %llx, wanted %d %x %llx\n", m, who, kind,
			(unsigned long long)cpu.cr0,
			(unsigned long long)cpu.cr4,
			(unsigned long long)cpu.efer, ok, cpu.fault.error,
			(unsigned long long)gpa, w.ok, w.error,
			(unsigned long long)w.gpa);
		for (unsigned i = 0; i < w.n; i++)
			fprintf(stderr, "entry %u: %llx\n", i,
				(unsigned long long)before[i]);
		exit(1);
	}
	for (unsigned i = 0; i < w.n; i++) {
		uint64_t bits = ok ? PTE_A : 0;

		if (ok && kind == ACCESS_WRITE && i + 1 == w.n)
			bits |= PTE_D;
		CHECK_EQ(rd(at[i], size), before[i] | bits);
	}
	check_slot(m, lin, &w, who);
	/* And from the TLB, whatever becomes of the tables. */
	if (ok && w.gpa < RAM) {
		uint64_t again = 0, old = rd(at[w.n - 1], size);

		wr(at[w.n - 1], size, 0);
		CHECK(mmu_translate(&cpu, lin, how, &again));
		CHECK_EQ(again, w.gpa);
		wr(at[w.n - 1], size, old);
	}
	n_cases++;
}

static void test_mode(enum mode m)
{
	/* A reserved bit of the last entry, and of any. */
	static const unsigned rsvd_of[] = { 21, 21, 50, 13, 50, 20, 29 };
	uint64_t lin = test_lin(m);

	memset(soft.ram, 0, 16 * 4096);
	if (m == MPAE || m == MPAE_2M) {
		for (unsigned i = 0; i < 4; i++)
			wr(T3 + i * 8, 8, T2 | PTE_P);
		cpu.cr4 = CR4_PAE;
		CHECK(mmu_load_pdptes(&cpu, T3));
	}
	for (unsigned regs = 0; regs < 32; regs++)
		for (unsigned who = 0; who < N_WHO; who++) {
			set_mode(m, regs, who);
			for (unsigned i = 0; i < 32 * 128; i++)
				for (enum access kind = ACCESS_READ;
				     kind <= ACCESS_EXEC; kind++) {
					set_entries(m, lin, i >> 7, i & 127,
						    rsvd_of[m]);
					one(m, who, kind, lin);
				}
		}
}

/* Bits that no mode allows in upper entries or in PDPTEs. */
static void test_reserved(void)
{
	uint64_t lin = test_lin(M64), at[4], gpa;

	memset(soft.ram, 0, 16 * 4096);
	set_mode(M64, 16, SUPER);
	for (unsigned level = 0; level < 4; level++)
		for (unsigned bit = 3; bit < 64; bit++) {
			bool rsvd = (bit >= 46 && bit < 52) ||
				    (bit == 7 && level == 0);
			bool nx = bit == 63, ok;

			if (bit >= 12 && bit < 46)
				continue;
			/* A large page then. */
			if (bit == 7 && (level == 1 || level == 2))
				continue;
			set_entries(M64, lin, 7, 7, 50);
			entries(M64, lin, at);
			wr(at[level], 8, rd(at[level], 8) | 1ull << bit);
			mmu_flush_all(&cpu);
			ok = mmu_translate(&cpu, lin, ACCESS_EXEC, &gpa);
			CHECK_EQ(ok, !rsvd && !nx);
			if (!ok)
				CHECK_EQ(cpu.fault.error,
					 rsvd ? 0x19 : 0x11);
		}
	for (unsigned bit = 0; bit < 64; bit++) {
		bool rsvd = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) ||
			    bit >= 46;

		memset(soft.ram + T3, 0, 32);
		wr(T3 + 16, 8, 1ull << bit | PTE_P);
		CHECK_EQ(mmu_load_pdptes(&cpu, T3), !rsvd);
		/* An absent one may hold anything. */
		wr(T3 + 16, 8, bit ? 1ull << bit : 0);
		CHECK(mmu_load_pdptes(&cpu, T3));
	}
}

/* A cached translation is used: is it there? */
static bool cached(uint64_t lin)
{
	return tlb_read(&cpu, lin, 1);
}

static void touch(uint64_t lin)
{
	uint64_t gpa;

	CHECK(mmu_translate(&cpu, lin, ACCESS_READ, &gpa));
	CHECK(cached(lin));
}

#define BIG	0x40200000u	/* a large page */
#define SMALL	0x40000000u	/* 4 KiB pages, one global */
#define GLOBAL	(SMALL + 0x1000u)

static void set_spaces(void)
{
	memset(soft.ram, 0, 16 * 4096);
	set_mode(M64, 1, SUPER);
	wr(T4, 8, T3 | 7);
	wr(T3 + 8, 8, T2 | 7);
	wr(T2, 8, T1 | 7);
	wr(T2 + 8, 8, 0x800000 | PTE_PS | 7);
	for (unsigned i = 0; i < 512; i++)
		wr(T1 + i * 8, 8, (PAGE + i * 4096) | 7 |
		   (i == 1 ? PTE_G : 0));
	cpu.cr4 |= CR4_PGE;
	mmu_flush_all(&cpu);
}

static void test_forgetting(void)
{
	set_spaces();
	touch(SMALL);
	touch(GLOBAL);
	touch(SMALL + 0x2000);
	mmu_flush_page(&cpu, SMALL + 0x123);
	CHECK(!cached(SMALL) && cached(GLOBAL) && cached(SMALL + 0x2000));
	mmu_flush_page(&cpu, GLOBAL);
	CHECK(!cached(GLOBAL));

	/* INVLPG of any address in a large page forgets all of it. */
	touch(BIG + 0x5000);
	touch(BIG + 0x1ff000);
	touch(SMALL + 0x3000);
	mmu_flush_page(&cpu, BIG);
	CHECK(!cached(BIG + 0x5000) && !cached(BIG + 0x1ff000));
	CHECK(cached(SMALL + 0x3000));

	/* A write of CR3 keeps global pages, a write of CR4.PGE none. */
	touch(SMALL);
	touch(GLOBAL);
	mmu_load_cr3(&cpu, T4);
	CHECK(!cached(SMALL) && cached(GLOBAL));
	mmu_flush_all(&cpu);
	CHECK(!cached(GLOBAL));

	/* More pages than slots, then all forgotten. */
	for (unsigned i = 0; i < 512; i++)
		touch(SMALL + i * 4096);
	for (unsigned i = 0; i < 512; i++)
		touch(BIG + i * 4096);
	mmu_flush_not_global(&cpu);
	for (unsigned i = 0; i < 512; i++)
		CHECK(!cached(BIG + i * 4096) &&
		      cached(SMALL + i * 4096) == (i == 1));
}

static void test_pcids(void)
{
	set_spaces();
	cpu.cr4 |= CR4_PCIDE;
	for (unsigned pcid = 0; pcid < 8; pcid++) {
		mmu_load_cr3(&cpu, T4 | pcid);
		touch(SMALL);
	}
	/* All are still there, but for the one that is loaded without bit 63. */
	for (unsigned pcid = 0; pcid < 8; pcid++) {
		mmu_load_cr3(&cpu, T4 | pcid | CR3_NO_FLUSH);
		CHECK_EQ(cpu.cr3, T4 | pcid);
		CHECK(cached(SMALL));
	}
	mmu_load_cr3(&cpu, T4 | 3);
	CHECK(!cached(SMALL));
	mmu_load_cr3(&cpu, T4 | 4 | CR3_NO_FLUSH);
	CHECK(cached(SMALL));
	mmu_flush_pcid(&cpu, 5);
	mmu_load_cr3(&cpu, T4 | 5 | CR3_NO_FLUSH);
	CHECK(!cached(SMALL));
	/* A ninth takes the place of the least recently used one. */
	mmu_load_cr3(&cpu, T4 | 77 | CR3_NO_FLUSH);
	CHECK(!cached(SMALL));
	touch(SMALL);
	mmu_load_cr3(&cpu, T4 | 4 | CR3_NO_FLUSH);
	CHECK(cached(SMALL));
	mmu_load_cr3(&cpu, T4 | 0 | CR3_NO_FLUSH);
	CHECK(!cached(SMALL));
	mmu_flush_all(&cpu);
	mmu_load_cr3(&cpu, T4 | 4 | CR3_NO_FLUSH);
	CHECK(!cached(SMALL));
}

/* Code in a page: nobody may write there unseen, in no address space. */
static void test_protect(void)
{
	uint64_t gpa, page;

	set_spaces();
	cpu.cr4 |= CR4_PCIDE;
	for (unsigned pcid = 0; pcid < 2; pcid++) {
		mmu_load_cr3(&cpu, T4 | pcid);
		CHECK(mmu_translate(&cpu, SMALL, ACCESS_WRITE, &gpa));
		CHECK(tlb_write(&cpu, SMALL, 1));
	}
	page = gpa & ~PAGE_MASK;
	mmu_protect(&soft, page + 0x1000);
	CHECK(tlb_write(&cpu, SMALL, 1));
	mmu_protect(&soft, page);
	for (unsigned pcid = 0; pcid < 2; pcid++) {
		mmu_load_cr3(&cpu, T4 | pcid | CR3_NO_FLUSH);
		CHECK(!tlb_write(&cpu, SMALL, 1) && tlb_read(&cpu, SMALL, 1));
	}
}

/* Rights that were taken away must not come back with another page's flags. */
static void test_replaced(void)
{
	uint64_t gpa;

	set_spaces();
	CHECK(mmu_translate(&cpu, SMALL, ACCESS_WRITE, &gpa));
	wr(T1, 8, PAGE | PTE_P | PTE_U | PTE_G | PTE_D);
	CHECK(mmu_translate(&cpu, SMALL, ACCESS_EXEC, &gpa));
	mmu_load_cr3(&cpu, T4);
	CHECK(!tlb_write(&cpu, SMALL, 1));
}

int main(void)
{
	soft.ram = calloc(1, RAM);
	soft.ram_size = RAM;
	soft.cpus = cpus;
	CHECK(soft.ram);
	CHECK_EQ(blocks_init(&soft), 0);
	CHECK_EQ(cpu_init(&cpu, &soft), 0);
	soft.n_cpus = 1;
	for (enum mode m = 0; m < N_MODES; m++)
		test_mode(m);
	test_reserved();
	test_forgetting();
	test_pcids();
	test_protect();
	test_replaced();
	printf("%" PRIu64 " walks as the manual has them\n", n_cases);
	cpu_fini(&cpu);
	blocks_fini(&soft);
	free(soft.ram);
	return 0;
}
