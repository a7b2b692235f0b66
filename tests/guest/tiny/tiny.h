/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tiny.h - what the tests' own guests share: they run in 32-bit protected mode
 * with flat segments and no paging, and speak through COM1.
 */
#ifndef TINY_H
#define TINY_H

#include "io.h"

/* Sleep until an interrupt: none is lost in between. */
static inline void wait_irq(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* What a guest defines. */
void guest_main(void);

/* lib.c */
extern const char *args;	/* the command line without the file's name */
extern uint32_t boot_magic, boot_info;

#define MAGIC_MULTIBOOT	0x2badb002u
#define MAGIC_PVH	0x336ec578u

/* "what: ok", or what was found; then the guest goes on. */
void check(const char *what, uint32_t got, uint32_t want);
int same(const char *a, const char *b);
int has_arg(const char *word);	/* among args, between spaces */
void copy(void *to, const void *from, uint32_t len);
void fill(void *to, uint8_t byte, uint32_t len);
void halt(void) __attribute__((noreturn));

/* Interrupts: `handler` gets those of `vector`; the others are reported. */
void idt_set(uint8_t vector, void (*handler)(void));
void pic_init(uint8_t first_vector, uint16_t unmasked);

/* The ACPI PM timer: 3579545 Hz, 24 bits. */
uint32_t pm_ticks(void);
void pm_wait(uint32_t ticks);

/* The local APIC of the CPU that asks. */
#define LAPIC_ID	0x20u
#define LAPIC_EOI	0xb0u
#define LAPIC_SVR	0xf0u
#define LAPIC_ICR	0x300u
#define LAPIC_ICR_HIGH	0x310u
#define LAPIC_TIMER	0x320u
#define LAPIC_TIMER_COUNT 0x380u
#define LAPIC_TIMER_NOW	0x390u
#define LAPIC_TIMER_DIVIDE 0x3e0u

void lapic_enable(void);

/* The IOAPIC, by its indirect registers. */
void ioapic_write(uint32_t reg, uint32_t v);
uint32_t ioapic_read(uint32_t reg);

#endif
