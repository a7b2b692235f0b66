/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_libvirt.c - the domains that we write, of random machines and of those
 * that products have described, are valid to libvirt's schema, and libvirt defines
 * them; what it then says of them is read to the same machine.
 *
 * time limit: 400 s
 */
#include <errno.h>
#include <fts.h>
#include <unistd.h>

#include "convert/machine/formats.h"
#include "tests/check.h"
#include "tests/lib/machinegen.h"
#include "tests/lib/scratch.h"

#define RANDOM 60u
#define SCHEMA "/usr/share/libvirt/schemas/domain.rng"

static struct err e;
static unsigned n_written;

static void put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

/* The machine under a name of its own, as NUMBER.xml. */
static void write_domain(struct machine *m)
{
	struct machine_write_args args = { .folder = "/images" };
	struct machine_output out;
	char name[40];

	snprintf(name, sizeof(name), "t%u", n_written);
	CHECK_OK(machine_set(&m->name, name, &e));
	m->has_uuid = false;
	CHECK_OK(machine_write("libvirt", m, &args, &out, &e));
	CHECK_EQ(out.n, 1);
	snprintf(name, sizeof(name), "%u.xml", n_written++);
	put_file(name, out.files[0].text);
	machine_output_free(&out);
}

static void write_both(struct machine *m)
{
	struct machine_notes losses = { 0 };
	struct machine copy;

	CHECK_OK(machine_copy(m, &copy, &e));
	CHECK_OK(machine_make_virtio(&copy, &losses, &e));
	write_domain(&copy);
	machine_notes_free(&losses);
	machine_free(&copy);
	write_domain(m);
}

/* Of the samples a few of each folder, or with CHECK_ALL all that are x86. */
static void write_samples(void)
{
	const char *src = getenv("SRCDIR") ? getenv("SRCDIR") : ".";
	struct machine_read_args args = { .system = NULL };
	char root[4096];
	char *roots[] = { root, NULL };
	unsigned n = 0, step = getenv("CHECK_ALL") ? 1 : 7;
	struct machine m;
	FTSENT *f;
	FTS *fts;

	snprintf(root, sizeof(root), "%s/../shared/samples/machines", src);
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	CHECK(fts);
	while ((f = fts_read(fts))) {
		const char *dot = strrchr(f->fts_name, '.');

		if (f->fts_info != FTS_F || !dot || (strcmp(dot, ".vmx") &&
		    strcmp(dot, ".ovf")) || n++ % step)
			continue;
		if (machine_read(f->fts_path, &args, &m, &e))
			continue;
		write_both(&m);
		machine_free(&m);
	}
	fts_close(fts);
}

/* How many lines of a file hold the word; the others, unless they are empty, go
 * to standard error.
 */
static unsigned count_lines(const char *file, const char *word)
{
	FILE *f = fopen(file, "r");
	char line[4096];
	unsigned n = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, word))
			n++;
		else if (strlen(line) > 1 && !strstr(line, "virsh #") &&
			 !strstr(line, "virtualization interactive") &&
			 !strstr(line, "'help'") && !strstr(line, "'quit'"))
			fputs(line, stderr);
	fclose(f);
	return n;
}

static void check_schema(void)
{
	if (access(SCHEMA, R_OK) || system("xmllint --version 2>/dev/null"))
		return;
	CHECK(system("xmllint --noout --relaxng " SCHEMA " *.xml >valid 2>&1")
	      != -1);
	CHECK_EQ(count_lines("valid", "validates"), n_written);
	CHECK_EQ(system("virt-xml-validate 0.xml domain >valid 2>&1"), 0);
}

/* All in one run of virsh; its test driver forgets them at its end. */
static void define(void)
{
	FILE *f = fopen("commands", "w");

	CHECK(f);
	for (unsigned i = 0; i < n_written; i++)
		fprintf(f, "define --validate %u.xml\n", i);
	fclose(f);
	CHECK(system("virsh -c test:///default <commands >defined 2>&1") !=
	      -1);
	CHECK_EQ(count_lines("defined", "defined from"), n_written);
}

/* What libvirt has made of one, as it dumps it. */
static void read_back(uint64_t seed)
{
	struct machine m, again;
	struct machine_notes losses = { 0 };

	machine_random(seed, true, &m);
	CHECK_OK(machine_make_virtio(&m, &losses, &e));
	n_written = 0;
	write_domain(&m);
	put_file("commands", "define 0.xml\ndumpxml --inactive t0\n");
	CHECK_EQ(system("virsh -q -c test:///default <commands 2>/dev/null | "
			"sed -n '/<domain/,/<.domain>/p' >dumped"), 0);
	CHECK_OK(machine_read("dumped", NULL, &again, &e));
	CHECK_STR(again.name, "t0");
	CHECK(again.memory == m.memory && again.n_cpus == m.n_cpus &&
	      again.cores == m.cores && again.chipset == m.chipset &&
	      again.firmware == m.firmware && again.localtime == m.localtime);
	CHECK(again.n_disks == m.n_disks && again.n_nics == m.n_nics);
	for (size_t i = 0; i < m.n_disks; i++) {
		const struct machine_disk *d = NULL;

		/* libvirt sorts them. */
		for (size_t k = 0; k < m.n_disks; k++)
			if (again.disks[k].bus == m.disks[i].bus &&
			    again.disks[k].unit == m.disks[i].unit &&
			    again.disks[k].controller_index ==
			    m.disks[i].controller_index)
				d = &again.disks[k];
		CHECK(d && d->medium == m.disks[i].medium);
		CHECK(!d->path == !m.disks[i].path);
		if (d->path)
			CHECK_STR(d->path + strlen("/images/"),
				  m.disks[i].path);
	}
	for (size_t i = 0; i < m.n_nics; i++) {
		CHECK_STR(again.nics[i].model, "virtio");
		CHECK(!m.nics[i].has_mac ||
		      !memcmp(again.nics[i].mac, m.nics[i].mac, 6));
	}
	machine_notes_free(&losses);
	machine_free(&m);
	machine_free(&again);
}

int main(void)
{
	struct machine m;

	if (system("virsh --version >/dev/null 2>&1")) {
		puts("SKIP: virsh is not installed");
		return 77;
	}
	scratch_enter();
	for (uint64_t seed = 0; seed < RANDOM; seed++) {
		machine_random(seed, seed % 2, &m);
		write_both(&m);
		machine_free(&m);
	}
	write_samples();
	printf("%u domains\n", n_written);
	check_schema();
	define();
	for (uint64_t seed = 0; seed < 6; seed++)
		read_back(seed);
	return 0;
}
