/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet.c - packets of the GDB remote serial protocol.  See packet.h. */
#include "vmm/gdb/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ESCAPE		'}'
#define ESCAPE_XOR	0x20
#define CTRL_C		0x03

static const char digits[] = "0123456789abcdef";

/* -1: not a digit. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void begin(struct gdb_parser *p)
{
	p->state = GDB_DATA;
	p->escaped = p->too_long = false;
	p->sum = 0;
	p->len = 0;
}

static void add(struct gdb_parser *p, uint8_t byte)
{
	p->sum = (uint8_t)(p->sum + byte);
	if (!p->escaped && byte == ESCAPE) {
		p->escaped = true;
		return;
	}
	if (p->escaped)
		byte ^= ESCAPE_XOR;
	p->escaped = false;
	if (p->len < GDB_PACKET)
		p->data[p->len++] = (char)byte;
	else
		p->too_long = true;
}

static enum gdb_event end(struct gdb_parser *p, uint8_t byte)
{
	int high = hex_digit((char)p->high), low = hex_digit((char)byte);

	p->state = GDB_IDLE;
	p->data[p->len] = 0;
	if (p->too_long)
		return GDB_PACKET_LONG;
	if (high < 0 || low < 0 || (high << 4 | low) != p->sum)
		return GDB_PACKET_BAD;
	return GDB_PACKET_CAME;
}

static enum gdb_event outside(struct gdb_parser *p, uint8_t byte)
{
	switch (byte) {
	case '$':
		begin(p);
		return GDB_NOTHING;
	case '+':
		return GDB_ACK;
	case '-':
		return GDB_NAK;
	case CTRL_C:
		return GDB_INTERRUPT;
	}
	return GDB_NOTHING;
}

enum gdb_event gdb_parse(struct gdb_parser *p, uint8_t byte)
{
	switch (p->state) {
	case GDB_IDLE:
		return outside(p, byte);
	case GDB_DATA:
		if (byte == '#')
			p->state = GDB_SUM_HIGH;
		else if (byte == '$')
			begin(p);	/* the one before broke off */
		else
			add(p, byte);
		return GDB_NOTHING;
	case GDB_SUM_HIGH:
		p->high = byte;
		p->state = GDB_SUM_LOW;
		return GDB_NOTHING;
	case GDB_SUM_LOW:
		break;
	}
	return end(p, byte);
}

void gdb_put(struct gdb_reply *r, const char *fmt, ...)
{
	size_t room = sizeof(r->data) - r->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->data + r->len, room, fmt, ap);
	va_end(ap);
	/* The NUL needs room too: a text that just fits not is cut. */
	if (n > 0)
		r->len += min_u64((uint64_t)n, room ? room - 1 : 0);
}

void gdb_put_hex(struct gdb_reply *r, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (; len && sizeof(r->data) - r->len >= 2; len--, b++) {
		r->data[r->len++] = digits[*b >> 4];
		r->data[r->len++] = digits[*b & 15];
	}
}

size_t gdb_put_binary(struct gdb_reply *r, const void *bytes, size_t len)
{
	const char *b = bytes;
	size_t i;

	for (i = 0; i < len && sizeof(r->data) - r->len >= 2; i++) {
		if (b[i] && strchr("#$}*", b[i])) {
			r->data[r->len++] = ESCAPE;
			r->data[r->len++] = (char)(b[i] ^ ESCAPE_XOR);
		} else {
			r->data[r->len++] = b[i];
		}
	}
	return i;
}

size_t gdb_frame(const struct gdb_reply *r, char *out)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < r->len; i++)
		sum = (uint8_t)(sum + (uint8_t)r->data[i]);
	out[0] = '$';
	memcpy(out + 1, r->data, r->len);
	out[r->len + 1] = '#';
	out[r->len + 2] = digits[sum >> 4];
	out[r->len + 3] = digits[sum & 15];
	return r->len + GDB_FRAME;
}

bool gdb_number(const char **p, uint64_t *n)
{
	unsigned len = 0;
	int d;

	for (*n = 0; (d = hex_digit(**p)) >= 0; (*p)++, len++) {
		if (*n >> 60)
			return false;
		*n = *n << 4 | (unsigned)d;
	}
	return len > 0;
}

bool gdb_bytes(const char **p, void *bytes, size_t len)
{
	uint8_t *b = bytes;

	for (; len; len--, *p += 2) {
		int high = hex_digit((*p)[0]);
		int low = high < 0 ? -1 : hex_digit((*p)[1]);

		if (low < 0)
			return false;
		*b++ = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool gdb_word(const char **p, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*p, word, len))
		return false;
	*p += len;
	return true;
}
