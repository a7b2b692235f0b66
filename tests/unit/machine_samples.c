/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_samples.c - descriptions that real products made: each is read, or
 * refused with a sentence; what is read survives our JSON; and where libvirt's or
 * virt-v2v's reading stands beside it, ours agrees.
 */
#include <errno.h>
#include <fts.h>
#include <jansson.h>
#include <strings.h>

#include "convert/machine/formats.h"
#include "tests/check.h"

static struct {
	unsigned read, refused, compared, v2v, of[4];
} count;
static const char *const kinds[] = { "vmx", "ovf", "ova", "libvirt" };

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), k = strlen(with);

	return n >= k && !strcmp(s + n - k, with);
}

static const char *base(const char *s)
{
	return s && strrchr(s, '/') ? strrchr(s, '/') + 1 : s;
}

/* As text, but for where it was read from. */
static char *text_of(const struct machine *m)
{
	json_t *o = machine_json(m);
	char *text;

	json_object_del(o, "source_path");
	json_object_del(o, "source_format");
	text = json_dumps(o, JSON_SORT_KEYS | JSON_INDENT(1));
	json_decref(o);
	CHECK(text);
	return text;
}

static void check_json(const char *path, struct machine *m)
{
	struct machine_output out;
	struct err e = { "" };
	struct machine again;
	char *one, *two;

	CHECK_OK(machine_write("json", m, NULL, &out, &e));
	CHECK_EQ(out.n, 1);
	CHECK_OK(machine_parse(out.files[0].text, strlen(out.files[0].text),
			       path, NULL, &again, &e));
	one = text_of(m);
	two = text_of(&again);
	free(again.source_format);
	again.source_format = NULL;
	CHECK_STR(two, one);
	free(one);
	free(two);
	machine_free(&again);
	machine_output_free(&out);
}

static void fail_at(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s differs from what it should be\n", path, what);
	exit(1);
}

static const struct machine_disk *find_disk(const struct machine *m,
					    const struct machine_disk *like)
{
	for (size_t i = 0; i < m->n_disks; i++) {
		const struct machine_disk *d = &m->disks[i];

		if (d->bus == like->bus && d->unit == like->unit &&
		    d->controller_index == like->controller_index &&
		    (d->medium == like->medium ||
		     (like->raw_device && (d->raw_device ||
					   d->medium == MEDIUM_CDROM))))
			return d;
	}
	return NULL;
}

/* A host's CD drive is a LUN to libvirt, a CD drive to us. */
static size_t hard_disks(const struct machine *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_disks; i++)
		n += m->disks[i].medium == MEDIUM_DISK &&
			!m->disks[i].raw_device;
	return n;
}

static void compare_disks(const char *path, const struct machine *ours,
			  const struct machine *theirs)
{
	if (hard_disks(ours) != hard_disks(theirs))
		fail_at(path, "the number of disks");
	for (size_t i = 0; i < theirs->n_disks; i++) {
		const struct machine_disk *t = &theirs->disks[i];
		const struct machine_disk *o = find_disk(ours, t);

		if (!o)
			fail_at(path, "a drive's place");
		if (t->path && t->medium == MEDIUM_DISK &&
		    (!o->path || strcmp(base(o->path), base(t->path))))
			fail_at(path, "a disk's file");
		if (t->path && o->path && strcmp(base(o->path), base(t->path)))
			fail_at(path, "a drive's file");
		if (t->bus == BUS_SCSI && t->controller &&
		    (!o->controller || strcmp(o->controller, t->controller)))
			fail_at(path, "a controller's model");
		if (t->nonpersistent && !o->nonpersistent)
			fail_at(path, "a disk's mode");
	}
}

static void compare_nics(const char *path, const struct machine *ours,
			 const struct machine *theirs)
{
	if (ours->n_nics != theirs->n_nics)
		fail_at(path, "the number of network cards");
	for (size_t i = 0; i < ours->n_nics; i++) {
		const struct machine_nic *o = &ours->nics[i];
		const struct machine_nic *t = &theirs->nics[i];

		/* libvirt makes an address where there is none. */
		if (o->has_mac && memcmp(o->mac, t->mac, 6))
			fail_at(path, "a network card's address");
		if (t->model && (!o->model || strcasecmp(o->model, t->model)))
			fail_at(path, "a network card's model");
		if (t->network && (!o->network || strcmp(o->network,
							 t->network)))
			fail_at(path, "a network");
	}
}

static void compare(const char *path, const struct machine *ours)
{
	char xml[4096];
	struct err e = { "" };
	struct machine theirs;

	snprintf(xml, sizeof(xml), "%.*s.xml", (int)strlen(path) - 4, path);
	if (machine_read(xml, NULL, &theirs, &e))
		return;
	if (ours->memory != theirs.memory)
		fail_at(path, "the memory");
	if (ours->n_cpus != theirs.n_cpus || (theirs.cores &&
	    (ours->cores != theirs.cores || ours->sockets != theirs.sockets)))
		fail_at(path, "the number of CPUs");
	if (ours->firmware != theirs.firmware)
		fail_at(path, "the firmware");
	if (ours->has_uuid && memcmp(ours->uuid, theirs.uuid, 16))
		fail_at(path, "the UUID");
	if (ours->has_genid != theirs.has_genid ||
	    memcmp(ours->genid, theirs.genid, 16))
		fail_at(path, "the generation id");
	if (ours->n_serials != theirs.n_serials)
		fail_at(path, "the number of serial ports");
	compare_disks(path, ours, &theirs);
	compare_nics(path, ours, &theirs);
	machine_free(&theirs);
	count.compared++;
}

/* A hard disk, "0 [scsi]"; the n-th of ours. */
static void compare_v2v_disk(const char *path, const struct machine *m,
			     unsigned n, const char *bus)
{
	for (size_t i = 0; i < m->n_disks; i++) {
		const struct machine_disk *d = &m->disks[i];

		if (d->medium != MEDIUM_DISK || n--)
			continue;
		if (strcmp(machine_bus_name(d->bus), bus))
			fail_at(path, "a disk's bus");
		return;
	}
	fail_at(path, "the number of disks");
}

/* 'Network "VM Network" mac: 00:0c:29:46:9b:0b [vmxnet3]' */
static void compare_v2v_nic(const char *path, const struct machine_nic *n,
			    const char *line)
{
	const char *name = strchr(line, '"'), *mac = strstr(line, "mac: ");
	char text[MACHINE_MAC_LEN], model[24];

	CHECK(name);
	/* It makes a name up where there is none. */
	if (n->network || strncmp(name, "\"ethernet", 9))
		CHECK(n->network);
	if (n->network &&
	    (strncmp(name + 1, n->network, strlen(n->network)) ||
	     name[1 + strlen(n->network)] != '"'))
		fail_at(path, "a network");
	if (mac && (!n->has_mac || strncmp(mac + 5,
			machine_mac_text(n->mac, text), 17)))
		fail_at(path, "an address");
	snprintf(model, sizeof(model), "[%s]", n->model ? n->model : "");
	if (strchr(line, '[') && !strstr(line, model))
		fail_at(path, "a network card's model");
}

/* What virt-v2v --print-source says of it. */
static void compare_v2v(const char *path, const struct machine *m)
{
	char name[4096], line[300], word[64], uuid[MACHINE_UUID_LEN];
	unsigned n, disks = 0, nics = 0;
	unsigned long long size;
	FILE *f;

	snprintf(name, sizeof(name), "%.*s.expected", (int)strlen(path) - 4,
		 path);
	f = fopen(name, "r");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, " memory: %llu", &size) == 1 &&
		    size != m->memory)
			fail_at(path, "the memory");
		if (sscanf(line, " nr vCPUs: %u", &n) == 1 && n != m->n_cpus)
			fail_at(path, "the number of CPUs");
		if (sscanf(line, " source name: %60s", word) == 1 &&
		    strncmp(word, m->name, strlen(word)))
			fail_at(path, "the name");
		if (sscanf(line, " firmware: %60s", word) == 1 &&
		    strcmp(word, m->firmware == FIRMWARE_UEFI ? "uefi" :
			   "bios") && strcmp(word, "unknown"))
			fail_at(path, "the firmware");
		if (sscanf(line, " UEFI secureboot: %60s", word) == 1 &&
		    strcmp(word, m->secure_boot ? "true" : "false"))
			fail_at(path, "secure boot");
		if (sscanf(line, " VM genid: %60s", word) == 1 &&
		    strcmp(word, machine_uuid_text(m->genid, uuid)))
			fail_at(path, "the generation id");
		if (sscanf(line, "\t%u [%60[a-z]]", &n, word) == 2)
			compare_v2v_disk(path, m, disks++, word);
		if (!strncmp(line, "\tNetwork", 8) ||
		    !strncmp(line, "\tBridge", 7)) {
			CHECK(nics < m->n_nics);
			compare_v2v_nic(path, &m->nics[nics++], line);
		}
	}
	fclose(f);
	if (nics != m->n_nics || disks != hard_disks(m))
		fail_at(path, "the number of disks or network cards");
	count.v2v++;
}

/* A sentence: some words, nothing that steers a terminal. */
static void check_sentence(const char *path, const struct err *e)
{
	bool good = strlen(e->text) > 10 && strchr(e->text, ' ');

	for (const char *p = e->text; *p; p++)
		good = good && (unsigned char)*p >= 0x20;
	if (!good) {
		fprintf(stderr, "%s: no sentence: %s\n", path, e->text);
		exit(1);
	}
}

static void try_one(const char *path, const char *system)
{
	struct machine_read_args args = { .system = system };
	struct machine_output out;
	struct err e = { "" };
	struct machine m;
	int rc = machine_read(path, &args, &m, &e);

	if (rc == -EINVAL && !system && strstr(e.text, "choose one")) {
		try_one(path, "1");
		try_one(path, "2");
		return;
	}
	if (rc) {
		check_sentence(path, &e);
		CHECK(rc == -EUCLEAN || rc == -ENOTSUP || rc == -EPERM ||
		      rc == -EINVAL || rc == -EFBIG);
		count.refused++;
		if (getenv("CHECK_VERBOSE"))
			printf("refused: %s\n", e.text);
		return;
	}
	CHECK(m.n_cpus && m.name && *m.name);
	check_json(path, &m);
	CHECK_OK(machine_write("libvirt", &m, NULL, &out, &e));
	machine_output_free(&out);
	if (ends(path, ".vmx"))
		compare(path, &m);
	if (ends(path, ".vmx") || ends(path, ".ovf"))
		compare_v2v(path, &m);
	count.read++;
	for (size_t i = 0; i < 4; i++)
		count.of[i] += !strcmp(m.source_format, kinds[i]);
	machine_free(&m);
}

int main(void)
{
	const char *src = getenv("SRCDIR") ? getenv("SRCDIR") : ".";
	char root[4096];
	char *roots[] = { root, NULL };
	FTSENT *f;
	FTS *fts;

	snprintf(root, sizeof(root), "%s/../shared/samples/machines", src);
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	CHECK(fts);
	while ((f = fts_read(fts)))
		if (f->fts_info == FTS_F)
			try_one(f->fts_path, NULL);
	fts_close(fts);
	if (!count.read && !count.refused) {
		printf("SKIP: there are no samples in %s\n", root);
		return 77;
	}
	printf("%u read (vmx %u, ovf %u, ova %u, libvirt %u), %u refused, "
	       "%u and %u compared\n", count.read, count.of[0], count.of[1],
	       count.of[2], count.of[3], count.refused, count.compared,
	       count.v2v);
	/* All VMX files, and all pairs that there are. */
	CHECK(count.of[0] >= 41 && count.compared >= 36);
	CHECK(count.read >= 600 && count.v2v >= 7);
	return 0;
}
