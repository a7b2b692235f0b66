/* SPDX-License-Identifier: GPL-2.0-or-later */
/* smp.c - starts all CPUs by INIT and SIPI, lets them count together, and sends
 * interrupts between them.  The argument says how many there are.
 */
#include "tiny.h"

#define ROUNDS 200u
#define VECTOR_PING 0x51
#define VECTOR_PONG 0x52

/* smp.S */
extern uint8_t ap_start[], ap_end[];
void ap_main(void);

static volatile uint32_t n_started, sum, pongs, n_done;
static volatile uint8_t ids[256];
static volatile int go;

static void add(volatile uint32_t *n)
{
	__asm__ volatile("lock incl %0" : "+m"(*n) : : "memory");
}

static void count(void)
{
	for (uint32_t i = 0; i < ROUNDS; i++)
		add(&sum);
}

static void ping(void)
{
	lapic_write(LAPIC_EOI, 0);
	lapic_write(LAPIC_ICR_HIGH, 0);
	lapic_write(LAPIC_ICR, 0x4000 | VECTOR_PONG);
}

static void pong(void)
{
	pongs++;
	lapic_write(LAPIC_EOI, 0);
}

void ap_main(void)
{
	lapic_enable();
	ids[lapic_read(LAPIC_ID) >> 24] = 1;
	add(&n_started);
	while (!go)
		__asm__ volatile("pause");
	count();
	add(&n_done);
	for (;;)
		wait_irq();
}

static void wait_for(volatile uint32_t *n, uint32_t want)
{
	while (*n < want)
		__asm__ volatile("pause");
}

void guest_main(void)
{
	uint32_t n = 0, seen = 0;

	for (; *args >= '0' && *args <= '9'; args++)
		n = n * 10 + (uint32_t)(*args - '0');
	idt_set(VECTOR_PING, ping);
	idt_set(VECTOR_PONG, pong);
	lapic_enable();
	copy((void *)0x8000, ap_start, (uint32_t)(ap_end - ap_start));
	lapic_write(LAPIC_ICR, 0xc4500);
	pm_wait(35795);
	lapic_write(LAPIC_ICR, 0xc4608);
	pm_wait(716);
	/* Those that run already are to ignore the second. */
	lapic_write(LAPIC_ICR, 0xc4608);
	wait_for(&n_started, n - 1);
	go = 1;
	count();
	wait_for(&n_done, n - 1);
	check("counted together", sum, n * ROUNDS);
	for (uint32_t i = 0; i < 256; i++)
		if (ids[i]) {
			put("CPU ");
			put_dec(i);
			put(" runs\n");
			seen++;
			lapic_write(LAPIC_ICR_HIGH, i << 24);
			lapic_write(LAPIC_ICR, 0x4000 | VECTOR_PING);
			while (pongs < seen)
				wait_irq();
		}
	check("all answered", pongs, n - 1);
}
