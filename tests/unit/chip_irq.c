/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chip_irq.c - the 8259 pair and the I/O APIC, as the data sheets say. */
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "vmm/chip/ioapic.h"

static struct vm *vm;

static void outb(unsigned port, unsigned value)
{
	bus_write(vm, BUS_PIO, port, 1, value);
}

static unsigned inb(unsigned port)
{
	return (unsigned)bus_read(vm, BUS_PIO, port, 1);
}

static void line(unsigned n, bool level)
{
	struct irq_line irq = irq_isa(vm, n);

	irq_set(&irq, level);
}

static void pulse(unsigned n)
{
	line(n, true);
	line(n, false);
}

/* As Linux does it: vectors 0x30 and 0x38. */
static void init(unsigned icw4)
{
	for (unsigned n = 0; n < 16; n++)
		line(n, false);
	outb(0x20, 0x11);
	outb(0x21, 0x30);
	outb(0x21, 4);
	outb(0x21, icw4);
	outb(0xa0, 0x11);
	outb(0xa1, 0x38);
	outb(0xa1, 2);
	outb(0xa1, icw4 & ~0x10u);
	outb(0x4d0, 0);
	outb(0x4d1, 0);
}

static unsigned isr(unsigned port)
{
	outb(port, 0x0b);
	return inb(port);
}

static unsigned irr(unsigned port)
{
	outb(port, 0x0a);
	return inb(port);
}

static void test_edges_and_levels(void)
{
	struct fakevm *f = fakevm_of(vm);

	init(1);
	CHECK_EQ(f->ext_int, false);
	CHECK_EQ(irq_ack_pic(vm), -1);
	/* An edge is taken once, also while the line stays high. */
	line(5, true);
	CHECK_EQ(f->ext_int, true);
	CHECK_EQ(irr(0x20), 0x20);
	CHECK_EQ(irq_ack_pic(vm), 0x35);
	CHECK_EQ(isr(0x20), 0x20);
	CHECK_EQ(f->ext_int, false);
	outb(0x20, 0x20);
	CHECK_EQ(isr(0x20), 0);
	CHECK_EQ(f->ext_int, false);
	line(5, false);
	line(5, true);
	CHECK_EQ(f->ext_int, true);
	/* ICW1 forgets edges; a line that is high must fall first. */
	init(1);
	line(5, true);
	outb(0x20, 0x11);
	CHECK_EQ(irr(0x20), 0);
	init(1);
	/* A level asks again until it is gone. */
	outb(0x4d0, 0xff);
	outb(0x4d1, 0xff);
	CHECK_EQ(inb(0x4d0), 0xf8);
	CHECK_EQ(inb(0x4d1), 0xde);
	line(10, true);
	CHECK_EQ(irq_ack_pic(vm), 0x3a);
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
	CHECK_EQ(irq_ack_pic(vm), 0x3a);
	line(10, false);
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
	CHECK_EQ(f->ext_int, false);
	/* A level that went away before it was taken leaves nothing. */
	pulse(10);
	CHECK_EQ(irq_pic_pending(vm), false);
	CHECK_EQ(irq_ack_pic(vm), -1);
}

static void test_priorities(void)
{
	init(1);
	pulse(7);
	pulse(3);
	pulse(12);
	CHECK_EQ(irq_ack_pic(vm), 0x3c);
	CHECK_EQ(isr(0x20), 0x04);
	CHECK_EQ(isr(0xa0), 0x10);
	/* Within the slave a more urgent one waits for the master's EOI. */
	pulse(9);
	CHECK_EQ(irq_ack_pic(vm), -1);
	outb(0x20, 0x62);
	CHECK_EQ(irq_ack_pic(vm), 0x39);
	outb(0xa0, 0x20);
	outb(0xa0, 0x20);
	CHECK_EQ(isr(0xa0), 0);
	outb(0x20, 0x20);
	CHECK_EQ(irq_ack_pic(vm), 0x33);
	CHECK_EQ(irq_ack_pic(vm), -1);
	pulse(1);
	CHECK_EQ(irq_ack_pic(vm), 0x31);
	CHECK_EQ(isr(0x20), 0x0a);
	outb(0x20, 0x20);		/* the more urgent one first */
	CHECK_EQ(isr(0x20), 0x08);
	outb(0x20, 0x63);
	CHECK_EQ(irq_ack_pic(vm), 0x37);
	outb(0x20, 0xa0);		/* and 7 is the least urgent: as it was */
	/* Input 5 becomes the least urgent one, 6 the most. */
	outb(0x20, 0xc5);
	pulse(5);
	pulse(6);
	pulse(0);
	CHECK_EQ(irq_ack_pic(vm), 0x36);
	outb(0x20, 0xa0);		/* now 6 is last, 7 first */
	CHECK_EQ(irq_ack_pic(vm), 0x30);
	outb(0x20, 0x20);
	CHECK_EQ(irq_ack_pic(vm), 0x35);
	/* A masked one waits. */
	init(1);
	outb(0x21, 0x10);
	pulse(4);
	CHECK_EQ(irq_ack_pic(vm), -1);
	CHECK_EQ(inb(0x21), 0x10);
	outb(0x21, 0);
	CHECK_EQ(irq_ack_pic(vm), 0x34);
	/* A request of the slave's that is masked there is none any more. */
	init(1);
	pulse(11);
	CHECK_EQ(irq_pic_pending(vm), true);
	outb(0xa1, 0x08);
	CHECK_EQ(irq_pic_pending(vm), false);
	CHECK_EQ(fakevm_of(vm)->ext_int, false);
}

static void test_modes(void)
{
	/* Automatic EOI, and with rotation. */
	init(3);
	outb(0x20, 0x80);
	pulse(0);
	pulse(1);
	CHECK_EQ(irq_ack_pic(vm), 0x30);
	CHECK_EQ(isr(0x20), 0);
	pulse(0);
	CHECK_EQ(irq_ack_pic(vm), 0x31);
	CHECK_EQ(irq_ack_pic(vm), 0x30);
	/* Special mask: a masked one in service holds up nobody. */
	init(1);
	pulse(3);
	CHECK_EQ(irq_ack_pic(vm), 0x33);
	outb(0x20, 0x68);
	outb(0x21, 0x08);
	pulse(6);
	CHECK_EQ(irq_ack_pic(vm), 0x36);
	outb(0x20, 0x20);		/* does not reach the masked one */
	CHECK_EQ(isr(0x20), 0x08);
	outb(0x20, 0x20);
	CHECK_EQ(isr(0x20), 0x08);
	outb(0x20, 0x48);
	CHECK_EQ(isr(0x20), 0x08);
	outb(0x20, 0x20);
	CHECK_EQ(isr(0x20), 0);
	/* Special fully nested: the slave interrupts its own service, and
	 * nobody who is less urgent does.
	 */
	init(0x11);
	pulse(12);
	CHECK_EQ(irq_ack_pic(vm), 0x3c);
	pulse(4);
	CHECK_EQ(irq_ack_pic(vm), -1);
	pulse(13);
	CHECK_EQ(irq_ack_pic(vm), -1);
	pulse(8);
	CHECK_EQ(irq_ack_pic(vm), 0x38);
	/* Poll takes the request, from either port. */
	init(1);
	outb(0x20, 0x0c);
	CHECK_EQ(inb(0x20), 0);
	pulse(14);
	pulse(6);
	outb(0x20, 0x0c);
	CHECK_EQ(inb(0x21), 0x82);
	outb(0xa0, 0x0c);
	CHECK_EQ(inb(0xa0), 0x86);
	CHECK_EQ(isr(0xa0), 0x40);
	CHECK_EQ(inb(0x21), 0);
	outb(0x20, 0x20);
	CHECK_EQ(irq_ack_pic(vm), 0x36);
	/* Without ICW4 the initialisation is over one byte earlier. */
	outb(0x20, 0x10);
	outb(0x21, 0x50);
	outb(0x21, 4);
	outb(0x21, 0xfe);
	CHECK_EQ(inb(0x21), 0xfe);
	pulse(0);
	CHECK_EQ(irq_ack_pic(vm), 0x50);
	/* And a single chip has no ICW3. */
	outb(0x20, 0x12);
	outb(0x21, 0x60);
	outb(0x21, 0xfd);
	CHECK_EQ(inb(0x21), 0xfd);
}

/* I/O APIC. */
static uint32_t io_read(uint32_t reg)
{
	bus_write(vm, BUS_MMIO, IOAPIC_BASE, 4, reg);
	return (uint32_t)bus_read(vm, BUS_MMIO, IOAPIC_BASE + 0x10, 4);
}

static void io_write(uint32_t reg, uint32_t value)
{
	bus_write(vm, BUS_MMIO, IOAPIC_BASE, 4, reg);
	bus_write(vm, BUS_MMIO, IOAPIC_BASE + 0x10, 4, value);
}

static void io_line(unsigned pin, bool level)
{
	pthread_mutex_lock(&vm->irq_lock);
	ioapic_set(vm->ioapic, pin, level);
	pthread_mutex_unlock(&vm->irq_lock);
}

static void test_ioapic(void)
{
	struct fakevm *f = fakevm_of(vm);
	unsigned n;

	CHECK_EQ(io_read(1), 0x00170020);
	io_write(0, 0xffffffff);
	CHECK_EQ(io_read(0), 0x0f000000);
	CHECK_EQ(io_read(2), 0x0f000000);
	CHECK_EQ(io_read(0x10), 0x10000);
	CHECK_EQ(io_read(0x40), 0);
	/* Nothing comes from a masked pin, and an edge there is lost. */
	n = f->n_msi;
	io_line(20, true);
	io_write(0x10 + 40, 0x41);
	CHECK_EQ(f->n_msi, n);
	/* Edge, physical, to APIC 3. */
	io_write(0x11 + 40, 0x03000000);
	io_line(20, false);
	io_line(20, true);
	io_line(20, true);
	CHECK_EQ(f->n_msi, n + 1);
	CHECK_EQ(f->msi[n].addr, 0xfee03000);
	CHECK_EQ(f->msi[n].data, 0x41);
	CHECK_EQ(f->routes[20].addr, 0xfee03000);
	CHECK_EQ(f->routes[20].data, 0x41);
	CHECK_EQ(f->routes[20].masked, false);
	/* Level, logical, lowest priority: once until the EOI. */
	io_write(0x11 + 42, 0xff000000);
	io_write(0x10 + 42, 0x8000 | 0x2000 | 0x900 | 0x52);
	n = f->n_msi;
	io_line(21, true);
	io_line(21, false);
	io_line(21, true);
	CHECK_EQ(f->n_msi, n + 1);
	CHECK_EQ(f->msi[n].addr, 0xfeeff00c);
	CHECK_EQ(f->msi[n].data, 0xc152);
	CHECK_EQ(io_read(0x10 + 42), 0xe952);
	irq_eoi(vm, 0x51);
	CHECK_EQ(f->n_msi, n + 1);
	irq_eoi(vm, 0x52);
	CHECK_EQ(f->n_msi, n + 2);
	io_line(21, false);
	bus_write(vm, BUS_MMIO, IOAPIC_BASE + 0x40, 4, 0x52);
	CHECK_EQ(f->n_msi, n + 2);
	CHECK_EQ(io_read(0x10 + 42), 0xa952);
	/* Masked, a level waits; software cannot write remote IRR. */
	io_write(0x10 + 42, 0x1e952);
	CHECK_EQ(io_read(0x10 + 42), 0x1a952);
	io_line(21, true);
	CHECK_EQ(f->n_msi, n + 2);
	io_write(0x10 + 42, 0x0a952);
	CHECK_EQ(f->n_msi, n + 3);
	/* To edge and back is what an old chip has for an EOI. */
	io_write(0x10 + 42, 0x12952);
	io_write(0x10 + 42, 0x0a952);
	CHECK_EQ(f->n_msi, n + 4);
	io_line(21, false);
	/* NMI, even if called level-triggered, comes with each edge. */
	io_write(0x11 + 44, 0);
	io_write(0x10 + 44, 0x8400);
	n = f->n_msi;
	for (unsigned i = 0; i < 2; i++) {
		io_line(22, true);
		io_line(22, false);
	}
	CHECK_EQ(f->n_msi, n + 2);
	CHECK_EQ(f->msi[n].data, 0x400);
	CHECK_EQ(io_read(0x10 + 44), 0x8400);
	/* ISA line 0 is at pin 2, line 2 nowhere. */
	io_write(0x10 + 4, 0x60);
	n = f->n_msi;
	pulse(0);
	pulse(2);
	CHECK_EQ(f->n_msi, n + 1);
	CHECK_EQ(f->msi[n].data, 0x60);
	/* Pin 0 is the 8259 pair's output: an ExtINT message for each interrupt. */
	init(1);
	io_write(0x11, 0);
	io_write(0x10, 0x700);
	n = f->n_msi;
	line(5, true);
	line(3, true);
	CHECK_EQ(f->n_msi, n + 1);
	CHECK_EQ(f->msi[n].addr, 0xfee00000);
	CHECK_EQ(f->msi[n].data, 0x700);
	CHECK_EQ(irq_ack_pic(vm), 0x33);
	CHECK_EQ(f->n_msi, n + 1);
	outb(0x20, 0x20);
	CHECK_EQ(f->n_msi, n + 2);
	CHECK_EQ(irq_ack_pic(vm), 0x35);
	outb(0x20, 0x20);
	CHECK_EQ(f->n_msi, n + 2);
	/* With automatic EOI INTR falls at the INTA alone. */
	outb(0x21, 0xff);
	line(3, false);
	line(5, false);
	outb(0x20, 0x11);
	outb(0x21, 0x30);
	outb(0x21, 4);
	outb(0x21, 3);
	outb(0x21, 0);
	n = f->n_msi;
	line(3, true);
	line(5, true);
	CHECK_EQ(irq_ack_pic(vm), 0x33);
	CHECK_EQ(f->n_msi, n + 2);
	CHECK_EQ(irq_ack_pic(vm), 0x35);
	CHECK_EQ(f->n_msi, n + 2);
}

int main(void)
{
	vm = fakevm_pc(16 << 20, 1);
	test_edges_and_levels();
	test_priorities();
	test_modes();
	test_ioapic();
	vm_free(vm);
	return 0;
}
