/* SPDX-License-Identifier: GPL-2.0-or-later */
/* packet.h - packets of the GDB remote serial protocol: GDB's manual, appendix E,
 * "Overview".
 *
 *	$data#cc	cc: the sum of the bytes of `data`, two hex digits
 *	+ -		it came well, or not
 *	0x03		Ctrl-C
 *
 * Not for several threads at once.
 */
#ifndef GDB_PACKET_H
#define GDB_PACKET_H

#include "imgfmt/base/base.h"

#define GDB_PACKET 16384u	/* bytes of data, at most */

enum gdb_event {
	GDB_NOTHING,		/* yet */
	GDB_PACKET_CAME,	/* data[0 .. len), without escapes */
	GDB_PACKET_BAD,		/* its sum is wrong; data and len as above */
	GDB_PACKET_LONG,	/* it was longer than GDB_PACKET */
	GDB_ACK, GDB_NAK, GDB_INTERRUPT,
};

struct gdb_parser {
	enum { GDB_IDLE, GDB_DATA, GDB_SUM_HIGH, GDB_SUM_LOW } state;
	bool escaped, too_long;
	uint8_t sum, high;
	size_t len;
	char data[GDB_PACKET + 1];	/* and a NUL, so that text can be parsed */
};

/* What the next byte makes; data is valid until the next call. */
enum gdb_event gdb_parse(struct gdb_parser *p, uint8_t byte);

/* A reply being made; what is beyond its room is dropped. */
struct gdb_reply {
	size_t len;
	char data[GDB_PACKET];
};

void gdb_put(struct gdb_reply *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void gdb_put_hex(struct gdb_reply *r, const void *bytes, size_t len);
/* How many of these bytes fit, escaped; they are put. */
size_t gdb_put_binary(struct gdb_reply *r, const void *bytes, size_t len);

/* The packet that carries a reply: at most GDB_FRAME bytes more than it has.
 * Returns the packet's length.
 */
#define GDB_FRAME 4u
size_t gdb_frame(const struct gdb_reply *r, char *out);

/* Reading: a hexadecimal number at *p, which moves on; false: there is none, or it
 * is longer than 64 bits.
 */
bool gdb_number(const char **p, uint64_t *n);
/* `len` bytes from 2 * len hex digits; false: those are not there. */
bool gdb_bytes(const char **p, void *bytes, size_t len);
/* Does *p begin with this?  Then it moves on. */
bool gdb_word(const char **p, const char *word);

#endif
