/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* create.c - new images: the options of -o, and an image of size 0 with a header,
 * a refcount table and one block, which is then resized.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/drivers.h"
#include "state.h"

const struct img_option qcow2_options[] = {
	{ "backing_file", "str", "file name of the backing file" },
	{ "backing_fmt", "str", "format of the backing file" },
	{ "cluster_size", "size", "cluster size, 512 to 2M (default 64k)" },
	{ "compat", "str", "version of the format: v2 (0.10) or v3 (1.1)" },
	{ "compression_type", "str", "compressed clusters are zlib or zstd" },
	{ "data_file", "str", "keep guest data in this other file" },
	{ "data_file_raw", "bool (on/off)",
	  "keep the data file readable as a raw image" },
	{ "encrypt.cipher-alg", "str", "not supported yet" },
	{ "encrypt.cipher-mode", "str", "not supported yet" },
	{ "encrypt.format", "str", "not supported yet" },
	{ "encrypt.hash-alg", "str", "not supported yet" },
	{ "encrypt.iter-time", "num", "not supported yet" },
	{ "encrypt.ivgen-alg", "str", "not supported yet" },
	{ "encrypt.ivgen-hash-alg", "str", "not supported yet" },
	{ "encrypt.key-secret", "str", "not supported yet" },
	{ "encryption", "bool (on/off)", "not supported yet" },
	{ "extended_l2", "bool (on/off)",
	  "divide clusters into 32 subclusters" },
	OPT_FILE_HINTS,
	{ "lazy_refcounts", "bool (on/off)",
	  "let programs put off refcount updates" },
	{ "preallocation", "str", "off, metadata, falloc or full" },
	{ "refcount_bits", "num", "width of a refcount, 1 to 64 (default 16)" },
	{ "size", "size", "virtual size" },
	{ NULL, NULL, NULL },
};

static int parse_version(const struct img_create_args *args, unsigned *version,
			 struct err *e)
{
	const char *text = opt_string(args, "compat");

	*version = 3;
	if (!text || !strcmp(text, "1.1") || !strcmp(text, "v3"))
		return 0;
	*version = 2;
	if (!strcmp(text, "0.10") || !strcmp(text, "v2"))
		return 0;
	return fail(e, EINVAL, "Parameter 'version' does not accept value '%s'",
		    text);
}

int qcow2_prealloc_parse(const char *text, enum qcow2_prealloc *mode,
			 struct err *e)
{
	static const char *const names[] = { "off", "metadata", "falloc",
					     "full" };

	*mode = QCOW2_PREALLOC_OFF;
	if (!text)
		return 0;
	for (unsigned i = 0; i < 4; i++)
		if (!strcmp(text, names[i])) {
			*mode = (enum qcow2_prealloc)i;
			return 0;
		}
	return fail(e, EINVAL, "Parameter 'preallocation' does not accept value "
		    "'%s'", text);
}

static int parse_compression(const struct img_create_args *args,
			     struct qcow2_header *h, struct err *e)
{
	const char *text = opt_string(args, "compression_type");

	if (!text || !strcmp(text, "zlib"))
		return 0;
	if (strcmp(text, "zstd"))
		return fail(e, EINVAL, "Parameter 'compression-type' does not "
			    "accept value '%s'", text);
	h->compression = 1;
	h->incompat |= QCOW2_INCOMPAT_COMPRESSION;
	return 0;
}

static int parse_cluster_size(const struct img_create_args *args,
			      struct qcow2_header *h, struct err *e)
{
	uint64_t size = 65536;
	int rc = opt_size(args, "cluster_size", &size, e);

	if (rc)
		return rc;
	if (!is_pow2(size) || size < 1u << QCOW2_MIN_CLUSTER_BITS ||
	    size > 1u << QCOW2_MAX_CLUSTER_BITS)
		return fail(e, EINVAL, "Cluster size must be a power of two "
			    "between 512 and 2048k");
	h->cluster_bits = (unsigned)__builtin_ctzll(size);
	return 0;
}

static int parse_refcount_bits(const struct img_create_args *args,
			       struct qcow2_header *h, struct err *e)
{
	const char *text = opt_string(args, "refcount_bits");
	uint64_t bits = 16;
	int rc = 0;

	if (text && *text == '-')
		bits = 0;
	else
		rc = opt_number(args, "refcount_bits", &bits, e);
	if (rc)
		return rc;
	if (!is_pow2(bits) || bits > 64)
		return fail(e, EINVAL, "Refcount width must be a power of two "
			    "and may not exceed 64 bits");
	h->refcount_order = (unsigned)__builtin_ctzll(bits);
	return 0;
}

static int parse_features(const struct img_create_args *args,
			  struct qcow2_header *h, struct err *e)
{
	bool lazy = false, extl2 = false, raw = false;
	const char *data = opt_string(args, "data_file");
	int rc = opt_bool(args, "lazy_refcounts", &lazy, e);

	if (!rc)
		rc = opt_bool(args, "extended_l2", &extl2, e);
	if (!rc)
		rc = opt_bool(args, "data_file_raw", &raw, e);
	if (!rc)
		rc = opt_file_hints(args, e);
	if (!rc && raw && !data)
		rc = fail(e, EINVAL, "data-file-raw requires data-file");
	if (rc)
		return rc;
	if (lazy)
		h->compat |= QCOW2_COMPAT_LAZY_REFCOUNTS;
	if (extl2)
		h->incompat |= QCOW2_INCOMPAT_EXTL2;
	if (raw)
		h->autoclear |= QCOW2_AUTOCLEAR_DATA_FILE_RAW;
	if (!data)
		return 0;
	h->incompat |= QCOW2_INCOMPAT_DATA_FILE;
	h->data_file = strdup(data);
	return h->data_file ? 0 : fail(e, ENOMEM, "out of memory");
}

/* Version 2 knows none of these. */
static int check_version(const struct qcow2_header *h, struct err *e)
{
	const char *what = NULL;

	if (h->version >= 3)
		return 0;
	if (h->incompat & QCOW2_INCOMPAT_EXTL2)
		what = "Extended L2 entries are only supported with "
		       "compatibility level 1.1 and";
	else if (h->compat & QCOW2_COMPAT_LAZY_REFCOUNTS)
		what = "Lazy refcounts only supported with compatibility level "
		       "1.1 and";
	else if (h->refcount_order != 4)
		what = "Different refcount widths than 16 bits require "
		       "compatibility level 1.1 or";
	else if (h->incompat & QCOW2_INCOMPAT_DATA_FILE)
		what = "External data files are only supported with "
		       "compatibility level 1.1 and";
	else if (h->compression)
		what = "Non-zlib compression type is only supported with "
		       "compatibility level 1.1 and";
	if (!what)
		return 0;
	return fail(e, EINVAL, "%s above (use version=v3 or greater)", what);
}

static int check_backing(const struct qcow2_new *n, struct err *e)
{
	const struct qcow2_header *h = &n->h;
	bool extl2 = h->incompat & QCOW2_INCOMPAT_EXTL2;

	if (!h->backing_name)
		return 0;
	if (n->prealloc != QCOW2_PREALLOC_OFF && !extl2)
		return fail(e, EINVAL, "Backing file and preallocation can only "
			    "be used at the same time if extended_l2 is on");
	if (h->autoclear & QCOW2_AUTOCLEAR_DATA_FILE_RAW)
		return fail(e, EINVAL, "Backing file and data-file-raw cannot "
			    "be used at the same time");
	if (strlen(h->backing_name) > QCOW2_MAX_BACKING_NAME)
		return fail(e, EINVAL, "Backing file name too long: %zu bytes, "
			    "at most %u are allowed", strlen(h->backing_name),
			    QCOW2_MAX_BACKING_NAME);
	return 0;
}

static int parse_backing(const struct img_create_args *args,
			 struct qcow2_header *h, struct err *e)
{
	const char *name = args->backing ? args->backing
					 : opt_string(args, "backing_file");
	const char *format = args->backing_format ? args->backing_format
					: opt_string(args, "backing_fmt");

	if (!name || !*name)
		return 0;
	h->backing_name = strdup(name);
	h->backing_format = format ? strdup(format) : NULL;
	if (!h->backing_name || (format && !h->backing_format))
		return fail(e, ENOMEM, "out of memory");
	return 0;
}

static int refuse_encryption(const struct img_create_args *args, struct err *e)
{
	bool on = false;
	int rc = opt_bool(args, "encryption", &on, e);

	for (size_t i = 0; i < args->n_options; i++)
		on |= !strncmp(args->options[i].key, "encrypt.", 8);
	if (!rc && on)
		rc = fail(e, ENOTSUP, "creating encrypted images is not "
			  "supported yet");
	return rc;
}

static int check_size(const struct qcow2_new *n, struct err *e)
{
	const struct qcow2_header *h = &n->h;

	if (h->extl2 && h->cluster_bits < QCOW2_MIN_EXTL2_CLUSTER_BITS)
		return fail(e, EINVAL, "Extended L2 entries are only supported "
			    "with cluster sizes of at least 16384 bytes");
	if ((uint64_t)h->l1_needed * 8 > QCOW2_MAX_L1_LEN)
		return fail(e, EFBIG, "The image size is too large for file "
			    "format 'qcow2' (try using a larger cluster size)");
	return 0;
}

static int parse(const struct img_create_args *args, struct qcow2_new *n,
		 struct err *e)
{
	struct qcow2_header *h = &n->h;
	uint64_t size;
	int rc;

	rc = refuse_encryption(args, e);
	if (!rc)
		rc = qcow2_prealloc_parse(opt_string(args, "preallocation"),
					  &n->prealloc, e);
	if (!rc)
		rc = parse_compression(args, h, e);
	if (!rc)
		rc = parse_version(args, &h->version, e);
	if (!rc)
		rc = parse_cluster_size(args, h, e);
	if (!rc)
		rc = parse_refcount_bits(args, h, e);
	if (!rc)
		rc = parse_features(args, h, e);
	if (!rc)
		rc = parse_backing(args, h, e);
	if (!rc)
		rc = check_version(h, e);
	if (rc)
		return rc;
	size = args->size;
	rc = size ? 0 : opt_size(args, "size", &size, e);
	if (rc)
		return rc;
	if (size > INT64_MAX - 511)
		return fail(e, EINVAL, "a size of %" PRIu64 " bytes is too "
			    "large", size);
	h->size = round_up(size, 512);
	qcow2_header_derive(h);
	rc = check_backing(n, e);
	/* A raw data file has every cluster at its place: say so now. */
	if (h->raw_external && n->prealloc == QCOW2_PREALLOC_OFF)
		n->prealloc = QCOW2_PREALLOC_METADATA;
	return rc ? rc : check_size(n, e);
}

int qcow2_new_parse(const struct img_create_args *args, struct qcow2_new *n,
		    struct err *e)
{
	int rc;

	*n = (struct qcow2_new){ 0 };
	rc = parse(args, n, e);
	if (rc)
		qcow2_header_free(&n->h);
	return rc;
}

/* Header, refcount table and the first block: an image of no size. */
static int write_empty(struct img *below, const struct qcow2_header *full,
		       struct err *e)
{
	struct qcow2_header h = *full;
	size_t cluster = h.cluster_size;
	uint8_t *buf = buf_alloc(3 * cluster);
	int rc;

	if (!buf)
		return fail(e, ENOMEM, "out of memory");
	memset(buf, 0, 3 * cluster);
	h.size = 0;
	h.reftable_offset = cluster;
	h.reftable_clusters = 1;
	rc = qcow2_header_encode(&h, buf, e);
	if (rc)
		goto out;
	put_be64(buf + cluster, 2 * cluster);
	for (unsigned i = 0; i < 3; i++)
		qcow2_refcount_set(buf + 2 * cluster, h.refcount_order, i, 1);
	rc = img_truncate(below, 0, e);
	if (rc)
		goto out;
	rc = img_write(below, buf, 3 * cluster, 0);
	if (rc)
		fail_rc(e, rc, "Could not write qcow2 header");
out:
	free(buf);
	return rc;
}

int qcow2_create(struct img *below, const struct img_create_args *args,
		 struct err *e)
{
	struct img_open_args open = {
		.format = "qcow2",
		.flags = below->flags | IMG_WRITE | IMG_NO_BACKING,
		.resolver = args->resolver,
	};
	struct qcow2_new n;
	struct img *img;
	int rc, close_rc;

	rc = qcow2_new_parse(args, &n, e);
	if (rc)
		return rc;
	rc = write_empty(below, &n.h, e);
	if (!rc)
		rc = img_stack(below, &open, &img, e);
	if (!rc) {
		rc = qcow2_grow(img->state, n.h.size, true, n.prealloc, e);
		close_rc = img_close_layer(img, rc ? NULL : e);
		if (!rc)
			rc = close_rc;
	}
	qcow2_header_free(&n.h);
	return rc;
}
