/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h - what a test program in C needs.
 *
 * A test is one program: exit status 0 passed, 1 failed, 77 skipped (say why on
 * standard output).  A failed CHECK says where and what, and ends the program.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			fprintf(stderr, "%s:%d: failed: %s\n",		\
				__FILE__, __LINE__, #cond);		\
			exit(1);					\
		}							\
	} while (0)

#define CHECK_EQ(got, want)						\
	do {								\
		int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);	\
		if (got_ != want_) {					\
			fprintf(stderr, "%s:%d: %s is %" PRId64		\
				", wanted %" PRId64 "\n", __FILE__,	\
				__LINE__, #got, got_, want_);		\
			exit(1);					\
		}							\
	} while (0)

#define CHECK_STR(got, want)						\
	do {								\
		const char *got_ = (got), *want_ = (want);		\
		if (!got_ || strcmp(got_, want_)) {			\
			fprintf(stderr, "%s:%d: %s is \"%s\", wanted "	\
				"\"%s\"\n", __FILE__, __LINE__, #got,	\
				got_ ? got_ : "(null)", want_);		\
			exit(1);					\
		}							\
	} while (0)

/* For calls with a `struct err e` in reach. */
#define CHECK_OK(call)							\
	do {								\
		int rc_ = (call);					\
		if (rc_) {						\
			fprintf(stderr, "%s:%d: %s: %d (%s) %s\n",	\
				__FILE__, __LINE__, #call, rc_,		\
				strerror(-rc_), e.text);		\
			exit(1);					\
		}							\
	} while (0)

#endif
