/* SPDX-License-Identifier: GPL-2.0-or-later */
/* button.c - waits for the power button, and powers off when it is pressed. */
#include "tiny.h"

#define PM1_STS		0x600
#define PM1_PWRBTN	0x100

void guest_main(void)
{
	put("ready\n");
	while (!(inw(PM1_STS) & PM1_PWRBTN))
		;
	put("button\n");
	power_off();
}
