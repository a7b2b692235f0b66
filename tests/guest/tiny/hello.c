/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello.c - says how it was started and with what, and ends in the way that its
 * first argument names.
 */
#include "tiny.h"

static void triple_fault(void)
{
	static const struct { uint16_t len; uint32_t at; }
		__attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0; ud2" : : "m"(none));
}

static void reset_by_keyboard(void)
{
	while (inb(0x64) & 2)
		;
	outb(0x64, 0xfe);
}

/* Multiboot: the modules, by their bytes and their command lines. */
static void put_modules(void)
{
	const uint32_t *info = (const uint32_t *)boot_info;
	const uint32_t *module = (const uint32_t *)info[6];
	static char text[64];

	for (uint32_t i = 0; i < info[5]; i++, module += 4) {
		const char *line = (const char *)module[2];
		uint32_t len = module[1] - module[0];

		while (*line && *line != ' ')
			line++;
		copy(text, (const void *)module[0], len < 63 ? len : 63);
		text[len < 63 ? len : 63] = 0;
		put("module:");
		put(line);
		put(": ");
		put(text);
		put("\n");
	}
}

/* PVH: the same. */
static void put_pvh_modules(void)
{
	const uint32_t *info = (const uint32_t *)boot_info;
	const uint32_t *module = (const uint32_t *)info[4];

	check("version", info[1], 1);
	for (uint32_t i = 0; i < info[3]; i++, module += 8) {
		static char text[64];

		copy(text, (const void *)module[0], module[2]);
		put("module: ");
		put(text);
		put("\n");
	}
}

void guest_main(void)
{
	put(boot_magic == MAGIC_MULTIBOOT ? "multiboot" :
	    boot_magic == MAGIC_PVH ? "pvh" : "unknown");
	put(", arguments: ");
	put(args);
	put("\n");
	if (boot_magic == MAGIC_MULTIBOOT)
		put_modules();
	else
		put_pvh_modules();
	if (same(args, "halt"))
		halt();
	else if (same(args, "keyboard"))
		reset_by_keyboard();
	else if (same(args, "cf9"))
		outb(0xcf9, 6);
	else if (same(args, "port92"))
		outb(0x92, inb(0x92) | 1);
	else if (same(args, "triple"))
		triple_fault();
	else if (same(args, "exit"))
		outb(0xf4, 0x15);
	else if (same(args, "exit-0"))
		outb(0xf4, 0);
	else if (!same(args, "forever"))
		power_off();
	/* The machine may need a moment for a reset. */
	for (;;)
		__asm__ volatile("pause");
}
