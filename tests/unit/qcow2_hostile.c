/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2_hostile.c - images with random damage: whatever the numbers in them say,
 * reading, writing, checking and repairing end with an error or an answer.
 * Meant for MODE=asan.  ROUNDS sets how many damaged images are tried.
 */
#include <sys/resource.h>

#include "imgfmt/base/bytes.h"
#include "imgfmt/driver.h"
#include "imgfmt/fault.h"
#include "tests/check.h"
#include "tests/lib/hostile.h"
#include "tests/lib/model.h"

static struct err e;
static uint64_t random_state;

static uint64_t below(uint64_t n)
{
	return fault_random(&random_state) % n;
}

/* Somewhere in the header or, more often, in a table that is not empty. */
static uint64_t pick_place(const uint8_t *file, uint64_t len)
{
	uint64_t at = below(len / 8) * 8;

	if (!below(3))
		return below(120);
	for (unsigned i = 0; i < 200 && !get_be64(file + at); i++)
		at = below(len / 8) * 8;
	return at + below(8);
}

static void damage(struct img *mem)
{
	uint64_t len = img_length(mem), n = 1 + below(4);
	uint8_t *file = malloc(len);

	CHECK(file && !img_read(mem, file, len, 0));
	while (n--) {
		uint64_t at = pick_place(file, len);
		uint8_t value = (uint8_t)below(256);

		switch (below(3)) {
		case 0:
			value = file[at] ^ (uint8_t)(1u << below(8));
			break;
		case 1:
			value = below(2) ? 0xff : 0;
			break;
		}
		CHECK_EQ(img_write(mem, &value, 1, at), 0);
	}
	if (!below(8))
		CHECK_OK(img_truncate(mem, below(len), &e));
	free(file);
}

int main(void)
{
	uint64_t seed = model_seed("hostile qcow2", 0);
	const char *rounds = getenv("ROUNDS");
	uint64_t n = rounds ? strtoull(rounds, NULL, 0) : 600;
	struct rusage usage;

	for (uint64_t i = 0; i < n; i++) {
		struct img *mem;

		/* Each on its own seed, so that one can be run alone. */
		random_state = seed + i * 1000003;
		mem = hostile_make((unsigned)(i % HOSTILE_KINDS));
		damage(mem);
		hostile_use(mem, IMG_NO_BACKING, &random_state);
		hostile_use(mem, IMG_NO_BACKING | IMG_WRITE, &random_state);
		hostile_use(mem, IMG_NO_BACKING | IMG_NO_DATA | IMG_REPAIR,
			    &random_state);
		hostile_use(mem, IMG_NO_BACKING | IMG_NO_DATA | IMG_REPAIR |
			    IMG_WRITE, &random_state);
		CHECK_OK(img_close(mem, &e));
	}
	CHECK(!getrusage(RUSAGE_SELF, &usage));
	printf("peak memory %ld KiB\n", usage.ru_maxrss);
	return 0;
}
