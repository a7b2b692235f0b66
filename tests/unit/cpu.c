/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpu.c - states in which a CPU starts, model names, APIC ids. */
#include <errno.h>

#include "tests/check.h"
#include "vmm/cpu.h"

/* SDM volume 3, table 10-1. */
static void test_reset(void)
{
	struct cpu_state s;

	memset(&s, 0xff, sizeof(s));
	cpu_reset_state(&s);
	CHECK_EQ(s.rip, 0xfff0);
	CHECK_EQ(s.rflags, 2);
	CHECK_EQ(s.cr0, 0x60000010);
	CHECK_EQ(s.seg[CPU_CS].selector, 0xf000);
	CHECK_EQ(s.seg[CPU_CS].base, 0xffff0000);
	CHECK_EQ(s.seg[CPU_CS].limit, 0xffff);
	CHECK_EQ(s.seg[CPU_GS].base, 0);
	CHECK_EQ(s.dr[6], 0xffff0ff0);
	CHECK_EQ(s.dr[7], 0x400);
	CHECK_EQ(s.gpr[CPU_RAX] | s.cr2 | s.cr3 | s.cr4 | s.efer, 0);
	CHECK_EQ(s.fxsave[0], 0x40);
	CHECK_EQ(s.fxsave[24] | s.fxsave[25] << 8, 0x1f80);
}

static void test_flat(void)
{
	struct cpu_state s;

	cpu_reset_state(&s);
	cpu_set_flat32(&s);
	CHECK_EQ(s.cr0, 0x11);
	CHECK_EQ(s.seg[CPU_CS].selector, 8);
	CHECK_EQ(s.seg[CPU_CS].attr, 0xc09b);
	CHECK_EQ(s.seg[CPU_SS].attr, 0xc093);
	CHECK_EQ(s.seg[CPU_SS].selector, 0x10);
	CHECK_EQ(s.seg[CPU_CS].base | s.efer, 0);
	CHECK_EQ(s.seg[CPU_CS].limit, 0xffffffff);

	cpu_reset_state(&s);
	cpu_set_flat64(&s, 0x9000);
	CHECK_EQ(s.cr0, 0x80000011);
	CHECK_EQ(s.cr3, 0x9000);
	CHECK_EQ(s.cr4, 0x20);
	CHECK_EQ(s.efer, 0x500);
	CHECK_EQ(s.seg[CPU_CS].attr, 0xa09b);
}

static void test_models(void)
{
	enum cpu_model m;

	for (enum cpu_model i = CPU_HOST; i <= CPU_V3; i++) {
		CHECK_EQ(cpu_model_parse(cpu_model_name(i), &m), 0);
		CHECK_EQ(m, i);
	}
	CHECK_EQ(cpu_model_parse("v2", &m), 0);
	CHECK_EQ(m, CPU_V2);
	CHECK_EQ(cpu_model_parse("t", &m), -EINVAL);
	CHECK_EQ(cpu_model_parse("", &m), -EINVAL);
	CHECK_EQ(cpu_model_parse("v4", &m), -EINVAL);
}

static void test_apic_ids(void)
{
	struct cpu_topology t = { .cpus = 12, .sockets = 2, .cores = 3,
				  .threads = 2 };
	static const uint32_t want[] = { 0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12,
					 13 };
	struct cpu_topology flat = { .cpus = 3, .sockets = 3, .cores = 1,
				     .threads = 1 };

	for (unsigned i = 0; i < t.cpus; i++)
		CHECK_EQ(cpu_apic_id(&t, i), want[i]);
	for (unsigned i = 0; i < flat.cpus; i++)
		CHECK_EQ(cpu_apic_id(&flat, i), i);
}

int main(void)
{
	test_reset();
	test_flat();
	test_models();
	test_apic_ids();
	return 0;
}
