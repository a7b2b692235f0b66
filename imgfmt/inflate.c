/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inflate.c - decompressors, kept and reused.  See inflate.h. */
#include "inflate.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

struct inflate {
	pthread_mutex_t lock;
	struct inflate_worker *idle;
	struct memo *memo;
};

struct inflate *inflate_new(void)
{
	struct inflate *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->memo = memo_new();
	if (!f->memo) {
		free(f);
		return NULL;
	}
	pthread_mutex_init(&f->lock, NULL);
	return f;
}

void inflate_free(struct inflate *f)
{
	if (!f)
		return;
	while (f->idle) {
		struct inflate_worker *w = f->idle;

		f->idle = w->next;
		libdeflate_free_decompressor(w->deflate);
		ZSTD_freeDCtx(w->zstd);
		free(w->in);
		free(w);
	}
	memo_free(f->memo);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

struct inflate_worker *inflate_get(struct inflate *f)
{
	struct inflate_worker *w;

	pthread_mutex_lock(&f->lock);
	w = f->idle;
	if (w)
		f->idle = w->next;
	pthread_mutex_unlock(&f->lock);
	return w ? w : calloc(1, sizeof(*w));
}

void inflate_put(struct inflate *f, struct inflate_worker *w)
{
	pthread_mutex_lock(&f->lock);
	w->next = f->idle;
	f->idle = w;
	pthread_mutex_unlock(&f->lock);
}

int inflate_read(struct inflate *f, struct memo_key key, size_t unit, size_t at,
		 void *buf, size_t len, inflate_fn *whole, void *arg)
{
	uint8_t *data;
	int rc;

	if (len == unit)
		return whole(arg, buf);
	if (memo_copy(f->memo, key, buf, len, at))
		return 0;
	data = buf_alloc(unit);
	if (!data)
		return -ENOMEM;
	rc = whole(arg, data);
	if (rc) {
		free(data);
		return rc;
	}
	memcpy(buf, data + at, len);
	memo_put(f->memo, key, data, unit);
	return 0;
}

void inflate_forget(struct inflate *f, struct memo_key key)
{
	memo_forget(f->memo, key);
}
