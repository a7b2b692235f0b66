/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_release.c - which distribution it is, and what it is called.
 * os-release(5), machine-id(5), hostname(5).
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "convert/guest/linux_state.h"
#include "imgfmt/base/bytes.h"

static int read_os_release(struct linux_guest *g, const char *path,
			   struct err *e)
{
	char *text, *rest, *line, *value;
	int rc = linux_text(g, path, &text, e);

	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest))) {
		struct { const char *key; char **to; } keys[] = {
			{ "ID", &g->id }, { "ID_LIKE", &g->id_like },
			{ "VERSION_ID", &g->version_id },
			{ "PRETTY_NAME", &g->pretty_name },
		};

		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
			value = text_value(line, keys[i].key);
			if (value && *value)
				*keys[i].to = linux_keep(g, value);
			if (value)
				break;
		}
	}
	free(text);
	return 0;
}

/* What came before os-release: a file whose only line is the name. */
static int read_old_release(struct linux_guest *g, struct err *e)
{
	static const struct { const char *path, *id; } files[] = {
		{ "/etc/debian_version", "debian" },
		{ "/etc/oracle-release", "ol" },
		{ "/etc/centos-release", "centos" },
		{ "/etc/redhat-release", "rhel" },
		{ "/etc/SuSE-release", "suse" },
		{ "/etc/slackware-version", "slackware" },
		{ "/etc/gentoo-release", "gentoo" },
		{ "/etc/alpine-release", "alpine" },
		{ "/etc/arch-release", "arch" },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		char *text, *rest, *line;
		size_t digits;
		int rc = linux_text(g, files[i].path, &text, e);

		if (rc)
			return rc;
		if (!text)
			continue;
		rest = text;
		line = text_line(&rest);
		g->id = linux_keep(g, files[i].id);
		g->pretty_name = i ? linux_keep(g, line) :
			linux_printf(g, "Debian %s", line);
		line += strcspn(line, "0123456789");
		digits = strspn(line, "0123456789.");
		g->version_id = linux_printf(g, "%.*s", (int)digits, line);
		free(text);
		return 0;
	}
	return 0;
}

/* The first word of a file. */
static int first_word(struct linux_guest *g, const char *path, char **to,
		      struct err *e)
{
	char *text, *rest, *line, *word;
	int rc = linux_text(g, path, &text, e);

	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest)))
		if (*line && *line != '#' && (word = text_word(&line))) {
			*to = linux_keep(g, word);
			break;
		}
	free(text);
	return 0;
}

static int find_hostname(struct linux_guest *g, struct err *e)
{
	char *text, *rest, *line, *value;
	int rc = first_word(g, "/etc/hostname", &g->hostname, e);

	if (!rc && !*g->hostname)
		rc = first_word(g, "/etc/HOSTNAME", &g->hostname, e);
	if (rc || *g->hostname)
		return rc;
	rc = linux_text(g, "/etc/sysconfig/network", &text, e);
	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest)))
		if ((value = text_value(line, "HOSTNAME")))
			g->hostname = linux_keep(g, value);
	free(text);
	return 0;
}

/* By the header of a program that every Linux has: ELF's e_machine. */
static int find_arch(struct linux_guest *g, struct err *e)
{
	static const char *const programs[] = { "/bin/sh", "/bin/ls",
		"/bin/bash", "/bin/busybox", "/sbin/init" };
	static const struct { uint16_t machine; const char *name; } machines[] = {
		{ 3, "i686" }, { 62, "x86_64" }, { 40, "armv7l" },
		{ 183, "aarch64" }, { 21, "ppc64" }, { 22, "s390x" },
		{ 243, "riscv64" }, { 258, "loongarch64" },
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		struct tree_node node;
		uint8_t head[20];
		uint16_t machine;
		int rc = tree_find(g->tree, programs[i], 0, &node, e);

		if (rc || !S_ISREG(node.stat.mode) || node.stat.size < 20)
			continue;
		rc = fs_read(node.volume->fs, node.stat.ino, head, 20, 0, e);
		if (rc)
			return fail_prefix(e, rc, "%s", programs[i]);
		if (memcmp(head, "\177ELF", 4))
			continue;
		machine = head[5] == 2 ? get_be16(head + 18) :
			get_le16(head + 18);
		for (size_t j = 0; j < sizeof(machines) / sizeof(*machines); j++)
			if (machines[j].machine == machine)
				g->arch = linux_keep(g, machines[j].name);
		return 0;
	}
	return 0;
}

static int find_selinux(struct linux_guest *g, struct err *e)
{
	char *text, *rest, *line, *value;
	int rc = linux_text(g, "/etc/selinux/config", &text, e);

	if (rc || !text)
		return rc;
	/* Debian has the file's like only with the policy; without programs to
	 * load one it has no effect.
	 */
	g->selinux = linux_has(g, "/usr/sbin/load_policy") ||
		linux_has(g, "/sbin/load_policy") ? SELINUX_ENFORCING :
		SELINUX_NONE;
	rest = text;
	while (g->selinux && (line = text_line(&rest))) {
		value = text_value(line, "SELINUX");
		if (value && !strcasecmp(value, "disabled"))
			g->selinux = SELINUX_DISABLED;
		else if (value && !strcasecmp(value, "permissive"))
			g->selinux = SELINUX_PERMISSIVE;
	}
	free(text);
	return 0;
}

static void find_shape(struct linux_guest *g)
{
	struct tree_node node;

	g->has_systemd = tree_exists(g->tree, "/lib/systemd/systemd") ||
		tree_exists(g->tree, "/usr/lib/systemd/systemd");
	g->has_udev = tree_exists(g->tree, "/lib/systemd/systemd-udevd") ||
		tree_exists(g->tree, "/usr/lib/systemd/systemd-udevd") ||
		tree_exists(g->tree, "/sbin/udevd") ||
		tree_exists(g->tree, "/lib/udev/udevd") ||
		tree_exists(g->tree, "/usr/bin/udevadm");
	g->usr_merged = !tree_find(g->tree, "/lib", TREE_NOFOLLOW, &node,
				   NULL) && S_ISLNK(node.stat.mode);
}

int linux_release(struct linux_guest *g, struct err *e)
{
	int rc = read_os_release(g, "/etc/os-release", e);

	if (!rc && !*g->id)
		rc = read_os_release(g, "/usr/lib/os-release", e);
	if (!rc && !*g->id)
		rc = read_old_release(g, e);
	if (!rc)
		rc = find_hostname(g, e);
	if (!rc)
		rc = first_word(g, "/etc/machine-id", &g->machine_id, e);
	if (!rc)
		rc = find_arch(g, e);
	if (!rc)
		rc = find_selinux(g, e);
	find_shape(g);
	return rc;
}
