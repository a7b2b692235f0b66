/* SPDX-License-Identifier: GPL-2.0-or-later */
/* finish.c - the end of reading: devices counted, names of files seen from the
 * description's folder, and what is wrong with a machine as a whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "build.h"
#include "fields.h"

static int room(struct reader *r, const char *what, size_t n)
{
	if (n < MAX_DEVICES)
		return 0;
	return fail(r->e, EFBIG, "%s describes more than %u %s", r->path,
		    MAX_DEVICES, what);
}

int reader_add_disk(struct reader *r, struct machine_disk **out)
{
	int rc = room(r, "disks", r->m->n_disks);

	if (rc)
		return rc;
	*out = machine_add_disk(r->m);
	return *out ? 0 : fail(r->e, ENOMEM, "out of memory");
}

int reader_add_nic(struct reader *r, struct machine_nic **out)
{
	int rc = room(r, "network cards", r->m->n_nics);

	if (rc)
		return rc;
	*out = machine_add_nic(r->m);
	return *out ? 0 : fail(r->e, ENOMEM, "out of memory");
}

int reader_add_serial(struct reader *r, struct machine_serial **out)
{
	int rc = room(r, "serial ports", r->m->n_serials);

	if (rc)
		return rc;
	*out = machine_add_serial(r->m);
	return *out ? 0 : fail(r->e, ENOMEM, "out of memory");
}

/* The last part of a path, of Windows' too. */
static const char *last_part(const char *path)
{
	const char *p = path;

	for (const char *q = path; *q; q++)
		if (*q == '/' || *q == '\\')
			p = q + 1;
	return p;
}

/* Does the path count on a host that is not this one? */
static bool is_elsewhere(const char *file)
{
	char drive = (char)(file[0] | 0x20);

	return (file[0] == '[' && strchr(file, ']')) ||
		!strncmp(file, "/vmfs/", 6) || !strncmp(file, "ds:///", 6) ||
		(drive >= 'a' && drive <= 'z' && file[1] == ':' &&
		 file[2] == '\\') || !strncmp(file, "\\\\", 2);
}

int set_path(struct reader *r, struct machine_disk *d)
{
	const char *name;
	size_t skip;
	int rc;

	if (!is_elsewhere(d->file))
		return machine_set(&d->path, d->file, r->e);
	name = last_part(d->file);
	/* "[datastore] name" without a folder */
	skip = name == d->file && *name == '[' ?
		(size_t)(strchr(name, ']') - name) + 1 : 0;
	name += skip + strspn(name + skip, " ");
	if (!*name)
		return fail(r->e, EUCLEAN, "%s: the disk's name, \"%.200s\", "
			    "ends without a file", r->path, d->file);
	rc = NOTE(r, "disk-elsewhere", "The disk \"%.200s\" lies on its "
		  "hypervisor; \"%.200s\" is looked for beside the "
		  "description.", d->file, name);
	return rc ? rc : machine_set(&d->path, name, r->e);
}

/* A description may have lines, nothing else has. */
static void tidy(const struct field *f, void *object)
{
	for (; f->name; f++) {
		char *text = f->kind == FIELD_TEXT ?
			*(char **)field_at(object, f->offset) : NULL;

		if (text)
			text_tidy(text, !strcmp(f->name, "description"));
	}
}

static void tidy_all(struct machine *m)
{
	tidy(machine_fields, m);
	for (size_t i = 0; i < FIELD_LISTS; i++) {
		const struct field_list *l = &machine_lists[i];
		size_t n = *(size_t *)field_at(m, l->n_offset);

		for (size_t k = 0; k < n; k++)
			tidy(l->fields, *(char **)field_at(m, l->offset) +
			     k * l->size);
	}
}

static int check_cpus(struct reader *r)
{
	struct machine *m = r->m;
	uint64_t product;

	if (!m->n_cpus)
		m->n_cpus = 1;
	if (m->n_cpus > MAX_CPUS)
		return fail(r->e, EUCLEAN, "%s: the machine has %u CPUs, must "
			    "have 1 to %u", r->path, m->n_cpus, MAX_CPUS);
	if (!m->sockets && !m->cores && !m->threads)
		return 0;
	m->cores = m->cores ? m->cores : 1;
	m->threads = m->threads ? m->threads : 1;
	if (!m->sockets && mul_ok(m->cores, m->threads, &product) &&
	    product <= m->n_cpus)
		m->sockets = (unsigned)(m->n_cpus / product);
	if (mul_ok(m->sockets, m->cores, &product) &&
	    mul_ok(product, m->threads, &product) && product == m->n_cpus)
		return 0;
	if (NOTE(r, "cpu-topology", "%u CPUs are not %u sockets of %u cores "
		 "with %u threads; the topology is left out.", m->n_cpus,
		 m->sockets, m->cores, m->threads))
		return -ENOMEM;
	m->sockets = m->cores = m->threads = 0;
	return 0;
}

/* The first place on the same controller behind `d` that nobody has. */
static void move_disk(struct machine *m, struct machine_disk *d)
{
	for (size_t i = 0; i < m->n_disks; i++) {
		const struct machine_disk *o = &m->disks[i];

		if (o == d || o->bus != d->bus || o->unit != d->unit ||
		    o->controller_index != d->controller_index)
			continue;
		d->unit++;
		i = (size_t)-1;
	}
}

static int check_places(struct reader *r)
{
	struct machine *m = r->m;

	for (size_t i = 0; i < m->n_disks; i++)
		if (m->disks[i].unit > UINT16_MAX ||
		    m->disks[i].controller_index > UINT16_MAX)
			return fail(r->e, EUCLEAN, "%s: disk %zu is at place "
				    "%u of controller %u, must be at most %u",
				    r->path, i + 1, m->disks[i].unit,
				    m->disks[i].controller_index, UINT16_MAX);
	for (size_t i = 1; i < m->n_disks; i++) {
		struct machine_disk *d = &m->disks[i];

		for (size_t k = 0; k < i; k++) {
			if (m->disks[k].bus != d->bus || m->disks[k].unit !=
			    d->unit || m->disks[k].controller_index !=
			    d->controller_index)
				continue;
			if (NOTE(r, "disk-place-taken", "Disks %zu and %zu "
				 "are both at place %u of the same controller; "
				 "the second is moved.", k + 1, i + 1, d->unit))
				return -ENOMEM;
			move_disk(m, d);
			break;
		}
	}
	return 0;
}

static int check_macs(struct reader *r)
{
	struct machine *m = r->m;
	char text[MACHINE_MAC_LEN];

	for (size_t i = 0; i < m->n_nics; i++) {
		struct machine_nic *n = &m->nics[i];

		if (!n->has_mac || !(n->mac[0] & 1))
			continue;
		n->has_mac = false;
		if (NOTE(r, "mac-group", "The address of network card %zu, %s, "
			 "is a group's and left out.", i + 1,
			 machine_mac_text(n->mac, text)))
			return -ENOMEM;
	}
	for (size_t i = 1; i < m->n_nics; i++)
		for (size_t k = 0; k < i; k++)
			if (m->nics[i].has_mac && m->nics[k].has_mac &&
			    !memcmp(m->nics[i].mac, m->nics[k].mac, 6) &&
			    NOTE(r, "mac-twice", "Network cards %zu and %zu "
				 "have the same address, %s.", k + 1, i + 1,
				 machine_mac_text(m->nics[i].mac, text)))
				return -ENOMEM;
	return 0;
}

/* "dir/web.vmx" is a machine "web". */
static int name_by_file(struct reader *r)
{
	const char *name = last_part(r->path), *dot = strrchr(name, '.');
	size_t len = dot && dot != name ? (size_t)(dot - name) : strlen(name);

	free(r->m->name);
	r->m->name = len ? strndup(name, len) : strdup("machine");
	return r->m->name ? 0 : fail(r->e, ENOMEM, "out of memory");
}

int reader_finish(struct reader *r)
{
	struct machine *m = r->m;
	int rc = 0;

	tidy_all(m);
	if (!m->name || !m->name[strspn(m->name, " ")])
		rc = name_by_file(r);
	if (!rc && m->memory > MAX_MEMORY)
		rc = fail(r->e, EUCLEAN, "%s: the machine has %llu bytes of "
			  "memory, must have at most %llu", r->path,
			  (unsigned long long)m->memory,
			  (unsigned long long)MAX_MEMORY);
	if (!rc && m->os == OS_UNKNOWN)
		m->os = guess_os(m->os_hint);
	if (!rc)
		rc = check_cpus(r);
	if (!rc)
		rc = check_places(r);
	return rc ? rc : check_macs(r);
}
