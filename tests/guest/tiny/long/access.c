/* SPDX-License-Identifier: GPL-2.0-or-later */
/* access.c - every combination of the bits of page tables that decide about an
 * access, against the rules of the manual: Intel SDM volume 3, 4.6 and 4.7.  The
 * first argument is how many combinations to go on by; 1 tries all.
 */
#include "long.h"

/* access.S */
#define ATTEMPT_OK	0x100u
uint32_t attempt(uint64_t lin, uint32_t how);
extern const uint8_t attempt_fault[], attempt_user_end[];

#define P	0x01u
#define W	0x02u
#define U	0x04u
#define A	0x20u
#define D	0x40u
#define PS	0x80u
#define NX	(1ull << 63)
#define E_P	0x01u
#define E_W	0x02u
#define E_U	0x04u
#define E_RSVD	0x08u
#define E_FETCH	0x10u
#define CR0_WP	0x10000u
#define EFER	0xc0000080u
#define EFER_NX	0x800u
#define SMEP	(1u << 20)
#define SMAP	(1u << 21)

#define LIN	0xffff923400000000ull
#define PHYS	0x2000000ull	/* one page of code and data, */
#define TABLES	0x2200000ull	/* and its tables */

/* The dimensions, the fastest first. */
enum {
	PTE_W, PTE_U, PTE_A, PTE_D, PTE_NX, PTE_P, PTE_RSVD,
	PDE_W, PDE_U, PDE_A, PDE_D, PDE_PS, PDE_NX, PDE_P, PDE_RSVD,
	PDE_RSVD_PS, PDPTE_RO, ACCESS_U, ACCESS_W, ACCESS_FETCH, TWICE,
	CPU_NX, CPU_WP, N_BITS,
};
#define BIT(n) (1u << (n))
#define HAS(n) (c & BIT(n))

static uint64_t *const pdpt = (uint64_t *)TABLES;
static uint64_t *const dir = (uint64_t *)(TABLES + 0x1000);
static uint64_t *const table = (uint64_t *)(TABLES + 0x2000);
static uint64_t smep_smap;
static uint32_t n_wrong;

struct outcome {
	uint32_t error;		/* or ATTEMPT_OK */
	uint64_t pde, pte;
	int a_either;		/* the directory's A may be set or not */
};

/* Makes sense, and was not there with other bits. */
static int is_wanted(uint32_t c)
{
	if (HAS(ACCESS_W) && HAS(ACCESS_FETCH))
		return 0;
	return !(HAS(PDE_RSVD_PS) && !HAS(PDE_PS));
}

static uint64_t bits(uint32_t c, unsigned w, unsigned p)
{
	static const uint64_t bit[] = { W, U, A, D };
	uint64_t v = HAS(p) ? P : 0;

	for (unsigned i = 0; i < 4; i++)
		if (c & BIT(w + i))
			v |= bit[i];
	return v;
}

static void build(uint32_t c)
{
	uint64_t pde = bits(c, PDE_W, PDE_P), pte = bits(c, PTE_W, PTE_P);

	pde |= HAS(PDE_PS) ? PHYS | PS : (uint64_t)table;
	pde |= (HAS(PDE_NX) ? NX : 0) | (HAS(PDE_RSVD) ? 1ull << 51 : 0) |
		(HAS(PDE_RSVD_PS) ? 1 << 13 : 0);
	pte |= PHYS | (HAS(PTE_NX) ? NX : 0) |
		(HAS(PTE_RSVD) ? 1ull << 51 : 0);
	pdpt[LIN >> 30 & 511] = (uint64_t)dir | P | U | A |
		(HAS(PDPTE_RO) ? 0 : W);
	dir[LIN >> 21 & 511] = pde;
	table[LIN >> 12 & 511] = pte;
}

/* What one access does to *o. */
static void predict(uint32_t c, struct outcome *o)
{
	int user = HAS(ACCESS_U), write = HAS(ACCESS_W);
	int fetch = HAS(ACCESS_FETCH), nx = HAS(CPU_NX), large = HAS(PDE_PS);
	int page_u = HAS(PDE_U) && (large || HAS(PTE_U));
	int page_w = HAS(PDE_W) && !HAS(PDPTE_RO) && (large || HAS(PTE_W));
	int page_nx = HAS(PDE_NX) || (!large && HAS(PTE_NX));
	uint32_t e = (write ? E_W : 0) | (user ? E_U : 0);
	int no;

	o->a_either = 0;
	if (fetch && (nx || smep_smap & SMEP))
		e |= E_FETCH;
	o->error = e;
	if (!HAS(PDE_P))
		return;
	o->error = e | E_P | E_RSVD;
	if (HAS(PDE_RSVD) || HAS(PDE_RSVD_PS) || (HAS(PDE_NX) && !nx))
		return;
	o->a_either = 1;
	if (!large) {
		o->error = e;
		if (!HAS(PTE_P))
			return;
		o->error = e | E_P | E_RSVD;
		if (HAS(PTE_RSVD) || (HAS(PTE_NX) && !nx))
			return;
	}
	no = (user && !page_u) || (fetch && page_nx) ||
	     (write && !page_w && (user || HAS(CPU_WP)));
	if (!user && page_u)
		no |= fetch ? smep_smap & SMEP : smep_smap & SMAP;
	o->error = no ? e | E_P : ATTEMPT_OK;
	if (no)
		return;
	o->a_either = 0;
	o->pde |= A | (large && write ? D : 0);
	if (!large)
		o->pte |= A | (write ? D : 0);
}

static void tell(const char *what, uint32_t c, uint64_t got, uint64_t want)
{
	if (n_wrong++ > 10)
		return;
	put("combination ");
	put_hex(c);
	put(", ");
	put(what);
	put(": ");
	put_hex(got);
	put(", wanted ");
	put_hex(want);
	put("\n");
}

static void one(uint32_t c)
{
	uint64_t *pde = &dir[LIN >> 21 & 511], *pte = &table[LIN >> 12 & 511];
	struct outcome o;
	uint32_t error;

	build(c);
	*(volatile uint8_t *)PHYS = 0xc3;
	invlpg(LIN);
	o.pde = *pde;
	o.pte = *pte;
	if (HAS(TWICE)) {
		predict(c & ~(BIT(ACCESS_U) | BIT(ACCESS_W) |
			      BIT(ACCESS_FETCH)), &o);
		attempt(LIN, 0);
	}
	predict(c, &o);
	error = attempt(LIN, (c >> ACCESS_W & 1) | (c >> ACCESS_FETCH & 1) << 1 |
			     (c >> ACCESS_U & 1) << 2);
	if (error != o.error)
		tell("error", c, error, o.error);
	if (*pte != o.pte)
		tell("entry", c, *pte, o.pte);
	if (o.a_either)
		o.pde |= *pde & A;
	if (*pde != o.pde)
		tell("directory", c, *pde, o.pde);
}

static void set_mode(uint32_t c)
{
	uint64_t efer = rdmsr(EFER);

	write_cr0(HAS(CPU_WP) ? read_cr0() | CR0_WP : read_cr0() & ~CR0_WP);
	wrmsr(EFER, HAS(CPU_NX) ? efer | EFER_NX : efer & ~EFER_NX);
}

static void run(const char *what, uint32_t step, uint32_t skip)
{
	uint32_t mode = UINT32_MAX, n = 0;

	for (uint32_t c = 0; c < BIT(N_BITS); c++) {
		if (c & skip || !is_wanted(c) || n++ % step)
			continue;
		if (c >> CPU_NX != mode) {
			mode = c >> CPU_NX;
			set_mode(c);
		}
		one(c);
	}
	set_mode(UINT32_MAX);
	expect(what, n_wrong, 0);
}

/* The code's own pages, for SMEP and SMAP; ring 3 has none then. */
static void own_pages(uint64_t set, uint64_t clear)
{
	for (unsigned i = 0; i < 32; i++)
		pd[i] = (pd[i] | set) & ~clear;
	write_cr3(read_cr3());
}

static void run_cr4(const char *what, uint64_t cr4, uint32_t step)
{
	smep_smap = cr4;
	own_pages(0, U);
	write_cr4(read_cr4() | cr4);
	run(what, step, BIT(ACCESS_U));
	write_cr4(read_cr4() & ~cr4);
	own_pages(U, 0);
	smep_smap = 0;
}

static uint32_t number(const char **text)
{
	uint32_t n = 0;

	for (; **text >= '0' && **text <= '9'; (*text)++)
		n = n * 10 + (uint32_t)(**text - '0');
	return n ? n : 1;
}

void guest_main(void)
{
	uint32_t step = number(&args);

	gate_set(PF, attempt_fault, 0x8e00);
	gate_set(0x81, attempt_user_end, 0xee00);
	memset((void *)TABLES, 0, 0x3000);
	pml4[LIN >> 39 & 511] = (uint64_t)pdpt | P | W | U;
	run("all", step, 0);
	if (has(7, 1, 7))
		run_cr4("SMEP", SMEP, step);
	if (has(7, 1, 20))
		run_cr4("SMAP", SMAP, step);
	done("access");
}
