/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.h - what a format or a filter implements.  Internal to imgfmt and its
 * tests.
 */
#ifndef IMGFMT_DRIVER_H
#define IMGFMT_DRIVER_H

#include <pthread.h>

#include "imgfmt.h"

/* The core calls these with checked arguments: len > 0, the range is inside the
 * image (except on a growable layer, see DRV_GROWS), the layer is writable if
 * the call writes.  A driver that leaves out an optional call gets the behaviour
 * named beside it.
 *
 * read() of what this layer does not store gives zeroes: the core asks map()
 * first where there is a backing file and reads the holes from that.
 */
struct img_driver {
	const char *name;
	size_t state_size;	/* the core allocates and zeroes this much */
	unsigned flags;		/* DRV_* */
	const struct img_option *options;	/* of create, or NULL */

	/* How sure are you, 0 to 100, from the first bytes?  No side effects. */
	int (*probe)(const uint8_t *head, size_t head_len, uint64_t file_size);

	/* Fill in img->size, img->block_size and the state, and perhaps
	 * img->backing_name and img->backing_format; the core then opens the
	 * backing file.  On failure release what you took; the core frees the
	 * state.
	 */
	int (*open)(struct img *img, const struct img_open_args *args,
		    struct err *e);
	/* Flushes what is cached, releases all.  Called once, even after an
	 * error.
	 */
	int (*close)(struct img *img, struct err *e);	/* optional: nothing */
	/* Is img->backing, just opened, the file that the image was made for?
	 * -EUCLEAN with a sentence if not.
	 */
	int (*check_backing)(struct img *img,
			     struct err *e);		/* optional: it is */

	int (*read)(struct img *img, void *buf, size_t len, uint64_t offset);
	int (*write)(struct img *img, const void *buf, size_t len,
		     uint64_t offset);			/* optional: -EROFS */
	/* As img_readv() and img_writev(). */
	int (*readv)(struct img *img, struct vec *at, size_t len,
		     uint64_t offset);			/* optional: read() each */
	int (*writev)(struct img *img, struct vec *at, size_t len,
		      uint64_t offset);			/* optional: write() each */
	int (*zero)(struct img *img, uint64_t len, uint64_t offset,
		    unsigned flags);			/* optional: write zeroes */
	int (*discard)(struct img *img, uint64_t len,
		       uint64_t offset);		/* optional: nothing */
	int (*flush)(struct img *img);			/* optional: flush below */
	/* Only this layer: fills flags and len (at most `len`), and fd,
	 * fd_offset and fd_name where bytes lie in a host file as they are (see
	 * img_locate()).  ext comes in as {offset, len, 0, 0, -1, 0, NULL}.
	 */
	int (*map)(struct img *img, uint64_t offset, uint64_t len,
		   struct img_extent *ext);		/* optional: all data */
	/* Where in a host file do the bytes at `offset` lie, wherever they are
	 * stored?  0, or -ENOTSUP.
	 */
	int (*locate)(struct img *img, uint64_t offset,
		      struct img_extent *ext);		/* optional: -ENOTSUP */

	/* Compressed units: all or none.  img->compress_unit is set by open. */
	int (*codec_new)(struct img *img, int level, void **codec,
			 struct err *e);
	void (*codec_free)(void *codec);
	int (*compress)(void *codec, const void *src, size_t len, void *dst,
			size_t *dst_len);
	int (*write_compressed)(struct img *img, const void *data,
				size_t data_len, uint64_t offset);

	/* Of a layer with img->in_order, which are called as they are. */
	int (*take)(struct img *img, uint64_t window, struct img_batch *batch,
		    struct err *e);
	int (*unpack)(struct img *img, const struct img_batch *batch, size_t i,
		      void *buf);

	/* Optional: -ENOTSUP. */
	int (*create)(struct img *below, const struct img_create_args *args,
		      struct err *e);
	int (*measure)(const struct img_create_args *args, struct img *src,
		       struct img_measure *out, struct err *e);
	int (*resize)(struct img *img, uint64_t size, const char *preallocation,
		      struct err *e);
	int (*check)(struct img *img, struct img_check *check, struct err *e);
	int (*info)(struct img *img, struct img_info *info, struct err *e);
	int (*verify)(struct img *img, struct img_verify *verify,
		      struct err *e);		/* optional: no digests */

	/* The bottom layers (file, memory) and what passes through to them. */
	uint64_t (*length)(struct img *img);		/* optional: img->size */
	int (*truncate)(struct img *img, uint64_t size, struct err *e);
	int (*host_usage)(const struct img *img,
			  uint64_t *bytes);		/* optional: ask below */
	/* st_dev and st_ino: two layers with the same are the same file. */
	int (*host_id)(const struct img *img,
		       uint64_t id[2]);			/* optional: ask below */
};

#define DRV_PARALLEL	0x01u	/* data calls may overlap; else the core locks */
#define DRV_GROWS	0x02u	/* write() and zero() beyond the end grow it, and
				 * read() there gives zeroes: files and memory,
				 * when used below a format */
#define DRV_APPENDS	0x08u	/* can only be written from the start to the end;
				 * its first 64 KiB can be read */
#define DRV_ONE_PASS	0x10u	/* create() knows layers of that kind */
#define DRV_FORWARD	0x20u	/* can only be read from the start to the end;
				 * the first 64 KiB stay; the length is
				 * INT64_MAX until the end was met, reading
				 * beyond that gives -ENODATA */
#define DRV_READS_FORWARD 0x40u	/* open() knows layers of that kind */
#define DRV_FORMAT	0x04u	/* a user can name it; listed by img_formats() */

struct img {
	const struct img_driver *drv;
	struct img *below;		/* the layer this one stores into, or NULL */
	struct img *backing;		/* where unallocated reads go, or NULL */
	uint64_t size;			/* bytes */
	uint32_t block_size;		/* bytes */
	uint32_t compress_unit;		/* bytes, 0: cannot */
	uint32_t compress_bound;	/* bytes of a compressed unit at most; 0:
					 * less than compress_unit */
	bool compress_only;		/* stores nothing but compressed units */
	bool spoiled;			/* img_spoil() was called */
	bool in_order;			/* see img_in_order() */
	unsigned flags;			/* IMG_*, as opened */
	unsigned depth;			/* of backing files behind this one */
	char *name;			/* file name, for messages and relative
					 * names; never NULL */
	char *backing_name;		/* as stored in the image, or NULL */
	char *backing_format;		/* or NULL */
	pthread_mutex_t serial;		/* used only without DRV_PARALLEL */
	void *state;			/* drv->state_size bytes */
};

extern const struct img_driver *const img_drivers[];	/* NULL at the end */

/* Longest backing chain that is opened: a loop ends here, and no product makes
 * one as long.
 */
#define IMG_MAX_CHAIN 200

/* A new layer on top of `below` (which it owns on success), or on nothing.
 * Allocates; img_layer_free() takes back a layer that was never opened.
 */
int img_layer_new(const struct img_driver *drv, struct img *below,
		  const char *name, unsigned flags, struct img **out,
		  struct err *e);
void img_layer_free(struct img *img);

/* Close this layer and its backing chain, but not what lies below it. */
int img_close_layer(struct img *img, struct err *e);

/* For drivers: read from the backing file, zeroes beyond its end and where there
 * is none.  Any range inside the image.
 */
int img_read_backing(struct img *img, void *buf, size_t len, uint64_t offset);

/* For drivers: write zeroes as data, where img_zero() might leave a hole. */
int img_write_zeroes(struct img *img, uint64_t len, uint64_t offset);

/* For drivers, to measure: in how many units of this many bytes, from offset 0 on,
 * the image has data.  0 or what img_map() returns.
 */
int img_data_units(struct img *img, uint64_t unit, uint64_t *n);

/* For drivers: img_locate() fills ext->fd, fd_offset, fd_name from the layer
 * `in`, or leaves fd at -1.
 */
void img_locate(struct img *in, uint64_t offset, struct img_extent *ext);

/* For drivers: a layer's length as it is now; a file below a format grows. */
uint64_t img_length(struct img *img);

/* img_probe(), but what cannot be read is not raw: -errno. */
int img_probe_format(struct img *below, const char **format);

/* For drivers: cut or extend a DRV_GROWS layer to `size` bytes. */
int img_truncate(struct img *img, uint64_t size, struct err *e);

/* Options of -o.  opt_check() refuses unknown keys; the getters leave *value
 * alone when the key is absent.
 */
int opt_check(const struct img_create_args *args, struct err *e);
const char *opt_string(const struct img_create_args *args, const char *key);
int opt_size(const struct img_create_args *args, const char *key,
	     uint64_t *value, struct err *e);
int opt_number(const struct img_create_args *args, const char *key,
	       uint64_t *value, struct err *e);
int opt_bool(const struct img_create_args *args, const char *key, bool *value,
	     struct err *e);

/* Hints to the host's file system that every format's options may give:
 * OPT_FILE_HINTS in its table, and a call that checks their values.  Nothing
 * follows from them: copying makes extents large without a hint.
 */
#define OPT_FILE_HINTS							\
	{ "extent_size_hint", "size", "accepted, has no effect" },	\
	{ "nocow", "bool (on/off)", "accepted, has no effect" }
int opt_file_hints(const struct img_create_args *args, struct err *e);

#endif
