/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calendar.c - days and dates of the Gregorian calendar.  See calendar.h.
 *
 * A year starts in March here, so that the leap day is its last, and years are
 * counted in 400s, after which the calendar repeats.
 */
#include "calendar.h"

#define DAYS_400	146097
#define DAYS_1970	719468	/* from 0000-03-01 to 1970-01-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days before month `m`, 0 being March: 31, 30, 31, 30, 31 again and again. */
static int64_t month_start(int64_t m)
{
	return (153 * m + 2) / 5;
}

int64_t calendar_days(const struct calendar_date *date)
{
	int64_t months = date->year * 12 + date->month - 3;
	int64_t year = floor_div(months, 12);

	return year * 365 + floor_div(year, 4) - floor_div(year, 100) +
		floor_div(year, 400) + month_start(months - year * 12) +
		date->day - 1 - DAYS_1970;
}

struct calendar_date calendar_date(int64_t days)
{
	int64_t era = floor_div(days + DAYS_1970, DAYS_400);
	int64_t day = days + DAYS_1970 - era * DAYS_400;
	/* Take the leap days out, of which every 4 but not every 100 years has
	 * one; the last day of the 400 years is one too.
	 */
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t month;

	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	return (struct calendar_date){
		.year = era * 400 + year + (month >= 10),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(day - month_start(month) + 1),
	};
}
