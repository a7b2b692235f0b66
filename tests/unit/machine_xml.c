/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_xml.c - OVF descriptors and libvirt's domains: units, references,
 * choices, and XML that attacks.
 */
#include <errno.h>
#include <unistd.h>

#include "convert/machine/formats.h"
#include "imgfmt/base/buf.h"
#include "tests/check.h"
#include "tests/lib/scratch.h"

static struct err e;

static int parse(const char *text, const struct machine_read_args *args,
		 struct machine *m)
{
	e.text[0] = 0;
	return machine_parse(text, strlen(text), "dir/web.ovf", args, m, &e);
}

static bool noted(const struct machine *m, const char *code)
{
	for (size_t i = 0; i < m->notes.n; i++)
		if (!strcmp(m->notes.list[i].code, code))
			return true;
	return false;
}

#define ITEM(id, type, more) \
	"<Item><r:InstanceID>" #id "</r:InstanceID><r:ResourceType>" #type \
	"</r:ResourceType>" more "</Item>"
#define OVF_HEAD "<Envelope xmlns='http://schemas.dmtf.org/ovf/envelope/1' " \
	"xmlns:ovf='http://schemas.dmtf.org/ovf/envelope/1' xmlns:r='r' " \
	"xmlns:v='v'>"

/* A system of one disk, with these attributes of Disk and File, and more items. */
static char *ovf(const char *file, const char *disk, const char *items)
{
	char *text = str_printf(OVF_HEAD "<References><File ovf:id='f' %s/>"
		"</References><DiskSection><Disk ovf:diskId='d' "
		"ovf:fileRef='f' %s/></DiskSection><VirtualSystem ovf:id='s'>"
		"<VirtualHardwareSection>"
		ITEM(3, 6, "<r:Address>1</r:Address><r:ResourceSubType>"
		     "VirtualSCSI</r:ResourceSubType>")
		ITEM(4, 17, "<r:Parent>3</r:Parent><r:AddressOnParent>2"
		     "</r:AddressOnParent><r:HostResource>ovf:/disk/d"
		     "</r:HostResource>")
		"%s</VirtualHardwareSection></VirtualSystem></Envelope>",
		file, disk, items);

	CHECK(text);
	return text;
}

static int parse_ovf(const char *file, const char *disk, const char *items,
		     struct machine *m)
{
	char *text = ovf(file, disk, items);
	int rc = parse(text, NULL, m);

	free(text);
	return rc;
}

static void test_capacity(void)
{
	static const struct {
		const char *attributes;
		uint64_t size;
	} good[] = {
		{ "ovf:capacity='512'", 512 },
		{ "ovf:capacity='2' ovf:capacityAllocationUnits='byte * 2^30'",
		  UINT64_C(2) << 30 },
		{ "ovf:capacity='3' ovf:capacityAllocationUnits='MegaBytes'",
		  3 << 20 },
		{ "ovf:capacity='4' ovf:capacityAllocationUnits='GB'",
		  UINT64_C(4) << 30 },
		{ "ovf:capacity='5' ovf:capacityAllocationUnits='byte'", 5 },
		{ "", 0 },
	};
	static const char *const bad[] = {
		"ovf:capacity='x'", "ovf:capacity='-5'",
		"ovf:capacity='99' ovf:capacityAllocationUnits='byte * 2^63'",
		"ovf:capacity='1' ovf:capacityAllocationUnits='acres'",
		"ovf:capacity='9' ovf:capacityAllocationUnits='byte * 2^999'",
		"ovf:capacity='9' ovf:capacityAllocationUnits='byte * 7^2'",
	};
	struct machine m;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK_OK(parse_ovf("ovf:href='a.vmdk'", good[i].attributes, "",
				   &m));
		CHECK_EQ(m.disks[0].size, good[i].size);
		machine_free(&m);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(parse_ovf("ovf:href='a'", bad[i], "", &m), -EUCLEAN);
		CHECK(strstr(e.text, "capacity"));
	}
}

static void test_references(void)
{
	static const char *const outside[] = {
		"ovf:href='../a.vmdk'", "ovf:href='b/../../a.vmdk'",
		"ovf:href='/etc/passwd'", "ovf:href='..'",
		"ovf:href='b\\..\\a'", "ovf:href='%2e%2e/a'",
	};
	struct machine m;

	CHECK_OK(parse_ovf("ovf:href='a%20b&amp;..c.vmdk' "
			   "ovf:compression='gzip'",
			   "ovf:capacity='9' ovf:parentRef='p'", "", &m));
	CHECK_STR(m.disks[0].member, "a b&..c.vmdk");
	CHECK(m.disks[0].compressed && m.disks[0].snapshot);
	CHECK(!m.disks[0].path && m.disks[0].unit == 2);
	CHECK(m.disks[0].bus == BUS_SCSI && m.disks[0].controller_index == 1);
	CHECK_STR(m.disks[0].controller, "pvscsi");
	CHECK(noted(&m, "ovf-parent"));
	machine_free(&m);
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		CHECK_EQ(parse_ovf(outside[i], "", "", &m), -EPERM);
		CHECK(strstr(e.text, "folder"));
	}
	CHECK_OK(parse_ovf("ovf:href='http://x/a.vmdk'", "", "", &m));
	CHECK(!m.disks[0].member && noted(&m, "disk-remote"));
	CHECK_EQ(machine_open_disk(&m, 0, 0, NULL, NULL, &e), -ENOTSUP);
	machine_free(&m);
	CHECK_EQ(parse_ovf("", "", "", &m), -EUCLEAN);
	/* A disk that is not listed. */
	CHECK_EQ(parse_ovf("ovf:href='a'", "", ITEM(9, 17, "<r:HostResource>"
			   "ovf:/disk/zz</r:HostResource>"), &m), -EUCLEAN);
	CHECK(strstr(e.text, "zz"));
}

static void test_items(void)
{
	struct machine m;

	CHECK_OK(parse_ovf("ovf:href='a'", "ovf:capacity='1'",
		ITEM(1, 3, "<r:VirtualQuantity>4</r:VirtualQuantity>"
		     "<v:CoresPerSocket>2</v:CoresPerSocket>")
		ITEM(2, 4, "<r:AllocationUnits>byte * 2^20</r:AllocationUnits>"
		     "<r:VirtualQuantity>300</r:VirtualQuantity>")
		ITEM(5, 10, "<r:Connection>NAT</r:Connection><r:Address>"
		     "00:0c:29:01:02:03</r:Address><r:ResourceSubType>"
		     "VmxNet3 E1000</r:ResourceSubType>")
		ITEM(6, 15, "<r:Parent>3</r:Parent>"
		     "<r:AddressOnParent>2</r:AddressOnParent>")
		"<v:Config v:key='firmware' v:value='efi'/>", &m));
	CHECK(m.n_cpus == 4 && m.cores == 2 && m.sockets == 2);
	CHECK_EQ(m.memory, 300 << 20);
	CHECK(m.nics[0].kind == NIC_NAT && m.nics[0].mac[5] == 3);
	CHECK_STR(m.nics[0].model, "vmxnet3");
	CHECK(m.firmware == FIRMWARE_UEFI);
	/* The drive is where the disk is, and moves. */
	CHECK(noted(&m, "disk-place-taken") && m.disks[1].unit == 3);
	machine_free(&m);
	CHECK_EQ(parse_ovf("ovf:href='a'", "", ITEM(1, 3,
		"<r:VirtualQuantity>0</r:VirtualQuantity>"), &m), -EUCLEAN);
	CHECK_EQ(parse_ovf("ovf:href='a'", "", ITEM(1, 4,
		"<r:AllocationUnits>GigaBytes</r:AllocationUnits>"
		"<r:VirtualQuantity>99999999999</r:VirtualQuantity>"), &m),
		 -EUCLEAN);
}

static void test_choices(void)
{
	static const char two[] = OVF_HEAD "<VirtualSystemCollection "
		"ovf:id='c'><VirtualSystem ovf:id='one'><Name>First</Name>"
		"<VirtualHardwareSection/></VirtualSystem>"
		"<VirtualSystem ovf:id='two'><VirtualHardwareSection>"
		"<Item ovf:configuration='small'><r:InstanceID>1</r:InstanceID>"
		"<r:ResourceType>3</r:ResourceType><r:VirtualQuantity>2"
		"</r:VirtualQuantity></Item>"
		"<Item ovf:configuration='large huge'><r:InstanceID>1"
		"</r:InstanceID><r:ResourceType>3</r:ResourceType>"
		"<r:VirtualQuantity>8</r:VirtualQuantity></Item>"
		"</VirtualHardwareSection></VirtualSystem>"
		"</VirtualSystemCollection><DeploymentOptionSection>"
		"<Configuration ovf:id='large'/><Configuration ovf:id='small' "
		"ovf:default='true'/></DeploymentOptionSection></Envelope>";
	struct machine_read_args args = { 0 };
	struct machine m;

	CHECK_EQ(parse(two, &args, &m), -EINVAL);
	CHECK(strstr(e.text, "one (1), two (2)"));
	args.system = "three";
	CHECK_EQ(parse(two, &args, &m), -ENOENT);
	args.system = "First";
	CHECK_OK(parse(two, &args, &m));
	CHECK_STR(m.name, "First");
	machine_free(&m);
	args.system = "2";
	CHECK_OK(parse(two, &args, &m));
	CHECK_STR(m.name, "two");
	CHECK_EQ(m.n_cpus, 2);
	machine_free(&m);
	args.configuration = "huge";
	CHECK_OK(parse(two, &args, &m));
	CHECK_EQ(m.n_cpus, 8);
	machine_free(&m);
}

/* A billion laughs, a file of the host's, a DTD elsewhere. */
/* VMware's order of boot devices: known when all that it names are. */
static void check_boot(const char *attributes, unsigned disk, unsigned nic,
		       bool known)
{
	char *text = ovf("ovf:href='a.vmdk'", "ovf:capacity='512'",
			 ITEM(7, 10, "<r:Connection>n</r:Connection>")
			 ITEM(9, 20, "")), *end = strstr(text, "</VirtualSystem>");
	char *more = str_printf("%.*s<v:BootOrderSection %s><Info/>"
				"</v:BootOrderSection>%s", (int)(end - text), text,
				attributes, end);
	struct machine m;

	CHECK_OK(parse(more, NULL, &m));
	CHECK_EQ(m.disks[0].boot_order, disk);
	CHECK_EQ(m.nics[0].boot_order, nic);
	CHECK(noted(&m, "ovf-boot-order") == !known);
	machine_free(&m);
	free(more);
	free(text);
}

static void test_boot_order(void)
{
	check_boot("v:instanceId='4' v:type='disk'", 1, 0, true);
	check_boot("v:instanceId='7  4 7' v:type='net disk net'", 2, 1, true);
	check_boot("v:instanceId='5 4'", 1, 0, false);
	check_boot("v:instanceId='9 4'", 1, 0, false);
	check_boot("v:instanceId=' '", 0, 0, true);
	check_boot("v:instanceId=''", 0, 0, false);
	check_boot("v:type='disk'", 0, 0, false);
}

static void test_attacks(void)
{
	static const char *const attacks[] = {
		"<!DOCTYPE Envelope [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>"
		"<!ENTITY c '&b;&b;&b;'>]><Envelope>&c;</Envelope>",
		"<!DOCTYPE Envelope [<!ENTITY a SYSTEM 'secret'>]>"
		"<Envelope><VirtualSystem id='&a;'/></Envelope>",
		"<!DOCTYPE Envelope SYSTEM 'http://127.0.0.1:1/x.dtd'>"
		"<Envelope/>",
		"<!DOCTYPE domain [<!ENTITY % p SYSTEM 'secret'>%p;]>"
		"<domain type='kvm'/>",
	};
	struct machine m;
	FILE *f = fopen("secret", "w");

	CHECK(f && fputs("<x/>", f) >= 0 && !fclose(f));
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		CHECK_EQ(parse(attacks[i], NULL, &m), -ENOTSUP);
		CHECK(strstr(e.text, "DOCTYPE"));
	}
	CHECK_EQ(parse("<Envelope>&nbsp;</Envelope>", NULL, &m), -EUCLEAN);
	CHECK_EQ(parse("<Envelope><a></Envelope>", NULL, &m), -EUCLEAN);
	CHECK(strstr(e.text, "line 1"));
	CHECK_EQ(parse("<Envelope/>", NULL, &m), -ENOTSUP);
	CHECK_EQ(parse("<html/>", NULL, &m), -ENOTSUP);
}

/* Elements in elements, as many as fit: refused, not followed down. */
static void test_depth(void)
{
	static const char open[] = "<VirtualSystemCollection>";
	size_t n = 100000, len = sizeof(open) - 1;
	char *text = malloc(n * len + 20);
	struct machine m;

	CHECK(text);
	memcpy(text, "<Envelope>", 10);
	for (size_t i = 0; i < n; i++)
		memcpy(text + 10 + i * len, open, len);
	text[10 + n * len] = 0;
	CHECK_EQ(parse(text, NULL, &m), -EUCLEAN);
	free(text);
}

static void test_domain(void)
{
	static const char text[] = "<domain type='kvm'><name>a</name>"
		"<memory unit='GiB'>2</memory><vcpu>4</vcpu><os><type "
		"arch='x86_64' machine='pc-q35-7.2'>hvm</type><loader "
		"type='pflash' secure='yes'>/x</loader><boot dev='hd'/></os>"
		"<clock offset='localtime'/><devices>"
		"<disk type='file' device='disk'><source file='/a.qcow2'/>"
		"<target dev='sdc' bus='scsi'/></disk>"
		"<disk type='file' device='disk'><driver type='qcow2'/>"
		"<source file='b'/><target dev='vdb' bus='virtio'/></disk>"
		"<disk type='network' device='disk'><source protocol='rbd' "
		"name='pool/x'/><target dev='vdc'/></disk>"
		"<disk type='block' device='disk'><source dev='/dev/sda'/>"
		"<target dev='hdb' bus='ide'/></disk>"
		"<interface type='bridge'><mac address='52:54:00:00:00:01'/>"
		"<source bridge='br0'/><model type='virtio'/></interface>"
		"<hostdev mode='subsystem'/></devices></domain>";
	struct img_resolver resolver = img_resolve_in_folder(NULL);
	struct machine m;
	struct img *img;

	CHECK_OK(parse(text, NULL, &m));
	CHECK_EQ(m.memory, UINT64_C(2) << 30);
	CHECK(m.chipset == CHIPSET_Q35 && m.firmware == FIRMWARE_UEFI &&
	      m.secure_boot && m.localtime);
	CHECK_EQ(m.disks[0].boot_order, 1);
	CHECK(m.disks[0].unit == 2 && m.disks[1].unit == 1);
	/* Without a format it is raw only where the name says no other. */
	CHECK_STR(m.disks[0].format, "qcow2");
	CHECK(!m.disks[2].path && noted(&m, "disk-remote"));
	CHECK(m.disks[3].raw_device && m.disks[3].bus == BUS_IDE &&
	      m.disks[3].unit == 1);
	CHECK(m.nics[0].kind == NIC_BRIDGE && noted(&m, "host-device"));
	/* Out of the folder only with leave. */
	CHECK_EQ(machine_open_disk(&m, 0, 0, &resolver, &img, &e), -EPERM);
	CHECK_EQ(machine_open_disk(&m, 2, 0, &resolver, &img, &e), -ENOTSUP);
	CHECK_EQ(machine_open_disk(&m, 3, 0, &resolver, &img, &e), -ENOTSUP);
	machine_free(&m);
	CHECK_EQ(parse("<domain><memory unit='furlong'>1</memory></domain>",
		       NULL, &m), -EUCLEAN);
	CHECK_EQ(parse("<domain><uuid>1-2</uuid></domain>", NULL, &m), -EUCLEAN);
}

int main(void)
{
	scratch_enter();
	test_capacity();
	test_references();
	test_items();
	test_choices();
	test_boot_order();
	test_attacks();
	test_depth();
	test_domain();
	return 0;
}
