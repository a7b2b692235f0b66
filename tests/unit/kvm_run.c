/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_run.c - how vCPUs on KVM start, stop, are kicked and fail. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/kvmrig.h"
#include "vmm/accel/kvm.h"

static struct vcpu *cpu_of(struct rig *rig, unsigned i)
{
	return &rig->vm->vcpus[i];
}

/* After a reset the first CPU fetches from the ROM's last 16 bytes. */
static void test_reset_vector(void)
{
	/* mov $0x600, %dx; mov $0x77, %al; out %al, %dx; mov $0xf4, %dx;
	 * out %al, %dx
	 */
	static const uint8_t code[] = { 0xba, 0x00, 0x06, 0xb0, 0x77, 0xee,
					0xba, 0xf4, 0x00, 0xee };
	uint8_t *rom = calloc(1, 0x10000);
	struct rig *rig;
	struct cpu_state s;

	CHECK(rom);
	memcpy(rom + 0xfff0, code, sizeof(code));
	rig = rig_new(1, rom, 0x10000);
	free(rom);
	for (unsigned i = 0; i < 3; i++) {
		rig->n_log = 0;
		CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
		CHECK_EQ(rig->done, 0x77);
		rig_check(rig, 0, true, 0x600, 1, 0x77);
		CHECK_EQ(accel_kvm.get_state(cpu_of(rig, 0), &s), 0);
		CHECK_EQ(s.rip, 0xfffa);
		CHECK_EQ(s.seg[CPU_CS].base, 0xffff0000);
		CHECK_EQ(accel_kvm.vcpu_reset(cpu_of(rig, 0)), 0);
	}
	CHECK_EQ(accel_kvm.get_state(cpu_of(rig, 0), &s), 0);
	CHECK(s.gpr[CPU_RDX] == kvm_cpu_of(cpu_of(rig, 0))->signature);
	CHECK(s.gpr[CPU_RDX]);
	rig_free(rig);
}

GUEST(spin, 32, "1: jmp 1b\n");

static void *kick_soon(void *arg)
{
	usleep(2000);
	accel_kvm.kick(arg);
	return NULL;
}

/* Kicks reach a vCPU that spins, one that is not running, and once each. */
static void test_kicks(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	pthread_t thread;

	rig_load(rig, RIG_CODE, spin, GUEST_LEN(spin));
	rig_start32(rig);
	for (unsigned i = 0; i < 20; i++) {
		CHECK_EQ(pthread_create(&thread, NULL, kick_soon,
					cpu_of(rig, 0)), 0);
		CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
		pthread_join(thread, NULL);
	}
	accel_kvm.kick(cpu_of(rig, 0));
	accel_kvm.kick(cpu_of(rig, 0));
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	/* Both were that one: the next run() waits for another. */
	CHECK_EQ(pthread_create(&thread, NULL, kick_soon, cpu_of(rig, 0)), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	pthread_join(thread, NULL);
	rig_free(rig);
}

struct storm {
	struct vcpu *cpu;
	_Atomic unsigned n;
	_Atomic bool stop;
};

static void *kick_often(void *arg)
{
	struct storm *s = arg;

	while (!s->stop) {
		accel_kvm.kick(s->cpu);
		s->n++;
	}
	return NULL;
}

GUEST(count_up, 32,
      "mov $0x600, %edx\n xor %eax, %eax\n"
      "1: inc %eax\n out %eax, %dx\n cmp $2000, %eax\n jb 1b\n"
      "mov $0xf4, %edx\n out %eax, %dx\n");

/* No access is lost or done twice, however often a vCPU is kicked. */
static void test_kick_storm(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct storm storm = { .cpu = cpu_of(rig, 0) };
	pthread_t thread;

	rig_load(rig, RIG_CODE, count_up, GUEST_LEN(count_up));
	rig_start32(rig);
	CHECK_EQ(pthread_create(&thread, NULL, kick_often, &storm), 0);
	while (!rig->done)
		CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	storm.stop = true;
	pthread_join(thread, NULL);
	CHECK(storm.n > 1);
	CHECK_EQ(rig->n_log, 2000);
	for (unsigned i = 0; i < 2000; i++)
		rig_check(rig, i, true, 0x600, 4, i + 1);
	rig_free(rig);
}

GUEST(no_handlers, 32, "mov $0x2000, %eax\n lidt (%eax)\n ud2\n");

static void test_triple_fault(void)
{
	struct rig *rig = rig_new(1, NULL, 0);

	rig_load(rig, RIG_CODE, no_handlers, GUEST_LEN(no_handlers));
	rig_start32(rig);
	CHECK_EQ(rig_run(rig, 0), VCPU_SHUTDOWN);
	/* A reset gets it out of there. */
	CHECK_EQ(accel_kvm.vcpu_reset(cpu_of(rig, 0)), 0);
	rig_load(rig, RIG_CODE, spin, GUEST_LEN(spin));
	rig_start32(rig);
	accel_kvm.kick(cpu_of(rig, 0));
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	rig_free(rig);
}

GUEST(halt_for_good, 32, "cli\n hlt\n jmp 1f\n1: mov $0xf4, %edx\n"
      "out %al, %dx\n");
GUEST(halt_and_wait, 32, "sti\n hlt\n");

/* Halted with interrupts off is dead, on is not; waiting for SIPI is, until it
 * comes.
 */
static void test_dead(void)
{
	struct rig *rig = rig_new(2, NULL, 0);
	pthread_t thread;

	rig_load(rig, RIG_CODE, halt_for_good, GUEST_LEN(halt_for_good));
	rig_start32(rig);
	CHECK_EQ(pthread_create(&thread, NULL, kick_soon, cpu_of(rig, 0)), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_DEAD);
	pthread_join(thread, NULL);
	accel_kvm.kick(cpu_of(rig, 0));
	CHECK_EQ(rig_run(rig, 0), VCPU_DEAD);
	accel_kvm.kick(cpu_of(rig, 1));
	CHECK_EQ(rig_run(rig, 1), VCPU_DEAD);
	CHECK_EQ(rig->done, 0);

	CHECK_EQ(accel_kvm.vcpu_reset(cpu_of(rig, 0)), 0);
	rig_load(rig, RIG_CODE, halt_and_wait, GUEST_LEN(halt_and_wait));
	rig_start32(rig);
	CHECK_EQ(pthread_create(&thread, NULL, kick_soon, cpu_of(rig, 0)), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	pthread_join(thread, NULL);
	rig_free(rig);
}

/* An NMI gets a CPU out of a halt with interrupts off: not dead. */
static void test_nmi_pending(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	pthread_t thread;

	rig_load(rig, RIG_CODE, halt_for_good, GUEST_LEN(halt_for_good));
	rig_start32(rig);
	CHECK_EQ(pthread_create(&thread, NULL, kick_soon, cpu_of(rig, 0)), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_DEAD);
	pthread_join(thread, NULL);
	CHECK_EQ(ioctl(kvm_cpu_of(cpu_of(rig, 0))->fd, KVM_NMI), 0);
	accel_kvm.kick(cpu_of(rig, 0));
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	rig_free(rig);
}

/* CPU 0 sends INIT and SIPI with vector 2 to CPU 1 through its LAPIC; that one
 * starts at 0x2000 in real mode, writes down, and tells CPU 0 through memory.
 */
GUEST(boot_cpu, 32,
      "mov $0xfee00000, %ebx\n movl $0x01000000, 0x310(%ebx)\n"
      "movl $0x00004500, 0x300(%ebx)\n"
      "movl $0x01000000, 0x310(%ebx)\n movl $0x00004602, 0x300(%ebx)\n"
      "1: pause\n cmpb $0x5a, 0x3000\n jne 1b\n"
      "mov $0xf4, %edx\n mov $0x66, %al\n out %al, %dx\n");
GUEST(other_cpu, 16,
      "mov $0x600, %dx\n mov %cs, %ax\n out %ax, %dx\n"
      "xor %ax, %ax\n mov %ax, %ds\n movb $0x5a, 0x3000\n"
      "cli\n 1: hlt\n jmp 1b\n");

static void *run_second(void *arg)
{
	enum vcpu_exit *why = malloc(sizeof(*why));

	CHECK(why);
	*why = rig_run(arg, 1);
	return why;
}

static void test_second_cpu(void)
{
	struct rig *rig = rig_new(2, NULL, 0);
	pthread_t thread;
	void *why;

	rig_load(rig, 0x2000, other_cpu, GUEST_LEN(other_cpu));
	rig_load(rig, RIG_CODE, boot_cpu, GUEST_LEN(boot_cpu));
	rig_start32(rig);
	CHECK_EQ(pthread_create(&thread, NULL, run_second, rig), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	pthread_join(thread, &why);
	CHECK_EQ(rig->done, 0x66);
	CHECK_EQ(rig->n_log, 1);
	rig_check(rig, 0, true, 0x600, 2, 0x200);
	free(why);
	rig_free(rig);
}

GUEST(breakpoint, 32, "nop\n int3\n nop\n hlt\n");

static void test_debug(void)
{
	struct rig *rig = rig_new(1, NULL, 0);
	struct vcpu *cpu = cpu_of(rig, 0);
	struct accel_report report;
	struct cpu_state s;

	accel_kvm.probe(&report);
	rig_load(rig, RIG_CODE, breakpoint, GUEST_LEN(breakpoint));
	rig_start32(rig);
	cpu->debug.on = cpu->debug.step = true;
	CHECK_EQ(rig_run(rig, 0), VCPU_DEBUG);
	CHECK_EQ(accel_kvm.get_state(cpu, &s), 0);
	CHECK_EQ(s.rip, RIG_CODE + 1);
	cpu->debug.step = false;
	if (report.quality != ACCEL_USABLE) {
		/* KVM's emulator does not know INT3 in protected mode. */
		rig_free(rig);
		return;
	}
	CHECK_EQ(rig_run(rig, 0), VCPU_DEBUG);
	CHECK_EQ(accel_kvm.get_state(cpu, &s), 0);
	CHECK_EQ(s.rip, RIG_CODE + 1);
	rig_free(rig);
}

int main(void)
{
	test_reset_vector();
	test_kicks();
	test_kick_storm();
	test_triple_fault();
	test_dead();
	test_nmi_pending();
	test_second_cpu();
	test_debug();
	return 0;
}
