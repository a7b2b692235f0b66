/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reset_host.c - who the host is: machine-id(5) and hostname(5).
 *
 * An empty /etc/machine-id has systemd make an id at boot without taking the boot
 * for the first one ever, which would apply presets again and so enable and disable
 * services.  A file of D-Bus's own would be where it takes the old id from.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "clone/reset_parts.h"
#include "imgfmt/base/buf.h"

#define MACHINE_ID "/etc/machine-id"
#define DBUS_ID "/var/lib/dbus/machine-id"
#define ENTRY_TOKEN "/etc/kernel/entry-token"
#define BOOT_ENTRIES "/boot/loader/entries"

/* Is D-Bus's id a file of its own, or a way to the other one? */
static bool has_own_dbus_id(struct reset *r)
{
	struct tree_node node;
	char *one = NULL, *other = NULL;
	bool same;

	if (tree_find(r->tree, DBUS_ID, TREE_NOFOLLOW, &node, NULL) ||
	    !S_ISREG(node.stat.mode))
		return false;
	same = !tree_resolve(r->tree, MACHINE_ID, &one, NULL) &&
	       !tree_resolve(r->tree, DBUS_ID, &other, NULL) &&
	       !strcmp(one, other);
	free(one);
	free(other);
	return !same;
}

/* Boot loader entries are called after the id; the next kernel's are to be called
 * so too, or those that are there would never go.
 */
static int keep_entries(struct reset *r, const char *old, struct err *e)
{
	size_t len = strspn(old, "0123456789abcdef");
	char *pattern, *token;
	struct names names;
	int rc;

	if (len != 32 || edits_exists(r->edits, ENTRY_TOKEN))
		return 0;
	pattern = str_printf("%.32s-*.conf", old);
	token = str_printf("%.32s\n", old);
	rc = pattern && token ? reset_list(r, BOOT_ENTRIES, pattern, &names, e)
	     : fail(e, ENOMEM, "out of memory");
	if (!rc && names.n)
		rc = reset_write(r, RESET_MACHINE_ID, ENTRY_TOKEN, token,
				 strlen(token), "The boot loader's entries keep "
				 "the name that they have.", 0, e);
	if (pattern && token)
		reset_names_free(&names);
	free(pattern);
	free(token);
	return rc;
}

/* Without systemd nobody makes one at boot. */
static int new_id(struct reset *r, bool dbus, struct err *e)
{
	static const char why[] = "The clone gets an id of its own.";
	uint8_t raw[16];
	char text[2 * sizeof(raw) + 2];
	int rc = reset_random(raw, sizeof(raw), e);

	raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
	raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(raw); i++) {
		text[2 * i] = "0123456789abcdef"[raw[i] >> 4];
		text[2 * i + 1] = "0123456789abcdef"[raw[i] & 15];
	}
	text[32] = '\n';
	if (!rc && edits_exists(r->edits, MACHINE_ID))
		rc = reset_write(r, RESET_MACHINE_ID, MACHINE_ID, text, 33, why,
				 0444, e);
	if (!rc && dbus)
		rc = reset_write(r, RESET_MACHINE_ID, DBUS_ID, text, 33, why, 0,
				 e);
	return rc;
}

int reset_machine_id(struct reset *r, struct err *e)
{
	bool dbus = has_own_dbus_id(r);
	char *old;
	size_t len;
	int rc = reset_text(r, MACHINE_ID, &old, &len, e);

	if (!rc && !r->guest->has_systemd) {
		rc = new_id(r, dbus, e);
	} else if (!rc) {
		if (old)
			rc = keep_entries(r, old, e);
		if (!rc && old)
			rc = reset_write(r, RESET_MACHINE_ID, MACHINE_ID, "", 0,
					 "systemd makes a new id at boot.", 0444,
					 e);
		if (!rc && dbus)
			rc = reset_remove(r, RESET_MACHINE_ID, DBUS_ID,
					  "systemd would take the old id from "
					  "here.", e);
	}
	free(old);
	return rc;
}

/* Names of the host in other files. */

struct rename {
	const char *old, *new;		/* as they are, perhaps with a domain */
	size_t old_short, new_short;	/* lengths of their first labels */
};

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

#define MAX_WORD 320u		/* bytes of a host name with its domain */

/* What the word becomes, which keeps its domain if the new name has none; false: it
 * is not the host's.
 */
static bool rename_word(const struct rename *n, const char *word, size_t len,
			char out[MAX_WORD])
{
	if (len < n->old_short || len + strlen(n->new) >= MAX_WORD ||
	    strncasecmp(word, n->old, n->old_short))
		return false;
	if (len == n->old_short)
		snprintf(out, MAX_WORD, "%.*s", (int)n->new_short, n->new);
	else if (word[n->old_short] != '.')
		return false;
	else if (n->new[n->new_short])
		snprintf(out, MAX_WORD, "%s", n->new);
	else
		snprintf(out, MAX_WORD, "%s%.*s", n->new,
			 (int)(len - n->old_short), word + n->old_short);
	return true;
}

static bool is_wanted_line(const char *line, const char *const *keys)
{
	line += strspn(line, " \t");
	if (*line == '#')
		return false;
	for (; keys && *keys; keys++)
		if (!strncasecmp(line, *keys, strlen(*keys)))
			return true;
	return !keys;
}

/* All words of the lines that begin with one of `keys` (NULL: of all lines). */
static char *rename_text(const char *text, const struct rename *n,
			 const char *const *keys)
{
	char *out = strdup("");

	while (out && *text) {
		size_t line = strcspn(text, "\n"), at = 0;
		bool wanted = is_wanted_line(text, keys);

		line += text[line] == '\n';
		while (out && at < line) {
			char word[MAX_WORD], *more;
			size_t len = 0;
			bool renamed;

			while (at + len < line && in_name(text[at + len]))
				len++;
			renamed = wanted && len &&
				  rename_word(n, text + at, len, word);
			len += !len;
			more = renamed ? str_printf("%s%s", out, word)
			       : str_printf("%s%.*s", out, (int)len, text + at);
			free(out);
			out = more;
			at += len;
		}
		text += line;
	}
	return out;
}

static int rename_in(struct reset *r, const struct rename *n, const char *path,
		     const char *const *keys, struct err *e)
{
	char *text, *out = NULL;
	size_t len;
	int rc = reset_text(r, path, &text, &len, e);

	/* Each word makes the text anew: not for large ones. */
	if (rc || !text || len > 65536 || strlen(text) != len)
		goto out;
	out = rename_text(text, n, keys);
	if (!out)
		rc = fail(e, ENOMEM, "out of memory");
	else if (strcmp(out, text))
		rc = reset_write(r, RESET_HOSTNAME, path, out, strlen(out),
				 "The host's new name.", 0, e);
out:
	free(text);
	free(out);
	return rc;
}

/* Files that hold nothing but the name. */
static int write_name(struct reset *r, const char *path, bool make,
		      struct err *e)
{
	char *line;
	int rc;

	if (!make && !edits_exists(r->edits, path))
		return 0;
	line = str_printf("%s\n", r->clone->hostname);
	rc = line ? reset_write(r, RESET_HOSTNAME, path, line, strlen(line),
				"The host's new name.", 0, e)
	     : fail(e, ENOMEM, "out of memory");
	free(line);
	return rc;
}

int reset_hostname(struct reset *r, struct err *e)
{
	static const char *const sysconfig[] = { "HOSTNAME", NULL };
	static const char *const postfix[] = {
		"myhostname", "mydestination", "myorigin", NULL,
	};
	static const char *const exim[] = { "dc_other_hostnames", NULL };
	const char *old = r->guest->hostname, *new = r->clone->hostname;
	struct rename n = {
		.old = old, .new = new, .old_short = strcspn(old, "."),
		.new_short = strcspn(new, "."),
	};
	int rc;

	if (!*new)
		return 0;
	rc = write_name(r, "/etc/hostname", r->guest->has_systemd, e);
	if (!rc)
		rc = write_name(r, "/etc/HOSTNAME", false, e);
	/* "localhost" means something else everywhere but there. */
	if (rc || !n.old_short ||
	    (n.old_short == 9 && !strncasecmp(old, "localhost", 9)))
		return rc;
	rc = rename_in(r, &n, "/etc/hosts", NULL, e);
	if (!rc)
		rc = rename_in(r, &n, "/etc/mailname", NULL, e);
	if (!rc)
		rc = rename_in(r, &n, "/etc/sysconfig/network", sysconfig, e);
	if (!rc)
		rc = rename_in(r, &n, "/etc/postfix/main.cf", postfix, e);
	if (!rc)
		rc = rename_in(r, &n, "/etc/exim4/update-exim4.conf.conf", exim,
			       e);
	return rc;
}
