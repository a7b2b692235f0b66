/* SPDX-License-Identifier: GPL-2.0-or-later */
/* msix.c - MSI-X (PCI Local Bus 3.0, 6.8.2).  See msix.h.
 *
 * Capability:	0 id, 1 next, 2 control: vectors - 1, 14 mask all, 15 enable;
 *		4 table: offset | BAR, 8 pending bits: offset | BAR
 * Table entry:	0 address, 8 data, 12 control: bit 0 masks the vector
 */
#include <errno.h>
#include <stdlib.h>

#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"
#include "vmm/chip/msix.h"
#include "vmm/irq.h"
#include "vmm/state.h"

#define CAP_ID		0x11u
#define CAP_LEN		12u
#define CAP_CONTROL	2u
#define CONTROL_MASK	0x4000u
#define CONTROL_ON	0x8000u

#define ENTRY_LEN	16u
#define ENTRY_DATA	8u
#define ENTRY_CONTROL	12u
#define ENTRY_MASKED	0x1u

#define BAR_MIN		4096u

int msix_init(struct msix *m, struct pci_function *fn, unsigned bar, unsigned n,
	      const struct region_ops *ops, struct err *e)
{
	uint8_t cap[CAP_LEN] = { CAP_ID };
	unsigned len = BAR_MIN;

	if (!n || n > MSIX_MAX_VECTORS)
		return fail(e, EINVAL, "MSI-X: %u vectors, must be 1 to %u", n,
			    MSIX_MAX_VECTORS);
	while (len / 2 < n * ENTRY_LEN)
		len *= 2;
	*m = (struct msix){
		.fn = fn, .n = n, .pba = len / 2, .table_len = n * ENTRY_LEN,
		.pending_len = (unsigned)(8 * div_round_up(n, 64)),
	};
	put_le16(cap + CAP_CONTROL, (uint16_t)(n - 1));
	put_le32(cap + 4, bar);
	put_le32(cap + 8, m->pba | bar);
	m->cap = pci_add_capability(fn, cap, sizeof(cap));
	if (!m->cap)
		return fail(e, ENOSPC, "MSI-X: no room for the capability");
	put_le16(fn->writable + m->cap + CAP_CONTROL, CONTROL_MASK | CONTROL_ON);
	m->table = array_alloc(n, ENTRY_LEN);
	m->pending = array_alloc(m->pending_len, 1);
	if (!m->table || !m->pending) {
		free(m->table);
		free(m->pending);
		m->table = m->pending = NULL;
		return fail(e, ENOMEM, "MSI-X: out of memory");
	}
	pthread_mutex_init(&m->lock, NULL);
	pci_bar_init(fn, bar, BUS_MMIO, len, false, ops);
	msix_reset(m);
	return 0;
}

void msix_fini(struct msix *m)
{
	if (!m->table)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m->table);
	free(m->pending);
}

void msix_reset(struct msix *m)
{
	pthread_mutex_lock(&m->lock);
	m->on = m->masked = false;
	m->enabled = false;
	memset(m->table, 0, m->table_len);
	memset(m->pending, 0, m->pending_len);
	for (unsigned i = 0; i < m->n; i++)
		m->table[i * ENTRY_LEN + ENTRY_CONTROL] = ENTRY_MASKED;
	pthread_mutex_unlock(&m->lock);
}

bool msix_enabled(const struct msix *m)
{
	return m->enabled;
}

/* The lock is held for these two. */
static bool is_masked(const struct msix *m, unsigned i)
{
	return m->masked ||
	       (m->table[i * ENTRY_LEN + ENTRY_CONTROL] & ENTRY_MASKED);
}

static void send_pending(struct msix *m, unsigned i)
{
	uint8_t bit = (uint8_t)(1 << i % 8);
	const uint8_t *entry = m->table + i * ENTRY_LEN;

	if (!m->on || !(m->pending[i / 8] & bit) || is_masked(m, i))
		return;
	m->pending[i / 8] &= (uint8_t)~bit;
	msi_send(m->fn->dev->vm, get_le64(entry), get_le32(entry + ENTRY_DATA));
}

void msix_notify(struct msix *m, unsigned vector)
{
	if (vector >= m->n)
		return;
	pthread_mutex_lock(&m->lock);
	if (m->on) {
		m->pending[vector / 8] |= (uint8_t)(1 << vector % 8);
		send_pending(m, vector);
	}
	pthread_mutex_unlock(&m->lock);
}

/* The lock is held. */
static void read_control(struct msix *m)
{
	unsigned control = get_le16(m->fn->config + m->cap + CAP_CONTROL);

	m->on = control & CONTROL_ON;
	m->masked = control & CONTROL_MASK;
	m->enabled = m->on;
}

void msix_config_written(struct msix *m, unsigned reg, unsigned size)
{
	if (reg + size <= m->cap || reg >= m->cap + CAP_LEN)
		return;
	pthread_mutex_lock(&m->lock);
	read_control(m);
	for (unsigned i = 0; i < m->n; i++)
		send_pending(m, i);
	pthread_mutex_unlock(&m->lock);
}

uint64_t msix_read(struct msix *m, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	if (size > 8)
		return 0;
	pthread_mutex_lock(&m->lock);
	if (in_range(offset, size, m->table_len))
		memcpy(&value, m->table + offset, size);
	else if (offset >= m->pba &&
		 in_range(offset - m->pba, size, m->pending_len))
		memcpy(&value, m->pending + offset - m->pba, size);
	pthread_mutex_unlock(&m->lock);
	return get_le64(&value);
}

void msix_write(struct msix *m, uint64_t offset, unsigned size, uint64_t value)
{
	unsigned first;

	if (size > 8 || !in_range(offset, size, m->table_len))
		return;
	first = (unsigned)offset / ENTRY_LEN;
	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < size; i++, value >>= 8) {
		uint64_t at = offset + i;
		unsigned field = at % ENTRY_LEN;
		uint8_t mask = field < ENTRY_CONTROL ? 0xff :
			       field == ENTRY_CONTROL ? ENTRY_MASKED : 0;

		m->table[at] = (uint8_t)value & mask;
	}
	/* An unaligned access may reach the next entry. */
	for (unsigned i = first; i <= (offset + size - 1) / ENTRY_LEN; i++)
		send_pending(m, i);
	pthread_mutex_unlock(&m->lock);
}

static int loaded(void *obj, struct err *e)
{
	struct msix *m = obj;

	(void)e;
	pthread_mutex_lock(&m->lock);
	read_control(m);
	pthread_mutex_unlock(&m->lock);
	return 0;
}

static const struct state_field fields[] = {
	STATE_MEMBER(struct msix, table, STATE_KIND_NUMBER, .size = 1,
		     .is_pointer = true,
		     .count_at = offsetof(struct msix, table_len)),
	STATE_MEMBER(struct msix, pending, STATE_KIND_NUMBER, .size = 1,
		     .is_pointer = true,
		     .count_at = offsetof(struct msix, pending_len)),
};
STATE_TRANSIENT(struct msix, "how the machine was made",
		fn, n, cap, pba, lock, table_len, pending_len);
STATE_TRANSIENT(struct msix, "what the capability in fn says",
		enabled, on, masked);

const struct state_table msix_state = {
	.version = 1, STATE_FIELDS(fields), .loaded = loaded,
};
