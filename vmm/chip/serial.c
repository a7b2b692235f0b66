/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serial.c - COM1 to COM4: 16550A UARTs.  National Semiconductor PC16550D data
 * sheet (TL/C/8652); table II has the registers.
 *
 * Bytes leave as soon as they are written, whatever the divisor says; only when
 * the host is far behind they stay in the transmitter, and THRE goes off.  The
 * host sends only as much as the receiver holds, so that nothing overruns but in
 * loop-back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/chardev.h"
#include "vmm/state.h"
#include "vmm/vm.h"

#define FIFO_SIZE	16u
#define MAX_SERIALS	4u

/* Offsets. */
#define RBR_THR		0u
#define IER		1u
#define IIR_FCR		2u
#define LCR		3u
#define MCR		4u
#define LSR		5u
#define MSR		6u
#define SCR		7u

#define IER_RX		0x01u
#define IER_THRE	0x02u
#define IER_LINE	0x04u
#define IER_MODEM	0x08u
#define IIR_NONE	0x01u
#define IIR_MODEM	0x00u
#define IIR_THRE	0x02u
#define IIR_RX		0x04u
#define IIR_LINE	0x06u
#define IIR_TIMEOUT	0x0cu
#define IIR_FIFO	0xc0u
#define FCR_ENABLE	0x01u
#define FCR_CLEAR_RX	0x02u
#define FCR_CLEAR_TX	0x04u
#define LCR_DLAB	0x80u
#define MCR_DTR		0x01u
#define MCR_RTS		0x02u
#define MCR_OUT1	0x04u
#define MCR_OUT2	0x08u
#define MCR_LOOP	0x10u
#define MCR_WRITABLE	0x1fu
#define LSR_DR		0x01u
#define LSR_OE		0x02u
#define LSR_THRE	0x20u
#define LSR_TEMT	0x40u
#define MSR_CTS		0x10u
#define MSR_DSR		0x20u
#define MSR_RI		0x40u
#define MSR_DCD		0x80u

#define FINISH_MS	1000
#define CLOCK_HZ	115200u		/* the rate at divisor 1 */

static const struct { uint16_t port; uint8_t irq; } com[MAX_SERIALS] = {
	{ 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 },
};

struct serial {
	struct device dev;
	struct region region;
	enum watch_port port;
	struct irq_line irq;
	struct vm_timer timeout;	/* bytes lie in the FIFO, nobody reads */
	struct chardev host;
	struct serial *peer;		/* has the same line, or NULL */
	bool wants_irq;

	uint16_t divisor;
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t msr;			/* with deltas */
	bool overrun;
	bool thre_event, rx_timeout;
	uint8_t rx[FIFO_SIZE], tx[FIFO_SIZE];
	unsigned head, n_rx, n_tx;
};

static unsigned rx_size(const struct serial *s)
{
	return s->fcr & FCR_ENABLE ? FIFO_SIZE : 1;
}

/* How many bytes call for an interrupt? */
static unsigned rx_trigger(const struct serial *s)
{
	static const uint8_t level[4] = { 1, 4, 8, 14 };

	return s->fcr & FCR_ENABLE ? level[s->fcr >> 6] : 1;
}

/* The most urgent reason (table IV). */
static uint8_t reason(const struct serial *s)
{
	if ((s->ier & IER_LINE) && s->overrun)
		return IIR_LINE;
	if ((s->ier & IER_RX) && s->n_rx >= rx_trigger(s))
		return IIR_RX;
	if ((s->ier & IER_RX) && s->rx_timeout)
		return IIR_TIMEOUT;
	if ((s->ier & IER_THRE) && s->thre_event)
		return IIR_THRE;
	if ((s->ier & IER_MODEM) && (s->msr & 0x0f))
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct serial *s)
{
	s->wants_irq = reason(s) != IIR_NONE;
	irq_set(&s->irq, s->wants_irq || (s->peer && s->peer->wants_irq));
}

/* Four characters' time after the last byte came or was read. */
static void restart_timeout(struct serial *s)
{
	/* Start, data, parity and stop bits. */
	uint64_t bits = 7u + (s->lcr & 3u) + (s->lcr >> 3 & 1u) +
		(s->lcr >> 2 & 1u);
	uint64_t divisor = s->divisor ? s->divisor : 1;

	if (s->n_rx && (s->fcr & FCR_ENABLE))
		vm_timer_arm(&s->timeout, vm_now(s->dev.vm) +
			     4 * bits * divisor * NS_PER_S / CLOCK_HZ);
	else
		vm_timer_cancel(&s->timeout);
}

static void timed_out(void *arg)
{
	struct serial *s = arg;

	s->rx_timeout = s->n_rx != 0;
	update_irq(s);
}

static void receive_byte(struct serial *s, uint8_t byte)
{
	if (s->n_rx == rx_size(s)) {
		s->overrun = true;
		if (s->fcr & FCR_ENABLE)
			return;		/* the FIFO keeps what it has */
		s->n_rx = 0;
	}
	s->rx[(s->head + s->n_rx++) % FIFO_SIZE] = byte;
	restart_timeout(s);
}

static void clear_rx(struct serial *s)
{
	s->n_rx = 0;
	s->rx_timeout = false;
	restart_timeout(s);
}

/* Let the host take what is in the transmitter. */
static void send_out(struct serial *s)
{
	size_t n = chardev_write(&s->host, s->tx, s->n_tx);

	s->n_tx -= (unsigned)n;
	memmove(s->tx, s->tx + n, s->n_tx);
	if (!s->n_tx)
		s->thre_event = true;
}

static void transmit(struct serial *s, uint8_t byte)
{
	s->thre_event = false;
	update_irq(s);
	if (s->mcr & MCR_LOOP) {
		receive_byte(s, byte);
		s->thre_event = true;
		return;
	}
	if (s->n_tx == FIFO_SIZE)
		return;		/* written in spite of THRE */
	watch_text(s->dev.vm, s->port, byte);
	s->tx[s->n_tx++] = byte;
	send_out(s);
}

/* The modem's lines; with nothing but a host, it is always ready. */
static uint8_t modem_lines(const struct serial *s)
{
	uint8_t lines = 0;

	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	if (s->mcr & MCR_RTS)
		lines |= MSR_CTS;
	if (s->mcr & MCR_DTR)
		lines |= MSR_DSR;
	if (s->mcr & MCR_OUT1)
		lines |= MSR_RI;
	if (s->mcr & MCR_OUT2)
		lines |= MSR_DCD;
	return lines;
}

static void write_mcr(struct serial *s, uint8_t value)
{
	uint8_t old = s->msr & 0xf0, lines, changed;

	s->mcr = value & MCR_WRITABLE;
	lines = modem_lines(s);
	changed = old ^ lines;
	/* The ring indicator counts only when it falls. */
	if (lines & MSR_RI)
		changed &= (uint8_t)~MSR_RI;
	s->msr = (uint8_t)(lines | (s->msr & 0x0f) | changed >> 4);
}

static void write_ier(struct serial *s, uint8_t value)
{
	/* Switching it on while the transmitter is empty is an event, too. */
	if ((value & IER_THRE) && !(s->ier & IER_THRE))
		s->thre_event = !s->n_tx;
	s->ier = value & 0x0f;
}

static void write_fcr(struct serial *s, uint8_t value)
{
	bool changes = (value ^ s->fcr) & FCR_ENABLE;

	/* Without the enable bit the others are not programmed. */
	s->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | 0xc0) : 0;
	if (changes || (value & FCR_CLEAR_RX))
		clear_rx(s);
	if (changes || (value & FCR_CLEAR_TX))
		s->thre_event = !s->n_tx;
}

static uint8_t read_rbr(struct serial *s)
{
	uint8_t byte = 0;

	if (s->n_rx) {
		byte = s->rx[s->head];
		s->head = (s->head + 1) % FIFO_SIZE;
		s->n_rx--;
	}
	/* Only this ends the interrupt, not another byte. */
	s->rx_timeout = false;
	restart_timeout(s);
	return byte;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t value = reason(s);

	if (value == IIR_THRE)
		s->thre_event = false;
	return s->fcr & FCR_ENABLE ? value | IIR_FIFO : value;
}

static uint8_t read_lsr(struct serial *s)
{
	uint8_t value = 0;

	if (s->n_rx)
		value |= LSR_DR;
	if (s->overrun)
		value |= LSR_OE;
	if (!s->n_tx)
		value |= LSR_THRE | LSR_TEMT;
	s->overrun = false;
	return value;
}

static uint8_t read_msr(struct serial *s)
{
	uint8_t value = s->msr;

	s->msr &= 0xf0;
	return value;
}

static uint8_t reg_read(struct serial *s, uint64_t offset)
{
	switch (offset) {
	case RBR_THR:
		return s->lcr & LCR_DLAB ? (uint8_t)s->divisor : read_rbr(s);
	case IER:
		return s->lcr & LCR_DLAB ? (uint8_t)(s->divisor >> 8) : s->ier;
	case IIR_FCR:
		return read_iir(s);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		return read_lsr(s);
	case MSR:
		return read_msr(s);
	default:
		return s->scr;
	}
}

static void reg_write(struct serial *s, uint64_t offset, uint8_t value)
{
	switch (offset) {
	case RBR_THR:
		if (s->lcr & LCR_DLAB)
			s->divisor = (uint16_t)((s->divisor & 0xff00) | value);
		else
			transmit(s, value);
		break;
	case IER:
		if (s->lcr & LCR_DLAB)
			s->divisor = (uint16_t)((s->divisor & 0xff) |
						value << 8);
		else
			write_ier(s, value);
		break;
	case IIR_FCR:
		write_fcr(s, value);
		break;
	case LCR:
		s->lcr = value;
		break;
	case MCR:
		write_mcr(s, value);
		break;
	case SCR:
		s->scr = value;
		break;
	}
}

/* Loop-back cuts the input off. */
static void want_input(struct serial *s)
{
	chardev_want_input(&s->host, !(s->mcr & MCR_LOOP) &&
			   s->n_rx < rx_size(s));
}

static uint64_t serial_read(struct device *dev, uint64_t offset, unsigned size)
{
	struct serial *s = (struct serial *)dev;
	uint8_t value;

	(void)size;
	/* What is polled most changes nothing that interrupts. */
	if (offset == LSR && !s->overrun)
		return read_lsr(s);
	value = reg_read(s, offset);
	update_irq(s);
	if (offset == RBR_THR)
		want_input(s);
	return value;
}

static void serial_write(struct device *dev, uint64_t offset, unsigned size,
			 uint64_t value)
{
	struct serial *s = (struct serial *)dev;

	(void)size;
	reg_write(s, offset, (uint8_t)value);
	update_irq(s);
	if (offset == IIR_FCR || offset == MCR)
		want_input(s);
}

static const struct region_ops serial_region_ops = {
	.read = serial_read, .write = serial_write, .max_size = 1,
};

static void take_input(void *arg)
{
	struct serial *s = arg;
	uint8_t buf[FIFO_SIZE];
	size_t n = chardev_read(&s->host, buf, rx_size(s) - s->n_rx);

	for (size_t i = 0; i < n; i++)
		receive_byte(s, buf[i]);
	update_irq(s);
	if (n)
		want_input(s);
}

static void room(void *arg)
{
	struct serial *s = arg;

	if (!s->n_tx)
		return;
	send_out(s);
	update_irq(s);
}

static void power_on(struct serial *s)
{
	s->divisor = 12;
	s->ier = s->fcr = s->lcr = s->mcr = s->scr = 0;
	s->msr = modem_lines(s);
	s->overrun = false;
	clear_rx(s);
	s->thre_event = false;
	update_irq(s);
}

static void serial_reset(struct device *dev)
{
	struct serial *s = (struct serial *)dev;

	power_on(s);
	want_input(s);
}

static void serial_fini(struct device *dev)
{
	struct serial *s = (struct serial *)dev;

	vm_timer_cancel(&s->timeout);
	chardev_finish(&s->host, FINISH_MS);
	loop_forget(dev->vm, &s->host.in);
	loop_forget(dev->vm, &s->host.out);
	free(s);
}

static int serial_loaded(void *obj, struct err *e)
{
	struct serial *s = obj;

	if (s->n_rx > rx_size(s))
		return fail(e, EINVAL, "n_rx is %u, must be at most %u", s->n_rx,
			    rx_size(s));
	want_input(s);
	/* There the host was behind; ours may have room. */
	room(s);
	return 0;
}

static const struct state_field serial_fields[] = {
	STATE_TIMER(struct serial, timeout),
	STATE_BOOL(struct serial, wants_irq),
	STATE_NUMBER(struct serial, divisor),
	STATE_NUMBER(struct serial, ier),
	STATE_NUMBER(struct serial, fcr),
	STATE_NUMBER(struct serial, lcr),
	STATE_NUMBER(struct serial, mcr),
	STATE_NUMBER(struct serial, scr),
	STATE_NUMBER(struct serial, msr),
	STATE_BOOL(struct serial, overrun),
	STATE_BOOL(struct serial, thre_event),
	STATE_BOOL(struct serial, rx_timeout),
	STATE_BYTES(struct serial, rx),
	STATE_BYTES(struct serial, tx),
	STATE_NUMBER(struct serial, head, .max = FIFO_SIZE - 1),
	STATE_NUMBER(struct serial, n_rx, .max = FIFO_SIZE),
	STATE_NUMBER(struct serial, n_tx, .max = FIFO_SIZE),
};
STATE_TRANSIENT(struct serial, "how the machine was made", dev, region, port, peer, irq);
STATE_TRANSIENT(struct serial, "the host's end, whose buffer it has", host);

static const struct state_table serial_state = {
	.version = 1, STATE_FIELDS(serial_fields), .loaded = serial_loaded,
};

static const struct device_ops serial_ops = {
	.name = "16550A", .reset = serial_reset, .fini = serial_fini,
	.state = &serial_state,
};

/* COM1 and COM3 share a line, and so do COM2 and COM4. */
static void find_peer(struct serial *s)
{
	struct device *dev;

	for (dev = s->dev.vm->devices; dev; dev = dev->next) {
		struct serial *other = (struct serial *)dev;

		if (dev->ops != &serial_ops || other == s ||
		    other->irq.pin != s->irq.pin)
			continue;
		s->peer = other;
		other->peer = s;
	}
}

int vm_add_serial(struct vm *vm, const struct vm_chardev *host, struct err *e)
{
	unsigned n = vm->n_serials;
	struct serial *s;
	int rc;

	if (n == MAX_SERIALS)
		return fail(e, ENOSPC, "a PC has %u serial ports", MAX_SERIALS);
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail_rc(e, -ENOMEM, "COM%u", n + 1);
	rc = chardev_init(&s->host, vm, host, take_input, room, s);
	if (rc) {
		free(s);
		return fail_rc(e, rc, "COM%u", n + 1);
	}
	device_add(vm, &s->dev, &serial_ops);
	bus_add(vm, &s->region, &s->dev, &serial_region_ops, BUS_PIO,
		com[n].port, 8);
	s->irq = irq_isa(vm, com[n].irq);
	s->port = (enum watch_port)(WATCH_SERIAL1 + n);
	find_peer(s);
	vm_timer_init(&s->timeout, vm, timed_out, s);
	power_on(s);
	vm->n_serials++;
	return 0;
}
