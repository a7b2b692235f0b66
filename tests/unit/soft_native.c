/* SPDX-License-Identifier: GPL-2.0-or-later */
/* soft_native.c - functions of this very program, executed by the software CPU
 * and by the host: the results must be the same.
 */
#include "tests/check.h"

#include "vmm/accel/soft/soft_test.h"

#define STACK	0x7f0000000000u
#define DATA	0x100000000u
#define SIZE	(1u << 20)
#define RETURN	0x666000u	/* not mapped: where the function returns to */

/* The functions: no calls, no jump tables, no SSE. */
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

static void run(uint64_t (*fn)(uint8_t *data, uint64_t n), uint64_t len,
		const char *name, bool general)
{
	uint64_t code = (uint64_t)(uintptr_t)fn & ~0xfffull;
	static uint8_t want[SIZE] __attribute__((aligned(16)));
	struct soft_test_end end;
	struct soft_test *t;
	struct cpu_state s;
	uint8_t *mem;
	uint64_t r;

	CHECK_EQ(soft_test_new(&t, 2 * SIZE + 0x4000), 0);
	soft_test_general(t, general);
	mem = soft_test_memory(t);
	memcpy(mem, (void *)code, 0x2000);
	for (unsigned i = 0; i < SIZE; i++)
		want[i] = (uint8_t)(i * 2654435761u >> 13);
	memcpy(mem + 0x4000, want, SIZE);
	CHECK_EQ(soft_test_map(t, code, 0, 0x2000, SOFT_TEST_R | SOFT_TEST_X),
		 0);
	CHECK_EQ(soft_test_map(t, DATA, 0x4000, SIZE,
			       SOFT_TEST_R | SOFT_TEST_W), 0);
	CHECK_EQ(soft_test_map(t, STACK, 0x4000 + SIZE, SIZE,
			       SOFT_TEST_R | SOFT_TEST_W), 0);
	soft_test_state64(&s);
	s.rip = (uint64_t)(uintptr_t)fn;
	s.gpr[CPU_RSP] = STACK + SIZE - 64;
	*(uint64_t *)(mem + 0x4000 + 2 * SIZE - 64) = RETURN;
	s.gpr[CPU_RDI] = DATA;
	s.gpr[CPU_RSI] = len;
	soft_test_run(t, &s, 1ull << 40, &end);
	r = fn(want, len);
	printf("%s: %" PRIu64 " instructions\n", name, end.insns);
	CHECK(end.fault);
	CHECK_EQ(end.cr2, RETURN);
	CHECK_EQ(s.rip, RETURN);
	CHECK_EQ(s.gpr[CPU_RAX], r);
	CHECK(!memcmp(mem + 0x4000, want, SIZE));
	soft_test_free(t);
}

int main(void)
{
	for (int general = 0; general < 2; general++) {
		run(sum, SIZE, "sum", general);
		run(sort, 65536, "sort", general);
		run(divide, SIZE, "divide", general);
		run(bits, SIZE, "bits", general);
		run(wide, SIZE, "wide", general);
		run(sieve, 200000, "sieve", general);
	}
	return 0;
}
