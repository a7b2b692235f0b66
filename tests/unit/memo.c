/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memo.c - remembered units: found again, forgotten when told or when full. */
#include "imgfmt/memo.h"
#include "tests/check.h"

static uint8_t *unit(size_t len, int fill)
{
	uint8_t *p = malloc(len);

	CHECK(p);
	memset(p, fill, len);
	return p;
}

static bool has(struct memo *m, uint64_t a, uint64_t b, int fill)
{
	struct memo_key key = { a, b };
	uint8_t got[16];

	if (!memo_copy(m, key, got, sizeof(got), 100))
		return false;
	for (size_t i = 0; i < sizeof(got); i++)
		CHECK_EQ(got[i], fill);
	return true;
}

int main(void)
{
	struct memo *m = memo_new();
	unsigned kept = 0;

	CHECK(m);
	CHECK(!has(m, 0, 0, 0));
	memo_put(m, (struct memo_key){ 1, 0 }, unit(4096, 1), 4096);
	memo_put(m, (struct memo_key){ 1, 5 }, unit(4096, 2), 4096);
	CHECK(has(m, 1, 0, 1) && has(m, 1, 5, 2) && !has(m, 5, 1, 0));
	memo_forget(m, (struct memo_key){ 1, 0 });
	CHECK(!has(m, 1, 0, 0) && has(m, 1, 5, 2));

	/* The newest stay. */
	for (unsigned i = 0; i < 100; i++)
		memo_put(m, (struct memo_key){ 7, i }, unit(4096, 7), 4096);
	CHECK(!has(m, 1, 5, 0) && has(m, 7, 99, 7) && !has(m, 7, 0, 7));
	/* Four MiB hold two of these, and what was there has to go. */
	for (unsigned i = 0; i < 5; i++)
		memo_put(m, (struct memo_key){ 8, i }, unit(2u << 20, 8),
			 2u << 20);
	for (unsigned i = 0; i < 5; i++)
		kept += has(m, 8, i, 8);
	CHECK_EQ(kept, 2);
	CHECK(!has(m, 7, 99, 7) && has(m, 8, 4, 8));
	/* One that is larger than all is not remembered, and hurts nothing. */
	memo_put(m, (struct memo_key){ 9, 9 }, unit(5u << 20, 9), 5u << 20);
	CHECK(!has(m, 9, 9, 9) && has(m, 8, 4, 8));
	memo_free(m);
	memo_free(NULL);
	return 0;
}
