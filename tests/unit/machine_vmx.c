/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_vmx.c - VMX files: lines, encodings, devices, states, and bad ones. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "convert/machine/formats.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static struct err e;

static int parse(const char *text, struct machine *m)
{
	static const struct machine_read_args args = { .format = "vmx" };

	e.text[0] = 0;
	return machine_parse(text, strlen(text), "dir/web.vmx", &args, m, &e);
}

static bool noted(const struct machine *m, const char *code)
{
	for (size_t i = 0; i < m->notes.n; i++)
		if (!strcmp(m->notes.list[i].code, code))
			return true;
	return false;
}

static void test_lines(void)
{
	struct machine m;

	CHECK_OK(parse("#!/usr/bin/vmware\n"
		       "  # displayName = \"no\"\n"
		       "DISPLAYNAME\t=  \"a |22b|22 = |7C \"c\" \"\r\n"
		       "annotation = \"one|0Atwo|00|zz\"\n"
		       "memSize = 64\n"
		       "numvcpus = \"2\"\n"
		       "NumVCPUs = \"3\"\n"
		       "nonsense\n", &m));
	CHECK_STR(m.name, "a \"b\" = | \"c\"");
	CHECK_STR(m.description, "one\ntwo|00|zz");
	CHECK_EQ(m.memory, 64 << 20);
	/* The last of two counts, and it is said. */
	CHECK_EQ(m.n_cpus, 3);
	CHECK(noted(&m, "vmx-twice") && noted(&m, "vmx-line"));
	machine_free(&m);
	/* Defaults, and a name by the file. */
	CHECK_OK(parse("config.version = \"8\"\n", &m));
	CHECK_STR(m.name, "web");
	CHECK_EQ(m.memory, 32 << 20);
	CHECK_EQ(m.n_cpus, 1);
	CHECK(m.firmware == FIRMWARE_BIOS && !m.has_uuid && !m.suspended);
	machine_free(&m);
}

static void test_encodings(void)
{
	struct machine m;

	CHECK_OK(parse(".encoding = \"windows-1252\"\n"
		       "displayName = \"caf\xe9 \x80\"\n", &m));
	CHECK_STR(m.name, "caf\xc3\xa9 \xe2\x82\xac");
	machine_free(&m);
	CHECK_OK(parse(".encoding = \"windows-1250\"\n"
		       "displayName = \"\x8c\"\n", &m));
	CHECK_STR(m.name, "\xc5\x9a");
	machine_free(&m);
	CHECK_OK(parse("displayName = \"x\"\n.encoding = \"Shift_JIS\"\n"
		       "annotation = \"\x83\x65\"\n", &m));
	CHECK_STR(m.description, "\xe3\x83\x86");
	machine_free(&m);
	CHECK_OK(parse("displayName = \"caf\xe9\"\n", &m));
	CHECK_STR(m.name, "caf\xc3\xa9");
	CHECK(noted(&m, "vmx-encoding"));
	machine_free(&m);
	CHECK_OK(parse("\xef\xbb\xbf.encoding = \"UTF-8\"\n"
		       "displayName = \"\xc3\xa9\"\n", &m));
	CHECK_STR(m.name, "\xc3\xa9");
	machine_free(&m);
	CHECK_EQ(parse(".encoding = \"../../x\"\n", &m), -ENOTSUP);
	CHECK(strstr(e.text, "../../x"));
	CHECK_EQ(parse(".encoding = \"EUC-JP\"\na = \"\xff\xff\"\n", &m),
		 -EUCLEAN);
}

static void test_disks(void)
{
	struct machine m;

	CHECK_OK(parse("scsi0.virtualDev = \"pvscsi\"\n"
		       "scsi0:0.present = \"TRUE\"\n"
		       "scsi0:0.fileName = \"web-000002.vmdk\"\n"
		       "scsi0:0.deviceType = \"scsi-hardDisk\"\n"
		       "scsi0:3.present = \"true\"\n"
		       "scsi0:3.fileName = \"/vmfs/volumes/5-6/o/data.vmdk\"\n"
		       "scsi0:3.mode = \"independent-nonpersistent\"\n"
		       "scsi0:3.sharing = \"multi-writer\"\n"
		       "scsi1.sharedBus = \"virtual\"\n"
		       "scsi1:0.present = \"TRUE\"\n"
		       "scsi1:0.deviceType = \"scsi-passthru-rdm\"\n"
		       "scsi1:0.fileName = \"lun.vmdk\"\n"
		       "ide1:0.present = \"TRUE\"\n"
		       "ide1:0.fileName = \"C:\\\\iso\\\\cd.ISO\"\n"
		       "ide1:1.present = \"FALSE\"\n"
		       "ide1:1.fileName = \"x.vmdk\"\n"
		       "sata0:1.present = \"TRUE\"\n"
		       "sata0:1.deviceType = \"atapi-cdrom\"\n"
		       "sata0:1.fileName = \"auto detect\"\n"
		       "nvme0:0.present = \"TRUE\"\n"
		       "nvme0:0.fileName = \"[ds one] web/n.vmdk\"\n"
		       "floppy0.present = \"TRUE\"\n"
		       "floppy0.fileName = \"a.flp\"\n"
		       "bios.hddOrder = \"nvme0:0,scsi0:0\"\n", &m));
	CHECK_EQ(m.n_disks, 7);
	CHECK(m.disks[0].snapshot && m.disks[0].bus == BUS_SCSI);
	CHECK_STR(m.disks[0].controller, "pvscsi");
	CHECK_STR(m.disks[0].path, "web-000002.vmdk");
	CHECK_STR(m.disks[0].format, "vmdk");
	CHECK_EQ(m.disks[0].boot_order, 2);
	CHECK_EQ(m.n_snapshots, 1);
	CHECK_EQ(m.disks[1].unit, 3);
	CHECK_STR(m.disks[1].path, "data.vmdk");
	CHECK_STR(m.disks[1].file, "/vmfs/volumes/5-6/o/data.vmdk");
	CHECK(m.disks[1].independent && m.disks[1].nonpersistent &&
	      m.disks[1].shareable && !m.disks[1].snapshot);
	CHECK(m.disks[2].raw_device && m.disks[2].shareable);
	CHECK_STR(m.disks[2].controller, "buslogic");
	CHECK(m.disks[3].bus == BUS_SATA && !m.disks[3].file &&
	      m.disks[3].medium == MEDIUM_CDROM);
	CHECK(m.disks[4].bus == BUS_IDE && m.disks[4].medium == MEDIUM_CDROM &&
	      m.disks[4].controller_index == 1);
	CHECK_STR(m.disks[4].path, "cd.ISO");
	CHECK_STR(m.disks[5].path, "n.vmdk");
	CHECK_EQ(m.disks[5].boot_order, 1);
	CHECK(m.disks[6].medium == MEDIUM_FLOPPY);
	CHECK(noted(&m, "disk-elsewhere"));
	machine_free(&m);
}

static void test_nics(void)
{
	struct machine m;

	CHECK_OK(parse("ethernet0.present = \"TRUE\"\n"
		       "ethernet0.virtualDev = \"vlance\"\n"
		       "ethernet0.addressType = \"generated\"\n"
		       "ethernet0.generatedAddress = \"00:0C:29:aa:bb:cc\"\n"
		       "ethernet0.address = \"00:50:56:00:00:01\"\n"
		       "ethernet1.present = \"TRUE\"\n"
		       "ethernet1.addressType = \"static\"\n"
		       "ethernet1.generatedAddress = \"00:0C:29:aa:bb:cc\"\n"
		       "ethernet1.address = \"00:50:56:00:00:01\"\n"
		       "ethernet1.networkName = \"VM Network\"\n"
		       "ethernet1.startConnected = \"FALSE\"\n"
		       "ethernet2.present = \"TRUE\"\n"
		       "ethernet2.connectionType = \"nat\"\n", &m));
	CHECK_EQ(m.n_nics, 3);
	CHECK_STR(m.nics[0].model, "pcnet");
	CHECK(!memcmp(m.nics[0].mac, "\0\x0c\x29\xaa\xbb\xcc", 6));
	CHECK(m.nics[0].kind == NIC_BRIDGE && !m.nics[0].disconnected);
	CHECK(!memcmp(m.nics[1].mac, "\0\x50\x56\0\0\1", 6));
	CHECK(m.nics[1].kind == NIC_NETWORK && m.nics[1].disconnected);
	CHECK_STR(m.nics[1].network, "VM Network");
	CHECK(m.nics[2].kind == NIC_NAT && !m.nics[2].has_mac);
	machine_free(&m);
	CHECK_OK(parse("ethernet0.present = \"TRUE\"\n"
		       "ethernet0.address = \"01:00:5e:00:00:01\"\n", &m));
	CHECK(!m.nics[0].has_mac && noted(&m, "mac-group"));
	machine_free(&m);
	CHECK_EQ(parse("ethernet0.present = \"TRUE\"\n"
		       "ethernet0.address = \"00:50:56\"\n", &m), -EUCLEAN);
	CHECK(strstr(e.text, "ethernet0") && strstr(e.text, "00:50:56"));
}

static void test_states(void)
{
	char text[MACHINE_UUID_LEN];
	struct machine m;

	CHECK_OK(parse("checkpoint.vmState = \"web.vmss\"\n"
		       "encryption.keySafe = \"vmware:key/x\"\n"
		       "firmware = \"efi\"\nuefi.secureBoot.enabled = \"TRUE\"\n"
		       "vtpm.present = \"TRUE\"\nnvram = \"web.nvram\"\n"
		       "uuid.bios = \"56 4d 12 23 f8 35 c4 b1-bb f6 e3 23 90 "
		       "d6 2b d3\"\nguestOS = \"windows9-64\"\n"
		       "sharedFolder0.present = \"TRUE\"\n"
		       "numvcpus = \"6\"\ncpuid.coresPerSocket = \"4\"\n", &m));
	CHECK(m.suspended && m.encrypted && m.secure_boot);
	CHECK_STR(m.suspend_file, "web.vmss");
	CHECK(m.firmware == FIRMWARE_UEFI && m.os == OS_WINDOWS);
	CHECK_STR(m.tpm, "2.0");
	CHECK_STR(m.arch, "x86_64");
	CHECK(m.has_uuid && m.uuid[0] == 0x56 && m.uuid[15] == 0xd3);
	CHECK(noted(&m, "vmx-shared-folder"));
	/* Six CPUs are no sockets of four. */
	CHECK(noted(&m, "cpu-topology") && !m.cores);
	machine_free(&m);
	/* As virt-v2v reads these of its own test-i-vmx-7. */
	CHECK_OK(parse("vm.genid = \"-802103094701856339\"\n"
		       "vm.genidX = \"-5104727847056752683\"\n", &m));
	CHECK(m.has_genid);
	CHECK_STR(machine_uuid_text(m.genid, text),
		  "2f0de9ad-5b7c-f4de-d53f-23b1115d28b9");
	machine_free(&m);
	CHECK_OK(parse("checkpoint.vmState = \"\"\nnumvcpus = \"8\"\n"
		       "cpuid.coresPerSocket = \"4\"\n", &m));
	CHECK(!m.suspended && m.sockets == 2 && m.cores == 4 && m.threads == 1);
	machine_free(&m);
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"memsize = \"-1\"\n", "memsize = \"1e3\"\n", "memsize = \"0\"\n",
		"memsize = \"99999999999999999999\"\n", "numvcpus = \"0\"\n",
		"numvcpus = \"5000\"\n", "cpuid.coresPerSocket = \"x\"\n",
	};
	size_t len = 100u << 20;
	struct machine m;
	char *large;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(parse(bad[i], &m), -EUCLEAN);
		CHECK(strstr(e.text, "dir/web.vmx") && strstr(e.text, "must"));
		CHECK(!m.name && !m.notes.n);
	}
	CHECK_EQ(parse("firmware = \"coreboot\"\n", &m), -ENOTSUP);
	CHECK_EQ(parse("", &m), -EUCLEAN);
	CHECK_EQ(machine_parse("a\0b", 3, "x", NULL, &m, &e), -ENOTSUP);
	large = calloc(1, len + 1);
	CHECK(large);
	memset(large, '\n', len);
	CHECK_EQ(machine_parse(large, len, "x.vmx", NULL, &m, &e), -EFBIG);
	CHECK(strstr(e.text, "104857600") && strstr(e.text, "at most"));
	free(large);
}

static void put(const char *name, const char *text, size_t len)
{
	FILE *f = fopen(name, "w");

	CHECK(f && fwrite(text, 1, len, f) == len && !fclose(f));
}

/* What note has this code? */
static const char *note(const struct machine *m, const char *code)
{
	for (size_t i = 0; i < m->notes.n; i++)
		if (!strcmp(m->notes.list[i].code, code))
			return m->notes.list[i].text;
	return "";
}

/* The list of snapshots beside the .vmx is told of, whatever is in it. */
static void test_snapshots(void)
{
	static const char vmx[] = "displayName = \"x\"\n";
	static const struct {
		const char *vmsd, *code, *text;
		unsigned n;
	} cases[] = {
		{ "snapshot.numSnapshots = \"1\"\nsnapshot0.displayName = "
		  "\"before\"\n", "vmx-snapshots", "There is 1 snapshot "
		  "(\"before\"); the disks are taken as they are now, and "
		  "snapshots are not carried over.", 1 },
		{ ".encoding = \"UTF-8\"\nsnapshot.numSnapshots = \"9\"\n"
		  "snapshot0.displayName = \"a\"\nsnapshot2.displayName = "
		  "\"b\"\n", "vmx-snapshots", "There are 9 snapshots (\"a\", "
		  "\"b\", ...); the disks are taken as they are now, and "
		  "snapshots are not carried over.", 9 },
		{ "snapshot.numSnapshots = \"0\"\n", "vmx-snapshots", "", 0 },
		{ "snapshot.numSnapshots = \"99999999\"\n", "vmx-snapshots", "",
		  0 },
		{ "", "vmx-snapshots", "", 0 },
		{ "what\n", "vmx-line", "", 0 },
		{ ".encoding = \"klingon\"\n", "vmsd-unreadable", "The list of "
		  "snapshots, 'x.vmsd', is not understood: ", 0 },
	};
	struct machine m;

	put("x.vmx", vmx, strlen(vmx));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("x.vmsd", cases[i].vmsd, strlen(cases[i].vmsd));
		CHECK_OK(machine_read("x.vmx", NULL, &m, &e));
		CHECK_EQ(m.n_snapshots, cases[i].n);
		CHECK(!strncmp(note(&m, cases[i].code), cases[i].text,
			       strlen(cases[i].text)));
		CHECK(*cases[i].text || !*note(&m, cases[i].code));
		machine_free(&m);
	}
	put("x.vmsd", "a\0b", 3);
	CHECK_OK(machine_read("x.vmx", NULL, &m, &e));
	CHECK(strstr(note(&m, "vmsd-unreadable"), "no text"));
	machine_free(&m);
	CHECK(!unlink("x.vmsd") && !mkfifo("x.vmsd", 0600));
	CHECK_OK(machine_read("x.vmx", NULL, &m, &e));
	CHECK(!m.notes.n);
	machine_free(&m);
}

int main(void)
{
	scratch_enter();
	test_snapshots();
	test_lines();
	test_encodings();
	test_disks();
	test_nics();
	test_states();
	test_bad();
	return 0;
}
