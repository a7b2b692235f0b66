/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib_say.c - what guests of 32 and of 64 bits say, and how they end.  See io.h. */
#include "io.h"

#define COM1	0x3f8u
#define PM_BASE	0x600u

static void put_char(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

void put(const char *text)
{
	for (; *text; text++)
		put_char(*text);
}

void put_hex(unsigned long n)
{
	put("0x");
	for (int i = (uint64_t)n >> 32 ? 60 : 28; i >= 0; i -= 4)
		put_char("0123456789abcdef"[(uint64_t)n >> i & 15]);
}

void put_dec(unsigned long n)
{
	if (n > 9)
		put_dec(n / 10);
	put_char((char)('0' + n % 10));
}

void power_off(void)
{
	outw(PM_BASE + 4, 1 << 13);
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}
