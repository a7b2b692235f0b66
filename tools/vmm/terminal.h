/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.h - standard input as a guest's terminal: every key goes to the guest
 * at once.
 */
#ifndef TOOLS_TERMINAL_H
#define TOOLS_TERMINAL_H

#include <stdbool.h>

/* If standard input is a terminal and this process is in its foreground, make
 * it raw until the process ends, in whichever way but SIGKILL.  True: it is.
 */
bool terminal_make_raw(void);
void terminal_restore(void);

#endif
