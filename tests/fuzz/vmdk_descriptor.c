/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmdk_descriptor.c - the input is a descriptor.  What was understood must be
 * understood again from the text that we write of it.
 */
#include <stdlib.h>
#include <string.h>

#include "imgfmt/vmdk/vmdk.h"

static void same(bool ok)
{
	if (!ok)
		abort();
}

static bool same_string(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* A quote or a line end inside a value has no spelling. */
static bool plain(const char *s)
{
	return !s || (*s && !strpbrk(s, "\"\r\n\t\v\f "));
}

static bool expressible(const struct vmdk_descriptor *d)
{
	bool ok = plain(d->create_type) && plain(d->parent_hint) &&
		  plain(d->encoding);

	for (size_t i = 0; i < d->n_extents; i++)
		ok = ok && plain(d->extents[i].name);
	return ok;
}

static void round_trip(const struct vmdk_descriptor *d)
{
	struct vmdk_descriptor again;
	char *text = vmdk_descriptor_text(d);

	if (!text)
		return;
	if (!vmdk_descriptor_parse((uint8_t *)text, strlen(text), "again",
				   &again, NULL)) {
		same(again.cid == d->cid && again.parent_cid == d->parent_cid);
		same(again.n_extents == d->n_extents);
		same(same_string(again.create_type, d->create_type));
		same(same_string(again.parent_hint, d->parent_hint));
		for (size_t i = 0; i < d->n_extents; i++) {
			same(again.extents[i].sectors == d->extents[i].sectors);
			same(same_string(again.extents[i].name,
					 d->extents[i].name));
		}
	} else {
		abort();
	}
	vmdk_descriptor_free(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vmdk_descriptor d;
	struct err e = { "" };

	vmdk_descriptor_probe(data, len);
	if (vmdk_descriptor_parse(data, len, "input", &d, &e)) {
		if (!e.text[0])
			abort();	/* a refusal says why */
	} else if (expressible(&d) && !d.n_keys) {
		round_trip(&d);
	}
	vmdk_descriptor_free(&d);
	return 0;
}
