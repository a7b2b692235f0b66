/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_write.c - what is written is read back: all of it where no loss was
 * told, and the rest the same the second time; scripts say what they should to
 * the programs they start.
 */
#include <errno.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/machine/formats.h"
#include "convert/ova/pack.h"
#include "tests/check.h"
#include "tests/lib/machinegen.h"
#include "tests/lib/scratch.h"

#define MACHINES 400u

static struct err e;

/* As text, but for what depends on where it was read. */
static char *text_of(const struct machine *m)
{
	json_t *o = machine_json(m), *disk;
	char *text;
	size_t i;

	json_object_del(o, "source_path");
	json_object_del(o, "source_format");
	json_object_del(o, "hypervisor");
	json_object_del(o, "notes");
	json_array_foreach(json_object_get(o, "disks"), i, disk) {
		json_object_del(disk, "format");
		if (json_object_get(disk, "member"))
			json_object_set(disk, "path",
					json_object_get(disk, "member"));
		json_object_del(disk, "member");
		json_object_del(disk, "file");
	}
	text = json_dumps(o, JSON_SORT_KEYS | JSON_INDENT(1));
	json_decref(o);
	CHECK(text);
	return text;
}

/* Write and read it; how many losses there were. */
static size_t through(const char *kind, const struct machine *m,
		      struct machine *again)
{
	struct machine_output out;
	size_t losses;

	CHECK_OK(machine_write(kind, m, NULL, &out, &e));
	CHECK_EQ(out.n, 1);
	CHECK_OK(machine_parse(out.files[0].text, strlen(out.files[0].text),
			       "x", NULL, again, &e));
	losses = out.losses.n;
	machine_output_free(&out);
	return losses;
}

static void same(const struct machine *a, const struct machine *b)
{
	char *one = text_of(a), *two = text_of(b);

	CHECK_STR(two, one);
	free(one);
	free(two);
}

static void round_trips(void)
{
	struct machine m, one, two;
	size_t whole = 0;

	for (uint64_t seed = 0; seed < MACHINES; seed++) {
		bool for_kvm = seed % 2;

		machine_random(seed, for_kvm, &m);
		/* The image knows it. */
		for (size_t i = 0; i < m.n_disks; i++)
			m.disks[i].size = 0;
		if (!through("libvirt", &m, &one)) {
			same(&m, &one);
			whole++;
		} else {
			/* Only who has what QEMU lacks loses something. */
			CHECK(!for_kvm || m.chipset);
		}
		through("libvirt", &one, &two);
		same(&one, &two);
		machine_free(&one);
		machine_free(&two);
		CHECK_EQ(through("json", &m, &one), 0);
		same(&m, &one);
		machine_free(&one);
		machine_free(&m);
	}
	CHECK(whole >= MACHINES / 2);
}

/* What v2v writes: only that the guest's kind has no place is lost. */
static void virtio(void)
{
	struct machine_notes losses = { 0 };
	struct machine m, again;

	for (uint64_t seed = 0; seed < MACHINES; seed++) {
		machine_random(seed, false, &m);
		for (size_t i = 0; i < m.n_nics; i++) {
			m.nics[i].kind = NIC_NETWORK;
			CHECK_OK(machine_set(&m.nics[i].network, "lan", &e));
		}
		for (size_t i = 0; i < m.n_disks; i++) {
			m.disks[i].size = 0;
			m.disks[i].independent = false;
		}
		CHECK_OK(machine_make_virtio(&m, &losses, &e));
		for (size_t i = 0; i < m.n_disks; i++)
			CHECK(m.disks[i].medium != MEDIUM_DISK ||
			      m.disks[i].bus == BUS_VIRTIO);
		CHECK(m.n_serials && m.rng);
		CHECK_EQ(through("libvirt", &m, &again), 0);
		same(&m, &again);
		machine_free(&m);
		machine_free(&again);
		machine_notes_free(&losses);
	}
}

static void ovf(void)
{
	struct machine m, one, two;

	for (uint64_t seed = 0; seed < MACHINES; seed++) {
		machine_random(seed, false, &m);
		through("ovf", &m, &one);
		CHECK(one.memory == m.memory && one.n_cpus == m.n_cpus &&
		      one.firmware == m.firmware && one.cores == m.cores);
		CHECK_STR(one.name, m.name);
		CHECK(one.n_disks == m.n_disks && one.n_nics == m.n_nics);
		for (size_t i = 0; i < m.n_disks; i++) {
			CHECK_EQ(one.disks[i].medium, m.disks[i].medium);
			if (m.disks[i].medium != MEDIUM_DISK)
				continue;
			CHECK_STR(one.disks[i].member, m.disks[i].path);
			CHECK_EQ(one.disks[i].size, m.disks[i].size);
		}
		for (size_t i = 0; i < m.n_nics; i++)
			CHECK(one.nics[i].has_mac == m.nics[i].has_mac &&
			      !memcmp(one.nics[i].mac, m.nics[i].mac, 6));
		through("ovf", &one, &two);
		same(&one, &two);
		machine_free(&m);
		machine_free(&one);
		machine_free(&two);
	}
}

static void put_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(name, "w");

	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
	CHECK(!chmod(name, mode));
}

/* A package made of what is written: the machine is in it, and its disk opens. */
static void package(void)
{
	struct img_resolver resolver = img_resolve_in_folder(NULL);
	struct ova_pack_args args = { .descriptor = "m.ovf",
				      .files = (char *[]){ "d 1.img" },
				      .n_files = 1 };
	struct machine m = { .n_cpus = 2, .memory = 1 << 20 }, got;
	struct machine_output out;
	struct machine_disk *d = machine_add_disk(&m);
	struct ova_pack *pack;
	struct img *img;
	uint8_t bytes[4];

	CHECK(d && !machine_set(&d->path, "d 1.img", &e));
	CHECK_OK(machine_set(&m.name, "m", &e));
	d->bus = BUS_IDE;
	d->size = 1024;
	CHECK_OK(machine_write("ovf", &m, NULL, &out, &e));
	CHECK_STR(out.files[0].name, "m.ovf");
	put_file("m.ovf", out.files[0].text, 0644);
	put_file("d 1.img", "DISK", 0644);
	CHECK(!truncate("d 1.img", 1024));
	put_file("m.ova", "", 0644);
	CHECK_OK(ova_pack_plan(&args, &pack, &e));
	CHECK_OK(img_file_open("m.ova", IMG_WRITE, &img, &e));
	CHECK_OK(ova_pack_write(pack, img, false, &e));
	CHECK_OK(img_close(img, &e));
	ova_pack_free(pack);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(machine_read(i ? "m.ovf" : "m.ova", NULL, &got, &e));
		CHECK_STR(got.source_format, i ? "ovf" : "ova");
		CHECK_EQ(got.n_disks, 1);
		CHECK_OK(machine_open_disk(&got, 0, 0, &resolver, &img, &e));
		CHECK_EQ(img_size(img), 1024);
		CHECK(!img_read(img, bytes, 4, 0) && !memcmp(bytes, "DISK", 4));
		CHECK_OK(img_close(img, &e));
		machine_free(&got);
	}
	machine_output_free(&out);
	machine_free(&m);
}

/* Run a script with a program `name` that says its words, one a line. */
static char *words_of(const struct machine_file *f, const char *name)
{
	static char words[16384];
	char command[600];
	FILE *p;
	size_t n;

	CHECK(f->executable);
	put_file("script", f->text, 0755);
	put_file(name, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n", 0755);
	snprintf(command, sizeof(command), "PATH=.:$PATH ./script");
	p = popen(command, "r");
	CHECK(p);
	n = fread(words, 1, sizeof(words) - 1, p);
	words[n] = 0;
	CHECK_EQ(pclose(p), 0);
	return words;
}

static void scripts(void)
{
	struct machine m = { .n_cpus = 4, .memory = UINT64_C(1) << 30 };
	struct machine_disk *d = machine_add_disk(&m);
	struct machine_nic *n = machine_add_nic(&m);
	struct machine_output out;

	CHECK(d && n);
	CHECK_OK(machine_set(&m.name, "a'b $(touch bad)", &e));
	CHECK_OK(machine_set(&m.description, "x'\n--evil 1", &e));
	CHECK_OK(machine_set(&d->path, "-d'; $x,y.qcow2", &e));
	CHECK_OK(machine_set(&d->format, "qcow2", &e));
	d->bus = BUS_VIRTIO;
	n->has_mac = true;
	CHECK_OK(machine_write("vmm", &m, NULL, &out, &e));
	CHECK_STR(words_of(&out.files[0], "vmm"),
		  "run\n--memory\n1024M\n--cpus\n4\n--disk\n"
		  "./-d'; $x,,y.qcow2,format=qcow2\n"
		  "--net\npeer,mac=00:00:00:00:00:00\n");
	machine_output_free(&out);
	/* A comma has no place in a configuration of Proxmox. */
	CHECK_EQ(machine_write("proxmox", &m, NULL, &out, &e), -ENOTSUP);
	CHECK(strstr(e.text, "comma"));
	CHECK_OK(machine_set(&d->path, "d'; $x.qcow2", &e));
	CHECK_OK(machine_write("proxmox", &m, NULL, &out, &e));
	CHECK_EQ(out.n, 2);
	CHECK_STR(out.files[0].name, "100.conf");
	CHECK(strstr(out.files[0].text, "\nname: a-b-touch-bad\n"));
	CHECK(strstr(out.files[0].text, "#x'\n#--evil 1\n"));
	CHECK(strstr(words_of(&out.files[1], "qm"), "create\n100\n"
		     "--description\nx'\n--evil 1\n--name\na-b-touch-bad\n"));
	CHECK(strstr(words_of(&out.files[1], "qm"), "/d'; $x.qcow2\n--net0\n"
		     "virtio=00:00:00:00:00:00,bridge=vmbr0\n"));
	CHECK(access("bad", F_OK));
	machine_output_free(&out);
	CHECK_EQ(machine_write("floppy", &m, NULL, &out, &e), -EINVAL);
	machine_free(&m);
}

int main(void)
{
	scratch_enter();
	round_trips();
	virtio();
	ovf();
	package();
	scripts();
	return 0;
}
