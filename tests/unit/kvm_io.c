/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_io.c - what a guest on KVM does to ports and device memory arrives as the
 * accesses that it made, of every width, and with what they read.
 */
#include "tests/check.h"
#include "tests/lib/kvmrig.h"

#define DONE "mov $0xf4, %dx\n out %al, %dx\n hlt\n"

GUEST(real_mode, 16,
      "mov $0x600, %dx\n mov $0x11, %al\n out %al, %dx\n"
      "mov $0x55, %al\n" DONE);

static void test_real_mode(void)
{
	struct rig *rig = rig_new(1, NULL, 0);

	RIG_RUN(rig, real_mode, 16);
	CHECK_EQ(rig->done, 0x55);
	CHECK_EQ(rig->n_log, 1);
	rig_check(rig, 0, true, 0x600, 1, 0x11);
	rig_free(rig);
}

/* Widths and reads: what is read is written back to another port. */
GUEST(ports, 32,
      "mov $0x601, %edx\n in %dx, %al\n out %al, %dx\n"
      "mov $0x602, %edx\n in %dx, %ax\n out %ax, %dx\n"
      "mov $0x604, %edx\n in %dx, %eax\n out %eax, %dx\n"
      "mov $0x1234, %edx\n in %dx, %eax\n"	/* nobody there */
      "mov $0x604, %edx\n out %eax, %dx\n" DONE);

static uint64_t pattern(struct rig *rig, struct rig_access *a)
{
	(void)rig;
	return 0x8877665544332211u + a->addr;
}

static void test_ports(void)
{
	struct rig *rig = rig_new(1, NULL, 0);

	rig->read = pattern;
	RIG_RUN(rig, ports, 32);
	CHECK_EQ(rig->n_log, 7);
	rig_check(rig, 0, false, 0x601, 1, 0x12);
	rig_check(rig, 1, true, 0x601, 1, 0x12);
	rig_check(rig, 2, false, 0x602, 2, 0x2813);
	rig_check(rig, 3, true, 0x602, 2, 0x2813);
	rig_check(rig, 4, false, 0x604, 4, 0x44332815);
	rig_check(rig, 5, true, 0x604, 4, 0x44332815);
	rig_check(rig, 6, true, 0x604, 4, 0xffffffff);
	rig_free(rig);
}

/* Strings in both directions: 7 bytes out, 5 words in, 3 dwords out downwards. */
GUEST(strings, 32,
      "mov $0x600, %edx\n mov $0x2000, %esi\n mov $7, %ecx\n cld\n"
      "rep outsb\n"
      "mov $0x602, %edx\n mov $0x3000, %edi\n mov $5, %ecx\n"
      "rep insw\n"
      "mov $0x604, %edx\n mov $0x2008, %esi\n mov $3, %ecx\n std\n"
      "rep outsl\n mov %esi, %eax\n mov $0xf4, %edx\n out %eax, %dx\n");

static uint64_t count_up(struct rig *rig, struct rig_access *a)
{
	(void)a;
	return 0xa000 + rig->n_log;
}

static void test_strings(void)
{
	static const char text[] = "0123456789ab";
	struct rig *rig = rig_new(1, NULL, 0);
	uint16_t in[6] = { 0 };

	rig->read = count_up;
	rig_load(rig, 0x2000, text, sizeof(text));
	RIG_RUN(rig, strings, 32);
	CHECK_EQ(rig->n_log, 7 + 5 + 3);
	for (unsigned i = 0; i < 7; i++)
		rig_check(rig, i, true, 0x600, 1, '0' + i);
	CHECK_EQ(mem_read(rig->vm, 0x3000, in, sizeof(in)), 0);
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(in[i], 0xa000 + 8 + i);
	CHECK_EQ(in[5], 0);
	rig_check(rig, 12, true, 0x604, 4, 0x62613938);
	rig_check(rig, 14, true, 0x604, 4, 0x33323130);
	CHECK_EQ(rig->done, 0x2008 - 12);
	rig_free(rig);
}

GUEST(device_memory, 64,
      "mov $0xd0000000, %ebx\n"
      "mov 1(%rbx), %al\n mov %al, 0x11(%rbx)\n"
      "mov 2(%rbx), %ax\n mov %ax, 0x12(%rbx)\n"
      "mov 4(%rbx), %eax\n mov %eax, 0x14(%rbx)\n"
      "mov 8(%rbx), %rax\n mov %rax, 0x18(%rbx)\n"
      "movl $0x7f, 0x20(%rbx)\n"
      "addl $1, 0x24(%rbx)\n"		/* a read and a write */
      "mov $0xf4, %edx\n out %al, %dx\n");

static void test_device_memory(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	const uint64_t b = RIG_MMIO, p = 0x8877665544332211u + b;

	rig->read = pattern;
	RIG_RUN(rig, device_memory, 64);
	CHECK_EQ(rig->n_log, 11);
	rig_check(rig, 0, false, b + 1, 1, (p + 1) & 0xff);
	rig_check(rig, 1, true, b + 0x11, 1, (p + 1) & 0xff);
	rig_check(rig, 2, false, b + 2, 2, (p + 2) & 0xffff);
	rig_check(rig, 3, true, b + 0x12, 2, (p + 2) & 0xffff);
	rig_check(rig, 4, false, b + 4, 4, (uint32_t)(p + 4));
	rig_check(rig, 5, true, b + 0x14, 4, (uint32_t)(p + 4));
	rig_check(rig, 6, false, b + 8, 8, p + 8);
	rig_check(rig, 7, true, b + 0x18, 8, p + 8);
	rig_check(rig, 8, true, b + 0x20, 4, 0x7f);
	rig_check(rig, 9, false, b + 0x24, 4, (uint32_t)(p + 0x24));
	rig_check(rig, 10, true, b + 0x24, 4, (uint32_t)(p + 0x25));
	rig_free(rig);
}

/* Across a page inside the region, and off its end into nobody's land. */
GUEST(crossing, 32,
      "mov $0xd0001000, %ebx\n"
      "movl $0x44332211, -2(%ebx)\n mov -2(%ebx), %eax\n"
      "mov $0xd0004000, %ebx\n mov -2(%ebx), %ecx\n"
      "movl $0x44332211, -2(%ebx)\n"
      "mov $0xf4, %edx\n out %eax, %dx\n mov %ecx, %eax\n out %eax, %dx\n");

static void test_crossing(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	uint8_t bytes[8] = { 0 };

	RIG_RUN(rig, crossing, 32);
	for (unsigned i = 0; i < rig->n_log; i++) {
		const struct rig_access *a = &rig->log[i];

		for (unsigned k = 0; a->write && k < a->size; k++)
			if (a->addr < RIG_MMIO + 0x2000)
				bytes[a->addr + k - RIG_MMIO - 0xffe] =
					(uint8_t)(a->value >> (8 * k));
	}
	CHECK_EQ(bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24,
		 0x44332211);
	CHECK_EQ(bytes[4], 0);
	/* Each read gave its address: two halves of the low bytes. */
	CHECK_EQ(rig->done & 0xffff, 0x0ffe);
	CHECK_EQ(rig->done >> 16, 0x1000);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(rig->done & 0xff, 0xfe);
	CHECK_EQ(rig->done >> 16, 0xffff);
	rig_free(rig);
}

/* run() returns behind the access that asked for it, with the state complete. */
GUEST(precise, 32,
      "mov $0xd0000000, %ebx\n"
      "mov $0xf4, %edx\n out %al, %dx\n"
      "in %dx, %eax\n hlt\n");

static uint64_t read_and_kick(struct rig *rig, struct rig_access *a)
{
	accel_kvm.kick(&rig->vm->vcpus[0]);
	return a->addr;
}

GUEST(load, 32, "mov 0xd0000ffe, %eax\n mov $1, %ebx\n hlt\n");

static void test_precise(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct cpu_state s;

	RIG_RUN(rig, precise, 32);
	CHECK_EQ(accel_kvm.get_state(&rig->vm->vcpus[0], &s), 0);
	CHECK_EQ(s.rip, RIG_CODE + 11);
	rig->read = read_and_kick;
	RIG_RUN(rig, load, 32);
	CHECK_EQ(accel_kvm.get_state(&rig->vm->vcpus[0], &s), 0);
	CHECK_EQ(s.rip, RIG_CODE + 5);
	CHECK_EQ(s.gpr[CPU_RAX], 0x10000ffe);
	CHECK_EQ(s.gpr[CPU_RBX], 0);
	rig_free(rig);
}

int main(void)
{
	test_real_mode();
	test_ports();
	test_strings();
	test_device_memory();
	test_crossing();
	test_precise();
	return 0;
}
