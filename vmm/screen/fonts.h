/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fonts.h - fonts of 8 x 16 dots that systems bring along, as the fingerprints of
 * glyphs.c of '!' to '~'.
 */
#ifndef VMM_SCREEN_FONTS_H
#define VMM_SCREEN_FONTS_H

#include <stdint.h>

#define FONT_PRINTS	94u

enum {
	FONT_GRUB,	/* GRUB's graphical terminal: unicode.pf2 of the package
			 * grub-common (GNU Unifont), the 14th line its base */
	FONT_LINUX,	/* the kernel's own "VGA8x16", as its console shows it */
	/* What Debian's and Ubuntu's console-setup loads, in packages
	 * console-setup-linux: by default Lat15-Fixed16, else
	 */
	FONT_FIXED,
	FONT_TERMINUS,		/* Lat15-Terminus16 */
	FONT_TERMINUS_BOLD,	/* Uni2-TerminusBold16 */
	FONTS,
};

extern const uint32_t font_prints[FONTS][FONT_PRINTS];

#endif
