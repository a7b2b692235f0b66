/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_state.c - the state of vCPUs on KVM goes in and comes out, their memory
 * follows the map, the log of written pages is complete, and pauses take no time.
 */
#include <errno.h>
#include <unistd.h>
#include <x86intrin.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/kvmrig.h"

#define MEMORY_PAGES (8u << 20 >> 12)

static struct vcpu *cpu_of(struct rig *rig)
{
	return &rig->vm->vcpus[0];
}

static void scramble(struct cpu_state *s)
{
	for (uint64_t i = 0; i < CPU_N_GPR; i++)
		s->gpr[i] = 0x1111111111111111u * i + 7;
	s->rip = 0x123456;
	s->rflags = 0xad7;
	for (uint64_t i = 0; i < 4; i++)
		s->dr[i] = 0x1000 * i;
	s->cr2 = 0xdeadbeef000;
	s->cr8 = 5;
	s->seg[CPU_GS].base = 0xffff888000000000u;
	s->seg[CPU_DS].selector = 0x18;
	s->seg[CPU_ES].attr |= CPU_SEG_UNUSABLE;
	s->gdtr.base = 0x5000;
	s->gdtr.limit = 0x7f;
	s->idtr.base = 0x6000;
	s->star = 0x0023001000000000u;
	s->lstar = 0xffffffff81000000u;
	s->fmask = 0x47700;
	s->efer |= CPU_EFER_SCE | CPU_EFER_NX;
	s->kernel_gs_base = 0x7fff00001000;
	s->sysenter_cs = 0x10;
	s->sysenter_eip = 0xffffffff81000100u;
	s->pat = 0x0007010600070106u;
	put_le16(s->fxsave, 0x27f);
	put_le32(s->fxsave + 24, 0x1fa0);
	for (unsigned i = 0; i < 16 * 16; i++)
		s->fxsave[160 + i] = (uint8_t)(i * 3);
}

/* The MSR at 0x2000: flip the bits at 0x2004, and say what it is then. */
GUEST(flip_msr, 64, "mov 0x2000, %ecx\nrdmsr\nxor 0x2004, %eax\n"
      "wrmsr\nrdmsr\nmov $0xf4, %edx\nout %eax, %dx\n");

static uint32_t flip(struct rig *rig, uint32_t msr, uint32_t bits)
{
	uint8_t arguments[8];

	put_le32(arguments, msr);
	put_le32(arguments + 4, bits);
	rig_load(rig, 0x2000, arguments, sizeof(arguments));
	RIG_RUN(rig, flip_msr, 64);
	return rig->done;
}

/* MSRs that struct cpu_state has not: a reset takes them back all the same. */
static void test_reset_msrs(void)
{
	static const struct { uint32_t msr, bits; } tries[] = {
		{ 0x2ff, 0x406 },	/* MTRRdefType: fixed ranges, type */
		{ 0x250, 0x06060606 },	/* MTRRfix64K */
		{ 0x1a0, 0x1 },		/* MISC_ENABLE: fast strings */
	};
	struct rig *rig = rig_new(1, NULL, 0);

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		uint32_t msr = tries[i].msr, before = flip(rig, msr, 0);

		CHECK_EQ(flip(rig, msr, tries[i].bits), before ^ tries[i].bits);
		CHECK_EQ(accel_kvm.vcpu_reset(cpu_of(rig)), 0);
		CHECK_EQ(flip(rig, msr, 0), before);
	}
	rig_free(rig);
}

/* What no vCPU ran in between comes out as it went in. */
static void test_round_trip(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct cpu_state in, out;

	rig_start64(rig);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &in), 0);
	scramble(&in);
	CHECK_EQ(accel_kvm.set_state(cpu_of(rig), &in), 0);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &out), 0);
	CHECK(out.tsc - in.tsc < 10000000000u);
	out.tsc = in.tsc;
	CHECK(!memcmp(in.gpr, out.gpr, sizeof(in.gpr)));
	CHECK(!memcmp(in.dr, out.dr, sizeof(in.dr)));
	CHECK(!memcmp(in.fxsave + 160, out.fxsave + 160, 256));
	CHECK_EQ(get_le16(out.fxsave), 0x27f);
	CHECK_EQ(get_le32(out.fxsave + 24), 0x1fa0);
	for (unsigned i = 0; i < CPU_N_SEG; i++) {
		CHECK(in.seg[i].base == out.seg[i].base);
		CHECK_EQ(in.seg[i].selector, out.seg[i].selector);
		CHECK_EQ(in.seg[i].limit, out.seg[i].limit);
		CHECK(in.seg[i].attr == out.seg[i].attr);
	}
	CHECK(in.rip == out.rip && in.rflags == out.rflags);
	CHECK(in.cr0 == out.cr0 && in.cr2 == out.cr2 && in.cr3 == out.cr3);
	CHECK(in.cr4 == out.cr4 && in.cr8 == out.cr8 && in.efer == out.efer);
	CHECK(in.gdtr.base == out.gdtr.base && in.gdtr.limit == out.gdtr.limit);
	CHECK(in.idtr.base == out.idtr.base);
	CHECK(in.star == out.star && in.lstar == out.lstar);
	CHECK(in.fmask == out.fmask && in.pat == out.pat);
	CHECK(in.kernel_gs_base == out.kernel_gs_base);
	CHECK(in.sysenter_cs == out.sysenter_cs);
	CHECK(in.sysenter_eip == out.sysenter_eip);
	CHECK(in.apic_base == out.apic_base);
	rig_free(rig);
}

/* A reset leads from there to the state after power-on, and keeps nothing. */
static void test_reset(void)
{
	struct rig *rig = rig_new(2, NULL, 0);
	struct cpu_state s, want;

	rig_start64(rig);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	scramble(&s);
	CHECK_EQ(accel_kvm.set_state(cpu_of(rig), &s), 0);
	CHECK_EQ(accel_kvm.vcpu_reset(cpu_of(rig)), 0);
	cpu_reset_state(&want);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	CHECK(s.rip == want.rip && s.rflags == want.rflags);
	CHECK(s.cr0 == want.cr0 && s.cr4 == 0 && s.efer == 0 && s.cr8 == 0);
	CHECK(s.lstar == 0 && s.star == 0 && s.kernel_gs_base == 0);
	CHECK(s.pat == want.pat && s.apic_base == want.apic_base);
	CHECK(!memcmp(s.fxsave, want.fxsave, 4));
	CHECK(!memcmp(s.fxsave + 160, want.fxsave + 160, 256));
	CHECK_EQ(accel_kvm.get_state(&rig->vm->vcpus[1], &s), 0);
	CHECK(s.apic_base == 0xfee00800);
	rig_free(rig);
}

/* Writes to and reads from 0xf0000, whose ROM's byte is 0xee. */
GUEST(poke_bios, 64,
      "mov $0xf4, %edx\n mov $0xf0000, %ebx\n"
      "1: inc %ecx\n mov %cl, (%rbx)\n mov (%rbx), %al\n out %al, %dx\n"
      "jmp 1b\n");

static void test_pam(void)
{
	/* What a slot allows, what the guest reads back from its nth write, and
	 * what RAM holds then.
	 */
	static const struct { bool read, write; uint8_t see, ram; } steps[] = {
		{ false, false, 0xee, 0 }, { true, true, 2, 2 },
		{ true, false, 2, 2 }, { false, true, 0xee, 4 },
		{ true, true, 5, 5 }, { false, false, 0xee, 5 },
	};
	uint8_t *rom = malloc(0x20000);
	struct rig *rig;

	CHECK(rom);
	memset(rom, 0xee, 0x20000);
	rig = rig_new(1, rom, 0x20000);
	free(rom);
	rig_load(rig, RIG_CODE, poke_bios, GUEST_LEN(poke_bios));
	rig_start64(rig);
	for (unsigned i = 0; i < 6; i++) {
		mem_set_pam(rig->vm, 12, steps[i].read, steps[i].write);
		CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
		CHECK_EQ(rig->done, steps[i].see);
		CHECK_EQ(rig->vm->mem.base[0xf0000], steps[i].ram);
	}
	rig_free(rig);
}

/* Writes to pages 0x200, 0x3ff and 0xc0 (a PAM slot), then waits. */
GUEST(dirty_pages, 64,
      "mov $0xf4, %edx\n out %al, %dx\n"
      "movb $1, 0x200fff\n movb $1, 0x3ff000\n movb $1, 0xc0000\n"
      "out %al, %dx\n out %al, %dx\n");

static uint64_t taken[MEMORY_PAGES / 64];

static bool is_dirty(unsigned page)
{
	return taken[page / 64] >> (page % 64) & 1;
}

static void take(struct rig *rig)
{
	memset(taken, 0, sizeof(taken));
	CHECK_EQ(accel_kvm.take_dirty(rig->vm, taken, MEMORY_PAGES / 64), 0);
}

static void test_dirty(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	unsigned n = 0;

	rig_load(rig, RIG_CODE, dirty_pages, GUEST_LEN(dirty_pages));
	rig_start64(rig);
	CHECK_EQ(accel_kvm.take_dirty(rig->vm, taken, MEMORY_PAGES / 64),
		 -EINVAL);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(accel_kvm.log_dirty(rig->vm, true), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	/* A device's write, across two pages; and a slot that changes. */
	rig_load(rig, 0x300ffe, "abcd", 4);
	mem_set_pam(rig->vm, 0, true, false);
	take(rig);
	CHECK(is_dirty(0x200) && is_dirty(0x3ff) && is_dirty(0xc0));
	CHECK(is_dirty(0x300) && is_dirty(0x301));
	CHECK(!is_dirty(0x201) && !is_dirty(0x3fe) && !is_dirty(0x302));
	/* Page tables get accessed bits, and that is all. */
	for (unsigned i = 0; i < MEMORY_PAGES; i++)
		n += is_dirty(i) && (i < 0x70 || i > 0x76);
	CHECK_EQ(n, 5);
	take(rig);
	for (unsigned i = 0x80; i < MEMORY_PAGES; i++)
		CHECK(!is_dirty(i));
	CHECK_EQ(accel_kvm.take_dirty(rig->vm, taken, 1), -EINVAL);
	CHECK_EQ(accel_kvm.log_dirty(rig->vm, false), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	rig_free(rig);
}

GUEST(read_tsc, 64,
      "1: rdtsc\n mov $0xf4, %edx\n out %eax, %dx\n rdtsc\n"
      "mov %edx, %eax\n mov $0xf4, %edx\n out %eax, %dx\n jmp 1b\n");

static uint64_t guest_tsc(struct rig *rig)
{
	uint64_t low;

	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	low = rig->done;
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	return (uint64_t)rig->done << 32 | low;
}

/* Some KVM shows the host's TSC whatever it is told. */
static bool has_own_tsc(struct rig *rig)
{
	struct cpu_state s;

	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	s.tsc = 0;
	CHECK_EQ(accel_kvm.set_state(cpu_of(rig), &s), 0);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	return s.tsc < __rdtsc() / 2;
}

/* The guest sees less time than the host spent in the pause. */
static void test_pause(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	uint64_t before, after, slept;

	rig_load(rig, RIG_CODE, read_tsc, GUEST_LEN(read_tsc));
	rig_start64(rig);
	before = guest_tsc(rig);
	accel_kvm.pause(rig->vm);
	slept = __rdtsc();
	usleep(300000);
	slept = __rdtsc() - slept;
	accel_kvm.resume(rig->vm);
	after = guest_tsc(rig);
	CHECK(after > before);
	if (has_own_tsc(rig))
		CHECK(after - before < slept);
	else
		printf("not tested: this KVM always shows the host's TSC\n");
	rig_free(rig);
}

int main(void)
{
	test_round_trip();
	test_reset_msrs();
	test_reset();
	test_pam();
	test_dirty();
	test_pause();
	return 0;
}
