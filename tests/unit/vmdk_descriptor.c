/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_descriptor.c - descriptors: what is understood of them, and what we
 * write is understood again.
 */
#include <errno.h>

#include "imgfmt/vmdk/vmdk.h"
#include "tests/check.h"

static struct err e;

static int parse(const char *text, struct vmdk_descriptor *d)
{
	return vmdk_descriptor_parse((const uint8_t *)text, strlen(text), "t",
				     d, &e);
}

static void spellings(void)
{
	static const char text[] =
		"# Disk DescriptorFile\r\n"
		"Version = 3\r\n"
		"\t cid=00abCDef \r\n"
		"PARENTcid =\"12345678\"\r\n"
		"isNativeSnapshot=\"no\"\r\n"
		"CREATETYPE = \"2GbMaxExtentSparse\"\r\n"
		"parentfilenamehint=\"a=b \"\r\n"
		"some words of no meaning\r\n"
		"# RW 5 ZERO\r\n"
		"\trw  4192256\tSparse  \"test s001.vmdk\"\r\n"
		"RDONLY 1 FLAT plain.vmdk 77\r\n"
		"NOACCESS 2 zero\r\n"
		"RW 3 VMFSRDM \"x\" 0 partitionUUID dev\r\n"
		"DDB.adapterType=\"ide\"\r\n"
		"ddb.empty = \"\"";
	struct vmdk_descriptor d;

	CHECK(vmdk_descriptor_probe((const uint8_t *)text, sizeof(text) - 1));
	CHECK_OK(parse(text, &d));
	CHECK_EQ(d.version, 3);
	CHECK_EQ(d.cid, 0x00abcdef);
	CHECK_EQ(d.parent_cid, 0x12345678);
	CHECK_STR(d.create_type, "2GbMaxExtentSparse");
	CHECK(vmdk_create_type_is(&d, "twoGbMaxExtentSparse"));
	CHECK(!vmdk_create_type_is(&d, "monolithicSparse"));
	CHECK_STR(d.parent_hint, "a=b ");
	CHECK_EQ(d.n_extents, 4);
	CHECK_EQ(d.extents[0].type, VMDK_EXT_SPARSE);
	CHECK_EQ(d.extents[0].sectors, 4192256);
	CHECK_STR(d.extents[0].name, "test s001.vmdk");
	CHECK(!d.extents[0].has_offset);
	CHECK_EQ(d.extents[1].access, VMDK_RDONLY);
	CHECK_STR(d.extents[1].name, "plain.vmdk");
	CHECK_EQ(d.extents[1].offset_sectors, 77);
	CHECK_EQ(d.extents[2].access, VMDK_NOACCESS);
	CHECK(!d.extents[2].name);
	CHECK_EQ(d.extents[3].type, VMDK_EXT_VMFSRDM);
	CHECK_EQ(d.n_keys, 3);
	CHECK_STR(vmdk_key_get(&d, "ddb.ADAPTERTYPE"), "ide");
	CHECK_STR(vmdk_key_get(&d, "ddb.empty"), "");
	CHECK(!vmdk_key_get(&d, "ddb.other"));
	/* Where to patch the content ID. */
	CHECK_EQ(d.cid_digits, 8);
	CHECK(!strncmp(text + d.cid_at, "00abCDef", 8));
	vmdk_descriptor_free(&d);
}

static void bad(const char *text, const char *say)
{
	struct vmdk_descriptor d;

	CHECK_EQ(parse(text, &d), -EUCLEAN);
	vmdk_descriptor_free(&d);
	if (!strstr(e.text, say)) {
		fprintf(stderr, "'%s' does not say '%s'\n", e.text, say);
		exit(1);
	}
}

static void refusals(void)
{
	bad("version=x", "line 1");
	bad("\n\nCID=123456789", "line 3");
	bad("CID=", "content ID");
	bad("parentCID=xyz", "content ID");
	bad("RW", "size");
	bad("RW 99999999999999999999999 ZERO", "size");
	bad("RW 18014398509481984 ZERO", "size");
	bad("RW 1 SPARSER \"x\"", "type");
	bad("RW 1 SPARSE", "file name");
	bad("RW 1 SPARSE \"\"", "file name");
	bad("RW 1 FLAT \"x\" -1", "offset");
	bad("RW 18014398509481983 ZERO\nRW 1 ZERO", "2^63");
}

/* Not one: raw disks that begin with text, of all sorts. */
static void no_descriptors(void)
{
	static const char *const no[] = {
		"", "#!/bin/sh\necho", "# Disk\nfoo=bar\n", "version 1\n",
		"KDMV", "\xff\xfe", "\xff\xfe#\0 \0",
	};

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		CHECK(!vmdk_descriptor_probe((const uint8_t *)no[i],
					     strlen(no[i])));
}

static void written(void)
{
	struct vmdk_descriptor d = {
		.version = 1, .cid = 0xfffffffe, .parent_cid = VMDK_CID_NONE,
	}, again;
	char *text;

	d.create_type = strdup("custom");
	CHECK_EQ(vmdk_key_set(&d, "ddb.adapterType", "ide"), 0);
	CHECK_EQ(vmdk_key_set(&d, "isNativeSnapshot", "no"), 0);
	CHECK_EQ(vmdk_key_set(&d, "DDB.adaptertype", "lsilogic"), 0);
	CHECK_EQ(vmdk_extent_add(&d, VMDK_RW, 10, VMDK_EXT_FLAT, "a b"), 0);
	d.extents[0].has_offset = true;
	CHECK_EQ(vmdk_extent_add(&d, VMDK_RDONLY, 20, VMDK_EXT_ZERO, NULL), 0);
	text = vmdk_descriptor_text(&d);
	CHECK_STR(text, "# Disk DescriptorFile\nversion=1\nCID=fffffffe\n"
		  "parentCID=ffffffff\nisNativeSnapshot=\"no\"\n"
		  "createType=\"custom\"\n\n# Extent description\n"
		  "RW 10 FLAT \"a b\" 0\nRDONLY 20 ZERO\n\n"
		  "# The Disk Data Base \n#DDB\n\n"
		  "ddb.adapterType = \"lsilogic\"\n");
	CHECK_OK(parse(text, &again));
	CHECK_EQ(again.n_extents, 2);
	CHECK_STR(again.extents[0].name, "a b");
	CHECK_EQ(again.n_keys, 2);
	vmdk_descriptor_free(&again);
	vmdk_descriptor_free(&d);
	free(text);
}

static void to_utf8(const char *text, const char *encoding, const char *want)
{
	char *got = vmdk_to_utf8(text, strlen(text), encoding);

	CHECK_STR(got, want);
	free(got);
}

static void encodings(void)
{
	to_utf8("plain", NULL, "plain");
	to_utf8("caf\xe9", NULL, "caf\xc3\xa9");
	to_utf8("caf\xe9", "UTF-8", "caf\xc3\xa9");
	to_utf8("caf\xc3\xa9", "windows-1252", "caf\xc3\xa9");
	to_utf8("\x80", "windows-1252", "\xe2\x82\xac");
	to_utf8("\xef", "windows-1251", "\xd0\xbf");
	to_utf8("\x81\x93", "shift_jis", "\xef\xbc\x85");
	/* A name that is not in the table is no encoding. */
	to_utf8("\xe9", "../../x//", "\xc3\xa9");
	/* What does not fit its encoding, and no code point at all. */
	to_utf8("\xff\x81", "GBK", "\xc3\xbf\xc2\x81");
	to_utf8("\xed\xa0\x80", NULL, "\xc3\xad\xc2\xa0\xe2\x82\xac");
}

int main(void)
{
	spellings();
	refusals();
	no_descriptors();
	written();
	encodings();
	return 0;
}
