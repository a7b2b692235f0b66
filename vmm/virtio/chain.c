/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chain.c - the bytes of a request, wherever its pieces lie.  See queue.h. */
#include <string.h>

#include "vmm/virtio/queue.h"

/* The piece of v[0 .. *n) that holds byte *offset, which becomes an offset in
 * it.  *n counts what is left; 0: there is no such byte.
 */
static const struct iovec *seek(const struct iovec *v, unsigned *n,
				uint64_t *offset)
{
	while (*n && *offset >= v->iov_len) {
		*offset -= v->iov_len;
		v++;
		(*n)--;
	}
	return v;
}

size_t vq_chain_read(const struct vq_chain *c, uint64_t offset, void *buf,
		     size_t len)
{
	unsigned left = c->n_out;
	const struct iovec *v = seek(c->iov, &left, &offset);
	size_t done = 0;

	for (; left && done < len; left--, v++) {
		size_t n = (size_t)min_u64(v->iov_len - offset, len - done);

		memcpy((uint8_t *)buf + done,
		       (const uint8_t *)v->iov_base + offset, n);
		done += n;
		offset = 0;
	}
	return done;
}

size_t vq_chain_write(const struct vq_chain *c, uint64_t offset,
		      const void *buf, size_t len)
{
	unsigned left = c->n_in;
	const struct iovec *v = seek(c->iov + c->n_out, &left, &offset);
	size_t done = 0;

	for (; left && done < len; left--, v++) {
		size_t n = (size_t)min_u64(v->iov_len - offset, len - done);

		memcpy((uint8_t *)v->iov_base + offset,
		       (const uint8_t *)buf + done, n);
		done += n;
		offset = 0;
	}
	return done;
}
