/* SPDX-License-Identifier: GPL-2.0-or-later */
/* machine_mutated.c - descriptions of every kind with bytes changed, cut out,
 * doubled and moved: read or refused, and what is read can be written and read
 * again.  And a few that are made to take long.
 */
#include <errno.h>

#include "convert/machine/formats.h"
#include "imgfmt/base/buf.h"
#include "tests/check.h"
#include "tests/lib/fuzzmachine.h"
#include "tests/lib/machinegen.h"

#define SEEDS 12u
#define MUTATIONS 250u

static uint64_t state = 1;

static size_t pick(size_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return n ? (size_t)(state >> 33) % n : 0;
}

/* A line of VMX for each thing that its reader looks at. */
static char *vmx_of(const struct machine *m)
{
	return str_printf("displayName = \"%s\"\nmemsize = \"%u\"\n"
			  "scsi0.virtualDev = \"pvscsi\"\n"
			  "scsi0:%zu.present = \"TRUE\"\n"
			  "scsi0:%zu.fileName = \"a-000001.vmdk\"\n"
			  "ethernet%zu.present = \"TRUE\"\n"
			  "ethernet%zu.address = \"00:0c:29:01:02:03\"\n"
			  "firmware = \"efi\"\nnumvcpus = \"%u\"\n"
			  "cpuid.coresPerSocket = \"%u\"\n"
			  "serial0.present = \"TRUE\"\n"
			  "ide1:0.present = \"TRUE\"\n"
			  "ide1:0.deviceType = \"cdrom-image\"\n"
			  "ide1:0.fileName = \"[ds] b/c.iso\"\n", m->name,
			  (unsigned)(m->memory >> 20), m->n_disks, m->n_disks,
			  m->n_nics, m->n_nics, m->n_cpus, m->cores);
}

/* One change; the length afterwards.  There is room for twice as much. */
static size_t mutate(char *text, size_t len)
{
	size_t at = pick(len), n = 1 + pick(40), to = pick(len);

	n = n > len - at ? len - at : n;
	switch (pick(5)) {
	case 0:
		text[at] = (char)pick(256);
		return len;
	case 1:
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	case 2:
		memmove(text + at + n, text + at, len - at);
		return len + n;
	case 3:
		n = n > len - to ? len - to : n;
		memmove(text + at, text + to, n > len - at ? len - at : n);
		return len;
	default:
		text[at] = "<>\"'&;=|0-\n"[pick(11)];
		return len;
	}
}

static void hurt(const char *text, const char *format)
{
	size_t len = strlen(text);
	char *copy = malloc(2 * len + 200);

	CHECK(copy);
	for (unsigned i = 0; i < MUTATIONS; i++) {
		size_t now = len;

		memcpy(copy, text, len);
		for (size_t k = 1 + pick(3); k && now; k--)
			now = mutate(copy, now);
		fuzz_machine((uint8_t *)copy, now, format);
	}
	free(copy);
}

static void all_kinds(void)
{
	static const char *const kinds[] = { "libvirt", "ovf", "json" };
	struct machine_output out;
	struct err e = { "" };
	struct machine m;
	char *vmx;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		machine_random(seed, false, &m);
		for (size_t i = 0; i < 3; i++) {
			CHECK_OK(machine_write(kinds[i], &m, NULL, &out, &e));
			hurt(out.files[0].text, kinds[i]);
			machine_output_free(&out);
		}
		vmx = vmx_of(&m);
		CHECK(vmx);
		hurt(vmx, "vmx");
		free(vmx);
		machine_free(&m);
	}
}

/* `n` times `part`, between two others. */
static char *many(const char *before, const char *part, size_t n,
		  const char *after)
{
	size_t len = strlen(part), at = strlen(before);
	char *text = malloc(at + n * len + strlen(after) + 1);

	CHECK(text);
	memcpy(text, before, at);
	for (; n; n--, at += len)
		memcpy(text + at, part, len);
	memcpy(text + at, after, strlen(after) + 1);
	return text;
}

static void bounded(const char *format, char *text)
{
	struct machine_read_args args = { .format = format };
	struct err e = { "" };
	struct machine m;

	CHECK(text);
	if (!machine_parse(text, strlen(text), "x", &args, &m, &e)) {
		CHECK(m.n_disks <= 512 && m.notes.n <= 500);
		machine_free(&m);
	} else {
		CHECK(e.text[0]);
	}
	free(text);
}

static void long_ones(void)
{
	char *properties = many("", "<Property key='k'/>", 90000, "");
	char *before = str_printf("<Envelope><DiskSection>%s",
				  "<Disk diskId='d' capacity='${z}'/>");
	char *after = str_printf("</DiskSection><VirtualSystem id='s'>"
				 "<ProductSection>%s</ProductSection>"
				 "<VirtualHardwareSection/></VirtualSystem>"
				 "</Envelope>", properties);

	CHECK(properties && before && after);
	bounded("ovf", many(before, "<Disk capacity='${y}'/>", 60000, after));
	free(properties);
	free(before);
	free(after);
	bounded("vmx", many("memsize = \"32\"\n", "?\n", 2000000, ""));
	bounded("vmx", many("", "a = \"1\"\na = \"2\"\n", 200000, ""));
	bounded("ovf", many("<Envelope><VirtualSystem><VirtualHardwareSection>",
			    "<Item><ResourceType>17</ResourceType></Item>",
			    80000, "</VirtualHardwareSection></VirtualSystem>"
			    "</Envelope>"));
	bounded("libvirt", many("<domain><devices>", "<disk/><controller/>",
				100000, "</devices></domain>"));
	bounded("json", many("{\"machine\":1,\"disks\":", "[", 100000, ""));
	bounded("json", many("{\"machine\":1,\"disks\":[{}", ",{}", 100000,
			     "]}"));
}

int main(void)
{
	all_kinds();
	long_ones();
	return 0;
}
