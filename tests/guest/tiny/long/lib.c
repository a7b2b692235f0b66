/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib.c - what the 64-bit guests share.  See long.h. */
#include "long.h"

struct gate {
	uint16_t low, selector, type, middle;
	uint32_t high, zero;
} idt[256];

volatile struct caught caught;
uint64_t resume, user_result;
volatile uint32_t n_started;
extern const uint8_t entries[], user_exit[];
static void (*handlers[256])(struct frame *);
static uint32_t n_checks;
const char *args = "";

void long_main(void);
void interrupt(struct frame *f);

/* The compiler may call these by name. */
void *memcpy(void *to, const void *from, uint64_t len)
{
	void *end = to;

	__asm__ volatile("rep movsb" : "+D"(end), "+S"(from), "+c"(len) : :
			 "memory");
	return to;
}

void *memset(void *to, int byte, uint64_t len)
{
	void *end = to;

	__asm__ volatile("rep stosb" : "+D"(end), "+c"(len) : "a"(byte) :
			 "memory");
	return to;
}

void expect(const char *what, uint64_t got, uint64_t want)
{
	n_checks++;
	if (got == want)
		return;
	put(what);
	put(": ");
	put_hex(got);
	put(", wanted ");
	put_hex(want);
	put("\n");
}

void done(const char *what)
{
	put(what);
	put(": ");
	put_dec(n_checks);
	put(" checks\n");
	n_checks = 0;
}

void gate_set(uint8_t vector, const void *entry, uint32_t type_dpl)
{
	uint64_t at = (uint64_t)entry;

	idt[vector] = (struct gate){ (uint16_t)at, 8, (uint16_t)type_dpl,
				     (uint16_t)(at >> 16),
				     (uint32_t)(at >> 32), 0 };
}

void on(uint8_t vector, void (*handler)(struct frame *f))
{
	handlers[vector] = handler;
}

static void keep(const struct frame *f)
{
	caught.vector = (uint32_t)f->vector;
	caught.error = (uint32_t)f->error;
	caught.cr2 = read_cr2();
	caught.rip = f->rip;
	caught.rflags = f->rflags;
}

void interrupt(struct frame *f)
{
	if (handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	keep(f);
	if (f->vector < 32 && f->cs & 3) {
		f->rip = (uint64_t)user_exit;
		f->cs = 8;
		f->ss = 0x10;
		f->rsp = user_back;
		f->rax = 0;
		f->rflags = 2;
		return;
	}
	if (f->vector < 32 && resume) {
		f->rip = resume;
		f->rflags &= ~0x100ull;
		resume = 0;
		return;
	}
	put("unexpected interrupt ");
	put_dec(f->vector);
	put(" at ");
	put_hex(f->rip);
	put(", error ");
	put_hex(f->error);
	put(", CR2 ");
	put_hex(read_cr2());
	put("\n");
	power_off();
}

uint32_t user_try(uint64_t (*fn)(uint64_t), uint64_t arg, uint64_t rflags)
{
	caught.vector = NONE;
	user_result = user_run(fn, arg, rflags | 2);
	return caught.vector;
}

uint32_t rdmsr_try(uint32_t index, uint64_t *v)
{
	uint32_t low = 0, high = 0;

	caught.vector = NONE;
	__asm__ volatile("leaq 1f(%%rip), %%r11\n\t"
			 "movq %%r11, resume(%%rip)\n\t"
			 "rdmsr\n"
			 "1: movq $0, resume(%%rip)"
			 : "+a"(low), "+d"(high) : "c"(index) :
			 "r11", "memory");
	*v = low | (uint64_t)high << 32;
	return caught.vector;
}

uint32_t wrmsr_try(uint32_t index, uint64_t v)
{
	return TRY("wrmsr", "c"(index), "a"((uint32_t)v),
		   "d"((uint32_t)(v >> 32)));
}

void tss_rsp0(uint64_t rsp)
{
	memcpy(tss + 4, &rsp, 8);
}

void start_others(uint32_t n)
{
	memcpy((void *)0x8000, ap_start, (uint64_t)(ap_end - ap_start));
	lapic_write(0x300, 0xc4500);
	for (uint32_t i = 0; i < 10000; i++)
		inb(0x80);
	lapic_write(0x300, 0xc4608);
	while (n_started < n)
		pause();
}

/* The command line of multiboot, behind the kernel's name. */
static const char *find_args(void)
{
	const uint32_t *info = (const uint32_t *)(uint64_t)boot_info;
	const char *text = "";

	if (info[0] & 4)
		text = (const char *)(uint64_t)info[4];
	while (*text && *text != ' ')
		text++;
	return *text ? text + 1 : text;
}

static void mask_pics(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void long_main(void)
{
	uint64_t base = (uint64_t)tss;
	uint16_t map = 104;

	for (uint32_t i = 0; i < 256; i++)
		gate_set((uint8_t)i, entries + i * 16, 0x8e00);
	gate_set(0x80, user_exit, 0xee00);
	memcpy(tss + 102, &map, 2);
	gdt[8] = 103 | (base & 0xffffff) << 16 | 0x89ull << 40 |
		(base >> 24 & 0xff) << 56;
	gdt[9] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(0x40) : "memory");
	lapic_write(0xf0, 0x1ff);
	mask_pics();
	args = find_args();
	guest_main();
	power_off();
}
