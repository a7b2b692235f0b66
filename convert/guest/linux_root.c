/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_root.c - which volume is the root, and which guests are left to others. */
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"

/* The root has the folders that every Linux has, and a line on its own mounts or
 * its name.
 */
static bool is_root(struct tree *t)
{
	return tree_exists(t, "/etc") &&
		(tree_exists(t, "/bin") || tree_exists(t, "/usr/bin")) &&
		(tree_exists(t, "/etc/fstab") || tree_exists(t, "/etc/hosts") ||
		 tree_exists(t, "/etc/os-release") ||
		 tree_exists(t, "/usr/lib/os-release"));
}

static bool is_windows(const struct volume *v)
{
	return !strcmp(v->id->type, "ntfs") || !strcmp(v->id->type, "BitLocker");
}

/* Why a volume of this type may hold a root that is not seen. */
static const struct {
	const char *type, *code, *what;
} unreadable[] = {
	{ "LVM2_member", "root-lvm", "a physical volume of LVM" },
	{ "LVM1_member", "root-lvm", "a physical volume of LVM" },
	{ "crypto_LUKS", "root-luks", "encrypted with LUKS" },
	{ "xfs", "root-xfs", "an XFS file system" },
	{ "btrfs", "root-btrfs", "a btrfs file system" },
	{ "linux_raid_member", "root-raid", "a member of a software RAID" },
	{ "zfs_member", "root-zfs", "a member of a ZFS pool" },
	{ "bcachefs", "root-bcachefs", "a bcachefs file system" },
	{ "f2fs", "root-f2fs", "an F2FS file system" },
	{ "reiserfs", "root-reiserfs", "a ReiserFS file system" },
	{ "jfs", "root-jfs", "a JFS file system" },
};

static void refuse_no_root(struct linux_guest *g, const struct volumes *v)
{
	char name[VOLUME_NAME_LEN];

	for (size_t i = 0; i < v->n; i++)
		for (size_t j = 0; j < sizeof(unreadable) /
		     sizeof(*unreadable); j++) {
			if (strcmp(v->list[i].id->type, unreadable[j].type))
				continue;
			linux_refuse(g, unreadable[j].code, "Only roots on ext2, "
				     "ext3 and ext4 can be converted by this "
				     "version.", "No root of a Linux was found, "
				     "and %s is %s.",
				     volume_name(&v->list[i], name),
				     unreadable[j].what);
			return;
		}
	for (size_t i = 0; i < v->n; i++)
		if (is_windows(&v->list[i])) {
			linux_refuse(g, "windows", "Windows guests cannot be "
				     "converted by this version.", "The guest "
				     "is Windows: %s is %s.",
				     volume_name(&v->list[i], name),
				     v->list[i].id->type);
			return;
		}
	for (size_t i = 0; i < v->n; i++)
		if (*v->list[i].id->note.text && !v->list[i].id->has_files) {
			linux_refuse(g, "root-unreadable", "Check the file "
				     "system where the machine comes from "
				     "(e2fsck), and shut it down cleanly.",
				     "No root of a Linux was found, and the %s "
				     "of %s cannot be read: %s.",
				     v->list[i].id->type,
				     volume_name(&v->list[i], name),
				     v->list[i].id->note.text);
			return;
		}
	linux_refuse(g, "no-linux", "See that all disks of the machine are "
		     "given, in their order.", "No root of a Linux was found on "
		     "any volume.");
}

/* What the root mounts, but cannot be read here, and is needed. */
static void check_mounts(struct linux_guest *g)
{
	static const char *const needed[] = { "/boot", "/usr" };
	const struct tree_mount *m;
	size_t n;

	m = tree_mounts(g->tree, &n);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < 2; j++)
			if (!strcmp(m[i].dir, needed[j]) && !m[i].mounted)
				linux_refuse(g, j ? "usr-unreadable" :
					     "boot-unreadable", "Only ext2, ext3 "
					     "and ext4 can be read by this "
					     "version; see that all disks are "
					     "given.", "%s is on %s (%s), which "
					     "cannot be read.", needed[j],
					     m[i].spec, m[i].type);
}

/* Is there a word of fstab's options? */
static bool has_option(const char *options, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = options; (at = strstr(at, word)); at++)
		if ((at == options || at[-1] == ',') &&
		    (!at[len] || at[len] == ','))
			return true;
	return false;
}

/* Names that the old machine's disks and controllers had, where it is not clear
 * which disk is meant; that of the root is found by what lies on it.
 */
static void check_names(struct linux_guest *g)
{
	const struct tree_mount *m;
	size_t n;

	m = tree_mounts(g->tree, &n);
	for (size_t i = 0; i < n; i++) {
		if (m[i].volume || !strcmp(m[i].dir, "/") ||
		    (strncmp(m[i].spec, "/dev/disk/by-id/", 16) &&
		     strncmp(m[i].spec, "/dev/disk/by-path/", 18)))
			continue;
		if (has_option(m[i].options, "noauto") ||
		    has_option(m[i].options, "nofail"))
			linux_note(g, "/etc/fstab, line %u: %s is a name of the "
				   "old machine's, and will not be found",
				   m[i].line, m[i].spec);
		else
			linux_refuse(g, "device-name", "Name it by UUID= there "
				     "(blkid shows it), in the guest, and shut "
				     "the guest down.", "/etc/fstab, line %u, "
				     "has %s for %s: a name that the disk has "
				     "from its old controller, and which of the "
				     "disks it means is not known here.",
				     m[i].line, m[i].spec,
				     *m[i].dir == '/' ? m[i].dir : "swap");
	}
}

int linux_find_root(struct linux_guest *g, const struct volumes *v,
		    struct err *e)
{
	char name[VOLUME_NAME_LEN];
	struct tree *t;
	int rc;

	for (size_t i = 0; i < v->n; i++) {
		if (!v->list[i].id->has_files)
			continue;
		rc = tree_open(v, &v->list[i], &t, e);
		if (rc)
			return rc;
		if (is_root(t) && !g->tree) {
			g->tree = t;
			g->root = &v->list[i];
			continue;
		}
		if (is_root(t))
			linux_note(g, "%s holds another Linux, which stays as it "
				   "is", volume_name(&v->list[i], name));
		tree_close(t);
	}
	if (!g->tree) {
		refuse_no_root(g, v);
		return 0;
	}
	check_mounts(g);
	check_names(g);
	return 0;
}
