/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.h - the parts of linux_plan().  Internal to linux.h. */
#ifndef CONVERT_GUEST_PLAN_H
#define CONVERT_GUEST_PLAN_H

#include "convert/guest/linux.h"
#include "imgfmt/base/text.h"

struct plan {
	const struct linux_guest *g;
	const struct linux_plan_args *args;
	struct edits *ed;
};

/* A text file as it is planned by now, the caller's; NULL: there is none. */
int plan_text(struct plan *p, const char *path, char **out, struct err *e);
/* The file's new content; mode 0 is 0644. */
int plan_write(struct plan *p, const char *path, const char *text,
	       const char *code, const char *why, struct err *e);

int plan_initramfs(struct plan *p, struct err *e);
int plan_devices(struct plan *p, struct err *e);
int plan_console(struct plan *p, struct err *e);
/* What kernelopts of GRUB's environment is to be; *out is the caller's, NULL: as it
 * is.
 */
typedef int plan_value_fn(struct plan *p, const char *value, char **out,
			  struct err *e);
int plan_grubenv(struct plan *p, plan_value_fn *fn, const char *code,
		 const char *why, struct err *e);
int plan_network(struct plan *p, struct err *e);

/* systemd's, which is udev's too; 0 unknown. */
unsigned plan_systemd_version(const struct plan *p);

#endif
