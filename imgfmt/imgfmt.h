/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* imgfmt.h - read and write virtual disk images.
 *
 * An image is a stack of layers that all look alike: a format (qcow2, vmdk, ...)
 * on top of a file, perhaps with a window between.  The caller sees the top:
 * `size` bytes, readable and perhaps writable at any offset.
 *
 * Every call blocks until it is done.  Data calls on one image may be made from
 * any number of threads at once; that is how to get parallel I/O.  Opening,
 * resizing, checking and closing need the image to themselves.
 *
 * Calls return 0 or a negative errno value; a `struct err *` may be NULL and
 * gets one sentence that says why.  -EUCLEAN: the image is corrupt.  -ENOTSUP:
 * it uses a feature that is not supported.  -EPERM: it names another file that
 * the resolver refused.
 */
#ifndef IMGFMT_H
#define IMGFMT_H

#include "base/base.h"
#include "base/vec.h"

#ifdef __cplusplus
extern "C" {
#endif

struct img;			/* an open layer; owns the layers below it */
struct json_t;			/* jansson's value */

/* How to open. */
#define IMG_WRITE	0x0001u	/* allow writing; otherwise writes give -EROFS */
#define IMG_DIRECT	0x0002u	/* bypass the page cache (O_DIRECT) */
#define IMG_REPAIR	0x0004u	/* open although it is marked dirty or corrupt,
				 * for img_check(); data calls may fail */
#define IMG_NO_BACKING	0x0008u	/* do not open the backing file; what this
				 * image does not store reads as zeroes */
#define IMG_NO_FLUSH	0x0010u	/* img_flush() and write ordering do not wait
				 * for the disk (qemu's cache=unsafe) */
#define IMG_NO_LOCK	0x0020u	/* take no lock on the files */
#define IMG_SHARE	0x0040u	/* read-only: accept that another process is
				 * writing (qemu-img's -U) */
#define IMG_PROBE_BACKING 0x0080u /* guess the format of a backing file whose
				 * format is not stated; unsafe if a guest
				 * could write that file */
#define IMG_WRITETHROUGH 0x0100u /* every write is on the disk when it returns */
#define IMG_NO_DATA	0x0200u	/* only metadata is wanted (info, check): open
				 * no backing file, and go on when an external
				 * data file is missing */
#define IMG_SALVAGE	0x0400u	/* open what is cut off at its end; the image
				 * may then be img_in_order() */

/* Deciding what an image may pull in.
 *
 * An image can name other files: a backing file, extents, an external data
 * file.  Whoever wrote the image chose those names, so nothing is opened unless
 * this says so.
 */
struct img_resolver {
	/* Open `name` as found in `referrer` (the file name of the image that
	 * names it; a relative name counts from its folder).  `format` is NULL
	 * to probe.  `flags` are IMG_*: IMG_WRITE only for a data file or
	 * extent of an image opened for writing.  The image then owns *out.
	 */
	int (*open)(void *arg, const char *referrer, const char *name,
		    const char *format, unsigned flags,
		    const struct img_resolver *self, struct img **out,
		    struct err *e);
	/* Make an empty file `name`, as found in `referrer`, for a format that
	 * is being created and consists of several files; a raw file layer open
	 * for writing.  NULL: there can be no such files.
	 */
	int (*create)(void *arg, const char *referrer, const char *name,
		      struct img **out, struct err *e);
	/* Where this is not NULL, the files that create() has made since have
	 * no names yet.  With `keep` they get them, each when it is durable, in
	 * the order in which they were made; a name that is taken is a failure,
	 * but for the referrer's own, whose file the new one replaces.  Without
	 * `keep`, and after a failure, they are gone.  All are closed by then.
	 */
	int (*settle)(void *arg, bool keep, struct err *e);
	/* Has to outlive an image that is opened for writing where create() is
	 * not NULL: img_resize() may need more files.
	 */
	void *arg;
};

/* Ready-made resolvers.  A folder policy opens names at or below the folder of
 * the referrer (no "..", no absolute name, no symbolic link out of it), or
 * anywhere below `also` where that is not NULL.  The other one opens any file,
 * as qemu-img does.  Both refuse "json:" and names that look like URLs.
 * `also` must outlive the resolver.
 */
struct img_resolver img_resolve_in_folder(const char *also);
struct img_resolver img_resolve_anywhere(void);

struct img_open_args {
	const char *format;	/* NULL: guess from the content, see img_probe() */
	unsigned flags;		/* IMG_* */
	const struct img_resolver *resolver;	/* NULL: refuse other files */
	const char *snapshot;	/* id or name of an internal snapshot to show
				 * (read-only), or NULL */
	/* The backing file to use instead of the one the image names (""
	 * for none), and its format; NULL: as the image says.
	 */
	const char *backing, *backing_format;
	/* Which disk of a package (ova) that holds several: a member's name, or
	 * a number from 1 in the order of the package.  NULL: the only one.
	 * Other formats do not look at it.
	 */
	const char *member;
};

/* Open `path`.  On failure *out is untouched. */
int img_open(const char *path, const struct img_open_args *args,
	     struct img **out, struct err *e);

/* Put a format on top of `below`.  On success the new layer owns `below`;
 * on failure the caller still does.
 */
int img_stack(struct img *below, const struct img_open_args *args,
	      struct img **out, struct err *e);

/* A host file or block device without a format.  img_file_fd() takes a
 * descriptor, which the layer owns on success; `name` is for messages, and
 * relative names inside an image on top count from its folder.
 */
int img_file_open(const char *path, unsigned flags, struct img **out,
		  struct err *e);
int img_file_fd(int fd, const char *name, unsigned flags, struct img **out,
		struct err *e);

/* A descriptor that can only be written, from the start to the end: a pipe or
 * standard output.  The layer owns it on success.  Writing behind what has gone
 * out gives -ESPIPE, as does reading, but for the first 64 KiB; what is skipped
 * goes out as zeroes.  For formats that are
 * written in one pass: raw, and those that say so.
 */
int img_stream_fd(int fd, const char *name, struct img **out, struct err *e);

/* A descriptor that can only be read, from the start to the end: a pipe or
 * standard input.  The layer owns it on success.  `stop` (may be NULL) is asked
 * a few times each second whether to give up, with -ECANCELED, also here, where
 * the first bytes are waited for.  For formats that can be read in one pass;
 * img_stack() refuses others.
 */
int img_pipe_fd(int fd, const char *name, bool (*stop)(void *arg), void *arg,
		struct img **out, struct err *e);

/* Show only [offset, offset + len) of `below`.  Ownership as img_stack(). */
int img_window(struct img *below, uint64_t offset, uint64_t len,
	       struct img **out, struct err *e);

/* Show `below` read-only with holes in it: these ranges read as zeroes, and nobody
 * reads what lies there.  They are in order and do not overlap; the list is copied.
 * Ownership as img_stack().
 */
struct img_range {
	uint64_t offset, len;	/* bytes */
};
int img_mask(struct img *below, const struct img_range *holes, size_t n,
	     struct img **out, struct err *e);

/* Show `to` without owning it, so that several stacks can stand on one image;
 * `to` must outlive it.  `flags`: IMG_WRITE, where `to` was opened so, or 0.
 */
int img_borrow(struct img *to, unsigned flags, struct img **out,
	       struct err *e);

/* `size` bytes of zeroes in memory, allocated as they are written; grows when
 * a format on top writes beyond the end.
 */
int img_memory(uint64_t size, struct img **out, struct err *e);

/* Flush, then close this layer and every layer below.  NULL is allowed.
 * The image is gone even if this fails; the value says whether the data is safe.
 */
int img_close(struct img *img, struct err *e);

/* What is being written will not be complete: closing is not to put an end to it
 * that makes it look so, where the format has one (a stream's footer).
 */
void img_spoil(struct img *img);

uint64_t img_size(const struct img *img);		/* bytes */
uint32_t img_block_size(const struct img *img);		/* bytes, best unit:
							 * cluster, block, grain */
const char *img_format(const struct img *img);		/* "qcow2" */
const char *img_name(const struct img *img);		/* file name, or "" */
unsigned img_flags(const struct img *img);		/* IMG_* it was opened with */
struct img *img_backing(const struct img *img);		/* next in chain or NULL */
struct img *img_below(const struct img *img);		/* the layer it stores in,
							 * or NULL */

/* Data.  All or nothing: 0, or a negative errno.  -ERANGE outside the image. */
int img_read(struct img *img, void *buf, size_t len, uint64_t offset);
int img_write(struct img *img, const void *buf, size_t len, uint64_t offset);
/* The same to and from memory in pieces (base/vec.h).  *at goes on behind the
 * `len` bytes; after an error it is anywhere.
 */
int img_readv(struct img *img, struct vec *at, size_t len, uint64_t offset);
int img_writev(struct img *img, struct vec *at, size_t len, uint64_t offset);
/* Do all layers of it take small pieces at once?  If not, each is a call of its
 * own, and a buffer of the caller's may be quicker.
 */
bool img_reads_pieces(const struct img *img);
bool img_writes_pieces(const struct img *img);
int img_zero(struct img *img, uint64_t len, uint64_t offset, unsigned flags);
int img_discard(struct img *img, uint64_t len, uint64_t offset);
int img_flush(struct img *img);

#define IMG_ZERO_KEEP	0x01u	/* img_zero(): stay allocated */
#define IMG_ZERO_FAST	0x02u	/* img_zero(): -ENOTSUP rather than be slow */

/* Reading in the order of the file.
 *
 * Of a stream without tables the data can be had only in the order in which it
 * comes, once: img_read() and img_map() give -ESPIPE.  What does not come reads
 * as zeroes.
 */
bool img_in_order(const struct img *img);

struct img_run {
	uint64_t offset;	/* in the image, bytes */
	uint32_t len;		/* bytes */
	uint32_t packed_len;	/* as stored, bytes, */
	size_t packed;		/* from here in the batch's `packed` */
};

/* Zeroed to begin with; reused by the next img_take(). */
struct img_batch {
	struct img_run *runs;
	size_t n, cap;
	uint8_t *packed;
	size_t packed_len, packed_cap;
};

/* The runs that come next, as long as they are different ones inside the same
 * `window` bytes of the image (a power of two, no less than the block size);
 * none at the end of a whole stream.  After -EUCLEAN (cut off or broken) there
 * is nothing more to be had.  One thread at a time.
 */
int img_take(struct img *img, uint64_t window, struct img_batch *batch,
	     struct err *e);
/* The runs[i].len bytes of a run.  Any thread. */
int img_unpack(struct img *img, const struct img_batch *batch, size_t i,
	       void *buf);
void img_batch_free(struct img_batch *batch);

/* What lies at `offset`, without reading it. */
struct img_extent {
	uint64_t offset;	/* in the image, bytes */
	uint64_t len;		/* at least 1, bytes */
	unsigned flags;		/* IMG_EXT_* */
	unsigned depth;		/* which layer of the backing chain says so;
				 * 0 is the image itself */
	int fd;			/* the host file holding these bytes as they
				 * are, or -1 */
	uint64_t fd_offset;	/* where in it, bytes */
	const char *fd_name;	/* that file's name, owned by the image */
};

#define IMG_EXT_ZERO	0x01u	/* reads as zeroes */
#define IMG_EXT_HOLE	0x02u	/* nothing is stored for it: not in this layer
				 * (img_map_layer), or not in any (img_map) */
#define IMG_EXT_COMPRESSED 0x04u

/* Describe the extent that starts at `offset` and ends by `offset + len`.
 * Walk an image by adding ext->len until the end.  img_map() looks through the
 * backing chain: what no layer stores is ZERO|HOLE.  img_map_layer() asks the
 * top layer alone: HOLE without ZERO means "see the backing file".
 */
int img_map(struct img *img, uint64_t offset, uint64_t len,
	    struct img_extent *ext);
int img_map_layer(struct img *img, uint64_t offset, uint64_t len,
		  struct img_extent *ext);

/* Compressed output.
 *
 * A format that can store compressed units says how large a unit is; 0 means it
 * cannot.  Compressing is done by any number of threads, each with a codec of
 * its own; storing is done in the caller's order, one unit at a time.
 */
uint32_t img_compress_unit(const struct img *img);	/* bytes */

/* Is it stored compressed whatever is written?  Such an image is written in the
 * order of its offsets, and a copy into it should use the calls below.
 */
bool img_compress_only(const struct img *img);

struct img_codec;
/* `level` 0 is the format's default; img_codec_free(NULL) is allowed. */
int img_codec_new(struct img *img, int level, struct img_codec **out,
		  struct err *e);
void img_codec_free(struct img_codec *codec);

/* The most that one compressed unit takes: more than the unit itself where a
 * format cannot store a unit plain.  Bytes.
 */
uint32_t img_compress_bound(const struct img *img);

/* Compress one unit (the last of an image may be short) into `dst`, which holds
 * img_compress_bound() bytes.  *dst_len 0: it does not shrink, store it plain.
 */
int img_compress(struct img_codec *codec, const void *src, size_t len,
		 void *dst, size_t *dst_len);

/* Store a unit made by img_compress(); `offset` is a multiple of the unit, and
 * nothing is stored there yet (-EEXIST otherwise).
 */
int img_write_compressed(struct img *img, const void *data, size_t data_len,
			 uint64_t offset);

/* Creating. */
struct img_option {		/* one -o option of a format */
	const char *name;	/* "cluster_size" */
	const char *type;	/* "size", "bool", "num", "str" */
	const char *help;
};

/* NULL-name-terminated; NULL if there is no such format or it has none. */
const struct img_option *img_create_options(const char *format);

/* `img_formats(i)` is the name of the i-th format, NULL at the end. */
const char *img_formats(size_t i);
bool img_format_can_create(const char *format);

struct img_kv {
	const char *key, *value;
};

struct img_create_args {
	const char *format;
	uint64_t size;			/* virtual size, bytes */
	const struct img_kv *options;	/* as in -o key=value */
	size_t n_options;
	/* Name of the backing file as it is to be stored, and its format; the
	 * caller has checked that it can be opened.
	 */
	const char *backing, *backing_format;
	/* Opens what the options name (an external data file, which the caller
	 * has created); needed only then.
	 */
	const struct img_resolver *resolver;
};

/* Write an empty image of the format into `below`, a writable layer whose old
 * content counts for nothing.  Open it with img_stack() afterwards.  Options
 * are checked before anything is written.
 */
int img_create(struct img *below, const struct img_create_args *args,
	       struct err *e);

/* How large would a file be?  `src` NULL: for an empty image of args->size, all
 * of it written later; otherwise for the content of src.  Bytes.
 */
struct img_measure {
	uint64_t required;	/* for the data there is */
	uint64_t fully_allocated;
	uint64_t bitmaps;	/* for src's persistent bitmaps */
	bool has_bitmaps;
};
int img_measure(const struct img_create_args *args, struct img *src,
		struct img_measure *out, struct err *e);

/* Change the virtual size.  `preallocation` is NULL, "off", "metadata",
 * "falloc" or "full" and applies to what is added.  Shrinking drops the data
 * beyond the new end; the caller has asked the user.
 */
int img_resize(struct img *img, uint64_t size, const char *preallocation,
	       struct err *e);

/* Checking.  Counts are of clusters, entries or the like, as the format's
 * specification has it; a finding is reported as one line.
 */
struct img_check {
	/* In: what to repair, and where findings go. */
	bool fix_leaks, fix_errors;
	void (*report)(void *arg, const char *line);	/* may be NULL */
	void *arg;
	/* Out. */
	uint64_t corruptions, leaks, check_errors;
	uint64_t corruptions_fixed, leaks_fixed;
	uint64_t total_clusters, allocated_clusters;
	uint64_t compressed_clusters, fragmented_clusters;
	uint64_t image_end_offset;		/* bytes */
	bool has_cluster_counts;
};
int img_check(struct img *img, struct img_check *check, struct err *e);

/* Packages (ova) store digests of what they hold. */
struct img_verify {
	/* In; both may be NULL.  go_on() is told how far it is and stops it by
	 * returning false: -ECANCELED.
	 */
	bool (*go_on)(void *arg, uint64_t done, uint64_t total);
	void (*report)(void *arg, const char *line);	/* notes */
	void *arg;
	bool only_report;	/* what does not match is a note as well */
	/* Out: there was something to compare with. */
	bool has_digests;
};

/* Is what the image's data comes from what the digests beside it say?  Reads it
 * all.  -EUCLEAN if not; data calls fail from then on.  0 for formats without
 * digests.  May run in a thread of its own beside data calls.
 */
int img_verify(struct img *img, struct img_verify *verify, struct err *e);

/* What the header says beyond size and format. */
struct img_info {
	uint32_t cluster_size;		/* bytes, 0: none */
	const char *backing;		/* as stored; owned by the image, NULL: none */
	const char *backing_format;	/* NULL: not stated */
	const char *data_file;		/* external data file as stored, or NULL */
	bool compressed, encrypted, dirty, corrupt;
	struct json_t *specific;	/* object of qemu's ImageInfoSpecific
					 * "data", a new reference, or NULL */
	struct json_t *snapshots;	/* array of qemu's SnapshotInfo, or NULL */
};
int img_info(struct img *img, struct img_info *info, struct err *e);

/* Bytes that the image's own files take on the host (st_blocks). */
int img_host_usage(const struct img *img, uint64_t *bytes);

/* The name of the format that `below` seems to hold; "raw" if none fits.
 * Never use the answer for a file that a guest can write.
 */
const char *img_probe(struct img *below);

#ifdef __cplusplus
}
#endif

#endif
