/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.c - open a machine that does not run, from its description inwards. */
#include "convert/source/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "convert/copy/overlay.h"
#include "convert/source/capture.h"
#include "convert/source/refuse.h"
#include "imgfmt/base/buf.h"

#define MAX_SOURCE_DISKS 256u

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), n = strlen(suffix);

	return len > n && !strcasecmp(name + len - n, suffix);
}

/* Which reader a name asks for; NULL: it is a disk image. */
static const char *input_of(const char *name)
{
	static const struct {
		const char *suffix, *input;
	} known[] = {
		{ ".vmx", "vmx" }, { ".ovf", "ovf" }, { ".ova", "ova" },
		{ ".xml", "libvirt" }, { ".json", "json" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (has_suffix(name, known[i].suffix))
			return known[i].input;
	return NULL;
}

/* The one description in a folder; the caller frees it. */
static int find_description(const char *folder, char **out, struct err *e)
{
	static const char suffix[] = ".machine.json";
	DIR *d = opendir(folder);
	struct dirent *entry;
	char *found = NULL;
	int rc = 0;

	if (!d)
		return fail_rc(e, -errno, "cannot read the folder '%s'", folder);
	while (!rc && (entry = readdir(d))) {
		if (!has_suffix(entry->d_name, suffix))
			continue;
		if (found)
			rc = fail(e, EINVAL, "the folder '%s' has several "
				  "%s files; name the one that is meant",
				  folder, suffix);
		else if (!(found = str_printf("%s/%s", folder, entry->d_name)))
			rc = fail(e, ENOMEM, "out of memory");
	}
	closedir(d);
	if (!rc && !found)
		rc = fail(e, ENOENT, "the folder '%s' has neither what p2v "
			  "captures nor a *%s; name a description or a disk "
			  "image", folder, suffix);
	if (rc)
		free(found);
	else
		*out = found;
	return rc;
}

int source_add_nic(struct machine *m, struct err *e)
{
	struct machine_nic *n = machine_add_nic(m);

	if (!n)
		return fail(e, ENOMEM, "out of memory");
	n->mac[0] = 0x52;
	n->mac[1] = 0x54;
	if (getrandom(n->mac + 3, 3, 0) != 3)
		return fail_rc(e, -errno, "random numbers");
	n->has_mac = true;
	n->kind = NIC_NETWORK;
	return machine_set(&n->network, "default", e);
}

/* A machine for disk images that come without one. */
static int make_up(const char *const *names, size_t n, const char *format,
		   struct machine *m, struct err *e)
{
	char *stem = strdup(base_name(names[0])), *dot;
	int rc = stem ? 0 : fail(e, ENOMEM, "out of memory");

	dot = stem ? strrchr(stem, '.') : NULL;
	if (dot && dot != stem)
		*dot = 0;
	m->n_cpus = 1;
	m->memory = SOURCE_DEFAULT_MEMORY;
	if (!rc)
		rc = machine_set(&m->name, stem, e);
	if (!rc)
		rc = machine_set(&m->source_format, "disk", e);
	if (!rc)
		rc = machine_set(&m->source_path, names[0], e);
	if (!rc)
		rc = source_add_nic(m, e);
	for (size_t i = 0; i < n && !rc; i++) {
		struct machine_disk *d = machine_add_disk(m);

		if (!d) {
			rc = fail(e, ENOMEM, "out of memory");
			break;
		}
		d->unit = (unsigned)i;
		rc = machine_set(&d->file, base_name(names[i]), e);
		if (!rc)
			rc = machine_set(&d->path, names[i], e);
		if (!rc && format)
			rc = machine_set(&d->format, format, e);
	}
	free(stem);
	return rc;
}

static int describe(const char *const *names, size_t n,
		    const struct source_args *args, struct source *s,
		    struct err *e)
{
	struct machine_read_args read = { .system = args->system };
	const char *name = names[0];
	char *found = NULL;
	struct stat st;
	int rc;

	if (n == 1 && !stat(name, &st) && S_ISDIR(st.st_mode)) {
		rc = capture_describe(name, &s->machine, e);
		if (rc != -ENOENT)
			return rc;
		rc = find_description(name, &found, e);
		if (rc)
			return rc;
		name = found;
	}
	read.format = args->input ? args->input : input_of(name);
	if (read.format && strcmp(read.format, "disk")) {
		rc = n == 1 ? machine_read(name, &read, &s->machine, e)
		     : fail(e, EINVAL, "'%s' describes a whole machine; it is "
			    "the only source then", name);
	} else {
		s->made_up = true;
		rc = make_up(names, n, args->format, &s->machine, e);
	}
	free(found);
	return rc;
}

/* `flags`: further IMG_*. */
static int open_image(const struct source *s, const struct source_args *args,
		      size_t index, unsigned flags, struct img **out,
		      struct err *e)
{
	const struct machine_disk *d = &s->machine.disks[index];
	struct img_open_args open = {
		.format = d->format, .resolver = args->resolver,
	};

	flags |= args->flags & SOURCE_SHARE ? IMG_SHARE : 0;
	open.flags = flags;
	/* What the command line names may lie anywhere; what a description names
	 * not, even if it says that it was made up once.
	 */
	if (s->made_up)
		return img_open(d->path, &open, out, e);
	return machine_open_disk(&s->machine, index, flags, args->resolver, out,
				 e);
}

/* Opening the disk has failed so: is it what it stands on? */
static bool breaks_chain(const struct source *s, const struct source_args *args,
			 size_t index, int rc)
{
	struct img *img;

	switch (rc) {
	case -ENOENT: case -ENOTDIR: case -EISDIR: case -ELOOP:
	case -EINVAL: case -EUCLEAN: case -ENOTSUP:
		break;
	default:
		return false;
	}
	if (open_image(s, args, index, IMG_NO_BACKING, &img, NULL))
		return false;
	img_close(img, NULL);
	return true;
}

static int open_disk(struct source *s, const struct source_args *args,
		     size_t index, struct err *e)
{
	const struct machine_disk *d = &s->machine.disks[index];
	struct source_disk *sd = &s->disks[s->n_disks];
	const char *name = d->member ? d->member : d->file ? d->file : d->path;
	struct img *img;
	int rc = open_image(s, args, index, 0, &img, e);

	if (rc && breaks_chain(s, args, index, rc))
		return refuse_chain(s, index, name ? name : "", e);
	if (rc)
		return fail_prefix(e, rc, "disk %zu ('%s')", index + 1,
				   name ? name : "");
	sd->index = index;
	sd->name = strdup(name ? name : "");
	sd->format = strdup(img_format(img));
	if (!d->member && *img_name(img))
		sd->file = strdup(img_name(img));
	if (args->flags & SOURCE_EDIT)
		rc = overlay_open(img, &img, e);
	if (rc)
		return rc;
	sd->img = img;
	s->imgs[s->n_disks++] = img;
	return sd->name && sd->format ? 0 : fail(e, ENOMEM, "out of memory");
}

static int open_disks(struct source *s, const struct source_args *args,
		      struct err *e)
{
	size_t n = s->machine.n_disks;
	int rc = 0;

	if (n > MAX_SOURCE_DISKS)
		return fail(e, ENOTSUP, "'%s' has %zu drives, at most %u are "
			    "possible", s->machine.source_path, n,
			    MAX_SOURCE_DISKS);
	s->disks = array_alloc(n + 1, sizeof(*s->disks));
	s->imgs = array_alloc(n + 1, sizeof(*s->imgs));
	if (!s->disks || !s->imgs)
		return fail(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n && !rc; i++)
		if (s->machine.disks[i].medium == MEDIUM_DISK)
			rc = open_disk(s, args, i, e);
	if (!rc && !s->n_disks && !s->n_refusals)
		rc = fail(e, ENOTSUP, "'%s' has no hard disk",
			  s->machine.source_path);
	return rc;
}

int source_open(const char *const *names, size_t n,
		const struct source_args *args, struct source *out,
		struct err *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = describe(names, n, args, out, e);
	if (!rc)
		rc = refuse_machine(out, e);
	/* The disks of such a machine need not make sense. */
	if (rc || out->n_refusals)
		return rc;
	rc = open_disks(out, args, e);
	if (rc == -EBUSY || rc == -EAGAIN)
		return refuse_in_use(out, e);
	if (rc || out->n_refusals)
		return rc;
	rc = volumes_open(out->imgs, out->n_disks, &out->volumes, e);
	if (!rc)
		rc = linux_inspect(out->imgs, &out->volumes, &out->guest, e);
	return rc;
}

void source_close(struct source *s)
{
	linux_free(s->guest);
	volumes_close(&s->volumes);
	for (size_t i = 0; i < s->n_disks; i++) {
		img_close(s->disks[i].img, NULL);
		free(s->disks[i].name);
		free(s->disks[i].file);
		free(s->disks[i].format);
	}
	free(s->disks);
	free(s->imgs);
	refusals_free(s);
	machine_free(&s->machine);
	memset(s, 0, sizeof(*s));
}

const struct linux_refusal *source_refusal(const struct source *s, size_t i)
{
	if (i < s->n_refusals)
		return &s->refusals[i];
	i -= s->n_refusals;
	return s->guest && i < s->guest->n_refusals ? &s->guest->refusals[i]
						    : NULL;
}

char *source_refusals_text(const struct source *s)
{
	const struct linux_refusal *r;
	char *text = strdup("");

	for (size_t i = 0; text && (r = source_refusal(s, i)); i++) {
		char *more = str_printf("%s%s%s: %s %s", text, i ? "\n" : "",
					r->code, r->why, r->fix);

		free(text);
		text = more;
	}
	return text;
}
