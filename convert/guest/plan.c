/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan.c - what has to change in a Linux guest, so that it runs on virtio. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"
#include "convert/guest/plan.h"
#include "imgfmt/base/buf.h"

int plan_text(struct plan *p, const char *path, char **out, struct err *e)
{
	size_t len;
	int rc;

	*out = NULL;
	if (!edits_exists(p->ed, path))
		return 0;
	rc = edits_read(p->ed, path, LINUX_TEXT_MAX, out, &len, e);
	/* What is no file of settings stays as it is. */
	if (rc == -EFBIG || rc == -EISDIR || rc == -EINVAL || rc == -ENOENT) {
		*out = NULL;
		return 0;
	}
	if (!rc && strlen(*out) != len) {
		free(*out);
		*out = NULL;
	}
	return rc;
}

int plan_write(struct plan *p, const char *path, const char *text,
	       const char *code, const char *why, struct err *e)
{
	struct edit_new n = { .code = code, .why = why };

	return edits_write(p->ed, path, text, strlen(text), &n, e);
}

static int mask_tools(struct plan *p, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < p->g->n_tools && !rc; i++) {
		const struct linux_tool *t = &p->g->tools[i];
		struct edit_new n = { .code = "tools-masked" };
		char *path, *why;

		if (!t->enabled || !*t->unit || p->args->keep_tools)
			continue;
		path = str_printf("/etc/systemd/system/%s", t->unit);
		why = str_printf("%s serves another hypervisor (%s), and is "
				 "switched off.", t->unit, t->name);
		n.why = why;
		rc = path && why ? edits_symlink(p->ed, path, "/dev/null", &n, e) :
			fail(e, ENOMEM, "no memory for a plan");
		free(path);
		free(why);
	}
	return rc;
}

/* What LVM remembers by the disks' ids, which another controller changes. */
static int forget_devices(struct plan *p, struct err *e)
{
	struct edit_new n = {
		.code = "lvm-devices",
		.why = "LVM knows its disks by ids of the old controller there; "
			"without the file it takes those it finds.",
	};

	return edits_remove(p->ed, "/etc/lvm/devices/system.devices", &n, e);
}

/* Only when there is something new that has no label. */
static int relabel(struct plan *p, struct err *e)
{
	if (p->g->selinux != SELINUX_PERMISSIVE &&
	    p->g->selinux != SELINUX_ENFORCING)
		return 0;
	if (!edits_count(p->ed))
		return 0;
	return plan_write(p, "/.autorelabel", "", "selinux-relabel",
			  "SELinux labels the new files at the next boot.", e);
}

static int refused(const struct linux_guest *g, struct err *e)
{
	char *text = linux_refusals_text(g);
	int rc = fail(e, EPERM, "%s", text ? text : "the guest is refused");

	free(text);
	return rc;
}

int linux_plan(const struct linux_guest *g, const struct linux_plan_args *args,
	       struct edits *ed, struct err *e)
{
	struct plan p = { g, args, ed };
	int rc;

	if (g->n_refusals || !g->tree)
		return refused(g, e);
	rc = plan_devices(&p, e);
	if (!rc && args->serial_console)
		rc = plan_console(&p, e);
	if (!rc)
		rc = plan_network(&p, e);
	if (!rc)
		rc = plan_initramfs(&p, e);
	if (!rc)
		rc = mask_tools(&p, e);
	if (!rc)
		rc = forget_devices(&p, e);
	if (!rc)
		rc = relabel(&p, e);
	return rc ? rc : edits_check_room(ed, e);
}
