/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rangelock.c - shared and exclusive locks on ranges.
 *
 * Holders and waiters stand in one list in the order they came: a range may be
 * had when nobody before it in the list conflicts.  The list is as long as there
 * are operations in flight, a few dozen, and a scan of it costs less than any
 * tree.
 */
#include "rangelock.h"

#include <stddef.h>

void rangelock_init(struct rangelock *l)
{
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->changed, NULL);
	l->first = l->last = NULL;
	l->n_waiting = 0;
}

void rangelock_fini(struct rangelock *l)
{
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
}

static bool must_wait(const struct rangelock_held *held)
{
	const struct rangelock_held *h;

	for (h = held->prev; h; h = h->prev)
		if (h->start < held->end && held->start < h->end &&
		    (h->exclusive || held->exclusive))
			return true;
	return false;
}

void rangelock_take(struct rangelock *l, struct rangelock_held *held,
		    uint64_t start, uint64_t end, bool exclusive)
{
	*held = (struct rangelock_held){
		.start = start, .end = end, .exclusive = exclusive,
	};
	pthread_mutex_lock(&l->lock);
	held->prev = l->last;
	if (l->last)
		l->last->next = held;
	else
		l->first = held;
	l->last = held;
	while (must_wait(held)) {
		l->n_waiting++;
		pthread_cond_wait(&l->changed, &l->lock);
		l->n_waiting--;
	}
	pthread_mutex_unlock(&l->lock);
}

void rangelock_drop(struct rangelock *l, struct rangelock_held *held)
{
	pthread_mutex_lock(&l->lock);
	if (held->prev)
		held->prev->next = held->next;
	else
		l->first = held->next;
	if (held->next)
		held->next->prev = held->prev;
	else
		l->last = held->prev;
	if (l->n_waiting)
		pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}
