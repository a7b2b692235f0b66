/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io.h - ports, device memory and speech for guests of 32 and of 64 bits. */
#ifndef IO_H
#define IO_H

#include <stdint.h>

static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

#define LAPIC	0xfee00000u
#define IOAPIC	0xfec00000u

static inline uint32_t mmio_read(uintptr_t addr)
{
	return *(volatile uint32_t *)addr;
}

static inline void mmio_write(uintptr_t addr, uint32_t v)
{
	*(volatile uint32_t *)addr = v;
}

static inline uint32_t lapic_read(uint32_t reg)
{
	return mmio_read(LAPIC + reg);
}

static inline void lapic_write(uint32_t reg, uint32_t v)
{
	mmio_write(LAPIC + reg, v);
}

/* lib_say.c: by COM1. */
void put(const char *text);
void put_hex(unsigned long n);
void put_dec(unsigned long n);
void power_off(void) __attribute__((noreturn));

#endif
