/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inventory.c - what a physical machine is made of: sysfs and procfs
 * (Documentation/ABI/ of Linux).
 */
#include "convert/capture/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <uuid/uuid.h>

#include "convert/machine/formats.h"
#include "imgfmt/base/json.h"

#define LINE 256u
#define MAX_ENTRIES 1024u	/* of one kind */

struct inventory {
	const char *root;
	struct machine machine;
	json_t *unreadable;
};

static void cannot(struct inventory *v, const char *path, int error)
{
	json_t *o = json_object();

	json_put_string(o, "path", path);
	json_put_string(o, "error", strerror(error));
	json_array_append_new(v->unreadable, o);
}

/* The first line of root/FOLDER/FILE without blanks at its end; false: there is
 * none, or nobody tells.
 */
static bool get(struct inventory *v, const char *folder, const char *file,
		char line[LINE])
{
	char path[PATH_MAX];
	size_t len;
	FILE *f;

	*line = 0;
	if (snprintf(path, sizeof(path), "%s%s/%s", v->root, folder, file) >=
	    PATH_MAX)
		return false;
	f = fopen(path, "re");
	if (!f) {
		if (errno != ENOENT && errno != ENOTDIR)
			cannot(v, path + strlen(v->root), errno);
		return false;
	}
	if (!fgets(line, LINE, f))
		*line = 0;
	fclose(f);
	len = strlen(line);
	while (len && strchr(" \t\n", line[len - 1]))
		line[--len] = 0;
	return len;
}

static uint64_t get_number(struct inventory *v, const char *folder,
			   const char *file)
{
	char line[LINE];

	return get(v, folder, file, line) ? strtoull(line, NULL, 10) : 0;
}

static void put(struct inventory *v, json_t *o, const char *key,
		const char *folder, const char *file)
{
	char line[LINE];

	if (get(v, folder, file, line))
		json_object_set_new(o, key, json_text(line));
}

static bool exists(const struct inventory *v, const char *folder,
		   const char *name)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s%s/%s", v->root, folder, name) <
		PATH_MAX && !access(path, F_OK);
}

/* The names in a folder, sorted; how many.  Free with free_names(). */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static int visible(const struct dirent *d)
{
	return *d->d_name != '.';
}

static int list(const struct inventory *v, const char *folder,
		struct dirent ***names)
{
	char path[PATH_MAX];
	int n = -1;

	*names = NULL;
	if (snprintf(path, sizeof(path), "%s%s", v->root, folder) < PATH_MAX)
		n = scandir(path, names, visible, by_name);
	return n < 0 ? 0 : n;
}

static void free_names(struct dirent **names, int n)
{
	while (n > 0)
		free(names[--n]);
	free(names);
}

static json_t *take_dmi(struct inventory *v)
{
	static const char *const files[] = {
		"sys_vendor", "product_name", "product_version",
		"product_serial", "product_uuid", "product_sku",
		"board_vendor", "board_name", "board_serial",
		"chassis_type", "chassis_serial", "chassis_asset_tag",
		"bios_vendor", "bios_version", "bios_date",
	};
	struct machine *m = &v->machine;
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put(v, o, files[i], "/sys/class/dmi/id", files[i]);
	m->has_uuid = json_object_get(o, "product_uuid") &&
		!uuid_parse(json_string_value(json_object_get(o,
						"product_uuid")), m->uuid);
	return o;
}

/* How many different values? */
struct seen {
	uint64_t values[MAX_ENTRIES];
	unsigned n;
};

static void see(struct seen *s, uint64_t value)
{
	unsigned i = 0;

	while (i < s->n && s->values[i] != value)
		i++;
	if (i == s->n && s->n < MAX_ENTRIES)
		s->values[s->n++] = value;
}

static int take_cpus(struct inventory *v, struct err *e)
{
	struct seen *sockets = calloc(1, sizeof(*sockets));
	struct seen *cores = calloc(1, sizeof(*cores));
	struct machine *m = &v->machine;
	struct dirent **names;
	int n = list(v, "/sys/devices/system/cpu", &names);

	m->n_cpus = 0;
	for (int i = 0; i < n && sockets && cores; i++) {
		char folder[PATH_MAX];
		uint64_t socket;
		unsigned cpu;

		if (sscanf(names[i]->d_name, "cpu%u", &cpu) != 1)
			continue;
		m->n_cpus++;
		snprintf(folder, sizeof(folder),
			 "/sys/devices/system/cpu/%s/topology",
			 names[i]->d_name);
		socket = get_number(v, folder, "physical_package_id");
		see(sockets, socket);
		see(cores, socket << 32 | get_number(v, folder, "core_id"));
	}
	if (!m->n_cpus)
		m->n_cpus = 1;
	if (sockets && cores && sockets->n && cores->n % sockets->n == 0 &&
	    m->n_cpus % cores->n == 0) {
		m->sockets = sockets->n;
		m->cores = cores->n / sockets->n;
		m->threads = m->n_cpus / cores->n;
	}
	free_names(names, n);
	n = sockets && cores ? 0 : -ENOMEM;
	free(sockets);
	free(cores);
	return n ? fail(e, ENOMEM, "out of memory") : 0;
}

static void take_memory(struct inventory *v)
{
	char path[PATH_MAX], line[LINE];
	uint64_t kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/meminfo", v->root);
	f = fopen(path, "re");
	while (f && !kib && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemTotal: %" SCNu64, &kib) != 1)
			kib = 0;
	if (f)
		fclose(f);
	/* Firmware and kernel keep some of it: what was put in is more. */
	v->machine.memory = round_up(min_u64(kib, UINT64_MAX >> 12) << 10,
				     128u << 20);
}

/* The last part of what a link names: "/sys/.../drivers/e1000e". */
static void put_link(const struct inventory *v, json_t *o, const char *key,
		     const char *folder, const char *file)
{
	char path[PATH_MAX], to[PATH_MAX];
	const char *slash;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s%s/%s", v->root, folder, file) >=
	    PATH_MAX)
		return;
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return;
	to[n] = 0;
	slash = strrchr(to, '/');
	json_object_set_new(o, key, json_text(slash ? slash + 1 : to));
}

static int add_nic(struct inventory *v, const char *name, const char *mac,
		   struct err *e)
{
	struct machine_nic *nic = machine_add_nic(&v->machine);
	unsigned b[6];

	if (!nic)
		return fail(e, ENOMEM, "out of memory");
	nic->has_mac = sscanf(mac, "%2x:%2x:%2x:%2x:%2x:%2x", &b[0], &b[1],
			      &b[2], &b[3], &b[4], &b[5]) == 6;
	for (unsigned i = 0; i < 6 && nic->has_mac; i++)
		nic->mac[i] = (uint8_t)b[i];
	return machine_set(&nic->network, name, e);
}

static int take_nics(struct inventory *v, json_t *out, struct err *e)
{
	struct dirent **names;
	int n = list(v, "/sys/class/net", &names), rc = 0;

	for (int i = 0; i < n && !rc; i++) {
		char folder[PATH_MAX], mac[LINE];
		json_t *o;

		snprintf(folder, sizeof(folder), "/sys/class/net/%s",
			 names[i]->d_name);
		/* What has no device below it is no card. */
		if (!exists(v, folder, "device"))
			continue;
		o = json_object();
		json_put_string(o, "name", names[i]->d_name);
		put(v, o, "mac", folder, "address");
		put(v, o, "state", folder, "operstate");
		put_link(v, o, "driver", folder, "device/driver");
		json_array_append_new(out, o);
		get(v, folder, "address", mac);
		rc = add_nic(v, names[i]->d_name, mac, e);
	}
	free_names(names, n);
	return rc;
}

static int add_disk(struct inventory *v, const char *name, uint64_t size,
		    const char *serial, struct err *e)
{
	struct machine_disk *d = machine_add_disk(&v->machine);
	char path[PATH_MAX];
	int rc;

	if (!d)
		return fail(e, ENOMEM, "out of memory");
	d->medium = MEDIUM_DISK;
	d->size = size;
	d->raw_device = true;
	snprintf(path, sizeof(path), "/dev/%s", name);
	rc = machine_set(&d->file, path, e);
	return rc || !serial ? rc : machine_set(&d->serial, serial, e);
}

static int take_disk(struct inventory *v, const char *name, json_t *out,
		     struct err *e)
{
	json_t *o = json_object();
	char folder[PATH_MAX];
	uint64_t size;

	snprintf(folder, sizeof(folder), "/sys/block/%s", name);
	size = min_u64(get_number(v, folder, "size"), INT64_MAX >> 9) << 9;
	json_put_string(o, "name", name);
	json_put_size(o, "size", size);
	put(v, o, "vendor", folder, "device/vendor");
	put(v, o, "model", folder, "device/model");
	put(v, o, "serial", folder, "device/serial");
	if (!json_object_get(o, "serial"))
		put(v, o, "serial", folder, "serial");
	put(v, o, "wwn", folder, "device/wwid");
	if (!json_object_get(o, "wwn"))
		put(v, o, "wwn", folder, "wwid");
	put(v, o, "sector-size", folder, "queue/logical_block_size");
	put(v, o, "physical-sector-size", folder,
	    "queue/physical_block_size");
	json_put_bool(o, "rotational",
		      get_number(v, folder, "queue/rotational"));
	json_put_bool(o, "removable", get_number(v, folder, "removable"));
	put_link(v, o, "driver", folder, "device/driver");
	json_array_append_new(out, o);
	return add_disk(v, name, size, json_string_value(
			json_object_get(o, "serial")), e);
}

static int take_disks(struct inventory *v, json_t *out, struct err *e)
{
	struct dirent **names;
	int n = list(v, "/sys/block", &names), rc = 0;

	for (int i = 0; i < n && !rc; i++) {
		char folder[PATH_MAX];

		/* Loop devices, RAM disks, device mapper, RAID: they lie on
		 * others, or on none.
		 */
		snprintf(folder, sizeof(folder), "/sys/block/%s",
			 names[i]->d_name);
		if (exists(v, folder, "device") &&
		    strncmp(names[i]->d_name, "sr", 2))
			rc = take_disk(v, names[i]->d_name, out, e);
	}
	free_names(names, n);
	return rc;
}

static int take_rest(struct inventory *v, struct err *e)
{
	struct machine *m = &v->machine;
	char line[LINE];
	struct utsname u;
	int rc = 0;

	take_memory(v);
	m->firmware = exists(v, "/sys/firmware", "efi") ? FIRMWARE_UEFI :
							  FIRMWARE_BIOS;
	m->os = OS_LINUX;
	if (get(v, "/proc/sys/kernel", "hostname", line))
		rc = machine_set(&m->name, line, e);
	if (!rc && get(v, "/sys/class/tpm/tpm0", "tpm_version_major", line))
		rc = machine_set(&m->tpm, *line == '2' ? "2.0" : "1.2", e);
	if (!rc && !uname(&u))
		rc = machine_set(&m->arch, u.machine, e);
	return rc;
}

int inventory_take(const char *root, json_t **out, struct err *e)
{
	struct inventory v = { .root = root, .unreadable = json_array() };
	json_t *o = json_object(), *nics = json_array(), *disks = json_array();
	int rc;

	json_object_set_new(o, "dmi", take_dmi(&v));
	rc = take_cpus(&v, e);
	if (!rc)
		rc = take_rest(&v, e);
	if (!rc)
		rc = take_nics(&v, nics, e);
	if (!rc)
		rc = take_disks(&v, disks, e);
	json_object_set_new(o, "interfaces", nics);
	json_object_set_new(o, "disks", disks);
	json_object_set_new(o, "unreadable", v.unreadable);
	if (!rc)
		json_object_set_new(o, "machine", machine_json(&v.machine));
	machine_free(&v.machine);
	if (rc)
		json_decref(o);
	else
		*out = o;
	return rc;
}
