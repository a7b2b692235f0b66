/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chip_ports.c - keyboard controller, UART and the small ports: what a guest
 * meets, and what comes from and goes to the host.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "vmm/chip/i8042.h"
#include "vmm/chip/pic.h"

static struct vm *vm;

static void outb(unsigned port, unsigned value)
{
	bus_write(vm, BUS_PIO, port, 1, value);
}

static unsigned inb(unsigned port)
{
	return (unsigned)bus_read(vm, BUS_PIO, port, 1);
}

static void send_keys(struct i8042 *kbc, const char *codes, size_t n,
		      size_t taken)
{
	vm_lock(vm);
	CHECK_EQ(kbd_send(kbc, (const uint8_t *)codes, n), taken);
	vm_unlock(vm);
}

static void expect_keys(const char *want)
{
	for (; *want; want++) {
		CHECK_EQ(irq_ack_pic(vm), 0x31);
		CHECK_EQ(inb(0x64) & 0x21, 0x01);
		CHECK_EQ(inb(0x60), (uint8_t)*want);
	}
	CHECK_EQ(irq_ack_pic(vm), -1);
	CHECK_EQ(inb(0x64) & 1, 0);
}

static void test_keyboard(void)
{
	struct i8042 *kbc;
	struct err e = { "" };

	vm = fakevm_bare(2 << 20, 1);
	CHECK_OK(pic_new(vm, &vm->pic, &e));
	CHECK_OK(i8042_new(vm, &kbc, &e));
	fakevm_init_pic(vm);
	/* A pressed and released, arrow up, in set 2; the guest sees set 1. */
	send_keys(kbc, "\x1c\xf0\x1c\xe0\x75\xe0\xf0\x75", 8, 8);
	expect_keys("\x1e\x9e\xe0\x48\xe0\xc8");
	/* Untranslated. */
	outb(0x64, 0x60);
	outb(0x60, 0x05);
	send_keys(kbc, "\x1c\xf0\x1c", 3, 3);
	expect_keys("\x1c\xf0\x1c");
	/* Switched off, and full. */
	outb(0x60, 0xf5);
	expect_keys("\xfa");
	send_keys(kbc, "\x1c", 1, 0);
	outb(0x60, 0xf4);
	expect_keys("\xfa");
	outb(0x64, 0xad);
	send_keys(kbc, "1234567890123456789", 19, 16);
	CHECK_EQ(inb(0x64) & 1, 0);
	outb(0x64, 0xae);
	expect_keys("1234567890123456");
	/* No mouse: an answer at once, that says so, on line 12. */
	outb(0x64, 0x60);
	outb(0x60, 0x47);
	outb(0x64, 0xd4);
	outb(0x60, 0xff);
	CHECK_EQ(irq_ack_pic(vm), 0x3c);
	CHECK_EQ(inb(0x64) & 0x61, 0x61);
	CHECK_EQ(inb(0x60), 0xfe);
	outb(0x64, 0xd3);
	outb(0x60, 0x5a);
	CHECK_EQ(inb(0x64) & 0x61, 0x21);
	CHECK_EQ(inb(0x60), 0x5a);
	/* Output port with A20; the three ways to a reset. */
	outb(0x64, 0xd0);
	CHECK_EQ(inb(0x60) & 3, 3);
	outb(0x64, 0xd1);
	outb(0x60, 0xdd);
	outb(0x64, 0xd0);
	CHECK_EQ(inb(0x60) & 3, 1);
	CHECK_EQ(vm->request, VM_REQ_NONE);
	outb(0x64, 0xfe);
	CHECK_EQ(vm->request, VM_REQ_RESET);
	CHECK_STR(vm->result.how, "port 0x64");
	vm->request = VM_REQ_NONE;
	outb(0x64, 0xd1);
	outb(0x60, 0xfe);
	CHECK_EQ(vm->request, VM_REQ_RESET);
	vm_free(vm);
}

static void test_small_ports(void)
{
	struct vm_config config;
	struct err e = { "" };
	char text[8] = "";
	int fds[2];

	CHECK(!pipe(fds));
	fakevm_config(&config, 2 << 20, 1);
	config.test_devices = true;
	config.debug_fd = fds[1];
	CHECK_OK(vm_new(&config, &vm, &e));
	CHECK_EQ(inb(0x402), 0xe9);
	outb(0x402, 'h');
	outb(0x402, 'i');
	CHECK_EQ(read(fds[0], text, sizeof(text)), 2);
	CHECK_STR(text, "hi");
	outb(0x80, 0x42);
	CHECK_EQ(inb(0x80), 0x42);
	CHECK_EQ(inb(0x92), 0x02);
	outb(0x92, 0x00);
	CHECK_EQ(inb(0x92), 0x00);
	CHECK_EQ(vm->request, VM_REQ_NONE);
	outb(0x92, 0x03);
	CHECK_EQ(vm->request, VM_REQ_RESET);
	CHECK_STR(vm->result.how, "port 0x92");
	/* Test devices. */
	bus_write(vm, BUS_PIO, 0xe0, 4, 0x12345678);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0xe0, 4), 0x12345678);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0xe9, 2), 0x3456);
	bus_write(vm, BUS_PIO, 0xe2, 1, 0xab);
	CHECK_EQ(bus_read(vm, BUS_PIO, 0xe8, 4), 0x12ab5678);
	bus_write(vm, BUS_MMIO, 0xff00fff8, 8, 0x1122334455667788);
	CHECK_EQ(bus_read(vm, BUS_MMIO, 0xff00fff9, 4), 0x44556677);
	fakevm_init_pic(vm);
	outb(0x2005, 1);
	CHECK_EQ(irq_ack_pic(vm), 0x35);
	bus_write(vm, BUS_MMIO, 0xfec00000, 4, 0x10 + 2 * 23);
	bus_write(vm, BUS_MMIO, 0xfec00010, 4, 0x77);
	outb(0x2017, 1);
	CHECK_EQ(fakevm_of(vm)->msi[0].data, 0x77);
	vm->request = VM_REQ_NONE;
	bus_write(vm, BUS_PIO, 0xf4, 4, 0x1234);
	CHECK_EQ(vm->request, VM_REQ_END);
	CHECK_EQ(vm->result.end, VM_DEBUG_EXIT);
	CHECK_EQ(vm->result.status, 0x2469);
	vm_free(vm);
	close(fds[0]);
	close(fds[1]);
}

/* Give the loop's thread time until the condition holds; the runner's time limit
 * ends a test where it never does.
 */
#define AWAIT(cond) do { while (!(cond)) usleep(1000); } while (0)

static void drain(int fd, uint8_t *next, size_t n)
{
	uint8_t buf[4096];

	while (n) {
		ssize_t got = read(fd, buf, sizeof(buf) < n ? sizeof(buf) : n);

		CHECK(got > 0);
		for (ssize_t i = 0; i < got; i++)
			CHECK_EQ(buf[i], (*next)++);
		n -= (size_t)got;
	}
}

static void test_serial_host(void)
{
	int in[2], out[2];
	struct vm_chardev host, none = { -1, -1 };
	struct err e = { "" };
	uint8_t byte = 0, next = 0;
	size_t sent = 0;
	char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";

	CHECK(!pipe(in) && !pipe(out));
	host = (struct vm_chardev){ in[0], out[1] };
	vm = fakevm_pc(2 << 20, 1);
	CHECK_OK(vm_add_serial(vm, &host, &e));
	for (unsigned i = 1; i < 4; i++)
		CHECK_OK(vm_add_serial(vm, &none, &e));
	CHECK_EQ(vm_add_serial(vm, &none, &e), -ENOSPC);
	fakevm_init_pic(vm);
	/* Bytes go out at once. */
	CHECK_EQ(inb(0x3fd), 0x60);
	outb(0x3f8, 'x');
	CHECK_EQ(read(out[0], &byte, 1), 1);
	CHECK_EQ(byte, 'x');
	/* Write as much as THRE allows: more than the pipe holds. */
	outb(0x3fa, 0x07);
	while (inb(0x3fd) & 0x20) {
		for (unsigned i = 0; i < 16; i++)
			outb(0x3f8, (uint8_t)sent++);
		CHECK(sent < 1 << 20);
	}
	CHECK(sent > 65536);
	/* Nobody waits for it with an interrupt yet; then the host reads. */
	outb(0x3f9, 0x02);
	CHECK_EQ(irq_ack_pic(vm), -1);
	CHECK_OK(loop_start(vm, &e));
	drain(out[0], &next, sent);
	AWAIT(inb(0x3fd) & 0x20);
	AWAIT(irq_pic_pending(vm));
	CHECK_EQ(irq_ack_pic(vm), 0x34);
	CHECK_EQ(inb(0x3fa), 0xc2);
	CHECK_EQ(inb(0x3fa), 0xc1);
	/* Input: no more than fits is taken, nothing is lost. */
	outb(0x3fa, 0x87);
	outb(0x3f9, 0x05);
	CHECK_EQ(write(in[1], text, 36), 36);
	/* 14 bytes interrupt; the rest comes as there is room. */
	AWAIT(irq_pic_pending(vm));
	CHECK_EQ(irq_ack_pic(vm), 0x34);
	for (unsigned i = 0; i < 36; i++) {
		AWAIT(inb(0x3fd) & 1);
		CHECK_EQ(inb(0x3f8), (uint8_t)text[i]);
	}
	CHECK_EQ(inb(0x3fd) & 0x03, 0);
	/* The host has gone: its output goes nowhere, and input ends. */
	close(in[1]);
	close(out[0]);
	for (unsigned i = 0; i < 100000; i++)
		outb(0x3f8, 'y');
	CHECK_EQ(inb(0x3fd) & 0x60, 0x60);
	loop_stop(vm);
	vm_free(vm);
	close(in[0]);
	close(out[1]);
}

/* COM1 and COM3 have one line. */
static void test_shared_line(void)
{
	struct vm_chardev none = { -1, -1 };
	struct err e = { "" };

	vm = fakevm_pc(2 << 20, 1);
	for (unsigned i = 0; i < 4; i++)
		CHECK_OK(vm_add_serial(vm, &none, &e));
	fakevm_init_pic(vm);
	outb(0x4d0, 0x10);
	outb(0x3f9, 0x02);
	CHECK_EQ(irq_ack_pic(vm), 0x34);
	outb(0x3e9, 0x02);
	outb(0x3f9, 0x00);
	CHECK_EQ(irq_ack_pic(vm), 0x34);
	outb(0x3e9, 0x00);
	CHECK_EQ(irq_ack_pic(vm), -1);
	/* Modem lines and their deltas in loop-back; RI counts when it falls. */
	CHECK_EQ(inb(0x2fe), 0xb0);
	outb(0x2fc, 0x10);
	CHECK_EQ(inb(0x2fe), 0x0b);
	CHECK_EQ(inb(0x2fe), 0x00);
	outb(0x2f9, 0x08);
	outb(0x2fc, 0x14);
	CHECK_EQ(inb(0x2fa), 0x01);
	CHECK_EQ(inb(0x2fe), 0x40);
	outb(0x2fc, 0x12);
	CHECK_EQ(inb(0x2fa), 0x00);
	CHECK_EQ(irq_ack_pic(vm), 0x33);
	CHECK_EQ(inb(0x2fe), 0x15);
	CHECK_EQ(inb(0x2fa), 0x01);
	vm_free(vm);
}

int main(void)
{
	/* The machine's own threads have it blocked. */
	signal(SIGPIPE, SIG_IGN);
	test_keyboard();
	test_small_ports();
	test_shared_line();
	test_serial_host();
	return 0;
}
