/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random.c - random bytes for the guest.  See random.h. */
#include "vmm/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/vm.h"

/* SplitMix64 (Steele, Lea, Flood 2014): one addition a number, so that threads
 * share its state without a lock.
 */
static uint64_t next(struct vm_random *r)
{
	uint64_t z = atomic_fetch_add(&r->state, 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

void vm_random(struct vm *vm, void *buf, size_t len)
{
	uint8_t *p = buf;

	while (len) {
		uint64_t bits;
		size_t n = len < sizeof(bits) ? len : sizeof(bits);

		if (vm->clock.is_virtual) {
			bits = next(&vm->random);
			memcpy(p, &bits, n);
		} else {
			ssize_t got = getrandom(p, len, 0);

			n = got > 0 ? (size_t)got : 0;
		}
		p += n;
		len -= n;
	}
}
