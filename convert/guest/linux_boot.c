/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_boot.c - the boot loader, where it lies, and which firmware starts it.
 *
 * GRUB's boot sector has "GRUB" in it, and at 0x5c the sector where its core image
 * begins (GRUB 2, include/grub/i386/pc/boot.h); SYSLINUX's are told by their names
 * in the boot sector of the partition.
 */
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"
#include "imgfmt/base/bytes.h"

#define ESP_GUID "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
#define BIOS_BOOT_GUID "21686148-6449-6e6f-744e-656564454649"
#define MBR_ESP 0xef

static bool contains(const uint8_t *p, size_t len, const char *text)
{
	return memmem(p, len, text, strlen(text)) != NULL;
}

/* Code of these 440 bytes, or none. */
static bool has_code(const uint8_t *sector)
{
	return !bytes_are_zero(sector, 440) && sector[510] == 0x55 &&
		sector[511] == 0xaa;
}

static int look_at_sectors(struct linux_guest *g, struct img *const *disks,
			   const struct volumes *v, bool *syslinux,
			   struct err *e)
{
	uint8_t sector[512];
	int rc;

	for (unsigned i = 0; i < v->n_disks; i++) {
		rc = img_read(disks[i], sector, sizeof(sector), 0);
		if (rc)
			return fail_rc(e, rc, "cannot read the first sector of "
				       "disk %u", i + 1);
		if (!has_code(sector) || g->boot.has_core)
			continue;
		g->boot.bios = true;
		if (!contains(sector, 440, "GRUB"))
			continue;
		g->boot.has_core = true;
		g->boot.core_disk = i;
		g->boot.core_lba = get_le64(sector + 0x5c);
	}
	for (size_t i = 0; i < v->n; i++) {
		if (v->list[i].len < sizeof(sector) || !v->list[i].part)
			continue;
		rc = img_read(v->list[i].img, sector, sizeof(sector), 0);
		if (rc)
			return fail_rc(e, rc, "cannot read a boot sector");
		if (contains(sector, sizeof(sector), "EXTLINUX") ||
		    contains(sector, sizeof(sector), "SYSLINUX"))
			*syslinux = true;
	}
	return 0;
}

/* What the tables say of firmware. */
static void look_at_tables(struct linux_guest *g, const struct volumes *v)
{
	bool gpt_without_room = false, esp = false;

	for (size_t i = 0; i < v->n_disks; i++) {
		const struct ptable *t = &v->tables[i];
		bool bios_boot = false;

		for (size_t j = 0; j < t->n; j++) {
			const struct partition *p = &t->partitions[j];

			esp |= !strcmp(p->type_guid, ESP_GUID) ||
				p->mbr_type == MBR_ESP;
			bios_boot |= !strcmp(p->type_guid, BIOS_BOOT_GUID);
		}
		/* GRUB's boot sector on a GPT needs a place for its core; what
		 * stands there without one is a left-over.
		 */
		if (t->kind == PTABLE_GPT && !bios_boot && g->boot.has_core &&
		    g->boot.core_disk == i)
			gpt_without_room = true;
	}
	g->boot.uefi = esp;
	if (esp && gpt_without_room)
		g->boot.bios = g->boot.has_core = false;
}

static const struct {
	enum linux_loader loader;
	const char *path;
} configs[] = {
	{ LOADER_GRUB2, "/boot/grub/grub.cfg" },
	{ LOADER_GRUB2, "/boot/grub2/grub.cfg" },
	{ LOADER_EXTLINUX, "/boot/extlinux/extlinux.conf" },
	{ LOADER_EXTLINUX, "/boot/syslinux/syslinux.cfg" },
	{ LOADER_EXTLINUX, "/boot/extlinux.conf" },
	{ LOADER_EXTLINUX, "/extlinux.conf" },
	{ LOADER_GRUB1, "/boot/grub/menu.lst" },
	{ LOADER_GRUB1, "/boot/grub/grub.conf" },
	{ LOADER_SYSTEMD_BOOT, "/boot/loader/loader.conf" },
	{ LOADER_SYSTEMD_BOOT, "/boot/efi/loader/loader.conf" },
	{ LOADER_LILO, "/etc/lilo.conf" },
};

static void find_config(struct linux_guest *g, bool syslinux)
{
	size_t n = sizeof(configs) / sizeof(*configs);

	for (size_t i = 0; i < n; i++) {
		/* Both may be there: what the boot sector holds counts. */
		if (syslinux && !g->boot.has_core &&
		    configs[i].loader == LOADER_GRUB2)
			continue;
		if (!tree_exists(g->tree, configs[i].path))
			continue;
		g->boot.loader = configs[i].loader;
		g->boot.config = linux_keep(g, configs[i].path);
		return;
	}
}

/* SYSLINUX: the label that DEFAULT names, else the first. */
static int syslinux_choice(struct linux_guest *g, struct boot_choice *out,
			   struct err *e)
{
	char *text, *rest, *line, *word, want[128] = "", label[128] = "";
	int rc = linux_text(g, g->boot.config, &text, e);

	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest))) {
		word = text_word(&line);
		if (!word || !line)
			continue;
		line += strspn(line, " \t");
		if (!strcasecmp(word, "default"))
			strncpy(want, line, sizeof(want) - 1);
		else if (!strcasecmp(word, "label"))
			strncpy(label, line, sizeof(label) - 1);
		else if (*want && *label && strcmp(want, label))
			continue;
		else if ((!strcasecmp(word, "linux") ||
			  !strcasecmp(word, "kernel")) && !*out->kernel)
			out->kernel = linux_keep(g, line);
		else if (!strcasecmp(word, "append") && !*out->cmdline)
			out->cmdline = linux_keep(g, line);
	}
	free(text);
	return 0;
}

static void refuse_loader(struct linux_guest *g)
{
	static const char *const names[] = { "", "GRUB 2", "SYSLINUX",
		"GRUB legacy", "LILO", "systemd-boot" };

	if (g->boot.uefi && !g->boot.bios)
		linux_refuse(g, "uefi-only", "Only machines that boot by BIOS can "
			     "be converted by this version.", "The disk boots by "
			     "UEFI only: it has an EFI system partition, and no "
			     "boot sector for a BIOS.");
	else if (g->boot.loader == LOADER_NONE)
		linux_refuse(g, "no-boot-loader", "Install GRUB 2 or extlinux in "
			     "the guest.", "No configuration of a boot loader "
			     "was found in /boot.");
	else if (g->boot.loader > LOADER_EXTLINUX)
		linux_refuse(g, "boot-loader", "Install GRUB 2 or extlinux in the "
			     "guest.", "The boot loader is %s (%s), which this "
			     "version does not edit.", names[g->boot.loader],
			     g->boot.config);
	else if (!g->boot.bios)
		linux_refuse(g, "no-boot-sector", "See that all disks of the "
			     "machine are given, in their order.", "No disk has a "
			     "boot sector with code.");
}

int linux_boot(struct linux_guest *g, struct img *const *disks,
	       const struct volumes *v, struct err *e)
{
	struct boot_choice choice = { g->pool->empty, g->pool->empty };
	bool syslinux = false;
	int rc = look_at_sectors(g, disks, v, &syslinux, e);

	if (rc)
		return rc;
	look_at_tables(g, v);
	find_config(g, syslinux);
	if (g->boot.loader == LOADER_GRUB2)
		rc = linux_grub_choice(g, g->boot.config, &choice, e);
	else if (g->boot.loader == LOADER_EXTLINUX)
		rc = syslinux_choice(g, &choice, e);
	if (rc)
		return rc;
	g->boot.cmdline = choice.cmdline;
	g->boot.serial = strstr(choice.cmdline, "console=ttyS") != NULL;
	g->ifnames_off = strstr(choice.cmdline, "net.ifnames=0") != NULL;
	refuse_loader(g);
	return linux_kernels(g, choice.kernel, e);
}
