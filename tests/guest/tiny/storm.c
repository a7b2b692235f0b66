/* SPDX-License-Identifier: GPL-2.0-or-later */
/* storm.c - a guest that reads and writes every port, all device memory and all
 * PCI configuration in every width, by a fixed random sequence.  The machine
 * survives, and still does what is asked of it afterwards.
 *
 * Left out is only what ends the machine or this CPU, or garbles what it says.
 */
#include "virtio.h"

#define PM_FUNCTION	0x0b00u		/* 00:01.3 */
#define PM_BASE_REG	0x40u
#define PM_IO_REG	0x80u
#define LAPIC_LEN	0x1000u

static uint32_t state = 1;

/* xorshift */
static uint32_t some(void)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void ignore(void)
{
}

/* COM1, resets, the power management's control register, isa-debug-exit. */
static bool harmless(uint32_t port, uint32_t len)
{
	static const struct { uint16_t first, last; } not[] = {
		{ 0x3f8, 0x3ff }, { 0x60, 0x64 }, { 0x92, 0x92 },
		{ 0xcf9, 0xcf9 }, { 0x604, 0x605 }, { 0xf4, 0xf7 },
		{ 0xcfc, 0xcff },
	};

	for (uint32_t i = 0; i < sizeof(not) / sizeof(not[0]); i++) {
		if (port <= not[i].last && port + len > not[i].first)
			return false;
	}
	return true;
}

static void port_access(uint32_t port)
{
	uint32_t v = some(), kind = v >> 29;

	if (kind < 3 && harmless(port, 4))
		outl((uint16_t)port, some());
	else if (kind == 3 && harmless(port, 2))
		outw((uint16_t)port, (uint16_t)v);
	else if (kind == 4 && harmless(port, 1))
		outb((uint16_t)port, (uint8_t)v);
	else if (kind == 5)
		inl((uint16_t)port);
	else if (kind == 6)
		inw((uint16_t)port);
	else if (kind == 7)
		inb((uint16_t)port);
}

/* Ports all over; then those below 0x1000 again, where most are. */
static void ports(void)
{
	for (uint32_t port = 0; port < 0x10000; port += 1 + some() % 8)
		port_access(port);
	for (uint32_t i = 0; i < 10000; i++)
		port_access(some() & 0xfff);
	for (uint32_t i = 0; i < 5000; i++)
		port_access(0x500 + (some() & 0x1f));	/* fw_cfg */
	put("ports: survived\n");
}

/* INIT and its like, to or from this CPU, would end the storm. */
static uint32_t tame(uint32_t addr, uint32_t v)
{
	if (addr >= LAPIC && addr < LAPIC + LAPIC_LEN)
		return (addr & 0xff0) == 0x300 || (addr & 0xff0) >= 0x320 ?
			v & ~0x700u : v;
	return addr >= IOAPIC && addr < IOAPIC + 0x100 ? v & ~0x700u : v;
}

static void memory_access(uint32_t addr)
{
	uint32_t v = some(), kind = v >> 29;

	if (kind < 3)
		mmio_write(addr & ~3u, tame(addr, some()));
	else if (addr >= LAPIC && addr < LAPIC + LAPIC_LEN)
		mmio_read(addr & ~15u);		/* others are undefined there */
	else if (kind == 3)
		*(volatile uint16_t *)addr = (uint16_t)tame(addr, v);
	else if (kind == 4)
		*(volatile uint8_t *)addr = (uint8_t)v;
	else if (kind == 5)
		mmio_read(addr);
	else if (kind == 6)
		(void)*(volatile uint16_t *)addr;
	else
		(void)*(volatile uint8_t *)addr;
}

static void device_memory(uint32_t first, uint32_t len, uint32_t times)
{
	for (uint32_t i = 0; i < times; i++)
		memory_access(first + some() % len);
}

/* All BARs of bus 0. */
static void bars(void)
{
	for (uint32_t fn = 0; fn < PCI_N_FUNCTIONS << 8; fn += 0x100) {
		if (pci_read(fn, 0) == 0xffffffff ||
		    pci_read(fn, 8) >> 24 == 6)
			continue;
		for (uint32_t i = 0; i < 6; i++) {
			if (pci_bar(fn, i) >= 0xc0000000)
				device_memory(pci_bar(fn, i), 0x4010, 1500);
		}
	}
	put("BARs: survived\n");
}

static void others(void)
{
	device_memory(0xfec00000, 0x1010, 2000);	/* IOAPIC */
	device_memory(0xfed20000, 0x1000, 5000);	/* virtio-mmio */
	device_memory(0xfed00000, 0x10000, 1000);
	device_memory(LAPIC, LAPIC_LEN, 2000);
	device_memory(0xfffe0000, 0x1fff0, 1000);	/* the ROM's place */
	device_memory(0xa0000, 0x20000, 2000);
	for (uint32_t i = 0; i < 5000; i++)
		memory_access((some() | 0xc0000000) & ~0x00e00000u);
	put("device memory: survived\n");
}

/* All registers of all functions, but where the power management lies. */
static void configuration(void)
{
	for (uint32_t i = 0; i < 8000; i++) {
		uint32_t fn = some() % 48 << 8, reg = some() & 0xff;
		uint32_t width = some() & 3;

		if (fn == PM_FUNCTION && ((reg & ~3u) == PM_BASE_REG ||
					  (reg & ~3u) == PM_IO_REG))
			continue;
		outl(0xcf8, 1u << 31 | fn | (reg & 0xfc));
		if (width == 0)
			outb((uint16_t)(0xcfc + (reg & 3)), (uint8_t)some());
		else if (width == 1)
			outw((uint16_t)(0xcfc + (reg & 2)), (uint16_t)some());
		else if (width == 2)
			outl(0xcfc, some());
		else
			inl((uint16_t)(0xcfc + (reg & 3)));
	}
	put("PCI configuration: survived\n");
}

static void move_power_management(void)
{
	static const uint16_t places[] = { 0x0, 0x40, 0x3c0, 0xcc0, 0xffc0 };

	for (uint32_t i = 0; i < sizeof(places) / 2; i++) {
		pci_write(PM_FUNCTION, PM_BASE_REG, places[i] | 1u);
		inl((uint16_t)(places[i] + 8));
	}
	pci_write(PM_FUNCTION, PM_BASE_REG, 0x601);
	pci_write(PM_FUNCTION, PM_IO_REG, 1);
	check("the PM timer moves", pm_ticks() != pm_ticks() ||
	      pm_ticks() != pm_ticks(), 1);
}

void guest_main(void)
{
	for (uint32_t i = 0; i < 256; i++)
		idt_set((uint8_t)i, ignore);
	ports();
	bars();
	others();
	configuration();
	bars();
	move_power_management();
}
