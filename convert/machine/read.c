/* SPDX-License-Identifier: GPL-2.0-or-later */
/* read.c - which format a description has, and reading it. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imgfmt/base/buf.h"
#include "vmx.h"

static const struct {
	const char *name;
	int (*read)(struct reader *r);
} formats[] = {
	{ "vmx", vmx_read }, { "ovf", ovf_read }, { "libvirt", domain_read },
	{ "json", json_read },
};

/* Whether some line is `word` = ..., which is all that can be said of a VMX. */
static bool has_setting(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = strcasestr(text, word); p;
	     p = strcasestr(p + 1, word)) {
		const char *q = p + len + strspn(p + len, " \t");

		if (*q == '=' && (p == text || strchr("\n\r \t", p[-1])))
			return true;
	}
	return false;
}

static bool ends(const char *path, const char *with)
{
	size_t len = strlen(path), n = strlen(with);

	return len > n && !strcasecmp(path + len - n, with);
}

/* The name of the first element, without its prefix; NULL: there is none. */
static const char *root_name(const char *p, size_t *len)
{
	const char *colon;

	while ((p = strchr(p, '<'))) {
		if (!strncmp(p, "<!--", 4)) {
			p = strstr(p + 4, "-->");
			if (!p)
				return NULL;
		} else if (p[1] != '?' && p[1] != '!') {
			break;
		}
		p++;
	}
	if (!p)
		return NULL;
	*len = strcspn(++p, " \t\r\n/>");
	colon = memchr(p, ':', *len);
	if (colon) {
		*len -= (size_t)(colon + 1 - p);
		p = colon + 1;
	}
	return p;
}

static const char *detect(const char *text, const char *path)
{
	static const char *const roots[][2] = {
		{ "Envelope", "ovf" }, { "domain", "libvirt" },
		{ "node", "libvirt" }, { "VirtualBox", "vbox" },
	};
	const char *p = text;
	size_t len;

	if (!strncmp(p, "\xef\xbb\xbf", 3))
		p += 3;
	p += strspn(p, " \t\r\n");
	if (*p == '{')
		return "json";
	if (*p == '<') {
		p = root_name(p, &len);
		for (size_t i = 0; p && i < sizeof(roots) / sizeof(roots[0]);
		     i++)
			if (strlen(roots[i][0]) == len &&
			    !strncmp(p, roots[i][0], len))
				return roots[i][1];
		return NULL;
	}
	if (has_setting(text, "config.version") ||
	    has_setting(text, "virtualHW.version") || ends(path, ".vmx"))
		return "vmx";
	return NULL;
}

static int read_as(struct reader *r, const char *format)
{
	int rc;

	if (format && !strcmp(format, "vbox"))
		return fail(r->e, ENOTSUP, "%s is VirtualBox's own description; "
			    "export the machine as OVF, which is read", r->path);
	if (!format)
		return fail(r->e, ENOTSUP, "%s is no description of a machine "
			    "that this knows; known are VMX, OVF, OVA, "
			    "libvirt's domain XML and our own JSON", r->path);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(format, formats[i].name))
			continue;
		rc = machine_set(&r->m->source_path, r->path, r->e);
		if (!rc)
			rc = machine_set(&r->m->source_format, format, r->e);
		if (!rc)
			rc = formats[i].read(r);
		return rc ? rc : reader_finish(r);
	}
	return fail(r->e, EINVAL, "The format is \"%.20s\", must be vmx, ovf, "
		    "ova, libvirt or json", format);
}

int machine_parse(const char *text, size_t len, const char *path,
		  const struct machine_read_args *args, struct machine *out,
		  struct err *e)
{
	static const struct machine_read_args none;
	struct reader r = {
		.len = len, .path = path, .args = args ? args : &none,
		.m = out, .e = e,
	};
	char *copy;
	int rc;

	*out = (struct machine){ 0 };
	if (len > MAX_DESCRIPTION)
		return fail(e, EFBIG, "%s has %zu bytes, must have at most %u "
			    "for a description of a machine", path, len,
			    MAX_DESCRIPTION);
	copy = strndup(text, len);
	if (!copy)
		return fail(e, ENOMEM, "out of memory");
	r.text = copy;
	/* UTF-16 has them, and so has what is no text. */
	if (strlen(copy) != len)
		rc = fail(e, ENOTSUP, "%s has a NUL at byte %zu: it is no text "
			  "in UTF-8 or the like", path, strlen(copy));
	else
		rc = read_as(&r, r.args->format ? r.args->format :
			     detect(copy, path));
	free(copy);
	if (rc)
		machine_free(out);
	return rc;
}

/* All of a file, or of a package's member; the caller frees it. */
static int load(struct img *img, uint64_t offset, uint64_t len,
		const char *path, char **text, struct err *e)
{
	int rc;

	if (len > MAX_DESCRIPTION)
		return fail(e, EFBIG, "%s has %llu bytes, must have at most %u "
			    "for a description of a machine", path,
			    (unsigned long long)len, MAX_DESCRIPTION);
	*text = malloc((size_t)len + 1);
	if (!*text)
		return fail(e, ENOMEM, "out of memory");
	rc = img_read(img, *text, (size_t)len, offset);
	(*text)[len] = 0;
	if (rc)
		fail_rc(e, rc, "Could not read %s", path);
	return rc;
}

/* Where the descriptor lies in a package, as the driver has found it. */
static int find_descriptor(const char *path, uint64_t *offset, uint64_t *len,
			   struct err *e)
{
	struct img_open_args args = { .format = "ova", .flags = IMG_NO_DATA };
	const char *name = NULL;
	struct img_info info = { 0 };
	json_t *member;
	struct img *img;
	size_t i;
	int rc;

	rc = img_open(path, &args, &img, e);
	if (rc)
		return rc;
	rc = img_info(img, &info, e);
	if (rc)
		goto out;
	name = json_string_value(json_object_get(info.specific, "descriptor"));
	rc = fail(e, EINVAL, "%s: there is no descriptor (.ovf) in the "
		  "package", path);
	json_array_foreach(json_object_get(info.specific, "members"), i, member) {
		json_t *text = json_object_get(member, "name");

		if (!name || !json_is_string(text) ||
		    strcmp(json_string_value(text), name))
			continue;
		*offset = (uint64_t)json_integer_value(
			json_object_get(member, "offset"));
		*len = (uint64_t)json_integer_value(
			json_object_get(member, "size"));
		rc = 0;
		break;
	}
out:
	json_decref(info.specific);
	json_decref(info.snapshots);
	img_close(img, NULL);
	return rc;
}

int machine_read(const char *path, const struct machine_read_args *args,
		 struct machine *out, struct err *e)
{
	struct machine_read_args as = args ? *args :
		(struct machine_read_args){ 0 };
	uint64_t offset = 0, len;
	char *text = NULL;
	struct img *img;
	bool package;
	int rc;

	*out = (struct machine){ 0 };
	rc = img_file_open(path, 0, &img, e);
	if (rc)
		return rc;
	len = img_size(img);
	package = !strcmp(as.format ? as.format : img_probe(img), "ova");
	if (package) {
		as.format = "ovf";
		rc = find_descriptor(path, &offset, &len, e);
	}
	if (!rc)
		rc = load(img, offset, len, path, &text, e);
	if (!rc)
		rc = machine_parse(text, (size_t)len, path, &as, out, e);
	if (!rc && package)
		rc = machine_set(&out->source_format, "ova", e);
	if (!rc && !strcmp(out->source_format, "vmx"))
		rc = vmsd_read(path, out, e);
	if (rc)
		machine_free(out);
	free(text);
	img_close(img, NULL);
	return rc;
}

int machine_open_disk(const struct machine *m, size_t i, unsigned flags,
		      const struct img_resolver *resolver, struct img **out,
		      struct err *e)
{
	const struct machine_disk *d = &m->disks[i];
	struct img_open_args args = {
		.format = m->source_format, .flags = flags,
		.resolver = resolver, .member = d->member,
	};
	char *name;
	int rc;

	if (d->raw_device)
		return fail(e, ENOTSUP, "Disk %zu is a device of its host, "
			    "'%.200s', and no file", i + 1,
			    d->file ? d->file : "");
	if (d->member && (!m->source_format ||
			  (strcmp(m->source_format, "ovf") &&
			   strcmp(m->source_format, "ova"))))
		return fail(e, ENOTSUP, "Disk %zu, '%.200s', is in a package, "
			    "and %s does not say in which", i + 1, d->member,
			    m->source_path ? m->source_path : "its machine");
	if (d->member)
		return img_open(m->source_path, &args, out, e);
	if (!d->file)
		return fail(e, ENOENT, "Drive %zu is empty", i + 1);
	if (!d->path)
		return fail(e, ENOTSUP, "Disk %zu, '%.200s', is not in a file",
			    i + 1, d->file);
	/* A colon before any slash would pass for a protocol. */
	name = str_printf("%s%s", d->path[strcspn(d->path, ":/")] == ':' ?
			  "./" : "", d->path);
	if (!name)
		return fail(e, ENOMEM, "out of memory");
	rc = resolver->open(resolver->arg, m->source_path ? m->source_path : "",
			    name, d->format, flags, resolver, out, e);
	free(name);
	return rc;
}
