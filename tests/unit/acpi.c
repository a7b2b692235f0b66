/* SPDX-License-Identifier: GPL-2.0-or-later */
/* acpi.c - the ACPI tables: linked and summed right in guest memory, the same
 * through fw_cfg's orders, and what ACPICA's iasl makes of them; the power
 * management registers.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/scratch.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/acpi_tables.h"
#include "vmm/chip/fwcfg.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pci_host.h"
#include "vmm/pc.h"

#define RAM (64u << 20)

static _Noreturn void stop(const char *why)
{
	fprintf(stderr, "acpi: %s\n", why);
	exit(1);
}

static struct vm *machine(unsigned cpus)
{
	struct vm *vm = fakevm_irq(RAM);
	struct err e = { "" };

	CHECK_OK(fwcfg_new(vm, &vm->fwcfg, &e));
	vm->config.topology = (struct cpu_topology){ cpus, 1, cpus, 1 };
	return vm;
}

static void *at(struct vm *vm, uint64_t gpa, uint64_t len)
{
	void *p = mem_ptr(vm, gpa, len, MEM_READ);

	CHECK(p);
	return p;
}

static uint8_t sum(const uint8_t *p, size_t len)
{
	uint8_t s = 0;

	while (len--)
		s = (uint8_t)(s + *p++);
	return s;
}

/* A table in guest memory, whole and summed. */
static const uint8_t *table(struct vm *vm, uint64_t gpa, const char *signature)
{
	const uint8_t *t = at(vm, gpa, 36);
	uint32_t len = get_le32(t + 4);

	CHECK(!memcmp(t, signature, 4));
	t = at(vm, gpa, len);
	CHECK_EQ(sum(t, len), 0);
	return t;
}

struct found {
	const uint8_t *fadt, *madt, *dsdt, *facs;
};

/* Follow the pointers from the RSDP at `gpa`, as a kernel does. */
static void walk(struct vm *vm, uint64_t gpa, struct found *f)
{
	const uint8_t *rsdp = at(vm, gpa, 36), *rsdt, *xsdt;

	CHECK(!memcmp(rsdp, "RSD PTR ", 8));
	CHECK_EQ(gpa % 16, 0);
	CHECK_EQ(sum(rsdp, 20), 0);
	CHECK_EQ(sum(rsdp, 36), 0);
	CHECK_EQ(rsdp[15], 2);
	rsdt = table(vm, get_le32(rsdp + 16), "RSDT");
	xsdt = table(vm, get_le64(rsdp + 24), "XSDT");
	CHECK_EQ(get_le32(rsdt + 4), 36 + 2 * 4);
	CHECK_EQ(get_le32(xsdt + 4), 36 + 2 * 8);
	for (unsigned i = 0; i < 2; i++)
		CHECK_EQ(get_le32(rsdt + 36 + 4 * i),
			 get_le64(xsdt + 36 + 8 * i));
	f->fadt = table(vm, get_le64(xsdt + 36), "FACP");
	f->madt = table(vm, get_le64(xsdt + 44), "APIC");
	f->dsdt = table(vm, get_le32(f->fadt + 40), "DSDT");
	CHECK_EQ(get_le64(f->fadt + 140), get_le32(f->fadt + 40));
	CHECK_EQ(get_le32(f->fadt + 36) % 64, 0);
	f->facs = at(vm, get_le32(f->fadt + 36), 64);
	CHECK(!memcmp(f->facs, "FACS", 4));
}

static void check_fadt(const uint8_t *t)
{
	CHECK_EQ(t[8], 3);
	CHECK_EQ(get_le32(t + 4), 244);
	CHECK_EQ(get_le16(t + 46), 9);
	CHECK_EQ(get_le32(t + 48), 0);
	CHECK_EQ(get_le32(t + 56), 0x600);
	CHECK_EQ(get_le32(t + 64), 0x604);
	CHECK_EQ(get_le32(t + 76), 0x608);
	CHECK_EQ(get_le64(t + 212), 0x608);
	CHECK_EQ(get_le32(t + 80), 0x60c);
	CHECK_EQ(get_le64(t + 120), 0xcf9);
	CHECK_EQ(t[128], 6);
	CHECK(get_le32(t + 112) & 1u << 8);	/* TMR_VAL_EXT */
	CHECK(get_le32(t + 112) & 1u << 10);	/* RESET_REG_SUP */
	CHECK(t[109] & 2);			/* i8042 */
}

/* Every CPU once, one IOAPIC whose id is no CPU's, the timer at pin 2. */
static void check_madt(const struct vm *vm, const uint8_t *t)
{
	const struct cpu_topology *topology = &vm->config.topology;
	unsigned cpus = 0, ioapics = 0, overrides = 0, nmis = 0;
	uint32_t len = get_le32(t + 4);

	CHECK_EQ(get_le32(t + 36), 0xfee00000);
	for (uint32_t i = 44; i < len; i += t[i + 1]) {
		CHECK(t[i + 1] >= 6 && i + t[i + 1] <= len);
		switch (t[i]) {
		case 0:
			CHECK_EQ(t[i + 2], cpus);
			CHECK_EQ(t[i + 3], cpu_apic_id(topology, cpus));
			CHECK_EQ(get_le32(t + i + 4), 1);
			cpus++;
			break;
		case 9:
			CHECK_EQ(get_le32(t + i + 12), cpus);
			CHECK_EQ(get_le32(t + i + 4),
				 cpu_apic_id(topology, cpus));
			cpus++;
			break;
		case 1:
			for (unsigned c = 0; c < topology->cpus; c++)
				CHECK(cpu_apic_id(topology, c) != t[i + 2] ||
				      topology->cpus > 254);
			CHECK_EQ(get_le32(t + i + 4), 0xfec00000);
			CHECK_EQ(get_le32(t + i + 8), 0);
			ioapics++;
			break;
		case 2:
			if (t[i + 3] == 0)
				CHECK_EQ(get_le32(t + i + 4), 2);
			else
				CHECK_EQ(get_le16(t + i + 8), 0xd);
			overrides |= 1u << t[i + 3];
			break;
		case 4:
		case 10:
			nmis++;
			break;
		default:
			stop("MADT: an entry nobody put there");
		}
	}
	CHECK_EQ(cpus, topology->cpus);
	CHECK_EQ(ioapics, 1);
	CHECK_EQ(overrides, 1u << 0 | 1u << 5 | 1u << 9 | 1u << 10 | 1u << 11);
	CHECK_EQ(nmis, cpus > 254 ? 2 : 1);
}

/* The generation id: behind Name (\VGIA, DWord), the DSDT's first term. */
static void check_generation(struct vm *vm, const uint8_t *dsdt)
{
	uint64_t gpa;

	CHECK(!memcmp(dsdt + 36, "\x08\\VGIA\x0c", 7));
	gpa = get_le32(dsdt + 43);
	CHECK_EQ(gpa % 4096, 40);
	CHECK(!memcmp(at(vm, gpa, 16), acpi_generation(vm), 16));
}

static void check_all(struct vm *vm, uint64_t rsdp)
{
	struct found f;

	walk(vm, rsdp, &f);
	check_fadt(f.fadt);
	check_madt(vm, f.madt);
	check_generation(vm, f.dsdt);
}

static void test_direct(unsigned cpus)
{
	struct vm *vm = machine(cpus);
	struct e820_entry map[PC_E820_MAX];
	struct err e = { "" };
	uint64_t rsdp = 0;
	unsigned n;

	vm->n_serials = 2;
	vm->n_mmio = 3;
	CHECK_OK(acpi_load_direct(vm, &rsdp, &e));
	check_all(vm, rsdp);
	/* All of it is where no kernel puts anything. */
	n = pc_e820(vm, map);
	CHECK(n >= 3);
	for (unsigned i = 0; i < n; i++) {
		CHECK(!i || map[i].addr >= map[i - 1].addr + map[i - 1].len);
		CHECK(map[i].type != E820_RAM ||
		      map[i].addr + map[i].len <= PC_ACPI_AREA ||
		      map[i].addr >= PC_SMBIOS_AREA + PC_SMBIOS_LEN);
	}
	vm_free(vm);
}

static void test_too_many_cpus(void)
{
	struct vm *vm = machine(4000);
	struct err e = { "" };
	uint64_t rsdp;

	CHECK_EQ(acpi_load_direct(vm, &rsdp, &e), -E2BIG);
	CHECK(strstr(e.text, "CPUs"));
	vm_free(vm);
}

/* Firmware's side of the orders, with its own idea of where things go. */
struct loaded {
	char name[56];
	uint64_t gpa;
	size_t len;
};

static struct loaded *find(struct loaded *l, unsigned n, const uint8_t *name)
{
	for (unsigned i = 0; i < n; i++)
		if (!strcmp(l[i].name, (const char *)name))
			return &l[i];
	stop("an order for a file that was not allocated");
}

static void do_pointer(struct vm *vm, struct loaded *l, unsigned n,
		       const uint8_t *o)
{
	struct loaded *file = find(l, n, o + 4);
	uint64_t base = find(l, n, o + 60)->gpa;
	uint32_t offset = get_le32(o + 116);
	uint8_t *field;

	CHECK(o[120] == 4 || o[120] == 8);
	CHECK(in_range(offset, o[120], file->len));
	field = at(vm, file->gpa + offset, o[120]);
	if (o[120] == 4)
		put_le32(field, (uint32_t)(get_le32(field) + base));
	else
		put_le64(field, get_le64(field) + base);
}

static void do_checksum(struct vm *vm, struct loaded *l, unsigned n,
			const uint8_t *o)
{
	struct loaded *file = find(l, n, o + 4);
	uint32_t start = get_le32(o + 64), len = get_le32(o + 68);
	uint8_t *bytes = at(vm, file->gpa, file->len);

	CHECK(in_range(start, len, file->len));
	CHECK(in_range(get_le32(o + 60), 1, file->len));
	bytes[get_le32(o + 60)] =
		(uint8_t)(bytes[get_le32(o + 60)] - sum(bytes + start, len));
}

static void test_orders(void)
{
	struct vm *vm = machine(3);
	struct loaded l[8];
	struct err e = { "" };
	uint64_t next = 0x345000;
	const uint8_t *orders;
	unsigned n = 0;
	size_t len;

	CHECK_OK(acpi_add_files(vm, &e));
	/* Again, as after a reset. */
	CHECK_OK(acpi_add_files(vm, &e));
	orders = fwcfg_file(vm->fwcfg, "etc/table-loader", &len);
	CHECK(orders && len % 128 == 0);
	for (const uint8_t *o = orders; o < orders + len; o += 128) {
		const void *data;

		switch (get_le32(o)) {
		case 1:
			strcpy(l[n].name, (const char *)o + 4);
			data = fwcfg_file(vm->fwcfg, l[n].name, &l[n].len);
			CHECK(data && is_pow2(get_le32(o + 60)));
			CHECK_EQ(o[64], strstr(l[n].name, "rsdp") ? 2 : 1);
			next = round_up(next + 1, get_le32(o + 60));
			l[n].gpa = next;
			next += l[n].len;
			CHECK_EQ(mem_write(vm, l[n].gpa, data, l[n].len), 0);
			n++;
			break;
		case 2:
			do_pointer(vm, l, n, o);
			break;
		case 3:
			do_checksum(vm, l, n, o);
			break;
		default:
			stop("an order that firmware does not know");
		}
	}
	check_all(vm, find(l, n, (const uint8_t *)"etc/acpi/rsdp")->gpa);
	vm_free(vm);
}

static void save(const char *name, const uint8_t *t)
{
	FILE *f = fopen(name, "wb");

	CHECK(f);
	CHECK_EQ(fwrite(t, 1, get_le32(t + 4), f), get_le32(t + 4));
	CHECK_EQ(fclose(f), 0);
}

/* ACPICA takes the DSDT apart, and puts it together to the same bytes. */
static void test_iasl(unsigned cpus, unsigned serials, unsigned mmio)
{
	struct vm *vm = machine(cpus);
	static uint8_t again[1 << 20];
	struct err e = { "" };
	struct found f;
	uint64_t rsdp;
	uint32_t len;
	FILE *file;

	vm->n_serials = serials;
	vm->n_mmio = mmio;
	CHECK_OK(acpi_load_direct(vm, &rsdp, &e));
	walk(vm, rsdp, &f);
	save("dsdt.dat", f.dsdt);
	save("facp.dat", f.fadt);
	save("apic.dat", f.madt);
	CHECK_EQ(system("iasl -p facp -d facp.dat >facp.log 2>&1 && "
			"iasl -p apic -d apic.dat >apic.log 2>&1 && "
			"! grep -i 'error\\|warning\\|invalid' facp.log "
			"apic.log facp.dsl apic.dsl"), 0);
	if (system("iasl -p dsdt -d dsdt.dat >dsdt.log 2>&1 && "
		   "iasl -oa -vw 6035 -p again dsdt.dsl >again.log 2>&1 && "
		   "grep -q ' 0 Errors, 0 Warnings' again.log")) {
		CHECK_EQ(system("cat dsdt.log again.log >&2"), 0);
		stop("iasl is not content");
	}
	len = get_le32(f.dsdt + 4);
	file = fopen("again.aml", "rb");
	CHECK(file);
	CHECK_EQ(fread(again, 1, sizeof(again), file), len);
	fclose(file);
	CHECK(!memcmp(again + 36, f.dsdt + 36, len - 36));
	vm_free(vm);
}

/* Power management registers. */

#define PM PC_PM_BASE

static void outw(struct vm *vm, unsigned port, unsigned value)
{
	bus_write(vm, BUS_PIO, port, 2, value);
}

static unsigned inw(struct vm *vm, unsigned port)
{
	return (unsigned)bus_read(vm, BUS_PIO, port, 2);
}

static bool sci(struct vm *vm)
{
	bus_write(vm, BUS_PIO, 0xa0, 1, 0x0a);
	return bus_read(vm, BUS_PIO, 0xa0, 1) & 2;
}

static struct vm *pm_machine(void)
{
	struct vm *vm = machine(1);

	vm_lock(vm);
	pci_assign_resources(vm);
	vm_unlock(vm);
	/* Line 9 is level-triggered. */
	bus_write(vm, BUS_PIO, 0xa0, 1, 0x11);
	bus_write(vm, BUS_PIO, 0xa1, 1, 0x28);
	bus_write(vm, BUS_PIO, 0xa1, 1, 2);
	bus_write(vm, BUS_PIO, 0xa1, 1, 1);
	bus_write(vm, BUS_PIO, 0x4d1, 1, 0x02);
	return vm;
}

static void press(struct vm *vm)
{
	vm_lock(vm);
	acpi_power_button(vm);
	vm_unlock(vm);
}

static void test_power_button(void)
{
	struct vm *vm = pm_machine();

	CHECK_EQ(inw(vm, PM + 4), 1);
	press(vm);
	CHECK_EQ(inw(vm, PM), 0x100);
	CHECK(!sci(vm));
	outw(vm, PM + 2, 0xffff);
	CHECK_EQ(inw(vm, PM + 2), 0x521);
	CHECK(sci(vm));
	/* Writing ones clears, and only those. */
	outw(vm, PM, 0x0421);
	CHECK_EQ(inw(vm, PM), 0x100);
	bus_write(vm, BUS_PIO, PM + 1, 1, 0x01);
	CHECK_EQ(inw(vm, PM), 0);
	CHECK(!sci(vm));
	press(vm);
	CHECK(sci(vm));
	vm_free(vm);
}

static void test_timer(void)
{
	struct vm *vm = pm_machine();
	uint64_t half = (1ull << 31) * NS_PER_S / 3579545;

	outw(vm, PM + 2, 1);
	fakevm_pass(vm, half - 1000);
	CHECK_EQ(inw(vm, PM), 0);
	CHECK(!sci(vm));
	/* The interrupt comes by itself. */
	fakevm_pass(vm, 2000);
	CHECK(sci(vm));
	CHECK(bus_read(vm, BUS_PIO, PM + 8, 4) >= 0x80000000);
	CHECK_EQ(inw(vm, PM), 1);
	outw(vm, PM, 1);
	CHECK(!sci(vm));
	CHECK_EQ(inw(vm, PM), 0);
	/* Without it the status is there when it is read. */
	outw(vm, PM + 2, 0);
	fakevm_pass(vm, half);
	CHECK_EQ(inw(vm, PM), 1);
	CHECK(!sci(vm));
	CHECK(bus_read(vm, BUS_PIO, PM + 8, 4) < 0x80000000);
	/* Its bytes, and that it cannot be written. */
	bus_write(vm, BUS_PIO, PM + 8, 4, 0xffffffff);
	CHECK_EQ(bus_read(vm, BUS_PIO, PM + 9, 1),
		 bus_read(vm, BUS_PIO, PM + 8, 4) >> 8 & 0xff);
	vm_free(vm);
}

static void test_gpe(void)
{
	struct vm *vm = pm_machine();

	bus_write(vm, BUS_PIO, PM + 12, 4, 0xffff0000);
	CHECK_EQ(bus_read(vm, BUS_PIO, PM + 12, 4), 0xffff0000);
	CHECK(!sci(vm));
	vm_free(vm);
}

static void test_power_off(void)
{
	struct vm *vm = pm_machine();

	/* Another sleep state, and the type without the enable. */
	outw(vm, PM + 4, 0x2401);
	outw(vm, PM + 4, 0x0001);
	CHECK_EQ(vm->request, VM_REQ_NONE);
	CHECK_EQ(inw(vm, PM + 4), 1);
	outw(vm, PM + 4, 0x2001);
	CHECK_EQ(vm->request, VM_REQ_END);
	CHECK_EQ(vm->result.end, VM_POWERED_OFF);
	CHECK_STR(vm->result.how, "ACPI");
	vm_free(vm);
}

int main(void)
{
	test_direct(1);
	test_direct(3);
	test_direct(300);
	test_too_many_cpus();
	test_orders();
	test_power_button();
	test_timer();
	test_gpe();
	test_power_off();
	if (system("command -v iasl >/dev/null")) {
		puts("no iasl: what is in the DSDT was not judged");
		return 77;
	}
	scratch_enter();
	test_iasl(1, 1, 0);
	test_iasl(40, 4, 8);
	return 0;
}
