/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_assist.c - instructions that KVM cannot emulate: on device memory, which is
 * so everywhere, and in ring 0 on RAM, which is so where KVM has no CPU below it.
 * Their effects are the same, whoever executes them.
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/kvmrig.h"
#include "vmm/accel/kvm.h"
#include "vmm/accel/soft/assist.h"

#define DATA		0x8000u
#define IDT		0x9000u
#define HANDLER		0xa000u
#define ABSENT		0x180000000ull	/* behind the page tables' 4 GiB */
#define CR4_OSFXSR	0x200u
#define CR4_OSXSAVE	0x40000u

static struct vcpu *cpu_of(struct rig *rig)
{
	return &rig->vm->vcpus[0];
}

static void start(struct rig *rig, const uint8_t *code, size_t len)
{
	struct cpu_state s;

	rig_load(rig, RIG_CODE, code, len);
	rig_start64(rig);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	s.cr4 |= CR4_OSFXSR;
	CHECK_EQ(accel_kvm.set_state(cpu_of(rig), &s), 0);
}
#define START(rig, guest) start(rig, guest, GUEST_LEN(guest))

static uint64_t data(struct rig *rig, unsigned i)
{
	uint8_t b[8];

	CHECK_EQ(mem_read(rig->vm, DATA + 8 * i, b, 8), 0);
	return get_le64(b);
}

/* Both read 16 bytes of the device; the flags live on. */
GUEST(on_device, 64,
      "mov $0xd0000000, %ebx\n stc\n paddd (%rbx), %xmm0\n sbb %eax, %eax\n"
      "paddd (%rbx), %xmm0\n mov $0xf4, %edx\n out %al, %dx\n");

static uint64_t give(struct rig *rig, struct rig_access *a)
{
	(void)rig;
	return a->addr == RIG_MMIO ? 0x8000000200000001 : 0x0000000400000003;
}

static void test_device(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct cpu_state s, before;

	START(rig, on_device);
	rig->read = give;
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &before), 0);
	before.gpr[CPU_RCX] = 0x1122334455667788;
	CHECK_EQ(accel_kvm.set_state(cpu_of(rig), &before), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(rig->n_log, 4);
	for (unsigned i = 0; i < 4; i++)
		rig_check(rig, i, false, RIG_MMIO + 8 * (i & 1), 8,
			  i & 1 ? 0x0000000400000003 : 0x8000000200000001);
	CHECK_EQ(rig->done, 0xff);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	CHECK_EQ(get_le64(s.fxsave + 160), 0x0000000400000002);
	CHECK_EQ(get_le64(s.fxsave + 168), 0x0000000800000006);
	CHECK_EQ(s.gpr[CPU_RCX], 0x1122334455667788);
	CHECK(s.tsc > before.tsc);
	for (unsigned i = 0; i < CPU_N_SEG; i++) {
		CHECK_EQ(s.seg[i].base, before.seg[i].base);
		CHECK_EQ(s.seg[i].limit, before.seg[i].limit);
		CHECK_EQ(s.seg[i].attr, before.seg[i].attr);
		CHECK_EQ(s.seg[i].selector, before.seg[i].selector);
	}
	CHECK_EQ(s.cr3, before.cr3);
	CHECK_EQ(s.apic_base, before.apic_base);
	rig_free(rig);
}

GUEST(in_ring0, 64,
      "mov $0x8000, %edi\n mov $0x0123456789abcdef, %rax\n mov $7, %ecx\n"
      "popcnt %rax, %rbx\n mov %rbx, (%rdi)\n"
      "crc32q %rax, %rcx\n mov %rcx, 8(%rdi)\n"
      "movq %rax, %xmm1\n pxor %xmm0, %xmm0\n paddd %xmm1, %xmm0\n"
      "paddd %xmm1, %xmm0\n movq %xmm0, 16(%rdi)\n"
      "fninit\n fld1\n fadd %st, %st\n fstpl 24(%rdi)\n"
      "mov $-3, %eax\n cvtsi2sd %eax, %xmm2\n addsd %xmm2, %xmm2\n"
      "movq %xmm2, 32(%rdi)\n"
      "movl $0x3f80, 40(%rdi)\n ldmxcsr 40(%rdi)\n stmxcsr 44(%rdi)\n"
      /* Not equal: what is there. */
      "mov $5, %eax\n xor %edx, %edx\n lock cmpxchg16b 48(%rdi)\n"
      "setz %cl\n mov %rax, 64(%rdi)\n mov %rdx, 72(%rdi)\n mov %cl, 80(%rdi)\n"
      /* Equal. */
      "mov $0xb, %ebx\n mov $0xc, %ecx\n lock cmpxchg16b 48(%rdi)\n"
      "setz 81(%rdi)\n mov $0xf4, %edx\n out %al, %dx\n");

static void test_ring0(void)
{
	static const uint8_t pair[16] = { 1, [8] = 2 };
	struct rig *rig = rig_new(1, NULL, 0);
	size_t words = div_round_up(rig->vm->mem.size / MEM_PAGE, 64);
	uint64_t *dirty = calloc(words, sizeof(*dirty));

	CHECK(dirty);
	rig_load(rig, DATA + 48, pair, sizeof(pair));
	START(rig, in_ring0);
	CHECK_EQ(accel_kvm.log_dirty(rig->vm, true), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(data(rig, 0), 32);
	CHECK_EQ(data(rig, 1), 0x13c16fad);
	CHECK_EQ(data(rig, 2), 0x02468ace13579bde);
	CHECK_EQ(data(rig, 3), 0x4000000000000000);
	CHECK_EQ(data(rig, 4), 0xc018000000000000);
	CHECK_EQ(data(rig, 5), 0x3f8000003f80);
	CHECK_EQ(data(rig, 6), 0xb);
	CHECK_EQ(data(rig, 7), 0xc);
	CHECK_EQ(data(rig, 8), 1);
	CHECK_EQ(data(rig, 9), 2);
	CHECK_EQ(data(rig, 10), 0x100);
	CHECK_EQ(accel_kvm.take_dirty(rig->vm, dirty, words), 0);
	CHECK(dirty[0] >> (DATA >> 12) & 1);
	free(dirty);
	rig_free(rig);
}

/* Exceptions arrive in the guest, with their error codes. */
GUEST(faults, 64,
      "lidt 0x8100\n mov $0x180000000, %rbx\n"
      "paddd (%rbx), %xmm0\n"
      "mov $0x8001, %ebx\n paddd (%rbx), %xmm0\n"
      "ud2\n"
      "mov $0xf4, %edx\n out %al, %dx\n");

/* Each handler writes what it got to the device; those of #GP and #PF go on behind
 * the 4 bytes of paddd, that of #UD behind the 2 of ud2.
 */
GUEST(handlers, 64,
      "mov $13, %ecx\n jmp 1f\n .org handlers + 16\n"
      "mov $14, %ecx\n jmp 1f\n .org handlers + 32\n"
      "push $0\n mov $6, %ecx\n"
      "1: mov $0xd0000000, %esi\n pop %rax\n mov %ecx, (%rsi)\n"
      "mov %eax, 4(%rsi)\n mov %cr2, %rax\n mov %rax, 8(%rsi)\n"
      "cmp $6, %ecx\n je 2f\n addq $2, (%rsp)\n 2: addq $2, (%rsp)\n"
      "iretq\n");

static void put_gate(struct rig *rig, unsigned vector, uint64_t handler)
{
	uint8_t gate[16] = { 0 };

	put_le64(gate, (handler & 0xffff) | 0x8ull << 16 | 0x8eull << 40);
	rig_load(rig, IDT + vector * 16, gate, sizeof(gate));
}

/* Code 0x8, data 0x10: those of rig_start64(). */
static void give_tables(struct rig *rig)
{
	static const uint64_t gdt[] = { 0, 0x00af9b000000ffff,
					0x00cf93000000ffff };
	uint8_t idtr[10] = { 0xff, 0x0f };
	struct cpu_state s;

	put_le64(idtr + 2, IDT);
	rig_load(rig, 0x8100, idtr, sizeof(idtr));
	rig_load(rig, 0x8200, gdt, sizeof(gdt));
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	s.gdtr.base = 0x8200;
	s.gdtr.limit = sizeof(gdt) - 1;
	CHECK_EQ(accel_kvm.set_state(cpu_of(rig), &s), 0);
}

static void test_faults(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct cpu_state s;

	rig_load(rig, HANDLER, handlers, GUEST_LEN(handlers));
	put_gate(rig, 13, HANDLER);
	put_gate(rig, 14, HANDLER + 16);
	put_gate(rig, 6, HANDLER + 32);
	START(rig, faults);
	give_tables(rig);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(rig->n_log, 9);
	rig_check(rig, 0, true, RIG_MMIO, 4, 14);
	rig_check(rig, 1, true, RIG_MMIO + 4, 4, 0);
	rig_check(rig, 2, true, RIG_MMIO + 8, 8, ABSENT);
	rig_check(rig, 3, true, RIG_MMIO, 4, 13);
	rig_check(rig, 4, true, RIG_MMIO + 4, 4, 0);
	rig_check(rig, 6, true, RIG_MMIO, 4, 6);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	CHECK_EQ(s.cr2, ABSENT);
	rig_free(rig);
}

GUEST(no_handler, 64, "mov $0xd0000001, %ebx\n paddd (%rbx), %xmm0\n hlt\n");

static void test_triple_fault(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct cpu_state s;

	START(rig, no_handler);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	s.idtr.limit = 0;
	CHECK_EQ(accel_kvm.set_state(cpu_of(rig), &s), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_SHUTDOWN);
	rig_free(rig);
}

/* The software CPU has no XSAVE, and the guest would not understand #UD where the
 * CPU says that it has.
 */
GUEST(beyond, 64, "mov $0xd0000000, %ebx\n xsave (%rbx)\n");

static void test_cannot(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	enum vcpu_exit why;
	struct err e = { "" };
	struct cpu_state s;

	START(rig, beyond);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	s.cr4 |= CR4_OSXSAVE;
	if (!accel_kvm.set_state(cpu_of(rig), &s)) {
		CHECK_EQ(accel_kvm.run(cpu_of(rig), &why, &e), -EOPNOTSUPP);
		CHECK(strstr(e.text, "0x8:0x1005"));
		CHECK(strstr(e.text, "0f ae 23"));
	}
	rig_free(rig);
}

/* A debugger that steps sees this one as any other. */
static void test_step(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct vcpu *cpu = cpu_of(rig);
	struct cpu_state s;

	START(rig, on_device);
	rig->read = give;
	cpu->debug.on = cpu->debug.step = true;
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(rig_run(rig, 0), VCPU_DEBUG);
		CHECK_EQ(cpu->debug.exception, 1);
	}
	CHECK_EQ(accel_kvm.get_state(cpu, &s), 0);
	CHECK_EQ(s.rip, RIG_CODE + 10);
	CHECK_EQ(get_le64(s.fxsave + 160), 0x8000000200000001);
	cpu->debug.on = cpu->debug.step = false;
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	rig_free(rig);
}

/* The interrupt waits while IF is 0, then for the instruction behind STI; that one
 * is the software CPU's, and no more of them are in the shadow.
 */
GUEST(shadowed, 64,
      "lidt 0x8100\n mov $0xfee00000, %edi\n movl $0x1ff, 0xf0(%rdi)\n"
      "movl $0, 0x310(%rdi)\n movl $0x40, 0x300(%rdi)\n"
      "mov $0xd0000000, %ebx\n"
      "sti\n paddd (%rbx), %xmm0\n"
      "inc %ecx\n inc %ecx\n"
      "mov $0xf4, %edx\n out %al, %dx\n");
GUEST(on_interrupt, 64,
      "mov %ecx, 16(%rbx)\n movl $0, 0xb0(%rdi)\n iretq\n");

static void test_shadow(void)
{
	struct rig *rig = rig_new(1, NULL, 0);

	rig->read = give;
	rig_load(rig, HANDLER, on_interrupt, GUEST_LEN(on_interrupt));
	put_gate(rig, 0x40, HANDLER);
	START(rig, shadowed);
	give_tables(rig);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(rig->n_log, 3);
	rig_check(rig, 0, false, RIG_MMIO, 8, 0x8000000200000001);
	rig_check(rig, 1, false, RIG_MMIO + 8, 8, 0x0000000400000003);
	rig_check(rig, 2, true, RIG_MMIO + 16, 4, 0);
	rig_free(rig);
}

/* The handler of the first NMI sends another one: that waits for its IRET, whoever
 * executes what lies between.
 */
GUEST(two_nmis, 64,
      "lidt 0x8100\n mov $0xfee00000, %edi\n mov $0xd0000000, %ebx\n"
      "xor %ecx, %ecx\n"
      "movl $0, 0x310(%rdi)\n movl $0x4400, 0x300(%rdi)\n"
      "1: cmp $2, %ecx\n jb 1b\n"
      "mov $0xf4, %edx\n out %al, %dx\n");
GUEST(on_nmi, 64,
      "movl $1, 16(%rbx)\n test %ecx, %ecx\n jnz 1f\n"
      "movl $0x4400, 0x300(%rdi)\n"
      "1: inc %ecx\n paddd (%rbx), %xmm0\n nop\n nop\n"
      "movl $2, 16(%rbx)\n iretq\n");

static void test_nmi_mask(void)
{
	struct rig *rig = rig_new(1, NULL, 0);

	rig->read = give;
	rig_load(rig, HANDLER, on_nmi, GUEST_LEN(on_nmi));
	put_gate(rig, 2, HANDLER);
	START(rig, two_nmis);
	give_tables(rig);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(rig->n_log, 8);
	for (unsigned i = 0; i < 8; i += 4) {
		rig_check(rig, i, true, RIG_MMIO + 16, 4, 1);
		rig_check(rig, i + 3, true, RIG_MMIO + 16, 4, 2);
	}
	rig_free(rig);
}

/* One instruction of 64-bit code and what it does to both. */
static void check_extra(const void *code, size_t len, struct assist_extra in,
			struct assist_extra out)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct assist *a;
	struct cpu_state s;

	START(rig, on_device);
	give_tables(rig);
	put_gate(rig, 6, HANDLER);
	rig_load(rig, RIG_CODE, code, len);
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig), &s), 0);
	s.gpr[CPU_RAX] = 0x10;
	s.gpr[CPU_RSP] = DATA;
	s.idtr.base = IDT;
	s.idtr.limit = 0xfff;
	rig_load(rig, DATA, (uint64_t[]){ RIG_CODE, 8, 2, DATA, 0x10 }, 40);
	CHECK_EQ(assist_new(cpu_of(rig), 46, &a), 0);
	assist_load(a, &s, &in);
	CHECK_EQ(assist_step(a), ASSIST_ON);
	assist_done(a, &s, &in);
	CHECK_EQ(in.shadow, out.shadow);
	CHECK_EQ(in.nmi_masked, out.nmi_masked);
	assist_free(a);
	rig_free(rig);
}

/* What begins a shadow, and what ends it or lets NMIs in. */
static void test_extra(void)
{
	const struct assist_extra none = { false, false };
	const struct assist_extra shadow = { .shadow = true };
	const struct assist_extra masked = { .nmi_masked = true };
	const struct assist_extra both = { true, true };

	check_extra("\x90", 1, none, none);
	check_extra("\x90", 1, both, masked);
	check_extra("\xfb", 1, none, shadow);		/* sti */
	check_extra("\xfb", 1, both, both);		/* its own */
	check_extra("\x8e\xd0", 2, masked, both);	/* mov %eax, %ss */
	check_extra("\x48\xcf", 2, both, none);		/* iretq */
	check_extra("\x0f\x0b", 2, shadow, none);	/* ud2: delivered */
}

int main(void)
{
	test_device();
	test_ring0();
	test_faults();
	test_triple_fault();
	test_cannot();
	test_step();
	test_shadow();
	test_nmi_mask();
	test_extra();
	return 0;
}
