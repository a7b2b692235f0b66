/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ptable_sfdisk.c - partition tables that sfdisk writes are read as it reads them.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "convert/fs/volumes.h"
#include "tests/check.h"
#include "tests/lib/fstree.h"
#include "tests/lib/scratch.h"

static struct err e;

static const char *const rows[] = {
	"label: dos\nlabel-id: 0x1234abcd\n"
	"start=2048, size=4096, type=83, bootable\n"
	"start=8192, size=100000, type=5\n"
	"start=120000, type=82\n"
	"start=10240, size=2048, type=83\n"
	"start=20480, size=2048, type=8e\n"
	"start=30720, size=1, type=c\n",
	"label: dos\nlabel-id: 0\n,1M,7\n,1M,c\n,1M,L\n,,E\n,1M\n,1M,S\n,,L\n",
	"label: dos\nlabel-id: 0xff\n4 : start=4096, size=8192, type=a5\n",
	"label: gpt\nfirst-lba: 34\n"
	"start=34, size=2014, type=21686148-6449-6E6F-744E-656564454649\n"
	"size=1M, type=U, name=\"EFI System\"\n"
	"size=2M, name=\"na\xc3\xafve \xf0\x9f\x90\xa7\", attrs=\"LegacyBIOSBootable\"\n"
	"9 : size=1M, type=S\n",
	"label: gpt\ntable-length: 1000\nsize=1M\n900 : size=1M\n",
	"label: gpt\n",
	"label: dos\n",
};

static const char *text(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return v ? json_string_value(v) : "";
}

static uint64_t number(json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static void compare(const struct ptable *t, json_t *want)
{
	json_t *list = json_object_get(want, "partitions");
	bool gpt = !strcmp(text(want, "label"), "gpt");
	char type[8], part[64];

	CHECK_EQ(t->kind, gpt ? PTABLE_GPT : PTABLE_MBR);
	CHECK_EQ(t->sector_size, 512);
	CHECK_EQ(t->n, json_array_size(list));
	if (gpt)
		CHECK(!strcasecmp(t->uuid, text(want, "id")));
	else if (strcmp(text(want, "id"), "0x00000000"))
		CHECK_STR(t->uuid, text(want, "id") + 2);
	else
		CHECK_STR(t->uuid, "");
	for (size_t i = 0; i < t->n; i++) {
		const struct partition *p = &t->partitions[i];
		json_t *o = json_array_get(list, i);

		/* The image is called "disk". */
		CHECK_EQ(p->number, atoi(text(o, "node") + 4));
		CHECK_EQ(p->offset, number(o, "start") * 512);
		CHECK_EQ(p->len, number(o, "size") * 512);
		if (gpt) {
			CHECK(!strcasecmp(p->type_guid, text(o, "type")));
			CHECK(!strcasecmp(p->partuuid, text(o, "uuid")));
			CHECK_STR(p->name, text(o, "name"));
			CHECK_EQ(p->active, !!strstr(text(o, "attrs"),
						     "LegacyBIOS"));
			continue;
		}
		sprintf(type, "%x", p->mbr_type);
		CHECK_STR(type, text(o, "type"));
		CHECK_EQ(p->active, json_is_true(json_object_get(o, "bootable")));
		CHECK_EQ(p->extended, !strcmp(type, "5") || !strcmp(type, "f"));
		snprintf(part, sizeof(part), "%s-%02x", t->uuid, p->number);
		CHECK_STR(p->partuuid, t->uuid[0] ? part : "");
	}
}

static void check_row(unsigned i)
{
	FILE *f = fopen("script", "w");
	struct volumes vs;
	struct img *img;
	json_t *json;

	CHECK(f && fputs(rows[i], f) >= 0 && !fclose(f));
	remove("disk");
	CHECK(fstree_run("truncate -s 100M disk; sfdisk disk <script"));
	CHECK(fstree_run("sfdisk --json disk >json"));
	json = json_load_file("json", 0, NULL);
	CHECK(json);
	CHECK_OK(img_file_open("disk", 0, &img, &e));
	CHECK_OK(volumes_open(&img, 1, &vs, &e));
	CHECK_STR(vs.tables[0].note.text, "");
	compare(&vs.tables[0], json_object_get(json, "partitiontable"));
	printf("row %u: %zu partitions\n", i, vs.tables[0].n);
	volumes_close(&vs);
	CHECK_OK(img_close(img, &e));
	json_decref(json);
}

int main(void)
{
	scratch_enter();
	if (!fstree_has("sfdisk")) {
		puts("SKIP: sfdisk (package fdisk) is not installed");
		return 77;
	}
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		check_row(i);
	return 0;
}
