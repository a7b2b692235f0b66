/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_devices.c - devices that are named by their path get names that stay, in
 * fstab, crypttab, the boot loader's files and the initramfs' settings; and the
 * console.  fstab(5), crypttab(5).
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"
#include "convert/guest/plan.h"
#include "imgfmt/base/buf.h"

/* Does the UUID name this volume?  Of copied disks it may be the other one's. */
static bool is_found(const struct plan *p, const struct volume *v)
{
	char *spec = str_printf("UUID=%s", v->id->uuid);
	bool by_path, found;

	found = spec && tree_device(p->g->tree, spec, &by_path) == v;
	free(spec);
	return found;
}

/* "UUID=…" or "PARTUUID=…" of a device that is named by its path; NULL: it is not,
 * or has none, or no memory.  The kernel alone, without an initramfs, knows only
 * PARTUUID=.  `root`: it must be the root, whose volume is known in any case.
 */
static char *lasting(const struct plan *p, const char *spec, bool root,
		     bool kernel_alone)
{
	bool by_path = false;
	const struct volume *v = tree_device(p->g->tree, spec, &by_path);

	if (!v && root)
		v = p->g->root;
	if (!v || !by_path)
		return NULL;
	if (*v->id->uuid && !kernel_alone && is_found(p, v))
		return str_printf("UUID=%s", v->id->uuid);
	if (v->part && *v->part->partuuid)
		return str_printf("PARTUUID=%s", v->part->partuuid);
	return NULL;
}

/* Behind the device of a line of fstab: is it the root's? */
static bool is_root_line(const char *rest)
{
	rest += strspn(rest, " \t");
	return *rest == '/' && strchr(" \t\n", rest[1]);
}

/* The word number `word` of each line that is no comment. */
static int edit_table(struct plan *p, const char *path, unsigned word,
		      const char *code, const char *why, struct err *e)
{
	char *text, *line, *next;
	struct text out = { 0 };
	bool changed = false;
	int rc = plan_text(p, path, &text, e);

	if (rc || !text)
		return rc;
	for (line = text; *line; line = next) {
		size_t at = strspn(line, " \t"), len;
		size_t whole = strcspn(line, "\n");
		char *spec, *name;

		next = line + whole + (line[whole] == '\n');
		for (unsigned i = 0; i < word; i++) {
			at += strcspn(line + at, " \t\n");
			at += strspn(line + at, " \t");
		}
		len = strcspn(line + at, " \t\n");
		spec = line[strspn(line, " \t")] == '#' ? NULL :
			strndup(line + at, len);
		name = spec ? lasting(p, spec, !word && is_root_line(line + at +
								     len),
				      false) : NULL;
		if (name) {
			text_put(&out, line, at);
			text_puts(&out, name);
			text_put(&out, line + at + len,
				 (size_t)(next - line) - at - len);
			changed = true;
		} else {
			text_put(&out, line, (size_t)(next - line));
		}
		free(spec);
		free(name);
	}
	if (out.failed)
		rc = fail(e, ENOMEM, "no memory for a plan");
	else if (changed)
		rc = plan_write(p, path, out.p, code, why, e);
	free(out.p);
	free(text);
	return rc;
}

static bool is_edge(char c)
{
	return !c || isspace((unsigned char)c) || c == '"' || c == '\'';
}

/* Each KEY=DEVICE of a text, wherever it stands as a word of its own; *out_text is
 * NULL where nothing changes.
 */
static int changed_names(struct plan *p, const char *text,
			 const char *const *keys, char **out_text,
			 struct err *e)
{
	struct text out = { 0 };
	bool changed = false, kernel_alone = false;

	*out_text = NULL;
	for (size_t i = 0; i < p->g->n_kernels; i++)
		kernel_alone |= p->g->kernels[i].is_default &&
			!p->g->kernels[i].initrd;
	for (const char *at = text; *at;) {
		size_t key = 0, len = 0;
		char *spec, *name = NULL;

		for (size_t i = 0; keys[i] && !key; i++)
			if ((at == text || is_edge(at[-1])) &&
			    !strncasecmp(at, keys[i], strlen(keys[i])))
				key = strlen(keys[i]);
		if (key) {
			while (!is_edge(at[key + len]))
				len++;
			spec = strndup(at + key, len);
			name = spec ? lasting(p, spec, !strncasecmp(at, "root=",
								    5),
					      kernel_alone) : NULL;
			free(spec);
		}
		if (name) {
			text_put(&out, at, key);
			text_puts(&out, name);
			changed = true;
			at += key + len;
		} else {
			text_put(&out, at++, 1);
		}
		free(name);
	}
	if (out.failed || !changed)
		free(out.p);
	else
		*out_text = out.p;
	return out.failed ? fail(e, ENOMEM, "no memory for a plan") : 0;
}

static int edit_words(struct plan *p, const char *path, const char *const *keys,
		      const char *code, const char *why, struct err *e)
{
	char *text, *changed = NULL;
	int rc = plan_text(p, path, &text, e);

	if (!rc && text)
		rc = changed_names(p, text, keys, &changed, e);
	if (!rc && changed)
		rc = plan_write(p, path, changed, code, why, e);
	free(changed);
	free(text);
	return rc;
}

static const char *const root_keys[] = { "root=", "resume=", NULL };
#define ROOT_WHY \
	"The kernel finds its root by UUID, whatever the disk is called."

/* Calls `edit` for each file of the boot loader that holds command lines. */
static int each_config(struct plan *p,
		       int (*edit)(struct plan *p, const char *path,
				   struct err *e), struct err *e)
{
	static const char *const files[] = { "/etc/default/grub",
		"/etc/default/extlinux", "/etc/kernel/cmdline" };
	struct linux_guest scratch = *p->g;
	char **names = NULL, *path;
	size_t n = 0;
	int rc = edit(p, p->g->boot.config, e);

	for (size_t i = 0; i < sizeof(files) / sizeof(*files) && !rc; i++)
		rc = edit(p, files[i], e);
	/* Names of the entries, in the pool of the guest. */
	if (!rc)
		rc = linux_names(&scratch, "/boot/loader/entries", &names, &n,
				 e);
	for (size_t i = 0; i < n && !rc; i++) {
		path = str_printf("/boot/loader/entries/%s", names[i]);
		rc = path ? edit(p, path, e) :
			fail(e, ENOMEM, "no memory for a plan");
		free(path);
	}
	free(names);
	return rc;
}

static int root_value(struct plan *p, const char *value, char **out,
		      struct err *e)
{
	return changed_names(p, value, root_keys, out, e);
}

static int edit_config(struct plan *p, const char *path, struct err *e)
{
	return edit_words(p, path, root_keys,
			  p->g->boot.loader == LOADER_EXTLINUX ?
			  "extlinux-uuid" : "grub-uuid", ROOT_WHY, e);
}

int plan_devices(struct plan *p, struct err *e)
{
	static const char *const resume_keys[] = { "RESUME=", NULL };
	struct edit_new n = {
		.code = "grub-device-map",
		.why = "It names disks of the old machine; GRUB makes it anew "
			"where it is needed.",
	};
	int rc = edit_table(p, "/etc/fstab", 0, "fstab-uuid",
			    "File systems are found by UUID, whatever the disks "
			    "are called.", e);

	if (!rc)
		rc = edit_table(p, "/etc/crypttab", 1, "crypttab-uuid",
				"Encrypted volumes are found by UUID, whatever "
				"the disks are called.", e);
	if (!rc)
		rc = each_config(p, edit_config, e);
	if (!rc)
		rc = plan_grubenv(p, root_value, "grub-uuid", ROOT_WHY, e);
	if (!rc)
		rc = edit_words(p, "/etc/initramfs-tools/conf.d/resume",
				resume_keys, "resume-uuid", "The initramfs looks "
				"for a hibernated system by UUID.", e);
	if (!rc)
		rc = edits_remove(p->ed, "/boot/grub/device.map", &n, e);
	if (!rc)
		rc = edits_remove(p->ed, "/boot/grub2/device.map", &n, e);
	return rc;
}

#define CONSOLE " console=tty0 console=ttyS0,115200"
#define CONSOLE_WHY "The kernel speaks on the serial port too."

/* Is this a line with a kernel's command line?  Where does that end? */
static bool takes_console(const char *line, size_t len, size_t *end)
{
	static const char *const words[] = { "linux", "linux16", "linuxefi",
		"append", "options" };
	size_t at = strspn(line, " \t"), word = strcspn(line + at, " \t\n=");

	*end = len;
	if (memmem(line, len, "console=ttyS", 12))
		return false;
	if (!strncmp(line + at, "GRUB_CMDLINE_LINUX=", 19) ||
	    !strncmp(line + at, "set kernelopts=", 15)) {
		if (line[len - 1] == '"' || line[len - 1] == '\'')
			*end = len - 1;
		else
			return false;
		return true;
	}
	/* It is put where kernelopts is set. */
	if (memmem(line, len, "kernelopts", 10))
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == word && line[at + word] != '=' &&
		    !strncasecmp(line + at, words[i], word))
			/* SYSLINUX's "linux" names the file alone, and so do
			 * those of loader entries.
			 */
			return i > 2 || memmem(line, len, "root=", 5);
	return false;
}

static int console_config(struct plan *p, const char *path, struct err *e)
{
	char *text, *next;
	struct text out = { 0 };
	bool changed = false;
	int rc = plan_text(p, path, &text, e);

	if (rc || !text)
		return rc;
	for (char *line = text; *line; line = next) {
		size_t len = strcspn(line, "\n"), end;

		next = line + len + (line[len] == '\n');
		if (takes_console(line, len, &end)) {
			text_put(&out, line, end);
			text_puts(&out, CONSOLE);
			text_put(&out, line + end, (size_t)(next - line) - end);
			changed = true;
		} else {
			text_put(&out, line, (size_t)(next - line));
		}
	}
	if (out.failed)
		rc = fail(e, ENOMEM, "no memory for a plan");
	else if (changed)
		rc = plan_write(p, path, out.p, "serial-console", CONSOLE_WHY, e);
	free(out.p);
	free(text);
	return rc;
}

static int console_value(struct plan *p, const char *value, char **out,
			 struct err *e)
{
	(void)p;
	*out = NULL;
	if (strstr(value, "console=ttyS"))
		return 0;
	*out = str_printf("%s" CONSOLE, value);
	return *out ? 0 : fail(e, ENOMEM, "no memory for a plan");
}

int plan_console(struct plan *p, struct err *e)
{
	int rc;

	if (p->g->boot.serial)
		return 0;
	rc = each_config(p, console_config, e);
	return rc ? rc : plan_grubenv(p, console_value, "serial-console",
				      CONSOLE_WHY, e);
}
