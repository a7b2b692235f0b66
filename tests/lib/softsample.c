/* SPDX-License-Identifier: GPL-2.0-or-later */
/* softsample.c - functions for softsample.h. */
#include "tests/lib/softsample.h"

#include <string.h>

#define STACK	0x7f0000000000u
#define DATA	0x100000000u
#define CODE_SIZE 0x2000u

/* No SSE, no jump tables, nothing outside the two pages that are copied. */
#define NO_SANITIZER no_sanitize_address, no_sanitize_undefined, \
	no_sanitize_thread
#ifdef __clang__
#define FN __attribute__((noinline, target("no-sse"), \
	no_sanitize("address", "undefined", "thread")))
#else
#define FN __attribute__((noinline, target("no-sse"), NO_SANITIZER, \
	optimize("no-tree-vectorize", "no-jump-tables", "no-stack-protector")))
#endif

FN static uint64_t sum(uint8_t *data, uint64_t n)
{
	uint64_t s = 0;

	for (uint64_t i = 0; i < n; i++)
		s = s * 31 + data[i];
	return s;
}

FN static uint64_t sort(uint8_t *data, uint64_t n)
{
	uint32_t *v = (uint32_t *)data;

	for (uint64_t gap = n / 8; gap; gap /= 2)
		for (uint64_t i = gap; i < n / 4; i++) {
			uint32_t x = v[i];
			uint64_t j = i;

			for (; j >= gap && v[j - gap] > x; j -= gap)
				v[j] = v[j - gap];
			v[j] = x;
		}
	return v[0];
}

FN static uint64_t divide(uint8_t *data, uint64_t n)
{
	uint64_t r = 0;

	for (uint64_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v = *(uint64_t *)(data + i);
		int32_t s = (int32_t)v;

		r += v / (v % 1000 + 1) + (uint64_t)(s / ((int32_t)i + 3));
		r ^= (uint64_t)((int64_t)v % (int64_t)(i + 7));
	}
	return r;
}

FN static uint64_t bits(uint8_t *data, uint64_t n)
{
	uint64_t r = 1;

	for (uint64_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v = *(uint64_t *)(data + i);

		r = (r << (v & 63)) | (r >> (64 - (v & 63)));
		r += (uint64_t)__builtin_ctzll(v | 1) * 3;
		r ^= __builtin_bswap64(v) + (uint64_t)(int64_t)(int16_t)v;
		r = (int64_t)v < (int64_t)r ? r - v : r + (uint8_t)(v >> 8);
		((uint16_t *)data)[i / 8] = (uint16_t)(r >> 3);
	}
	return r;
}

FN static uint64_t wide(uint8_t *data, uint64_t n)
{
	unsigned __int128 r = 12345, *v = (unsigned __int128 *)data;

	for (uint64_t i = 0; i < n / 16; i++) {
		r = r * 6364136223846793005u + v[i];
		r -= r >> 37;
		v[i] = -r;
	}
	return (uint64_t)(r >> 64) ^ (uint64_t)r;
}

FN static uint64_t sieve(uint8_t *data, uint64_t n)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < n; i++)
		data[i] = (uint8_t)(i | 1);
	for (uint64_t i = 2; i < n; i++) {
		if (!data[i])
			continue;
		count++;
		for (uint64_t j = 2 * i; j < n; j += i)
			data[j] = 0;
	}
	return count;
}

FN static uint64_t fib(uint64_t n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

FN static uint64_t calls(uint8_t *data, uint64_t n)
{
	return fib(n) + data[0];
}

/* A list through all of the data in an order that jumps about. */
FN static uint64_t list(uint8_t *data, uint64_t n)
{
	uint32_t *v = (uint32_t *)data;
	uint32_t mask = (uint32_t)(n / 4 - 1), at = 0, r = 0;

	for (uint32_t i = 0; i <= mask; i++)
		v[i] = (i * 5 + 0x1235) & mask;
	for (uint32_t i = 0; i <= mask; i++) {
		at = v[at];
		r = r * 3 + at;
	}
	return r;
}

const struct sample samples[] = {
	{ "sum", sum, SAMPLE_DATA },
	{ "sort", sort, 65536 },
	{ "divide", divide, SAMPLE_DATA },
	{ "bits", bits, SAMPLE_DATA },
	{ "wide", wide, SAMPLE_DATA },
	{ "sieve", sieve, 200000 },
	{ "calls", calls, 24 },
	{ "list", list, SAMPLE_DATA },
};
const unsigned n_samples = sizeof(samples) / sizeof(samples[0]);

void sample_fill(uint8_t *data)
{
	for (unsigned i = 0; i < SAMPLE_DATA; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 13);
}

int sample_load(const struct sample *sample, struct soft_test **out)
{
	uint64_t code = (uint64_t)(uintptr_t)sample->fn & ~0xfffull;
	struct soft_test *t;
	int rc = soft_test_new(&t, 2 * SAMPLE_DATA + CODE_SIZE);

	if (rc)
		return rc;
	memcpy(soft_test_memory(t) + 2 * SAMPLE_DATA, (void *)code, CODE_SIZE);
	rc = soft_test_map(t, DATA, 0, SAMPLE_DATA, SOFT_TEST_R | SOFT_TEST_W);
	if (!rc)
		rc = soft_test_map(t, STACK, SAMPLE_DATA, SAMPLE_DATA,
				   SOFT_TEST_R | SOFT_TEST_W);
	if (!rc)
		rc = soft_test_map(t, code, 2 * SAMPLE_DATA, CODE_SIZE,
				   SOFT_TEST_R | SOFT_TEST_X);
	if (rc) {
		soft_test_free(t);
		return rc;
	}
	sample_fill(soft_test_memory(t));
	*out = t;
	return 0;
}

void sample_run(struct soft_test *t, const struct sample *sample,
		struct cpu_state *s, struct soft_test_end *end)
{
	uint64_t top = SAMPLE_DATA - 64, back = SAMPLE_RETURN;

	soft_test_state64(s);
	s->rip = (uint64_t)(uintptr_t)sample->fn;
	s->gpr[CPU_RSP] = STACK + top;
	memcpy(soft_test_memory(t) + SAMPLE_DATA + top, &back, sizeof(back));
	s->gpr[CPU_RDI] = DATA;
	s->gpr[CPU_RSI] = sample->len;
	soft_test_run(t, s, 1ull << 40, end);
}
