/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi_pm.c - the PIIX4's power management function (Intel 82371AB data sheet,
 * 290562, chapter 7), with the fixed registers of ACPI 6.4, 4.8.3.
 *
 * The timer has 32 bits (the data sheet's has 24; the FADT says TMR_VAL_EXT).
 * SCI_EN is always set: there is no SMM that could hand ACPI over.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "imgfmt/base/bytes.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/pci_host.h"
#include "vmm/pc.h"
#include "vmm/state.h"
#include "vmm/vm.h"

/* PM1 status and enable. */
#define PM1_TMR		0x0001u
#define PM1_GBL		0x0020u
#define PM1_PWRBTN	0x0100u
#define PM1_RTC		0x0400u
#define PM1_WAK		0x8000u
#define PM1_STS_BITS	(PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_RTC | PM1_WAK)
#define PM1_EN_BITS	(PM1_TMR | PM1_GBL | PM1_PWRBTN | PM1_RTC)

#define CNT_SCI_EN	0x0001u
#define CNT_BITS	0x1c02u	/* SLP_TYP, BM_RLD; SLP_EN reads as 0 */
#define CNT_SLP_EN_HI	0x20u	/* in the register's upper byte */
#define CNT_SLP_TYP(hi)	((hi) >> 2 & 7)

/* The timer's status is set when its highest bit changes. */
#define TMR_HALF	(1ull << 31)

enum { STS, EN, CNT, GPE_STS, GPE_EN, N_REGS };

struct acpi {
	struct device dev;
	struct pci_function fn;
	struct region region;
	struct irq_line sci;
	struct vm_timer timer;
	uint64_t next_half;		/* ticks: TMR_STS is set then */
	uint8_t regs[N_REGS][2];	/* little endian */
	uint8_t generation[ACPI_GENERATION_LEN];
};

static uint64_t ticks_now(struct acpi *pm)
{
	return clock_scale(vm_now(pm->dev.vm), ACPI_PM_HZ, NS_PER_S);
}

static void start_half(struct acpi *pm)
{
	pm->next_half = round_down(ticks_now(pm), TMR_HALF) + TMR_HALF;
}

/* Set TMR_STS if it is time, drive the SCI, and wait for the timer if it could
 * change that.
 */
static void update(struct acpi *pm)
{
	unsigned sts, en;

	if (ticks_now(pm) >= pm->next_half)
		pm->regs[STS][0] |= PM1_TMR;
	sts = get_le16(pm->regs[STS]);
	en = get_le16(pm->regs[EN]);
	irq_set(&pm->sci, (sts & en & PM1_EN_BITS) ||
		(get_le16(pm->regs[GPE_STS]) & get_le16(pm->regs[GPE_EN])));
	if ((en & PM1_TMR) && !(sts & PM1_TMR))
		vm_timer_arm(&pm->timer, clock_scale(pm->next_half, NS_PER_S,
						     ACPI_PM_HZ) + 1);
	else
		vm_timer_cancel(&pm->timer);
}

static void timer_fire(void *arg)
{
	update(arg);
}

void acpi_power_button(struct vm *vm)
{
	vm->acpi->regs[STS][1] |= PM1_PWRBTN >> 8;
	update(vm->acpi);
}

const uint8_t *acpi_generation(const struct vm *vm)
{
	return vm->acpi->generation;
}

/* With a virtual clock runs repeat, so it is always the same. */
static int make_generation(struct acpi *pm)
{
	size_t len = sizeof(pm->generation);

	if (pm->dev.vm->config.virtual_clock)
		memset(pm->generation, 0x11, len);
	else if (getrandom(pm->generation, len, 0) != (ssize_t)len)
		return -EIO;
	return 0;
}

/* The register at port `offset`, and which byte of it; negative: none. */
static int find_reg(unsigned offset)
{
	switch (offset & ~1u) {
	case ACPI_PM1_STS:
		return STS;
	case ACPI_PM1_STS + 2:
		return EN;
	case ACPI_PM1_CNT:
		return CNT;
	case ACPI_GPE0:
		return GPE_STS;
	case ACPI_GPE0 + 2:
		return GPE_EN;
	}
	return -1;
}

static uint64_t pm_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct acpi *pm = (struct acpi *)dev;
	uint32_t ticks = (uint32_t)ticks_now(pm);
	uint64_t value = 0;

	update(pm);
	for (unsigned i = 0; i < size; i++) {
		unsigned at = (unsigned)offset + i;
		int reg = find_reg(at);
		uint8_t byte = 0;

		if (reg >= 0)
			byte = pm->regs[reg][at & 1];
		else if (at / 4 == ACPI_PM_TMR / 4)
			byte = (uint8_t)(ticks >> 8 * (at % 4));
		value |= (uint64_t)byte << 8 * i;
	}
	return value;
}

static void write_control(struct acpi *pm, unsigned half, uint8_t value)
{
	uint8_t *byte = &pm->regs[CNT][half];

	*byte = value & (uint8_t)(CNT_BITS >> 8 * half);
	if (!half)
		*byte |= CNT_SCI_EN;
	else if ((value & CNT_SLP_EN_HI) &&
		 CNT_SLP_TYP(value) == ACPI_S5_TYPE)
		vm_request_end(pm->dev.vm, VM_POWERED_OFF, 0, "ACPI");
}

/* `half` says which byte of the register. */
static void write_byte(struct acpi *pm, int reg, unsigned half, uint8_t value)
{
	uint8_t *byte = &pm->regs[reg][half];

	switch (reg) {
	case STS:
	case GPE_STS:
		if (reg == STS && !half && (value & PM1_TMR))
			start_half(pm);
		*byte &= (uint8_t)~value;
		break;
	case EN:
		*byte = value & (uint8_t)(PM1_EN_BITS >> 8 * half);
		break;
	case CNT:
		write_control(pm, half, value);
		break;
	case GPE_EN:
		*byte = value;
		break;
	}
}

static void pm_write(struct device *dev, uint64_t offset, unsigned size,
		     uint64_t value)
{
	struct acpi *pm = (struct acpi *)dev;

	update(pm);
	for (unsigned i = 0; i < size; i++, value >>= 8) {
		unsigned at = (unsigned)offset + i;
		int reg = find_reg(at);

		if (reg >= 0)
			write_byte(pm, reg, at & 1, (uint8_t)value);
	}
	update(pm);
}

static const struct region_ops pm_ops = {
	.read = pm_read,
	.write = pm_write,
	.max_size = 4,
};

static void move_ports(struct acpi *pm)
{
	const uint8_t *config = pm->fn.config;
	bool on = config[PIIX4_PMREGMISC] & 1;

	bus_move(pm->dev.vm, &pm->region,
		 get_le16(config + PIIX4_PMBA) & 0xffc0u, on);
}

static void config_written(struct pci_function *fn, unsigned reg, unsigned size)
{
	(void)size;
	if (reg / 4 == PIIX4_PMBA / 4 || reg / 4 == PIIX4_PMREGMISC / 4)
		move_ports((struct acpi *)fn->dev);
}

static void pm_reset(struct device *dev)
{
	struct acpi *pm = (struct acpi *)dev;

	pci_function_reset(&pm->fn);
	move_ports(pm);
	memset(pm->regs, 0, sizeof(pm->regs));
	pm->regs[CNT][0] = CNT_SCI_EN;
	start_half(pm);
	update(pm);
}

static void pm_fini(struct device *dev)
{
	struct acpi *pm = (struct acpi *)dev;

	vm_timer_cancel(&pm->timer);
	free(pm);
}

static int pm_loaded(void *obj, struct err *e)
{
	(void)e;
	move_ports(obj);
	return 0;
}

static const struct state_field pm_fields[] = {
	STATE_OBJECT(struct acpi, fn, &pci_function_state),
	STATE_TIMER(struct acpi, timer),
	STATE_NUMBER(struct acpi, next_half),
	STATE_BYTES(struct acpi, regs),
	STATE_BYTES(struct acpi, generation),
};
STATE_TRANSIENT(struct acpi, "how the machine was made", dev, region, sci);

static const struct state_table pm_state = {
	.version = 1, STATE_FIELDS(pm_fields), .loaded = pm_loaded,
};

static const struct device_ops pm_device_ops = {
	.name = "piix4-pm",
	.reset = pm_reset,
	.fini = pm_fini,
	.state = &pm_state,
};

static void init_config(struct pci_function *fn)
{
	put_le16(fn->config + PCI_VENDOR_ID, 0x8086);
	put_le16(fn->config + PCI_DEVICE_ID, 0x7113);
	put_le16(fn->config + PCI_STATUS, 0x0280);	/* medium DEVSEL */
	fn->config[PCI_REVISION] = 3;
	put_le16(fn->config + PCI_CLASS, 0x0680);
	fn->config[PCI_INTERRUPT_PIN] = 1;
	put_le32(fn->config + PIIX4_PMBA, 1);
	put_le32(fn->writable + PIIX4_PMBA, 0xffc0);
	fn->writable[PIIX4_PMREGMISC] = 1;
	/* APMC_EN: firmware takes SMM for set up, and leaves it alone. */
	put_le32(fn->config + PIIX4_DEVACTB, 0x02000000);
	put_le32(fn->config + PIIX4_SMBHSTBASE, 1);
	put_le32(fn->writable + PIIX4_SMBHSTBASE, 0xfff0);
	fn->writable[PIIX4_SMBHSTCFG] = 0x0f;
}

int acpi_pm_new(struct vm *vm, struct acpi **out, struct err *e)
{
	struct acpi *pm = calloc(1, sizeof(*pm));

	if (!pm)
		return fail(e, ENOMEM, "PIIX4: out of memory");
	device_add(vm, &pm->dev, &pm_device_ops);
	init_config(&pm->fn);
	pm->fn.config_written = config_written;
	pm->sci = piix3_irq(vm, PC_SCI);
	pm->regs[CNT][0] = CNT_SCI_EN;
	vm_timer_init(&pm->timer, vm, timer_fire, pm);
	start_half(pm);
	bus_add(vm, &pm->region, &pm->dev, &pm_ops, BUS_PIO, 0, ACPI_PM_LEN);
	bus_move(vm, &pm->region, 0, false);
	*out = pm;
	if (make_generation(pm))
		return fail(e, EIO, "VM generation id: no random numbers");
	return pci_add(vm, &pm->fn, &pm->dev, PIIX4_PM_DEVFN, e);
}
