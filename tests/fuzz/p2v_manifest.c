/* SPDX-License-Identifier: GPL-2.0-or-later */
/* p2v_manifest.c - the input is the manifest.json of a capture, for who verifies it
 * and for who converts it.
 */
#include <string.h>

#include "convert/capture/manifest.h"
#include "convert/source/capture.h"
#include "tests/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void is_here(const char *file)
{
	CHECK(file && *file && !strchr(file, '/') && strcmp(file, "..") &&
	      strcmp(file, "."));
}

static void verify(FILE *f)
{
	struct manifest m;
	struct err e = { "" };
	int rc = manifest_load(f, "x", &m, &e);

	CHECK(rc ? e.text[0] : m.n && m.n <= MANIFEST_DISKS);
	for (size_t i = 0; i < m.n && !rc; i++) {
		is_here(m.list[i].file);
		CHECK(m.list[i].checksum && m.list[i].size <= INT64_MAX);
	}
	manifest_fini(&m);
}

static void convert(FILE *f)
{
	struct machine m = { 0 };
	struct err e = { "" };
	int rc = capture_load(f, "x", &m, &e);

	CHECK(!rc || e.text[0]);
	for (size_t i = 0; i < m.n_disks && !rc; i++)
		is_here(m.disks[i].file);
	machine_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	FILE *f = len ? fmemopen((void *)(uintptr_t)data, len, "r") : NULL;

	if (!f)
		return 0;
	verify(f);
	rewind(f);
	convert(f);
	fclose(f);
	return 0;
}
