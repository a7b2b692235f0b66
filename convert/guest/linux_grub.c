/* SPDX-License-Identifier: GPL-2.0-or-later */
/* linux_grub.c - which entry GRUB 2 boots when nobody chooses.
 *
 * Of grub.cfg's language this knows menuentry, submenu, linux and "set default=";
 * of Boot Loader Specification entries (blscfg) title-less files with "linux" and
 * "options", and their $kernelopts.  What is computed at boot stays unknown: then it
 * is the first entry.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/linux_state.h"

#define DEPTH 4

struct grub {
	struct linux_guest *g;
	char want[256];		/* "0", "1>2", a title or an id; "" none */
	unsigned at[DEPTH], depth;	/* the number of each level's entry */
	char title[256], id[256];	/* of the entry that is open, with ">" */
	bool found;
	struct boot_choice first, choice;
	bool in_entry, bls;
	char *kernelopts;		/* NULL: not known yet */
};

/* The text in the next quotes, or the next word; moves on. */
static void quoted(char **p, char *out, size_t size)
{
	char quote, *end;

	*p += strspn(*p, " \t");
	quote = **p == '\'' || **p == '"' ? *(*p)++ : 0;
	end = *p + (quote ? strcspn(*p, quote == '"' ? "\"" : "'") :
		    strcspn(*p, " \t;{"));
	snprintf(out, size, "%.*s", (int)(end - *p), *p);
	*p = *end && quote ? end + 1 : end;
}

/* Does the entry that is open have the name that is wanted? */
static bool is_wanted(const struct grub *s)
{
	size_t n = 0, id = strlen(s->id), want = strlen(s->want);
	char path[64];

	for (unsigned i = 0; i <= s->depth && i < DEPTH; i++)
		n += (size_t)snprintf(path + n, sizeof(path) - n, "%s%u",
				      i ? ">" : "", s->at[i] - 1);
	if (!strcmp(s->want, path) || !strcmp(s->want, s->title))
		return true;
	/* By its id, perhaps behind its submenu's and a ">". */
	return id && text_ends(s->want, s->id) &&
		(want == id || s->want[want - id - 1] == '>');
}

static void open_entry(struct grub *s, char *rest)
{
	char *option;

	quoted(&rest, s->title, sizeof(s->title));
	*s->id = 0;
	option = strstr(rest, "menuentry_id_option");
	if (!option && (option = strstr(rest, "--id")))
		option += 4;
	else if (option)
		option += strcspn(option, " \t");
	if (option)
		quoted(&option, s->id, sizeof(s->id));
	s->at[s->depth]++;
}

/* "(hd0,1)/vmlinuz root=..." */
static void take_kernel(struct grub *s, char *rest)
{
	struct boot_choice c;
	char *path = text_word(&rest);

	if (!path)
		return;
	if (*path == '(' && strchr(path, ')'))
		path = strchr(path, ')') + 1;
	c.kernel = linux_keep(s->g, path);
	c.cmdline = linux_keep(s->g, rest ? rest : "");
	if (!*s->first.kernel)
		s->first = c;
	if (is_wanted(s) && !s->found) {
		s->choice = c;
		s->found = true;
	}
}

static void grub_line(struct grub *s, char *line)
{
	char *value, *rest = line, *word;

	if (!strncmp(line, "set default=", 12)) {
		value = text_value(line + 4, "default");
		/* "${next_entry}" and the like are not for keeps. */
		if (value && !strchr(value, '$') && !*s->want)
			snprintf(s->want, sizeof(s->want), "%s", value);
		return;
	}
	if (!strncmp(line, "set kernelopts=", 15)) {
		/* For when the environment has none. */
		value = text_value(line + 4, "kernelopts");
		if (value && !s->kernelopts)
			s->kernelopts = linux_keep(s->g, value);
		return;
	}
	word = text_word(&rest);
	if (!word)
		return;
	if (!strcmp(word, "menuentry")) {
		s->in_entry = true;
		open_entry(s, rest ? rest : word + strlen(word));
	} else if (!strcmp(word, "submenu")) {
		open_entry(s, rest ? rest : word + strlen(word));
		if (s->depth + 1 < DEPTH)
			s->at[++s->depth] = 0;
	} else if (*word == '}') {
		if (s->in_entry)
			s->in_entry = false;
		else if (s->depth)
			s->depth--;
	} else if (!strcmp(word, "blscfg")) {
		s->bls = true;
	} else if (s->in_entry && (!strcmp(word, "linux") ||
		   !strcmp(word, "linux16") || !strcmp(word, "linuxefi"))) {
		take_kernel(s, rest ? rest : word + strlen(word));
	}
}

static int bls_entry(struct grub *s, const char *path, struct err *e)
{
	struct boot_choice c = { s->first.kernel, s->first.cmdline };
	char *text, *rest, *line, *word;
	int rc = linux_text(s->g, path, &text, e);

	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest))) {
		word = text_word(&line);
		if (!word || !line)
			continue;
		line += strspn(line, " \t");
		if (!strcmp(word, "linux"))
			c.kernel = linux_keep(s->g, line);
		else if (!strcmp(word, "options"))
			c.cmdline = linux_keep(s->g, line);
	}
	free(text);
	s->choice = c;
	return 0;
}

/* The entry that is saved, else the last by name, which is the newest. */
static int bls(struct grub *s, const char *saved, struct err *e)
{
	static const char dir[] = "/boot/loader/entries";
	char **names, *pick = NULL;
	size_t n, len;
	int rc = linux_names(s->g, dir, &names, &n, e);

	for (size_t i = 0; i < n && !rc; i++) {
		if (!text_ends(names[i], ".conf"))
			continue;
		len = strlen(names[i]) - 5;
		if (*saved && strlen(saved) == len &&
		    !strncmp(names[i], saved, len)) {
			pick = names[i];
			break;
		}
		if (!strstr(names[i], "rescue") &&
		    (!pick || strverscmp(names[i], pick) > 0))
			pick = names[i];
	}
	if (!rc && pick)
		rc = bls_entry(s, linux_printf(s->g, "%s/%s", dir, pick), e);
	s->found = !rc && pick;
	free(names);
	return rc;
}

/* saved_entry= and kernelopts= of the environment block beside grub.cfg. */
static int environment(struct grub *s, const char *config, char out[256],
		       struct err *e)
{
	const char *slash = strrchr(config, '/');
	char *text, *rest, *line, *value;
	char path[300];
	int rc;

	*out = 0;
	snprintf(path, sizeof(path), "%.*s/grubenv", (int)(slash - config),
		 config);
	rc = linux_text(s->g, path, &text, e);
	if (rc || !text)
		return rc;
	rest = text;
	while ((line = text_line(&rest)))
		if ((value = text_value(line, "saved_entry")))
			snprintf(out, 256, "%s", value);
		else if ((value = text_value(line, "kernelopts")))
			s->kernelopts = linux_keep(s->g, value);
	free(text);
	return 0;
}

/* Red Hat's loader entries have "options $kernelopts ...". */
static char *expand(const struct grub *s, char *cmdline)
{
	static const char *const names[] = { "${kernelopts}", "$kernelopts" };

	for (size_t i = 0; i < 2 && s->kernelopts; i++) {
		char *at = strstr(cmdline, names[i]);

		if (at)
			return linux_printf(s->g, "%.*s%s%s",
					    (int)(at - cmdline), cmdline,
					    s->kernelopts,
					    at + strlen(names[i]));
	}
	return cmdline;
}

int linux_grub_choice(struct linux_guest *g, const char *path,
		      struct boot_choice *out, struct err *e)
{
	struct grub s = { .g = g, .first = { g->pool->empty, g->pool->empty } };
	char *text, *rest, *line, saved[256];
	int rc = linux_text(g, path, &text, e);

	*out = s.first;
	if (rc || !text)
		return rc;
	rc = environment(&s, path, saved, e);
	if (rc) {
		free(text);
		return rc;
	}
	/* grub-mkconfig writes it so when the default is "saved". */
	if (strstr(text, "set default=\"${saved_entry}\""))
		memcpy(s.want, saved, sizeof(saved));
	rest = text;
	while ((line = text_line(&rest)))
		grub_line(&s, line);
	free(text);
	if (!s.found && s.bls)
		rc = bls(&s, saved, e);
	*out = s.found ? s.choice : s.first;
	out->cmdline = expand(&s, out->cmdline);
	return rc;
}
