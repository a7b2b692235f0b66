/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - the drivers ova and ovf: a disk inside a package, read where it
 * is.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "imgfmt/drivers.h"
#include "ova.h"

bool ova_has_ext(const char *name, const char *ext)
{
	size_t len = strlen(name), n = strlen(ext);

	return len > n + 1 && name[len - n - 1] == '.' &&
	       !strcasecmp(name + len - n, ext);
}

/* A tar archive whose first member looks like a package's: the descriptor
 * ought to come first, and often does not.
 */
static int probe(const uint8_t *head, size_t head_len, uint64_t file_size)
{
	static const char *const exts[] = {
		"ovf", "mf", "cert", "vmdk", "vmdk.gz", "vmdk.000000000",
	};
	char name[257];

	(void)file_size;
	if (!tar_first_name(head, head_len, name))
		return 0;
	for (size_t i = 0; i < sizeof(exts) / sizeof(exts[0]); i++)
		if (ova_has_ext(name, exts[i]))
			return 90;
	return 0;
}

/* XML with an Envelope: a descriptor in a folder. */
static int probe_ovf(const uint8_t *head, size_t head_len, uint64_t file_size)
{
	size_t n = head_len;

	if (n >= 3 && !memcmp(head, "\xef\xbb\xbf", 3)) {
		head += 3;	/* a byte order mark */
		n -= 3;
	}
	if (!n || *head != '<' || file_size > OVF_MAX_LEN || memchr(head, 0, n))
		return 0;
	return memmem(head, n, "Envelope", 8) ? 90 : 0;
}

bool ova_is_format(const char *format)
{
	return !strcmp(format, img_ova_driver.name) ||
	       !strcmp(format, img_ovf_driver.name);
}

/* The member with an extension; the first, if there are several. */
static const struct tar_member *by_ext(const struct ova *s, const char *ext)
{
	for (size_t i = 0; i < s->tar.n; i++)
		if (ova_has_ext(s->tar.members[i].name, ext))
			return &s->tar.members[i];
	return NULL;
}

/* What belongs to the descriptor has its name but for the extension. */
static const struct tar_member *beside(const struct ova *s, const char *ext)
{
	const struct tar_member *m = by_ext(s, ext);
	size_t len = s->ovf ? strlen(s->ovf->name) - 4 : 0;

	for (size_t i = 0; len && i < s->tar.n; i++) {
		const struct tar_member *other = &s->tar.members[i];

		if (ova_has_ext(other->name, ext) &&
		    strlen(other->name) == len + 1 + strlen(ext) &&
		    !strncmp(other->name, s->ovf->name, len))
			return other;
	}
	return m;
}

static void release(struct ova *s)
{
	img_close(s->disk, NULL);
	manifest_free(&s->manifest);
	ova_free_disks(s);
	ova_free_folder(s);
	tar_free(&s->tar);
}

/* Choose and open.  Without a disk there is still something to tell or check. */
static int open_disk(struct ova *s, const struct img_open_args *args,
		     struct err *e)
{
	int rc = ova_choose(s, args->member, &s->why);

	if (!rc)
		rc = ova_open_disk(s, args->flags, &s->why);
	if (!rc)
		return 0;
	if (args->flags & IMG_NO_DATA && !args->member && rc != -ENOMEM)
		return 0;
	return fail(e, -rc, "%s", s->why.text);
}

/* With the members known. */
static int open_package(struct ova *s, const struct img_open_args *args,
			struct err *e)
{
	int rc;

	s->ovf = by_ext(s, "ovf");
	s->mf = beside(s, "mf");
	s->cert = beside(s, "cert");
	if (s->files)
		s->ovf = &s->tar.members[0];	/* whatever it is called */
	rc = ova_read_manifest(s, e);
	if (!rc)
		rc = ova_find_disks(s, e);
	if (!rc)
		rc = open_disk(s, args, e);
	if (rc || !s->disk)
		return rc;
	s->img->size = img_size(s->disk);
	s->img->block_size = img_block_size(s->disk);
	s->img->in_order = img_in_order(s->disk);
	return 0;
}

static int open_any(struct img *img, const struct img_open_args *args,
		    bool folder, struct err *e)
{
	struct ova *s = img->state;
	int rc;

	if (args->snapshot)
		return fail(e, ENOENT, "%s: a package has no snapshots",
			    img->name);
	s->img = img;
	rc = folder ? ova_read_folder(s, args, e)
		    : tar_scan(img->below, &s->tar, e);
	if (!rc)
		rc = open_package(s, args, e);
	if (rc)
		release(s);
	return rc;
}

static int ova_open(struct img *img, const struct img_open_args *args,
		    struct err *e)
{
	return open_any(img, args, false, e);
}

static int ovf_open(struct img *img, const struct img_open_args *args,
		    struct err *e)
{
	return open_any(img, args, true, e);
}

static int ova_close(struct img *img, struct err *e)
{
	(void)e;
	release(img->state);
	return 0;
}

/* Nobody needs the data of a package that is known to be damaged. */
static int usable(const struct ova *s)
{
	return atomic_load_explicit(&s->damaged, memory_order_relaxed) ?
	       -EUCLEAN : 0;
}

static int ova_read(struct img *img, void *buf, size_t len, uint64_t offset)
{
	struct ova *s = img->state;
	int rc = usable(s);

	return rc ? rc : img_read(s->disk, buf, len, offset);
}

static int ova_map(struct img *img, uint64_t offset, uint64_t len,
		   struct img_extent *ext)
{
	struct ova *s = img->state;
	int rc = usable(s);

	if (!rc)
		rc = img_map(s->disk, offset, len, ext);
	ext->depth = 0;
	return rc;
}

static int ova_take(struct img *img, uint64_t window, struct img_batch *batch,
		    struct err *e)
{
	struct ova *s = img->state;
	int rc = usable(s);

	return rc ? fail_rc(e, rc, "%s", img->name)
		  : img_take(s->disk, window, batch, e);
}

static int ova_unpack(struct img *img, const struct img_batch *batch, size_t i,
		      void *buf)
{
	struct ova *s = img->state;

	return img_unpack(s->disk, batch, i, buf);
}

static int ova_locate(struct img *img, uint64_t offset, struct img_extent *ext)
{
	struct ova *s = img->state;

	img_locate(s->disk, offset, ext);
	return ext->fd < 0 ? -ENOTSUP : 0;
}

static int ovf_host_usage(const struct img *img, uint64_t *bytes)
{
	const struct ova *s = img->state;
	int rc = img_host_usage(img->below, bytes);

	for (size_t i = 0; i < s->tar.n && !rc; i++) {
		uint64_t one = 0;

		if (s->files[i])
			rc = img_host_usage(s->files[i], &one);
		*bytes += one;
	}
	return rc;
}

const struct img_driver img_ova_driver = {
	.name = "ova",
	.state_size = sizeof(struct ova),
	.flags = DRV_PARALLEL | DRV_FORMAT,
	.probe = probe,
	.open = ova_open,
	.close = ova_close,
	.read = ova_read,
	.map = ova_map,
	.locate = ova_locate,
	.take = ova_take,
	.unpack = ova_unpack,
	.check = ova_check,
	.info = ova_info,
	.verify = ova_verify,
};

const struct img_driver img_ovf_driver = {
	.name = "ovf",
	.state_size = sizeof(struct ova),
	.flags = DRV_PARALLEL | DRV_FORMAT,
	.probe = probe_ovf,
	.open = ovf_open,
	.close = ova_close,
	.read = ova_read,
	.map = ova_map,
	.locate = ova_locate,
	.take = ova_take,
	.unpack = ova_unpack,
	.check = ova_check,
	.info = ova_info,
	.verify = ova_verify,
	.host_usage = ovf_host_usage,
};
