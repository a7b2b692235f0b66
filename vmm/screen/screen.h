/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.h - what somebody in front of the machine would see, as text and as a
 * picture.
 *
 * All calls may come from any thread that does not hold the machine lock, while
 * the guest runs or is paused, from after vm_new() until vm_free().  They take
 * the machine lock for as long as it takes to copy registers and the visible
 * memory, and work on the copy; the words of a graphical screen take about as long
 * as its picture, milliseconds.  What a guest writes directly into a linear
 * frame buffer at that moment may be there in part.
 *
 * -ENODEV, with a sentence: the machine has no screen.  -ENOMEM.  What the guest
 * has done to the registers never makes them fail otherwise.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include "imgfmt/base/base.h"

struct vm;

enum screen_mode {
	SCREEN_OFF,		/* nobody has set a mode since power-on */
	SCREEN_TEXT,		/* character cells */
	SCREEN_GRAPHICS,
};

struct screen_text {
	enum screen_mode mode;
	bool blank;		/* the guest shows black, whatever follows */
	unsigned width, height;	/* pixels of the picture; 0 when off */

	/* SCREEN_TEXT, and SCREEN_GRAPHICS if words of a known font are drawn
	 * there: that of the VGA BIOS, which Linux has too, or GRUB's, in cells of
	 * 8 x 16 pixels of two colors.  Else 0 and "".
	 */
	unsigned columns, rows;
	bool cursor;		/* SCREEN_TEXT: there is one, in one of the cells */
	unsigned cursor_column, cursor_row;	/* from 0 */

	/* `rows` lines of UTF-8, each with its '\n' and without the blanks at
	 * its end.  Characters are taken for those of code page 437, which is
	 * right for firmware, boot loaders and kernels, and for the ASCII part
	 * of what a system loads later; ones of a second font are U+FFFD, as
	 * is what is drawn and no character.
	 */
	char *text;		/* never NULL; screen_text_free() */
};

int vm_screen_text(struct vm *vm, struct screen_text *out, struct err *e);
/* The same with the machine lock held, as by a timer. */
int vm_screen_text_locked(struct vm *vm, struct screen_text *out,
			  struct err *e);
/* Does it show something else than when `mark` was set, by this call?  0 at first.
 * With the machine lock held; false also without a screen.
 */
bool vm_screen_changed_locked(struct vm *vm, uint64_t *mark);
void screen_text_free(struct screen_text *text);

/* The picture, without blinking: what blinks is there.  Pixels are the mode's own
 * (320 x 200 in mode 13h).  A screen that is off or blank is black, 640 x 400 if
 * it has no size.
 */
struct screen_image {
	unsigned width, height;	/* pixels, at most SCREEN_MAX_* */
	uint8_t *rgb;		/* 3 bytes a pixel, from the top left; free() */
};

#define SCREEN_MAX_WIDTH 2560u
#define SCREEN_MAX_HEIGHT 1600u

int vm_screen_image(struct vm *vm, struct screen_image *out, struct err *e);

/* The same as a PNG file in memory; free() *png. */
int screen_png(const struct screen_image *image, void **png, size_t *len,
	       struct err *e);

#endif
