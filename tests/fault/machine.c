/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine.c - descriptions are read, changed and written while one allocation
 * after the other fails: out of memory, and nothing is left behind.
 */
#include <errno.h>

#include "convert/machine/formats.h"
#include "tests/check.h"
#include "tests/lib/alloc.h"

static const char vmx[] =
	".encoding = \"windows-1252\"\n"
	"displayName = \"a\xe9\"\nguestOS = \"debian11-64\"\n"
	"memsize = \"512\"\nnumvcpus = \"3\"\ncpuid.coresPerSocket = \"2\"\n"
	"numvcpus = \"2\"\nscsi0.virtualDev = \"pvscsi\"\n"
	"scsi0:0.present = \"TRUE\"\n"
	"scsi0:0.fileName = \"/vmfs/volumes/x/a.vmdk\"\n"
	"floppy0.present = \"TRUE\"\nethernet0.present = \"TRUE\"\n"
	"ethernet0.address = \"00:0c:29:01:02:03\"\n"
	"ethernet0.virtualDev = \"e1000\"\nserial0.present = \"TRUE\"\n"
	"serial0.fileType = \"file\"\nserial0.fileName = \"s\"\n"
	"sound.present = \"TRUE\"\nusb.present = \"TRUE\"\n"
	"checkpoint.vmState = \"a.vmss\"\nsharedFolder0.present = \"TRUE\"\n";

static const char ovf[] =
	"<Envelope xmlns:r='r'><References><File id='f' href='a.vmdk'/>"
	"</References><DiskSection><Disk diskId='d' fileRef='f' "
	"capacity='1024'/></DiskSection><VirtualSystem id='s'>"
	"<OperatingSystemSection id='96' osType='debian10_64Guest'/>"
	"<VirtualHardwareSection><System><VirtualSystemType>vmx-13"
	"</VirtualSystemType></System><Item><r:InstanceID>1</r:InstanceID>"
	"<r:ResourceType>6</r:ResourceType></Item><Item><r:InstanceID>2"
	"</r:InstanceID><r:ResourceType>17</r:ResourceType><r:Parent>1"
	"</r:Parent><r:HostResource>ovf:/disk/d</r:HostResource></Item>"
	"<Item><r:InstanceID>3</r:InstanceID><r:ResourceType>10"
	"</r:ResourceType><r:Connection>nat</r:Connection></Item>"
	"</VirtualHardwareSection><Machine uuid='{1}'><Hardware><Network>"
	"<Adapter enabled='true' MACAddress='0800272AFB4E'><NAT/></Adapter>"
	"</Network></Hardware></Machine></VirtualSystem></Envelope>";

static const char domain[] =
	"<domain type='kvm'><name>d</name><memory>1048576</memory><vcpu>2"
	"</vcpu><cpu mode='host-model'/><os><type arch='x86_64' machine='pc'>"
	"hvm</type><boot dev='hd'/></os><devices><disk type='file' "
	"device='disk'><driver type='qcow2'/><source file='a'/><target "
	"dev='sda' bus='scsi'/><serial>s</serial></disk><controller "
	"type='scsi' index='0' model='lsilogic'/><interface type='network'>"
	"<source network='n'/></interface><serial type='pty'/><hostdev/>"
	"<video><model type='vga'/></video></devices></domain>";

static const char json[] =
	"{\"machine\":1,\"name\":\"j\",\"n_cpus\":2,\"memory\":1048576,"
	"\"disks\":[{\"bus\":\"ide\",\"path\":\"a\",\"size\":9}],"
	"\"nics\":[{\"model\":\"e1000\"}],\"serials\":[{\"kind\":\"pty\"}],"
	"\"more\":1,\"notes\":[{\"code\":\"a\",\"text\":\"b\"}]}";

/* All of it, or -errno. */
static int run(const char *text, const char *format)
{
	static const char *const kinds[] = {
		"libvirt", "proxmox", "ovf", "vmm", "json",
	};
	struct machine_read_args args = { .format = format };
	struct machine_notes losses = { 0 };
	struct machine m, copy;
	struct err e = { "" };
	int rc;

	rc = machine_parse(text, strlen(text), "x", &args, &m, &e);
	if (rc) {
		CHECK(e.text[0] && !m.name && !m.disks);
		return rc;
	}
	rc = machine_copy(&m, &copy, &e);
	machine_free(&m);
	if (rc)
		return rc;
	/* OVF has to say it. */
	for (size_t i = 0; i < copy.n_disks; i++)
		copy.disks[i].size = 1 << 20;
	rc = machine_make_virtio(&copy, &losses, &e);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !rc; i++) {
		struct machine_output out;

		rc = machine_write(kinds[i], &copy, NULL, &out, &e);
		machine_output_free(&out);
	}
	machine_notes_free(&losses);
	machine_free(&copy);
	return rc;
}

static void every_allocation(const char *text, const char *format)
{
	uint64_t n;

	alloc_fail(0);
	CHECK_EQ(run(text, format), 0);
	n = alloc_fail(0);
	CHECK(n > 20);
	for (uint64_t i = 1; i <= n; i++) {
		int rc;

		alloc_fail(i);
		rc = run(text, format);
		alloc_fail(0);
		if (rc != -ENOMEM) {
			fprintf(stderr, "%s: allocation %llu of %llu failed: "
				"%d\n", format, (unsigned long long)i,
				(unsigned long long)n, rc);
			exit(1);
		}
	}
}

int main(void)
{
	every_allocation(vmx, "vmx");
	every_allocation(ovf, "ovf");
	every_allocation(domain, "libvirt");
	every_allocation(json, "json");
	return 0;
}
