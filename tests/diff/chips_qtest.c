/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chips_qtest.c - our chips against QEMU's: the same random accesses to both,
 * with the same time passing, must give the same answers.
 *
 * QEMU's come over its qtest protocol, from a machine whose CPU is halted.  Time
 * passes there while it runs between `cont` and `stop`, and its ACPI timer says
 * how much; ours then follows, within one of that timer's ticks (280 ns).
 *
 * What is left out of the comparison is said where it is: there QEMU is not as
 * the data sheets say, or leaves something out.
 */
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/fakevm.h"
#include "tests/lib/qtest.h"
#include "tests/lib/scratch.h"

#define STEPS 3000

#define PM_HZ 3579545u
#define PM_MASK 0xffffffu

static struct qtest qemu;
static FILE *qmp;
static uint64_t pm_ticks;	/* of QEMU's since the start */
static struct vm *vm;
static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static uint64_t ask(const char *fmt, unsigned long a, unsigned long b)
{
	return qtest_ask(&qemu, fmt, a, b);
}

static void outb(unsigned port, unsigned value)
{
	bus_write(vm, BUS_PIO, port, 1, value);
	ask("outb 0x%lx 0x%lx\n", port, value);
}

static unsigned ours(unsigned port)
{
	return (unsigned)bus_read(vm, BUS_PIO, port, 1);
}

static unsigned theirs(unsigned port)
{
	return (unsigned)ask("inb 0x%lx\n", port, 0);
}

/* Read from both; `mask` has the bits that must be the same. */
static unsigned inb(unsigned port, unsigned mask, const char *what)
{
	unsigned a = ours(port), b = theirs(port);

	if ((a ^ b) & mask) {
		fprintf(stderr, "%s: port 0x%x: ours 0x%02x, QEMU's 0x%02x "
			"(mask 0x%02x)\n", what, port, a, b, mask);
		exit(1);
	}
	return a;
}

static void control(const char *command)
{
	char line[1024];

	fseek(qmp, 0, SEEK_CUR);
	fprintf(qmp, "{\"execute\":\"%s\"}\n", command);
	fflush(qmp);
	do {
		CHECK(fgets(line, sizeof(line), qmp));
	} while (!strstr(line, "\"return\""));
}

static uint64_t pm_now(void)
{
	uint32_t now = (uint32_t)ask("inl 0x%lx\n", 0x608, 0) & PM_MASK;

	pm_ticks += (now - pm_ticks) & PM_MASK;
	return clock_scale(pm_ticks, NS_PER_S, PM_HZ);
}

/* Let about `ns` pass in both. */
static void pass(uint64_t ns)
{
	uint64_t now;

	control("cont");
	usleep((useconds_t)(ns / 1000));
	control("stop");
	now = pm_now();
	if (now > vm_now(vm))
		fakevm_pass(vm, now - vm_now(vm));
}

static void start(void)
{
	char chardev[32];
	const char *const args[] = {
		"-rtc", "base=2026-01-01T00:00:00,clock=vm", "-chardev",
		"null,id=c", "-device", "isa-serial,chardev=c,index=0",
		"-device", "pc-testdev", "-chardev", chardev, "-mon",
		"chardev=q,mode=control", NULL
	};
	struct vm_config config;
	struct vm_chardev host = { -1, -1 };
	struct err e = { "" };
	int mon[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, mon));
	snprintf(chardev, sizeof(chardev), "socket,id=q,fd=%d", mon[1]);
	qtest_start(&qemu, args, mon[1]);
	close(mon[1]);
	qmp = fdopen(mon[0], "r+");
	CHECK(qmp);
	control("qmp_capabilities");
	/* ACPI registers of the PIIX4 at 0x600. */
	ask("outl 0xcf8 0x%lx\n", 0x80000b40, 0);
	ask("outl 0xcfc 0x%lx\n", 0x601, 0);
	ask("outl 0xcf8 0x%lx\n", 0x80000b80, 0);
	ask("outb 0xcfc 0x%lx\n", 1, 0);
	fakevm_config(&config, 64 << 20, 1);
	config.test_devices = true;
	CHECK_OK(vm_new(&config, &vm, &e));
	CHECK_OK(vm_add_serial(vm, &host, &e));
	clock_advance(vm, pm_now());
}

static void stop(void)
{
	vm_free(vm);
	fclose(qmp);
	qtest_stop(&qemu);
}

/* Interval timer.  QEMU loads a count at once, a data sheet's chip with the
 * next tick: latched counts may be 2 apart.
 */
static void pit_latched(unsigned ch, unsigned mode, unsigned n)
{
	unsigned a[3], b[3], status, at;
	int diff;

	outb(0x43, 0xc0 | 2u << ch);
	for (unsigned i = 0; i < 3; i++) {
		a[i] = ours(0x40 + ch);
		b[i] = theirs(0x40 + ch);
	}
	/* QEMU has no null count bit. */
	status = (a[0] ^ b[0]) & 0x3f;
	CHECK_EQ(status, 0);
	diff = (int16_t)((a[1] | a[2] << 8) - (b[1] | b[2] << 8));
	if (diff < -4 || diff > 4) {
		/* The end of a period may lie between them. */
		diff = (diff < 0 ? diff + (int)n : diff - (int)n);
		if ((mode != 2 && mode != 3) || diff < -4 || diff > 4) {
			fprintf(stderr, "channel %u mode %u count %u: ours "
				"0x%02x%02x, QEMU's 0x%02x%02x\n", ch, mode, n,
				a[2], a[1], b[2], b[1]);
			exit(1);
		}
		return;
	}
	/* The output, where it is not about to change.  QEMU has it upside down
	 * in the modes 1, 2, 4 and 5.
	 */
	at = a[1] | a[2] << 8;
	if ((mode == 0 && at > 8 && at < 0xfff0) ||
	    (mode == 3 && at > 8 && at < n - 8))
		CHECK_EQ(a[0] & 0x80, b[0] & 0x80);
}

static void test_pit(void)
{
	for (unsigned i = 0; i < 100; i++) {
		unsigned ch = rnd(3), mode = rnd(6), n = 100 + rnd(60000);

		/* QEMU lets odd counts of mode 3 run as no chip does, and has
		 * no gate at channels 0 and 1 to start modes 1 and 5.
		 */
		if (mode == 3)
			n &= ~1u;
		if (mode == 1 || mode == 5)
			ch = 2;
		outb(0x61, mode != 1 && mode != 5);
		outb(0x43, ch << 6 | 0x30 | mode << 1);
		outb(0x40 + ch, n & 0xff);
		outb(0x40 + ch, n >> 8);
		if (mode == 1 || mode == 5) {
			pass(rnd(500000));
			outb(0x61, 1);
		}
		for (unsigned k = rnd(4); k; k--) {
			pass(1000 + rnd(20000000));
			pit_latched(ch, mode, n);
		}
	}
}

/* The 8259 pair.  Lines that no other device of either machine drives. */
static const uint8_t lines[] = { 3, 5, 6, 7, 9, 10, 11, 14, 15 };

static void pic_init(unsigned icw4)
{
	for (unsigned i = 0; i < sizeof(lines); i++)
		outb(0x2000u + lines[i], 0);
	outb(0x4d0, 0);
	outb(0x4d1, 0);
	for (unsigned port = 0x20; port <= 0xa0; port += 0x80) {
		outb(port, 0x11);
		outb(port + 1, port == 0x20 ? 0x20 : 0x28);
		outb(port + 1, port == 0x20 ? 4 : 2);
		outb(port + 1, icw4);
	}
}

/* Random commands.  The cascade is masked: QEMU remembers a request of the
 * slave's after it was withdrawn.  Special fully nested mode, and unspecific
 * EOIs in special mask mode, are not as in the data sheet there.
 */
static void test_pic(void)
{
	bool special = false;

	for (unsigned i = 0; i < STEPS; i++) {
		unsigned port = rnd(2) ? 0x20 : 0xa0, c = rnd(8), n = rnd(8);
		unsigned irr = port == 0x20 ? 0xfa : 0xee;

		if (i % 300 == 0) {
			pic_init(rnd(4) ? 0x01 : 0x03);
			outb(0x21, 0x07);
			outb(0xa1, 0x11);
			/* QEMU does not look at the inputs when these change. */
			outb(0x4d0, rnd(256));
			outb(0x4d1, rnd(256));
			inb(0x4d0, 0xff, "ELCR");
			inb(0x4d1, 0xff, "ELCR");
			special = false;
		}
		switch (rnd(8)) {
		case 0:
		case 1:
		case 2:
			outb(0x2000u + lines[rnd(sizeof(lines))], rnd(2));
			break;
		case 3:
			/* Masked: what other devices drive. */
			outb(port + 1, rnd(256) | (port == 0x20 ? 0x17 : 0x11));
			break;
		case 4:
			if (!special || c == 3 || c == 6 || c == 7)
				outb(port, c << 5 | n);
			break;
		case 5:
			special = rnd(2);
			outb(0x20, special ? 0x68 : 0x48);
			outb(0xa0, special ? 0x68 : 0x48);
			break;
		case 6:
		case 7:
			outb(port, 0x0c);
			inb(port + rnd(2), 0xff, "poll");
			break;
		}
		inb(port + 1, 0xff, "IMR");
		outb(port, 0x0b);
		inb(port, 0xff, "ISR");
		outb(port, 0x0a);
		inb(port, irr & (port == 0x20 ? 0xe8 : 0xee), "IRR");
	}
}

/* Real-time clock. */
static void rtc_write(unsigned reg, unsigned value)
{
	outb(0x70, reg);
	outb(0x71, value);
}

static unsigned rtc_read(unsigned reg, unsigned mask, const char *what)
{
	outb(0x70, reg);
	return inb(0x71, mask, what);
}

static unsigned rtc_number(unsigned b, unsigned n)
{
	return b & 4 ? n : n / 10 << 4 | n % 10;
}

static unsigned rtc_hour(unsigned b, unsigned h)
{
	if (b & 2)
		return rtc_number(b, h);
	return rtc_number(b, (h + 11) % 12 + 1) | (h >= 12 ? 0x80 : 0);
}

static void test_rtc(void)
{
	static const uint8_t regs[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 0x32, 0xb };

	for (unsigned i = 0; i < 6; i++) {
		unsigned b = rnd(2) * 2 | rnd(2) * 4, year = 1970 + rnd(160);

		rtc_write(0xa, 0x26);
		rtc_write(0xb, 0x80 | b);
		rtc_write(0, rtc_number(b, 59));
		rtc_write(2, rtc_number(b, rnd(2) ? 59 : rnd(60)));
		rtc_write(4, rtc_hour(b, rnd(2) ? 23 : rnd(24)));
		rtc_write(7, rtc_number(b, 1 + rnd(28)));
		rtc_write(8, rtc_number(b, 1 + rnd(12)));
		rtc_write(9, rtc_number(b, year % 100));
		rtc_write(0x32, rtc_number(b, year / 100));
		rtc_write(1, rnd(3) ? 0xff : rtc_number(b, rnd(60)));
		rtc_write(3, rnd(3) ? 0xff : rtc_number(b, rnd(60)));
		rtc_write(5, rnd(3) ? 0xff : rtc_hour(b, rnd(24)));
		rtc_write(0xb, b | rnd(8) << 4);
		for (unsigned k = 0; k < 2; k++) {
			pass(500000000);
			for (unsigned r = 0; r < sizeof(regs); r++)
				rtc_read(regs[r], 0xff, "RTC");
			rtc_read(0xd, 0xff, "RTC register D");
			/* QEMU flags periodic events only if they interrupt,
			 * and updates as well; an alarm at 12 h comes never.
			 */
			rtc_read(0xc, b & 2 ? 0x20 : 0, "RTC register C");
		}
	}
}

/* A time-out and enough bytes are equally urgent: QEMU says the one, we say the
 * other.
 */
static void iir(unsigned port)
{
	unsigned a = ours(port), b = theirs(port);

	if (a == 0xc4 && b == 0xcc)
		return;
	CHECK_EQ(a, b);
}

/* UART, in loop-back, so that bytes come in. */
static void test_serial(void)
{
	unsigned p = 0x3f8;

	for (unsigned i = 0; i < STEPS; i++) {
		if (i % 100 == 0) {
			outb(p + 1, 0);
			outb(p + 3, 0x03);
			outb(p + 4, 0x10);
			outb(p + 2, 0x06 | rnd(2));
		}
		switch (rnd(8)) {
		case 0:
		case 1:
		case 2:
			outb(p, rnd(256));
			break;
		case 3:
			if (inb(p + 5, 0xff, "LSR") & 1)
				inb(p, 0xff, "RBR");
			break;
		case 4:
			/* QEMU has no modem deltas in loop-back. */
			outb(p + 1, rnd(8));
			break;
		case 5:
			outb(p + 4, 0x10 | rnd(16));
			break;
		case 6:
			/* The divisor too. */
			outb(p + 3, 0x80 | rnd(0x20));
			outb(p, 1 + rnd(20));
			outb(p + 1, 0);
			inb(p, 0xff, "DLL");
			inb(p + 1, 0xff, "DLM");
			outb(p + 3, rnd(0x20));
			break;
		case 7:
			outb(p + 2, rnd(4) << 6 | rnd(2) << 1 | (rnd(9) != 0));
			break;
		}
		/* Long enough for the receiver's time-out, or not at all. */
		if (rnd(100) == 0)
			pass(50000000);
		outb(p + 7, rnd(256));
		inb(p + 7, 0xff, "SCR");
		inb(p + 1, 0xff, "IER");
		inb(p + 3, 0xff, "LCR");
		inb(p + 4, 0xff, "MCR");
		iir(p + 2);
		inb(p + 5, 0xff, "LSR");
		inb(p + 6, 0xf0, "MSR");
	}
}

/* I/O APIC: entries, and remote IRR with EOIs. */
static void io_write(unsigned reg, uint32_t value)
{
	bus_write(vm, BUS_MMIO, 0xfec00000, 4, reg);
	bus_write(vm, BUS_MMIO, 0xfec00010, 4, value);
	ask("writel 0x%lx 0x%lx\n", 0xfec00000, reg);
	ask("writel 0x%lx 0x%lx\n", 0xfec00010, value);
}

static void io_check(unsigned reg)
{
	uint64_t a, b;
	/* QEMU keeps the reserved bits beside the destination. */
	uint32_t mask = reg >= 0x10 && reg & 1 ? 0xff000000 : 0xffffffff;

	bus_write(vm, BUS_MMIO, 0xfec00000, 4, reg);
	ask("writel 0x%lx 0x%lx\n", 0xfec00000, reg);
	a = bus_read(vm, BUS_MMIO, 0xfec00010, 4);
	b = ask("readl 0x%lx\n", 0xfec00010, 0);
	if ((a ^ b) & mask) {
		fprintf(stderr, "I/O APIC register 0x%x: ours 0x%" PRIx64
			", QEMU's 0x%" PRIx64 "\n", reg, a, b);
		exit(1);
	}
}

static void test_ioapic(void)
{
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned line = lines[rnd(sizeof(lines))];
		unsigned vector = 0x30 + rnd(16);

		switch (rnd(4)) {
		case 0:
			outb(0x2000u + line, rnd(2));
			break;
		case 1:
			/* Fixed or lowest priority; QEMU sets remote IRR for
			 * other modes too, which nobody could clear.  And
			 * it forgets a line that was high as an edge.
			 */
			outb(0x2000u + line, 0);
			io_write(0x10 + 2 * line, vector | rnd(2) << 8 |
				 rnd(2) << 11 | rnd(2) << 13 | rnd(2) << 15 |
				 (rnd(3) ? 0 : 1u << 16));
			break;
		case 2:
			io_write(0x11 + 2 * line, rnd(0xffffff) << 8 |
				 rnd(256));
			break;
		case 3:
			bus_write(vm, BUS_MMIO, 0xfec00040, 4, vector);
			ask("writel 0x%lx 0x%lx\n", 0xfec00040, vector);
			break;
		}
		io_check(0x10 + 2 * line);
		io_check(0x11 + 2 * line);
		io_check(rnd(4));
		io_check(0x10 + rnd(0x30));
	}
}

/* Keyboard controller and keyboard. */
static void kbc_drain(void)
{
	unsigned n;

	/* QEMU does not tell commands from data in the status. */
	for (n = 0; n < 20 && (inb(0x64, 0xf7, "status") & 1); n++)
		inb(0x60, 0xff, "data");
	CHECK(n < 20);
}

static void test_i8042(void)
{
	static const uint8_t kbd[] = { 0x02, 0xed, 0xee, 0xf0, 0xf2, 0xf3, 0xf4,
				       0xf5, 0xf6, 0xff };
	static const uint8_t kbc[] = { 0x20, 0xaa, 0xab, 0xa7, 0xa8, 0xa9, 0xad,
				       0xae };

	for (unsigned i = 0; i < STEPS / 2; i++) {
		unsigned c = kbd[rnd(sizeof(kbd))];

		if (i % 50 == 0) {
			outb(0x64, 0xaa);
			outb(0x64, 0x60);
			outb(0x60, 0x47);
		}
		if (rnd(2)) {
			outb(0x64, 0xae);
			outb(0x60, c);
			kbc_drain();
			/* QEMU takes a command for an argument. */
			if (c == 0xed || c == 0xf0 || c == 0xf3)
				outb(0x60, rnd(c == 0xf0 ? 6 : 0x60));
		} else if (rnd(3) == 0) {
			/* QEMU shows the system flag where it is only once. */
			outb(0x64, 0x60);
			outb(0x60, 0x04 | rnd(0x80));
		} else {
			outb(0x64, kbc[rnd(sizeof(kbc))]);
		}
		kbc_drain();
	}
}

int main(int argc, char **argv)
{
	if (!qtest_possible()) {
		printf("SKIP: qemu-system-x86_64 is not installed\n");
		return 77;
	}
	seed = argc > 1 ? strtoul(argv[1], NULL, 0) : (unsigned long)getpid();
	printf("seed %" PRIu64 "\n", seed);
	fflush(stdout);
	signal(SIGPIPE, SIG_IGN);
	scratch_enter();
	start();
	test_i8042();
	test_pic();
	test_ioapic();
	test_serial();
	test_pit();
	test_rtc();
	stop();
	return 0;
}
