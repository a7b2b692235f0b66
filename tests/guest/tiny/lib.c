/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib.c - what the tests' own guests share.  See tiny.h. */
#include "tiny.h"

#define PM_BASE	0x600u

const char *args = "";
uint32_t boot_magic, boot_info;

extern const uint8_t entries[];
struct gate { uint16_t low, selector, type, high; } idt[256];
static void (*handlers[256])(void);

void tiny_main(uint32_t magic, uint32_t info);
void interrupt(uint32_t vector);

void check(const char *what, uint32_t got, uint32_t want)
{
	put(what);
	if (got == want) {
		put(": ok\n");
		return;
	}
	put(": ");
	put_hex(got);
	put(", wanted ");
	put_hex(want);
	put("\n");
}

int same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

int has_arg(const char *word)
{
	const char *a = args, *w;

	while (*a) {
		for (w = word; *w && *a == *w; a++)
			w++;
		if (!*w && (*a == ' ' || !*a))
			return 1;
		while (*a && *a != ' ')
			a++;
		while (*a == ' ')
			a++;
	}
	return 0;
}

/* The compiler may call these by name. */
void *memcpy(void *to, const void *from, uint32_t len);
void *memset(void *to, int byte, uint32_t len);

void *memcpy(void *to, const void *from, uint32_t len)
{
	copy(to, from, len);
	return to;
}

void *memset(void *to, int byte, uint32_t len)
{
	fill(to, (uint8_t)byte, len);
	return to;
}

void copy(void *to, const void *from, uint32_t len)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : :
			 "memory");
}

void fill(void *to, uint8_t byte, uint32_t len)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(len) : "a"(byte) :
			 "memory");
}

void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

void interrupt(uint32_t vector)
{
	if (handlers[vector]) {
		handlers[vector]();
		return;
	}
	put("unexpected interrupt ");
	put_dec(vector);
	put("\n");
	if (vector < 32)
		halt();
}

void idt_set(uint8_t vector, void (*handler)(void))
{
	handlers[vector] = handler;
}

/* ICW1 to ICW4: edge, cascade, 8086 mode. */
void pic_init(uint8_t first, uint16_t unmasked)
{
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, first);
	outb(0xa1, (uint8_t)(first + 8));
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0x21, (uint8_t)~unmasked);
	outb(0xa1, (uint8_t)(~unmasked >> 8));
}

uint32_t pm_ticks(void)
{
	return inl(PM_BASE + 8) & 0xffffff;
}

void pm_wait(uint32_t ticks)
{
	uint32_t start = pm_ticks();

	while (((pm_ticks() - start) & 0xffffff) < ticks)
		;
}

void lapic_enable(void)
{
	lapic_write(LAPIC_SVR, 0x1ff);
}

void ioapic_write(uint32_t reg, uint32_t v)
{
	mmio_write(IOAPIC, reg);
	mmio_write(IOAPIC + 0x10, v);
}

uint32_t ioapic_read(uint32_t reg)
{
	mmio_write(IOAPIC, reg);
	return mmio_read(IOAPIC + 0x10);
}

/* The command line of either protocol, behind the kernel's name. */
static const char *find_args(void)
{
	const uint32_t *info = (const uint32_t *)boot_info;
	const char *text = "";

	if (boot_magic == MAGIC_PVH)
		return info[6] ? (const char *)info[6] : "";
	if (info[0] & 4)
		text = (const char *)info[4];
	while (*text && *text != ' ')
		text++;
	return *text ? text + 1 : text;
}

void tiny_main(uint32_t magic, uint32_t info)
{
	boot_magic = magic;
	boot_info = info;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t at = (uint32_t)entries + i * 16;

		idt[i] = (struct gate){ (uint16_t)at, 8, 0x8e00,
					(uint16_t)(at >> 16) };
	}
	pic_init(0x20, 0);
	args = find_args();
	guest_main();
	power_off();
}
