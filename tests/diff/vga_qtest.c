/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vga_qtest.c - our VGA against QEMU's: the same random accesses to both must give
 * the same answers and leave the same memory.
 *
 * What is left out of the comparison is said where it is: there QEMU is not as
 * IBM's manual says, or the limits differ.
 */
#include <signal.h>
#include <unistd.h>

#include "tests/check.h"
#include "tests/lib/qtest.h"
#include "tests/lib/scratch.h"
#include "tests/lib/vgavm.h"

#define STEPS 3000u
#define FRAME_BUFFER 0xfd000000u

static struct qtest qemu;
static struct vm *vm;
static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

static void outb(unsigned port, unsigned value)
{
	vga_outb(vm, port, value);
	qtest_ask(&qemu, "outb 0x%lx 0x%lx\n", port, value);
}

static void outw(unsigned port, unsigned value)
{
	bus_write(vm, BUS_PIO, port, 2, value);
	qtest_ask(&qemu, "outw 0x%lx 0x%lx\n", port, value);
}

static void outl(unsigned port, uint32_t value)
{
	bus_write(vm, BUS_PIO, port, 4, value);
	qtest_ask(&qemu, "outl 0x%lx 0x%lx\n", port, value);
}

static void compare(const char *what, uint64_t where, uint64_t ours,
		    uint64_t theirs)
{
	if (ours == theirs)
		return;
	fprintf(stderr, "%s 0x%" PRIx64 ": ours 0x%" PRIx64 ", QEMU's 0x%"
		PRIx64 "\n", what, where, ours, theirs);
	exit(1);
}

static void inb(unsigned port, const char *what)
{
	compare(what, port, vga_inb(vm, port),
		qtest_ask(&qemu, "inb 0x%lx\n", port, 0));
}

static void set(unsigned port, unsigned index, unsigned value)
{
	outw(port, index | value << 8);
}

static void poke(uint32_t at, unsigned value)
{
	vga_poke(vm, at, value);
	qtest_ask(&qemu, "writeb 0x%lx 0x%lx\n", at, value);
}

static void peek(uint32_t at, const char *what)
{
	compare(what, at, vga_peek(vm, at),
		qtest_ask(&qemu, "readb 0x%lx\n", at, 0));
}

/* The bytes of a group by the frame buffer. */
static void check_memory(uint32_t offset, const char *what)
{
	uint32_t at = FRAME_BUFFER + (offset & ~3u);

	compare(what, offset, bus_read(vm, BUS_MMIO, at, 4),
		qtest_ask(&qemu, "readl 0x%lx\n", at, 0));
}

static void config(unsigned reg, uint32_t value)
{
	outl(0xcf8, 0x80001000 | reg);
	outl(0xcfc, value);
}

static void start(void)
{
	static const char *const args[] = {
		"-device", "VGA,addr=2,edid=off", NULL
	};

	qtest_start(&qemu, args, -1);
	vm = vgavm_new();
	config(0x10, FRAME_BUFFER);
	config(0x18, 0xfc000000);
	config(0x04, 0x3);
	outb(0x3c2, 0x67);
}

/* All registers, by their ports, in any order. */
static void test_ports(void)
{
	static const struct { uint16_t port; uint8_t n; } indexed[] = {
		{ 0x3c4, 8 }, { 0x3ce, 9 }, { 0x3d4, 25 }, { 0x3b4, 25 },
	};
	/* QEMU has no pixel mask (0x3c6), and answers 0 where nothing is. */
	static const uint16_t reads[] = {
		0x3c0, 0x3c1, 0x3c4, 0x3c5, 0x3c7, 0x3c8, 0x3c9, 0x3ca, 0x3cc,
		0x3ce, 0x3d4, 0x3d5, 0x3da, 0x3b4, 0x3b5, 0x3ba,
	};

	for (unsigned i = 0; i < STEPS; i++) {
		unsigned k = rnd(4), port = indexed[k].port;
		unsigned index = rnd(indexed[k].n);

		switch (rnd(8)) {
		case 0:
		case 1:
		case 2:
			/* Only while there: else the index would be any. */
			set(port, index, rnd(256));
			inb(port + 1, "indexed");
			break;
		case 3:
			outb(0x3c0, rnd(2) ? rnd(0x20) : rnd(256));
			break;
		case 4:
			outb(rnd(2) ? 0x3c7 : 0x3c8, rnd(256));
			break;
		case 5:
			/* QEMU keeps bits that the DAC does not have. */
			outb(0x3c9, rnd(64));
			break;
		case 6:
			outb(rnd(2) ? 0x3c2 : 0x3da, rnd(256));
			break;
		}
		inb(reads[rnd(sizeof(reads) / sizeof(reads[0]))], "port");
	}
}

/* Planes: every write and read mode, function, mask and map. */
static void test_planes(void)
{
	outb(0x3c2, 0x67);
	set(0x3c4, 4, 0x06);
	set(0x3ce, 5, 0);
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t at = 0xa0000 + rnd(16) + (rnd(2) ? 0 : 0x8000u * rnd(4));

		switch (rnd(8)) {
		case 0:
			set(0x3ce, 5, rnd(4) | (rnd(2) ? 8 : 0) |
			    (rnd(2) ? 0x40 : 0));
			break;
		case 1:
			set(0x3ce, 6, rnd(4) << 2 | 1);
			break;
		case 2:
			set(0x3ce, rnd(4), rnd(256));
			break;
		case 3:
			set(0x3ce, 4, rnd(4));
			set(0x3ce, 7 + rnd(2), rnd(256));
			break;
		case 4:
			set(0x3c4, 2, rnd(16));
			break;
		case 5:
			peek(at, "planes");
			break;
		default:
			peek(at, "planes");
			poke(at, rnd(256));
			check_memory(4 * (at & 0x1ffff), "memory of planes");
		}
	}
}

static void set_plain(void)
{
	set(0x3ce, 0, 0);
	set(0x3ce, 1, 0);
	set(0x3ce, 3, 0);
	set(0x3ce, 4, 0);
	set(0x3ce, 8, 0xff);
}

/* Text cells and chain 4.  QEMU's CPU goes past the data path there; with odd/even
 * what it writes goes to the planes that are to be read.
 */
static void test_packed(bool chain4)
{
	set_plain();
	set(0x3c4, 2, chain4 ? 0x0f : 0x03);
	set(0x3c4, 4, chain4 ? 0x0e : 0x02);
	set(0x3ce, 5, chain4 ? 0x40 : 0x10);
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t at = 0xa0000 + rnd(4) * 0x8000 + rnd(0x1000);

		switch (rnd(6)) {
		case 0:
			set(0x3ce, 6, rnd(4) << 2 | chain4);
			break;
		case 1:
			set(0x3c4, 2, rnd(chain4 ? 16 : 4));
			break;
		case 2:
			set(0x3ce, 4, rnd(chain4 ? 4 : 2));
			break;
		case 3:
			peek(at, "packed");
			break;
		default:
			poke(at, rnd(256));
			peek(at, "packed after write");
			check_memory(chain4 ? at & 0x1ffff :
				     2 * (at & 0x7fff), "memory of cells");
		}
	}
}

static void vbe(unsigned index, unsigned value)
{
	outw(0x1ce, index);
	outw(0x1cf, value);
}

static void vbe_same(unsigned index, const char *what)
{
	outw(0x1ce, index);
	compare(what, index, bus_read(vm, BUS_PIO, 0x1cf, 2),
		qtest_ask(&qemu, "inw 0x%lx\n", 0x1cf, 0));
}

/* Modes within our limits, with scrolling inside of the memory; and so wide that
 * it has no more lines than a register can say, for QEMU's wraps.
 */
static void set_mode(void)
{
	static const uint8_t depths[] = { 4, 8, 15, 16, 24, 32, 7 };
	unsigned width = 1024 + rnd(1537), height = rnd(1600) + 1;

	vbe(4, 0);
	vbe(1, width);
	vbe(2, height);
	vbe(3, depths[rnd(sizeof(depths))]);
	vbe(4, 0x41 | (rnd(2) ? 0x80 : 0));
	if (rnd(2))
		vbe(6, rnd(2561));
}

static void test_vbe(void)
{
	set_plain();
	for (unsigned i = 0; i < STEPS / 4; i++) {
		uint32_t offset = rnd(16 << 20);

		switch (rnd(6)) {
		case 0:
			set_mode();
			break;
		case 1:
			vbe(8, rnd(64));
			vbe(9, rnd(4));
			break;
		case 2:
			vbe(5, rnd(256));
			/* Not with planes, whose banks differ. */
			if (vbe_get(vm, 3) == 4 || !vbe_active(&vm->vga->r))
				break;
			offset = rnd(0x10000);
			poke(0xa0000 + offset, rnd(256));
			peek(0xa0000 + offset, "bank");
			check_memory((vbe_get(vm, 5) << 16) + offset,
				     "memory of a bank");
			break;
		case 3:
			vbe(0, 0xb0be + rnd(10));
			break;
		case 4:
			poke(FRAME_BUFFER + offset, rnd(256));
			check_memory(offset, "frame buffer");
			break;
		}
		/* QEMU shows the bank of the mode before. */
		for (unsigned k = 0; k <= 10; k++)
			if (k != 5)
				vbe_same(k, "VBE");
		check_memory(rnd(4 << 20), "frame buffer");
	}
	vbe(4, 0);
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
	test_ports();
	test_planes();
	test_packed(false);
	test_packed(true);
	test_vbe();
	qtest_stop(&qemu);
	vm_free(vm);
	return 0;
}
