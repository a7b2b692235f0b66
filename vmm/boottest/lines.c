/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lines.c - what a terminal is sent, as lines: ECMA-48's control sequences, of
 * which only those that move the cursor count.
 */
#include "vmm/boottest/lines.h"

#include <string.h>

#define ESC 0x1bu
#define DEL 0x7fu

static bool finish(struct lines *l, char out[BOOT_LINE_MAX])
{
	bool any = l->len;

	while (l->len && l->text[l->len - 1] == ' ')
		l->len--;
	l->text[l->len] = 0;
	any = any && l->len;
	if (any)
		memcpy(out, l->text, l->len + 1);
	l->len = 0;
	l->text[0] = 0;
	l->fresh = false;
	return any;
}

static void append(struct lines *l, uint8_t byte)
{
	/* What does not fit is lost: no line that counts is so long. */
	if (l->len + 1 == sizeof(l->text) || (!l->len && byte == ' '))
		return;
	l->text[l->len++] = (char)byte;
	l->text[l->len] = 0;
	l->fresh = true;
}

static bool plain(struct lines *l, uint8_t byte, char out[BOOT_LINE_MAX])
{
	bool done = false;

	if (byte == '\n') {
		done = finish(l, out);
	} else if (byte == ESC) {
		l->state = LINE_ESC;
	} else if (byte == '\b') {
		if (l->len)
			l->text[--l->len] = 0;
	} else if (byte == '\t') {
		append(l, ' ');
	} else if (byte >= ' ' && byte != DEL) {
		/* \r alone: the line is written over. */
		if (l->cr)
			done = finish(l, out);
		append(l, byte);
	}
	l->cr = byte == '\r' || (l->cr && byte == ESC);
	return done;
}

bool lines_put(struct lines *l, uint8_t byte, char out[BOOT_LINE_MAX])
{
	switch (l->state) {
	case LINE_TEXT:
		return plain(l, byte, out);
	case LINE_ESC:
		if (byte == '[')
			l->state = LINE_CSI;
		else if (byte == ']' || byte == 'P' || byte == '^' ||
			 byte == '_')
			l->state = LINE_STRING;
		else
			l->state = LINE_TEXT;
		return false;
	case LINE_CSI:
		if (byte < '@' || byte > '~')
			return false;
		l->state = LINE_TEXT;
		/* CUP, HVP, VPA, CUU, CUD, CNL, CPL, ED. */
		return strchr("HfdABEFJ", byte) && byte ? finish(l, out) :
							  false;
	case LINE_STRING:
		if (byte == ESC)
			l->state = LINE_ESC;
		else if (byte == '\a')
			l->state = LINE_TEXT;
		return false;
	}
	return false;
}

bool lines_partial(struct lines *l)
{
	bool fresh = l->fresh && l->len;

	l->fresh = false;
	return fresh;
}
