/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_netplan.c - the input is a file of netplan's. */
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"
#include "tests/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct linux_guest *g = calloc(1, sizeof(*g));
	char *text = malloc(len + 1);

	CHECK(g && text && len <= LINUX_TEXT_MAX);
	g->pool = calloc(1, sizeof(*g->pool));
	CHECK(g->pool);
	memcpy(text, data, len);
	text[len] = 0;
	linux_netplan_text(g, "/etc/netplan/x.yaml", text);
	CHECK(g->n_ifaces <= LINUX_LIST_MAX);
	for (size_t i = 0; i < g->n_ifaces; i++) {
		const struct linux_iface *f = &g->ifaces[i];

		CHECK(strlen(f->name) <= len && strlen(f->gateway) <= len);
		for (size_t k = 0; k < f->n_addresses; k++)
			CHECK(*f->addresses[k] && strlen(f->addresses[k]) <= len);
	}
	free(text);
	linux_free(g);
	return 0;
}
