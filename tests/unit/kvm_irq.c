/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_irq.c - interrupts reach guests on KVM: messages, the 8259 pair's, the
 * IOAPIC's level-triggered ones until their EOI; and doorbells.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/kvmrig.h"
#include "vmm/chip/ioapic.h"
#include "vmm/chip/pic.h"

#define IDT 0x6000u
#define GDT 0x7000u

/* With chips, and an IDT for 64-bit mode (some KVM that emulates has no IRET in
 * others): vector 0x40 at 0x2000, others up to 0x4f behind it, 32 bytes each.
 */
static struct rig *rig_with_chips(void)
{
	static const uint64_t gdt[] = { 0, 0x00af9b000000ffff,
					0x00cf93000000ffff };
	struct rig *rig = rig_new(1, NULL, 0);
	struct err e = { "" };

	CHECK_OK(pic_new(rig->vm, &rig->vm->pic, &e));
	CHECK_OK(ioapic_new(rig->vm, &rig->vm->ioapic, &e));
	rig_load(rig, GDT, gdt, sizeof(gdt));
	for (uint32_t v = 0; v < 16; v++) {
		uint8_t gate[16] = { 0 };

		put_le32(gate, 0x00080000 | (0x2000 + 32 * v));
		put_le32(gate + 4, 0x00008e00);
		rig_load(rig, IDT + 16 * (0x40 + v), gate, 16);
	}
	return rig;
}

static void start(struct rig *rig)
{
	struct cpu_state s;

	rig_start64(rig);
	CHECK_EQ(accel_kvm.get_state(&rig->vm->vcpus[0], &s), 0);
	s.idtr.base = IDT;
	s.idtr.limit = 0x4ff;
	s.gdtr.base = GDT;
	s.gdtr.limit = 23;
	CHECK_EQ(accel_kvm.set_state(&rig->vm->vcpus[0], &s), 0);
}

struct later {
	struct rig *rig;
	void (*act)(struct rig *rig);
};

static void *act_later(void *arg)
{
	struct later *l = arg;

	usleep(5000);
	l->act(l->rig);
	return NULL;
}

/* Run, and do `act` from another thread while the guest waits. */
static void run_with(struct rig *rig, void (*act)(struct rig *rig))
{
	struct later later = { rig, act };
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, act_later, &later), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	pthread_join(thread, NULL);
}

/* Software-enables the LAPIC, halts, and says which handler woke it. */
GUEST(wait_for_msi, 64,
      "mov $0xfee00000, %ebx\n movl $0x1ff, 0xf0(%rbx)\n xor %eax, %eax\n"
      "sti\n hlt\n mov $0xf4, %edx\n out %al, %dx\n");
GUEST(handler_41, 64,
      "mov $0x41, %al\n mov $0xfee00000, %esi\n movl $0, 0xb0(%rsi)\n iretq\n");

static void send_msi(struct rig *rig)
{
	msi_send(rig->vm, 0xfee00000, 0x41);
}

static void test_msi(void)
{
	struct rig *rig = rig_with_chips();

	rig_load(rig, RIG_CODE, wait_for_msi, GUEST_LEN(wait_for_msi));
	rig_load(rig, 0x2020, handler_41, GUEST_LEN(handler_41));
	start(rig);
	/* To a CPU that does not exist, and to no LAPIC: lost. */
	msi_send(rig->vm, 0xfee07000, 0x42);
	msi_send(rig->vm, 0xfed00000, 0x42);
	run_with(rig, send_msi);
	CHECK_EQ(rig->done, 0x41);
	rig_free(rig);
}

/* Sets up both 8259s (base 0x40 and 0x48), opens lines 4 and 9, and waits three
 * times, the last one in a loop, because some KVM that emulates looks for
 * interrupts only now and then; each handler sends its EOI.
 */
GUEST(wait_for_pic, 64,
      "mov $0x11, %al\n out %al, $0x20\n out %al, $0xa0\n"
      "mov $0x40, %al\n out %al, $0x21\n mov $0x48, %al\n out %al, $0xa1\n"
      "mov $4, %al\n out %al, $0x21\n mov $2, %al\n out %al, $0xa1\n"
      "mov $1, %al\n out %al, $0x21\n out %al, $0xa1\n"
      "mov $0xeb, %al\n out %al, $0x21\n mov $0xfd, %al\n out %al, $0xa1\n"
      "mov $0xf4, %edx\n"
      "xor %eax, %eax\n sti\n hlt\n out %eax, %dx\n"
      "xor %eax, %eax\n hlt\n out %eax, %dx\n"
      "cli\n mov $0x600, %edx\n out %al, %dx\n"	/* the lines rise here */
      "xor %eax, %eax\n mov $3000, %ecx\n"
      "sti\n 1: dec %ecx\n jnz 1b\n cli\n"
      "mov $0xf4, %edx\n out %eax, %dx\n");
/* AH counts, AL says which. */
GUEST(handler_44, 64,
      "mov $0x20, %al\n out %al, $0x20\n mov $0x44, %al\n iretq\n");
GUEST(handler_49, 64,
      "mov $0x20, %al\n out %al, $0xa0\n out %al, $0x20\n inc %ah\n"
      "mov $0x49, %al\n iretq\n");

static void pulse(struct rig *rig, unsigned line)
{
	struct irq_line irq = irq_isa(rig->vm, line);

	irq_set(&irq, false);
	irq_set(&irq, true);
}

static void pulse_4(struct rig *rig)
{
	pulse(rig, 4);
}

static void pulse_9(struct rig *rig)
{
	pulse(rig, 9);
}

static void pulse_both(struct rig *rig, struct rig_access *a)
{
	(void)a;
	pulse(rig, 9);
	pulse(rig, 4);
}

static void test_pic(void)
{
	struct rig *rig = rig_with_chips();

	rig->wrote = pulse_both;
	rig_load(rig, RIG_CODE, wait_for_pic, GUEST_LEN(wait_for_pic));
	rig_load(rig, 0x2080, handler_44, GUEST_LEN(handler_44));
	rig_load(rig, 0x2120, handler_49, GUEST_LEN(handler_49));
	start(rig);
	run_with(rig, pulse_4);
	CHECK_EQ(rig->done, 0x44);
	run_with(rig, pulse_9);
	CHECK_EQ(rig->done, 0x149);
	/* Two at once, while interrupts are off: 9 goes before 4, and the other
	 * one comes behind it.
	 */
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(rig->done, 0x144);
	rig_free(rig);
}

/* Pin 10 level-triggered, vector 0x43: as long as the line stays high each EOI
 * brings it again; the handler's port write lets it drop at the third.
 */
GUEST(wait_for_ioapic, 64,
      "mov $0xff, %al\n out %al, $0x21\n out %al, $0xa1\n"
      "mov $0xfee00000, %ebx\n movl $0x1ff, 0xf0(%rbx)\n"
      "mov $0xfec00000, %ebx\n"
      "movl $0x24, (%rbx)\n movl $0x8043, 0x10(%rbx)\n"
      "movl $0x25, (%rbx)\n movl $0, 0x10(%rbx)\n"
      "xor %ecx, %ecx\n sti\n"
      "1: hlt\n cmp $3, %ecx\n jb 1b\n"
      "mov $0xf4, %edx\n mov %ecx, %eax\n out %al, %dx\n");
GUEST(handler_43, 64,
      "inc %ecx\n mov %ecx, %eax\n mov $0x600, %edx\n out %al, %dx\n"
      "mov $0xfee00000, %esi\n movl $0, 0xb0(%rsi)\n iretq\n");

static void raise_10(struct rig *rig)
{
	struct irq_line irq = irq_isa(rig->vm, 10);

	irq_set(&irq, true);
}

static void drop_at_third(struct rig *rig, struct rig_access *a)
{
	struct irq_line irq = irq_isa(rig->vm, 10);

	if (a->value == 3)
		irq_set(&irq, false);
}

static void kick_it(struct rig *rig)
{
	accel_kvm.kick(&rig->vm->vcpus[0]);
}

static void test_ioapic(void)
{
	struct rig *rig = rig_with_chips();

	rig->wrote = drop_at_third;
	rig_load(rig, RIG_CODE, wait_for_ioapic, GUEST_LEN(wait_for_ioapic));
	rig_load(rig, 0x2060, handler_43, GUEST_LEN(handler_43));
	start(rig);
	run_with(rig, raise_10);
	CHECK_EQ(rig->done, 3);
	CHECK_EQ(rig->n_log, 3);
	rig_free(rig);
}

/* Doorbells ring in the kernel: any width, and only at their address. */
GUEST(ring, 64,
      "mov $0xd0000000, %ebx\n movw $7, 0x100(%rbx)\n movl $7, 0x100(%rbx)\n"
      "movl $7, 0x104(%rbx)\n"
      "mov $0x610, %edx\n out %al, %dx\n out %eax, %dx\n"
      "mov $0xf4, %edx\n out %al, %dx\n"
      "movl $8, 0x100(%rbx)\n out %al, %dx\n");

static uint64_t count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void test_doorbells(void)
{
	struct rig *rig = rig_with_chips();
	int mmio = eventfd(0, EFD_NONBLOCK), pio = eventfd(0, EFD_NONBLOCK);
	int rc = accel_kvm.doorbell(rig->vm, false, RIG_MMIO + 0x100, 0, mmio,
				    true);

	CHECK(mmio >= 0 && pio >= 0);
	if (rc == -ENOTSUP) {
		printf("this KVM has no doorbells\n");
		exit(77);
	}
	CHECK_EQ(rc, 0);
	CHECK_EQ(accel_kvm.doorbell(rig->vm, true, 0x610, 4, pio, true), 0);
	rig_load(rig, RIG_CODE, ring, GUEST_LEN(ring));
	start(rig);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(count(mmio), 2);
	CHECK_EQ(count(pio), 1);
	CHECK_EQ(rig->n_log, 2);
	rig_check(rig, 0, true, RIG_MMIO + 0x104, 4, 7);
	CHECK_EQ(rig->log[1].addr, 0x610);
	CHECK_EQ(rig->log[1].size, 1);
	CHECK_EQ(accel_kvm.doorbell(rig->vm, false, RIG_MMIO + 0x100, 0, mmio,
				    false), 0);
	CHECK_EQ(rig_run(rig, 0), VCPU_KICKED);
	CHECK_EQ(count(mmio), 0);
	rig_check(rig, 2, true, RIG_MMIO + 0x100, 4, 8);
	close(mmio);
	close(pio);
	rig_free(rig);
}

/* A request of the 8259 with interrupts off does not wake, and is not lost. */
GUEST(masked_pic, 64,
      "mov $0x11, %al\n out %al, $0x20\n mov $0x40, %al\n out %al, $0x21\n"
      "mov $4, %al\n out %al, $0x21\n mov $1, %al\n out %al, $0x21\n"
      "mov $0xef, %al\n out %al, $0x21\n cli\n hlt\n");

static void test_masked(void)
{
	struct rig *rig = rig_with_chips();
	enum vcpu_exit why;
	struct later later = { rig, kick_it };
	pthread_t thread;

	rig_load(rig, RIG_CODE, masked_pic, GUEST_LEN(masked_pic));
	start(rig);
	pulse(rig, 4);
	CHECK_EQ(pthread_create(&thread, NULL, act_later, &later), 0);
	do {
		why = rig_run(rig, 0);
	} while (why == VCPU_KICKED && !pthread_tryjoin_np(thread, NULL));
	CHECK_EQ(why, VCPU_DEAD);
	pthread_join(thread, NULL);
	rig_free(rig);
}

int main(void)
{
	test_msi();
	test_pic();
	test_ioapic();
	test_masked();
	test_doorbells();
	return 0;
}
