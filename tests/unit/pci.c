/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci.c - configuration mechanism 1, BARs, capabilities, INTx and its routing,
 * MSI-X, PAM, the reset register, and what firmware would set up.
 */
#include <pthread.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/pcitoy.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pci_host.h"
#include "vmm/pc.h"

#define RAM (64u << 20)

/* Each BAR of the device answers with a number of its own. */
static uint64_t toy_read(struct device *dev, uint64_t offset, unsigned size)
{
	(void)dev;
	(void)size;
	return 0xa0 + offset;
}

static void toy_write(struct device *dev, uint64_t offset, unsigned size,
		      uint64_t value)
{
	(void)offset;
	(void)size;
	((struct pcitoy *)dev)->written = value;
}

static const struct region_ops toy_bar = { toy_read, toy_write, 4, 0 };

static uint64_t toy_msix_read(struct device *dev, uint64_t offset,
			      unsigned size)
{
	return msix_read(&((struct pcitoy *)dev)->msix, offset, size);
}

static void toy_msix_write(struct device *dev, uint64_t offset, unsigned size,
			   uint64_t value)
{
	msix_write(&((struct pcitoy *)dev)->msix, offset, size, value);
}

static const struct region_ops toy_msix_bar = {
	toy_msix_read, toy_msix_write, 8, 0
};

static struct pcitoy *toy_new(struct vm *vm, unsigned vectors)
{
	return pcitoy_new(vm, vectors, true, &toy_bar, &toy_msix_bar);
}

static void outl(struct vm *vm, unsigned port, unsigned size, uint32_t value)
{
	bus_write(vm, BUS_PIO, port, size, value);
}

static uint32_t inl(struct vm *vm, unsigned port, unsigned size)
{
	return (uint32_t)bus_read(vm, BUS_PIO, port, size);
}

static uint32_t cfg(struct vm *vm, unsigned devfn, unsigned reg, unsigned size)
{
	outl(vm, 0xcf8, 4, 0x80000000u | devfn << 8 | (reg & ~3u));
	return inl(vm, 0xcfc + (reg & 3), size);
}

static void cfg_set(struct vm *vm, unsigned devfn, unsigned reg, unsigned size,
		    uint32_t value)
{
	outl(vm, 0xcf8, 4, 0x80000000u | devfn << 8 | (reg & ~3u));
	outl(vm, 0xcfc + (reg & 3), size, value);
}

static void test_mechanism(void)
{
	struct vm *vm = fakevm_irq(RAM);

	/* What Linux looks for first. */
	outl(vm, 0xcf8, 4, 0x80000000);
	CHECK_EQ(inl(vm, 0xcf8, 4), 0x80000000);
	outl(vm, 0xcf8, 4, 0xffffffff);
	CHECK_EQ(inl(vm, 0xcf8, 4), 0x80fffffc);
	/* Narrow writes do not reach the address. */
	outl(vm, 0xcf8, 4, 0x80000000);
	outl(vm, 0xcf8, 1, 0x08);
	outl(vm, 0xcfa, 2, 0xffff);
	outl(vm, 0xcf8, 2, 0xffff);
	CHECK_EQ(inl(vm, 0xcf8, 4), 0x80000000);
	CHECK_EQ(inl(vm, 0xcfc, 4), 0x12378086);
	CHECK_EQ(inl(vm, 0xcfd, 1), 0x80);
	CHECK_EQ(inl(vm, 0xcfd, 2), 0x3780);
	CHECK_EQ(inl(vm, 0xcfe, 2), 0x1237);
	CHECK_EQ(cfg(vm, I440FX_DEVFN, 0x0a, 2), 0x0600);
	CHECK_EQ(cfg(vm, PIIX3_DEVFN, 0, 4), 0x70008086);
	CHECK_EQ(cfg(vm, PIIX3_DEVFN, 0x0e, 1), 0x80);
	CHECK_EQ(cfg(vm, PIIX4_PM_DEVFN, 0, 4), 0x71138086);
	CHECK_EQ(cfg(vm, PIIX4_PM_DEVFN, 0x5b, 1), 0x02);
	/* Nobody: another function, slot, bus; or the address is off. */
	CHECK_EQ(cfg(vm, PCI_DEVFN(1, 1), 0, 4), 0xffffffff);
	CHECK_EQ(cfg(vm, PCI_DEVFN(2, 0), 0, 2), 0xffff);
	outl(vm, 0xcf8, 4, 0x80010000);
	CHECK_EQ(inl(vm, 0xcfc, 4), 0xffffffff);
	outl(vm, 0xcf8, 4, 0);
	CHECK_EQ(inl(vm, 0xcfc, 4), 0xffffffff);
	/* Identification cannot be written. */
	cfg_set(vm, I440FX_DEVFN, 0, 4, 0x11111111);
	CHECK_EQ(cfg(vm, I440FX_DEVFN, 0, 4), 0x12378086);
	vm_free(vm);
}

#define TOY PCI_DEVFN(2, 0)

/* Does the toy answer at this address? */
static bool answers(struct vm *vm, enum bus_space space, uint64_t addr)
{
	return bus_read(vm, space, addr + 1, 1) == 0xa1;
}

static void test_bars(void)
{
	struct vm *vm = fakevm_irq(RAM);
	struct pcitoy *toy = toy_new(vm, 3);

	CHECK_EQ(toy->fn.devfn, TOY);
	/* Sizing. */
	for (unsigned i = 0; i < 5; i++)
		cfg_set(vm, TOY, PCI_BAR0 + 4 * i, 4, 0xffffffff);
	CHECK_EQ(cfg(vm, TOY, 0x10, 4), 0xffffffc1);
	CHECK_EQ(cfg(vm, TOY, 0x14, 4), 0xfffff000);
	CHECK_EQ(cfg(vm, TOY, 0x18, 4), 0xffff0004);
	CHECK_EQ(cfg(vm, TOY, 0x1c, 4), 0xffffffff);
	CHECK_EQ(cfg(vm, TOY, 0x24, 4), 0);
	/* With decoding on, too: nothing may crash or be hidden. */
	cfg_set(vm, TOY, PCI_COMMAND, 2, 0x3);
	CHECK_EQ(cfg(vm, TOY, 0x14, 4), 0xfffff000);
	CHECK(!answers(vm, BUS_MMIO, 0xfffff000));
	CHECK(!toy->fn.bars[2].region.on);
	/* Byte writes place the port BAR; decoding depends on COMMAND. */
	cfg_set(vm, TOY, PCI_COMMAND, 2, 0);
	cfg_set(vm, TOY, 0x10, 4, 0);
	cfg_set(vm, TOY, 0x11, 1, 0xc1);
	cfg_set(vm, TOY, 0x10, 1, 0x40);
	CHECK_EQ(cfg(vm, TOY, 0x10, 4), 0xc141);
	CHECK(!answers(vm, BUS_PIO, 0xc140));
	cfg_set(vm, TOY, PCI_COMMAND, 1, PCI_COMMAND_IO);
	CHECK(answers(vm, BUS_PIO, 0xc140));
	outl(vm, 0xc150, 4, 0x12345678);
	CHECK_EQ(toy->written, 0x12345678);
	cfg_set(vm, TOY, 0x10, 4, 0xc200);
	CHECK(!answers(vm, BUS_PIO, 0xc140));
	CHECK(answers(vm, BUS_PIO, 0xc200));
	/* No port above 64 KiB. */
	cfg_set(vm, TOY, 0x10, 4, 0x1c200);
	CHECK(!answers(vm, BUS_PIO, 0xc200));
	/* 64 bits. */
	cfg_set(vm, TOY, PCI_COMMAND, 1, PCI_COMMAND_MEMORY);
	cfg_set(vm, TOY, 0x18, 4, 0x00010000);
	cfg_set(vm, TOY, 0x1c, 4, 0x12);
	CHECK(answers(vm, BUS_MMIO, 0x1200010000));
	CHECK(!answers(vm, BUS_MMIO, 0x120001ffff));
	cfg_set(vm, TOY, 0x1c, 4, 0xffffffff);
	cfg_set(vm, TOY, 0x18, 4, 0xffff0000);
	CHECK(!toy->fn.bars[2].region.on);
	/* Under RAM: RAM answers.  Address 0 is none. */
	bus_write(vm, BUS_MMIO, 0x200001, 1, 0x77);
	cfg_set(vm, TOY, 0x14, 4, 0x200000);
	CHECK(toy->fn.bars[1].region.on);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0x200001, 1), 0x77);
	cfg_set(vm, TOY, 0x14, 4, 0);
	CHECK(!toy->fn.bars[1].region.on);
	/* Over another's region: the one who was first. */
	cfg_set(vm, TOY, 0x14, 4, IOAPIC_BASE);
	CHECK(!answers(vm, BUS_MMIO, IOAPIC_BASE));
	cfg_set(vm, TOY, 0x14, 4, 0xe0000000);
	CHECK(answers(vm, BUS_MMIO, 0xe0000000));
	/* A reset takes it all back. */
	pcitoy_reset(&toy->dev);
	CHECK(!answers(vm, BUS_MMIO, 0xe0000000));
	CHECK_EQ(cfg(vm, TOY, 0x14, 4), 0);
	CHECK_EQ(cfg(vm, TOY, PCI_COMMAND, 2), 0);
	vm_free(vm);
}

static void test_capabilities(void)
{
	struct vm *vm = fakevm_irq(RAM);
	struct pci_function *fn = calloc(1, sizeof(*fn));
	static const uint8_t big[64] = { 9 };
	struct pcitoy *toy = toy_new(vm, 2);

	CHECK_EQ(cfg(vm, TOY, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	CHECK_EQ(cfg(vm, TOY, PCI_CAP_POINTER, 1), 0x40);
	CHECK_EQ(cfg(vm, TOY, 0x40, 4), 0x01054809);
	CHECK_EQ(cfg(vm, TOY, 0x48, 4), 0x00010011);
	CHECK_EQ(toy->msix.cap, 0x48);
	CHECK(fn);
	CHECK_EQ(pci_add_capability(fn, big, 64), 0x40);
	CHECK_EQ(pci_add_capability(fn, big, 64), 0x80);
	CHECK_EQ(pci_add_capability(fn, big, 60), 0xc0);
	CHECK_EQ(pci_add_capability(fn, big, 8), 0);
	CHECK_EQ(fn->config[0x81], 0xc0);
	CHECK_EQ(fn->config[0xc1], 0);
	CHECK_EQ(pci_add_capability(fn, big, 4), 0xfc);
	free(fn);
	vm_free(vm);
}

/* The 8259 pair's requests, all level-triggered. */
static void init_pics(struct vm *vm)
{
	static const uint16_t writes[][2] = {
		{ 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 },
		{ 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 },
		{ 0x21, 0xfb }, { 0xa1, 0 }, { 0x4d0, 0xf8 }, { 0x4d1, 0xde },
	};

	for (unsigned i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		outl(vm, writes[i][0], 1, writes[i][1]);
}

static unsigned requests(struct vm *vm)
{
	outl(vm, 0x20, 1, 0x0a);
	outl(vm, 0xa0, 1, 0x0a);
	return (inl(vm, 0xa0, 1) << 8 | inl(vm, 0x20, 1)) & ~4u;
}

static void test_intx(void)
{
	struct vm *vm = fakevm_irq(RAM);
	struct pcitoy *a = toy_new(vm, 1), *toys[4];

	init_pics(vm);
	for (unsigned i = 0; i < 4; i++)
		toys[i] = toy_new(vm, 1);
	/* Slot 2's pin A is PIRQB, and so on; slot 6 has slot 2's. */
	CHECK_EQ(pci_pirq(PCI_DEVFN(1, 0), 1), 0);
	CHECK_EQ(pci_pirq(TOY, 1), 1);
	CHECK_EQ(pci_pirq(PCI_DEVFN(4, 0), 4), 2);
	CHECK_EQ(pci_pirq(0, 1), 3);
	/* Not routed: nothing. */
	pci_set_intx(&a->fn, true);
	CHECK_EQ(requests(vm), 0);
	CHECK_EQ(cfg(vm, TOY, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT,
		 PCI_STATUS_INTERRUPT);
	/* Routing an asserted wire shows it at once, and moving it moves it. */
	cfg_set(vm, PIIX3_DEVFN, 0x61, 1, 11);
	CHECK_EQ(requests(vm), 1 << 11);
	cfg_set(vm, PIIX3_DEVFN, 0x60, 4, 0x0a0a0a0a);
	CHECK_EQ(requests(vm), 1 << 10);
	/* Wired OR: of two devices on a wire, and of two wires on a line. */
	pci_set_intx(&toys[3]->fn, true);
	pci_set_intx(&toys[0]->fn, true);
	pci_set_intx(&a->fn, false);
	CHECK_EQ(requests(vm), 1 << 10);
	pci_set_intx(&toys[3]->fn, false);
	CHECK_EQ(requests(vm), 1 << 10);
	pci_set_intx(&toys[0]->fn, false);
	CHECK_EQ(requests(vm), 0);
	CHECK_EQ(cfg(vm, TOY, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT, 0);
	/* INTX_OFF holds it back; STATUS shows it. */
	cfg_set(vm, TOY, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF);
	pci_set_intx(&a->fn, true);
	CHECK_EQ(requests(vm), 0);
	CHECK(cfg(vm, TOY, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	cfg_set(vm, TOY, PCI_COMMAND, 2, 0);
	CHECK_EQ(requests(vm), 1 << 10);
	cfg_set(vm, TOY, PCI_COMMAND, 2, PCI_COMMAND_INTX_OFF);
	CHECK_EQ(requests(vm), 0);
	cfg_set(vm, TOY, PCI_COMMAND, 2, 0);
	/* Lines that the router does not have; then none. */
	cfg_set(vm, PIIX3_DEVFN, 0x61, 1, 8);
	CHECK_EQ(requests(vm), 0);
	cfg_set(vm, PIIX3_DEVFN, 0x61, 1, 0xff);
	CHECK_EQ(cfg(vm, PIIX3_DEVFN, 0x61, 1), 0x8f);
	CHECK_EQ(requests(vm), 0);
	cfg_set(vm, PIIX3_DEVFN, 0x61, 1, 5);
	CHECK_EQ(requests(vm), 1 << 5);
	/* A reset of the device lets go. */
	pcitoy_reset(&a->dev);
	CHECK_EQ(requests(vm), 0);
	vm_free(vm);
}

/* The SCI shares its line with PIRQs that a guest routes there. */
static void test_shared_sci(void)
{
	struct vm *vm = fakevm_irq(RAM);
	struct irq_line sci = piix3_irq(vm, 9);
	struct pcitoy *a = toy_new(vm, 1);

	init_pics(vm);
	cfg_set(vm, PIIX3_DEVFN, 0x61, 1, 9);
	pci_set_intx(&a->fn, true);
	irq_set(&sci, true);
	irq_set(&sci, false);
	CHECK_EQ(requests(vm), 1 << 9);
	irq_set(&sci, true);
	pci_set_intx(&a->fn, false);
	CHECK_EQ(requests(vm), 1 << 9);
	irq_set(&sci, false);
	CHECK_EQ(requests(vm), 0);
	vm_free(vm);
}

#define MSIX_BAR	0xe1000000u
#define MSIX_CONTROL	0x4au

static void set_entry(struct vm *vm, unsigned i, uint64_t addr, uint32_t data,
		      uint32_t control)
{
	bus_write(vm, BUS_MMIO, MSIX_BAR + 16 * i, 4, addr);
	bus_write(vm, BUS_MMIO, MSIX_BAR + 16 * i + 4, 4, addr >> 32);
	bus_write(vm, BUS_MMIO, MSIX_BAR + 16 * i + 8, 8,
		  (uint64_t)control << 32 | data);
}

static uint64_t pending(struct vm *vm, unsigned i)
{
	return bus_read(vm, BUS_MMIO, MSIX_BAR + 2048 + 8 * i, 8);
}

static void test_msix(void)
{
	struct vm *vm = fakevm_irq(RAM);
	struct fakevm *fake = fakevm_of(vm);
	struct pcitoy *toy = toy_new(vm, 70);

	cfg_set(vm, TOY, 0x20, 4, MSIX_BAR);
	cfg_set(vm, TOY, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	CHECK_EQ(cfg(vm, TOY, MSIX_CONTROL, 2), 69);
	CHECK_EQ(cfg(vm, TOY, 0x4c, 4), 4);
	CHECK_EQ(cfg(vm, TOY, 0x50, 4), 2048 | 4);
	/* Masked after a reset; bits beyond the mask bit are not there. */
	CHECK_EQ(bus_read(vm, BUS_MMIO, MSIX_BAR + 12, 4), 1);
	set_entry(vm, 0, 0xfee01000, 0x4041, 0xfffffffe);
	CHECK_EQ(bus_read(vm, BUS_MMIO, MSIX_BAR + 8, 8), 0x4041);
	CHECK_EQ(bus_read(vm, BUS_MMIO, MSIX_BAR, 8), 0xfee01000);
	/* Off: nothing, and nothing kept. */
	CHECK(!msix_enabled(&toy->msix));
	msix_notify(&toy->msix, 0);
	CHECK_EQ(pending(vm, 0), 0);
	cfg_set(vm, TOY, MSIX_CONTROL, 2, 0x8000);
	CHECK(msix_enabled(&toy->msix));
	CHECK_EQ(fake->n_msi, 0);
	msix_notify(&toy->msix, 0);
	CHECK_EQ(fake->n_msi, 1);
	CHECK_EQ(fake->msi[0].addr, 0xfee01000);
	CHECK_EQ(fake->msi[0].data, 0x4041);
	/* Vectors that are not there. */
	msix_notify(&toy->msix, 70);
	msix_notify(&toy->msix, 0xffff);
	CHECK_EQ(fake->n_msi, 1);
	/* A masked one is kept, once, until it is unmasked. */
	msix_notify(&toy->msix, 69);
	msix_notify(&toy->msix, 69);
	CHECK_EQ(pending(vm, 1), 1 << 5);
	bus_write(vm, BUS_MMIO, MSIX_BAR + 2048 + 8, 8, 0);
	CHECK_EQ(pending(vm, 1), 1 << 5);
	set_entry(vm, 69, 0xfee02000, 0x69, 0);
	CHECK_EQ(fake->n_msi, 2);
	CHECK_EQ(fake->msi[1].data, 0x69);
	CHECK_EQ(pending(vm, 1), 0);
	/* The function's mask. */
	cfg_set(vm, TOY, MSIX_CONTROL + 1, 1, 0xc0);
	msix_notify(&toy->msix, 0);
	msix_notify(&toy->msix, 69);
	CHECK_EQ(fake->n_msi, 2);
	CHECK_EQ(pending(vm, 0), 1);
	cfg_set(vm, TOY, MSIX_CONTROL + 1, 1, 0x80);
	CHECK_EQ(fake->n_msi, 4);
	CHECK_EQ(pending(vm, 0), 0);
	/* Addresses that are no LAPIC's go nowhere. */
	set_entry(vm, 1, 0x1000, 1, 0);
	msix_notify(&toy->msix, 1);
	set_entry(vm, 1, 0x1fee00000, 1, 0);
	msix_notify(&toy->msix, 1);
	CHECK_EQ(fake->n_msi, 4);
	/* Behind the table, across its end, odd addresses. */
	CHECK_EQ(bus_read(vm, BUS_MMIO, MSIX_BAR + 70 * 16, 8), 0);
	bus_write(vm, BUS_MMIO, MSIX_BAR + 70 * 16 - 4, 8, UINT64_MAX);
	bus_write(vm, BUS_MMIO, MSIX_BAR + 4095, 1, 0xff);
	bus_write(vm, BUS_MMIO, MSIX_BAR + 13, 8, UINT64_MAX);
	CHECK_EQ(bus_read(vm, BUS_MMIO, MSIX_BAR + 12, 4), 0);
	pcitoy_reset(&toy->dev);
	CHECK(!msix_enabled(&toy->msix));
	vm_free(vm);
}

/* Pullers notify while the guest masks, unmasks and moves INTx. */
static void *notifier(void *arg)
{
	struct pcitoy *toy = arg;

	for (unsigned i = 0; i < 3000; i++) {
		msix_notify(&toy->msix, i % 5);
		pci_set_intx(&toy->fn, i & 1);
	}
	return NULL;
}

static void test_threads(void)
{
	struct vm *vm = fakevm_irq(RAM);
	struct pcitoy *toy = toy_new(vm, 4);
	pthread_t threads[2];

	cfg_set(vm, TOY, 0x20, 4, MSIX_BAR);
	cfg_set(vm, TOY, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, notifier, toy), 0);
	for (unsigned i = 0; i < 1000; i++) {
		cfg_set(vm, TOY, MSIX_CONTROL, 2, i % 3 ? 0x8000 : 0xc000);
		set_entry(vm, i % 4, 0xfee00000, i, i & 1);
		cfg_set(vm, TOY, PCI_COMMAND, 2, i & 2 ? 0x402 : 2);
		cfg_set(vm, PIIX3_DEVFN, 0x61, 1, i % 16);
		cfg(vm, TOY, PCI_STATUS, 2);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	set_entry(vm, 0, 0xfee00000, 0, 0);
	cfg_set(vm, TOY, MSIX_CONTROL, 2, 0x8000);
	CHECK_EQ(pending(vm, 0) & 1, 0);
	/* The last word of both was "high". */
	init_pics(vm);
	cfg_set(vm, PIIX3_DEVFN, 0x61, 1, 11);
	cfg_set(vm, TOY, PCI_COMMAND, 2, 0);
	CHECK_EQ(requests(vm), 1 << 11);
	vm_free(vm);
}

static void test_pam_and_reset(void)
{
	struct vm *vm = fakevm_irq(RAM);

	/* All RAM without a ROM; reading off leaves no RAM to see. */
	bus_write(vm, BUS_MMIO, 0xc8000, 4, 0x11223344);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xc8000, 4), 0x11223344);
	for (unsigned i = 0; i < 7; i++)
		cfg_set(vm, I440FX_DEVFN, 0x59 + i, 1, 0xff);
	CHECK_EQ(cfg(vm, I440FX_DEVFN, 0x58, 4), 0x77777000);
	/* 0x5b's lower half is 0xc8000: no writing. */
	cfg_set(vm, I440FX_DEVFN, 0x5b, 1, 0x31);
	bus_write(vm, BUS_MMIO, 0xc8000, 4, 0x55667788);
	bus_write(vm, BUS_MMIO, 0xcc000, 4, 0x99);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xc8000, 4), 0x11223344);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xcc000, 4), 0x99);
	cfg_set(vm, I440FX_DEVFN, 0x58, 4, 0x33331033);
	bus_write(vm, BUS_MMIO, 0xf0000, 4, 1);
	CHECK(bus_read(vm, BUS_MMIO, 0xf0000, 4) != 1);
	/* The reset register, which shares its port with the address. */
	outl(vm, 0xcf9, 1, 0x02);
	CHECK_EQ(inl(vm, 0xcf9, 1), 0x02);
	CHECK_EQ(vm->request, VM_REQ_NONE);
	outl(vm, 0xcf8, 4, 0x80000600);
	CHECK_EQ(vm->request, VM_REQ_NONE);
	outl(vm, 0xcf9, 1, 0x06);
	CHECK_EQ(vm->request, VM_REQ_RESET);
	CHECK_STR(vm->result.how, "port 0xcf9");
	vm_free(vm);
}

static void test_assign(void)
{
	struct vm *vm = fakevm_irq(RAM);
	struct pcitoy *a = toy_new(vm, 3), *b = toy_new(vm, 3);

	vm_lock(vm);
	pci_assign_resources(vm);
	vm_unlock(vm);
	for (unsigned i = 0; i < 5; i++) {
		const struct region *r = &a->fn.bars[i].region;
		const struct region *s = &b->fn.bars[i].region;

		if (i == 3)
			continue;
		CHECK(r->on && s->on);
		CHECK(r->base + r->len <= s->base || s->base + s->len <= r->base);
		CHECK_EQ(r->base % r->len, 0);
		CHECK(r->space == BUS_PIO || (r->base >= PC_PCI_MEM &&
		      r->base + r->len <= PC_PCI_MEM_END));
	}
	CHECK_EQ(cfg(vm, TOY, PCI_COMMAND, 2), 7);
	CHECK_EQ(cfg(vm, TOY, PCI_INTERRUPT_LINE, 1),
		 cfg(vm, PIIX3_DEVFN, 0x60 + pci_pirq(TOY, 1), 1));
	/* The power management timer counts. */
	CHECK_EQ(cfg(vm, PIIX4_PM_DEVFN, 0x40, 4), PC_PM_BASE | 1);
	CHECK_EQ(inl(vm, PC_PM_BASE + 8, 4), 0);
	fakevm_pass(vm, NS_PER_S);
	CHECK_EQ(inl(vm, PC_PM_BASE + 8, 4), 3579545);
	vm_free(vm);
}

/* 30 slots are for devices. */
static void test_full(void)
{
	struct vm *vm = fakevm_irq(RAM);
	struct pci_function fn = { .dev = NULL };
	struct err e = { "" };

	for (unsigned i = 2; i < 32; i++)
		CHECK_EQ(toy_new(vm, 1)->fn.devfn, PCI_DEVFN(i, 0));
	CHECK(pci_add(vm, &fn, NULL, -1, &e) < 0);
	CHECK(strstr(e.text, "slots"));
	vm_free(vm);
}

int main(void)
{
	test_mechanism();
	test_bars();
	test_capabilities();
	test_intx();
	test_shared_sci();
	test_msix();
	test_threads();
	test_pam_and_reset();
	test_assign();
	test_full();
	return 0;
}
