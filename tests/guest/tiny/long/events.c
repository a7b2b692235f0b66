/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - when interrupts, NMIs and exceptions come, in which order, and what
 * the I/O APIC makes of the test device's lines.  Intel SDM volume 3, 6.7 to
 * 6.14; 82093AA data sheet.  With two CPUs or more.
 */
#include "long.h"

#define EOI	0xb0u
#define TPR	0x80u
#define TMR	0x180u
#define SELF	0x44000u
#define TO_NMI	0x4400u
#define PIN	14u
#define LEVEL	0x8000u
#define LOGICAL	0x800u
#define MASKED	0x10000u

static volatile uint32_t n, n2, n_nmi, order;
static uint64_t rip1, rip2;

static void eoi(void)
{
	lapic_write(EOI, 0);
}

static void line(uint8_t level)
{
	outb(0x2000 + PIN, level);
}

/* What the gates can do. */

static void on_count(struct frame *f)
{
	rip1 = f->rip;
	n++;
	order = order * 10 + 1;
	eoi();
}

static void on_count2(struct frame *f)
{
	rip2 = f->rip;
	n2++;
	order = order * 10 + 2;
	eoi();
}

static void on_int(struct frame *f)
{
	(void)f;
	order = order * 10 + 3;
}

static void begin(void)
{
	n = n2 = n_nmi = order = 0;
}

static void on_np(struct frame *f)
{
	caught.vector = NP;
	caught.error = (uint32_t)f->error;
	caught.rip = f->rip;
	/* Once more, with the gate that it wants. */
	gdt[4] |= 0x80ull << 40;
}

static const char *idt_of(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table;

	__asm__ volatile("sidt %0" : "=m"(table));
	return (const char *)table.base;
}

static void test_order(void)
{
	begin();
	send(0, SELF | 0x51);
	send(0, SELF | 0x62);
	sti();
	cli();
	expect("the higher first", order, 21);
	expect("the lower behind it", rip1, rip2);
	begin();
	send(0, SELF | 0x51);
	__asm__ volatile("sti; int $0x91; cli" : : : "memory");
	expect("INT in STI's shadow", order, 31);
	begin();
	lapic_write(TPR, 0xf0);
	sti();
	send(0, SELF | 0x51);
	send(0, SELF | 0x62);
	expect("none above the priority", order, 0);
	lapic_write(TPR, 0x50);
	expect("one", order, 2);
	write_cr8(0);
	expect("the other", order, 21);
	cli();
	begin();
	send(0, SELF | 0x51);
	__asm__ volatile("pushq $0x202; popfq; nop; cli" : : : "memory");
	expect("POPF has no shadow", order, 1);
	begin();
	send(0, SELF | 0x51);
	__asm__ volatile("sti; cli; nop" : : : "memory");
	expect("CLI in the shadow", order, 0);
	sti();
	cli();
	begin();
	on(NP, on_np);
	((uint16_t *)(uint64_t)idt_of())[0x91 * 8 + 1] = 0x20;
	gdt[4] &= ~(0x80ull << 40);
	__asm__ volatile("int $0x91");
	expect("code not present", caught.vector, NP);
	expect("its selector", caught.error, 0x20);
	expect("then the handler", order, 3);
	((uint16_t *)(uint64_t)idt_of())[0x91 * 8 + 1] = 8;
	gdt[4] &= ~(0x80ull << 40);
	on(NP, 0);
}

/* NMIs: none in the handler, one behind its IRET. */

static uint64_t nested_rip;

static void on_nmi(struct frame *f)
{
	if (++n_nmi == 1) {
		send(0, TO_NMI);
		send(0, TO_NMI);
		order = order * 10 + n_nmi;
	} else {
		order = order * 10 + n_nmi;
		nested_rip = f->rip;
	}
}

extern const uint8_t here[];

/* An IRET of the handler's own lets the next one in, before it returns. */
static void on_nmi_iret(struct frame *f)
{
	if (++n_nmi > 1) {
		nested_rip = f->rip;
		return;
	}
	send(0, TO_NMI);
	expect("blocked", n_nmi, 1);
	__asm__ volatile("movq %%rsp, %%rcx\n\t"
			 "pushq $0x10\n\t"
			 "pushq %%rcx\n\t"
			 "pushfq\n\t"
			 "pushq $8\n\t"
			 "pushq $here\n\t"
			 "iretq\n"
			 "here:" : : : "rcx", "memory");
	expect("after IRET", n_nmi, 2);
	expect("at its target", nested_rip, (uint64_t)here);
}

static void test_nmi(void)
{
	begin();
	on(NMI, on_nmi);
	send(0, TO_NMI);
	expect("one more", n_nmi, 2);
	expect("behind the first", order, 12);
	expect("not in it", nested_rip != (uint64_t)last_iret, 1);
	begin();
	on(NMI, on_nmi_iret);
	send(0, TO_NMI);
	expect("two", n_nmi, 2);
}

/* Double faults: two that do not go together. */
static void test_double(void)
{
	uint64_t *gate = (uint64_t *)(uint64_t)(idt_of() + GP * 16);
	uint64_t keep = gate[0];

	gate[0] &= ~(0x80ull << 40);
	expect("#GP, and its gate is not there",
	       TRY("movl %0, %%fs", "r"(0xfff8)), DF);
	expect("#DF has error 0", caught.error, 0);
	gate[0] = keep;
	gate = (uint64_t *)(uint64_t)(idt_of() + UD * 16);
	keep = gate[0];
	gate[0] &= ~(0x80ull << 40);
	expect("#UD, and its gate is not there", TRY("ud2", "a"(0)), NP);
	expect("which one", caught.error, UD * 8 + 3);
	gate[0] = keep;
}

/* The I/O APIC. */

static void io_write(uint32_t reg, uint32_t v)
{
	mmio_write(IOAPIC, reg);
	mmio_write(IOAPIC + 0x10, v);
}

static uint32_t io_read(uint32_t reg)
{
	mmio_write(IOAPIC, reg);
	return mmio_read(IOAPIC + 0x10);
}

static void route(uint32_t low, uint32_t dest)
{
	io_write(0x11 + 2 * PIN, dest << 24);
	io_write(0x10 + 2 * PIN, low);
}

static uint32_t tmr_of(uint32_t vector)
{
	return lapic_read(TMR + vector / 32 * 16) >> vector % 32 & 1;
}

static volatile uint32_t low_after, seen_tmr;

static void on_line(struct frame *f)
{
	n++;
	seen_tmr = tmr_of((uint32_t)f->vector);
	if (n >= low_after)
		line(0);
	eoi();
}

static void on_line_coalesced(struct frame *f)
{
	(void)f;
	if (++n == 1) {
		line(0);
		line(1);
	}
	line(0);
	eoi();
}

static void on_line_masks(struct frame *f)
{
	(void)f;
	n++;
	io_write(0x10 + 2 * PIN, LEVEL | MASKED | 0x74);
	eoi();
}

static void on_line_all(struct frame *f)
{
	(void)f;
	__asm__ volatile("lock incl %0" : "+m"(n));
	line(0);
	eoi();
}

static void pulse(void)
{
	line(1);
	line(0);
}

static void test_registers(void)
{
	uint32_t version = io_read(1), id = io_read(0);

	io_write(1, ~version);
	expect("the version is fixed", io_read(1), version);
	io_write(0, ~id);
	expect("the id has 4 bits", io_read(0), id ^ 0x0f000000);
	io_write(0, 0x05000000);
	expect("arbitration", io_read(2), 0x05000000);
	io_write(2, 0);
	expect("is fixed", io_read(2), 0x05000000);
	io_write(0, id);
}

static void test_lines(void)
{
	on(0x71, on_line);
	on(0x72, on_line);
	sti();
	begin();
	low_after = 1;
	route(0x71, 0);
	expect("TMR before", tmr_of(0x71), 0);
	pulse();
	expect("edge", n, 1);
	expect("its TMR", seen_tmr, 0);
	low_after = 3;
	line(1);
	line(1);
	expect("no second edge", n, 2);
	line(0);
	low_after = 1;
	begin();
	route(LEVEL | 0x72, 0);
	line(1);
	expect("level", n, 1);
	expect("its TMR", seen_tmr, 1);
	expect("TMR stays", tmr_of(0x72), 1);
	line(1);
	line(1);
	expect("level, again and again", n, 3);
	begin();
	route(0x72, 0);
	pulse();
	expect("edge, TMR", n == 1 && !seen_tmr, 1);
	begin();
	low_after = 2;
	route(LEVEL | 0x72, 0);
	line(1);
	expect("as long as it is there", n, 2);
	expect("no remote IRR", io_read(0x10 + 2 * PIN), LEVEL | 0x72);
	begin();
	on(0x73, on_line_coalesced);
	route(LEVEL | 0x73, 0);
	line(1);
	expect("meanwhile", n, 1);
	begin();
	low_after = 1;
	route(MASKED | 0x71, 0);
	pulse();
	expect("masked edge", n, 0);
	route(0x71, 0);
	expect("it is lost", n, 0);
	route(LEVEL | MASKED | 0x72, 0);
	line(1);
	expect("masked level", n, 0);
	route(LEVEL | 0x72, 0);
	expect("it waited", n, 1);
	begin();
	on(0x74, on_line_masks);
	route(LEVEL | 0x74, 0);
	line(1);
	expect("masks itself", n, 1);
	io_write(0x10 + 2 * PIN, LEVEL | 0x74);
	expect("and again", n, 2);
	line(0);
	cli();
	route(MASKED, 0);
}

static void test_destinations(void)
{
	on(0x75, on_line_all);
	begin();
	route(LEVEL | 0x75, 1);
	line(1);
	while (n < 1)
		pause();
	expect("to the other", n, 1);
	begin();
	route(LEVEL | LOGICAL | 0x75, 3);
	sti();
	line(1);
	for (uint32_t i = 0; i < 100000 && n < 2; i++)
		pause();
	expect("to both", n, 2);
	cli();
	route(MASKED, 0);
}

void ap_main(void)
{
	lapic_write(0xf0, 0x1ff);
	lapic_write(0xe0, 0xffffffff);
	lapic_write(0xd0, 2u << 24);
	__asm__ volatile("lock incl %0" : "+m"(n_started));
	for (;;)
		__asm__ volatile("sti; hlt; cli");
}

void guest_main(void)
{
	on(0x51, on_count);
	on(0x62, on_count2);
	on(0x91, on_int);
	lapic_write(0xe0, 0xffffffff);
	lapic_write(0xd0, 1u << 24);
	start_others(1);
	test_order();
	test_nmi();
	test_double();
	test_registers();
	test_lines();
	test_destinations();
	done("events");
}
