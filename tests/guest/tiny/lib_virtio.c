/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib_virtio.c - a driver's half of virtio 1.2.  See virtio.h. */
#include "virtio.h"

#define PCI_CAP_MSIX	0x11u
#define PCI_CAP_VENDOR	0x09u

/* Our machine's places, as vmm/pc.h has them. */
#define MMIO_BASE	0xfed20000u
#define MMIO_LEN	0x200u
#define MMIO_MAX	8u
#define MMIO_PIN	16u

/* Common configuration over PCI (4.1.4.3). */
#define P_FEATURE_SELECT	0x00u
#define P_FEATURE		0x04u
#define P_DRIVER_SELECT		0x08u
#define P_DRIVER_FEATURE	0x0cu
#define P_STATUS		0x14u
#define P_QUEUE_SELECT		0x16u
#define P_QUEUE_SIZE		0x18u
#define P_QUEUE_VECTOR		0x1au
#define P_QUEUE_ENABLE		0x1cu
#define P_QUEUE_NOTIFY		0x1eu
#define P_QUEUE_DESC		0x20u

/* Registers over MMIO (4.2.2). */
#define M_FEATURE		0x010u
#define M_FEATURE_SELECT	0x014u
#define M_DRIVER_FEATURE	0x020u
#define M_DRIVER_SELECT		0x024u
#define M_QUEUE_SELECT		0x030u
#define M_QUEUE_SIZE		0x038u
#define M_QUEUE_READY		0x044u
#define M_NOTIFY		0x050u
#define M_ISR			0x060u
#define M_ACK			0x064u
#define M_STATUS		0x070u
#define M_QUEUE_DESC		0x080u

#define VECTOR_LINE	0x60u	/* over MMIO */
#define VECTOR_MESSAGE	0x61u	/* and those behind it */

static struct virtio *device;	/* whose interrupts come */

static void mmio_write8(uint32_t addr, uint8_t v)
{
	*(volatile uint8_t *)addr = v;
}

static void mmio_write16(uint32_t addr, uint16_t v)
{
	*(volatile uint16_t *)addr = v;
}

static uint16_t mmio_read16(uint32_t addr)
{
	return *(volatile uint16_t *)addr;
}

static void barrier(void)
{
	__asm__ volatile("lock; addl $0, (%%esp)" : : : "memory", "cc");
}

static void find_areas(struct virtio *d)
{
	uint32_t at = 0, table;

	while ((at = pci_capability(d->fn, at, PCI_CAP_VENDOR))) {
		uint32_t type = pci_read(d->fn, at) >> 24;
		uint32_t addr = pci_bar(d->fn, pci_read(d->fn, at + 4) & 7) +
			pci_read(d->fn, at + 8);

		if (type == 1) {
			d->common = addr;
		} else if (type == 2) {
			d->notify = addr;
			d->notify_step = pci_read(d->fn, at + 16);
		} else if (type == 3) {
			d->isr = addr;
		} else if (type == 4) {
			d->config = addr;
		}
	}
	at = pci_capability(d->fn, 0, PCI_CAP_MSIX);
	if (!at)
		return;
	table = pci_read(d->fn, at + 4);
	d->msix = pci_bar(d->fn, table & 7) + (table & ~7u);
}

static bool find_mmio(struct virtio *d, uint16_t id, uint32_t nth)
{
	for (uint32_t i = 0; i < MMIO_MAX; i++) {
		uint32_t at = MMIO_BASE + i * MMIO_LEN;

		if (mmio_read(at) != 0x74726976 || mmio_read(at + 4) != 2 ||
		    mmio_read(at + 8) != id || nth--)
			continue;
		d->common = at;
		d->config = at + 0x100;
		d->pin = MMIO_PIN + i;
		return true;
	}
	return false;
}

bool virtio_find(struct virtio *d, bool mmio, uint16_t id, uint32_t nth)
{
	fill(d, 0, sizeof(*d));
	d->mmio = mmio;
	if (mmio)
		return find_mmio(d, id, nth);
	for (uint32_t i = 0; i < PCI_N_FUNCTIONS; i++) {
		d->fn = i << 8;
		if (pci_read(d->fn, 0) != ((0x1040u + id) << 16 | 0x1af4) ||
		    nth--)
			continue;
		/* Memory and bus master. */
		pci_write(d->fn, 4, 6);
		find_areas(d);
		return d->common && d->notify && d->isr;
	}
	return false;
}

uint8_t virtio_status(const struct virtio *d)
{
	if (d->mmio)
		return (uint8_t)mmio_read(d->common + M_STATUS);
	return *(volatile uint8_t *)(d->common + P_STATUS);
}

void virtio_set_status(const struct virtio *d, uint8_t status)
{
	if (d->mmio)
		mmio_write(d->common + M_STATUS, status);
	else
		mmio_write8(d->common + P_STATUS, status);
}

static void negotiate(struct virtio *d, uint64_t wanted)
{
	uint32_t select = d->common + (d->mmio ? M_FEATURE_SELECT :
						 P_FEATURE_SELECT);
	uint32_t offer = d->common + (d->mmio ? M_FEATURE : P_FEATURE);
	uint32_t driver = d->common + (d->mmio ? M_DRIVER_SELECT :
						 P_DRIVER_SELECT);
	uint32_t accept = d->common + (d->mmio ? M_DRIVER_FEATURE :
						 P_DRIVER_FEATURE);

	mmio_write(select, 0);
	d->offered = mmio_read(offer);
	mmio_write(select, 1);
	d->offered |= (uint64_t)mmio_read(offer) << 32;
	d->features = d->offered & wanted;
	mmio_write(driver, 0);
	mmio_write(accept, (uint32_t)d->features);
	mmio_write(driver, 1);
	mmio_write(accept, (uint32_t)(d->features >> 32));
}

/* Both transports have the three addresses in this order, in halves. */
static void set_rings(uint32_t at, uint32_t step, const struct queue *q)
{
	const void *rings[3] = { q->desc, &q->avail, &q->used };

	for (uint32_t i = 0; i < 3; i++) {
		mmio_write(at + i * step, (uint32_t)rings[i]);
		mmio_write(at + i * step + 4, 0);
	}
}

static void set_up_queue(struct virtio *d, struct queue *q, bool messages)
{
	if (d->mmio) {
		mmio_write(d->common + M_QUEUE_SELECT, q->index);
		mmio_write(d->common + M_QUEUE_SIZE, QUEUE_SIZE);
		set_rings(d->common + M_QUEUE_DESC, 16, q);
		mmio_write(d->common + M_QUEUE_READY, 1);
		q->doorbell = d->common + M_NOTIFY;
		return;
	}
	mmio_write16(d->common + P_QUEUE_SELECT, q->index);
	mmio_write16(d->common + P_QUEUE_SIZE, QUEUE_SIZE);
	mmio_write16(d->common + P_QUEUE_VECTOR, messages ? q->index : 0xffff);
	set_rings(d->common + P_QUEUE_DESC, 8, q);
	q->doorbell = d->notify + d->notify_step *
		mmio_read16(d->common + P_QUEUE_NOTIFY);
	mmio_write16(d->common + P_QUEUE_ENABLE, 1);
}

static void line_irq(void)
{
	struct virtio *d = device;
	uint8_t isr;

	if (d->mmio) {
		isr = (uint8_t)mmio_read(d->common + M_ISR);
		mmio_write(d->common + M_ACK, isr);
		lapic_write(LAPIC_EOI, 0);
	} else {
		isr = *(volatile uint8_t *)d->isr;	/* clears it */
		outb(0xa0, 0x20);
		outb(0x20, 0x20);
	}
	if (isr & 1)
		d->interrupts[0]++;
}

static void message_irq(uint32_t i)
{
	device->interrupts[i]++;
	lapic_write(LAPIC_EOI, 0);
}

static void message0(void) { message_irq(0); }
static void message1(void) { message_irq(1); }
static void message2(void) { message_irq(2); }

static void start_messages(struct virtio *d)
{
	static void (*const handlers[MAX_QUEUES])(void) = {
		message0, message1, message2,
	};
	uint32_t at = pci_capability(d->fn, 0, PCI_CAP_MSIX);

	pci_write(d->fn, at, 1u << 31);
	for (uint32_t i = 0; i < MAX_QUEUES; i++) {
		uint32_t entry = d->msix + 16 * i;

		idt_set((uint8_t)(VECTOR_MESSAGE + i), handlers[i]);
		mmio_write(entry, 0xfee00000 | lapic_read(LAPIC_ID) >> 24 << 12);
		mmio_write(entry + 4, 0);
		mmio_write(entry + 8, VECTOR_MESSAGE + i);
		mmio_write(entry + 12, 0);
	}
	lapic_enable();
}

/* The PIC with the interrupt level-triggered, as PCI wants it, or the IOAPIC. */
static void start_line(struct virtio *d)
{
	uint32_t irq = d->mmio ? 0 : pci_read(d->fn, 0x3c) & 15;

	if (d->mmio) {
		idt_set(VECTOR_LINE, line_irq);
		ioapic_write(0x11 + 2 * d->pin, lapic_read(LAPIC_ID));
		ioapic_write(0x10 + 2 * d->pin, 1 << 15 | VECTOR_LINE);
		lapic_enable();
		return;
	}
	outb(0x4d0 + (irq >> 3), (uint8_t)(1u << (irq & 7)));
	idt_set((uint8_t)(0x20 + irq), line_irq);
	pic_init(0x20, (uint16_t)(1u << irq | 4));
}

bool virtio_start(struct virtio *d, uint64_t wanted, struct queue *queues,
		  uint32_t n, enum virtio_irq irq)
{
	uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;

	device = d;
	virtio_set_status(d, 0);
	while (virtio_status(d))
		;
	virtio_set_status(d, VIRTIO_ACKNOWLEDGE);
	virtio_set_status(d, status);
	negotiate(d, wanted);
	status |= VIRTIO_FEATURES_OK;
	virtio_set_status(d, status);
	if (virtio_status(d) != status)
		return false;
	if (irq == IRQ_MESSAGES)
		start_messages(d);
	else
		start_line(d);
	for (uint32_t i = 0; i < n; i++) {
		fill(&queues[i], 0, sizeof(queues[i]));
		queues[i].index = (uint16_t)i;
		d->queues[i] = &queues[i];
		set_up_queue(d, &queues[i], irq == IRQ_MESSAGES);
	}
	virtio_set_status(d, status | VIRTIO_DRIVER_OK);
	return true;
}

static void fill_desc(struct desc *t, uint32_t size, uint32_t first,
		      const struct buffer *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct desc *one = &t[(first + i) % size];

		one->addr = (uint32_t)b[i].addr;
		one->len = b[i].len;
		one->flags = (uint16_t)((b[i].in ? DESC_WRITE : 0) |
					(i + 1 < n ? DESC_NEXT : 0));
		one->next = (uint16_t)((first + i + 1) % size);
	}
}

uint16_t queue_add(struct virtio *d, struct queue *q, const struct buffer *b,
		   uint32_t n)
{
	uint16_t head = q->next_desc % QUEUE_SIZE;

	if (d->features & VIRTIO_F_INDIRECT && n <= 8) {
		struct buffer table = { q->indirect[head], n * 16, false };

		fill_desc(q->indirect[head], 8, 0, b, n);
		fill_desc(q->desc, QUEUE_SIZE, head, &table, 1);
		q->desc[head].flags = DESC_INDIRECT;
		n = 1;
	} else {
		fill_desc(q->desc, QUEUE_SIZE, head, b, n);
	}
	q->next_desc = (uint16_t)(q->next_desc + n);
	q->avail.ring[q->avail.idx % QUEUE_SIZE] = head;
	barrier();
	q->avail.idx++;
	return head;
}

void queue_kick(struct virtio *d, struct queue *q)
{
	volatile uint16_t *event = &q->used.avail_event;
	volatile uint16_t *flags = &q->used.flags;
	uint16_t old = q->kicked, new = q->avail.idx;

	q->kicked = new;
	barrier();
	if (d->features & VIRTIO_F_EVENT_IDX ?
	    (uint16_t)(new - *event - 1) >= (uint16_t)(new - old) : *flags & 1)
		return;
	if (d->mmio)
		mmio_write(q->doorbell, q->index);
	else
		mmio_write16(q->doorbell, q->index);
}

uint32_t queue_wait(struct queue *q, uint16_t *head)
{
	volatile uint16_t *idx = &q->used.idx;
	uint32_t i = q->last_used % QUEUE_SIZE;

	while (*idx == q->last_used)
		wait_irq();
	q->last_used++;
	/* The next one is to interrupt, with the event index. */
	if (q->avail.used_event != q->last_used)
		q->avail.used_event = q->last_used;
	barrier();
	if (head)
		*head = (uint16_t)q->used.ring[i].id;
	return q->used.ring[i].len;
}
