/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lines.h - what a terminal is sent, as lines of text. */
#ifndef BOOTTEST_LINES_H
#define BOOTTEST_LINES_H

#include "vmm/boottest/boottest.h"

/* Escape sequences go; those that move the cursor to another line end the line, as
 * do \n and a \r that \n does not follow.
 */
struct lines {
	enum { LINE_TEXT, LINE_ESC, LINE_CSI, LINE_STRING } state;
	bool cr;		/* the last byte was \r */
	bool fresh;		/* the unfinished line has changed */
	unsigned len;
	char text[BOOT_LINE_MAX];	/* unfinished; has its 0 */
};

/* True: `out` is a line that is finished and not empty. */
bool lines_put(struct lines *l, uint8_t byte, char out[BOOT_LINE_MAX]);

/* True: what is there of the line has changed since the last call. */
bool lines_partial(struct lines *l);

#endif
