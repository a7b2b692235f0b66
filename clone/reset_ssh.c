/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset_ssh.c - SSH host keys.
 *
 * A server without a host key accepts nobody, so keys are only taken away where the
 * guest's own sshd asks for new ones at boot: Red Hat's sshd-keygen@.service, Arch's
 * sshdgenkeys.service, SUSE's sshd-gen-keys-start.  Debian's makes them when the
 * package is installed, or at the very first boot, and never again; cloud-init does
 * only where it finds its data source.  There the clone gets keys from us.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clone/reset_parts.h"
#include "imgfmt/base/buf.h"

#define FOLDER "/etc/ssh"

#define UNITS "/usr/lib/systemd/system/"
#define OLD_UNITS "/lib/systemd/system/"
#define OWN_UNITS "/etc/systemd/system/"

static bool contains(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strstr(text, *words))
			return true;
	return false;
}

/* Is there a unit that makes keys at any boot that finds none?  One that only does
 * at the very first boot, as Debian 13 has it, does not at a clone's.
 */
static int has_generator(struct reset *r, bool *has, struct err *e)
{
	static const char *const units[] = {
		UNITS "sshd-keygen@.service", OLD_UNITS "sshd-keygen@.service",
		UNITS "sshd-keygen.service", OLD_UNITS "sshd-keygen.service",
		UNITS "sshdgenkeys.service", OWN_UNITS "sshd-keygen@.service",
		OWN_UNITS "sshd-keygen.service",
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && !rc &&
	     !*has; i++) {
		char *text;
		size_t len;

		rc = reset_text(r, units[i], &text, &len, e);
		*has = text && len && !strstr(text, "ConditionFirstBoot");
		free(text);
	}
	return rc;
}

/* Does sshd's own unit or script make keys, or ask for a unit that does? */
static int makes_keys(struct reset *r, bool *makes, struct err *e)
{
	static const char *const units[] = {
		UNITS "sshd.service", OLD_UNITS "sshd.service",
		OWN_UNITS "sshd.service", UNITS "ssh.service",
		OLD_UNITS "ssh.service", "/etc/init.d/sshd",
	};
	static const char *const itself[] = {
		"sshd-gen-keys-start", "ssh-keygen -A", NULL,
	};
	static const char *const others[] = {
		"sshd-keygen", "sshdgenkeys", NULL,
	};
	int rc = 0;

	*makes = false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && !rc &&
	     !*makes; i++) {
		char *text;
		size_t len;

		rc = reset_text(r, units[i], &text, &len, e);
		if (!rc && text && contains(text, itself))
			*makes = true;
		else if (!rc && text && contains(text, others))
			rc = has_generator(r, makes, e);
		free(text);
	}
	return rc;
}

/* Does sshd_config ask for RSA by name?  It would not start without. */
static int asks_for_rsa(struct reset *r, const char *path, bool *asks,
			struct err *e)
{
	char *text, *line, *rest;
	size_t len;
	int rc = reset_text(r, path, &text, &len, e);

	for (rest = text; rest && (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t");
		if (!strncasecmp(line, "HostKey", 7) &&
		    strchr(" \t=", line[7]) && line[7] &&
		    strstr(line, "_rsa_key"))
			*asks = true;
	}
	free(text);
	return rc;
}

static int wants_rsa(struct reset *r, bool *wants, struct err *e)
{
	struct names names;
	int rc;

	*wants = r->wishes->rsa;
	rc = asks_for_rsa(r, FOLDER "/sshd_config", wants, e);
	if (rc)
		return rc;
	rc = reset_list(r, FOLDER "/sshd_config.d", "*.conf", &names, e);
	for (size_t i = 0; i < names.n && !rc; i++) {
		char *path = str_printf(FOLDER "/sshd_config.d/%s",
					names.list[i]);

		rc = path ? asks_for_rsa(r, path, wants, e)
		     : fail(e, ENOMEM, "out of memory");
		free(path);
	}
	reset_names_free(&names);
	return rc;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* For the report. */
static int remember(struct reset_clone *c, const struct sshkey *key)
{
	char *more = str_printf("%s%s", c->public_keys ? c->public_keys : "",
				key->public_line);

	if (!more)
		return -ENOMEM;
	free(c->public_keys);
	c->public_keys = more;
	return 0;
}

static int make_key(struct reset *r, enum sshkey_type type, struct err *e)
{
	static const char why[] = "The clone's own host key.";
	const char *name = sshkey_type_name(type);
	const char *host = *r->clone->hostname ? r->clone->hostname
			   : r->guest->hostname;
	char path[64], *comment = str_printf("root@%.200s", host);
	struct sshkey key = { 0 };
	uint64_t started = now_ns();
	int rc = comment ? sshkey_make(type, comment, &key, e)
		 : fail(e, ENOMEM, "out of memory");

	r->clone->key_ns += now_ns() - started;
	snprintf(path, sizeof(path), FOLDER "/ssh_host_%s_key", name);
	if (!rc)
		rc = reset_write(r, RESET_SSH_HOSTKEYS, path, key.private_text,
				 key.private_len, why, 0600, e);
	strcat(path, ".pub");
	if (!rc)
		rc = reset_write(r, RESET_SSH_HOSTKEYS, path, key.public_line,
				 key.public_len, why, 0644, e);
	if (!rc && remember(r->clone, &key))
		rc = fail(e, ENOMEM, "out of memory");
	sshkey_fini(&key);
	free(comment);
	return rc;
}

/* Is it one of the files that make_key() writes? */
static bool is_made(const char *name, const bool *types)
{
	for (unsigned i = 0; i < SSHKEY_N_TYPES; i++) {
		char key[64];
		size_t len = (size_t)snprintf(key, sizeof(key), "ssh_host_%s_key",
					      sshkey_type_name(i));

		if (types[i] && !strncmp(name, key, len) &&
		    (!name[len] || !strcmp(name + len, ".pub")))
			return true;
	}
	return false;
}

static int remove_keys(struct reset *r, const bool *types, struct err *e)
{
	struct names names;
	int rc = reset_list(r, FOLDER, "ssh_host_*", &names, e);

	for (size_t i = 0; i < names.n && !rc; i++) {
		char *path;

		if (is_made(names.list[i], types))
			continue;
		path = str_printf(FOLDER "/%s", names.list[i]);
		rc = path ? reset_remove(r, RESET_SSH_HOSTKEYS, path,
					 "Another machine's host key.", e)
		     : fail(e, ENOMEM, "out of memory");
		free(path);
	}
	reset_names_free(&names);
	return rc;
}

int reset_ssh_hostkeys(struct reset *r, struct err *e)
{
	bool types[SSHKEY_N_TYPES] = { false }, itself, rsa = false;
	bool server = edits_exists(r->edits, "/usr/sbin/sshd");
	int rc = makes_keys(r, &itself, e);

	if (!rc && server && !itself) {
		rc = wants_rsa(r, &rsa, e);
		types[SSHKEY_ED25519] = types[SSHKEY_ECDSA] = true;
		types[SSHKEY_RSA] = rsa;
	}
	if (!rc)
		rc = remove_keys(r, types, e);
	for (unsigned i = 0; i < SSHKEY_N_TYPES && !rc; i++)
		if (types[i])
			rc = make_key(r, i, e);
	return rc;
}
