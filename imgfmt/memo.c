/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memo.c - a few decompressed units, remembered. */
#include "memo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (4u << 20)
#define MAX_SLOTS 16u

struct slot {
	struct memo_key key;
	uint8_t *data;			/* NULL: nothing */
	size_t len;			/* bytes of it */
	bool valid;
	unsigned users;			/* threads copying out of it */
	uint64_t used;			/* when, in counts of uses */
};

struct memo {
	pthread_mutex_t lock;
	struct slot slots[MAX_SLOTS];
	size_t bytes;			/* in all slots */
	uint64_t clock;
};

struct memo *memo_new(void)
{
	struct memo *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	pthread_mutex_init(&m->lock, NULL);
	return m;
}

void memo_free(struct memo *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < MAX_SLOTS; i++)
		free(m->slots[i].data);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* Locked. */
static struct slot *find(struct memo *m, struct memo_key key)
{
	for (unsigned i = 0; i < MAX_SLOTS; i++) {
		struct slot *slot = &m->slots[i];

		if (slot->valid && slot->key.a == key.a &&
		    slot->key.b == key.b)
			return slot;
	}
	return NULL;
}

bool memo_copy(struct memo *m, struct memo_key key, void *buf, size_t len,
	       size_t at)
{
	struct slot *slot;

	pthread_mutex_lock(&m->lock);
	slot = find(m, key);
	if (slot) {
		slot->users++;
		slot->used = ++m->clock;
	}
	pthread_mutex_unlock(&m->lock);
	if (!slot)
		return false;
	memcpy(buf, slot->data + at, len);
	pthread_mutex_lock(&m->lock);
	slot->users--;
	pthread_mutex_unlock(&m->lock);
	return true;
}

/* The slot that was not used for longest, of those that nobody copies from;
 * one with data if `full`.  Locked.
 */
static struct slot *oldest(struct memo *m, bool full)
{
	struct slot *found = NULL;

	for (unsigned i = 0; i < MAX_SLOTS; i++) {
		struct slot *slot = &m->slots[i];

		if (!slot->users && (!full || slot->data) &&
		    (!found || slot->used < found->used))
			found = slot;
	}
	return found;
}

/* Locked. */
static void clear(struct memo *m, struct slot *slot)
{
	free(slot->data);
	m->bytes -= slot->len;
	*slot = (struct slot){ 0 };
}

void memo_put(struct memo *m, struct memo_key key, uint8_t *data, size_t len)
{
	struct slot *slot;

	if (len > MAX_BYTES) {
		free(data);
		return;
	}
	pthread_mutex_lock(&m->lock);
	while (m->bytes > MAX_BYTES - len && (slot = oldest(m, true)))
		clear(m, slot);
	slot = oldest(m, false);
	if (slot && m->bytes - slot->len <= MAX_BYTES - len) {
		clear(m, slot);
		*slot = (struct slot){
			.key = key, .data = data, .len = len, .valid = true,
			.used = ++m->clock,
		};
		m->bytes += len;
		data = NULL;
	}
	pthread_mutex_unlock(&m->lock);
	free(data);
}

void memo_forget(struct memo *m, struct memo_key key)
{
	struct slot *slot;

	pthread_mutex_lock(&m->lock);
	while ((slot = find(m, key)))
		slot->valid = false;
	pthread_mutex_unlock(&m->lock);
}
