/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset_state.c - what a guest has gathered while it ran: leases, seeds, cloud-init's
 * state, ids of storage, logs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clone/reset_parts.h"
#include "imgfmt/base/buf.h"

#define MAX_SEED 4096u

struct place {
	const char *folder, *pattern;
};

static int remove_places(struct reset *r, enum reset_op op,
			 const struct place *places, size_t n, const char *why,
			 struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++)
		rc = reset_remove_all(r, op, places[i].folder,
				      places[i].pattern, why, e);
	return rc;
}

/* Clients' only: a DHCP server's leases are its work. */
int reset_dhcp(struct reset *r, struct err *e)
{
	static const struct place places[] = {
		{ "/var/lib/dhcp", "dhclient*" },
		{ "/var/lib/dhclient", "dhclient*" },
		{ "/var/lib/NetworkManager", "*.lease" },
		{ "/var/lib/NetworkManager", "dhclient*" },
		{ "/var/lib/NetworkManager", "secret_key" },
		{ "/var/lib/systemd/network", "*lease*" },
		{ "/var/lib/dhcpcd", "*.lease*" },
		{ "/var/lib/dhcpcd", "duid" },
		{ "/var/lib/dhcpcd", "secret" },
		{ "/var/lib/dhcpcd5", "*.lease*" },
		{ "/var/db/dhcpcd", "*.lease*" },
		{ "/var/db/dhcpcd", "duid" },
		{ "/var/db/dhcpcd", "secret" },
		{ "/etc", "dhcpcd.duid" },
		{ "/etc", "dhcpcd.secret" },
		{ "/var/lib/wicked", "duid.xml" },
		{ "/var/lib/wicked", "iaid.xml" },
		{ "/var/lib/wicked", "lease-*" },
	};

	return remove_places(r, RESET_DHCP, places,
			     sizeof(places) / sizeof(places[0]),
			     "The clone asks for an address of its own.", e);
}

int reset_random_seed(struct reset *r, struct err *e)
{
	static const char *const files[] = {
		"/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed",
		"/var/lib/random-seed", "/var/lib/misc/random-seed",
		"/var/lib/seedrng/seed.credit", "/var/lib/seedrng/seed.no-credit",
	};
	uint8_t fresh[MAX_SEED];
	int rc = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !rc; i++) {
		char *old;
		size_t len;

		rc = reset_text(r, files[i], &old, &len, e);
		if (!rc && old && len) {
			len = min_u64(len, sizeof(fresh));
			rc = reset_random(fresh, len, e);
			if (!rc)
				rc = reset_write(r, RESET_RANDOM_SEED, files[i],
						 fresh, len, "Fresh random "
						 "bytes.", 0, e);
		}
		free(old);
	}
	explicit_bzero(fresh, sizeof(fresh));
	return rc;
}

/* What the administrator put there (seed, scripts, handlers) stays. */
int reset_cloud_init(struct reset *r, struct err *e)
{
	static const struct place places[] = {
		{ "/var/lib/cloud", "instance" },
		{ "/var/lib/cloud", "instances" },
		{ "/var/lib/cloud", "data" },
		{ "/var/lib/cloud", "sem" },
	};

	return remove_places(r, RESET_CLOUD_INIT, places,
			     sizeof(places) / sizeof(places[0]),
			     "cloud-init takes the clone for a new instance.", e);
}

/* "InitiatorName=iqn.1993-08.org.debian:01:98a1b2": what follows the last colon. */
static int new_initiator(struct reset *r, struct err *e)
{
	static const char path[] = "/etc/iscsi/initiatorname.iscsi";
	char *text, *line, *colon = NULL, *out = NULL, id[37];
	size_t len;
	int rc = reset_text(r, path, &text, &len, e);

	if (rc || !text)
		return rc;
	line = strncmp(text, "InitiatorName=", 14) ?
		strstr(text, "\nInitiatorName=") : text;
	if (line) {
		line += *line == '\n';
		len = strcspn(line, "\r\n");
		colon = memrchr(line, ':', len);
	}
	if (colon)
		rc = reset_uuid(id, e);
	if (colon && !rc) {
		out = str_printf("%.*s%.8s%.4s%s", (int)(colon + 1 - text),
				 text, id, id + 9, line + len);
		rc = out ? reset_write(r, RESET_STORAGE_IDS, path, out,
				       strlen(out), "iSCSI targets must not see "
				       "the same initiator twice.", 0, e)
		     : fail(e, ENOMEM, "out of memory");
	}
	free(text);
	free(out);
	return rc;
}

int reset_storage_ids(struct reset *r, struct err *e)
{
	static const char nqn_path[] = "/etc/nvme/hostnqn";
	static const char id_path[] = "/etc/nvme/hostid";
	static const char why[] = "NVMe targets must not see the same host twice.";
	char *nqn = NULL, *line = NULL, id[37];
	int rc = new_initiator(r, e);

	if (rc || !(edits_exists(r->edits, nqn_path) ||
		    edits_exists(r->edits, id_path)))
		return rc;
	rc = reset_uuid(id, e);
	nqn = str_printf("nqn.2014-08.org.nvmexpress:uuid:%s\n", id);
	line = str_printf("%s\n", id);
	if (!rc && (!nqn || !line))
		rc = fail(e, ENOMEM, "out of memory");
	if (!rc && edits_exists(r->edits, nqn_path))
		rc = reset_write(r, RESET_STORAGE_IDS, nqn_path, nqn,
				 strlen(nqn), why, 0, e);
	if (!rc && edits_exists(r->edits, id_path))
		rc = reset_write(r, RESET_STORAGE_IDS, id_path, line,
				 strlen(line), why, 0, e);
	free(nqn);
	free(line);
	return rc;
}

int reset_credential_secret(struct reset *r, struct err *e)
{
	return reset_remove(r, RESET_CREDENTIAL_SECRET,
			    "/var/lib/systemd/credential.secret",
			    "systemd makes a new one when it needs it.", e);
}

int reset_logs(struct reset *r, struct err *e)
{
	return reset_remove_all(r, RESET_LOGS, "/var/log/journal", "*",
				"The journal is another machine's.", e);
}

static int remove_histories(struct reset *r, const char *home, struct err *e)
{
	static const char *const files[] = {
		".bash_history", ".zsh_history", ".ash_history", ".histfile",
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !rc; i++)
		rc = reset_remove_all(r, RESET_SHELL_HISTORY, home, files[i],
				      "Commands that were typed on another "
				      "machine.", e);
	return rc;
}

int reset_shell_history(struct reset *r, struct err *e)
{
	struct names homes;
	int rc = remove_histories(r, "/root", e);

	if (rc)
		return rc;
	rc = reset_list(r, "/home", "*", &homes, e);
	for (size_t i = 0; i < homes.n && !rc; i++) {
		char *home = str_printf("/home/%s", homes.list[i]);

		rc = home ? remove_histories(r, home, e)
		     : fail(e, ENOMEM, "out of memory");
		free(home);
	}
	reset_names_free(&homes);
	return rc;
}
