/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kmod_bin.c - the binary tries of depmod.
 *
 * All numbers are 32 bits, big endian:
 *
 *   offset  size  meaning
 *        0     4  magic 0xb007f457
 *        4     4  version 2.1, as 0x00020001; of another major number is no reader
 *        8     4  the root node
 *
 * A node is named by its offset with flags in the top 4 bits, and is, one behind
 * the other:
 *   0x80000000  a prefix, with a NUL
 *   0x20000000  the first and the last character that go on (a byte each), then
 *               for each of that range a node, or 0
 *   0x40000000  the number of values, then each: a priority, the value with a NUL
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "convert/guest/kmod.h"
#include "imgfmt/base/buf.h"
#include "imgfmt/base/bytes.h"

#define MAGIC 0xb007f457u
#define VERSION_2_1 0x00020001u
#define HAS_PREFIX 0x80000000u
#define HAS_VALUES 0x40000000u
#define HAS_CHILDREN 0x20000000u
#define OFFSET_MASK 0x0fffffffu
#define CHARS 128u		/* keys are ASCII */
#define BYTES_MAX (128u << 20)

struct trie {
	const uint8_t *data;
	size_t len;
	/* A node takes 6 bytes or more: more nodes are a loop, or some are used
	 * twice; and what comes out may not be many times what is in.
	 */
	size_t nodes_left, bytes_left;
	struct kmod_index *out;
	struct err *e;
	char key[KMOD_KEY_MAX];
};

static int bad(struct trie *t, size_t at, const char *what)
{
	return fail(t->e, EUCLEAN, "the index of modules: %s at byte %zu", what,
		    at);
}

static int get_u32(struct trie *t, size_t *at, uint32_t *out)
{
	if (!in_range(*at, 4, t->len))
		return bad(t, *at, "a number beyond its end");
	*out = get_be32(t->data + *at);
	*at += 4;
	return 0;
}

static int get_text(struct trie *t, size_t *at, const char **out, size_t *len)
{
	if (*at >= t->len)
		return bad(t, *at, "a text beyond its end");
	*out = (const char *)t->data + *at;
	*len = strnlen(*out, t->len - *at);
	if (*len == t->len - *at)
		return bad(t, *at, "a text without end");
	*at += *len + 1;
	return 0;
}

static int read_values(struct trie *t, size_t *at, size_t depth)
{
	uint32_t n = 0, priority = 0;
	const char *value;
	size_t len;
	int rc = get_u32(t, at, &n);

	t->key[depth] = 0;
	for (; !rc && n; n--) {
		rc = get_u32(t, at, &priority);
		if (!rc)
			rc = get_text(t, at, &value, &len);
		if (rc)
			return rc;
		if (depth + len > t->bytes_left)
			return bad(t, *at, "more text than it can hold");
		t->bytes_left -= depth + len;
		rc = kmod_add(t->out, t->key, value, priority);
		if (rc)
			fail_rc(t->e, rc, "cannot take the index of modules in");
	}
	return rc;
}

/* Every node below takes a character of the key: that bounds the depth. */
static int read_node(struct trie *t, uint32_t node, size_t depth)
{
	size_t at = node & OFFSET_MASK, len, children = 0;
	uint8_t first = 0, last = 0;
	const char *prefix;
	int rc = 0;

	if (!t->nodes_left--)
		return bad(t, at, "more nodes than fit");
	if (node & HAS_PREFIX) {
		rc = get_text(t, &at, &prefix, &len);
		if (!rc && len >= sizeof(t->key) - 1 - depth)
			rc = bad(t, at, "too long a key");
		if (rc)
			return rc;
		memcpy(t->key + depth, prefix, len);
		depth += len;
	}
	if (node & HAS_CHILDREN) {
		if (!in_range(at, 2, t->len))
			return bad(t, at, "a node beyond its end");
		first = t->data[at];
		last = t->data[at + 1];
		children = at + 2;
		at = children + 4 * (last >= first ? last - first + 1u : 0);
		if (last < first || last >= CHARS || at > t->len)
			return bad(t, children, "a node with a wrong range");
	}
	if (node & HAS_VALUES)
		rc = read_values(t, &at, depth);
	if (!(node & HAS_CHILDREN) || rc)
		return rc;
	if (depth >= sizeof(t->key) - 2)
		return bad(t, at, "too long a key");
	for (unsigned c = first; c <= last && !rc; c++) {
		uint32_t child = get_be32(t->data + children + 4 * (c - first));

		t->key[depth] = (char)c;
		if (child)
			rc = read_node(t, child, depth + 1);
	}
	return rc;
}

int kmod_read_bin(const void *data, size_t len, struct kmod_index *out,
		  struct err *e)
{
	struct trie *t;
	int rc;

	if (len > KMOD_INDEX_MAX)
		return fail(e, EFBIG, "an index of %zu bytes, at most %u are "
			    "allowed", len, KMOD_INDEX_MAX);
	if (len < 12 || get_be32(data) != MAGIC)
		return fail(e, EUCLEAN, "no index of modules: it does not begin "
			    "with 0x%x", MAGIC);
	if (get_be32((const uint8_t *)data + 4) >> 16 != VERSION_2_1 >> 16)
		return fail(e, ENOTSUP, "an index of modules of version %u, must "
			    "be 2", get_be32((const uint8_t *)data + 4) >> 16);
	t = calloc(1, sizeof(*t));
	if (!t)
		return fail(e, ENOMEM, "no memory for an index of modules");
	t->data = data;
	t->len = len;
	t->nodes_left = len / 6 + 1;
	t->bytes_left = (size_t)min_u64(16 * (uint64_t)len, BYTES_MAX);
	t->out = out;
	t->e = e;
	rc = read_node(t, get_be32((const uint8_t *)data + 8), 0);
	free(t);
	return rc;
}

struct image {
	uint8_t *data;
	size_t len, cap;
};

static int put(struct image *im, const void *data, size_t len)
{
	if (array_grow(&im->data, &im->cap, im->len + len, 1))
		return -ENOMEM;
	memcpy(im->data + im->len, data, len);
	im->len += len;
	return 0;
}

static int put_u32(struct image *im, uint32_t n)
{
	uint8_t be[4];

	put_be32(be, n);
	return put(im, be, 4);
}

/* How long is what all keys of the list share, from `depth` on?  It is sorted. */
static size_t common(const struct kmod_entry *list, size_t n, size_t depth)
{
	const char *a = list[0].key + depth, *b = list[n - 1].key + depth;
	size_t len = 0;

	while (a[len] && a[len] == b[len])
		len++;
	return len;
}

static int put_node(struct image *im, const struct kmod_entry *list, size_t n,
		    size_t depth, uint32_t *node);

/* The nodes for what follows behind `depth`, one a character. */
static int put_children(struct image *im, const struct kmod_entry *list,
			size_t n, size_t depth, uint32_t children[CHARS])
{
	for (size_t i = 0, end; i < n; i = end) {
		unsigned char c = (unsigned char)list[i].key[depth];
		int rc;

		for (end = i + 1; end < n; end++)
			if ((unsigned char)list[end].key[depth] != c)
				break;
		rc = put_node(im, list + i, end - i, depth + 1, &children[c]);
		if (rc)
			return rc;
	}
	return 0;
}

static int put_values(struct image *im, const struct kmod_entry *list, size_t n)
{
	int rc = put_u32(im, (uint32_t)n);

	for (size_t i = 0; i < n && !rc; i++) {
		rc = put_u32(im, list[i].priority);
		if (!rc)
			rc = put(im, list[i].value, strlen(list[i].value) + 1);
	}
	return rc;
}

static int put_range(struct image *im, const uint32_t children[CHARS],
		     unsigned first, unsigned last)
{
	uint8_t range[2] = { (uint8_t)first, (uint8_t)last };
	int rc = put(im, range, 2);

	for (unsigned c = first; c <= last && !rc; c++)
		rc = put_u32(im, children[c]);
	return rc;
}

static int put_node(struct image *im, const struct kmod_entry *list, size_t n,
		    size_t depth, uint32_t *node)
{
	size_t prefix = common(list, n, depth), values = 0;
	uint32_t *children = calloc(CHARS, sizeof(*children));
	unsigned first = CHARS, last = 0;
	int rc = -ENOMEM;

	if (!children)
		return rc;
	while (values < n && !list[values].key[depth + prefix])
		values++;
	rc = put_children(im, list + values, n - values, depth + prefix,
			  children);
	for (unsigned c = 0; c < CHARS; c++)
		if (children[c]) {
			last = c;
			first = first == CHARS ? c : first;
		}
	*node = (uint32_t)im->len;
	if (!rc && prefix) {
		*node |= HAS_PREFIX;
		rc = put(im, list[0].key + depth, prefix);
		if (!rc)
			rc = put(im, "", 1);
	}
	if (!rc && first < CHARS) {
		*node |= HAS_CHILDREN;
		rc = put_range(im, children, first, last);
	}
	if (!rc && values) {
		*node |= HAS_VALUES;
		rc = put_values(im, list, values);
	}
	free(children);
	return rc;
}

int kmod_write_bin(struct kmod_index *index, uint8_t **data, size_t *len,
		   struct err *e)
{
	struct image im = { 0 };
	uint32_t root = 12;
	int rc;

	for (size_t i = 0; i < index->n; i++) {
		const unsigned char *key = (unsigned char *)index->list[i].key;

		if (strlen((const char *)key) >= KMOD_KEY_MAX)
			return fail(e, EINVAL, "an alias of more than %u bytes",
				    KMOD_KEY_MAX - 1);
		for (; *key; key++)
			if (*key >= CHARS)
				return fail(e, EINVAL, "an alias with a byte "
					    "that is not ASCII");
	}
	kmod_sort(index);
	rc = put_u32(&im, MAGIC);
	if (!rc)
		rc = put_u32(&im, VERSION_2_1);
	if (!rc)
		rc = put_u32(&im, root);
	if (!rc && index->n)
		rc = put_node(&im, index->list, index->n, 0, &root);
	if (!rc && im.len > OFFSET_MASK)
		rc = -EFBIG;
	if (rc) {
		free(im.data);
		return fail_rc(e, rc, "cannot make an index of modules");
	}
	put_be32(im.data + 8, root);
	*data = im.data;
	*len = im.len;
	return 0;
}
