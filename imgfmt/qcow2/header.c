/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* header.c - decode and check the qcow2 header and its extensions, and write
 * those of a new image.  Specification: "Header", "Header extensions".
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "imgfmt/base/buf.h"
#include "qcow2.h"

void qcow2_header_free(struct qcow2_header *h)
{
	free(h->backing_name);
	free(h->backing_format);
	free(h->data_file);
	h->backing_name = h->backing_format = h->data_file = NULL;
}

void qcow2_header_derive(struct qcow2_header *h)
{
	uint64_t l2_covers;

	h->cluster_size = 1u << h->cluster_bits;
	h->extl2 = h->incompat & QCOW2_INCOMPAT_EXTL2;
	h->external_data = h->incompat & QCOW2_INCOMPAT_DATA_FILE;
	h->raw_external = h->external_data &&
			  h->autoclear & QCOW2_AUTOCLEAR_DATA_FILE_RAW;
	h->l2_entry_size = h->extl2 ? 16 : 8;
	h->l2_bits = h->cluster_bits - (h->extl2 ? 4 : 3);
	l2_covers = 1ull << (h->cluster_bits + h->l2_bits);
	/* At most 2^63 / 2^15 entries: the caller compares with the limit. */
	h->l1_needed = (uint32_t)min_u64(UINT32_MAX,
					 div_round_up(h->size, l2_covers));
	h->refblock_bits = h->cluster_bits + 3 - h->refcount_order;
	h->refcount_max = h->refcount_order == 6 ? UINT64_MAX :
			  (1ull << (1u << h->refcount_order)) - 1;
}

int qcow2_table_check(const struct qcow2_header *h, uint64_t offset, uint64_t n,
		      unsigned entry_size, uint64_t max_len, uint64_t file_len,
		      const char *what, struct err *e)
{
	uint64_t len;

	if (!mul_ok(n, entry_size, &len) || len > max_len)
		return fail(e, EFBIG, "%s too large: %" PRIu64 " entries, at "
			    "most %" PRIu64 " are allowed", what, n,
			    max_len / entry_size);
	if (offset & (h->cluster_size - 1))
		return fail(e, EUCLEAN, "%s offset invalid: 0x%" PRIx64
			    " is not a multiple of the cluster size %u", what,
			    offset, h->cluster_size);
	if (len && !offset)
		return fail(e, EUCLEAN, "%s offset invalid: 0 is the header's",
			    what);
	if (!in_range(offset, len, file_len))
		return fail(e, EUCLEAN, "%s lies outside the file: %" PRIu64
			    " bytes at offset 0x%" PRIx64 ", the file has %"
			    PRIu64, what, len, offset, file_len);
	return 0;
}

/* A string of `len` bytes without a NUL inside, as extensions hold them. */
static int copy_name(const uint8_t *data, size_t len, const char *what,
		     char **out, struct err *e)
{
	if (memchr(data, 0, len))
		return fail(e, EUCLEAN, "%s contains a NUL byte", what);
	free(*out);
	*out = strndup((const char *)data, len);
	return *out ? 0 : fail(e, ENOMEM, "out of memory");
}

/* "Feature name table": 48 bytes each: type, bit number, 46 bytes of name; the
 * last may be cut short.  Bits without a name are told as one number.
 */
#define FEATURE_ENTRY_LEN 48u

static size_t add_feature(char *list, size_t used, size_t room,
			  const uint8_t *entry, size_t len)
{
	if (used && used + 2 < room)
		used += (size_t)sprintf(list + used, ", ");
	for (size_t i = 2; i < len && entry[i] && used + 1 < room; i++)
		list[used++] = entry[i] < 0x20 || entry[i] == 0x7f ?
			       '?' : (char)entry[i];
	list[used] = '\0';
	return used;
}

static int refuse_features(const uint8_t *table, size_t table_len,
			   uint64_t unknown, struct err *e)
{
	char list[300] = "";
	size_t used = 0;

	for (size_t i = 0; i + 2 < table_len; i += FEATURE_ENTRY_LEN) {
		const uint8_t *entry = table + i;

		if (entry[0] || entry[1] > 63 || !(unknown >> entry[1] & 1))
			continue;
		used = add_feature(list, used, sizeof(list), entry,
				   min_u64(FEATURE_ENTRY_LEN, table_len - i));
		unknown &= ~(1ull << entry[1]);
	}
	if (!unknown)
		return fail(e, ENOTSUP, "Unsupported qcow2 feature(s): %s",
			    list);
	return fail(e, ENOTSUP, "Unsupported qcow2 feature(s): %s%sUnknown "
		    "incompatible feature: %" PRIx64, list, used ? ", " : "",
		    unknown);
}

static int decode_bitmaps_ext(struct qcow2_header *h, const uint8_t *data,
			      uint32_t len, struct err *e)
{
	if (len != 24)
		return fail(e, EUCLEAN, "bitmaps extension has %u bytes, must "
			    "be 24", len);
	h->n_bitmaps = get_be32(data);
	h->bitmaps_len = get_be64(data + 8);
	h->bitmaps_offset = get_be64(data + 16);
	if (!h->n_bitmaps || h->n_bitmaps > QCOW2_MAX_BITMAPS)
		return fail(e, EUCLEAN, "bitmaps extension names %u bitmaps, "
			    "must be 1 to %u", h->n_bitmaps, QCOW2_MAX_BITMAPS);
	return 0;
}

/* Where the extensions end and the room they have. */
struct ext_area {
	const uint8_t *data;		/* the first cluster */
	uint32_t start, end;
	const uint8_t *names;		/* the feature name table, or NULL */
	uint32_t names_len;
};

static int decode_ext(struct qcow2_header *h, struct ext_area *area,
		      uint32_t type, const uint8_t *data, uint32_t len,
		      struct err *e)
{
	switch (type) {
	case QCOW2_EXT_BACKING_FORMAT:
		return copy_name(data, len, "the backing format",
				 &h->backing_format, e);
	case QCOW2_EXT_DATA_FILE:
		return copy_name(data, len, "the data file's name",
				 &h->data_file, e);
	case QCOW2_EXT_FEATURE_NAMES:
		area->names = data;
		area->names_len = len;
		return 0;
	case QCOW2_EXT_BITMAPS:
		/* Without the bit an older program has written to the image
		 * and the directory means nothing any more.
		 */
		if (!(h->autoclear & QCOW2_AUTOCLEAR_BITMAPS))
			return 0;
		return decode_bitmaps_ext(h, data, len, e);
	case QCOW2_EXT_CRYPTO:
		if (len != 16)
			return fail(e, EUCLEAN, "CRYPTO header extension size "
				    "%u, must be 16", len);
		h->crypto_offset = get_be64(data);
		h->crypto_len = get_be64(data + 8);
		return 0;
	default:
		return 0;		/* unknown ones are kept, not read */
	}
}

static int decode_exts(struct qcow2_header *h, struct ext_area *area,
		       struct err *e)
{
	uint32_t pos = area->start;
	int rc;

	while (pos + 8 <= area->end) {
		uint32_t type = get_be32(area->data + pos);
		uint32_t len = get_be32(area->data + pos + 4);

		pos += 8;
		if (type == QCOW2_EXT_END)
			break;
		if (len > area->end - pos)
			return fail(e, EUCLEAN, "Header extension too large: "
				    "0x%08x has %u bytes, %u are left", type,
				    len, area->end - pos);
		rc = decode_ext(h, area, type, area->data + pos, len, e);
		if (rc)
			return rc;
		pos += (uint32_t)round_up(len, 8);
	}
	h->ext_end = min_u64(pos, area->end);
	return 0;
}

static int decode_fixed(const uint8_t *p, struct qcow2_header *h,
			struct err *e)
{
	if (get_be32(p) != QCOW2_MAGIC)
		return fail(e, EINVAL, "Image is not in qcow2 format");
	h->version = get_be32(p + 4);
	if (h->version < 2 || h->version > 3)
		return fail(e, ENOTSUP, "Unsupported qcow2 version %u", h->version);
	h->cluster_bits = get_be32(p + QCOW2_H_CLUSTER_BITS);
	if (h->cluster_bits < QCOW2_MIN_CLUSTER_BITS ||
	    h->cluster_bits > QCOW2_MAX_CLUSTER_BITS)
		return fail(e, EINVAL, "Unsupported cluster size: 2^%u, must be "
			    "2^9 to 2^21", h->cluster_bits);
	h->size = get_be64(p + QCOW2_H_SIZE);
	h->crypt_method = get_be32(p + QCOW2_H_CRYPT);
	h->l1_size = get_be32(p + QCOW2_H_L1_SIZE);
	h->l1_offset = get_be64(p + QCOW2_H_L1_OFFSET);
	h->reftable_offset = get_be64(p + QCOW2_H_REFTABLE_OFFSET);
	h->reftable_clusters = get_be32(p + QCOW2_H_REFTABLE_CLUSTERS);
	h->n_snapshots = get_be32(p + QCOW2_H_N_SNAPSHOTS);
	h->snapshots_offset = get_be64(p + QCOW2_H_SNAPSHOTS_OFFSET);
	h->refcount_order = 4;
	h->header_len = QCOW2_V2_HEADER_LEN;
	if (h->version == 2)
		return 0;
	h->incompat = get_be64(p + QCOW2_H_INCOMPAT);
	h->compat = get_be64(p + QCOW2_H_COMPAT);
	h->autoclear = get_be64(p + QCOW2_H_AUTOCLEAR);
	h->refcount_order = get_be32(p + QCOW2_H_REFCOUNT_ORDER);
	h->header_len = get_be32(p + QCOW2_H_HEADER_LEN);
	if (h->header_len < QCOW2_V3_HEADER_LEN)
		return fail(e, EINVAL, "qcow2 header too short: %u bytes, "
			    "must be at least %u", h->header_len,
			    QCOW2_V3_HEADER_LEN);
	if (h->header_len > 1u << h->cluster_bits)
		return fail(e, EINVAL, "qcow2 header exceeds cluster size: %u "
			    "bytes, must be at most %u", h->header_len,
			    1u << h->cluster_bits);
	if (h->header_len > QCOW2_H_COMPRESSION)
		h->compression = p[QCOW2_H_COMPRESSION];
	return 0;
}

static int check_features(const struct qcow2_header *h,
			  const struct ext_area *area, struct err *e)
{
	uint64_t unknown = h->incompat & ~QCOW2_INCOMPAT_KNOWN;
	bool bit = h->incompat & QCOW2_INCOMPAT_COMPRESSION;

	if (unknown)
		return refuse_features(area->names, area->names_len, unknown, e);
	if (h->refcount_order > QCOW2_MAX_REFCOUNT_ORDER)
		return fail(e, EINVAL, "Reference count entry width too large; "
			    "may not exceed 64 bits: found 2^%u",
			    h->refcount_order);
	if (h->compression > 1)
		return fail(e, ENOTSUP, "unknown compression type %u, must be "
			    "0 (zlib) or 1 (zstd)", h->compression);
	if (bit != (h->compression != 0))
		return fail(e, EUCLEAN, "the compression type is %u, but its "
			    "incompatible feature bit is %s", h->compression,
			    bit ? "set" : "not set");
	if (h->incompat & QCOW2_INCOMPAT_EXTL2 &&
	    h->cluster_bits < QCOW2_MIN_EXTL2_CLUSTER_BITS)
		return fail(e, EINVAL, "extended L2 entries need clusters of "
			    "at least 16384 bytes, found %u",
			    1u << h->cluster_bits);
	if (h->crypt_method > 2)
		return fail(e, EINVAL, "Unsupported encryption method %u",
			    h->crypt_method);
	return 0;
}

static int check_tables(const struct qcow2_header *h, unsigned flags,
			uint64_t file_len, struct err *e)
{
	int rc;

	if (h->size > INT64_MAX - 511)
		return fail(e, EFBIG, "Image is too big: a virtual size of %"
			    PRIu64 " bytes", h->size);
	rc = qcow2_table_check(h, h->l1_offset, h->l1_size, 8, QCOW2_MAX_L1_LEN,
			       file_len, "Active L1 table", e);
	if (rc)
		return rc;
	if (h->l1_needed > INT32_MAX)
		return fail(e, EFBIG, "Image is too big");
	if (h->l1_size < h->l1_needed)
		return fail(e, EUCLEAN, "L1 table is too small: %u entries, the "
			    "size of the disk needs %u", h->l1_size,
			    h->l1_needed);
	if (!h->reftable_clusters && !(flags & IMG_REPAIR))
		return fail(e, EUCLEAN, "Image does not contain a reference "
			    "count table");
	rc = qcow2_table_check(h, h->reftable_offset,
			       (uint64_t)h->reftable_clusters << h->cluster_bits,
			       1, QCOW2_MAX_REFTABLE_LEN,
			       flags & IMG_REPAIR ? INT64_MAX : file_len,
			       "Reference count table", e);
	if (rc)
		return rc;
	if (h->n_snapshots > QCOW2_MAX_SNAPSHOTS && !(flags & IMG_REPAIR))
		return fail(e, EFBIG, "Snapshot table too large: %u snapshots, "
			    "at most %u are allowed", h->n_snapshots,
			    QCOW2_MAX_SNAPSHOTS);
	return 0;
}

static int decode_backing_name(struct qcow2_header *h, const uint8_t *cluster,
			       uint64_t offset, uint32_t len, struct err *e)
{
	if (!offset)
		return 0;
	if (len > QCOW2_MAX_BACKING_NAME ||
	    !in_range(offset, len, h->cluster_size))
		return fail(e, EINVAL, "Backing file name too long: %u bytes at "
			    "offset %" PRIu64 ", at most 1023 and inside the "
			    "first cluster are allowed", len, offset);
	return copy_name(cluster + offset, len, "the backing file's name",
			 &h->backing_name, e);
}

static int decode(const uint8_t *cluster, uint64_t file_len, unsigned flags,
		  struct qcow2_header *h, struct err *e)
{
	uint64_t backing = get_be64(cluster + QCOW2_H_BACKING_OFFSET);
	struct ext_area area = {
		.data = cluster,
		.start = h->header_len,
		.end = h->cluster_size,
	};
	int rc;

	if (backing > h->cluster_size)
		return fail(e, EINVAL, "Invalid backing file offset %" PRIu64
			    ", must be inside the first cluster", backing);
	if (backing)
		area.end = (uint32_t)max_u64(area.start, backing);
	rc = decode_exts(h, &area, e);
	/* An unknown feature may be why the rest makes no sense to us. */
	if (!rc || h->incompat & ~QCOW2_INCOMPAT_KNOWN)
		rc = check_features(h, &area, e);
	if (!rc)
		rc = decode_backing_name(h, cluster, backing,
				get_be32(cluster + QCOW2_H_BACKING_LEN), e);
	if (rc)
		return rc;
	qcow2_header_derive(h);
	if (h->external_data && !h->data_file && !(flags & IMG_NO_DATA))
		return fail(e, EINVAL, "'data-file' is required for this image: "
			    "it does not name its external data file");
	return check_tables(h, flags, file_len, e);
}

int qcow2_header_read(struct img *below, unsigned flags,
		      struct qcow2_header *h, struct err *e)
{
	uint8_t fixed[QCOW2_NEW_HEADER_LEN] = { 0 };
	uint64_t file_len = img_length(below);
	uint8_t *cluster = NULL;
	int rc;

	*h = (struct qcow2_header){ 0 };
	if (file_len < QCOW2_V2_HEADER_LEN)
		return fail(e, EINVAL, "Image is not in qcow2 format: the file "
			    "has %" PRIu64 " bytes, a header at least %u",
			    file_len, QCOW2_V2_HEADER_LEN);
	rc = img_read(below, fixed, (size_t)min_u64(sizeof(fixed), file_len), 0);
	if (rc)
		return fail_rc(e, rc, "Could not read qcow2 header");
	rc = decode_fixed(fixed, h, e);
	if (rc)
		return rc;
	h->cluster_size = 1u << h->cluster_bits;
	cluster = buf_alloc(h->cluster_size);
	if (!cluster)
		return fail(e, ENOMEM, "out of memory");
	memset(cluster, 0, h->cluster_size);
	rc = img_read(below, cluster,
		      (size_t)min_u64(h->cluster_size, file_len), 0);
	if (rc)
		fail_rc(e, rc, "Could not read the first cluster");
	else
		rc = decode(cluster, file_len, flags, h, e);
	free(cluster);
	if (rc)
		qcow2_header_free(h);
	return rc;
}

/* Writing. */

struct feature_name {
	uint8_t type, bit;
	const char *name;
};

static const struct feature_name feature_names[] = {
	{ 0, 0, "dirty bit" },
	{ 0, 1, "corrupt bit" },
	{ 0, 2, "external data file" },
	{ 0, 3, "compression type" },
	{ 0, 4, "extended L2 entries" },
	{ 1, 0, "lazy refcounts" },
	{ 2, 0, "bitmaps" },
	{ 2, 1, "raw external data" },
};

#define N_FEATURE_NAMES (sizeof(feature_names) / sizeof(feature_names[0]))

struct writer {
	uint8_t *p;
	size_t used, cap;
	bool overflow;
};

static void put_ext(struct writer *w, uint32_t type, const void *data,
		    size_t len)
{
	size_t need = 8 + (size_t)round_up(len, 8);

	if (w->overflow || need > w->cap - w->used) {
		w->overflow = true;
		return;
	}
	put_be32(w->p + w->used, type);
	put_be32(w->p + w->used + 4, (uint32_t)len);
	if (len)
		memcpy(w->p + w->used + 8, data, len);
	w->used += need;
}

static void put_feature_names(struct writer *w)
{
	uint8_t table[48 * N_FEATURE_NAMES] = { 0 };

	for (size_t i = 0; i < N_FEATURE_NAMES; i++) {
		table[48 * i] = feature_names[i].type;
		table[48 * i + 1] = feature_names[i].bit;
		memcpy(table + 48 * i + 2, feature_names[i].name,
		       strlen(feature_names[i].name));
	}
	put_ext(w, QCOW2_EXT_FEATURE_NAMES, table, sizeof(table));
}

static void put_fixed(const struct qcow2_header *h, uint8_t *p)
{
	put_be32(p, QCOW2_MAGIC);
	put_be32(p + 4, h->version);
	put_be32(p + QCOW2_H_CLUSTER_BITS, h->cluster_bits);
	put_be64(p + QCOW2_H_SIZE, h->size);
	put_be32(p + QCOW2_H_CRYPT, h->crypt_method);
	put_be32(p + QCOW2_H_L1_SIZE, h->l1_size);
	put_be64(p + QCOW2_H_L1_OFFSET, h->l1_offset);
	put_be64(p + QCOW2_H_REFTABLE_OFFSET, h->reftable_offset);
	put_be32(p + QCOW2_H_REFTABLE_CLUSTERS, h->reftable_clusters);
	put_be32(p + QCOW2_H_N_SNAPSHOTS, h->n_snapshots);
	put_be64(p + QCOW2_H_SNAPSHOTS_OFFSET, h->snapshots_offset);
	if (h->version == 2)
		return;
	put_be64(p + QCOW2_H_INCOMPAT, h->incompat);
	put_be64(p + QCOW2_H_COMPAT, h->compat);
	put_be64(p + QCOW2_H_AUTOCLEAR, h->autoclear);
	put_be32(p + QCOW2_H_REFCOUNT_ORDER, h->refcount_order);
	put_be32(p + QCOW2_H_HEADER_LEN, QCOW2_NEW_HEADER_LEN);
	p[QCOW2_H_COMPRESSION] = (uint8_t)h->compression;
}

int qcow2_header_encode(const struct qcow2_header *h, uint8_t *cluster,
			struct err *e)
{
	struct writer w = {
		.p = cluster,
		.used = h->version == 2 ? QCOW2_V2_HEADER_LEN
					: QCOW2_NEW_HEADER_LEN,
		.cap = h->cluster_size,
	};
	size_t name_len = h->backing_name ? strlen(h->backing_name) : 0;

	memset(cluster, 0, h->cluster_size);
	put_fixed(h, cluster);
	if (h->backing_format)
		put_ext(&w, QCOW2_EXT_BACKING_FORMAT, h->backing_format,
			strlen(h->backing_format));
	if (h->data_file)
		put_ext(&w, QCOW2_EXT_DATA_FILE, h->data_file,
			strlen(h->data_file));
	/* With 512-byte clusters there is no room for names, which are only a
	 * courtesy.
	 */
	if (h->version >= 3 &&
	    w.used + 8 + 48 * N_FEATURE_NAMES + 8 + name_len <= w.cap)
		put_feature_names(&w);
	put_ext(&w, QCOW2_EXT_END, NULL, 0);
	if (w.overflow || name_len > w.cap - w.used)
		return fail(e, ENOSPC, "Could not write the header: the names "
			    "in it do not fit in a cluster of %u bytes",
			    h->cluster_size);
	if (name_len > QCOW2_MAX_BACKING_NAME)
		return fail(e, EINVAL, "Backing file name too long: %zu bytes, "
			    "at most %u are allowed", name_len,
			    QCOW2_MAX_BACKING_NAME);
	if (h->backing_name) {
		memcpy(cluster + w.used, h->backing_name, name_len);
		put_be64(cluster + QCOW2_H_BACKING_OFFSET, w.used);
		put_be32(cluster + QCOW2_H_BACKING_LEN, (uint32_t)name_len);
	}
	return 0;
}
