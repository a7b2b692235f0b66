/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sheet.c - an image in plain arrays whose every sector a test can look at. */
#include "tests/lib/sheet.h"

#include <errno.h>
#include <sched.h>

#include "imgfmt/driver.h"
#include "tests/check.h"

uint64_t sheet_random(uint64_t *seed)
{
	uint64_t x = *seed += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void sheet_init(struct sheet *s, uint64_t size)
{
	size_t sectors = (size_t)div_round_up(size, SHEET_SECTOR);

	*s = (struct sheet){
		.size = size, .block_size = 4096, .in_order = true,
		.room = UINT64_MAX,
	};
	s->bytes = calloc(1, size ? size : 1);
	s->state = calloc(1, sectors + 1);
	s->bad = calloc(1, sectors + 1);
	CHECK(s->bytes && s->state && s->bad);
	pthread_mutex_init(&s->lock, NULL);
}

void sheet_fini(struct sheet *s)
{
	pthread_mutex_destroy(&s->lock);
	free(s->bytes);
	free(s->state);
	free(s->bad);
}

void sheet_data(struct sheet *s, uint64_t offset, uint64_t len, int byte,
		uint64_t *seed)
{
	for (uint64_t i = offset; i < offset + len; i++) {
		s->bytes[i] = byte >= 0 ? (uint8_t)byte :
			(uint8_t)(sheet_random(seed) >> 8);
		s->state[i / SHEET_SECTOR] = SHEET_DATA;
	}
}

void sheet_fill(struct sheet *s, uint64_t *seed, uint32_t align)
{
	uint64_t at = 0;

	while (at < s->size) {
		uint64_t len = (sheet_random(seed) %
				(1u << sheet_random(seed) % 10) + 1) * align;
		uint64_t what = sheet_random(seed) % 6;

		len = min_u64(len, s->size - at);
		if (what <= 1)
			sheet_data(s, at, len, (int)what - 1, seed);
		else if (what == 2)
			sheet_data(s, at, len, 0, seed);
		else if (what == 3)
			sheet_data(s, at, len, 'A', seed);
		else if (what == 4)
			memset(s->state + at / SHEET_SECTOR, SHEET_ZERO,
			       (size_t)div_round_up(len, SHEET_SECTOR));
		at += len;
	}
}

static struct sheet *sheet_of(struct img *img)
{
	return *(struct sheet **)img->state;
}

static void sectors(uint64_t offset, uint64_t len, uint64_t *first,
		    uint64_t *end)
{
	*first = offset / SHEET_SECTOR;
	*end = div_round_up(offset + len, SHEET_SECTOR);
}

static int sh_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	struct sheet *s = sheet_of(img);
	uint64_t first, end;
	bool yield;
	int rc = 0;

	sectors(offset, len, &first, &end);
	pthread_mutex_lock(&s->lock);
	yield = s->jitter && s->reads++ % 3 == 0;
	for (; first < end && !rc; first++)
		if (s->bad[first])
			rc = -EIO;
	if (!rc)
		memcpy(buf, s->bytes + offset, len);
	pthread_mutex_unlock(&s->lock);
	if (yield)
		for (int i = 0; i < 20; i++)
			sched_yield();
	return rc;
}

/* With the lock held. */
static int put(struct sheet *s, const void *buf, size_t len, uint64_t offset,
	       enum sheet_state state)
{
	uint64_t first, end;

	if (s->room < len)
		return -ENOSPC;
	s->room -= len;
	s->in_order = s->in_order && offset >= s->last;
	s->last = offset + len;
	sectors(offset, len, &first, &end);
	if (buf)
		memcpy(s->bytes + offset, buf, len);
	else
		memset(s->bytes + offset, 0, len);
	memset(s->state + first, (int)state, (size_t)(end - first));
	return 0;
}

static int sh_write(struct img *img, const void *buf, size_t len,
		    uint64_t offset)
{
	struct sheet *s = sheet_of(img);
	int rc;

	if (s->on_write)
		s->on_write(s->arg, offset);
	pthread_mutex_lock(&s->lock);
	s->writes++;
	rc = put(s, buf, len, offset, SHEET_DATA);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int sh_zero(struct img *img, uint64_t len, uint64_t offset,
		   unsigned flags)
{
	struct sheet *s = sheet_of(img);
	int rc;

	(void)flags;
	pthread_mutex_lock(&s->lock);
	s->zeroes++;
	rc = put(s, NULL, (size_t)len, offset, SHEET_ZERO);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static int sh_map(struct img *img, uint64_t offset, uint64_t len,
		  struct img_extent *ext)
{
	struct sheet *s = sheet_of(img);
	uint64_t first, end, i;

	sectors(offset, len, &first, &end);
	pthread_mutex_lock(&s->lock);
	for (i = first; i < end && s->state[i] == s->state[first]; i++)
		;
	ext->len = min_u64(len, i * SHEET_SECTOR - offset);
	switch (s->state[first]) {
	case SHEET_HOLE:
		ext->flags = IMG_EXT_HOLE;
		break;
	case SHEET_ZERO:
		ext->flags = IMG_EXT_ZERO;
		break;
	case SHEET_COMPRESSED:
		ext->flags = IMG_EXT_COMPRESSED;
		break;
	}
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int sh_codec_new(struct img *img, int level, void **codec,
			struct err *e)
{
	(void)img;
	(void)level;
	(void)e;
	*codec = malloc(1);
	return *codec ? 0 : -ENOMEM;
}

/* A run of one byte shrinks to it and the length; nothing else does. */
static int sh_compress(void *codec, const void *src, size_t len, void *dst,
		       size_t *dst_len)
{
	const uint8_t *p = src;
	uint32_t n = (uint32_t)len;

	(void)codec;
	*dst_len = 0;
	for (size_t i = 1; i < len; i++)
		if (p[i] != p[0])
			return 0;
	*dst_len = 5;
	*(uint8_t *)dst = p[0];
	memcpy((uint8_t *)dst + 1, &n, sizeof(n));
	return 0;
}

static int sh_write_compressed(struct img *img, const void *data,
			       size_t data_len, uint64_t offset)
{
	struct sheet *s = sheet_of(img);
	uint8_t *plain;
	uint32_t n;
	int rc;

	CHECK_EQ(data_len, 5);
	memcpy(&n, (const uint8_t *)data + 1, sizeof(n));
	CHECK_EQ(n, min_u64(s->unit, s->size - offset));
	plain = malloc(n);
	CHECK(plain);
	memset(plain, *(const uint8_t *)data, n);
	pthread_mutex_lock(&s->lock);
	if (s->state[offset / SHEET_SECTOR] == SHEET_DATA)
		rc = -EEXIST;
	else
		rc = put(s, plain, n, offset, SHEET_COMPRESSED);
	pthread_mutex_unlock(&s->lock);
	free(plain);
	return rc;
}

static const struct img_driver driver = {
	.name = "sheet",
	.state_size = sizeof(struct sheet *),
	.flags = DRV_PARALLEL,
	.read = sh_read,
	.write = sh_write,
	.zero = sh_zero,
	.map = sh_map,
	.codec_new = sh_codec_new,
	.codec_free = free,
	.compress = sh_compress,
	.write_compressed = sh_write_compressed,
};

struct img *sheet_open(struct sheet *s, struct img *backing)
{
	struct err e;
	struct img *img;

	CHECK_OK(img_layer_new(&driver, NULL, "sheet", IMG_WRITE, &img, &e));
	*(struct sheet **)img->state = s;
	img->size = s->size;
	img->block_size = s->block_size;
	img->compress_unit = s->unit;
	img->backing = backing;
	return img;
}
