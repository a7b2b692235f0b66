/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state_cases.c - devices in states that random accesses seldom reach, saved and
 * loaded into another machine: both answer the same from then on.
 *
 * Virtio devices' are in state_virtio.c.
 */
#include <unistd.h>

#include "imgfmt/base/bytes.h"
#include "tests/check.h"
#include "tests/lib/statevm.h"
#include "vmm/chip/acpi.h"
#include "vmm/chip/i8042.h"
#include "vmm/chip/pci.h"
#include "vmm/chip/pci_host.h"
#include "vmm/pc.h"
#include "vmm/random.h"
#include "vmm/state.h"

/* What happens is written as a line of steps, numbers in hexadecimal:
 *	oP:V  wP:V  lP:V	write 1, 2 or 4 bytes V to port P
 *	iP  jP			read 1 or 4 bytes, and note them
 *	tU			U microseconds pass (in decimal)
 *	n			note when the next timer is due
 *	hN  dN			ISA line N goes high, down
 *	xN  yN			INTx of the function N goes high, down
 *	a			acknowledge an interrupt, and note its vector
 *	kC			the keyboard sends C; note whether it was taken
 *	b			the power button
 *	r			note random bytes
 *	z			reset all devices
 */
#define PIC	"o20:11 o21:30 o21:4 o21:1 oa0:11 oa1:38 oa1:2 oa1:1 "
#define AEOI	"o20:11 o21:30 o21:4 o21:3 oa0:11 oa1:38 oa1:2 oa1:3 "
#define IRR	"o20:a i20 oa0:a ia0 "
/* PIIX3: all PIRQs to IRQ 9, which is level-triggered. */
#define ROUTE	"lcf8:80000860 lcfc:09090909 o4d1:2 "
#define SQUARE(count) "o61:1 o43:b6 o42:" count
/* The timer's count and output, again and again. */
#define WATCH	"t50 o43:80 i42 i42 i61 "
#define WATCH4	WATCH WATCH WATCH WATCH
#define RTC(r, v) "o70:" r " o71:" v " "
#define RTC_C	"o70:c i71 "

static const struct {
	const char *name, *before, *after;
} cases[] = {
	{ "8042: a command waits for its byte", "o64:60",
	  "o60:47 o64:20 i60" },
	{ "8042: command byte", "o64:60 o60:47", "o64:20 i60" },
	{ "8042: its memory", "o64:65 o60:ab", "o64:25 i60" },
	{ "8042: output port", "o64:d1 o60:dd", "o64:d0 i60" },
	{ "8042: status", "o64:25", "i64" },
	{ "8042: the last byte", "o64:20 i60", "i64 i60 i64" },
	{ "8042: a byte that nobody took", "o64:20", "i64 i60 i64" },
	{ "keyboard: off", "o60:f5 i60", "k1c i60 i64" },
	{ "keyboard: a command waits for its byte", "o60:ed i60",
	  "o60:2 i60 i60" },
	{ "keyboard: scan code set", "o60:f0 i60 o60:1 i60",
	  "o60:f0 i60 o60:0 i60 i60" },
	{ "keyboard: again", "o60:ee i60", "o60:fe i60" },
	{ "keyboard: half of a key", "o64:60 o60:41 kf0", "k1c i60" },
	{ "keyboard: several bytes", "o60:f2", "i60 i64 i60 i64 i60 i64" },
	{ "keyboard: its buffer goes round",
	  "o60:f2 i60 i60 i60 o60:f2 i60 i60 i60 o60:f2 i60 o60:f2",
	  "i60 i60 i60 i60 i60 k1c i60" },

	{ "8259: rotation", AEOI "o20:80", "h3 h4 a d3 h3 a a" },
	{ "8259: what rotation has made", AEOI "o20:80 h3 a d3", "h3 h4 a a" },
	{ "8259: in service", PIC "h4 a", "h3 a h5 a o20:20 a" },
	{ "8259: an edge that came", PIC "h4", "a d4 h4 o20:20 a" },
	{ "8259: a level that stays", PIC "o4d0:10 h4", "a o20:20 a d4 " IRR },
	{ "8259: poll", PIC "h4 o20:c", "i20 i20" },
	{ "8259: half set up", "o20:11 o21:30", "o21:4 o21:3 h4 a i21" },

	{ "PIIX3: a PIRQ that others pull too", PIC ROUTE "x18 x20",
	  "y20 " IRR "y18 " IRR },
	{ "PIIX3: the last one lets go", PIC ROUTE "x18", "y18 " IRR },
	{ "PIIX3: ACPI and a PIRQ on one line", PIC ROUTE "w602:100 b",
	  "x18 y18 " IRR "w600:100 " IRR },

	{ "8254: a square wave", SQUARE("e8") " o42:3 t300", WATCH4 },
	{ "8254: a new count, in the high half",
	  SQUARE("e8") " o42:3 t100 o42:c8 o42:1", WATCH4 WATCH4 WATCH4 },
	{ "8254: a new count, in the low half",
	  SQUARE("e8") " o42:3 t500 o42:c8 o42:1", WATCH4 WATCH4 WATCH4 },
	{ "8254: that began low",
	  SQUARE("e8") " o42:3 t100 o42:d0 o42:7 t400 i61", WATCH4 WATCH4
	  WATCH4 "t333 " WATCH4 WATCH4 },
	{ "8254: half a count", SQUARE("e8"), "o42:3 " WATCH4 },
	{ "8254: latched", "o43:34 o40:0 o40:10 t100 o43:0",
	  "t100 i40 i40 i40 i40" },
	{ "8254: latched status", "o43:34 o40:0 o40:10 t100 o43:e2",
	  "t5000 i40 i40 i40" },
	{ "8254: half read", "o43:34 o40:0 o40:10 t100 i40", "i40 i40 i40" },
	{ "8254: interrupts not too often", "o43:34 o40:2 o40:0 t1000",
	  "o43:34 o40:2 o40:0 n t1 n" },
	{ "8254: next interrupt", "o43:34 o40:0 o40:20 t500", "n t5000 n" },

	{ "RTC: periodic interrupt", RTC("a", "26") RTC("b", "42"),
	  "n t2000 " RTC_C "n" },
	{ "RTC: where in the second", "t300000 " RTC("a", "76") "t333000 "
	  RTC("a", "26"), "t600000 o70:0 i71 t300000 i71 n" },
	{ "RTC: which second", RTC("b", "82") RTC("0", "33") RTC("b", "2"),
	  "o70:0 i71 t1500000 i71" },
	{ "RTC: what day of the week", RTC("b", "82") RTC("6", "5") RTC("b", "2"),
	  "o70:6 i71" },
	{ "RTC: flags that were read", "t1500000 " RTC_C "t100000",
	  RTC_C "t1000000 " RTC_C },
	{ "RTC: flags that were not", "t1500000", RTC_C RTC_C },
	{ "RTC: an alarm", RTC("1", "5") RTC("b", "22"), "n t6000000 " RTC_C },
	{ "RTC: index and memory", RTC("77", "5a") "o70:77", "i71" },

	{ "UART: overrun", "o3fc:10 o3f8:41 o3f8:42", "i3fd i3fd i3f8" },
	{ "UART: overrun interrupt", "o3fc:18 o3f9:4 o3f8:41 o3f8:42",
	  "i3fa i3fd i3fa" },
	{ "UART: FIFO", "o3fa:7 o3fc:10 o3f8:41 o3f8:42 o3f8:43 i3f8",
	  "i3f8 i3fd i3f8 i3fd" },
	{ "UART: bytes that nobody reads",
	  "o3fa:c7 o3fc:18 o3f9:1 o3f8:41 t10", "n t100000 i3fa n i3f8 i3fa" },
	{ "UART: transmitter is empty", "o3f9:2", "i3fa i3fa" },
	{ "UART: modem", "o3fc:1f o3fc:13", "i3fe i3fe" },
	{ "UART: divisor", "o3fb:80 o3f8:c o3f9:1 o3fb:3",
	  "o3fb:80 i3f8 i3f9" },

	{ "ACPI: timer flag", "t3000000 w600:1", "j600 t2000000 j600" },
	{ "ACPI: timer interrupt", PIC "w602:1", "n t3000000 n " IRR },
	{ "ACPI: power button", PIC "w602:100 b", "j600 " IRR },

	{ "fw_cfg: within an item", "w510:0 i511 i511", "i511 i511 i511" },
	{ "fw_cfg: half an address", "l514:1000000", "l518:0 w510:0 i511" },

	{ "random bytes", "r", "r r" },
	{ "the clock", "t1234567", "j608 n" },
};

static void note(struct statevm_trace *t, uint64_t value, const char *step)
{
	CHECK(t->n < STATEVM_TRACE);
	snprintf(t->what[t->n], sizeof(t->what[0]), "%.40s", step);
	t->values[t->n++] = value;
}

static void set_intx(struct vm *vm, unsigned devfn, bool level)
{
	struct pci_function *fn = pci_find(vm->pci, devfn);

	CHECK(fn);
	pci_set_intx(fn, level);
}

static void set_line(struct vm *vm, unsigned n, bool level)
{
	struct irq_line line = irq_isa(vm, n);

	irq_set(&line, level);
}

static struct i8042 *keyboard(struct vm *vm)
{
	struct device *dev = vm->devices;

	while (strcmp(dev->ops->name, "8042"))
		dev = dev->next;
	return (struct i8042 *)(void *)dev;
}

static uint64_t random_bytes(struct vm *vm)
{
	uint64_t v;

	vm_random(vm, &v, sizeof(v));
	return v;
}

static void reset(struct vm *vm)
{
	for (struct device *dev = vm->devices; dev; dev = dev->next)
		if (dev->ops->reset)
			dev->ops->reset(dev);
}

static void step(struct vm *vm, const char *s, struct statevm_trace *t)
{
	char *end;
	unsigned long a = strtoul(s + 1, &end, *s == 't' ? 10 : 16);
	unsigned long b = *end == ':' ? strtoul(end + 1, NULL, 16) : 0;
	uint8_t code = (uint8_t)a;

	switch (*s) {
	case 'o':
		bus_write(vm, BUS_PIO, a, 1, b);
		break;
	case 'w':
		bus_write(vm, BUS_PIO, a, 2, b);
		break;
	case 'l':
		bus_write(vm, BUS_PIO, a, 4, b);
		break;
	case 'i':
		note(t, bus_read(vm, BUS_PIO, a, 1), s);
		break;
	case 'j':
		note(t, bus_read(vm, BUS_PIO, a, 4), s);
		break;
	case 't':
		fakevm_pass(vm, a * 1000);
		break;
	case 'n':
		note(t, clock_next(vm), s);
		break;
	case 'h':
	case 'd':
		set_line(vm, (unsigned)a, *s == 'h');
		break;
	case 'x':
	case 'y':
		set_intx(vm, (unsigned)a, *s == 'x');
		break;
	case 'a':
		note(t, (uint64_t)irq_ack_pic(vm), s);
		break;
	case 'k':
		note(t, kbd_send(keyboard(vm), &code, 1), s);
		break;
	case 'b':
		acpi_power_button(vm);
		break;
	case 'r':
		note(t, random_bytes(vm), s);
		break;
	case 'z':
		reset(vm);
		break;
	default:
		fprintf(stderr, "no step: %s\n", s);
		exit(1);
	}
}

static void run(struct vm *vm, const char *steps, struct statevm_trace *t)
{
	while (*steps) {
		step(vm, steps, t);
		steps += strcspn(steps, " ");
		steps += strspn(steps, " ");
	}
	note(t, fakevm_of(vm)->ext_int, "ext_int");
}

int main(void)
{
	struct statevm_trace *x = calloc(1, sizeof(*x));
	struct statevm_trace *y = calloc(1, sizeof(*y));

	CHECK(x && y);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vm *a = statevm_new(), *b;

		printf("%s\n", cases[i].name);
		fflush(stdout);
		run(a, cases[i].before, x);
		b = statevm_twin(a);
		x->n = y->n = 0;
		run(a, cases[i].after, x);
		run(b, cases[i].after, y);
		statevm_same(a, b, x, y, cases[i].name);
		vm_free(a);
		vm_free(b);
	}
	free(x);
	free(y);
	return 0;
}
