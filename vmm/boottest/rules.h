/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rules.h - which words on a console mean which cause. */
#ifndef BOOTTEST_RULES_H
#define BOOTTEST_RULES_H

#include <regex.h>

#include "vmm/boottest/boottest.h"

#define RULE_MAX 96u

/* What a rule means for the test. */
enum rule_kind {
	RULE_HINT,		/* a cause, if the boot stops short */
	RULE_FATAL,		/* it will not go on from here */
	RULE_MOUNTED,		/* the kernel says that a file system is mounted */
	RULE_INIT,		/* the root's init speaks */
	RULE_LOGIN,		/* people can log in */
};

struct rule {
	const char *pattern;	/* extended regular expression */
	enum rule_kind kind;
	enum boot_cause cause;	/* of RULE_HINT and RULE_FATAL */
	/* Believed from the first to the last of these stages. */
	enum boot_stage first, last;
};

extern const struct rule boot_rules[];
extern const unsigned boot_n_rules;

struct rules {
	unsigned n;			/* compiled */
	regex_t compiled[RULE_MAX];
};

int rules_init(struct rules *r, struct err *e);
void rules_fini(struct rules *r);

/* The first rule from `i` on that matches `text` in this stage; boot_n_rules:
 * none.
 */
unsigned rules_match(const struct rules *r, unsigned i, enum boot_stage stage,
		     const char *text);

#endif
