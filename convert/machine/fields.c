/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fields.c - the tables of fields.h. */
#include "fields.h"

static const char *const buses[] = {
	"none", "ide", "scsi", "sata", "nvme", "virtio", "usb", "floppy", NULL,
};
static const char *const media[] = { "disk", "cdrom", "floppy", NULL };
static const char *const nic_kinds[] = {
	"network", "bridge", "nat", "host-only", "none", NULL,
};
static const char *const firmwares[] = { "bios", "uefi", NULL };
static const char *const chipsets[] = { "any", "i440fx", "q35", NULL };
static const char *const systems[] = {
	"unknown", "linux", "windows", "other", NULL,
};

#define F(type, kind, member) \
	{ #member, FIELD_##kind, offsetof(struct type, member), 0, NULL }
#define F_NAME(type, member, list) \
	{ #member, FIELD_NAME, offsetof(struct type, member), 0, list }
#define F_BYTES(type, kind, member) \
	{ #member, FIELD_##kind, offsetof(struct type, member), \
	  offsetof(struct type, has_##member), NULL }
#define F_END { NULL, FIELD_TEXT, 0, 0, NULL }

static const struct field disk_fields[] = {
	F_NAME(machine_disk, medium, media),
	F_NAME(machine_disk, bus, buses),
	F(machine_disk, TEXT, controller),
	F(machine_disk, NUMBER, controller_index),
	F(machine_disk, NUMBER, unit),
	F(machine_disk, TEXT, file),
	F(machine_disk, TEXT, path),
	F(machine_disk, TEXT, member),
	F(machine_disk, TEXT, format),
	F(machine_disk, SIZE, size),
	F(machine_disk, BOOL, readonly),
	F(machine_disk, BOOL, shareable),
	F(machine_disk, BOOL, independent),
	F(machine_disk, BOOL, nonpersistent),
	F(machine_disk, BOOL, raw_device),
	F(machine_disk, BOOL, snapshot),
	F(machine_disk, BOOL, encrypted),
	F(machine_disk, BOOL, compressed),
	F(machine_disk, BOOL, disconnected),
	F(machine_disk, TEXT, serial),
	F(machine_disk, NUMBER, boot_order),
	F_END
};

static const struct field nic_fields[] = {
	F(machine_nic, TEXT, model),
	F_BYTES(machine_nic, MAC, mac),
	F_NAME(machine_nic, kind, nic_kinds),
	F(machine_nic, TEXT, network),
	F(machine_nic, BOOL, disconnected),
	F(machine_nic, NUMBER, boot_order),
	F_END
};

static const struct field serial_fields[] = {
	F(machine_serial, TEXT, kind),
	F(machine_serial, TEXT, target),
	F_END
};

const struct field machine_fields[] = {
	F(machine, TEXT, name),
	F(machine, TEXT, description),
	F_BYTES(machine, UUID, uuid),
	F_BYTES(machine, UUID, genid),
	F(machine, TEXT, arch),
	F(machine, NUMBER, n_cpus),
	F(machine, NUMBER, sockets),
	F(machine, NUMBER, cores),
	F(machine, NUMBER, threads),
	F(machine, TEXT, cpu_model),
	F(machine, SIZE, memory),
	F_NAME(machine, firmware, firmwares),
	F(machine, BOOL, secure_boot),
	F(machine, TEXT, nvram),
	F(machine, TEXT, tpm),
	F_NAME(machine, chipset, chipsets),
	F(machine, BOOL, localtime),
	F(machine, TEXT, os_hint),
	F_NAME(machine, os, systems),
	F(machine, TEXT, kernel),
	F(machine, TEXT, initrd),
	F(machine, TEXT, cmdline),
	F(machine, TEXT, video),
	F(machine, SIZE, video_memory),
	F(machine, TEXT, graphics),
	F(machine, TEXT, sound),
	F(machine, TEXT, usb),
	F(machine, BOOL, rng),
	F(machine, BOOL, balloon),
	F(machine, BOOL, suspended),
	F(machine, TEXT, suspend_file),
	F(machine, BOOL, encrypted),
	F(machine, NUMBER, n_snapshots),
	F(machine, TEXT, source_format),
	F(machine, TEXT, source_path),
	F(machine, TEXT, hypervisor),
	F_END
};

const struct field_list machine_lists[FIELD_LISTS] = {
	{ "disks", offsetof(struct machine, disks),
	  offsetof(struct machine, n_disks), sizeof(struct machine_disk),
	  disk_fields },
	{ "nics", offsetof(struct machine, nics),
	  offsetof(struct machine, n_nics), sizeof(struct machine_nic),
	  nic_fields },
	{ "serials", offsetof(struct machine, serials),
	  offsetof(struct machine, n_serials), sizeof(struct machine_serial),
	  serial_fields },
};

const char *machine_bus_name(enum machine_bus bus)
{
	return buses[bus];
}

const char *machine_medium_name(enum machine_medium medium)
{
	return media[medium];
}

const char *machine_nic_kind_name(enum machine_nic_kind kind)
{
	return nic_kinds[kind];
}

const char *machine_os_name(enum machine_os os)
{
	return systems[os];
}
