/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.c - which volume does a device's name mean? */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "convert/guest/fstab.h"

enum tag { TAG_UUID, TAG_LABEL, TAG_PARTUUID, TAG_PARTLABEL, TAG_NONE };

static const char *const tag_names[TAG_NONE] = {
	"UUID", "LABEL", "PARTUUID", "PARTLABEL",
};

static const char *tag_of(const struct volume *v, enum tag tag)
{
	switch (tag) {
	case TAG_UUID:
		return v->id->uuid;
	case TAG_LABEL:
		return v->id->label;
	case TAG_PARTUUID:
		return v->part ? v->part->partuuid : "";
	default:
		return v->part ? v->part->name : "";
	}
}

static bool has_tag(const struct volume *v, enum tag tag, const char *value)
{
	const char *own = tag_of(v, tag);

	if (!*own)
		return false;
	return tag == TAG_UUID || tag == TAG_PARTUUID ?
		!strcasecmp(own, value) : !strcmp(own, value);
}

/* Of several the one on the disk of the root. */
static const struct volume *by_tag(const struct volumes *v,
				   const struct volume *root, enum tag tag,
				   const char *value)
{
	const struct volume *found = NULL;

	for (size_t i = 0; i < v->n; i++) {
		const struct volume *one = &v->list[i];

		if (!has_tag(one, tag, value))
			continue;
		if (one->disk == root->disk)
			return one;
		if (!found)
			found = one;
	}
	return found;
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' :
		isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

#define VALUE_LEN 300u		/* longer than any label */

/* udev's names have \x20 for what is no letter. */
static bool decode_udev(const char *name, char out[VALUE_LEN])
{
	size_t n = 0;

	while (*name && n < VALUE_LEN - 1) {
		if (name[0] == '\\' && name[1] == 'x' &&
		    hex_digit(name[2]) >= 0 && hex_digit(name[3]) >= 0) {
			out[n++] = (char)(hex_digit(name[2]) << 4 |
					  hex_digit(name[3]));
			name += 4;
		} else {
			out[n++] = *name++;
		}
	}
	out[n] = 0;
	return !*name;
}

static bool unquote(const char *value, char out[VALUE_LEN])
{
	size_t len = strlen(value);

	if (len > 1 && (*value == '"' || *value == '\'') &&
	    value[len - 1] == *value) {
		value++;
		len -= 2;
	}
	if (len >= VALUE_LEN)
		return false;
	memcpy(out, value, len);
	out[len] = 0;
	return true;
}

/* A decimal number that is not absurd. */
static bool take_number(const char **at, unsigned *out)
{
	const char *p = *at;

	for (*out = 0; isdigit((unsigned char)*p) && p - *at < 6; p++)
		*out = *out * 10 + (unsigned)(*p - '0');
	if (p == *at || isdigit((unsigned char)*p))
		return false;
	*at = p;
	return true;
}

static bool take_word(const char **at, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*at, word, len))
		return false;
	*at += len;
	return true;
}

/* "p3", or nothing: the whole disk, 0. */
static bool take_partition(const char *p, unsigned *part)
{
	*part = 0;
	return !*p || (*p++ == 'p' && take_number(&p, part) && !*p);
}

/* "sdab3": letters count from a to z, aa, ab. */
static bool lettered(const char *p, unsigned *disk, unsigned *part)
{
	static const char *const kinds[] = { "sd", "hd", "vd", "xvd" };
	unsigned n = 0, letters = 0;
	bool known = false;

	for (size_t i = 0; i < 4 && !known; i++)
		known = take_word(&p, kinds[i]);
	for (; known && *p >= 'a' && *p <= 'z' && letters < 4; letters++)
		n = n * 26 + (unsigned)(*p++ - 'a') + 1;
	*disk = n - 1;
	*part = 0;
	return letters && (!*p || (take_number(&p, part) && !*p));
}

/* A controller each, or names of one controller. */
static bool numbered(const char *p, unsigned *disk, unsigned *part)
{
	unsigned space;

	if (take_word(&p, "mmcblk"))
		return take_number(&p, disk) && take_partition(p, part);
	if (!take_word(&p, "nvme") || !take_number(&p, disk) || *p++ != 'n' ||
	    !take_number(&p, &space) || !space)
		return false;
	if (!*disk)
		*disk = space - 1;
	return take_partition(p, part);
}

static const struct volume *by_number(const struct volumes *v, unsigned disk,
				      unsigned part)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct volume *one = &v->list[i];

		if (one->disk == disk &&
		    (one->part ? one->part->number : 0) == part)
			return one;
	}
	return NULL;
}

/* Serial numbers and slots are not known here: it is clear with one disk only.
 */
static const struct volume *by_slot(const struct volumes *v, const char *name)
{
	const char *p = strstr(name, "-part");
	unsigned part = 0;

	if (v->n_disks != 1 || !*name)
		return NULL;
	if (p) {
		p += strlen("-part");
		if (!take_number(&p, &part) || *p)
			return NULL;
	}
	return by_number(v, 0, part);
}

static const struct volume *by_folder(const struct volumes *v,
				      const struct volume *root,
				      const char *name, bool *by_path)
{
	static const char *const folders[TAG_NONE] = {
		"by-uuid/", "by-label/", "by-partuuid/", "by-partlabel/",
	};
	char value[VALUE_LEN];

	for (unsigned tag = 0; tag < TAG_NONE; tag++) {
		const char *p = name;

		if (take_word(&p, folders[tag]))
			return decode_udev(p, value) ?
				by_tag(v, root, tag, value) : NULL;
	}
	*by_path = take_word(&name, "by-path/") || take_word(&name, "by-id/");
	return *by_path ? by_slot(v, name) : NULL;
}

const struct volume *fstab_device(const struct volumes *v,
				  const struct volume *root, const char *spec,
				  bool *by_path)
{
	char value[VALUE_LEN];
	unsigned disk, part;

	*by_path = false;
	for (unsigned tag = 0; tag < TAG_NONE; tag++) {
		const char *p = spec;

		if (take_word(&p, tag_names[tag]) && *p++ == '=')
			return unquote(p, value) ?
				by_tag(v, root, tag, value) : NULL;
	}
	if (!take_word(&spec, "/dev/"))
		return NULL;
	if (!strcmp(spec, "root"))
		return root;
	if (take_word(&spec, "disk/"))
		return by_folder(v, root, spec, by_path);
	*by_path = lettered(spec, &disk, &part) || numbered(spec, &disk, &part);
	return *by_path ? by_number(v, disk, part) : NULL;
}
