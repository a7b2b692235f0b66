/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calendar.h - days and dates of the Gregorian calendar, without the C library's
 * time zones, which open files.  Any thread.
 */
#ifndef CHIP_CALENDAR_H
#define CHIP_CALENDAR_H

#include <stdint.h>

struct calendar_date {
	int64_t year;
	int month, day;		/* from 1 */
};

/* Days since 1970-01-01; months and days beyond their range count on. */
int64_t calendar_days(const struct calendar_date *date);
struct calendar_date calendar_date(int64_t days);

#endif
