/* SPDX-License-Identifier: GPL-2.0-or-later */
/* address.c - IP addresses that count up. */
#include "clone/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

static unsigned n_bits(const struct address *a)
{
	return a->v6 ? 128 : 32;
}

/* A decimal number up to `max`, in all of [text, text + len). */
static bool number(const char *text, size_t len, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (!len || len > 3)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = 10 * n + (unsigned)(text[i] - '0');
	}
	*out = n;
	return n <= max;
}

int address_parse(const char *text, size_t len, struct address *out)
{
	const char *slash = memchr(text, '/', len);
	size_t host = slash ? (size_t)(slash - text) : len;
	char copy[ADDRESS_TEXT_LEN];

	memset(out, 0, sizeof(*out));
	if (host >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, host);
	copy[host] = 0;
	out->v6 = strchr(copy, ':');
	if (inet_pton(out->v6 ? AF_INET6 : AF_INET, copy, out->raw) != 1)
		return -EINVAL;
	out->len = ADDRESS_NO_LEN;
	if (slash && !number(slash + 1, len - host - 1, n_bits(out),
			     &out->len))
		return -EINVAL;
	return 0;
}

const char *address_text(const struct address *a, char out[ADDRESS_TEXT_LEN])
{
	inet_ntop(a->v6 ? AF_INET6 : AF_INET, a->raw, out, ADDRESS_TEXT_LEN);
	return out;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->v6 == b->v6 && !memcmp(a->raw, b->raw, n_bits(a) / 8);
}

static bool bit(const struct address *a, unsigned i)
{
	return a->raw[i / 8] >> (7 - i % 8) & 1;
}

bool address_same_network(const struct address *a, const struct address *b,
			  unsigned len)
{
	if (a->v6 != b->v6)
		return false;
	for (unsigned i = 0; i < len && i < n_bits(a); i++)
		if (bit(a, i) != bit(b, i))
			return false;
	return true;
}

const char *address_netmask(unsigned len, char out[ADDRESS_TEXT_LEN])
{
	struct address mask = { 0 };

	for (unsigned i = 0; i < len && i < 32; i++)
		mask.raw[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return address_text(&mask, out);
}

/* Are all bits behind the network's the same? */
static bool host_bits_are(const struct address *a, unsigned len, bool value)
{
	for (unsigned i = len; i < n_bits(a); i++)
		if (bit(a, i) != value)
			return false;
	return true;
}

int address_add(const struct address *a, unsigned n, struct address *out)
{
	unsigned len = a->len == ADDRESS_NO_LEN ? 0 : a->len;
	uint64_t carry = n;

	*out = *a;
	for (unsigned i = n_bits(a) / 8; i-- > 0 && carry;) {
		carry += out->raw[i];
		out->raw[i] = (uint8_t)carry;
		carry >>= 8;
	}
	if (carry || !address_same_network(a, out, len))
		return -ERANGE;
	/* A network of two addresses has neither (RFC 3021, RFC 6164). */
	if (len + 1 >= n_bits(a))
		return 0;
	if (host_bits_are(out, len, false) ||
	    (!a->v6 && host_bits_are(out, len, true)))
		return -ERANGE;
	return 0;
}

static int parse_extra(const char *text, size_t len, struct address_wish *w)
{
	if (len > 3 && !memcmp(text, "gw=", 3)) {
		w->has_gateway = true;
		return address_parse(text + 3, len - 3, &w->gateway) ||
		       w->gateway.len != ADDRESS_NO_LEN ||
		       w->gateway.v6 != w->address.v6 ? -EINVAL : 0;
	}
	if (len > 3 && !memcmp(text, "if=", 3) &&
	    len - 3 < sizeof(w->interface)) {
		memcpy(w->interface, text + 3, len - 3);
		w->interface[len - 3] = 0;
		return 0;
	}
	return -EINVAL;
}

int address_wish_parse(const char *text, struct address_wish *out,
		       struct err *e)
{
	const char *at = text;
	size_t len = strcspn(at, ",");
	int rc;

	memset(out, 0, sizeof(*out));
	rc = address_parse(at, len, &out->address);
	while (!rc && at[len]) {
		at += len + 1;
		len = strcspn(at, ",");
		rc = parse_extra(at, len, out);
	}
	if (rc)
		return fail(e, EINVAL, "--static-ip is '%s', must be an address "
			    "as 192.0.2.10 or 192.0.2.10/24, perhaps with "
			    ",gw=192.0.2.1 of the same kind and ,if=NAME",
			    text);
	return 0;
}
